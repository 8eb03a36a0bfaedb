/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's evidence on a page: hits by peer, and the delays that were asked for against those that packets had. */
#include "report/html.h"

#include <math.h>
#include <stdint.h>

#include "report/formats.h"
#include "util/cleanup.h"
#include "util/json.h"

#define LEFT 150
#define WIDTH 720
#define ROW 24 /* of a bucket: a bar for each histogram */
#define RIGHT 60

struct delays {
	const json_t *asked, *applied; /* buckets */
	size_t first, end;
	json_int_t most;
};

static json_int_t count_at(const json_t *buckets, size_t i)
{
	return json_integer_value(json_array_get(buckets, i));
}

/* False if there is no delay. */
static bool read_delays(struct delays *delays, const json_t *counters)
{
	*delays = (struct delays){
		.asked = json_object_get(json_object_get(counters, "drawn"), "log2_us"),
		.applied = json_object_get(json_object_get(counters, "applied"), "log2_us"),
		.first = SIZE_MAX,
	};
	for (size_t i = 0; i < json_array_size(delays->asked) || i < json_array_size(delays->applied); i++) {
		json_int_t asked = count_at(delays->asked, i), applied = count_at(delays->applied, i);
		json_int_t more = asked > applied ? asked : applied;

		if (more <= 0)
			continue;
		delays->first = delays->first < i ? delays->first : i;
		delays->end = i + 1;
		delays->most = more > delays->most ? more : delays->most;
	}
	return delays->most > 0;
}

static void put_bucket_name(FILE *out, size_t i)
{
	_cleanup_json_ json_t *low = json_real(ldexp(1, (int)i) / 1000), *high = json_real(ldexp(1, (int)i + 1) / 1000);
	char from[REPORT_CELL_SIZE], to[REPORT_CELL_SIZE];

	fprintf(out, "%s to %s", report_milliseconds(from, low), report_milliseconds(to, high));
}

static void put_bars(FILE *out, const struct delays *delays, const json_t *buckets, const char *class, int y)
{
	fprintf(out, "<path class=\"%s\" d=\"", class);
	for (size_t i = delays->first; i < delays->end; i++)
		fprintf(out, "M%d %zuh%.0f", LEFT, (i - delays->first) * ROW + y,
			ceil((double)count_at(buckets, i) * (WIDTH - LEFT - RIGHT) / (double)delays->most));
	fputs("\"/>", out);
}

static void put_delay_chart(FILE *out, const struct delays *delays, const char *label)
{
	fprintf(out, "<svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-labelledby=\"%s\">", WIDTH,
		(delays->end - delays->first) * ROW, label);
	for (size_t i = delays->first; i < delays->end; i++) {
		fprintf(out, "<text class=\"y\" x=\"%d\" y=\"%zu\">", LEFT - 6, (i - delays->first) * ROW + 15);
		put_bucket_name(out, i);
		fputs("</text>", out);
	}
	put_bars(out, delays, delays->asked, "asked", 7);
	put_bars(out, delays, delays->applied, "applied", 15);
	fputs("</svg>", out);
}

static void put_delay_table(FILE *out, const struct delays *delays)
{
	fputs("<table><thead><tr><th>delay<th>asked<th>applied<tbody>", out);
	for (size_t i = delays->first; i < delays->end; i++) {
		fputs("<tr><th>", out);
		put_bucket_name(out, i);
		fprintf(out, "<td>%lld<td>%lld", (long long)count_at(delays->asked, i),
			(long long)count_at(delays->applied, i));
	}
	fputs("</table>\n", out);
}

static void put_mean(FILE *out, const json_t *histogram)
{
	double us = json_number_at(histogram, "mean_us");

	if (!isnan(us))
		fprintf(out, "%.3f ms", us / 1000);
	else
		fputs("none", out);
}

static void put_delay_figure(FILE *out, const char *where, const char *device, const char *direction,
			     const json_t *counters, const char *label)
{
	struct delays delays;

	if (!read_delays(&delays, counters))
		return;
	fprintf(out, "<figure><figcaption id=\"%s\">Delay %s ", label, *where || *device ? "at" : "of file calls");
	markup_text(out, where);
	fputs(*where ? " " : "", out);
	markup_text(out, device);
	fprintf(out, " %s, mean: <span class=\"key p1\"></span>asked ", direction);
	put_mean(out, json_object_get(counters, "drawn"));
	fputs(", <span class=\"key p0\"></span>applied ", out);
	put_mean(out, json_object_get(counters, "applied"));
	fputs("</figcaption>", out);
	put_delay_chart(out, &delays, label);
	fputs("</figure>\n", out);
	put_delay_table(out, &delays);
}

