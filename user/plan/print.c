/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the plan as text (--dry-run) and builds it as JSON. */
#include <math.h>
#include <string.h>

#include "plan/plan.h"
#include "util/cleanup.h"
#include "util/text.h"

/* With 15 digits, 0.1 in the file prints as 0.1. */
#define NUMBER_FORMAT "%.15g"
#define REAL_PRECISION JSON_REAL_PRECISION(15)

static void print_param(FILE *out, const char *key, const json_t *value)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | REAL_PRECISION);

	fprintf(out, " %s=%s", key, json_is_string(value) ? json_string_value(value) : text ?: "?");
}

static void print_params(FILE *out, const json_t *params)
{
	const char *key;
	json_t *value;

	fprintf(out, "  parameters");
	json_object_foreach ((json_t *)params, key, value)
		print_param(out, key, value);
	fputc('\n', out);
}

static void print_expect(FILE *out, const struct expectations *expect)
{
	bool any = false;

	for (enum expectation i = 0; i < EXPECT_COUNT; i++) {
		if (isnan(expect->limits[i]))
			continue;
		fprintf(out, "%s %s=" NUMBER_FORMAT, any ? "" : "  expect    ", expectation_name(i), expect->limits[i]);
		any = true;
	}
	if (any)
		fputc('\n', out);
}

static void print_probe_limits(FILE *out, const json_t *probes)
{
	const char *probe, *name;
	json_t *limits, *limit;

	json_object_foreach ((json_t *)probes, probe, limits) {
		fprintf(out, "  expect     of %s", probe);
		json_object_foreach (limits, name, limit)
			fprintf(out, " %s=" NUMBER_FORMAT, name, json_number_value(limit));
		fputc('\n', out);
	}
}

static void print_command(FILE *out, const char *name, const struct command *command)
{
	if (!command->exec)
		return;
	fprintf(out, "  %-10s ", name);
	text_print(command->exec, out);
	if (command->timeout_seconds > 0)
		fprintf(out, "  (at most " NUMBER_FORMAT " s)", command->timeout_seconds);
	fputc('\n', out);
}

static void print_trial(const struct plan_trial *trial, FILE *out)
{
	const struct settings *settings = trial->settings;

	fprintf(out, "\n%s\n  subject    %s, repetition %u, fresh: %s\n", trial->id, trial->subject->name,
		trial->repetition, trial->subject->fresh ? "yes" : "no");
	if (trial->chaos) {
		fprintf(out, "  chaos      %s (%s) on %s\n", trial->chaos_name, trial->chaos->ops->name, trial->target);
		print_params(out, trial->params);
	} else {
		fprintf(out, "  chaos      none (baseline)\n");
	}
	fprintf(out,
		"  seconds    warmup=" NUMBER_FORMAT " duration=" NUMBER_FORMAT " recovery=" NUMBER_FORMAT
		", retries=%u\n",
		settings->warmup_seconds, settings->duration_seconds, settings->recovery_seconds, settings->retries);
	print_expect(out, &settings->expect);
	print_probe_limits(out, settings->expect.probes);
	for (size_t i = 0; i < settings->check_count; i++)
		print_command(out, "check", &settings->checks[i].command);
	print_command(out, "abort_if", &settings->abort_if);
	fprintf(out, "  seed       %llu\n", (unsigned long long)trial->seed);
}

static void print_nodes(FILE *out, const char *title, const struct node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "  %-10s %s", title, nodes[i].name);
		for (size_t j = 0; j < nodes[i].addresses.count; j++)
			fprintf(out, " %s", nodes[i].addresses.items[j]);
		if (nodes[i].netns)
			fprintf(out, " netns=%s", nodes[i].netns);
		if (nodes[i].interface)
			fprintf(out, " interface=%s", nodes[i].interface);
		if (nodes[i].cgroup)
			fprintf(out, " cgroup=%s", nodes[i].cgroup);
		for (size_t j = 0; j < nodes[i].data_dirs.count; j++)
			fprintf(out, " data_dir=%s", nodes[i].data_dirs.items[j]);
		fputc('\n', out);
	}
}

/* Of a probe or of a source of metrics. */
static void print_probe(const struct probe *probe, FILE *out)
{
	static const char *const kinds[] = {
		[PROBE_EXEC] = "", [PROBE_TCP] = "tcp ", [PROBE_HTTP] = "http ", [PROBE_METRICS] = ""};

	fprintf(out, "  %-10s %s every %u ms, at most %u ms", probe->kind == PROBE_METRICS ? "metrics" : "probe",
		probe->name, probe->every_ms, probe->timeout_ms);
	if (probe->node || probe->netns)
		fprintf(out, ", in %s %s", probe->node ? "the namespace of" : "netns", probe->node ?: probe->netns);
	fprintf(out, ": %s", kinds[probe->kind]);
	text_print(probe->command.exec ?: probe->tcp ?: probe->http.url, out);
	for (size_t i = 0; i < probe->series.count; i++) {
		fputs(i ? ", " : " for ", out);
		text_print(probe->series.items[i], out);
	}
	fputc('\n', out);
}

