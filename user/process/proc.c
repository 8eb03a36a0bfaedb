/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/pidfd.h"

#define HALF (PROC_OUTPUT_MAX / 2)
#define KILL_WAIT_NS (2 * NSEC_PER_SEC)
/* The longest wait in one poll, whose timeout is an int of milliseconds. */
#define LOOK_NS NSEC_PER_SEC

/* Keeps the first HALF bytes, and the last HALF in a ring. */
struct capture {
	int fd; /* read end; -1: closed */
	char *head, *tail;
	size_t head_used, head_size;
	uint64_t tail_total; /* bytes written to the ring so far */
	void (*on_output)(void *arg, const char *bytes, size_t size);
	void *on_output_arg;
};

struct proc {
	pid_t pid;
	int pidfd;
	uint64_t deadline_ns; /* UINT64_MAX: none */
	uint64_t killed_ns;   /* 0: not killed */
	bool ended;           /* or given up */
	bool reaped;
	struct proc_result result;
	struct capture out, err;
};

static void capture_free(struct capture *capture)
{
	capture->fd = fd_close(capture->fd);
	free(capture->head);
	free(capture->tail);
}

static void capture_append_head(struct capture *capture, const char *bytes, size_t size)
{
	size_t needed = capture->head_used + size;

	if (needed > capture->head_size) {
		size_t grown = needed < 512 ? 512 : needed * 2 > HALF ? HALF : needed * 2;
		char *head = realloc(capture->head, grown);

		if (!head)
			return;
		capture->head = head;
		capture->head_size = grown;
	}
	memcpy(capture->head + capture->head_used, bytes, size);
	capture->head_used += size;
}

static void capture_append(struct capture *capture, const char *bytes, size_t size)
{
	size_t room = HALF - capture->head_used;
	size_t to_head = size < room ? size : room;

	if (to_head)
		capture_append_head(capture, bytes, to_head);
	if (size > to_head && !capture->tail)
		capture->tail = malloc(HALF);
	if (!capture->tail)
		return;
	for (size_t i = to_head; i < size; i++)
		capture->tail[capture->tail_total++ % HALF] = bytes[i];
}

/* Reads what is there; the bound keeps a command that writes without end from holding up the loop. */
static void capture_read(struct capture *capture)
{
	char buffer[16 * 1024];

	for (int rounds = 0; capture->fd >= 0 && rounds < 16; rounds++) {
		ssize_t got = read(capture->fd, buffer, sizeof(buffer));

		if (got > 0 && capture->on_output)
			capture->on_output(capture->on_output_arg, buffer, (size_t)got);
		if (got > 0)
			capture_append(capture, buffer, (size_t)got);
		else if (!got || (errno != EAGAIN && errno != EINTR))
			capture->fd = fd_close(capture->fd);
		else if (errno == EAGAIN)
			return;
	}
}

static json_t *capture_text(const struct capture *capture)
{
	_cleanup_free_ char *text = NULL;
	size_t kept = capture->tail_total < HALF ? (size_t)capture->tail_total : HALF;
	size_t start = (size_t)(capture->tail_total - kept), used;

	text = malloc(capture->head_used + kept + 96);
	if (!text)
		return json_null();
	if (capture->head_used)
		memcpy(text, capture->head, capture->head_used);
	used = capture->head_used;
	if (start)
		used += (size_t)sprintf(text + used, "\n[... %zu bytes left out ...]\n", start);
	for (size_t i = 0; i < kept; i++)
		text[used++] = capture->tail[(start + i) % HALF];
	/* JSON needs six bytes for a control character, and the record must fit into a datagram. */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t')
			text[i] = ' ';
	return json_text(text, used);
}

static int pipe_open(int ends[2])
{
	return pipe2(ends, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
}

__attribute__((noreturn)) static void child_fail(const char *text, int status)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(status);
	_exit(status);
}

/* Makes only system calls: another thread may have held any lock at the clone. */
__attribute__((noreturn)) static void child_run(const struct proc_spec *spec, pid_t parent, int in_fd, int out_fd,
						int err_fd)
{
	char *const argv[] = {"sh", "-c", (char *)spec->exec, NULL};
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &action, NULL);
	if (in_fd < 0)
		in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(in_fd, STDIN_FILENO);
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	if (spec->netns_fd && syscall(SYS_setns, spec->netns_fd, CLONE_NEWNET))
		child_fail("eval: cannot enter the network namespace\n", 126);
	/* Also closes what our own caller left open, which a daemon would hold for good (the flag needs 5.11). */
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	if (spec->directory && chdir(spec->directory))
		child_fail("eval: cannot enter the command's folder\n", 126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/bin/sh", argv, spec->environment);
	child_fail("eval: cannot run /bin/sh\n", 127);
}

