/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/evidence.h"

#include "util/cleanup.h"
#include "util/json.h"

void evidence_add(json_t *total, const json_t *part)
{
	static const char *const sums[] = {"seen", "hit", "bytes"};

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		json_int_t sum = json_integer_at(total, sums[i]);

		sum += json_integer_at(part, sums[i]);
		json_object_set_new(total, sums[i], json_integer(sum));
	}
}
