/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/live.h"

#include <math.h>
#include <string.h>

#include "report/report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

#define CELLS_WANTED 8

/* NULL if there are too many probes for a line. */
static struct live_probe *find_probe(struct live_trial *live, const char *name)
{
	struct live_probe *probe = live->probes;

	while (probe < live->probes + live->probe_count && strncmp(probe->name, name, sizeof(probe->name) - 1) != 0)
		probe++;
	if (probe == live->probes + LIVE_PROBES_MAX)
		return NULL;
	if (probe == live->probes + live->probe_count) {
		snprintf(probe->name, sizeof(probe->name), "%s", name);
		live->probe_count++;
	}
	return probe;
}

static void take_state(struct live_trial *live, const char *name, const json_t *state)
{
	const json_t *ok = json_object_get(state, "ok");
	struct live_probe *probe = json_is_boolean(ok) ? find_probe(live, name) : NULL;
	char latency[REPORT_CELL_SIZE];

	if (probe)
		snprintf(probe->state, sizeof(probe->state), "%s %s", json_is_true(ok) ? "ok" : "failing",
			 report_milliseconds(latency, json_object_get(state, "latency_ms")));
}

static void take_sample(struct live_trial *live, const json_t *sample)
{
	struct live_probe *probe = find_probe(live, json_text_or(sample, "probe", ""));
	bool ok = json_is_true(json_object_get(sample, "ok"));

	if (probe)
		spark_add(&probe->latency, ok ? (double)json_integer_at(sample, "latency_ns") / NSEC_PER_MSEC : NAN);
}

void live_take(struct live_trial *live, const json_t *message)
{
	const json_t *hits = json_object_get(message, "hits"), *sample;
	json_t *states = json_object_get(message, "state"), *state;
	const char *name;
	size_t i;

	json_object_foreach (states, name, state)
		take_state(live, name, state);
	json_array_foreach (json_object_get(message, "samples"), i, sample)
		take_sample(live, sample);
	if (!json_is_integer(hits))
		return;
	spark_add(&live->growth, (double)(json_integer_value(hits) - live->hits));
	live->hits = json_integer_value(hits);
	live->has_hits = true;
}

static void describe(char *out, size_t size, const struct live_trial *live, size_t cells, bool utf8)
{
	out[0] = '\0';
	for (size_t i = 0; i < live->probe_count; i++) {
		const struct live_probe *probe = &live->probes[i];

		text_append(out, size, "%s%s %s", i ? ", " : "", probe->name, probe->state);
		spark_append(out, size, &probe->latency, cells, utf8);
	}
	if (live->has_hits) {
		_cleanup_json_ json_t *hits = json_integer(live->hits);
		char count[REPORT_CELL_SIZE];

		text_append(out, size, "%shits %s", *out ? ", " : "", report_count(count, hits));
		spark_append(out, size, &live->growth, cells, utf8);
	}
}

static size_t spark_count(const struct live_trial *live)
{
	return live->probe_count + live->has_hits;
}

static size_t plain_width(const struct live_trial *live)
{
	char text[1024];

	describe(text, sizeof(text), live, 0, false);
	return strlen(text);
}

size_t live_width(const struct live_trial *live)
{
	return plain_width(live) + spark_count(live) * (1 + CELLS_WANTED);
}

void live_describe(char *out, size_t size, const struct live_trial *live, size_t columns, bool utf8)
{
	size_t plain = plain_width(live), sparks = spark_count(live), each;

	each = sparks && columns > plain ? (columns - plain) / sparks : 0;
	describe(out, size, live, each ? each - 1 : 0, utf8);
}
