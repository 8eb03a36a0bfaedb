/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/features.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kernel/hook.h"
#include "net/device.h"
#include "net/tc.h"
#include "probe.skel.h"
#include "probe_disk.skel.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

static int probe_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

static void load_only(struct bpf_object *object, const char *name)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
}

/* Loads one program of the probe object. The caller destroys the result; NULL with errno on failure. */
static struct probe_bpf *probe_load(const char *name)
{
	struct probe_bpf *skel = probe_bpf__open();
	int ret;

	if (!skel)
		return NULL;
	load_only(skel->obj, name);
	ret = probe_bpf__load(skel);
	if (!ret)
		return skel;
	probe_bpf__destroy(skel);
	errno = -ret;
	return NULL;
}

static int probe_link(const char *name, enum bpf_attach_type type)
{
	struct probe_bpf *skel = probe_load(name);
	int ret;

	if (!skel)
		return -errno;
	ret = bpf_link_create(bpf_program__fd(bpf_object__find_program_by_name(skel->obj, name)),
			      DEVICE_LOOPBACK_IFINDEX, type, NULL);
	if (ret >= 0)
		ret = fd_close(ret) + 1;
	probe_bpf__destroy(skel);
	return ret;
}

static int probe_tcx(void)
{
	return probe_link("probe_tc", (enum bpf_attach_type)EVAL_BPF_TCX_EGRESS);
}

static int probe_clsact(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = DEVICE_LOOPBACK_IFINDEX, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts);
	struct probe_bpf *skel = probe_load("probe_tc");
	int ret;

	if (!skel)
		return -errno;
	opts.prog_fd = bpf_program__fd(skel->progs.probe_tc);
	ret = bpf_tc_hook_create(&hook);
	if (!ret)
		ret = bpf_tc_attach(&hook, &opts);
	probe_bpf__destroy(skel);
	return ret;
}

static int probe_xdp_link(void)
{
	return probe_link("probe_xdp", BPF_XDP);
}

static int probe_tap(void)
{
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (fd < 0)
		return -errno;
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : 0;
}

static int probe_sch_fq(void)
{
	return tc_try_fq(DEVICE_LOOPBACK_IFINDEX);
}

/* Loads one program of the disk probe object, or all if name is NULL. NULL with errno on failure. */
static struct probe_disk_bpf *load_disk(const char *name)
{
	struct probe_disk_bpf *skel = probe_disk_bpf__open();
	int ret;

	if (!skel)
		return NULL;
	if (name)
		load_only(skel->obj, name);
	ret = probe_disk_bpf__load(skel);
	if (!ret)
		return skel;
	probe_disk_bpf__destroy(skel);
	errno = -ret;
	return NULL;
}

/*
 * Loads all programs at once if possible, because each load reads vmlinux's BTF, which takes longer than all else. The
 * child's exit frees the result.
 */
static struct probe_disk_bpf *probe_disk(const char *name)
{
	static struct probe_disk_bpf *all;
	static bool tried;

	if (!tried)
		all = load_disk(NULL);
	tried = true;
	return all ?: load_disk(name);
}

static int probe_fmod_ret(void)
{
	return probe_disk("probe_fmod_ret") ? 0 : -errno;
}

static int probe_growth(void)
{
	return probe_disk("probe_growth") ? 0 : -errno;
}

/* Also attaches, because a tracepoint needs tracefs. */
static int probe_statfs(void)
{
	struct probe_disk_bpf *skel = probe_disk("probe_statfs");
	struct bpf_link *link;

	if (!skel)
		return -errno;
	link = bpf_program__attach(skel->progs.probe_statfs);
	return link ? bpf_link__destroy(link) : -errno;
}

int features_try_precontent(void)
{
	_cleanup_close_ int fd = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC, O_RDONLY);

	if (fd < 0)
		return -errno;
	if (!fanotify_mark(fd, FAN_MARK_ADD, EVAL_FAN_PRE_ACCESS, AT_FDCWD, "/proc/self/exe") || errno == EOPNOTSUPP)
		return 0;
	return -errno;
}

