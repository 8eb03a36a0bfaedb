/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's chaos: which node, its faults, their evidence. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "eval_abi.h"
#include "inject/node.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/sched.h"
#include "util/text.h"

/* plan_draw's stream of the choice among nodes. */
#define DRAW_TARGET 1

static const struct node *find_node(const struct subject *subject, const char *name)
{
	for (size_t i = 0; i < subject->node_count; i++)
		if (!strcmp(subject->nodes[i].name, name))
			return &subject->nodes[i];
	return NULL;
}

static int node_is_local(const struct trial *trial, const struct node *node, bool *local, struct error *err)
{
	struct node expanded = {};
	int ret = node_expand(&expanded, node, trial->subject, trial->job->instance, err);

	if (ret)
		return ret;
	*local = target_is_local(expanded.netns, (const char *const *)expanded.addresses.items,
				 (const char *const *)expanded.data_dirs.items);
	node_clear(&expanded);
	return 0;
}

/* Draws among the nodes of this host, without `except` (NULL: none). */
static int draw_node(const struct trial *trial, const char *except, const struct node **out, struct error *err)
{
	const struct subject *subject = trial->subject;
	_cleanup_free_ const struct node **candidates = calloc(subject->node_count + 1, sizeof(*candidates));
	size_t count = 0;

	if (!candidates)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < subject->node_count; i++) {
		bool local = false;
		int ret = node_is_local(trial, &subject->nodes[i], &local, err);

		if (ret)
			return ret;
		if (local && (!except || strcmp(subject->nodes[i].name, except)))
			candidates[count++] = &subject->nodes[i];
	}
	if (!count)
		return error_set(err, -EHOSTUNREACH, "no %snode of '%s' is on this host", except ? "other " : "",
				 subject->name);
	*out = candidates[plan_draw(trial->plan->seed, DRAW_TARGET, count)];
	return 0;
}

static int find_leader(const struct trial *trial, const struct node **out, struct error *err)
{
	if (!trial->subject->roles.exec)
		return error_set(err, -EINVAL, "target %s needs the subject's `roles` command", trial->plan->target);
	if (!*trial->leader)
		return error_set(err, -ENOENT, "`roles` names no leader");
	*out = find_node(trial->subject, trial->leader);
	return *out ? 0
		    : error_set(err, -ENOENT, "`roles` names '%s', which is no node of '%s'", trial->leader,
				trial->subject->name);
}

/* One node, or all (*out NULL). */
static int choose_node(const struct trial *trial, const struct node **out, struct error *err)
{
	const char *target = trial->plan->target;
	int ret;

	*out = NULL;
	if (!strcmp(target, "all"))
		return 0;
	if (!strcmp(target, "random"))
		return draw_node(trial, NULL, out, err);
	if (!strcmp(target, "leader"))
		return find_leader(trial, out, err);
	if (!strcmp(target, "follower")) {
		ret = find_leader(trial, out, err);
		return ret ? ret : draw_node(trial, (*out)->name, out, err);
	}
	*out = find_node(trial->subject, target);
	return *out ? 0 : error_set(err, -ENOENT, "no node '%s' in subject '%s'", target, trial->subject->name);
}

static const char *role_of(const struct trial *trial, const char *node)
{
	if (!*trial->leader || !find_node(trial->subject, trial->leader))
		return NULL;
	return strcmp(trial->leader, node) ? "follower" : "leader";
}

static void name_targets(struct trial *trial, const struct node *chosen)
{
	const struct subject *subject = trial->subject;
	const char *role = chosen ? role_of(trial, chosen->name) : NULL;
	size_t size = sizeof(trial->target_names);

	trial->target_names[0] = '\0';
	if (chosen)
		text_append(trial->target_names, size, "%s", chosen->name);
	for (size_t i = 0; !chosen && i < subject->node_count; i++)
		text_append(trial->target_names, size, "%s%s", i ? "," : "", subject->nodes[i].name);
	trial_rebuild_environment(trial, NULL);
	trial_set(trial, json_pack("{s:s, s:s?}", "target_node", trial->target_names, "target_role", role));
}

void trial_name_known_target(struct trial *trial)
{
	const struct node *node = trial->plan->target ? find_node(trial->subject, trial->plan->target) : NULL;

	if (node)
		snprintf(trial->target_names, sizeof(trial->target_names), "%s", node->name);
}

static void renew_others(void *arg)
{
	struct trial *trial = arg;

	if (clock_monotonic_ns() >= trial->renew_ns)
		trial_renew(trial);
}

