/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ports that sshd serves in the calling thread's network namespace, from the socket table and the descriptors
 * of the sshd processes: the way in of whoever runs us, also through sudo (which strips SSH_CONNECTION) or tmux.
 */
#include "target_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/process.h"

struct socket_row {
	uint64_t inode;
	uint16_t local_port;
};

struct socket_table {
	struct socket_row *rows;
	size_t count, room;
};

static int table_add(struct socket_table *table, uint64_t inode, uint16_t port)
{
	struct socket_row *rows = array_reserve(table->rows, table->count, &table->room, 256, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	table->rows[table->count++] = (struct socket_row){.inode = inode, .local_port = port};
	return 0;
}

static int table_read(struct socket_table *table, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[512];

	/* A kernel without IPv6 has no tcp6. */
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), f)) {
		unsigned int port;
		uint64_t inode;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &port, &inode) == 2 &&
		    inode && table_add(table, inode, (uint16_t)port))
			return -ENOMEM;
	}
	return ferror(f) ? -EIO : 0;
}

/* 1: it is. One that went away has nothing to protect; one that we cannot look at may have. */
static int process_is_sshd(const char *pid)
{
	char name[32];
	int ret = process_name(pid, name, sizeof(name));

	return ret ? process_without_gone(ret) : !strncmp(name, "sshd", 4);
}

static int protect_local_port(struct target *target, uint16_t port)
{
	struct protect_port *grown;

	for (size_t i = 0; i < target->protect_count; i++)
		if (target->protect[i].protocol == IPPROTO_TCP && target->protect[i].port == port)
			return 0;
	grown = realloc(target->protect, (target->protect_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	target->protect = grown;
	grown[target->protect_count++] = (struct protect_port){
		.protocol = IPPROTO_TCP,
		.port = port,
		.local_only = true,
	};
	return 0;
}

static int protect_sockets_of(struct target *target, const struct socket_table *table, const char *pid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return process_without_gone(-errno);
	while ((entry = readdir(dir))) {
		char link[64];
		uint64_t inode;
		ssize_t size = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (*entry->d_name == '.')
			continue;
		if (size < 0 && process_without_gone(-errno))
			return -errno;
		if (size <= 0)
			continue;
		link[size] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &inode) != 1)
			continue;
		for (size_t i = 0; i < table->count; i++)
			if (table->rows[i].inode == inode && protect_local_port(target, table->rows[i].local_port))
				return -ENOMEM;
	}
	return 0;
}

int target_protect_sshd(struct target *target, struct error *err)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct socket_table table = {};
	const struct dirent *entry;
	int ret;

	if (!proc)
		return error_set_errno(err, -errno, "cannot read /proc to find sshd's connections");
	ret = table_read(&table, "/proc/thread-self/net/tcp");
	if (!ret)
		ret = table_read(&table, "/proc/thread-self/net/tcp6");
	while (!ret && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		ret = process_is_sshd(entry->d_name);
		if (ret > 0)
			ret = protect_sockets_of(target, &table, entry->d_name);
	}
	free(table.rows);
	return ret ? error_set_errno(err, ret, "cannot find sshd's connections, which must not be touched") : 0;
}
