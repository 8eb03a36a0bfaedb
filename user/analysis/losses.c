/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/losses.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

/* Totals of all devices and directions. dropped: by a full line; failed: matched but passed untouched. */
struct counts {
	json_int_t dropped, failed;
};

static void add_counts(struct counts *counts, const json_t *evidence)
{
	static const char *const directions[] = {"egress", "ingress"};
	const json_t *device;
	size_t i;

	json_array_foreach (json_object_get(evidence, "devices"), i, device)
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++) {
			const json_t *counters = json_object_get(device, directions[d]);

			counts->dropped += json_integer_at(json_object_get(counters, "line"), "line_dropped");
			counts->failed += json_integer_at(counters, "failed");
		}
}

/* Older records have no "losses": takes them from the counters of latency, summed over targets. */
static void describe_counters(char *out, size_t size, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	struct counts counts = {};
	const char *target;

	add_counts(&counts, evidence);
	json_object_foreach (targets, target, one)
		add_counts(&counts, one);
	if (counts.dropped)
		text_append(out, size, "the line dropped %lld packet%s: chaos was loss, not only delay",
			    (long long)counts.dropped, text_plural(counts.dropped));
	if (counts.failed)
		text_append(out, size, "%s%lld packet%s matched but passed untouched", *out ? "; " : "",
			    (long long)counts.failed, text_plural(counts.failed));
}

static bool has_losses(const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;

	json_object_foreach (targets, target, one)
		if (json_object_get(one, "losses"))
			return true;
	return json_object_get(evidence, "losses");
}

static void append_losses(char *out, size_t size, const char *target, const json_t *evidence)
{
	const json_t *loss;
	size_t i;

	json_array_foreach (json_object_get(evidence, "losses"), i, loss)
		text_append(out, size, "%s%s%s%s", *out ? "; " : "", target, *target ? ": " : "",
			    json_text_or(loss, "text", ""));
}

int losses_describe(char *out, size_t size, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;

	out[0] = '\0';
	if (!has_losses(evidence)) {
		describe_counters(out, size, evidence);
	} else {
		append_losses(out, size, "", evidence);
		json_object_foreach (targets, target, one)
			append_losses(out, size, target, one);
	}
	return (int)strlen(out);
}
