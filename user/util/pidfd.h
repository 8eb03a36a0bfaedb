/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Signals by descriptor. */
#pragma once

#include <sys/types.h>

/*
 * A kill goes to a process, not to a number that may be another's by now: open first, then look whether it is the right
 * one, then signal (pidfd_open: Linux 5.3, which all of our kernels have). Both return a negative errno on failure.
 */
int pidfd_of(pid_t pid);
int pidfd_signal(int pidfd, int signal_number);
/* The process group that the process leads or led, also when it is dead. -EINVAL before Linux 6.9 (e1fb1dc08e73). */
int pidfd_signal_group(int pidfd, int signal_number);
