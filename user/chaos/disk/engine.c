/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a fault whose type chooses among engines: each step is the chosen engine's. */
#include <stdlib.h>

#include "chaos/disk/disk.h"

int disk_chosen_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct disk_chosen *chosen = state;

	return chosen->engine->activate(chosen->state, duration_ns, err);
}

int disk_chosen_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct disk_chosen *chosen = state;

	return chosen->engine->renew(chosen->state, lease_ns, err);
}

void disk_chosen_stop(void *state)
{
	struct disk_chosen *chosen = state;

	chosen->engine->stop(chosen->state);
}

int disk_chosen_revert(void *state, struct error *err)
{
	struct disk_chosen *chosen = state;

	return chosen->engine->revert(chosen->state, err);
}

json_t *disk_chosen_evidence(void *state)
{
	struct disk_chosen *chosen = state;

	return chosen->engine->evidence(chosen->state);
}

void disk_chosen_free(void *state)
{
	struct disk_chosen *chosen = state;

	if (!chosen)
		return;
	chosen->engine->free(chosen->state);
	free(chosen);
}