static const struct {
	const char *name;
	int (*probe)(void);
	const char *missing; /* what ENOENT, EINVAL, EOPNOTSUPP, ESRCH or EACCES mean */
	bool lockdown;       /* may refuse the program (EPERM) or a helper (EINVAL) */
} probes[] = {
	[FEATURE_BTF] = {"btf", probe_btf, "the kernel was built without CONFIG_DEBUG_INFO_BTF"},
	[FEATURE_TCX] = {"tcx", probe_tcx, "the kernel is older than 6.6: clsact + guard"},
	[FEATURE_CLSACT] = {"clsact", probe_clsact,
			    "no cls_bpf or sch_ingress (CONFIG_NET_CLS_BPF, CONFIG_NET_SCH_INGRESS)"},
	[FEATURE_XDP_LINK] = {"xdp link", probe_xdp_link, "the kernel is older than 5.9"},
	[FEATURE_TAP] = {"tap", probe_tap, "no /dev/net/tun (CONFIG_TUN)"},
	[FEATURE_SCH_FQ] = {"sch_fq", probe_sch_fq, "no sch_fq (CONFIG_NET_SCH_FQ)"},
	[FEATURE_FMOD_RET] = {"fmod_ret", probe_fmod_ret,
			      "the kernel has no BTF, is older than 5.7, or lacks CONFIG_BPF_LSM's hook list", true},
	[FEATURE_GROWTH] = {"growth", probe_growth,
			    "programs may not read a call's position: on a full disk all writes are refused", true},
	[FEATURE_STATFS] = {"statfs", probe_statfs,
			    "programs may not write to a process's memory, or tracefs is not mounted: statfs: off",
			    true},
	[FEATURE_PRECONTENT] = {"precontent", features_try_precontent,
				"the kernel is older than 6.14 (fanotify's FAN_PRE_ACCESS)"},
};
_Static_assert(ARRAY_SIZE(probes) == FEATURE_COUNT, "one probe per feature");

const char *feature_name(enum feature_id id)
{
	return probes[id].name;
}

enum feature_id feature_substitute(enum feature_id id)
{
	return id == FEATURE_TCX ? FEATURE_CLSACT : FEATURE_COUNT;
}

bool features_suffice(const struct feature features[FEATURE_COUNT], enum feature_id id)
{
	enum feature_id substitute = feature_substitute(id);

	return features[id].usable || (substitute != FEATURE_COUNT && features[substitute].usable);
}

/* Checks the clocks and pids by which BPF programs and other evals recognise this process. */
static int check_namespaces(struct error *err)
{
	int ret = clock_join_namespace();

	if (ret)
		return error_set_errno(err, ret,
				       "cannot tell how far this process's time namespace shifts its clocks, and a "
				       "fault's end depends on them: run eval in the host's time namespace");
	if (!procfs_pid_namespace())
		return error_set(
			err, -EPERM,
			"/proc shows the processes of another PID namespace than the one eval is in: mount a /proc "
			"of its own there (unshare --mount-proc), or run eval in the host's (nsenter -t 1 -p)");
	return 0;
}

int features_check_host(struct error *err)
{
	if (geteuid())
		return error_set(err, -EPERM, "injecting needs root: run it with sudo");
	if (probe_btf())
		return error_set(err, -ENOTSUP, "%s (/sys/kernel/btf/vmlinux is missing)", probes[FEATURE_BTF].missing);
	return check_namespaces(err);
}

bool features_locked_down(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	/* Without securityfs, assume lockdown: nothing else refuses root some programs and not others. */
	if (!f || !fgets(line, sizeof(line), f))
		return true;
	return !strstr(line, "[none]");
}

static void feature_set(struct feature *feature, enum feature_id id, int ret)
{
	feature->usable = !ret;
	feature->reason[0] = '\0';
	if (!ret)
		return;
	if ((ret == -EPERM || ret == -EINVAL) && probes[id].lockdown && features_locked_down())
		snprintf(feature->reason, sizeof(feature->reason), "kernel lockdown refuses it");
	else if (ret == -ENOENT || ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ESRCH || ret == -EACCES)
		snprintf(feature->reason, sizeof(feature->reason), "%s", probes[id].missing);
	else
		snprintf(feature->reason, sizeof(feature->reason), "%s", strerror(-ret));
}

/* Runs in the child; results[] is shared with the parent. Returns the exit status: 0 or an errno. */
static int probe_all(int *results)
{
	if (unshare(CLONE_NEWNET))
		return errno;
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		results[i] = probes[i].probe();
	return 0;
}

/* -EINTR if somebody stopped the child (SIGSTOP): it holds nothing and is killed. */
static int wait_for_child(pid_t child)
{
	siginfo_t info = {};

	if (waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED))
		return -errno;
	if (info.si_code == CLD_STOPPED) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		return -EINTR;
	}
	return info.si_code == CLD_EXITED ? -info.si_status : -EIO;
}

int features_probe(struct feature features[FEATURE_COUNT])
{
	int *results =
		mmap(NULL, sizeof(int) * FEATURE_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int ret;

	if (results == MAP_FAILED)
		return -errno;
	child = fork();
	if (!child)
		_exit(probe_all(results));
	ret = child < 0 ? -errno : wait_for_child(child);
	for (size_t i = 0; !ret && i < FEATURE_COUNT; i++) {
		features[i].name = probes[i].name;
		feature_set(&features[i], i, results[i]);
	}
	munmap(results, sizeof(int) * FEATURE_COUNT);
	return ret;
}
