/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The targets of a subject that is never reset: opens each as a fault would, and closes it again. */
#include <string.h>

#include "check/internal.h"
#include "inject/node.h"
#include "target/target.h"

/* Opens the node. Returns 0 or a negative errno with err set. */
static int try_node(const struct check *check, const struct subject *subject, unsigned int instance,
		    const struct node *node, const struct chaos *chaos, const json_t *params, struct error *err)
{
	struct target *target;
	int ret =
		node_target_open(&target, check->plan->config, subject, instance, node->name, chaos->ops, params, err);

	if (!ret)
		target_free(target);
	return ret;
}

/* A role is found only in the trial: that some nodes cannot be a target is a warning, that none can an error. */
static void try_role(struct check *check, const struct subject *subject, unsigned int instance,
		     const struct chaos *chaos, const struct effective *effective)
{
	struct error first = {};
	size_t bad = 0;

	for (size_t i = 0; i < subject->node_count; i++) {
		struct error err = {};

		if (!try_node(check, subject, instance, &subject->nodes[i], chaos, effective->params, &err))
			continue;
		if (!bad++)
			first = err;
	}
	if (bad == subject->node_count)
		check_error(check, "%s, instance %u: %s on %s: %s", subject->name, instance, chaos->name,
			    effective->target, first.text);
	else if (bad)
		check_warning(check, "%s, instance %u: %s on %s cannot act on %zu of %zu nodes: %s", subject->name,
			      instance, chaos->name, effective->target, bad, subject->node_count, first.text);
}

static void try_chaos(struct check *check, const struct subject *subject, unsigned int instance,
		      const struct chaos *chaos)
{
	const struct config *config = check->plan->config;
	const struct effective *effective =
		config_effective(config, (size_t)(subject - config->subjects), (size_t)(chaos - config->chaos));
	const struct node *node = node_find(subject, effective->target);
	struct error err = {};

	if (!node)
		try_role(check, subject, instance, chaos, effective);
	else if (try_node(check, subject, instance, node, chaos, effective->params, &err))
		check_error(check, "%s, instance %u: %s on %s: %s", subject->name, instance, chaos->name, node->name,
			    err.text);
}

void check_targets(struct check *check, const struct subject *subject)
{
	const struct config *config = check->plan->config;

	for (unsigned int i = 0; i < subject->instances; i++)
		for (size_t j = 0; j < config->chaos_count; j++)
			if (check_runs(check, subject, &config->chaos[j]))
				try_chaos(check, subject, i, &config->chaos[j]);
}
