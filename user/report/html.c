/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One page for people that needs nothing else, not even scripts: findings in words, the matrix of subjects and chaos,
 * each trial over time with its evidence, the environment and how to reproduce it.
 */
#include "report/formats.h"

#include <string.h>

#include "analysis/compare.h"
#include "analysis/effects.h"
#include "analysis/outcome.h"
#include "plan/status.h"
#include "report/internal.h"
#include "util/cleanup.h"
#include "util/hash.h"
#include "util/json.h"

static const char style[] =
	":root{color-scheme:light "
	"dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#d0d7de;--good:#116329;--bad:#a40e26;"
	"--open:#7d4e00;--fault:#fdecea;--after:#eaf5ea;--p0:#0550ae;--p1:#953800;--p2:#6639ba;--p3:#1b7c83;--p4:#"
	"9e2f62;"
	"--p5:#57606a}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--paper:#0d1117;--line:#3d444d;--good:#"
	"57d364;"
	"--bad:#ff8182;--open:#e3b341;--fault:#3b1d1f;--after:#12261e;--p0:#79c0ff;--p1:#ffa657;--p2:#d2a8ff;--p3:#"
	"76e3ea;"
	"--p4:#ff9bce;--p5:#9da7b1}}"
	"body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:auto;"
	"padding:1rem}"
	"h1{font-size:1.5rem;margin:0}h2{margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.5rem 0 "
	".25rem;overflow-wrap:anywhere}"
	"p{margin:.25rem 0}.soft,figcaption,svg text{color:var(--soft);fill:var(--soft)}"
	".pass,.better{color:var(--good)}.fail,.failed,.worse{color:var(--bad)}.inconclusive,.void,.interrupted{color:"
	"var(--open)}"
	".badge{font-weight:600}"
	"div.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
	"th,td{border:1px solid var(--line);padding:.2rem .5rem;text-align:right}th,td.text{text-align:left}"
	"td.h1{background:color-mix(in srgb,var(--bad) 8%,var(--paper))}td.h2{background:color-mix(in srgb,var(--bad) "
	"16%,"
	"var(--paper))}td.h3{background:color-mix(in srgb,var(--bad) 24%,var(--paper))}"
	"figure{margin:.5rem 0}svg{width:100%;height:auto;font:11px system-ui,sans-serif}"
	"svg .x{text-anchor:middle}svg .y{text-anchor:end}svg .before{fill:none;stroke:var(--line)}svg "
	".fault{fill:var(--fault)}"
	"svg .after{fill:var(--after)}svg .grid{stroke:var(--line);stroke-dasharray:2 3}svg "
	".mean{fill:none;stroke-width:1.5}"
	"svg .band{stroke:none;opacity:.25}svg .bad{stroke:var(--bad);stroke-width:2}"
	".mean.p0{stroke:var(--p0)}.mean.p1{stroke:var(--p1)}.mean.p2{stroke:var(--p2)}.mean.p3{stroke:var(--p3)}"
	".mean.p4{stroke:var(--p4)}.mean.p5{stroke:var(--p5)}.band.p0{fill:var(--p0)}.band.p1{fill:var(--p1)}"
	".band.p2{fill:var(--p2)}.band.p3{fill:var(--p3)}.band.p4{fill:var(--p4)}.band.p5{fill:var(--p5)}"
	".key{display:inline-block;width:1.2em;height:.5em;margin-right:.3em}.key.p0{background:var(--p0)}"
	".key.p1{background:var(--p1)}.key.p2{background:var(--p2)}.key.p3{background:var(--p3)}.key.p4{background:var("
	"--p4)}"
	".key.p5{background:var(--p5)}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);padding:.5rem}"
	"summary{cursor:pointer}"
	"@media print{details>*{display:block}body{max-width:none}h3,figure{break-inside:avoid}}";

