/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fill engine, which takes the space with a file without a name: it ends with this process. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chaos/disk/disk.h"
#include "chaos/fault.h"
#include "chaos/session.h"
#include "eval_disk.h"
#include "holder.skel.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* A single call for all could not be interrupted: we check between steps whether to go on. */
#define FILL_STEP_BYTES (64ULL << 20)
/* Less than a block of any file system: the disk is as full as it gets. */
#define FILL_STEP_BYTES_MIN 512
/* Left free if the host or a campaign's database shares the file system: enough for a campaign's records. */
#define FILL_MARGIN_BYTES (16ULL << 20)
/* A hit: the available space fell by this share of the requested bytes. */
#define EVIDENCE_SHARE 0.99

struct fill_file {
	const struct target_directory *directory;
	int fd;
	bool keeps_margin;
	uint64_t asked_bytes, available_bytes; /* at the start */
	uint64_t filled_bytes, fell_bytes;
};

struct disk_fill {
	const struct fault_spec *spec;
	struct holder_bpf *skel;
	struct session *session;
	struct eval_disk *shared; /* with bpf-status */
	struct fill_file *files;  /* one per file system */
	size_t file_count;
	uint64_t first_hit_ns;
};

static const struct fill_file *find_file(const struct disk_fill *fill, const struct fs_stack *fs)
{
	for (size_t i = 0; i < fill->file_count; i++)
		if (fs_stack_meets(&fill->files[i].directory->fs, fs))
			return &fill->files[i];
	return NULL;
}

static int file_open(struct fill_file *file, const struct target *target, const struct target_directory *directory,
		     struct error *err)
{
	int ret;

	file->directory = directory;
	file->fd = -1;
	ret = disk_guard_fill(target, directory, &file->keeps_margin, err);
	if (ret)
		return ret;
	file->fd = openat(directory->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file->fd >= 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return error_set(err, -EOPNOTSUPP,
				 "engine: fill needs files without a name (O_TMPFILE), which the file system of "
				 "data_dir '%s' does not have",
				 directory->path);
	return error_set_errno(err, -errno, "cannot make a file in data_dir '%s'", directory->path);
}

static void fill_free(void *state)
{
	struct disk_fill *fill = state;

	if (!fill)
		return;
	for (size_t i = 0; i < fill->file_count; i++)
		fd_close(fill->files[i].fd);
	session_free(fill->session);
	if (fill->shared)
		munmap(fill->shared, sizeof(*fill->shared));
	holder_bpf__destroy(fill->skel);
	free(fill->files);
	free(fill);
}

static int open_files(struct disk_fill *fill, struct error *err)
{
	const struct target *target = fill->spec->target;
	int ret = 0;

	fill->files = calloc(target->directory_count, sizeof(*fill->files));
	if (!fill->files)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !ret && i < target->directory_count; i++) {
		const struct target_directory *directory = &target->directories[i];

		if (find_file(fill, &directory->fs))
			continue;
		ret = file_open(&fill->files[fill->file_count++], target, directory, err);
	}
	return ret;
}

static int open_session(struct disk_fill *fill, struct error *err)
{
	int ret;

	fill->skel = holder_bpf__open();
	if (!fill->skel)
		return error_set_errno(err, -errno, "cannot open the control block");
	ret = object_load(fill->skel->obj, err);
	if (!ret)
		ret = disk_share(&fill->shared, fill->skel->obj, fill->spec->target, err);
	return ret ? ret : chaos_session_new(&fill->session, fill->skel->obj, fill->spec, NULL, "fill", err);
}

static int fill_open(void **state, const struct fault_spec *spec, const char **shown, struct error *err)
{
	struct disk_fill *fill = calloc(1, sizeof(*fill));
	int ret;

	if (!fill)
		return error_set(err, -ENOMEM, "out of memory");
	fill->spec = spec;
	ret = open_files(fill, err);
	if (!ret)
		ret = open_session(fill, err);
	if (ret) {
		fill_free(fill);
		return ret;
	}
	*shown = "fill";
	*state = fill;
	return 0;
}

/* Empties the file of a stopped fault: the last step may have filled it after fill_stop(). */
static int check_stopped(struct disk_fill *fill, struct fill_file *file, struct error *err)
{
	if (!session_is_stopped(fill->session))
		return 0;
	file->filled_bytes = 0;
	if (ftruncate(file->fd, 0))
		file->fd = fd_close(file->fd);
	return error_set(err, -ENODEV, "the fault was stopped while it took the space: by 'eval cleanup --now'?");
}

static int file_allocate(struct disk_fill *fill, struct fill_file *file, uint64_t bytes, struct error *err)
{
	uint64_t step_max = FILL_STEP_BYTES;

	while (file->filled_bytes < bytes && step_max >= FILL_STEP_BYTES_MIN) {
		uint64_t step = bytes - file->filled_bytes;
		int ret = check_stopped(fill, file, err);

		if (ret)
			return ret;
		session_renew(fill->session, clock_monotonic_ns() + LEASE_NS);
		fault_spec_renew_others(fill->spec);
		if (step > step_max)
			step = step_max;
		if (!fallocate(file->fd, 0, (off_t)file->filled_bytes, (off_t)step)) {
			file->filled_bytes += step;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EOPNOTSUPP)
			return error_set(
				err, -EOPNOTSUPP,
				"engine: fill needs fallocate, which the file system of data_dir '%s' does not "
				"have",
				file->directory->path);
		/* The file's metadata needs space too, or others took some: try smaller steps, to the last block. */
		if (errno == ENOSPC) {
			step_max = step / 2;
			continue;
		}
		return error_set_errno(err, -errno, "cannot take %" PRIu64 " bytes in data_dir '%s'", step,
				       file->directory->path);
	}
	return check_stopped(fill, file, err);
}

