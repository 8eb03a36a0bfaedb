/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "inject/faults.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "chaos/evidence.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/json.h"

int fault_set_reserve(struct fault_set *set, size_t count, struct error *err)
{
	set->slots = calloc(count, sizeof(*set->slots));
	if (!set->slots)
		return error_set(err, -ENOMEM, "out of memory");
	set->room = count;
	return 0;
}

int fault_set_open(struct fault_set *set, const struct fault_spec *spec, struct target *target, struct error *err)
{
	struct fault_slot *slot;

	if (set->count == set->room) {
		target_free(target);
		return error_set(err, -E2BIG, "more than %zu faults at once", set->room);
	}
	slot = &set->slots[set->count++];
	slot->target = target;
	slot->node = target->node;
	slot->spec = *spec;
	slot->spec.target = target;
	return fault_new(&slot->fault, &slot->spec, err);
}

int fault_set_activate_next(struct fault_set *set, uint64_t duration_ns, struct error *err)
{
	int ret = fault_activate(set->slots[set->live_count].fault, duration_ns, err);

	if (!ret)
		set->live_count++;
	return ret;
}

int fault_set_renew(struct fault_set *set, struct error *err)
{
	for (size_t i = 0; i < set->live_count; i++) {
		int ret = fault_renew(set->slots[i].fault, err);

		if (ret) {
			fault_set_stop(set);
			return ret;
		}
	}
	return 0;
}

void fault_set_stop(const struct fault_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->slots[i].fault)
			fault_stop(set->slots[i].fault);
}

int fault_set_revert(struct fault_set *set, struct error *err)
{
	int ret = 0;

	for (size_t i = set->count; i > 0; i--) {
		struct fault *fault = set->slots[i - 1].fault;
		int one = fault ? fault_revert(fault, ret ? NULL : err) : 0;

		ret = ret ?: one;
	}
	return ret;
}

static uint64_t first_hit_ns(const json_t *evidence)
{
	return (uint64_t)json_integer_at(evidence, "first_hit_ns");
}

uint64_t fault_set_read_evidence(struct fault_set *set)
{
	uint64_t first_ns = UINT64_MAX;

	for (size_t i = 0; i < set->count; i++) {
		struct fault_slot *slot = &set->slots[i];
		json_t *evidence = slot->fault ? fault_evidence(slot->fault) : NULL;

		if (!evidence && !slot->evidence) {
			slot->evidence = json_pack("{s:i}", "hit", 0);
			evidence_add_note(slot->evidence, "the evidence could not be read");
		}
		if (!evidence)
			continue;
		json_decref(slot->evidence);
		slot->evidence = evidence;
		if (first_hit_ns(evidence) && first_hit_ns(evidence) < first_ns)
			first_ns = first_hit_ns(evidence);
	}
	return first_ns == UINT64_MAX ? 0 : first_ns;
}

json_t *fault_set_evidence(const struct fault_set *set)
{
	json_t *all, *targets;

	if (set->count == 1)
		return json_incref(set->slots[0].evidence);
	all = json_object();
	targets = json_object();
	for (size_t i = 0; i < set->count; i++) {
		evidence_add(all, set->slots[i].evidence);
		if (set->slots[i].evidence)
			json_object_set(targets, set->slots[i].node, set->slots[i].evidence);
	}
	json_object_set_new(all, "targets", targets);
	return all;
}

json_int_t fault_set_hits(const struct fault_set *set)
{
	json_int_t hits = 0;

	for (size_t i = 0; i < set->count; i++)
		hits += json_integer_at(set->slots[i].evidence, "hit");
	return hits;
}

static json_t *endpoints_of(const struct endpoint *endpoints, size_t count)
{
	char text[ENDPOINT_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(endpoint_format(&endpoints[i], text)));
	return list;
}

static json_t *describe_slot(const struct fault_slot *slot)
{
	const struct target *target = slot->target;

	return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:O*}", "target", slot->node, "engine",
			 fault_engine(slot->fault), "seed", json_sprintf("%" PRIu64, slot->spec.seed), "netns_ino",
			 (json_int_t)target->netns_ino, "devices", target_devices_json(target), "addresses",
			 endpoints_of(target->locals, target->local_count), "peers",
			 target->peers_all ? json_string("all") : endpoints_of(target->peers, target->peer_count),
			 "data_dirs", target_directories_json(target), "protect", target_protect_json(target), "names",
			 json_object_size(target->names) ? target->names : NULL);
}

json_t *fault_set_describe(const struct fault_set *set)
{
	json_t *faults = json_array();

	for (size_t i = 0; i < set->count; i++)
		json_array_append_new(faults, describe_slot(&set->slots[i]));
	return faults;
}

json_t *fault_set_effective(const struct fault_set *set, const json_t *params)
{
	static const char *const chosen[] = {"engine", "line"};
	const struct fault_slot *slot = &set->slots[0];
	const struct target *target = slot->target;
	json_t *effective = json_copy((json_t *)params);

	for (size_t i = 0; i < ARRAY_SIZE(chosen); i++)
		if (!strcmp(json_text_or(effective, chosen[i], ""), "auto"))
			json_object_set_new(effective, chosen[i], json_outside(fault_engine(slot->fault)));
	if (set->count > 1)
		return effective;
	if (json_object_size(target->names))
		json_object_set(effective, "names", target->names);
	if (target->device_count) {
		json_object_set_new(effective, "devices", target_devices_json(target));
		json_object_set_new(effective, "addresses", endpoints_of(target->locals, target->local_count));
		if (!target->peers_all)
			json_object_set_new(effective, "peers", endpoints_of(target->peers, target->peer_count));
	}
	if (target->directory_count)
		json_object_set_new(effective, "data_dirs", target_directories_json(target));
	return effective;
}

void fault_set_close(struct fault_set *set)
{
	for (size_t i = set->count; i > 0; i--) {
		struct fault_slot *slot = &set->slots[i - 1];

		fault_free(TAKE_PTR(slot->fault));
		target_free(TAKE_PTR(slot->target));
	}
	set->live_count = 0;
}

void fault_set_free(struct fault_set *set)
{
	fault_set_close(set);
	for (size_t i = 0; i < set->count; i++)
		json_decref(set->slots[i].evidence);
	free(set->slots);
	*set = (struct fault_set){};
}
