/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/evidence.h"

#include <stdarg.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

void evidence_add(json_t *total, const json_t *part)
{
	static const char *const sums[] = {"seen", "hit", "bytes"};

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		json_int_t sum = json_integer_at(total, sums[i]);

		sum += json_integer_at(part, sums[i]);
		json_object_set_new(total, sums[i], json_integer(sum));
	}
}

static json_t *list_of(json_t *evidence, const char *key)
{
	if (!json_object_get(evidence, key))
		json_object_set_new(evidence, key, json_array());
	return json_object_get(evidence, key);
}

/* The text may quote names from outside. */
static json_t *formatted(const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	return json_outside(text);
}

void evidence_add_loss(json_t *evidence, json_int_t count, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_array_append_new(list_of(evidence, "losses"),
			      json_pack("{s:I, s:o}", "count", count, "text", formatted(format, args)));
	va_end(args);
}

void evidence_count_line_losses(struct line_losses *sum, const json_t *evidence)
{
	static const char *const directions[] = {"egress", "ingress"};
	const json_t *device;
	size_t i;

	json_array_foreach (json_object_get(evidence, "devices"), i, device)
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++) {
			const json_t *counters = json_object_get(device, directions[d]);

			sum->dropped += json_integer_at(json_object_get(counters, "line"), "line_dropped");
			sum->failed += json_integer_at(counters, "failed");
		}
}

void evidence_add_line_losses(json_t *evidence, const struct line_losses *losses)
{
	if (losses->dropped)
		evidence_add_loss(evidence, losses->dropped,
				  "the line dropped %lld packet%s: chaos was loss, not only delay",
				  (long long)losses->dropped, text_plural(losses->dropped));
	if (losses->failed)
		evidence_add_loss(evidence, losses->failed, "%lld packet%s matched but passed untouched",
				  (long long)losses->failed, text_plural(losses->failed));
}

void evidence_add_note(json_t *evidence, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_array_append_new(list_of(evidence, "notes"), formatted(format, args));
	va_end(args);
}

void evidence_add_note_about(json_t *fault, const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_array_append_new(list_of(fault, "notes"),
			      json_pack("{s:s, s:o}", "about", about, "text", formatted(format, args)));
	va_end(args);
}

/* The packets that the hooks of a direction saw; 0 if it has none. */
static json_int_t seen_in(const json_t *device, const char *direction)
{
	return json_integer_at(json_object_get(device, direction), "seen");
}

void evidence_explain_nothing(char *out, size_t size, const json_t *evidence)
{
	json_int_t seen = json_integer_at(evidence, "seen");
	char passed[256] = "", names[128] = "", others[512] = "";
	bool translated = false;
	const json_t *device, *other;
	size_t i;

	out[0] = '\0';
	if (json_integer_at(evidence, "hit") || !json_array_size(json_object_get(evidence, "devices")))
		return;
	json_array_foreach (json_object_get(evidence, "devices"), i, device) {
		const char *name = json_text_or(device, "device", "?");

		text_append(names, sizeof(names), "%s%s", *names ? ", " : "", name);
		text_append(passed, sizeof(passed), "%s%s egress %lld, ingress %lld", *passed ? "; " : "", name,
			    (long long)seen_in(device, "egress"), (long long)seen_in(device, "ingress"));
	}
	json_array_foreach (json_object_get(evidence, "unmatched"), i, other) {
		const char *peer = json_text_or(other, "peer", NULL);

		text_append(others, sizeof(others), "%s%s (%s %lld%s%s)", *others ? ", " : "; the most with ",
			    json_text_or(other, "address", "?"), json_text_or(other, "direction", "?"),
			    (long long)json_integer_at(other, "packets"), peer ? ", by NAT peer " : "", peer ?: "");
		translated |= peer != NULL;
	}
	if (!seen)
		text_append(out, size, "no packet at all passed %s: is it another device, or another namespace?",
			    names);
	else
		text_append(out, size, "%lld packet%s passed (%s), none of them between the target and its peers%s: %s",
			    (long long)seen, text_plural(seen), passed, others,
			    translated ? "name the addresses that NAT puts in the peers' place as peers, too"
				       : "is there a service address or NAT between them, or a VLAN with a device of "
					 "its own?");
}
