/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

const char *const stats_directions[EVAL_DIRECTIONS] = {[EVAL_EGRESS] = "egress", [EVAL_INGRESS] = "ingress"};

void stats_sum(struct eval_stats *sum, const struct eval_stats *part)
{
	sum->seen += part->seen;
	sum->hit += part->hit;
	sum->bytes += part->bytes;
	sum->failed += part->failed;
	if (part->first_hit_ns && (!sum->first_hit_ns || part->first_hit_ns < sum->first_hit_ns))
		sum->first_hit_ns = part->first_hit_ns;
}

static void histogram_add(struct eval_histogram *sum, const struct eval_histogram *part)
{
	sum->sum_ns += part->sum_ns;
	for (size_t i = 0; i < EVAL_HISTOGRAM_BUCKETS; i++)
		sum->log2_us[i] += part->log2_us[i];
}

int stats_read(int stats_map_fd, enum eval_direction direction, struct eval_stats *sum)
{
	_cleanup_free_ struct eval_stats *per_cpu = NULL;
	__u32 key = direction;
	int cpus = libbpf_num_possible_cpus();
	int ret;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(stats_map_fd, &key, per_cpu);
	if (ret)
		return ret;
	memset(sum, 0, sizeof(*sum));
	for (int i = 0; i < cpus; i++) {
		stats_sum(sum, &per_cpu[i]);
		histogram_add(&sum->drawn, &per_cpu[i].drawn);
		histogram_add(&sum->applied, &per_cpu[i].applied);
	}
	return 0;
}

json_t *stats_histogram_to_json(const struct eval_histogram *histogram)
{
	json_t *buckets = json_array();
	size_t used = EVAL_HISTOGRAM_BUCKETS;
	__u64 count = 0;

	while (used && !histogram->log2_us[used - 1])
		used--;
	for (size_t i = 0; i < used; i++) {
		count += histogram->log2_us[i];
		json_array_append_new(buckets, json_integer((json_int_t)histogram->log2_us[i]));
	}
	return json_pack("{s:I, s:o, s:o}", "count", (json_int_t)count, "mean_us",
			 count ? json_real((double)histogram->sum_ns / (double)count / 1000.0) : json_null(), "log2_us",
			 buckets);
}

json_t *stats_to_json(const struct eval_stats *stats, bool with_delays)
{
	json_t *json = json_pack("{s:I, s:I, s:I}", "seen", (json_int_t)stats->seen, "hit", (json_int_t)stats->hit,
				 "bytes", (json_int_t)stats->bytes);

	if (with_delays) {
		json_object_set_new(json, "failed", json_integer((json_int_t)stats->failed));
		json_object_set_new(json, "drawn", stats_histogram_to_json(&stats->drawn));
		json_object_set_new(json, "applied", stats_histogram_to_json(&stats->applied));
	}
	return json;
}

void stats_set_directions(json_t *out, int stats_map_fd, bool with_delays, struct eval_stats *total)
{
	for (size_t i = 0; i < EVAL_DIRECTIONS; i++) {
		struct eval_stats stats;

		if (stats_read(stats_map_fd, i, &stats))
			continue;
		json_object_set_new(out, stats_directions[i], stats_to_json(&stats, with_delays));
		if (total)
			stats_sum(total, &stats);
	}
}
