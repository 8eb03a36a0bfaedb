/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The watch on the file systems of the subject's nodes, for chaos that hits only files opened under one. */
#include "chaos/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/placeholder.h"
#include "trial/internal.h"
#include "util/cleanup.h"

/* Every data_dir of every node, which is to be freed with its strings; ends with NULL. */
static char **collect_paths(const struct trial *trial, size_t *count, struct error *err)
{
	const struct subject *subject = trial->subject;
	size_t total = 0;
	char **paths;

	for (size_t i = 0; i < subject->node_count; i++)
		total += subject->nodes[i].data_dirs.count;
	paths = calloc(total + 1, sizeof(*paths));
	*count = 0;
	for (size_t i = 0; paths && i < subject->node_count; i++) {
		struct node node = {};

		if (node_expand(&node, &subject->nodes[i], subject, trial->job->instance, err))
			continue;
		for (size_t j = 0; j < node.data_dirs.count; j++) {
			paths[*count] = strdup(node.data_dirs.items[j]);
			*count += paths[*count] != NULL;
		}
		node_clear(&node);
	}
	return paths;
}

int trial_start_watch(struct trial *trial, struct error *err)
{
	size_t count;
	char **paths;
	int ret;

	if (!trial->plan->chaos || !trial->plan->chaos->ops->watches_opens)
		return 0;
	paths = collect_paths(trial, &count, err);
	if (!paths)
		return error_set(err, -ENOMEM, "out of memory");
	ret = chaos_watch_new(&trial->watch, (const char *const *)paths, count, err);
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
	return ret;
}

static void watch_step(void *arg)
{
	struct trial *trial = arg;

	chaos_watch_step(trial->watch);
}

static size_t watch_poll_count(const void *arg)
{
	return 1;
}

static size_t watch_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	*out = (struct pollfd){.fd = chaos_watch_fd(trial->watch), .events = POLLPRI};
	return out->fd >= 0;
}

const struct pump_source trial_watch_source = {
	.step = watch_step,
	.poll_fds = watch_poll_fds,
	.poll_count = watch_poll_count,
};
