/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ports that the fault never touches: the requested ones and those that eval adds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/guards.h"
#include "target/internal.h"

static bool is_same(const struct protect_port *a, const struct protect_port *b)
{
	return a->protocol == b->protocol && a->port == b->port && a->local_only == b->local_only &&
	       !memcmp(a->address, b->address, sizeof(a->address));
}

int target_protect_add(struct target *target, const struct protect_port *port)
{
	struct protect_port *grown;

	for (size_t i = 0; i < target->protect_count; i++)
		if (is_same(&target->protect[i], port))
			return 0;
	grown = realloc(target->protect, (target->protect_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	target->protect = grown;
	grown[target->protect_count++] = *port;
	return 0;
}

static int protect_text(struct target *target, const char *text, struct error *err)
{
	struct protect_port port;
	int ret = protect_parse(&port, text, err);

	if (ret)
		return ret;
	return target_protect_add(target, &port) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

int target_protect_parse(struct target *target, const char *const *texts, bool allow_ssh, struct error *err)
{
	int ret = allow_ssh ? 0 : protect_text(target, PROTECT_DEFAULT, err);

	for (size_t i = 0; !ret && texts && texts[i]; i++)
		ret = protect_text(target, texts[i], err);
	return ret;
}

json_t *target_protect_json(const struct target *target)
{
	json_t *list = json_array();

	for (size_t i = 0; i < target->protect_count; i++) {
		char text[ENDPOINT_TEXT_SIZE];

		json_array_append_new(list, json_string(protect_format(&target->protect[i], text)));
	}
	return list;
}
