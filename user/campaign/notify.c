/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command `notify`, run at each injection, revert and end of a trial with the facts as JSON on its standard input.
 * Nothing waits for it but the campaign's end: it has NOTIFY_TIMEOUT_NS, and a notice too many is dropped. Its
 * processes are a scope of their own, which the guard ends with the coordinator.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "campaign/internal.h"
#include "process/environment.h"
#include "process/proc.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define NOTIFY_TIMEOUT_NS (10 * NSEC_PER_SEC)
#define NOTIFY_AT_ONCE 16
#define SCOPE_WAIT_NS (2 * NSEC_PER_SEC)

struct notifier {
	struct campaign *campaign;
	struct scope scope;
	struct proc *running[NOTIFY_AT_ONCE];
	size_t count;
	bool has_failed; /* the first failure is told, all are recorded */
};

static void tell_failure(struct notifier *notifier, const char *why)
{
	struct campaign *campaign = notifier->campaign;
	char text[600];

	snprintf(text, sizeof(text), "notify failed: %s", why);
	record_event(campaign, "notify_failed", text);
	if (notifier->has_failed)
		return;
	notifier->has_failed = true;
	progress_clear(campaign->progress);
	log_warning("%s; trials go on, further failures are only recorded", text);
}

static void notifier_step(void *arg)
{
	struct notifier *notifier = arg;
	size_t left = 0;

	for (size_t i = 0; i < notifier->count; i++) {
		struct proc *proc = notifier->running[i];
		char why[512];

		if (!proc_handle(proc)) {
			notifier->running[left++] = proc;
			continue;
		}
		proc_describe(proc, why, sizeof(why));
		if (!proc_succeeded(proc))
			tell_failure(notifier, why);
		proc_free(proc);
	}
	notifier->count = left;
}

static uint64_t notifier_wake_ns(const void *arg)
{
	const struct notifier *notifier = arg;
	uint64_t wake_ns = UINT64_MAX;

	for (size_t i = 0; i < notifier->count; i++)
		wake_ns = clock_earlier(wake_ns, proc_wake_ns(notifier->running[i]));
	return wake_ns;
}

static size_t notifier_poll_count(const void *arg)
{
	return ((const struct notifier *)arg)->count * PROC_POLL_MAX;
}

static size_t notifier_poll_fds(const void *arg, struct pollfd *out)
{
	const struct notifier *notifier = arg;
	size_t used = 0;

	for (size_t i = 0; i < notifier->count; i++)
		used += proc_poll_fds(notifier->running[i], out + used);
	return used;
}

static const struct pump_source notifier_source = {
	.step = notifier_step,
	.wake_ns = notifier_wake_ns,
	.poll_fds = notifier_poll_fds,
	.poll_count = notifier_poll_count,
};

int notify_prepare(struct campaign *campaign, struct error *err)
{
	struct notifier *notifier;
	int ret;

	if (!campaign->config->notify.exec)
		return 0;
	notifier = calloc(1, sizeof(*notifier));
	if (!notifier)
		return error_set(err, -ENOMEM, "out of memory");
	notifier->campaign = campaign;
	ret = scope_create(&notifier->scope, campaign->scope_prefix, getpid(), err);
	if (!ret)
		ret = pump_add(&campaign->pump, &notifier_source, notifier, err);
	if (ret) {
		free(notifier);
		return ret;
	}
	campaign->notifier = notifier;
	return 0;
}

/* What the command gets on its standard input. */
static char *facts_of(const struct campaign *campaign, const struct lane *lane, const char *event)
{
	static const char *const columns[] = {"target_node", "engine",      "status",
					      "verdict",     "error_stage", "error_text"};
	const struct plan_trial *plan = lane->entry->plan;
	_cleanup_json_ json_t *facts = NULL;
	char at[RFC3339_SIZE], *text = NULL;
	size_t size;
	FILE *out;

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	facts = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:i, s:i, s:O?}", "event", event, "at", at,
			  "campaign", campaign->plan->campaign_id, "label", campaign->config->name, "trial", plan->id,
			  "subject", plan->subject->name, "chaos", plan->chaos_name, "type",
			  plan->chaos ? plan->chaos->ops->name : NULL, "instance", (int)lane->instance, "attempt",
			  (int)lane->entry->attempt, "params", json_object_get(lane->columns, "params_effective"));
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		json_object_set(facts, columns[i], json_object_get(lane->columns, columns[i]) ?: json_null());
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	json_print_document(facts, JSON_COMPACT, out);
	fputc('\n', out);
	fclose(out);
	return text;
}

static int start_notice(struct notifier *notifier, const struct lane *lane, const char *event, struct error *err)
{
	const struct campaign *campaign = notifier->campaign;
	struct environment_values values = {
		.instance = lane->instance,
		.campaign = campaign->plan->campaign_id,
		.trial = lane->entry->plan->id,
		.subject = lane->entry->plan->subject->name,
		.target = json_text_or(lane->columns, "target_node", NULL),
		.phase = event,
		.scope = notifier->scope.name,
	};
	_cleanup_free_ char **environment = environment_build(&values);
	_cleanup_free_ char *facts = facts_of(campaign, lane, event);
	struct proc_spec spec = {
		.exec = campaign->config->notify.exec,
		.directory = campaign->config->notify.directory,
		.environment = environment,
		.input = facts,
		.timeout_ns = campaign->config->notify.timeout_seconds > 0
				      ? clock_from_seconds(campaign->config->notify.timeout_seconds)
				      : NOTIFY_TIMEOUT_NS,
		.cgroup_fd = notifier->scope.cgroup_fd,
	};

	if (!environment || !facts)
		return error_set(err, -ENOMEM, "out of memory");
	if (notifier->count == NOTIFY_AT_ONCE)
		return error_set(err, -EAGAIN, "%d notices still run: the one of %s, %s, is dropped", NOTIFY_AT_ONCE,
				 values.trial, event);
	return proc_start(&notifier->running[notifier->count], &spec, err);
}

void notify_event(struct campaign *campaign, const struct lane *lane, const char *event)
{
	struct notifier *notifier = campaign->notifier;
	struct error err = {};

	if (!notifier)
		return;
	if (start_notice(notifier, lane, event, &err))
		tell_failure(notifier, err.text);
	else
		notifier->count++;
}

void notify_columns(struct campaign *campaign, const struct lane *lane, const json_t *columns)
{
	if (json_is_string(json_object_get(columns, "chaos_injected_at")))
		notify_event(campaign, lane, "inject");
	if (json_is_string(json_object_get(columns, "chaos_reverted_at")))
		notify_event(campaign, lane, "revert");
}

void notify_finish(struct campaign *campaign)
{
	struct notifier *notifier = campaign->notifier;

	/* Each ends by its own timeout; a signal ends the wait. */
	while (notifier && notifier->count && !campaign_interrupted()) {
		pump_wait(&campaign->pump, UINT64_MAX);
		pump_step(&campaign->pump);
	}
}

void notify_free(struct campaign *campaign)
{
	struct notifier *notifier = campaign->notifier;

	if (!notifier)
		return;
	for (size_t i = 0; i < notifier->count; i++)
		proc_kill(notifier->running[i]);
	for (size_t i = 0; i < notifier->count; i++)
		proc_free(notifier->running[i]);
	scope_destroy(&notifier->scope, SCOPE_WAIT_NS);
	free(notifier);
	campaign->notifier = NULL;
}
