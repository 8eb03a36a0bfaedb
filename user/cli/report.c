/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval report: writes a campaign's results in formats for other programs. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/report.h"
#include "store/store.h"
#include "util/cleanup.h"
#include "util/json.h"

#define FORMATS_MAX 16

struct report_asked {
	const char *db, *campaign;
	const char *files[FORMATS_MAX]; /* by format; NULL: not asked for */
};

static error_t take_report_option(int key, char *arg, struct argp_state *state)
{
	struct report_asked *asked = state->input;

	if (key >= OPTION_OWN && key < OPTION_OWN + FORMATS_MAX) {
		asked->files[key - OPTION_OWN] = arg;
		return 0;
	}
	switch (key) {
	case OPTION_DB:
		asked->db = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "unexpected argument '%s': one campaign", arg);
		asked->campaign = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which campaign? 'eval list' lists them");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

struct rows_of {
	struct store *store;
	const char *campaign;
	struct error *err;
	int (*visit_sample)(const struct report_sample *sample, void *data);
	int (*visit_metric)(const struct report_metric *metric, void *data);
	void *data;
};

static int visit_sample(const struct store_sample *sample, void *data)
{
	const struct rows_of *rows = data;
	const struct report_sample out = {
		.attempt = sample->attempt,
		.probe = sample->probe,
		.error = sample->error,
		.phase = sample->phase,
		.scheduled_ns = sample->scheduled_ns,
		.started_at_ns = sample->started_at_ns,
		.latency_ns = sample->latency_ns,
		.ok = sample->ok,
	};

	return rows->visit_sample(&out, rows->data);
}

static int each_sample(const char *trial, int (*visit)(const struct report_sample *sample, void *data), void *data,
		       void *own)
{
	struct rows_of *rows = own;

	rows->visit_sample = visit;
	rows->data = data;
	return store_visit_samples(rows->store, rows->campaign, trial, visit_sample, rows, rows->err);
}

static int visit_metric(const struct store_metric *metric, void *data)
{
	const struct rows_of *rows = data;
	const struct report_metric out = {
		.attempt = metric->attempt,
		.source = metric->source,
		.series = metric->series,
		.phase = metric->phase,
		.at_ns = metric->at_ns,
		.value = metric->value,
		.is_rate = !strcmp(metric->kind, "rate"),
	};

	return rows->visit_metric(&out, rows->data);
}

static int each_metric(const char *trial, int (*visit)(const struct report_metric *metric, void *data), void *data,
		       void *own)
{
	struct rows_of *rows = own;

	rows->visit_metric = visit;
	rows->data = data;
	return store_visit_metrics(rows->store, rows->campaign, trial, visit_metric, rows, rows->err);
}

static int write_stream(const struct report_format *format, FILE *out, const char *path,
			const struct report_source *source, struct error *err)
{
	int ret = format->write(out, source);

	if (ret)
		return ret;
	errno = 0;
	return fflush(out) || ferror(out) ? error_set_errno(err, errno ? -errno : -EIO, "cannot write %s", path) : 0;
}

/* A device or a pipe is written to, a file replaced. */
static bool is_special(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

/* By a file beside the named one, which then takes its place: a report is whole or not there. "-" is standard output.
 */
static int write_file(const struct report_format *format, const char *path, const struct report_source *source,
		      struct error *err)
{
	_cleanup_free_ char *beside = NULL;
	bool special = is_special(path);
	FILE *out;
	int ret;

	if (!strcmp(path, "-"))
		return write_stream(format, stdout, "standard output", source, err);
	if (asprintf(&beside, "%s%s", path, special ? "" : ".part") < 0)
		return error_set(err, -ENOMEM, "out of memory");
	out = fopen(beside, "we");
	if (!out)
		return error_set_errno(err, -errno, "cannot write %s", beside);
	ret = write_stream(format, out, beside, source, err);
	if (fclose(out) && !ret)
		ret = error_set_errno(err, -errno, "cannot write %s", beside);
	if (!ret && !special && rename(beside, path))
		ret = error_set_errno(err, -errno, "cannot write %s", path);
	if (ret && !special)
		remove(beside);
	return ret;
}

static int write_all(const struct report_asked *asked, struct store *store, struct error *err)
{
	_cleanup_json_ json_t *campaign = store_campaign(store, asked->campaign, err), *trials = NULL, *events = NULL;
	struct rows_of rows = {.store = store, .err = err};
	struct report_source source = {.each_sample = each_sample, .each_metric = each_metric, .own = &rows};
	int ret = 0;

	if (!campaign)
		return err->code;
	rows.campaign = json_text_or(campaign, "id", "");
	trials = store_trials(store, rows.campaign, err);
	events = trials ? store_events(store, rows.campaign, NULL, err) : NULL;
	if (!events)
		return err->code;
	source.campaign = campaign;
	source.trials = trials;
	source.events = events;
	source.is_partial = strcmp(json_text_or(campaign, "status", ""), "completed") != 0;
	if (source.is_partial)
		log_warning("%s has not ended: its report is partial", rows.campaign);
	for (size_t i = 0; report_formats[i].name && !ret; i++)
		if (asked->files[i])
			ret = write_file(&report_formats[i], asked->files[i], &source, err);
	return ret;
}

/* A row of options for each format. */
static struct argp_option *list_options(void)
{
	static const struct argp_option db = OPTION_DB_ROW;
	static struct argp_option options[FORMATS_MAX + 2];

	options[0] = db;
	for (size_t i = 0; i < FORMATS_MAX && report_formats[i].name; i++)
		options[i + 1] = (struct argp_option){
			report_formats[i].name, OPTION_OWN + (int)i, "FILE", 0, report_formats[i].help, 0};
	return options;
}

static bool is_asked(const struct report_asked *asked)
{
	for (size_t i = 0; i < FORMATS_MAX; i++)
		if (asked->files[i])
			return true;
	return false;
}

int cmd_report(int argc, char **argv)
{
	const struct argp argp = {
		.options = list_options(),
		.parser = take_report_option,
		.args_doc = "CAMPAIGN",
		.doc = "Write a campaign's results for other programs; FILE may be - for standard output.",
	};
	struct report_asked asked = {};
	struct store *store = NULL;
	struct error err = {};
	int ret;

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	if (!is_asked(&asked)) {
		log_error("which format? name a file by --csv FILE, --junit FILE …: 'eval report --help' lists them");
		return EXIT_USAGE;
	}
	if (store_open(&store, asked.db, STORE_READ, &err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	ret = write_all(&asked, store, &err);
	store_close(store);
	if (!ret)
		return EXIT_OK;
	log_error("%s", err.text);
	return ret == -ENOENT || ret == -ENOTUNIQ ? EXIT_USAGE : EXIT_HOST;
}
