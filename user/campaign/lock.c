/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks: one run at a time per configuration and per subject. A reset tears the cluster down, so a second campaign,
 * even of another file or database, must not share a subject with a running one.
 */
#include <errno.h>
#include <string.h>

#include "campaign/campaign.h"
#include "util/cleanup.h"
#include "util/hash.h"

static int take_campaign(struct campaign_locks *locks, const char *hash, const char *word, struct error *err)
{
	char name[64], other[HOST_LOCK_HOLDER_SIZE];
	int ret;

	snprintf(name, sizeof(name), "campaign-%.8s", hash);
	ret = host_lock_take(&locks->locks[0], name, word, other, err);
	if (ret == -EBUSY)
		return error_set(err, ret, "this campaign is already running (pid %s)", *other ? other : "?");
	locks->count += !ret;
	return ret;
}

/* Identifies the cluster by its name, its reset command and directory, and its nodes, whatever file describes it. */
static void subject_lock_name(const struct subject *subject, char *out, size_t size)
{
	_cleanup_json_ json_t *identity =
		json_pack("[s, s?, s?]", subject->name, subject->reset.exec, subject->reset.directory);
	_cleanup_free_ char *text = NULL;
	char hash[SHA256_HEX_SIZE];

	for (size_t i = 0; i < subject->node_count; i++) {
		json_array_append_new(identity, json_string(subject->nodes[i].name));
		for (size_t a = 0; a < subject->nodes[i].addresses.count; a++)
			json_array_append_new(identity, json_string(subject->nodes[i].addresses.items[a]));
	}
	text = json_dumps(identity, JSON_COMPACT);
	sha256_hex(hash, text ? text : "", text ? strlen(text) : 0);
	snprintf(out, size, "subject-%s-%.8s", subject->name, hash);
}

static int take_subject(struct campaign_locks *locks, const struct subject *subject, const char *word,
			struct error *err)
{
	char name[128], other[HOST_LOCK_HOLDER_SIZE];
	int ret;

	subject_lock_name(subject, name, sizeof(name));
	ret = host_lock_take(&locks->locks[locks->count], name, word, other, err);
	/* This process holds the lock already: two files may describe one cluster. */
	if (ret == -EBUSY && atoi(other) == getpid())
		return 0;
	if (ret == -EBUSY)
		return error_set(err, ret, "subject '%s' is in use by another campaign (pid %s): wait until it ends",
				 subject->name, *other ? other : "?");
	locks->count += !ret;
	return ret;
}

int campaign_lock(struct campaign_locks *locks, const char *hash, const char *word, struct error *err)
{
	int ret;

	locks->count = 0;
	locks->locks = calloc(1, sizeof(*locks->locks));
	if (!locks->locks)
		return error_set(err, -ENOMEM, "out of memory");
	ret = take_campaign(locks, hash, word, err);
	if (ret)
		campaign_unlock(locks);
	return ret;
}

int campaign_lock_subjects(struct campaign_locks *locks, const struct config *config, const char *word,
			   struct error *err)
{
	struct host_lock *grown =
		realloc(locks->locks, (locks->count + config->subject_count + 1) * sizeof(*locks->locks));
	int ret = 0;

	if (grown)
		locks->locks = grown;
	else
		ret = error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !ret && i < config->subject_count; i++)
		ret = take_subject(locks, &config->subjects[i], word, err);
	if (ret)
		campaign_unlock(locks);
	return ret;
}

void campaign_unlock(struct campaign_locks *locks)
{
	while (locks->count)
		host_lock_release(&locks->locks[--locks->count]);
	free(locks->locks);
	locks->locks = NULL;
}