static void put_head(FILE *out, const json_t *campaign)
{
	char hash[SHA256_BASE64_SIZE];

	sha256_base64(hash, style, strlen(style));
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n", out);
	fprintf(out,
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
		"base-uri 'none'; form-action 'none'\">\n",
		hash);
	fputs("<meta name=\"viewport\" content=\"width=device-width\"><title>", out);
	markup_text(out, json_text_or(campaign, "id", "?"));
	fprintf(out, "</title>\n<style>%s</style></head>\n<body>\n", style);
}

static void put_fact(FILE *out, const char *before, const json_t *row, const char *column)
{
	const char *text = json_text_or(row, column, NULL);

	if (!text)
		return;
	fputs(before, out);
	markup_text(out, text);
}

static void put_header(FILE *out, const struct report_source *source)
{
	const json_t *campaign = source->campaign;
	char progress[160];

	fputs("<header><h1>", out);
	put_fact(out, "", campaign, json_text_or(campaign, "label", NULL) ? "label" : "id");
	fputs("</h1>\n<p class=\"soft\">", out);
	put_fact(out, "", campaign, "id");
	put_fact(out, ", started ", campaign, "started_at");
	put_fact(out, ", on ", campaign, "host");
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
		put_fact(out, "", one, "metric");
		snprintf(p, sizeof(p), "%.3f", json_number_value(json_object_get(one, "p_adjusted")));
		if (json_is_number(json_object_get(one, "effect")))
			fprintf(out, " %+.0f %% against the baseline", share * 100);
		else
			fputs(" differs from the baseline", out);
		fprintf(out, ": %s, p %s</span>", result, p);
	}
}

static void put_findings(FILE *out, const json_t *effects, const json_t *comparisons)
{
	const json_t *effect;
	char text[512];
	size_t i;

	fputs("<section><h2>Findings</h2>\n<ul>\n", out);
	json_array_foreach (effects, i, effect) {
		finding_describe(text, sizeof(text), effect);
		fputs("<li><strong>", out);
		put_fact(out, "", effect, "chaos");
		fputs("</strong>", out);
		put_fact(out, ", ", effect, "probe");
		fputs(": ", out);
		markup_text(out, text);
		put_claims(out, comparisons, effect);
		fputs("</li>\n", out);
	}
	fputs("</ul></section>\n", out);
}

/* --- The matrix: subjects and probes by chaos types --------------------------------------------------------------- */

static const char *heat(const json_t *effect)
{
	double least, most, before, slow, slower = 1;

	if (!effects_range(effect, "availability", &least, &most))
		return "";
	if (effects_range(effect, "before_p50_ms", &before, &most) && before > 0 &&
	    effects_range(effect, "p50_ms", &most, &slow))
		slower = slow / before;
	if (least < 0.5 || slower > 100)
		return "h3";
	if (least < 0.9 || slower > 10)
		return "h2";
	return least < 0.999 || slower > 2 ? "h1" : "";
}

static void put_range(FILE *out, const json_t *effect, const char *key,
		      const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *value))
{
	const json_t *range = json_object_get(effect, key);
	char least[REPORT_CELL_SIZE], most[REPORT_CELL_SIZE];

	format(least, json_array_get(range, 0));
	format(most, json_array_get(range, 1));
	fprintf(out, strcmp(least, most) ? "%s to %s" : "%s", least, most);
}

static void put_matrix_row(FILE *out, const json_t *effect)
{
	const char *class = heat(effect);

	fputs("<tr><th scope=\"row\">", out);
	put_fact(out, "", effect, "chaos");
	fputs("</th><td class=\"text\">", out);
	put_fact(out, "", effect, "subject");
	fputs("</td><td class=\"text\">", out);
	put_fact(out, "", effect, "probe");
	fprintf(out, "</td><td>%lld of %lld</td><td class=\"%s\">", (long long)json_integer_at(effect, "passed"),
		(long long)json_integer_at(effect, "trials"), class);
	put_range(out, effect, "availability", report_percent);
	fprintf(out, "</td><td class=\"%s\">", class);
	put_range(out, effect, "p50_ms", report_milliseconds);
	fputs("</td><td>", out);
	put_range(out, effect, "p99_ms", report_milliseconds);
	fputs("</td><td>", out);
	put_range(out, effect, "outage_seconds", report_seconds);
	fputs("</td><td>", out);
	put_range(out, effect, "recovery_seconds", report_seconds);
	fputs("</td></tr>\n", out);
}

