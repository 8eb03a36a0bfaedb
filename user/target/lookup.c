/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks up host names as a program in the target's network namespace would: with the files that `ip netns exec` or the
 * container's runtime gives it, by the name servers that it reaches. A child does it, because a lookup can neither be
 * bounded in time nor be asked of another namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LOOKUP_SECONDS 10
#define LOOK_MS 50 /* how long a signal may go unnoticed */
#define PATH_SIZE 256
#define FILE_SIZE 65536 /* what is beyond is not read */

struct file {
	char text[FILE_SIZE];
	ssize_t size;
};

/* What the child tells: an address of a name, or at its end whether it could be looked up. */
struct answer {
	uint32_t name;
	int32_t code; /* EAI_*, 0: no error */
	bool is_end;
	struct endpoint address;
};
_Static_assert(sizeof(struct answer) <= 512, "written in one piece");

static void tell(int fd, const struct answer *answer)
{
	if (write(fd, answer, sizeof(*answer)) != sizeof(*answer))
		_exit(1);
}

static bool address_of(struct endpoint *out, const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	char zone[IF_NAMESIZE];

	if (!endpoint_from_sockaddr(out, sa))
		return false;
	if (sa->sa_family == AF_INET6 && in6->sin6_scope_id && if_indextoname(in6->sin6_scope_id, zone))
		snprintf(out->zone, sizeof(out->zone), "%s", zone);
	return true;
}

static void look_up_one(int fd, uint32_t index, const char *name)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct answer answer = {.name = index};
	struct addrinfo *found = NULL;

	answer.code = getaddrinfo(name, NULL, &hints, &found);
	for (const struct addrinfo *i = found; i && !answer.code; i = i->ai_next)
		if (address_of(&answer.address, i->ai_addr))
			tell(fd, &answer);
	answer.is_end = true;
	tell(fd, &answer);
}

/* The root and the folder below it where the namespace's own files are: a container's, or those of `ip netns`. */
static void folder_of(char root[PATH_SIZE], char folder[PATH_SIZE], const char *netns)
{
	int pid, end = 0;

	if ((sscanf(netns, "%d%n", &pid, &end) == 1 && end && !netns[end]) ||
	    (sscanf(netns, "/proc/%d/ns/net%n", &pid, &end) == 1 && end && !netns[end])) {
		snprintf(root, PATH_SIZE, "/proc/%d/root", pid);
		snprintf(folder, PATH_SIZE, "etc");
	} else {
		snprintf(root, PATH_SIZE, "/");
		snprintf(folder, PATH_SIZE, "etc/netns/%s", strrchr(netns, '/') ? strrchr(netns, '/') + 1 : netns);
	}
}

/* Reads a file of another root, whose links must not lead into ours. False if there is none. */
static bool read_file(struct file *file, int root_fd, const char *folder, const char *name)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char path[2 * PATH_SIZE];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	file->size = fd < 0 ? -1 : read(fd, file->text, sizeof(file->text));
	return file->size >= 0;
}

/*
 * Puts the file in the place of this host's. It is written anew, because a file of another mount namespace cannot be
 * mounted; on a file system of the child's own at /run, where it also hides daemons that would answer for this host.
 */
static void take_file(const struct file *file, const char *name)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	_cleanup_close_ int fd = -1;

	snprintf(from, sizeof(from), "/run/%s", name);
	snprintf(to, sizeof(to), "/etc/%s", name);
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, file->text, (size_t)file->size) != file->size || mount(from, to, NULL, MS_BIND, NULL))
		_exit(1);
}

/* In a mount namespace of the child's own, so that nobody else sees it. A name without files has this host's. */
static void take_files(const char *netns)
{
	static const char *const names[] = {"hosts", "resolv.conf"};
	static struct file files[ARRAY_SIZE(names)];
	char root[PATH_SIZE], folder[PATH_SIZE];
	bool found[ARRAY_SIZE(names)];
	int root_fd;

	folder_of(root, folder, netns);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		found[i] = read_file(&files[i], root_fd, folder, names[i]);
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) ||
	    mount("eval", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (found[i])
			take_file(&files[i], names[i]);
	/* Not by a daemon of the host, which would ask from the host's namespace. */
	__nss_configure_lookup("hosts", "files dns");
}

static void child_run(int fd, int netns_fd, const char *netns, const char *const *names, size_t count)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Should the parent have died before that. */
	alarm(2 * LOOKUP_SECONDS);
	if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET))
		_exit(1);
	if (netns)
		take_files(netns);
	for (size_t i = 0; i < count; i++)
		look_up_one(fd, (uint32_t)i, names[i]);
	_exit(0);
}

/* The caller may have blocked the signals that end it. */
static bool is_to_stop(void)
{
	sigset_t pending;

	return !sigpending(&pending) && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
					 sigismember(&pending, SIGHUP) == 1);
}

/* Reads one answer. -ETIMEDOUT at the deadline, -ECANCELED after a signal, -EPIPE at the end. */
static int read_answer(int fd, uint64_t deadline_ns, struct answer *answer)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int ready;

	while ((ready = poll(&poll_fd, 1, LOOK_MS)) <= 0) {
		if (ready < 0 || is_to_stop())
			return -ECANCELED;
		if (clock_monotonic_ns() >= deadline_ns)
			return -ETIMEDOUT;
	}
	return read(fd, answer, sizeof(*answer)) == sizeof(*answer) ? 0 : -EPIPE;
}

static int read_answers(int fd, const char *netns, const char *const *names, size_t count, lookup_visit visit,
			void *data, struct error *err)
{
	uint64_t deadline_ns = clock_monotonic_ns() + LOOKUP_SECONDS * NSEC_PER_SEC;
	const char *where = netns ? netns : "this host";

	for (size_t name = 0; name < count;) {
		struct answer answer;
		int ret = read_answer(fd, deadline_ns, &answer);

		if (ret == -ETIMEDOUT)
			return error_set(err, ret,
					 "host name '%s' was not looked up within %d s on %s: are its name "
					 "servers there?",
					 names[name], LOOKUP_SECONDS, where);
		if (ret == -ECANCELED)
			return error_set(err, ret, "stopped by a signal while it looked up '%s'", names[name]);
		if (ret)
			return error_set(err, ret, "cannot look up host names on %s", where);
		if (answer.code)
			return error_set(err, -EADDRNOTAVAIL, "host name '%s' has no address on %s: %s", names[name],
					 where, gai_strerror(answer.code));
		if (answer.is_end)
			name++;
		else if ((ret = visit(name, &answer.address, data)))
			return error_set_errno(err, ret, "cannot keep the addresses of '%s'", names[name]);
	}
	return 0;
}

int target_look_up(int netns_fd, const char *netns, const char *const *names, size_t count, lookup_visit visit,
		   void *data, struct error *err)
{
	int ends[2], ret;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return error_set_errno(err, -errno, "cannot look up host names");
	pid = fork();
	if (!pid)
		child_run(ends[1], netns_fd, netns, names, count);
	close(ends[1]);
	ret = pid < 0 ? error_set_errno(err, -errno, "cannot look up host names")
		      : read_answers(ends[0], netns, names, count, visit, data, err);
	close(ends[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return ret;
}
