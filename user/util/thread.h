/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Threads beside the main one, which alone gets signals: their handlers expect it. */
#pragma once

#include <pthread.h>

/* Returns 0 or a negative errno. */
int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);
