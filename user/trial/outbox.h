/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A queue of messages to a socket, one datagram each, in order. Sending never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct outbox_message {
	struct outbox_message *next;
	char *text;
};

struct outbox {
	int socket_fd;
	struct outbox_message *first, **end;
	size_t bytes;
};

void outbox_init(struct outbox *outbox, int socket_fd);
/* Takes text; drops it if out of memory. */
void outbox_add(struct outbox *outbox, char *text);
/* Sends as much as the socket takes. 0; -EMSGSIZE: the first message exceeds TRIAL_MESSAGE_MAX or the send buffer. */
int outbox_flush(struct outbox *outbox);
/* Replaces the first message by text, which it takes. False, and text is not taken, if it is not shorter. */
bool outbox_shorten_first(struct outbox *outbox, char *text);
void outbox_drop_first(struct outbox *outbox);
