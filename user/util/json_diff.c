/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/json_diff.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 512

struct walk {
	char path[PATH_SIZE];
	void (*visit)(const char *path, const json_t *before, const json_t *after, void *data);
	void *data;
	size_t count;
};

static void compare(struct walk *walk, const json_t *before, const json_t *after);

static void descend_key(struct walk *walk, const char *name, const json_t *before, const json_t *after)
{
	size_t length = strlen(walk->path);

	snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s", length ? "." : "", name);
	compare(walk, before, after);
	walk->path[length] = '\0';
}

static void descend_element(struct walk *walk, const char *name, const json_t *before, const json_t *after)
{
	size_t length = strlen(walk->path);

	snprintf(walk->path + length, sizeof(walk->path) - length, "[%s]", name);
	compare(walk, before, after);
	walk->path[length] = '\0';
}

static void compare_objects(struct walk *walk, const json_t *before, const json_t *after)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)before, name, value)
		descend_key(walk, name, value, json_object_get(after, name));
	json_object_foreach ((json_t *)after, name, value)
		if (!json_object_get(before, name))
			descend_key(walk, name, NULL, value);
}

static const char *name_of(const json_t *element)
{
	return json_string_value(json_object_get(element, "name"));
}

static const json_t *find_named(const json_t *array, const char *name)
{
	const json_t *element;
	size_t i;

	json_array_foreach (array, i, element)
		if (name_of(element) && !strcmp(name_of(element), name))
			return element;
	return NULL;
}

static void compare_arrays(struct walk *walk, const json_t *before, const json_t *after)
{
	const json_t *element;
	char index[24];
	size_t i;

	json_array_foreach (before, i, element) {
		snprintf(index, sizeof(index), "%zu", i);
		if (name_of(element))
			descend_element(walk, name_of(element), element, find_named(after, name_of(element)));
		else
			descend_element(walk, index, element, json_array_get(after, i));
	}
	json_array_foreach (after, i, element) {
		snprintf(index, sizeof(index), "%zu", i);
		if (name_of(element) ? !find_named(before, name_of(element)) : i >= json_array_size(before))
			descend_element(walk, name_of(element) ? name_of(element) : index, NULL, element);
	}
}

static void compare(struct walk *walk, const json_t *before, const json_t *after)
{
	size_t so_far = walk->count;

	if (before && after && json_equal((json_t *)before, (json_t *)after))
		return;
	if (json_is_object(before) && json_is_object(after))
		compare_objects(walk, before, after);
	else if (json_is_array(before) && json_is_array(after))
		compare_arrays(walk, before, after);
	/* Visit the value itself only if nothing inside differs: a scalar, or a list in another order. */
	if (walk->count > so_far)
		return;
	walk->visit(walk->path, before, after, walk->data);
	walk->count++;
}

size_t json_diff(const json_t *before, const json_t *after,
		 void (*visit)(const char *path, const json_t *before, const json_t *after, void *data), void *data)
{
	struct walk walk = {.visit = visit, .data = data};

	compare(&walk, before, after);
	return walk.count;
}
