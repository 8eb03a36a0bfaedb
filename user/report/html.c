/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One page for people that needs nothing else: findings in words, the matrix of subjects and chaos, each trial over
 * time with its evidence, the environment and how to reproduce it. It says the same without scripts and in print.
 */
#include "report/html.h"

#include <string.h>

#include "analysis/compare.h"
#include "analysis/effects.h"
#include "analysis/metrics.h"
#include "analysis/outcome.h"
#include "report/formats.h"
#include "report/internal.h"
#include "util/cleanup.h"
#include "util/hash.h"
#include "util/json.h"

static void put_hashes(FILE *out, const char *what, const char *const texts[])
{
	fputs(what, out);
	for (; *texts; texts++) {
		char hash[SHA256_BASE64_SIZE];

		sha256_base64(hash, *texts, strlen(*texts));
		fprintf(out, " 'sha256-%s'", hash);
	}
	fputs("; ", out);
}

static void put_elements(FILE *out, const char *name, const char *const texts[])
{
	for (; *texts; texts++)
		fprintf(out, "<%s>%s</%s>\n", name, *texts, name);
}

static void put_head(FILE *out, const json_t *campaign)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ",
	      out);
	put_hashes(out, "style-src", page_styles);
	put_hashes(out, "script-src", page_scripts);
	fputs("base-uri 'none'; form-action 'none'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\"><title>",
	      out);
	markup_text(out, json_text_or(campaign, "id", "?"));
	fprintf(out, "</title>\n<!-- uPlot's styles and script are inside:\n%s-->\n", page_license);
	put_elements(out, "style", page_styles);
	fputs("</head>\n<body>\n", out);
}

static void put_header(FILE *out, const struct report_source *source)
{
	const json_t *campaign = source->campaign;
	char progress[160];

	fputs("<header><h1>", out);
	markup_member(out, "", campaign, json_text_or(campaign, "label", NULL) ? "label" : "id");
	fputs("</h1>\n<p class=\"soft\">", out);
	markup_member(out, "", campaign, "id");
	markup_member(out, ", started ", campaign, "started_at");
	markup_member(out, ", on ", campaign, "host");
	fputs("</p>\n<p>Trials: ", out);
	markup_text(out, outcome_progress(progress, sizeof(progress), json_object_get(campaign, "trials")));
	fputs(source->is_partial ? ". <strong>The campaign has not ended: this is what is there so far.</strong></p>"
				 : "</p>",
	      out);
	fputs("</header>\n<main>\n", out);
}

/* --- Findings ----------------------------------------------------------------------------------------------------- */

/* What the comparison with the baseline could show of an effect. */
static void put_claims(FILE *out, const json_t *comparisons, const json_t *effect)
{
	const json_t *one;
	size_t i;

	json_array_foreach (comparisons, i, one) {
		const char *result = json_text_or(one, "result", "");
		double share = json_number_value(json_object_get(one, "effect"));
		char p[32];

		if (!is_same_probe(one, effect) || (strcmp(result, "worse") && strcmp(result, "better")))
			continue;
		fprintf(out, "<br><span class=\"%s\">", result);
		markup_member(out, "", one, "metric");
		snprintf(p, sizeof(p), "%.3f", json_number_value(json_object_get(one, "p_adjusted")));
		if (json_is_number(json_object_get(one, "effect")))
			fprintf(out, " %+.0f %% against the baseline", share * 100);
		else
			fputs(" differs from the baseline", out);
		fprintf(out, ": %s, p %s</span>", result, p);
	}
}

/* The chaos as the file names it, and what type it is of. */
static void put_chaos_name(FILE *out, const json_t *trials, const json_t *effect)
{
	const char *chaos = json_text_or(effect, "chaos", ""), *type = NULL;
	const json_t *trial;
	size_t i;

	fputs("<li><strong>", out);
	markup_text(out, chaos);
	fputs("</strong>", out);
	json_array_foreach (trials, i, trial)
		if (!strcmp(json_text_or(trial, "chaos", ""), chaos)) {
			type = json_text_or(trial, "type", NULL);
			break;
		}
	if (!type || !strcmp(type, chaos))
		return;
	fputs(" (", out);
	markup_text(out, type);
	fputc(')', out);
}

static void put_metric_findings(FILE *out, const json_t *trials)
{
	_cleanup_json_ json_t *effects = metrics_effects(trials);
	const json_t *effect;
	char text[256];
	size_t i;

	json_array_foreach (effects, i, effect) {
		finding_describe_metric(text, sizeof(text), effect);
		put_chaos_name(out, trials, effect);
		markup_member(out, ", ", effect, "source");
		markup_member(out, ": ", effect, "series");
		fprintf(out, "%s: %s</li>\n", strcmp(json_text_or(effect, "kind", ""), "rate") ? "" : " a second",
			text);
	}
}

