/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets of short connections. */
#pragma once

/*
 * socket() with close-on-exec. Closing it resets its connection, which then leaves no state that waits: thousands of
 * connections a minute would use up the ports. Returns the descriptor or a negative errno.
 */
int socket_open_reset(int family, int type, int protocol);
