/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is asked for: which calls, which files, and how many of them are hit. */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "eval_abi.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define BIT(call) (1U << (call))
#define CALLS_ALL (BIT(EVAL_CALLS) - 1)
#define CALLS_WRITE (BIT(EVAL_CALL_WRITE) | BIT(EVAL_CALL_FALLOCATE) | BIT(EVAL_CALL_TRUNCATE))

const char *const calls_engines[] = {"auto", "precontent", "permission", NULL};
const char *const calls_operations[] = {"read", "write", "any", NULL};

/* Those that the kernel takes from fanotify (FAN_DENY_ERRNO). */
const char *const calls_errnos[] = {"EIO", "ENOSPC", "EDQUOT", "EPERM", "EBUSY", "EAGAIN", "ETXTBSY", NULL};

int calls_errno(const char *name)
{
	static const int numbers[] = {EIO, ENOSPC, EDQUOT, EPERM, EBUSY, EAGAIN, ETXTBSY};

	for (size_t i = 0; calls_errnos[i]; i++)
		if (!strcmp(name, calls_errnos[i]))
			return numbers[i];
	return 0;
}

const struct chaos_requirement calls_requires[] = {
	{.feature = FEATURE_PRECONTENT, .param = "engine", .value = "precontent"},
	{.feature = FEATURE_PRECONTENT, .param = "operation", .value = "any"},
	{.feature = FEATURE_PRECONTENT, .param = "operation", .value = "write"},
	{},
};

int calls_check(const json_t *params, const char **field, struct error *err)
{
	static const char *const ways[] = {"percent", "every", "first"};
	const char *given = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!json_object_get(params, ways[i]))
			continue;
		*field = ways[i];
		if (given)
			return error_set(err, -EINVAL, "%s and %s exclude each other", given, ways[i]);
		given = ways[i];
	}
	*field = "percent";
	if (json_object_get(params, "percent") && json_number_at(params, "percent") <= 0)
		return error_set(err, -EINVAL, "percent must be above 0");
	*field = "engine";
	if (!strcmp(json_text_or(params, "engine", ""), "permission") &&
	    strcmp(json_text_or(params, "operation", ""), "read") != 0)
		return error_set(err, -EINVAL, "engine: permission has reads only: it needs operation: read");
	*field = "files";
	if (!strcmp(json_text_or(params, "engine", ""), "bpf") && json_object_get(params, "files"))
		return error_set(err, -EINVAL, "engine: bpf takes every file: files needs engine: precontent");
	return 0;
}

static unsigned int operations_of(const char *text)
{
	if (!strcmp(text, "read"))
		return BIT(EVAL_CALL_READ);
	return strcmp(text, "write") ? CALLS_ALL : CALLS_WRITE;
}

static uint64_t ns_of(const json_t *params, const char *name)
{
	const json_t *value = json_object_get(params, name);

	return value ? (uint64_t)(json_number_value(value) * (double)NSEC_PER_MSEC) : 0;
}

struct calls_request calls_request_of(const struct fault_spec *spec, enum calls_effect effect)
{
	const json_t *params = spec->params, *percent = json_object_get(params, "percent");

	return (struct calls_request){
		.effect = effect,
		.min_ns = ns_of(params, "min_ms"),
		.max_ns = ns_of(params, "max_ms"),
		.stall_ns = ns_of(params, "stall_ms"),
		.every_ns = ns_of(params, "every_ms"),
		.refusal = calls_errno(fault_text_param(spec, "errno")),
		.percent = percent ? json_number_value(percent) : 100,
		.every = (uint64_t)json_integer_at(params, "every"),
		.first = (uint64_t)json_integer_at(params, "first"),
		.space = disk_request_of(spec),
		.operations = operations_of(fault_text_param(spec, "operation")),
		.files = json_object_get(params, "files"),
		.seed = spec->seed,
	};
}

struct eval_call_draw calls_draw_of(const struct calls_request *request)
{
	return (struct eval_call_draw){
		.seed = request->seed,
		.every = request->every,
		.first = request->first,
		.share = (uint64_t)ldexp(request->percent / 100, 53),
	};
}

bool calls_draw(const struct calls_request *request, uint64_t n, uint64_t *delay_ns)
{
	const struct eval_call_draw draw = calls_draw_of(request);

	*delay_ns = eval_draw_ns(request->seed, 2 * n + 1, request->min_ns, request->max_ns);
	return eval_call_is_hit(&draw, n);
}

/* The part of path below the folder at root; NULL if it is not below. */
static const char *below(const char *root, const char *path)
{
	size_t length = strlen(root);

	/* The root folder's own name is "/". */
	if (length == 1)
		return path + 1;
	return !strncmp(path, root, length) && path[length] == '/' ? path + length + 1 : NULL;
}

static const char *below_any(const char *const *roots, size_t root_count, const char *path)
{
	for (size_t i = 0; i < root_count; i++)
		if (below(roots[i], path))
			return below(roots[i], path);
	return NULL;
}

static bool matches_end(const char *glob, const char *path)
{
	for (const char *at = path; at; at = *at ? strchr(at + 1, '/') : NULL)
		if (!fnmatch(glob, at + (*at == '/'), FNM_PATHNAME))
			return true;
	return false;
}

bool calls_file_matches(const json_t *globs, const char *const *roots, size_t root_count, const char *path)
{
	const char *name = strrchr(path, '/'), *relative = below_any(roots, root_count, path);
	const json_t *one;
	size_t i;

	json_array_foreach (globs, i, one) {
		const char *glob = json_string_value(one);

		if (!strchr(glob, '/') ? !fnmatch(glob, name ? name + 1 : path, 0)
		    : relative         ? !fnmatch(glob, relative, FNM_PATHNAME)
				       : matches_end(glob, path))
			return true;
	}
	return false;
}
