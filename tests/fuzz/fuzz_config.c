/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes a campaign file: it is read, validated, planned and printed. */
#include "fuzz.h"

#include "config/placeholder.h"
#include "util/cleanup.h"

#define NOON 1700000000000000000ULL
/* Printing takes time per trial and covers nothing new after so many. */
#define TRIALS_PRINTED_MAX 100

static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	nowhere = fopen("/dev/null", "w");
	return 0;
}

static void use(const struct config *config)
{
	const uint64_t seed = 7;
	struct plan *plan = NULL;
	json_t *json;

	/* Every valid file has a plan. */
	promise(!plan_new(&plan, config, NOON, &seed, NULL));
	promise(plan->trial_count > 0);
	for (size_t i = 0; i < config->subject_count; i++) {
		const struct subject *subject = &config->subjects[i];

		for (size_t n = 0; n < subject->node_count; n++) {
			struct node node;

			promise(!node_expand(&node, &subject->nodes[n], subject, subject->instances - 1, NULL));
			node_clear(&node);
		}
	}
	if (plan->trial_count <= TRIALS_PRINTED_MAX) {
		plan_print(plan, &(struct plan_view){}, nowhere);
		json = plan_to_json(plan, &(struct plan_view){});
		promise(json);
		json_decref(json);
	}
	plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *problems = NULL;
	struct config *config = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&problems, &length);
	int ret = fuzz_config(&config, data, size, stream);

	fclose(stream);
	/* A refused file has an error line, and an accepted file has none. */
	promise(ret ? !config && strstr(problems, ": error: ") : config && !strstr(problems, ": error: "));
	if (config)
		use(config);
	config_free(config);
	return 0;
}
