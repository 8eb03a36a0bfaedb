/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval show: shows one campaign or one trial. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/report.h"
#include "store/store.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

static const struct argp_option options[] = {
	OPTION_DB_ROW,
	{"json", OPTION_JSON, NULL, 0,
	 "print everything that is recorded, as JSON; of a trial its samples and metrics too", 0},
	{},
};

struct show_options {
	struct read_options read;
	const char *id, *trial;
};

static error_t take_show_option(int key, char *arg, struct argp_state *state)
{
	struct show_options *asked = state->input;

	if (options_take_read(key, arg, &asked->read))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "unexpected argument '%s': at most a campaign and a trial", arg);
		*(state->arg_num ? &asked->trial : &asked->id) = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which campaign or trial? 'eval list' lists the campaigns");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static void print_document(const json_t *value)
{
	json_print_document(value, JSON_INDENT(2), stdout);
	putchar('\n');
}

/* A JSON string, kept because the next row most likely has the same. */
struct quoted {
	char *text, *json;
};

static const char *quote(struct quoted *kept, const char *text)
{
	_cleanup_json_ json_t *value = NULL;
	size_t size;
	FILE *out;

	if (kept->text && !strcmp(kept->text, text))
		return kept->json;
	free(kept->text);
	free(kept->json);
	kept->json = NULL;
	kept->text = strdup(text);
	value = json_outside(text);
	out = open_memstream(&kept->json, &size);
	if (out) {
		json_print(value, JSON_ENCODE_ANY, out);
		fclose(out);
	}
	return kept->json ?: "null";
}

struct row_printer {
	struct quoted name, text, phase;
	bool any;
};

static int print_sample(const struct store_sample *sample, void *data)
{
	struct row_printer *printer = data;

	printf("%s\n    {\"attempt\": %u, \"probe\": %s, \"scheduled_ns\": \"%" PRId64
	       "\", \"started_at_ns\": \"%" PRId64 "\", \"latency_ns\": \"%" PRId64
	       "\", \"ok\": %s, \"error\": %s, \"phase\": %s}",
	       printer->any ? "," : "", sample->attempt, quote(&printer->name, sample->probe), sample->scheduled_ns,
	       sample->started_at_ns, sample->latency_ns, sample->ok ? "true" : "false",
	       sample->error ? quote(&printer->text, sample->error) : "null", quote(&printer->phase, sample->phase));
	printer->any = true;
	/* Ends early if nobody reads on. */
	return ferror(stdout) ? -EPIPE : 0;
}

static int print_metric(const struct store_metric *metric, void *data)
{
	struct row_printer *printer = data;
	_cleanup_json_ json_t *value = json_number_or_null(metric->value);
	_cleanup_free_ char *number = json_dumps(value, JSON_ENCODE_ANY);

	printf("%s\n    {\"attempt\": %u, \"source\": %s, \"series\": %s, \"at_ns\": \"%" PRId64
	       "\", \"value\": %s, \"kind\": \"%s\", \"phase\": %s}",
	       printer->any ? "," : "", metric->attempt, quote(&printer->name, metric->source),
	       quote(&printer->text, metric->series), metric->at_ns, number ?: "null",
	       strcmp(metric->kind, "rate") ? "gauge" : "rate", quote(&printer->phase, metric->phase));
	printer->any = true;
	return ferror(stdout) ? -EPIPE : 0;
}

static void free_printer(struct row_printer *printer)
{
	struct quoted *const all[] = {&printer->name, &printer->text, &printer->phase};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		free(all[i]->text);
		free(all[i]->json);
	}
}

/* Prints samples and metrics one by one, because there may be millions: a trial's other members first. */
static int print_trial(struct store *store, const json_t *trial, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct row_printer samples = {}, metrics = {};
	const char *campaign_id = json_text_or(trial, "campaign_id", ""), *id = json_text_or(trial, "id", "");
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int ret;

	if (!out)
		return error_set(err, -ENOMEM, "out of memory");
	json_print_document(trial, JSON_INDENT(2), out);
	fclose(out);
	/* All but the brace that ends the object. */
	printf("%.*s,\n  \"samples\": [", (int)(size - strlen("\n}")), text);
	ret = store_visit_samples(store, campaign_id, id, print_sample, &samples, err);
	if (!ret) {
		printf("%s],\n  \"metrics\": [", samples.any ? "\n  " : "");
		ret = store_visit_metrics(store, campaign_id, id, print_metric, &metrics, err);
	}
	if (!ret)
		printf("%s]\n}\n", metrics.any ? "\n  " : "");
	free_printer(&samples);
	free_printer(&metrics);
	return ret == -EPIPE ? 0 : ret;
}

