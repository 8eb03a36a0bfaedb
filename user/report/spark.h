/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to report/: the recent values of something as a line of blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SPARK_SIZE 24

/* Zero-initialize before use. */
struct spark {
	double values[SPARK_SIZE]; /* the newest last; NAN: bad */
	size_t count;
	double most; /* of all values, also those that are gone */
};

void spark_add(struct spark *spark, double value);
/* Appends at most `cells` of the newest values, from 0 to the greatest so far, with a blank before them. */
void spark_append(char *out, size_t size, const struct spark *spark, size_t cells, bool utf8);