static void print_subject(const struct subject *subject, FILE *out)
{
	fprintf(out, "\nsubject %s, instances: %u, fresh: %s\n", subject->name, subject->instances,
		subject->fresh ? "yes" : "no");
	if (!subject->fresh)
		fprintf(out, "  %-10s none\n", "reset");
	print_command(out, "reset", &subject->reset);
	print_command(out, "ready", &subject->ready);
	print_command(out, "roles", &subject->roles);
	print_command(out, "workload", &subject->workload);
	print_command(out, "cleanup", &subject->cleanup);
	for (size_t i = 0; i < subject->probe_count; i++)
		print_probe(&subject->probes[i], out);
	for (size_t i = 0; i < subject->metric_count; i++)
		print_probe(&subject->metrics[i], out);
	for (size_t i = 0; i < subject->output_count; i++) {
		fprintf(out, "  %-10s %s in the workload's output: ", "metrics", subject->outputs[i].name);
		text_print(subject->outputs[i].pattern, out);
		fputc('\n', out);
	}
	print_nodes(out, "node", subject->nodes, subject->node_count);
	print_nodes(out, "peer", subject->peers, subject->peer_count);
}

static bool is_shown(const struct plan_view *view, size_t trial)
{
	return !view->runs || view->runs[trial];
}

/* "8 trials", or "3 of 8 trials". */
static void print_count(const struct plan *plan, const struct plan_view *view, FILE *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < plan->trial_count; i++)
		shown += is_shown(view, i);
	if (shown != plan->trial_count)
		fprintf(out, "%zu of ", shown);
	fprintf(out, "%zu trial%s", plan->trial_count, text_plural((long long)plan->trial_count));
}

/* Marks a drawn seed, because the next run draws another one. */
void plan_print(const struct plan *plan, const struct plan_view *view, FILE *out)
{
	const struct config *config = plan->config;
	char text[PLAN_TIME_SIZE];
	struct plan_time time;

	fprintf(out, "%s%s%s%s: ", plan->campaign_id, config->name ? " (" : "", config->name ?: "",
		config->name ? ")" : "");
	print_count(plan, view, out);
	fprintf(out, ", parallel %u, cooldown " NUMBER_FORMAT " s, seed %llu (%s)\n", view->parallel,
		config->cooldown_seconds, (unsigned long long)plan->seed,
		config->seed_given ? "from the file" : "drawn; set `seed` to repeat it");
	time = plan_time(plan, view->runs, view->parallel);
	fprintf(out, "takes %s, and what reset and cleanup need\n", plan_time_text(text, &time));
	for (size_t i = 0; i < config->subject_count; i++)
		print_subject(&config->subjects[i], out);
	for (size_t i = 0; i < plan->trial_count; i++)
		if (is_shown(view, i))
			print_trial(&plan->trials[i], out);
}

/* Adds the members of part to object and takes part. */
static void add_members(json_t *object, json_t *part)
{
	json_object_update(object, part);
	json_decref(part);
}

static json_t *trial_to_json(const struct plan_trial *trial)
{
	const struct settings *settings = trial->settings;
	json_t *object = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s?, s:b, s:s?, s:b, s:I}", "id", trial->id, "index",
				   trial->index, "repetition", trial->repetition, "subject", trial->subject->name,
				   "chaos", trial->chaos_name, "type", trial->chaos ? trial->chaos->ops->name : NULL,
				   "baseline", !trial->chaos, "target", trial->target, "fresh", trial->subject->fresh,
				   "seed", (json_int_t)trial->seed);

	json_object_set_new(object, "params", trial->params ? json_incref((json_t *)trial->params) : json_null());
	add_members(object, settings_to_json(settings));
	json_object_set_new(object, "abort_if",
			    settings->abort_if.exec ? json_string(settings->abort_if.exec) : json_null());
	add_members(object, expectations_to_json(settings));
	return object;
}

json_t *plan_to_json(const struct plan *plan, const struct plan_view *view)
{
	struct plan_time time = plan_time(plan, view->runs, view->parallel);
	json_t *trials = json_array();

	for (size_t i = 0; i < plan->trial_count; i++)
		if (is_shown(view, i))
			json_array_append_new(trials, trial_to_json(&plan->trials[i]));
	return json_pack("{s:s, s:s?, s:s, s:I, s:b, s:i, s:f, s:f, s:f, s:i, s:o}", "campaign", plan->campaign_id,
			 "label", plan->config->name, "hash", plan->hash, "seed", (json_int_t)plan->seed, "seed_given",
			 plan->config->seed_given, "parallel", view->parallel, "cooldown_seconds",
			 plan->config->cooldown_seconds, "seconds_least", time.least, "seconds_most", time.most,
			 "trial_count", (int)plan->trial_count, "trials", trials);
}
