/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The target of a fault: one node of this host, opened by descriptor and checked, with the addresses that identify its
 * traffic.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/device.h"
#include "net/endpoint.h"
#include "util/error.h"
#include "util/fs_stack.h"
#include "util/host_lock.h"

/* What a fault acts on. */
enum target_kind {
	TARGET_NETWORK, /* the node's traffic, on devices */
	TARGET_DISK,    /* the file systems below its data_dirs */
};

/* Strings have their placeholders expanded. Lists end with NULL; a missing string or list is NULL. */
struct target_spec {
	const char *node;             /* for messages and records */
	const char *const *addresses; /* IP addresses and networks with or without ports, or host names */
	const char *netns;            /* name under /run/netns, path, or pid; NULL: this host's */
	const char *interface;        /* NULL: each device that routes to a peer */
	const char *cgroup;           /* cgroup v2 path; NULL or "": none */
	const char *const *peers;     /* of every peer to which the fault may cut or delay traffic; as addresses */
	bool peers_all;               /* every address, whatever peers says */
	bool needs_own_traffic;       /* connections that the node opens itself must be recognised as well */
	const char *const *data_dirs;
	enum target_kind kind;      /* addresses and data_dirs identify the node whatever the kind */
	const char *const *protect; /* in addition to PROTECT_DEFAULT */
	const char *const *allow;   /* names of guards switched off */
};

struct target_directory {
	char *path; /* for messages; the fault uses fd */
	int fd;
	dev_t device;
	ino_t inode;
	struct fs_stack fs;
	struct error fs_unknown; /* why fs is incomplete; .code 0: it is complete */
};

struct target {
	char *node;
	int netns_fd; /* always open, also for the host's own */
	uint64_t netns_ino;
	bool own_netns; /* netns differs from the caller's: all of its traffic is the node's */
	struct net_device *devices;
	size_t device_count;
	int route_events;        /* tells that routes, addresses or devices have changed; -1 if the device was named */
	json_t *names;           /* {host name as it was given: [its addresses]} */
	struct endpoint *locals; /* the node's addresses */
	size_t local_count;
	struct endpoint *peers;
	size_t peer_count;
	bool peers_all;
	struct protect_port *protect; /* requested, plus PROTECT_DEFAULT and sshd's sockets in the target's netns */
	size_t protect_count;
	struct target_directory
		*directories; /* the data_dirs of a disk fault, which has no devices, peers or addresses */
	size_t directory_count;
	bool allow_root_fs, allow_shared_fs;
	char *cgroup_path;         /* absolute; NULL: none */
	unsigned int cgroup_level; /* from the host's root, whatever the cgroup namespace */
	struct host_lock claim;    /* one fault at a time per target on a host: target/lock.c */
};

/*
 * Opens and checks the target on the live host: namespace, devices (named, or by route lookup to each peer),
 * addresses, sshd's ports, guards, lock. Errors say what is wrong and what would be right. *out is untouched on
 * failure. Call from the host's own network namespace; it is restored on return.
 */
int target_open(struct target **out, const struct target_spec *spec, struct error *err);
void target_free(struct target *target);

/* Returns the protected ports as protect_format() writes them; empty for a disk fault. */
json_t *target_protect_json(const struct target *target);

/* The names of its devices, and the paths of its data_dirs. */
json_t *target_devices_json(const struct target *target);
json_t *target_directories_json(const struct target *target);
/* The same as "PATH,PATH", for people. */
void target_directories_text(const struct target *target, char *out, size_t size);

/* Returns the current id of the target's cgroup, 0 if it does not exist; a unit that restarts gets another id. */
uint64_t target_cgroup_id(const struct target *target);

/* A node is local if it has a netns or owns one of its addresses here; without addresses, if it has a data_dir. */
bool target_is_local(const char *netns, const char *const *addresses, const char *const *data_dirs);

/*
 * -ENETRESET if packets from or to the peers may now take a device that target_open() did not find. Costs one system
 * call as long as no route, address or device of the namespace changes.
 */
int target_check_routes(const struct target *target, struct error *err);

/* The first peer whose address it is, or in whose network it is; NULL: none. */
const struct endpoint *target_find_peer(const struct target *target, const uint8_t address[16]);

/* Enters the target's network namespace; *saved gets a descriptor for target_leave_netns. */
int target_enter_netns(const struct target *target, int *saved, struct error *err);
void target_leave_netns(int *saved);
