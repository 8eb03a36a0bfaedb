/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File calls that are held or refused: a process of its own asks the kernel (fanotify) to be asked about each call on
 * the target's files, and answers late, with an error, or not at all. For calls/ and the types that use it only.
 */
#pragma once

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chaos/disk/disk.h"
#include "chaos/type.h"
#include "eval_calls.h"
#include "util/clock.h"
#include "util/error.h"

struct bpf_object;
struct fault_spec;

#define CALLS_ROOTS 16 /* data_dirs of one fault */
#define CALLS_STALL_FILES 256
/* Names of the processes. */
#define CALLS_PROCESS "eval-calls"
#define CALLS_STALL_PROCESS "eval-stall"

enum calls_effect {
	CALLS_DELAY,
	CALLS_REFUSE,
	CALLS_HANG,
	CALLS_FILL /* refuses calls beyond the space */,
	CALLS_STALL
};

struct calls_request {
	enum calls_effect effect;
	uint64_t min_ns, max_ns;     /* CALLS_DELAY */
	uint64_t stall_ns, every_ns; /* CALLS_STALL: how long, and from one beginning to the next */
	int refusal;                 /* CALLS_REFUSE, CALLS_FILL: a positive errno */
	double percent;              /* of the calls; unless every or first is not 0 */
	uint64_t every, first;       /* each Nth call; the first N calls */
	struct disk_request space;   /* CALLS_FILL */
	unsigned int operations;     /* a bit per enum eval_call */
	const json_t *files;         /* globs, borrowed; NULL: all */
	uint64_t seed;
};

/* The fields that the types share: `operation`, `files`, and `engine` of those that hold calls. */
#define CALLS_FIELD_OPERATION(verb) \
	{ \
		.name = "operation", .type = FIELD_CHOICE, .choices = calls_operations, .fallback = "\"any\"", \
		.arg = "read|write|any", \
		.help = "which calls " verb "; write includes fallocate and truncate (default: any)" \
	}
#define CALLS_FIELD_FILES \
	{ \
		.name = "files", .type = FIELD_GLOBS, .arg = "LIST", \
		.help = "globs: a file's name, or with a / its path below the data_dir (default: every file)" \
	}
#define CALLS_FIELD_ENGINE \
	{ \
		.name = "engine", .type = FIELD_CHOICE, .choices = calls_engines, .fallback = "\"auto\"", \
		.arg = "auto|precontent|permission", \
		.help = "precontent needs Linux 6.14, permission has reads only (default: auto, precontent if " \
			"possible)" \
	}
extern const char *const calls_engines[];
extern const char *const calls_operations[];

/* request.c */
/* For struct chaos_ops: at most one of percent, every and first; percent above 0. */
int calls_check(const json_t *params, const char **field, struct error *err);
/* For types that only delay: writes need precontent, reads do not. */
extern const struct chaos_requirement calls_requires[];
struct calls_request calls_request_of(const struct fault_spec *spec, enum calls_effect effect);
struct eval_call_draw calls_draw_of(const struct calls_request *request);
/* Whether call number n (from 0) of those that match is hit; if it is to be delayed, by how much. */
bool calls_draw(const struct calls_request *request, uint64_t n, uint64_t *delay_ns);
/*
 * True if a glob matches the file at path. A glob without a slash is for its name; one with, for its path below the
 * folder at root or, if the path is not there (another mount namespace), for the end of its path.
 */
bool calls_file_matches(const json_t *globs, const char *const *roots, size_t root_count, const char *path);
/* The errno of a name, "EIO"; 0 if calls cannot be refused with it. */
int calls_errno(const char *name);
extern const char *const calls_errnos[];

/* caller.c: who calls, and what. */
struct callers;
/* A system call's number and arguments. */
struct system_call {
	long number; /* -1: in none, for example a page fault */
	unsigned long args[6];
};
/* Reads /proc/TID/syscall: 0, -EAGAIN if the thread runs, or -ESRCH. */
int caller_read_call(int syscall_fd, struct system_call *call);
/* True if the thread's cgroup, or one above it, has this id. cgroup_root is cgroup_root_open()'s. */
bool caller_is_in_cgroup(int cgroup_root, pid_t thread, uint64_t id);
struct caller {
	bool is_own;     /* an eval: never touched */
	bool in_cgroup;  /* or no cgroup is given */
	bool is_uring;   /* the call is io_uring's */
	pid_t submitter; /* one of io_uring's own threads makes it, for this thread; 0: the thread itself */
	enum eval_call call;
	bool exact; /* length is the call's own, not that of whole pages */
	uint64_t offset, length;
	int descriptor; /* the caller's, of a write; -1: not known */
	int mode;       /* of fallocate */
};

/* Keeps a descriptor for each of up to threads_max threads. cgroup_id (NULL: none is given) is read at each call: a
 * unit that restarts gets a new cgroup. */
int callers_new(struct callers **out, const volatile __u64 *cgroup_id, size_t threads_max, struct error *err);
/* Looks at the thread that waits for an answer about the file behind file_fd. */
void callers_look(struct callers *callers, pid_t thread, int file_fd, struct caller *out);
/* The position and flags (open(2)) of a thread's descriptor. */
bool caller_descriptor(pid_t thread, int descriptor, uint64_t *position, uint64_t *flags);

