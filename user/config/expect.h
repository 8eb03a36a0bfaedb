/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a campaign file may expect of a trial. */
#pragma once

#include <jansson.h>

/* Of each probe during the fault, but for the recovery, which is the trial's. */
enum expectation {
	EXPECT_AVAILABILITY, /* 0…1, at least; all others at most */
	EXPECT_P50,          /* ms */
	EXPECT_P90,
	EXPECT_P99,
	EXPECT_OUTAGE,   /* s, the longest */
	EXPECT_ERRORS,   /* number of bad samples */
	EXPECT_RECOVERY, /* s */
	EXPECT_COUNT,
};

/* The key in the campaign file, and in the records. */
const char *expectation_name(enum expectation expectation);

struct expectations {
	double limits[EXPECT_COUNT]; /* NAN: not given */
	json_t *probes; /* {probe: {name of an expectation: its limit}}, which go before limits; NULL: none */
	/*
	 * [{"series", "source": of all that have it if it is not given, "min", "max": of each value during the fault,
	 * "change_max": of the mean, as a share of that before}]; NULL: none
	 */
	json_t *metrics;
};

/* The limit for a probe; NAN if none is given. */
double expectation_limit(const struct expectations *expect, const char *probe, enum expectation expectation);
