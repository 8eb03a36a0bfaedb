/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds root's sshd sockets in the calling thread's network namespace, by address and port, from the socket table and
 * the descriptors of sshd's processes: the user may be logged in through one, also under sudo (which strips
 * SSH_CONNECTION) or tmux. Binary and user identify sshd, not the name, which every process can choose.
 */
#include "target/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/endpoint.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/procfs.h"

struct socket_row {
	uint64_t inode;
	struct protect_port local;
	bool is_any, is_sshd;
};

struct socket_table {
	struct socket_row *rows;
	size_t count, room;
};

/* The kernel prints an address as words in host byte order: "0100007F" is 127.0.0.1 on a little-endian machine. */
static bool row_parse(struct socket_row *row, const char *line)
{
	struct endpoint local = {};
	uint32_t words[4] = {};
	unsigned int port;
	char hex[33];
	size_t count;

	if (sscanf(line, " %*d: %32[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %" SCNu64, hex, &port, &row->inode) !=
		    3 ||
	    !row->inode)
		return false;
	count = strlen(hex) / 8;
	if (count != 1 && count != 4)
		return false;
	for (size_t i = 0; i < count; i++)
		sscanf(hex + 8 * i, "%8" SCNx32, &words[i]);
	row->is_any = !(words[0] | words[1] | words[2] | words[3]);
	row->local = (struct protect_port){.protocol = IPPROTO_TCP, .port = (uint16_t)port, .local_only = true};
	if (!row->is_any && endpoint_from_bytes(&local, words, count * sizeof(*words)))
		memcpy(row->local.address, local.address, sizeof(local.address));
	return true;
}

static int table_read(struct socket_table *table, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[512];

	/* A kernel without IPv6 has no tcp6. */
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), f)) {
		struct socket_row row = {}, *rows;

		if (!row_parse(&row, line))
			continue;
		rows = array_reserve(table->rows, table->count, &table->room, 256, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		rows[table->count++] = row;
	}
	return ferror(f) ? -EIO : 0;
}

/* "sshd", "sshd-session" (OpenSSH 9.8), "sshd-auth" (10.0), "sshd.pam" (Alpine), "dropbear", "dropbearmulti". */
static bool is_sshd_name(const char *name)
{
	return (!strncmp(name, "sshd", 4) && strchr("-.", name[4])) || !strcmp(name, "dropbear") ||
	       !strcmp(name, "dropbearmulti");
}

/* 1 if sshd. A binary that others can write is not trusted; if access to the binary is denied, the name decides. */
static int process_is_sshd(int proc_fd)
{
	struct procfs_binary binary;
	int ret = procfs_root_binary(proc_fd, &binary);

	return ret <= 0 ? ret : (binary.is_trusted || !binary.known) && is_sshd_name(binary.name);
}

static void mark_socket(struct socket_table *table, uint64_t inode)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].inode == inode)
			table->rows[i].is_sshd = true;
}

static int mark_sockets_of(struct socket_table *table, int proc_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int ret = procfs_without_gone(-errno);

		fd_close(fd);
		return ret;
	}
	while ((entry = readdir(dir))) {
		char link[64];
		uint64_t inode;
		ssize_t size = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (*entry->d_name == '.')
			continue;
		if (size < 0 && procfs_without_gone(-errno))
			return -errno;
		if (size <= 0)
			continue;
		link[size] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
			mark_socket(table, inode);
	}
	return 0;
}

static int look_at(struct socket_table *table, const char *pid)
{
	_cleanup_close_ int proc_fd = procfs_open(pid);
	int ret = proc_fd < 0 ? procfs_without_gone(proc_fd) : process_is_sshd(proc_fd);

	return ret <= 0 ? ret : mark_sockets_of(table, proc_fd);
}

/* True if another of sshd's sockets has the port on all addresses. */
static bool is_covered(const struct socket_table *table, const struct socket_row *row)
{
	for (size_t i = 0; !row->is_any && i < table->count; i++)
		if (table->rows[i].is_sshd && table->rows[i].is_any && table->rows[i].local.port == row->local.port)
			return true;
	return false;
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
	while (!ret && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = look_at(&table, entry->d_name);
	for (size_t i = 0; !ret && i < table.count; i++)
		if (table.rows[i].is_sshd && !is_covered(&table, &table.rows[i]))
			ret = target_protect_add(target, &table.rows[i].local);
	free(table.rows);
	return ret ? error_set_errno(err, ret, "cannot find sshd's connections, which must not be touched") : 0;
}
