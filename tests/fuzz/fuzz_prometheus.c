/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes Prometheus text: the first byte gives the size of the parts. Selectors are not fuzzed: they come from the
 * campaign file, and glibc's regcomp() takes gigabytes for some.
 */
#include "fuzz.h"

#include "net/prometheus.h"
#include "util/cleanup.h"

static const char *const selectors[] = {"up", "x_total{a=\"b\"}", "y_count{a=~\"b.*|\",c!=\"d\",e!~\"f\"}"};

static struct prometheus *scan_in_parts(const char *text, size_t size, size_t part)
{
	struct prometheus *scan;

	promise(!prometheus_new(&scan, (char *const *)selectors, ARRAY_SIZE(selectors), NULL));
	for (size_t at = 0; at < size; at += part)
		prometheus_feed(scan, text + at, size - at < part ? size - at : part);
	return scan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct prometheus *whole, *parts;

	if (!size)
		return 0;
	whole = scan_in_parts(text, size - 1, size);
	parts = scan_in_parts(text, size - 1, data[0] ?: 1);
	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++) {
		struct prometheus_value a = prometheus_get(whole, i), b = prometheus_get(parts, i);

		promise(a.matched == b.matched && a.value == b.value && a.is_counter == b.is_counter);
	}
	promise(prometheus_started(whole) == prometheus_started(parts));
	prometheus_free(whole);
	prometheus_free(parts);
	return 0;
}