static int open_fault(struct trial *trial, struct trial_fault *slot, const char *node, size_t index, struct error *err)
{
	const struct trial_job *job = trial->job;
	int ret = node_target_open(&slot->target, job->config, trial->subject, job->instance, node,
				   trial->plan->chaos->ops, trial->plan->params, err);

	if (ret)
		return ret;
	slot->spec = (struct fault_spec){
		.campaign = job->campaign_id,
		.trial = trial->plan->id,
		.ops = trial->plan->chaos->ops,
		.params = trial->plan->params,
		.target = slot->target,
		.seed = index ? eval_random(trial->plan->seed, index) : trial->plan->seed,
		.renew_others = renew_others,
		.renew_others_arg = trial,
	};
	return fault_new(&slot->fault, &slot->spec, err);
}

int trial_resolve_target(struct trial *trial, struct error *err)
{
	const struct node *chosen;
	int ret = choose_node(trial, &chosen, err);

	if (ret)
		return ret;
	name_targets(trial, chosen);
	trial->faults = calloc(chosen ? 1 : trial->subject->node_count, sizeof(*trial->faults));
	if (!trial->faults)
		return error_set(err, -ENOMEM, "out of memory");
	trial->fault_count = chosen ? 1 : trial->subject->node_count;
	for (size_t i = 0; !ret && i < trial->fault_count; i++) {
		const char *node = chosen ? chosen->name : trial->subject->nodes[i].name;

		ret = trial_stop_requested() ? error_set(err, -ECANCELED, "stopped")
					     : open_fault(trial, &trial->faults[i], node, i, err);
	}
	return ret;
}

static void set_metadata(struct trial *trial, uint64_t activate_ns)
{
	json_t *faults = json_array();

	for (size_t i = 0; i < trial->fault_count; i++) {
		const struct target *target = trial->faults[i].target;
		json_t *devices = json_array(), *data_dirs = json_array();

		for (size_t d = 0; d < target->directory_count; d++)
			json_array_append_new(data_dirs, json_string(target->directories[d].path));
		for (size_t d = 0; d < target->device_count; d++)
			json_array_append_new(devices, json_string(target->devices[d].name));
		json_array_append_new(faults,
				      json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o}", "target", target->node, "engine",
						fault_engine(trial->faults[i].fault), "seed",
						json_sprintf("%" PRIu64, trial->faults[i].spec.seed), "netns_ino",
						(json_int_t)target->netns_ino, "devices", devices, "data_dirs",
						data_dirs, "protect", target_protect_json(target)));
	}
	trial_set(trial,
		  json_pack("{s:s, s:{s:o, s:f, s:f}}", "engine", fault_engine(trial->faults[0].fault),
			    "chaos_metadata", "faults", faults, "activate_ms", (double)activate_ns / NSEC_PER_MSEC,
			    "duration_seconds", trial->settings->duration_seconds));
}

int trial_inject(struct trial *trial, struct error *err)
{
	uint64_t duration_ns = clock_from_seconds(trial->settings->duration_seconds), from_ns = clock_monotonic_ns();

	trial_publish_faults(trial);
	trial->live = true;
	trial->renew_ns = from_ns;
	for (size_t i = 0; !trial->chaos_error.code && i < trial->fault_count; i++) {
		int ret = trial_stop_requested() ? error_set(err, -ECANCELED, "stopped")
						 : fault_activate(trial->faults[i].fault, duration_ns, err);

		/* The signal's handler stops what is still on its way, too. */
		if (ret && trial_stop_requested())
			return error_set(err, -ECANCELED, "stopped");
		/* Else the one that was on its way would tell only that it was stopped. */
		if (trial->chaos_error.code)
			break;
		if (ret)
			return ret;
		trial->live_count = i + 1;
		if (!i) {
			trial->times.injected_ns = clock_monotonic_ns();
			trial_set_moment(trial, "chaos_injected_at", trial->times.injected_ns);
		}
		trial_renew(trial);
	}
	if (trial->chaos_error.code) {
		*err = trial->chaos_error;
		return err->code;
	}
	set_metadata(trial, clock_monotonic_ns() - from_ns);
	sched_go_first();
	return 0;
}

static uint64_t first_hit_ns(const json_t *evidence)
{
	return (uint64_t)json_integer_at(evidence, "first_hit_ns");
}