/* clone3 puts the child into its cgroup from the first instruction on (5.7, kernel commit ef2c41cf38a7). */
static pid_t spawn(const struct proc_spec *spec, int *pidfd, int in_fd, int out_fd, int err_fd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (__u64)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	if (spec->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (__u64)spec->cgroup_fd;
	}
	/* The child must not run our handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		child_run(spec, parent, in_fd, out_fd, err_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -errno : pid;
}

/* A file in memory, so that nobody waits for a reader. */
static int input_open(const char *text)
{
	_cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
	size_t size = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		return -EIO;
	return TAKE_FD(fd);
}

static int start_in(struct proc *proc, const struct proc_spec *spec, struct error *err)
{
	_cleanup_close_ int in_fd = spec->input ? input_open(spec->input) : -1, out_fd = -1, err_fd = -1;
	int ends[2], ret;

	if (spec->input && in_fd < 0)
		return error_set_errno(err, in_fd, "cannot pass on the input");

	ret = pipe_open(ends);
	if (ret)
		return error_set_errno(err, ret, "cannot create a pipe");
	proc->out.fd = ends[0];
	proc->out.on_output = spec->on_output;
	proc->out.on_output_arg = spec->on_output_arg;
	out_fd = ends[1];
	if (spec->standard_error == PROC_STDERR_APART) {
		ret = pipe_open(ends);
		if (ret)
			return error_set_errno(err, ret, "cannot create a pipe");
		proc->err.fd = ends[0];
		err_fd = ends[1];
	}
	/* Commands expect blocking output. */
	fcntl(out_fd, F_SETFL, 0);
	if (err_fd >= 0)
		fcntl(err_fd, F_SETFL, 0);
	proc->result.started_ns = clock_monotonic_ns();
	ret = spawn(spec, &proc->pidfd, in_fd, out_fd, err_fd < 0 ? out_fd : err_fd);
	if (ret < 0)
		return error_set_errno(err, ret, "cannot start a process");
	proc->pid = ret;
	if (spec->timeout_ns)
		proc->deadline_ns = proc->result.started_ns + spec->timeout_ns;
	return 0;
}

int proc_start(struct proc **out, const struct proc_spec *spec, struct error *err)
{
	struct proc *proc = calloc(1, sizeof(*proc));
	int ret;

	if (!proc)
		return error_set(err, -ENOMEM, "out of memory");
	proc->pidfd = proc->out.fd = proc->err.fd = -1;
	proc->deadline_ns = UINT64_MAX;
	ret = start_in(proc, spec, err);
	if (ret) {
		proc_free(proc);
		return ret;
	}
	*out = proc;
	return 0;
}

static bool reap(struct proc *proc)
{
	siginfo_t info = {};

	if (waitid(P_PID, (id_t)proc->pid, &info, WEXITED | WNOHANG) || !info.si_pid)
		return false;
	proc->reaped = true;
	/* Keep the result that give_up() has set. */
	if (proc->ended)
		return true;
	proc->ended = true;
	proc->result.ended_ns = clock_monotonic_ns();
	proc->result.exit_code = info.si_code == CLD_EXITED ? info.si_status : -1;
	proc->result.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	proc->pidfd = fd_close(proc->pidfd);
	return true;
}

void proc_kill(struct proc *proc)
{
	/*
	 * The leader is not reaped, so the group's number is not reused. The process itself may not have reached
	 * setsid().
	 */
	if (proc->pid <= 0 || proc->ended)
		return;
	kill(-proc->pid, SIGKILL);
	pidfd_signal(proc->pidfd, SIGKILL);
	if (!proc->killed_ns)
		proc->killed_ns = clock_monotonic_ns();
}

/* Stops waiting for a process that hangs in the kernel. */
static void give_up(struct proc *proc)
{
	proc->ended = true;
	proc->result.survived = true;
	proc->result.ended_ns = clock_monotonic_ns();
	proc->result.exit_code = -1;
	proc->pidfd = fd_close(proc->pidfd);
}

void proc_finish(struct proc *proc)
{
	struct pollfd fd = {.fd = proc->pidfd, .events = POLLIN};
	uint64_t now_ns;

	if (proc->pid <= 0 || proc->ended)
		return;
	proc->result.stopped = true;
	proc_kill(proc);
	while (!proc_handle(proc)) {
		now_ns = clock_monotonic_ns();
		if (now_ns >= proc->killed_ns + KILL_WAIT_NS)
			give_up(proc); /* it is left to init */
		else
			poll(&fd, 1, (int)((proc->killed_ns + KILL_WAIT_NS - now_ns) / NSEC_PER_MSEC) + 1);
	}
}

void proc_free(struct proc *proc)
{
	if (!proc)
		return;
	proc_finish(proc);
	fd_close(proc->pidfd);
	capture_free(&proc->out);
	capture_free(&proc->err);
	free(proc);
}

size_t proc_poll_fds(const struct proc *proc, struct pollfd *out)
{
	const int fds[] = {proc->pidfd, proc->out.fd, proc->err.fd};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fds) && !proc->ended; i++)
		if (fds[i] >= 0)
			out[count++] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	return count;
}

