/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The environment of a trial's commands; it depends on phase, target and scope. */
#include "process/environment.h"

#include <errno.h>
#include <stdlib.h>

#include "trial/internal.h"

int trial_rebuild_environment(struct trial *trial, struct error *err)
{
	struct environment_values values = {
		.instance = trial->job->instance,
		.campaign = trial->job->campaign_id,
		.trial = trial->plan->id,
		.subject = trial->subject->name,
		.target = *trial->target_names ? trial->target_names : NULL,
		.phase = trial_phase_name(trial->phase),
	};

	free(trial->environment);
	free(trial->scoped_environment);
	trial->environment = environment_build(&values);
	values.scope = trial->scope.name;
	trial->scoped_environment = environment_build(&values);
	return trial->environment && trial->scoped_environment ? 0 : error_set(err, -ENOMEM, "out of memory");
}
