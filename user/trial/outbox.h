/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages on their way to a socket, a datagram each, in order. Sending never blocks. */
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
/* Takes text; without memory it is lost. */
void outbox_add(struct outbox *outbox, char *text);
/* Sends what the socket takes. 0; -EMSGSIZE: no datagram holds the first message, or the other end has no room for it.
 */
int outbox_flush(struct outbox *outbox);
/* Puts text in the place of the first message and takes it; false where it is not shorter. */
bool outbox_shorten_first(struct outbox *outbox, char *text);
void outbox_drop_first(struct outbox *outbox);
