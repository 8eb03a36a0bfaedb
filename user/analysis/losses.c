/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/losses.h"

#include <string.h>

#include "chaos/evidence.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

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

/* Older records have no "losses": takes them from the counters of latency, summed over targets. */
static void append_counters(char *out, size_t size, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	_cleanup_json_ json_t *summed = json_object();
	struct line_losses losses = {};
	const char *target;

	evidence_count_line_losses(&losses, evidence);
	json_object_foreach (targets, target, one)
		evidence_count_line_losses(&losses, one);
	evidence_add_line_losses(summed, &losses);
	append_losses(out, size, "", summed);
}

int losses_describe(char *out, size_t size, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;

	out[0] = '\0';
	if (!has_losses(evidence)) {
		append_counters(out, size, evidence);
	} else {
		append_losses(out, size, "", evidence);
		json_object_foreach (targets, target, one)
			append_losses(out, size, target, one);
	}
	return (int)strlen(out);
}
