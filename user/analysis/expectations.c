/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/expectations.h"

#include <math.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define SHORT_NUMBERS (JSON_ENCODE_ANY | JSON_REAL_PRECISION(6))

/* measured is NAN if there is no measurement. Returns met. */
static bool add_expectation(json_t *list, const char *name, double asked, double measured, bool met)
{
	json_array_append_new(list, json_pack("{s:s, s:f, s:o, s:b}", "name", name, "asked", asked, "measured",
					      json_number_or_null(measured), "ok", met));
	return met;
}

static double number_in(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The summary has no p99 below 100 good samples; by nearest rank it is then the slowest sample. */
static double p99_of(const json_t *during)
{
	double p99_ms = number_in(during, "p99_ms");

	return isnan(p99_ms) ? number_in(during, "max_ms") : p99_ms;
}

/* A comparison with NAN is false, so a missing measurement misses its expectation. */
bool expectations_judge(const struct expectations_asked *asked, const json_t *summary, json_t *list)
{
	const json_t *during = json_object_get(summary, "during");
	double availability = number_in(during, "availability"), p99_ms = p99_of(during);
	double recovery_seconds = number_in(summary, "recovery_seconds");
	bool met = true;

	if (!isnan(asked->availability_min))
		met &= add_expectation(list, "availability_min", asked->availability_min, availability,
				       availability >= asked->availability_min);
	if (!isnan(asked->p99_ms_max))
		met &= add_expectation(list, "p99_ms_max", asked->p99_ms_max, p99_ms, p99_ms <= asked->p99_ms_max);
	if (!isnan(asked->recover_within_seconds))
		met &= add_expectation(list, "recover_within_seconds", asked->recover_within_seconds, recovery_seconds,
				       recovery_seconds <= asked->recover_within_seconds);
	return met;
}

void expectations_list_missed(char *out, size_t size, const json_t *list)
{
	const json_t *expectation;
	size_t i;

	out[0] = '\0';
	json_array_foreach (list, i, expectation) {
		_cleanup_free_ char *asked = json_dumps(json_object_get(expectation, "asked"), SHORT_NUMBERS);
		_cleanup_free_ char *measured = json_dumps(json_object_get(expectation, "measured"), SHORT_NUMBERS);

		if (!json_is_true(json_object_get(expectation, "ok")))
			text_append(out, size, "%s%s %s missed: %s", *out ? ", " : "",
				    json_text_or(expectation, "name", "?"), asked ?: "?", measured ?: "?");
	}
}