static int show_trial(struct store *store, const json_t *trial, bool json, struct error *err)
{
	const char *campaign = json_text_or(trial, "campaign_id", ""), *id = json_text_or(trial, "id", "");
	_cleanup_json_ json_t *attempts = store_attempts(store, campaign, id, err), *events = NULL;

	events = attempts ? store_events(store, campaign, id, err) : NULL;
	if (!events)
		return err->code;
	if (!json) {
		report_trial(stdout, trial, attempts, events);
		return 0;
	}
	json_object_set((json_t *)trial, "attempts", attempts);
	json_object_set((json_t *)trial, "events", events);
	return print_trial(store, trial, err);
}

/* A run that died is recorded as running: says so, and how to go on. */
static void tell_dead(const json_t *campaign, const char *db)
{
	const char *id = json_text_or(campaign, "id", "");
	_cleanup_free_ char *resume = NULL, *cleanup = NULL;

	if (campaign_is_alive(campaign))
		return;
	resume = campaign_command_text(&(struct campaign_command){.verb = "run campaign",
								  .file = json_text_or(campaign, "config_path", NULL),
								  .id_option = "--resume=",
								  .id = id,
								  .db = db});
	cleanup = campaign_command_text(&(struct campaign_command){.verb = "cleanup", .id = id, .db = db});
	printf("\nIt no longer runs: its process (pid %d) died. To go on:\n  %s\nTo clean up:\n  %s\n",
	       (int)json_integer_at(campaign, "holder_pid"), resume ?: "?", cleanup ?: "?");
}

static int print_campaign(struct store *store, json_t *campaign, struct error *err)
{
	const char *id = json_text_or(campaign, "id", "");
	_cleanup_json_ json_t *trials = store_trials(store, id, err), *events = NULL;

	events = trials ? store_events(store, id, NULL, err) : NULL;
	if (!events)
		return err->code;
	json_object_set_new(campaign, "alive", json_boolean(campaign_is_alive(campaign)));
	json_object_set(campaign, "trial_counts", json_object_get(campaign, "trials"));
	json_object_set(campaign, "trials", trials);
	json_object_set(campaign, "events", events);
	print_document(campaign);
	return 0;
}

static int show_campaign(struct store *store, json_t *campaign, const struct show_options *asked, struct error *err)
{
	_cleanup_json_ json_t *trials = NULL;

	if (asked->read.json)
		return print_campaign(store, campaign, err);
	trials = store_list_trials(store, json_text_or(campaign, "id", ""), STORE_TRIAL_RESULTS, err);
	if (!trials)
		return err->code;
	report_campaign(stdout, terminal_fd(stdout), campaign);
	tell_dead(campaign, asked->read.db);
	putchar('\n');
	report_table(stdout, terminal_fd(stdout), trials);
	report_conclusions(stdout, terminal_fd(stdout), trials);
	return 0;
}

/* A single argument is a campaign's id or, if there is no such campaign, a trial's id in any campaign. */
static int show(struct store *store, const struct show_options *asked, struct error *err)
{
	_cleanup_json_ json_t *campaign = NULL, *trial = NULL;
	struct error trial_err = {};
	char hint[STORE_HINT_SIZE];

	if (asked->trial) {
		trial = store_trial(store, asked->id, asked->trial, err);
		return trial ? show_trial(store, trial, asked->read.json, err) : err->code;
	}
	campaign = store_campaign(store, asked->id, err);
	if (campaign)
		return show_campaign(store, campaign, asked, err);
	if (err->code != -ENOENT)
		return err->code;
	trial = store_trial(store, NULL, asked->id, &trial_err);
	if (trial)
		return show_trial(store, trial, asked->read.json, err);
	if (trial_err.code != -ENOENT) {
		*err = trial_err;
		return err->code;
	}
	return error_set(err, -ENOENT, "no campaign and no trial '%s' in database %s; %s", asked->id, store_path(store),
			 store_hint(store, asked->id, hint));
}

int cmd_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_show_option,
		.args_doc = "CAMPAIGN [TRIAL]\nTRIAL",
		.doc = "Show one campaign with its trials, or everything about one trial. A campaign may be given by "
		       "a "
		       "unique start of its id or by the eight digits at its end, a trial by a unique start or end or "
		       "by its number. Needs no root if the file is readable.",
	};
	struct show_options asked = {};
	struct store *store = NULL;
	struct error err = {};
	int ret;

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	if (store_open(&store, asked.read.db, STORE_READ, &err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	ret = show(store, &asked, &err);
	store_close(store);
	if (ret) {
		log_error("%s", err.text);
		return ret == -ENOENT || ret == -ENOTUNIQ ? EXIT_USAGE : EXIT_HOST;
	}
	return fflush(stdout) ? EXIT_HOST : EXIT_OK;
}
