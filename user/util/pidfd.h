/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Signals to processes by pidfd. */
#pragma once

#include <sys/types.h>

/*
 * A pidfd signals the process that was opened, never a later one with the same pid: open, then check that it is the
 * right process, then signal (pidfd_open: Linux 5.3, which all of our kernels have). Both return a negative errno on
 * failure.
 */
int pidfd_of(pid_t pid);
int pidfd_signal(int pidfd, int signal_number);
/* Signals the process group that the process leads or led, even a dead one. -EINVAL before Linux 6.9 (e1fb1dc08e73). */
int pidfd_signal_group(int pidfd, int signal_number);