static void put_matrix(FILE *out, const json_t *effects)
{
	const json_t *effect;
	size_t i;

	fputs("<section><h2>Chaos by probe</h2>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">chaos</th>"
	      "<th scope=\"col\">subject</th><th scope=\"col\">probe</th><th scope=\"col\">passed</th>"
	      "<th scope=\"col\">availability</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th>"
	      "<th scope=\"col\">longest outage</th><th scope=\"col\">recovery</th></tr></thead><tbody>\n",
	      out);
	json_array_foreach (effects, i, effect)
		put_matrix_row(out, effect);
	fputs("</tbody></table></div>\n<p class=\"soft\">Under the fault; of a baseline, in the same time without one. "
	      "The darker, "
	      "the fewer samples were good or the slower they were than before.</p></section>\n",
	      out);
}

/* --- Trials ------------------------------------------------------------------------------------------------------- */

static void put_phase_rows(FILE *out, const char *probe, const json_t *windows)
{
	static const char *const names[] = {"before", "during", "after"};
	static const char *const latencies[] = {"p50_ms", "p90_ms", "p99_ms", "max_ms"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *window = json_object_get(windows, names[i]);
		char cell[REPORT_CELL_SIZE];

		fputs("<tr><th scope=\"row\">", out);
		markup_text(out, probe);
		fprintf(out, "</th><td class=\"text\">%s</td>", names[i]);
		fprintf(out, "<td>%s</td>", report_count(cell, json_object_get(window, "count")));
		fprintf(out, "<td>%s</td>", report_percent(cell, json_object_get(window, "availability")));
		for (size_t j = 0; j < ARRAY_SIZE(latencies); j++)
			fprintf(out, "<td>%s</td>", report_percentile(cell, window, latencies[j]));
		fprintf(out, "<td>%s</td></tr>\n", report_seconds(cell, json_object_get(window, "outage_seconds")));
	}
}

static void put_phase_table(FILE *out, const json_t *summary)
{
	json_t *probes = json_object_get(summary, "probes"), *windows;
	const char *probe;

	if (!json_object_size(probes))
		return;
	fputs("<div class=\"wide\"><table><thead><tr><th scope=\"col\">probe</th><th scope=\"col\">phase</th>"
	      "<th scope=\"col\">samples</th><th scope=\"col\">availability</th><th scope=\"col\">p50</th><th "
	      "scope=\"col\">p90</th>"
	      "<th scope=\"col\">p99</th><th scope=\"col\">max</th><th scope=\"col\">outage</th></tr></thead><tbody>\n",
	      out);
	json_object_foreach (probes, probe, windows)
		put_phase_rows(out, probe, windows);
	fputs("</tbody></table></div>\n", out);
}

static void put_json(FILE *out, const char *title, const json_t *value)
{
	_cleanup_free_ char *text = NULL;

	if (!value || json_is_null(value))
		return;
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	fprintf(out, "<p>%s: <span class=\"soft\">", title);
	markup_text(out, text ?: "?");
	fputs("</span></p>\n", out);
}

/* The distribution of the delays that were drawn, and of those that packets had. */
static void put_delays(FILE *out, const json_t *evidence)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	report_delays(memory, evidence);
	fclose(memory);
	if (!size)
		return;
	fputs("<p>Delays, as drawn and as applied:</p>\n<pre>", out);
	markup_text(out, text);
	fputs("</pre>\n", out);
}