/* Of calls on files: the operations that were seen. */
static void put_operation_table(FILE *out, const json_t *operations)
{
	const json_t *one;
	const char *name;

	if (!operations)
		return;
	fputs("<div class=wide tabindex=0><table><thead><tr><th>calls<th>seen<th>hit<tbody>\n", out);
	json_object_foreach ((json_t *)operations, name, one) {
		if (!json_integer_at(one, "seen"))
			continue;
		fputs("<tr><th>", out);
		markup_text(out, name);
		fprintf(out, "<td>%lld<td>%lld\n", (long long)json_integer_at(one, "seen"),
			(long long)json_integer_at(one, "hit"));
	}
	fputs("</table></div>\n", out);
}

/* The calls that were held longest. */
static void put_slowest_table(FILE *out, const json_t *slowest)
{
	const json_t *one;
	size_t i;

	if (!json_array_size(slowest))
		return;
	fputs("<div class=wide tabindex=0><table><thead><tr><th>slowest calls<th>held<th>bytes<th>at<th>file<tbody>\n",
	      out);
	json_array_foreach (slowest, i, one) {
		char cell[REPORT_CELL_SIZE];

		fputs("<tr><th>", out);
		markup_member(out, "", one, "call");
		fprintf(out, "<td>%s<td>%lld<td>%lld<td>", report_milliseconds(cell, json_object_get(one, "held_ms")),
			(long long)json_integer_at(one, "length"), (long long)json_integer_at(one, "offset"));
		markup_member(out, "", one, "file");
	}
	fputs("</table></div>\n", out);
}

static void put_peer_table(FILE *out, const json_t *peers)
{
	const json_t *peer;
	size_t i;

	if (!json_array_size(peers))
		return;
	fputs("<div class=wide tabindex=0><table><thead><tr><th>peer<th>hits out<th>hits in<tbody>\n", out);
	json_array_foreach (peers, i, peer) {
		fputs("<tr><th>", out);
		markup_member(out, "", peer, "peer");
		fprintf(out, "<td>%lld<td>%lld\n", (long long)json_integer_at(peer, "egress"),
			(long long)json_integer_at(peer, "ingress"));
	}
	fputs("</table></div>\n", out);
}

/* Of one fault. where: its node if there are several. */
static void put_fault(FILE *out, const char *where, const json_t *evidence, size_t trial, size_t *figures)
{
	static const char *const directions[] = {"egress", "ingress"};
	const json_t *device, *note;
	char cell[REPORT_CELL_SIZE], label[48];
	size_t i;

	fputs("<p>", out);
	markup_text(out, where);
	fprintf(out, "%sThe kernel saw %s", *where ? ": " : "", report_count(cell, json_object_get(evidence, "seen")));
	fprintf(out, " and acted on %s.</p>\n", report_count(cell, json_object_get(evidence, "hit")));
	put_peer_table(out, json_object_get(evidence, "peers"));
	put_operation_table(out, json_object_get(evidence, "operations"));
	snprintf(label, sizeof(label), "d%zu-%zu", trial, (*figures)++);
	put_delay_figure(out, where, "", "", evidence, label);
	put_slowest_table(out, json_object_get(evidence, "slowest"));
	json_array_foreach (json_object_get(evidence, "devices"), i, device)
		for (size_t j = 0; j < ARRAY_SIZE(directions); j++) {
			snprintf(label, sizeof(label), "d%zu-%zu", trial, (*figures)++);
			put_delay_figure(out, where, json_text_or(device, "device", "?"), directions[j],
					 json_object_get(device, directions[j]), label);
		}
	json_array_foreach (json_object_get(evidence, "notes"), i, note) {
		fputs("<p>", out);
		markup_text(out, json_string_value(note) ?: "?");
		fputs("</p>\n", out);
	}
}

void html_put_evidence(FILE *out, const json_t *evidence, size_t trial)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;
	size_t figures = 0;

	if (!json_is_object(evidence))
		return;
	if (!targets)
		put_fault(out, "", evidence, trial, &figures);
	json_object_foreach (targets, target, one)
		put_fault(out, target, one, trial, &figures);
}
