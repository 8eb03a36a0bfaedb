/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A fault's counters: summed over CPUs, and as JSON. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "eval_abi.h"

/* "egress" and "ingress", as in evidence. */
extern const char *const stats_directions[EVAL_DIRECTIONS];

/* Adds the plain counters of part; first_hit_ns becomes the earlier one. */
void stats_sum(struct eval_stats *sum, const struct eval_stats *part);
/* Sums the counters over CPUs; first_hit_ns is the earliest, 0 if there is none. Returns 0 or a negative errno. */
int stats_read(int stats_map_fd, enum eval_direction direction, struct eval_stats *sum);
/* Sets "egress" and "ingress" to stats_to_json(), and adds both to *total, which may be NULL. */
void stats_set_directions(json_t *out, int stats_map_fd, bool with_delays, struct eval_stats *total);
/* {"count", "mean_us", "log2_us"}, see fault_evidence() in chaos/fault.h. */
json_t *stats_histogram_to_json(const struct eval_histogram *histogram);
/* {"seen", "hit", "bytes"}; with_delays also "failed" and the histograms "drawn" and "applied". */
json_t *stats_to_json(const struct eval_stats *stats, bool with_delays);