static void put_numbers(FILE *out, const json_t *trial)
{
	const json_t *evidence = json_object_get(trial, "evidence"), *peer;
	char cell[REPORT_CELL_SIZE];
	size_t i;

	fputs("<details><summary>Numbers and evidence</summary>\n", out);
	put_phase_table(out, json_object_get(trial, "summary"));
	if (json_is_object(evidence)) {
		fprintf(out, "<p>The kernel saw %s", report_count(cell, json_object_get(evidence, "seen")));
		fprintf(out, " and acted on %s.</p>\n", report_count(cell, json_object_get(evidence, "hit")));
	}
	json_array_foreach (json_object_get(evidence, "peers"), i, peer) {
		fputs(i ? "; " : "<p>By peer: ", out);
		put_fact(out, "", peer, "peer");
		fprintf(out, " %lld out, %lld in", (long long)json_integer_at(peer, "egress"),
			(long long)json_integer_at(peer, "ingress"));
	}
	if (i)
		fputs("</p>\n", out);
	put_delays(out, evidence);
	put_json(out, "Parameters", json_object_get(trial, "params_effective"));
	put_json(out, "Notes", json_object_get(evidence, "notes"));
	fputs("</details>\n", out);
}

static int put_trial(FILE *out, const struct report_source *source, const json_t *trial)
{
	const char *verdict = json_text_or(trial, "verdict", "none"), *status = json_text_or(trial, "status", "?");
	const char *word = strcmp(verdict, "none") ? verdict : status;
	bool known = verdict_find(word) != VERDICT_COUNT || status_find(word) != STATUS_COUNT;
	char reason[1024];
	int ret;

	fputs("<article><h3>", out);
	put_fact(out, "", trial, "id");
	fprintf(out, " <span class=\"badge %s\">", known ? word : "");
	markup_text(out, word);
	fputs("</span></h3>\n<p class=\"soft\">", out);
	put_fact(out, "", trial, "type");
	put_fact(out, " on ", trial, "target_node");
	put_fact(out, ", engine ", trial, "engine");
	fputs("</p>\n", out);
	report_reason(reason, sizeof(reason), trial);
	if (*reason) {
		fputs("<p>", out);
		markup_text(out, reason);
		fputs("</p>\n", out);
	}
	ret = timeline_put(out, source, trial);
	put_numbers(out, trial);
	fputs("</article>\n", out);
	return ret;
}

static void put_reproduce(FILE *out, const json_t *campaign)
{
	static const char *const facts[][2] = {{"eval", "eval_version"},
					       {"Kernel", "kernel"},
					       {"File", "config_path"},
					       {"Hash", "hash"},
					       {"Seed", "seed"}};

	fputs("<section><h2>How to reproduce it</h2>\n<pre>", out);
	put_fact(out, "", campaign, "command_line");
	fputs("</pre>\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		fprintf(out, "<p>%s: ", facts[i][0]);
		put_fact(out, "", campaign, facts[i][1]);
		fputs("</p>\n", out);
	}
	fputs("<details><summary>The campaign file</summary><pre>", out);
	put_fact(out, "", campaign, "config_text");
	fputs("</pre></details></section>\n</main>\n</body></html>\n", out);
}

int report_html(FILE *out, const struct report_source *source)
{
	_cleanup_json_ json_t *comparisons = compare_with_baseline(source->trials);
	_cleanup_json_ json_t *effects = effects_make(source->trials);
	const json_t *trial;
	int ret = 0;
	size_t i;

	put_head(out, source->campaign);
	put_header(out, source);
	put_findings(out, effects, comparisons);
	put_matrix(out, effects);
	fputs("<section><h2>Trials</h2>\n", out);
	json_array_foreach (source->trials, i, trial)
		ret = ret ?: put_trial(out, source, trial);
	fputs("</section>\n", out);
	put_reproduce(out, source->campaign);
	return ret;
}
