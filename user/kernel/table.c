/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"

#define FIRST_ROOM 64

/* The part of struct bpf_link_info for tcx and XDP links; Debian 12's header predates tcx (Linux 6.6). */
struct link_device {
	__u32 ifindex;
	__u32 attach_type; /* tcx only */
};

static int read_programs(struct live_table *table)
{
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct program *grown = array_reserve(table->programs, table->program_count, &table->program_room,
						      FIRST_ROOM, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->programs = grown;
		grown[table->program_count] = (struct program){};
		table->program_count += !program_read(&grown[table->program_count], id);
	}
	return 0;
}

int live_link_read(struct live_link *attached, int fd)
{
	struct link_device device = {};
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return -ENOENT;
	if (info.type == LINK_TYPE_XDP || info.type == LINK_TYPE_TCX)
		memcpy(&device, &info.xdp, sizeof(device));
	*attached = (struct live_link){
		.id = info.id,
		.program_id = info.prog_id,
		.type = info.type,
		.ifindex = device.ifindex,
		.attach_type = device.attach_type,
	};
	return 0;
}

static int link_read(struct live_link *attached, __u32 id)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);

	return live_link_read(attached, fd);
}

static int read_links(struct live_table *table)
{
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct live_link *grown =
			array_reserve(table->links, table->link_count, &table->link_room, FIRST_ROOM, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->links = grown;
		table->link_count += !link_read(&grown[table->link_count], id);
	}
	return 0;
}

static int disk_read(struct live_disk *disk, __u32 id)
{
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || strcmp(info.name, EVAL_DISK_MAP) ||
	    info.value_size != sizeof(disk->disk) || bpf_map_lookup_elem(fd, &zero, &disk->disk))
		return -ENOENT;
	disk->map_id = id;
	return 0;
}

static int read_disks(struct live_table *table)
{
	__u32 id = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		struct live_disk *grown =
			array_reserve(table->disks, table->disk_count, &table->disk_room, 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->disks = grown;
		table->disk_count += !disk_read(&grown[table->disk_count], id);
	}
	return 0;
}

int live_table_read(struct live_table *table, struct error *err)
{
	struct live_table read = {};
	int ret = read_programs(&read) ?: read_links(&read) ?: read_disks(&read);

	if (ret) {
		live_table_clear(&read);
		error_set(err, ret, "out of memory");
	}
	*table = read;
	return ret;
}

void live_table_clear(struct live_table *table)
{
	free(table->programs);
	free(table->links);
	free(table->disks);
	*table = (struct live_table){};
}

const struct live_disk *live_table_disk(const struct live_table *table, __u32 ctl_map)
{
	for (size_t i = 0; i < table->disk_count; i++)
		if (table->disks[i].disk.ctl_map == ctl_map)
			return &table->disks[i];
	return NULL;
}

const struct program *live_table_next_program(const struct live_table *table, __u32 ctl_map,
					      const struct program *previous)
{
	const struct live_disk *disk = live_table_disk(table, ctl_map);

	for (size_t i = previous ? (size_t)(previous - table->programs) + 1 : 0; i < table->program_count; i++) {
		const struct program *program = &table->programs[i];

		/* Some programs of a disk fault use only one of the two maps. */
		if (program_has_map(program, ctl_map) || (disk && program_has_map(program, disk->map_id)))
			return program;
	}
	return NULL;
}

const struct live_link *live_table_next_link(const struct live_table *table, const struct program *program,
					     const struct live_link *previous)
{
	for (size_t i = previous ? (size_t)(previous - table->links) + 1 : 0; i < table->link_count; i++)
		if (table->links[i].program_id == program->id)
			return &table->links[i];
	return NULL;
}
