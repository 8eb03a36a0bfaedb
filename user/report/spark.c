/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/spark.h"

#include <math.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[ARRAY_SIZE(blocks)] = {"_", ".", "-", ":", "=", "+", "*", "#"};

void spark_add(struct spark *spark, double value)
{
	if (spark->count == SPARK_SIZE)
		memmove(spark->values, spark->values + 1, --spark->count * sizeof(*spark->values));
	spark->values[spark->count++] = value;
	spark->most = fmax(spark->most, value);
}

static const char *cell_of(const struct spark *spark, double value, bool utf8)
{
	const size_t levels = ARRAY_SIZE(blocks);
	size_t level = spark->most > 0 && value > 0 ? (size_t)(value / spark->most * (double)levels) : 0;

	if (isnan(value))
		return utf8 ? "×" : "x";
	return (utf8 ? blocks : ascii)[level < levels ? level : levels - 1];
}

void spark_append(char *out, size_t size, const struct spark *spark, size_t cells, bool utf8)
{
	size_t shown = cells < spark->count ? cells : spark->count;

	for (size_t i = spark->count - shown; i < spark->count; i++)
		text_append(out, size, "%s%s", i == spark->count - shown ? " " : "",
			    cell_of(spark, spark->values[i], utf8));
}
