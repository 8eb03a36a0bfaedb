/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "inject/choose.h"

#include <errno.h>
#include <string.h>

#include "config/roles.h"
#include "inject/node.h"
#include "plan/plan.h"
#include "util/cleanup.h"

/* plan_draw's stream for draws among nodes. */
#define DRAW_TARGET 1

/* Draws one of the subject's nodes on this host, other than `except` (may be NULL). */
static int draw_node(const struct choice *choice, const char *except, const struct node **out, struct error *err)
{
	const struct subject *subject = choice->subject;
	_cleanup_free_ const struct node **candidates = calloc(subject->node_count + 1, sizeof(*candidates));
	size_t count = 0;

	if (!candidates)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < subject->node_count; i++) {
		bool local = false;
		int ret = node_is_local(&subject->nodes[i], subject, choice->instance, &local, err);

		if (ret)
			return ret;
		if (local && (!except || strcmp(subject->nodes[i].name, except)))
			candidates[count++] = &subject->nodes[i];
	}
	if (!count)
		return error_set(err, -EHOSTUNREACH, "no %snode of '%s' is on this host", except ? "other " : "",
				 subject->name);
	*out = candidates[plan_draw(choice->seed, DRAW_TARGET, count)];
	return 0;
}

static int find_leader(const struct choice *choice, const struct node **out, struct error *err)
{
	if (!choice->subject->roles.exec)
		return error_set(err, -EINVAL, "target %s needs the subject's `roles` command", choice->target);
	if (!*choice->leader)
		return error_set(err, -ENOENT, "`roles` names no leader");
	*out = node_find(choice->subject, choice->leader);
	return *out ? 0
		    : error_set(err, -ENOENT, "`roles` names '%s', which is not a node of '%s'", choice->leader,
				choice->subject->name);
}

int choose_node(const struct choice *choice, const struct node **out, struct error *err)
{
	const char *target = choice->target;
	int ret;

	*out = NULL;
	if (!strcmp(target, ROLE_ALL))
		return 0;
	if (!strcmp(target, ROLE_RANDOM))
		return draw_node(choice, NULL, out, err);
	if (!strcmp(target, ROLE_LEADER))
		return find_leader(choice, out, err);
	if (!strcmp(target, ROLE_FOLLOWER)) {
		ret = find_leader(choice, out, err);
		return ret ? ret : draw_node(choice, (*out)->name, out, err);
	}
	*out = node_find(choice->subject, target);
	return *out ? 0 : error_set(err, -ENOENT, "no node '%s' in subject '%s'", target, choice->subject->name);
}

const char *choose_role(const struct choice *choice, const char *node)
{
	if (!*choice->leader || !node_find(choice->subject, choice->leader))
		return NULL;
	return strcmp(choice->leader, node) ? ROLE_FOLLOWER : ROLE_LEADER;
}
