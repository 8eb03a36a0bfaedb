/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/losses.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

static void add_losses(struct losses *losses, const json_t *evidence)
{
	static const char *const directions[] = {"egress", "ingress"};
	const json_t *device;
	size_t i;

	json_array_foreach (json_object_get(evidence, "devices"), i, device)
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++) {
			const json_t *counters = json_object_get(device, directions[d]);
			const json_t *line = json_object_get(counters, "line");

			losses->dropped += json_integer_at(line, "line_dropped");
			losses->failed += json_integer_at(counters, "failed");
		}
}

struct losses losses_count(const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	struct losses losses = {};
	const char *target;

	add_losses(&losses, evidence);
	json_object_foreach (targets, target, one)
		add_losses(&losses, one);
	return losses;
}

int losses_describe(char *out, size_t size, const json_t *evidence)
{
	struct losses losses = losses_count(evidence);

	out[0] = '\0';
	if (losses.dropped)
		text_append(out, size, "the line dropped %lld packet%s: chaos was loss, not only delay",
			    (long long)losses.dropped, text_plural(losses.dropped));
	if (losses.failed)
		text_append(out, size, "%s%lld packet%s matched but passed untouched", *out ? "; " : "",
			    (long long)losses.failed, text_plural(losses.failed));
	return (int)strlen(out);
}