static bool is_seen(const struct fill_file *file)
{
	return (double)file->fell_bytes >= (double)file->asked_bytes * EVIDENCE_SHARE;
}

static void measure(struct disk_fill *fill, struct fill_file *file)
{
	uint64_t available;

	if (disk_available(file->directory->fd, &available))
		return;
	file->fell_bytes = available < file->available_bytes ? file->available_bytes - available : 0;
	if (!fill->first_hit_ns && is_seen(file))
		fill->first_hit_ns = clock_monotonic_ns();
}

static int keep_margin(struct fill_file *file, struct error *err)
{
	if (!file->keeps_margin || file->available_bytes - file->asked_bytes >= FILL_MARGIN_BYTES)
		return 0;
	if (file->available_bytes <= FILL_MARGIN_BYTES)
		return error_set(err, -ENOSPC,
				 "data_dir '%s' has %" PRIu64
				 " bytes left, and engine: fill leaves %llu of a file system "
				 "that the host or a campaign's database shares",
				 file->directory->path, file->available_bytes, FILL_MARGIN_BYTES);
	file->asked_bytes = file->available_bytes - FILL_MARGIN_BYTES;
	return 0;
}

static int file_fill(struct disk_fill *fill, struct fill_file *file, struct error *err)
{
	struct disk_request request = disk_request_of(fill->spec);
	int ret = disk_available(file->directory->fd, &file->available_bytes);

	if (ret)
		return error_set_errno(err, ret, "cannot ask data_dir '%s' for its space", file->directory->path);
	ret = disk_reserve(&file->asked_bytes, &request, file->available_bytes, file->directory->path, err);
	if (!ret)
		ret = keep_margin(file, err);
	if (ret)
		return ret;
	ret = file_allocate(fill, file, file->asked_bytes, err);
	if (ret)
		return ret;
	measure(fill, file);
	/* btrfs counts blocks as used only when its transaction commits. */
	if (!is_seen(file) && !syncfs(file->fd))
		measure(fill, file);
	return 0;
}

/* Shares the sums over all file systems with bpf-status. */
static void fill_show(const struct disk_fill *fill)
{
	uint64_t held = 0, left = 0, available;

	for (size_t i = 0; i < fill->file_count; i++) {
		held += fill->files[i].filled_bytes;
		left += disk_available(fill->files[i].fd, &available) ? 0 : available;
	}
	fill->shared->spaces[0].reserved_bytes = held;
	fill->shared->spaces[0].limit_bytes = left;
}

static int fill_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct disk_fill *fill = state;
	int ret = session_activate(fill->session, duration_ns, err);

	for (size_t i = 0; !ret && i < fill->file_count; i++)
		ret = file_fill(fill, &fill->files[i], err);
	fill_show(fill);
	return ret;
}

static void fill_release(struct disk_fill *fill)
{
	for (size_t i = 0; i < fill->file_count; i++)
		fill->files[i].fd = fd_close(fill->files[i].fd);
}

static int fill_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct disk_fill *fill = state;
	int ret = session_check(fill->session, err);

	if (ret) {
		fill_release(fill);
		return ret;
	}
	fill_show(fill);
	session_renew(fill->session, lease_ns);
	return 0;
}

/* Also called by a signal handler. Truncating gives the space back at once; so does the end of the process. */
static void fill_stop(void *state)
{
	struct disk_fill *fill = state;

	session_stop(fill->session);
	for (size_t i = 0; i < fill->file_count; i++)
		if (fill->files[i].fd >= 0 && ftruncate(fill->files[i].fd, 0))
			continue; /* fill_release() closes it */
}

static int fill_revert(void *state, struct error *err)
{
	struct disk_fill *fill = state;

	fill_stop(fill);
	fill_release(fill);
	return 0;
}

static json_t *fill_evidence(void *state)
{
	const struct disk_fill *fill = state;
	json_t *spaces = json_array();
	json_int_t hit = 0, bytes = 0;

	for (size_t i = 0; i < fill->file_count; i++) {
		const struct fill_file *file = &fill->files[i];

		hit += file->asked_bytes && is_seen(file);
		bytes += (json_int_t)file->filled_bytes;
		json_array_append_new(spaces,
				      json_pack("{s:o, s:b, s:I, s:I, s:I, s:I}", "data_dir",
						json_outside(file->directory->path), "keeps_margin", file->keeps_margin,
						"available_at_start_bytes", (json_int_t)file->available_bytes,
						"asked_bytes", (json_int_t)file->asked_bytes, "filled_bytes",
						(json_int_t)file->filled_bytes, "fell_bytes",
						(json_int_t)file->fell_bytes));
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:[]}", "engine", "fill", "seen", (json_int_t)fill->file_count,
			 "hit", hit, "bytes", bytes, "first_hit_ns",
			 fill->first_hit_ns ? json_integer((json_int_t)fill->first_hit_ns) : json_null(), "spaces",
			 spaces, "devices");
}

const struct disk_engine disk_fill_engine = {
	.name = "fill",
	.open = fill_open,
	.activate = fill_activate,
	.renew = fill_renew,
	.stop = fill_stop,
	.revert = fill_revert,
	.evidence = fill_evidence,
	.free = fill_free,
};