uint64_t proc_wake_ns(const struct proc *proc)
{
	if (proc->ended)
		return UINT64_MAX;
	return proc->killed_ns ? proc->killed_ns + PROC_KILL_PATIENCE_NS : proc->deadline_ns;
}

/*
 * A command that exits before the kill was in time: if we look late, we do not know when it exited, and our own delay
 * must not count against the subject.
 */
static void heed_time(struct proc *proc)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (proc->killed_ns) {
		if (now_ns >= proc->killed_ns + PROC_KILL_PATIENCE_NS)
			give_up(proc);
	} else if (now_ns >= proc->deadline_ns) {
		proc->result.timed_out = true;
		proc_kill(proc);
	}
}

bool proc_handle(struct proc *proc)
{
	if (proc->ended)
		return true;
	capture_read(&proc->out);
	capture_read(&proc->err);
	if (!reap(proc)) {
		heed_time(proc);
		return proc->ended;
	}
	/* Output just before the exit. */
	capture_read(&proc->out);
	capture_read(&proc->err);
	return true;
}

bool proc_wait(struct proc *proc, bool (*is_stopped)(void), int wake_fd)
{
	while (!proc_handle(proc)) {
		struct pollfd fds[PROC_POLL_MAX + 1];
		size_t count = proc_poll_fds(proc, fds);
		uint64_t now_ns = clock_monotonic_ns(), at_ns = clock_earlier(proc_wake_ns(proc), now_ns + LOOK_NS);

		if (is_stopped && is_stopped())
			return false;
		/* poll() skips a negative descriptor. */
		fds[count++] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
		poll(fds, count, at_ns > now_ns ? (int)((at_ns - now_ns) / NSEC_PER_MSEC) + 1 : 0);
	}
	return true;
}

bool proc_is_gone(struct proc *proc)
{
	return proc->ended && (proc->reaped || reap(proc));
}

bool proc_ended(const struct proc *proc)
{
	return proc->ended;
}

pid_t proc_pid(const struct proc *proc)
{
	return proc->pid;
}

const struct proc_result *proc_get_result(const struct proc *proc)
{
	return &proc->result;
}

bool proc_succeeded(const struct proc *proc)
{
	return proc->ended && !proc->result.timed_out && !proc->result.exit_code;
}

json_t *proc_output(const struct proc *proc)
{
	return capture_text(&proc->out);
}

json_t *proc_error_output(const struct proc *proc)
{
	return capture_text(&proc->err);
}

/* The last line that is not blank, of at most size - 1 bytes. */
static void last_line(const json_t *output, char *out, size_t size)
{
	const char *text = json_string_value(output) ?: "";
	const char *end = text + strlen(text), *start;

	while (end > text && strchr(" \t\n", end[-1]))
		end--;
	start = end;
	while (start > text && start[-1] != '\n')
		start--;
	snprintf(out, size, "%.*s", (int)(end - start), start);
}

void proc_describe(const struct proc *proc, char *out, size_t size)
{
	_cleanup_json_ json_t *mixed = proc_output(proc), *apart = proc_error_output(proc);
	const struct proc_result *result = &proc->result;
	double seconds = (double)(result->ended_ns - result->started_ns) / NSEC_PER_SEC;
	char line[200];

	last_line(json_string_length(apart) ? apart : mixed, line, sizeof(line));
	if (result->survived)
		snprintf(out, size, "%s after %.3g s, and hangs in the kernel: it survives SIGKILL",
			 result->timed_out ? "timed out" : "stopped", seconds);
	else if (result->timed_out)
		snprintf(out, size, "timed out after %.3g s%s%s", seconds, *line ? ": " : "", line);
	else if (result->signal)
		snprintf(out, size, "signal %d (%s)", result->signal, strsignal(result->signal));
	else
		snprintf(out, size, "exit %d%s%s", result->exit_code, *line ? ": " : "", line);
}

int proc_take_pipe(struct proc *proc)
{
	return TAKE_FD(proc->out.fd);
}
