/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trial/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "trial/trial.h"

void outbox_init(struct outbox *outbox, int socket_fd)
{
	*outbox = (struct outbox){.socket_fd = socket_fd, .end = &outbox->first};
}

void outbox_add(struct outbox *outbox, char *text)
{
	struct outbox_message *queued = calloc(1, sizeof(*queued));

	if (!queued) {
		free(text);
		return;
	}
	queued->text = text;
	outbox->bytes += strlen(text);
	*outbox->end = queued;
	outbox->end = &queued->next;
}

bool outbox_shorten_first(struct outbox *outbox, char *text)
{
	struct outbox_message *first = outbox->first;
	size_t length = strlen(first->text);

	if (strlen(text) >= length)
		return false;
	outbox->bytes -= length - strlen(text);
	free(first->text);
	first->text = text;
	return true;
}

void outbox_drop_first(struct outbox *outbox)
{
	struct outbox_message *first = outbox->first;

	outbox->bytes -= strlen(first->text);
	outbox->first = first->next;
	if (!outbox->first)
		outbox->end = &outbox->first;
	free(first->text);
	free(first);
}

int outbox_flush(struct outbox *outbox)
{
	while (outbox->first) {
		const char *text = outbox->first->text;
		size_t length = strlen(text);
		ssize_t sent;

		if (length > TRIAL_MESSAGE_MAX)
			return -EMSGSIZE;
		sent = send(outbox->socket_fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
			return 0;
		if (sent < 0 && errno == EMSGSIZE)
			return -EMSGSIZE;
		/* Any other failure means that the coordinator is dead; PR_SET_PDEATHSIG then ends this process. */
		outbox_drop_first(outbox);
	}
	return 0;
}