/* What no sample tells of: trials that did not get so far. */
static void put_unmeasured(FILE *out, const json_t *trials, const json_t *effects)
{
	const json_t *effect;
	char text[512];
	size_t i;

	json_array_foreach (effects, i, effect) {
		if (json_is_array(json_object_get(effect, "availability")))
			continue;
		finding_describe(text, sizeof(text), effect);
		put_chaos_name(out, trials, effect);
		fputs(": ", out);
		markup_text(out, text);
		fputs("</li>\n", out);
	}
}

static void put_findings(FILE *out, const json_t *trials, const json_t *effects)
{
	_cleanup_json_ json_t *comparisons = compare_with_baseline(trials), *findings = findings_rank(effects);
	const json_t *finding;
	size_t i;

	fputs("<section><h2>Findings</h2>\n<ul>\n", out);
	json_array_foreach (findings, i, finding) {
		const json_t *effect = json_object_get(finding, "effect");

		put_chaos_name(out, trials, effect);
		fputs(json_is_true(json_object_get(finding, "bad")) ? ": " : ": no effect on ", out);
		markup_member(out, "", finding, "text");
		fprintf(out, "; %lld of %lld passed", (long long)json_integer_at(effect, "passed"),
			(long long)json_integer_at(effect, "trials"));
		put_claims(out, comparisons, effect);
		fputs("</li>\n", out);
	}
	put_unmeasured(out, trials, effects);
	put_metric_findings(out, trials);
	fputs("</ul></section>\n", out);
}

/* What the kernel could do: true, or the reason why not. */
static void put_features(FILE *out, const json_t *features)
{
	const char *name;
	json_t *reason;

	if (!json_object_size(features))
		return;
	fputs("<details><summary>What the kernel could do</summary><ul>\n", out);
	json_object_foreach ((json_t *)features, name, reason) {
		fputs("<li>", out);
		markup_text(out, name);
		fputs(json_is_true(reason) ? ": yes" : ": no, ", out);
		markup_text(out, json_string_value(reason) ?: "");
		fputs("</li>\n", out);
	}
	fputs("</ul></details>\n", out);
}

static void put_reproduce(FILE *out, const json_t *campaign)
{
	static const char *const facts[][2] = {{"Host", "host"},         {"Kernel", "kernel"},
					       {"eval", "eval_version"}, {"Campaign file", "config_path"},
					       {"Its hash", "hash"},     {"Seed", "seed"}};

	fputs("<section><h2>Environment, and how to reproduce it</h2>\n<pre>", out);
	markup_member(out, "", campaign, "command_line");
	fputs("</pre>\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		fprintf(out, "<p>%s: ", facts[i][0]);
		markup_member(out, "", campaign, facts[i][1]);
		fputs("</p>\n", out);
	}
	put_features(out, json_object_get(campaign, "features"));
	fputs("<details><summary>The campaign file</summary><pre>", out);
	markup_member(out, "", campaign, "config_text");
	fputs("</pre></details></section>\n</main>\n", out);
}

/* The events of each trial by its id: a new reference, NULL if out of memory. */
static json_t *events_by_trial(const json_t *events)
{
	json_t *by_trial = json_object();
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		const char *trial = json_text_or(event, "trial_id", NULL);
		json_t *own = trial ? json_object_get(by_trial, trial) : NULL;

		if (trial && !own) {
			own = json_array();
			json_object_set_new(by_trial, trial, own);
		}
		json_array_append(own, (json_t *)event);
	}
	return by_trial;
}

static int put_trials(FILE *out, const struct report_source *source)
{
	_cleanup_json_ json_t *events = events_by_trial(source->events);
	size_t count = json_array_size(source->trials);
	int ret = 0;

	fputs("<section><h2>Trials</h2>\n<p class=\"soft\">Lines: the mean latency; bands: from the least to the most; "
	      "red at the top: bad samples; dashed: the events listed below a chart.</p>\n",
	      out);
	for (size_t i = 0; i < count && !ret; i++) {
		const char *id = json_text_or(json_array_get(source->trials, i), "id", "");

		ret = html_put_trial(out, source, i, json_object_get(events, id), count);
	}
	fputs("</section>\n", out);
	return ret;
}

int report_html(FILE *out, const struct report_source *source)
{
	_cleanup_json_ json_t *effects = effects_make(source->trials);
	int ret;

	put_head(out, source->campaign);
	put_header(out, source);
	put_findings(out, source->trials, effects);
	html_put_matrix(out, effects);
	ret = put_trials(out, source);
	put_reproduce(out, source->campaign);
	put_elements(out, "script", page_scripts);
	fputs("</body></html>\n", out);
	return ret;
}
