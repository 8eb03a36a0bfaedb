/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the metrics of a subject, and what is expected of them. */
#include "unit_config.h"

#include "util/json.h"

#define METRICS \
	"    metrics:\n" \
	"      - {name: a, url: 'http://x/{node}', node: n1, series: [up, 'n_total{k=\"v\"}'], every_ms: 2000}\n" \
	"      - {name: b, url: 'http://y/', series: up}\n" \
	"      - {name: tps, workload: 'tps: ([0-9]+)'}\n"

static void sources_and_outputs_are_read(void **state)
{
	struct config *config = load_valid("subjects:\n  - name: lab\n" METRICS LAB_MEMBERS LATENCY);
	const struct subject *subject = &config->subjects[0];

	assert_int_equal(subject->metric_count, 2);
	assert_int_equal(subject->metrics[0].kind, PROBE_METRICS);
	assert_int_equal(subject->metrics[0].series.count, 2);
	assert_string_equal(subject->metrics[0].series.items[1], "n_total{k=\"v\"}");
	assert_int_equal(subject->metrics[0].every_ms, 2000);
	assert_int_equal(subject->metrics[1].every_ms, 1000);
	assert_int_equal(subject->output_count, 1);
	assert_string_equal(subject->outputs[0].pattern, "tps: ([0-9]+)");
	assert_true(subject_has_series(subject, NULL, "up"));
	assert_true(subject_has_series(subject, "b", "up"));
	assert_false(subject_has_series(subject, "b", "n_total{k=\"v\"}"));
	assert_true(subject_has_series(subject, "tps", "tps"));
	assert_false(subject_has_series(subject, "a", "tps"));
	config_free(config);
}

static void the_strongest_list_counts(void **state)
{
	struct config *config = load_valid(
		"defaults: {expect: {metrics: [{series: up, min: 1}, {series: tps, change_max: 0.1}]}}\n"
		"subjects:\n  - name: lab\n" METRICS LAB_MEMBERS "  - name: other\n" LAB_NODES "chaos_types:\n"
		"  - {type: latency, name: a, target: n1, params: {min_ms: 1, max_ms: 2}}\n"
		"  - {type: latency, name: b, target: n1, params: {min_ms: 1, max_ms: 2}, expect: {metrics: "
		"[{series: up, source: b, max: 3}]}}\n");
	const json_t *first = config_effective(config, 0, 0)->settings.expect.metrics;
	const json_t *second = config_effective(config, 0, 1)->settings.expect.metrics;

	assert_int_equal(json_array_size(first), 2);
	assert_true(json_number_at(json_array_get(first, 1), "change_max") == 0.1);
	assert_int_equal(json_array_size(second), 1);
	assert_string_equal(json_text_or(json_array_get(second, 0), "source", ""), "b");
	/* The other subject has none of the series. */
	assert_null(config_effective(config, 1, 0)->settings.expect.metrics);
	config_free(config);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *metrics, *problem;
	} cases[] = {
		{"x", "'metrics' must be a list"},
		{"[{name: a, series: up}]", "'url'"},
		{"[{name: a, url: 'ftp://x', series: up}]", "neither a http:// nor a https:// URL"},
		{"[{name: a, url: 'http://x'}]", "'series'"},
		{"[{name: a, url: 'http://x', series: '1'}]", "'1' is no series like NAME"},
		{"[{name: a, url: 'http://x', series: 'up{'}]", "a label is compared like"},
		{"[{name: a, url: 'http://x', series: 'up{a=b}'}]", "a label's value needs double quotes"},
		{"[{name: a, url: 'http://x', series: 'up{a=~\"(\"}'}]", "'(' is no regular expression"},
		{"[{name: a, url: 'http://x', series: 'up{a=\"b\"} x'}]", "nothing may follow"},
		{"[{name: a, url: 'http://x', series: up, every_ms: 100}]", "'every_ms' must be between 1000 and"},
		{"[{name: kernel, url: 'http://x', series: up}]", "'kernel' is the source of the kernel's hits"},
		{"[{name: a, url: 'http://x', series: up}, {name: a, workload: '(x)'}]",
		 "two of the metrics are named 'a'"},
		{"[{name: a, workload: 'x'}]", "'workload' must have a group around the number"},
		{"[{name: a, workload: '('}]", "'workload' must be an extended regular expression"},
		{"[{name: a, url: 'http://x', series: up, node: n1, netns: y}]", "remove one of them"},
		{"[{name: a, url: 'http://x', series: up, node: zz}]", "metrics source 'a': no node 'zz'"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "subjects:\n  - name: lab\n    metrics: %s\n" LAB_MEMBERS LATENCY,
			 cases[i].metrics);
		assert_refused_for(text, cases[i].problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_and_outputs_are_read),
		cmocka_unit_test(the_strongest_list_counts),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