static void tell_first_effect(struct trial *trial, uint64_t first_ns)
{
	trial->effect_told = true;
	trial_set_moment(trial, "first_effect_at", first_ns);
	trial_event(trial, "first_effect", "the kernel counted the first hit %.3f ms after the injection",
		    first_ns > trial->times.injected_ns ? (double)(first_ns - trial->times.injected_ns) / NSEC_PER_MSEC
							: 0.0);
}

/* The faults' evidence, kept for the record; tells when the first hit was. */
static void read_evidence(struct trial *trial)
{
	uint64_t first_ns = UINT64_MAX;

	for (size_t i = 0; i < trial->fault_count; i++) {
		struct trial_fault *slot = &trial->faults[i];
		json_t *evidence = slot->fault ? fault_evidence(slot->fault) : NULL;

		if (!evidence)
			continue;
		json_decref(slot->evidence);
		slot->evidence = evidence;
		if (first_hit_ns(evidence) && first_hit_ns(evidence) < first_ns)
			first_ns = first_hit_ns(evidence);
	}
	if (first_ns != UINT64_MAX && !trial->effect_told)
		tell_first_effect(trial, first_ns);
}

/* One that cannot go on ends all: half a chaos is not what was asked for. */
static void stop_faults(struct trial *trial)
{
	for (size_t i = 0; i < trial->fault_count; i++)
		if (trial->faults[i].fault)
			fault_stop(trial->faults[i].fault);
}

void trial_renew(struct trial *trial)
{
	trial->renew_ns = clock_monotonic_ns() + LEASE_RENEW_NS;
	for (size_t i = 0; !trial->chaos_error.code && i < trial->live_count; i++)
		if (fault_renew(trial->faults[i].fault, &trial->chaos_error))
			stop_faults(trial);
	if (!trial->effect_told && trial->times.injected_ns)
		read_evidence(trial);
}

static void lease_step(void *arg)
{
	struct trial *trial = arg;

	if (trial->live && clock_monotonic_ns() >= trial->renew_ns)
		trial_renew(trial);
}

static uint64_t lease_wake_ns(const void *arg)
{
	const struct trial *trial = arg;

	return trial->live ? trial->renew_ns : UINT64_MAX;
}

const struct pump_source trial_lease_source = {
	.step = lease_step,
	.wake_ns = lease_wake_ns,
};

/* One fault's as it is, several as {"hit", "seen", …, "targets": {NODE: …}}. */
static json_t *evidence_of_all(const struct trial *trial)
{
	json_t *all, *targets;

	if (trial->fault_count == 1)
		return json_incref(trial->faults[0].evidence);
	all = json_object();
	targets = json_object();
	for (size_t i = 0; i < trial->fault_count; i++) {
		evidence_add(all, trial->faults[i].evidence);
		if (trial->faults[i].evidence)
			json_object_set(targets, trial->faults[i].target->node, trial->faults[i].evidence);
	}
	json_object_set_new(all, "targets", targets);
	return all;
}

json_int_t trial_hits(const struct trial *trial)
{
	json_int_t hits = 0;

	for (size_t i = 0; i < trial->fault_count; i++)
		hits += json_integer_at(trial->faults[i].evidence, "hit");
	return hits;
}

int trial_revert(struct trial *trial, struct error *err)
{
	int ret = 0;

	if (!trial->live)
		return 0;
	for (size_t i = 0; i < trial->fault_count; i++)
		fault_stop(trial->faults[i].fault);
	trial->times.reverted_ns = trial_stopped_ns() ?: clock_monotonic_ns();
	sched_take_turns();
	trial->live = false;
	/* Last activated first. */
	for (size_t i = trial->fault_count; i > 0; i--) {
		int one = fault_revert(trial->faults[i - 1].fault, ret ? NULL : err);

		ret = ret ?: one;
	}
	if (!trial->times.injected_ns)
		return ret;
	read_evidence(trial);
	trial_set_moment(trial, "chaos_reverted_at", trial->times.reverted_ns);
	if (trial->faults[0].evidence)
		trial_set(trial, json_pack("{s:o}", "evidence", evidence_of_all(trial)));
	return ret;
}

void trial_free_faults(struct trial *trial)
{
	trial_hide_faults();
	for (size_t i = trial->fault_count; i > 0; i--) {
		struct trial_fault *slot = &trial->faults[i - 1];

		fault_free(TAKE_PTR(slot->fault));
		target_free(TAKE_PTR(slot->target));
	}
}
