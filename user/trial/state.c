/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The subject's state before and after chaos: its probes and its nodes' roles. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/roles.h"
#include "trial/internal.h"

static void keep_leader(struct trial *trial, const json_t *roles)
{
	const char *text = json_string_value(roles) ?: "";
	size_t length;

	text += strspn(text, " \t\n");
	length = strcspn(text, " \t\n");
	snprintf(trial->leader, sizeof(trial->leader), "%.*s", (int)length, text);
}

/* {"probes": …, "roles": output of `roles`}; NULL if the subject has neither. */
static json_t *look_at_state(struct trial *trial, struct error *err)
{
	json_t *state = json_object(), *roles;

	if (trial->probes)
		json_object_set_new(state, "probes", probes_state(trial->probes));
	if (trial->subject->roles.exec) {
		roles = trial_roles(trial, err);
		keep_leader(trial, roles);
		json_object_set_new(state, "roles", roles ? roles : json_null());
	}
	if (json_object_size(state))
		return state;
	json_decref(state);
	return NULL;
}

static bool needs_leader(const struct trial *trial)
{
	const char *target = trial->plan->target;

	return target && role_needs_leader(target);
}

int trial_record_initial_state(struct trial *trial, struct error *err)
{
	struct error roles_error = {};
	json_t *state = look_at_state(trial, &roles_error);

	if (state)
		trial_set(trial, json_pack("{s:o}", "initial_state", state));
	if (roles_error.code && (roles_error.code == -ECANCELED || needs_leader(trial))) {
		*err = roles_error;
		return roles_error.code;
	}
	return 0;
}

void trial_record_final_state(struct trial *trial)
{
	struct error why = {};
	json_t *state = look_at_state(trial, &why);

	if (state)
		trial_set(trial, json_pack("{s:o}", "final_state", state));
}
