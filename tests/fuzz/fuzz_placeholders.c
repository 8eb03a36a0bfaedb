/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes the expansion of a node's data fields. The input's lines are the node's name, then netns (also used for
 * interface and cgroup), then addresses (also used for data_dirs).
 */
#include "fuzz.h"

#include "config/placeholder.h"
#include "net/endpoint.h"
#include "target/target.h"
#include "util/cleanup.h"

#define LINES_MAX 16

/* Text without '{' has no placeholder, so it must stay unchanged. */
static void check_text(const char *before, const char *after)
{
	promise(after);
	if (!strchr(before, '{'))
		promise(!strcmp(before, after));
}

static void check_address(const char *text)
{
	struct endpoint endpoint, again;
	char formatted[ENDPOINT_TEXT_SIZE];
	struct protect_port port;
	struct error err = {};

	if (protect_parse(&port, text, &err))
		promise(err.code && *err.text);
	else
		promise(port.port);
	err = (struct error){};
	if (endpoint_parse(&endpoint, text, &err)) {
		promise(err.code && *err.text);
		return;
	}
	promise(!endpoint_parse(&again, endpoint_format(&endpoint, formatted), NULL));
	promise(!memcmp(endpoint.address, again.address, sizeof(again.address)) && endpoint.port == again.port);
}

static void check_node(const struct node *node, const struct subject *subject, unsigned int instance)
{
	struct node once, twice;

	promise(!node_expand(&once, node, subject, instance, NULL));
	promise(once.addresses.count == node->addresses.count && !once.addresses.items[once.addresses.count]);
	check_text(node->netns, once.netns);
	check_text(node->interface, once.interface);
	check_text(node->cgroup, once.cgroup);
	promise(once.data_dirs.count == node->data_dirs.count && !once.data_dirs.items[once.data_dirs.count]);
	for (size_t i = 0; i < once.data_dirs.count; i++)
		check_text(node->data_dirs.items[i], once.data_dirs.items[i]);
	for (size_t i = 0; i < once.addresses.count; i++) {
		check_text(node->addresses.items[i], once.addresses.items[i]);
		check_address(once.addresses.items[i]);
	}
	promise(!node_expand(&twice, node, subject, instance, NULL));
	promise(!strcmp(once.netns, twice.netns));
	node_clear(&twice);
	node_clear(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	char *lines[LINES_MAX + 1] = {"", ""}, *rest = text;
	const struct subject subject = {.name = "lab"};
	struct node node = {0};
	size_t count = 0;

	while (rest && count < LINES_MAX)
		lines[count++] = strsep(&rest, "\n");
	node.name = lines[0];
	node.netns = node.interface = node.cgroup = count > 1 ? lines[1] : "";
	node.addresses = (struct strings){.items = lines + 2, .count = count > 2 ? count - 2 : 0};
	node.data_dirs = node.addresses;
	check_node(&node, &subject, (unsigned int)size);
	return 0;
}
