/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads the addresses of a target and of its peers: host names are looked up, networks of its own become addresses. */
#include <errno.h>
#include <string.h>

#include "net/endpoint.h"
#include "net/route.h"
#include "target/internal.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/json.h"

#define ENDPOINTS_FIRST 16

struct endpoint_list {
	struct endpoint *items;
	size_t count, room;
};

static int list_add(struct endpoint_list *list, const struct endpoint *endpoint)
{
	struct endpoint *items = array_reserve(list->items, list->count, &list->room, ENDPOINTS_FIRST, sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count++] = *endpoint;
	return 0;
}

/* Host names that wait to be looked up. */
struct wanted {
	const char **texts, **names;
	struct host_name *hosts;
	size_t count;
	struct endpoint_list *list;
	json_t *found; /* {TEXT: [ADDRESS]} */
};

static void wanted_clear(struct wanted *wanted)
{
	free(wanted->texts);
	free(wanted->names);
	free(wanted->hosts);
}

static int add_found(size_t name, const struct endpoint *address, void *data)
{
	struct wanted *wanted = data;
	struct endpoint endpoint = *address;
	char text[ENDPOINT_TEXT_SIZE];
	json_t *addresses = json_object_get(wanted->found, wanted->texts[name]);

	endpoint.port = wanted->hosts[name].port;
	endpoint.last_port = wanted->hosts[name].last_port;
	if (!addresses) {
		addresses = json_array();
		json_object_set_new(wanted->found, wanted->texts[name], addresses);
	}
	if (json_array_append_new(addresses, json_string(endpoint_format(address, text))))
		return -ENOMEM;
	return list_add(wanted->list, &endpoint);
}

static int read_one(struct wanted *wanted, const char *text, address_parse parse, struct error *err)
{
	struct endpoint endpoint;
	int ret;

	if (host_name_parse(&wanted->hosts[wanted->count], text)) {
		wanted->names[wanted->count] = wanted->hosts[wanted->count].name;
		wanted->texts[wanted->count++] = text;
		return 0;
	}
	ret = parse(&endpoint, text, err);
	if (ret)
		return ret;
	return list_add(wanted->list, &endpoint) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int read_all(struct wanted *wanted, const char *const *texts, size_t total, address_parse parse, int netns_fd,
		    const char *netns, struct error *err)
{
	int ret = 0;

	wanted->texts = calloc(total + 1, sizeof(*wanted->texts));
	wanted->names = calloc(total + 1, sizeof(*wanted->names));
	wanted->hosts = calloc(total + 1, sizeof(*wanted->hosts));
	if (!wanted->texts || !wanted->names || !wanted->hosts)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !ret && i < total; i++)
		ret = read_one(wanted, texts[i], parse, err);
	if (ret || !wanted->count)
		return ret;
	return target_look_up(netns_fd, netns, wanted->names, wanted->count, add_found, wanted, err);
}

int target_read_addresses(struct endpoint **out, size_t *count, const char *const *texts, address_parse parse,
			  int netns_fd, const char *netns, json_t *names, struct error *err)
{
	struct endpoint_list list = {};
	struct wanted wanted = {.list = &list, .found = names};
	size_t total = 0;
	int ret;

	while (texts && texts[total])
		total++;
	ret = read_all(&wanted, texts, total, parse, netns_fd, netns, err);
	wanted_clear(&wanted);
	if (ret) {
		free(list.items);
		return ret;
	}
	*out = list.items;
	*count = list.count;
	return 0;
}

const struct endpoint *target_find_peer(const struct target *target, const uint8_t address[16])
{
	for (size_t i = 0; i < target->peer_count; i++)
		if (endpoint_covers(&target->peers[i], address))
			return &target->peers[i];
	return NULL;
}

int target_expand_networks(struct target *target, struct error *err)
{
	_cleanup_route_addresses_ struct route_addresses own = {};
	struct endpoint_list list = {};
	int ret = 0;

	for (size_t i = 0; !ret && i < target->local_count; i++) {
		const struct endpoint *local = &target->locals[i];
		char text[ENDPOINT_TEXT_SIZE];
		size_t before = list.count;

		if (!endpoint_is_network(local)) {
			ret = list_add(&list, local);
			continue;
		}
		if (!own.items)
			ret = route_own_addresses(&own, err);
		for (size_t j = 0; !ret && j < own.count; j++)
			if (endpoint_covers(local, own.items[j].endpoint.address))
				ret = list_add(&list, &own.items[j].endpoint);
		if (!ret && list.count == before)
			ret = error_set(err, -EADDRNOTAVAIL, "the target has no address in %s: wrong netns or network?",
					endpoint_format(local, text));
	}
	if (ret == -ENOMEM)
		error_set(err, ret, "out of memory");
	if (ret) {
		free(list.items);
		return ret;
	}
	free(target->locals);
	target->locals = list.items;
	target->local_count = list.count;
	return 0;
}