/* marks.c: the folders below the data_dirs whose files the kernel asks about. */
struct marks {
	int fan_fd, changes_fd; /* fanotify, inotify */
	uint64_t mask;          /* the event, FAN_PRE_ACCESS or FAN_ACCESS_PERM */
	const int *root_fds;
	size_t root_count;
	struct marked_folder *folders; /* by watch descriptor, ascending */
	size_t count, room;
	uint64_t lost;
	int first_error;            /* of a folder that was lost */
	void (*between)(void *arg); /* called every few folders: calls on those that are marked wait already */
	void *between_arg;
};
/* Marks every folder below the roots. A root that cannot be marked is an error, other folders count as lost. */
int marks_set(struct marks *marks);
/* Follows new, moved and removed folders. */
void marks_follow(struct marks *marks);

/* walk.c: the folders below a data_dir; paths are below it, "" is itself. */
struct calls_walk {
	/* Each folder, before what is in it; an error leaves it out. */
	int (*folder)(void *arg, int fd, const char *path);
	/* Each entry that may be a regular file; NULL: none is asked for. */
	void (*file)(void *arg, int parent, const char *name, const char *path);
	/* What is left out, for a negative errno. */
	void (*lost)(void *arg, int code);
	void *arg;
};
/* Fails only if the root is left out. */
int calls_walk(const struct calls_walk *walk, int root_fd);
/* From a folder in the folder at path. */
void calls_walk_child(const struct calls_walk *walk, int parent, const char *name, const char *path);
/* The id of the mount that the file is on. */
uint64_t calls_mount_of(int fd);

/* engine.c */
struct calls_engine {
	const char *name;
	unsigned int class; /* of the fanotify group */
	uint64_t mask;
};
extern const struct calls_engine calls_precontent, calls_permission;
/* CALLS_STALL's, which asks nobody. */
extern const struct calls_engine calls_lock;
/* Opens a group for the engine; a negative errno if the kernel refuses. */
int calls_group_open(const struct calls_engine *engine);
/* Picks the engine that carries the request, with why it is not the first in *why (.code 0: it is). */
int calls_choose(const struct calls_engine **out, const struct fault_spec *spec, const struct calls_request *request,
		 struct error *why, struct error *err);

/*
 * opened.c: a text, a new reference, about files that processes opened, or may have opened, before the kernel could be
 * made to ask about them; NULL if there are none.
 */
json_t *calls_opened_before(const struct fault_spec *spec);

/* serve.c: the process. */
struct calls_server {
	const struct calls_engine *engine;
	const struct calls_request *request;
	const volatile struct eval_ctl *ctl; /* deadline, lease and cgroup, shared */
	struct eval_calls *shared;
	bool has_cgroup;     /* only calls from ctl->cgroup_id */
	const int *root_fds; /* of the data_dirs */
	size_t root_count;
	int socket; /* the holder's; its end ends the process */
};
/* The first message on the socket is a struct error: code 0, the folders are marked, or why they are not. */
_Noreturn void calls_serve(const struct calls_server *server);

/* stall.c: the process of CALLS_STALL, the same way. */
_Noreturn void calls_stall(const struct calls_server *server);

/* process.c: what both processes have in common. */
/* eval's own binary, and whether a process, by its exe in /proc, runs it. */
struct calls_program {
	dev_t device;
	ino_t inode;
};
int calls_program_find(struct calls_program *out, struct error *err);
bool calls_program_is(const struct calls_program *program, int directory_fd, const char *exe);
/* How soon an end from outside is seen (cleanup --now, the lease): they only store to memory. */
#define CALLS_LOOK_NS (10 * NSEC_PER_MSEC)
/* Raises the limit of descriptors to what is wanted, as far as that is allowed. */
int calls_raise_descriptors(size_t *allowed, size_t wanted, size_t least, struct error *err);
/* Makes the forked process one that ends with its holder; with->root_fds are in roots then. */
void calls_process_begin(struct calls_server *with, const char *name, int roots[CALLS_ROOTS]);
bool calls_is_live(const struct calls_server *server, uint64_t now_ns);
/* Tells the holder that the process runs. */
void calls_beat(const struct calls_server *server, uint64_t now_ns);
/* "" if it cannot be told. */
void calls_path_of(int fd, char *out, size_t size);
void calls_count_delay(struct eval_histogram *histogram, uint64_t ns);
/* Counts a call on the file behind fd that was held; call->file is filled in. */
void calls_count_held(struct eval_calls *shared, const struct eval_slow_call *call, int fd);

/* share.c */
/* Refuses more than count_max data_dirs, and the host's root folder. */
int calls_check_directories(const struct target *target, size_t count_max, struct error *err);
/* Maps the object's eval_calls, shared with bpf-status, and sets its data_dirs and ctl_map. */
int calls_share(struct eval_calls **out, struct bpf_object *obj, const struct target *target, struct error *err);

/* refuse.c: the engine bpf of io_error, which refuses calls in the kernel. */
extern const struct disk_engine calls_refuse_engine;

/* fault.c: the fanotify engines, for struct chaos_ops. */
int calls_prepare(struct fault *fault, void **state, enum calls_effect effect, struct error *err);
/* The same for a type with other engines; sets *shown to the name of the one that is used. */
int calls_open(void **state, const struct fault_spec *spec, enum calls_effect effect, const char **shown,
	       struct error *err);
int calls_activate(void *state, uint64_t duration_ns, struct error *err);
int calls_renew(void *state, uint64_t lease_ns, struct error *err);
void calls_stop(void *state);
int calls_revert(void *state, struct error *err);
json_t *calls_evidence(void *state);
void calls_free(void *state);

/* live.c */
json_t *calls_to_json(const struct eval_calls *calls, const char *engine);
json_t *calls_stalls_to_json(const struct eval_calls *calls, const char *engine);
void calls_describe(char *out, size_t size, const json_t *evidence);
void calls_live(const struct live_fault *live, json_t *out);
