/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests who can change or replace a file. The users are from Debian's base; daemon has its own group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "util/cleanup.h"
#include "util/trusted.h"

#define CALLER "daemon"
#define OTHER "bin"
#define SHARED_GROUP "users"

static char top[64];
static uid_t caller, other;
static gid_t callers_group, shared_group;

static const char *in_top(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

static void make_file(const char *name, mode_t mode)
{
	_cleanup_close_ int fd = open(in_top(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && !fchmod(fd, mode));
}

static void make_folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(in_top(name), 0700), 0);
	assert_int_equal(chmod(in_top(name), mode), 0);
}

static void own(const char *name, uid_t uid, gid_t gid)
{
	assert_int_equal(lchown(in_top(name), uid, gid), 0);
}

/* Creates folder/file, both owned by root. */
static int setup(void **state)
{
	strcpy(top, "/tmp/eval-trusted.XXXXXX");
	unsetenv("SUDO_UID");
	unsetenv("SUDO_USER");
	if (!mkdtemp(top))
		return -1;
	make_folder("folder", 0755);
	make_file("folder/file", 0644);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", top);
	return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static int set_up_group(void **state)
{
	const struct passwd *user = getpwnam(CALLER);
	const struct group *group = getgrnam(SHARED_GROUP);

	if (!user || !group)
		return -1;
	caller = user->pw_uid;
	callers_group = user->pw_gid;
	shared_group = group->gr_gid;
	user = getpwnam(OTHER);
	if (!user)
		return -1;
	other = user->pw_uid;
	return 0;
}

static void call_by_sudo(const char *uid, const char *name)
{
	assert_int_equal(setenv("SUDO_UID", uid, 1), 0);
	assert_int_equal(setenv("SUDO_USER", name, 1), 0);
}

/* why is "" if the file can be trusted, otherwise a part of the reason. */
static void assert_why(const char *name, enum trusted_others others, const char *why)
{
	_cleanup_trusted_ struct trusted file = TRUSTED_NONE;
	_cleanup_close_ int fd = -1;

	assert_int_equal(trusted_find(&file, *name == '/' ? name : in_top(name), TRUSTED_LEAVE_MISSING), 0);
	assert_true(file.fd >= 0);
	fd = trusted_open(&file, O_RDONLY, others);
	assert_true(fd >= 0);
	if (*why ? !strstr(file.why, why) : *file.why)
		fail_msg("%s: '%s', not '%s'", name, file.why, why);
}

static void assert_fails(const char *path, int code)
{
	_cleanup_trusted_ struct trusted file = TRUSTED_NONE;

	assert_int_equal(trusted_find(&file, path, TRUSTED_LEAVE_MISSING), code);
}

static void test_modes(void **state)
{
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	assert_why("folder/file", TRUSTED_NO_ACCESS, "anyone can read /tmp/eval-trusted.");
	assert_int_equal(chmod(in_top("folder/file"), 0600), 0);
	assert_why("folder/file", TRUSTED_NO_ACCESS, "");
	assert_int_equal(chmod(in_top("folder/file"), 0666), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder/file (mode 0666): chmod o-w /tmp/eval-trusted.");
	assert_why("folder/file", TRUSTED_NO_ACCESS, "anyone can write ");
	assert_int_equal(chmod(in_top("folder/file"), 0644), 0);
	assert_int_equal(chmod(in_top("folder"), 0757), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder (mode 0757): chmod o-w ");
	make_folder("folder/deep", 0755);
	make_file("folder/deep/file", 0644);
	assert_why("folder/deep/file", TRUSTED_NO_WRITE, "/folder (mode 0757)");
	assert_why("folder/deep/../../folder/deep/file", TRUSTED_NO_WRITE, "/folder (mode 0757)");
}

static void test_owners(void **state)
{
	own("folder/file", other, 0);
	assert_why("folder/file", TRUSTED_NO_WRITE,
		   "/folder/file belongs to user bin, neither root nor the caller of sudo");
	own("folder/file", 0, 0);
	own("folder", other, 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user bin");
	assert_why("folder/file", TRUSTED_NO_WRITE, "let bin call sudo, or chown -R root /tmp/eval-trusted.");
	own("folder", 4242424, 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user 4242424, neither root");
}

static void test_caller_of_sudo(void **state)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", caller);
	own("folder", caller, callers_group);
	own("folder/file", caller, callers_group);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
	call_by_sudo(uid, CALLER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	/* Values that sudo does not set. */
	call_by_sudo(uid, OTHER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
	call_by_sudo("1x", CALLER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
	call_by_sudo("-1", CALLER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
	call_by_sudo(uid, CALLER);
	unsetenv("SUDO_USER");
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
}

static void test_groups(void **state)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", caller);
	assert_int_equal(chmod(in_top("folder/file"), 0664), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	own("folder/file", 0, shared_group);
	assert_why("folder/file", TRUSTED_NO_WRITE, "group users can write ");
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder/file (mode 0664): chmod g-w ");
	assert_int_equal(chmod(in_top("folder/file"), 0640), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	assert_why("folder/file", TRUSTED_NO_ACCESS, "group users can read ");
	/* The caller of sudo may have write access through their own group; no other group may. */
	assert_int_equal(chmod(in_top("folder/file"), 0664), 0);
	own("folder/file", 0, callers_group);
	assert_why("folder/file", TRUSTED_NO_WRITE, "group daemon can write ");
	call_by_sudo(uid, CALLER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	assert_int_equal(chmod(in_top("folder"), 0775), 0);
	own("folder", 0, shared_group);
	assert_why("folder/file", TRUSTED_NO_WRITE, "group users can write ");
}

static void test_sticky(void **state)
{
	assert_int_equal(chmod(in_top("folder"), 01777), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	own("folder/file", other, 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder/file belongs to user bin");
	make_folder("folder/theirs", 0755);
	make_file("folder/theirs/file", 0644);
	own("folder/theirs", other, 0);
	assert_why("folder/theirs/file", TRUSTED_NO_WRITE, "/folder/theirs belongs to user bin");
	/* The sticky bit does not restrict the folder's owner. */
	own("folder/theirs", 0, 0);
	own("folder", other, 0);
	assert_why("folder/theirs/file", TRUSTED_NO_WRITE, "/folder belongs to user bin");
}

static void test_links(void **state)
{
	make_folder("open", 0777);
	make_file("open/file", 0644);
	assert_int_equal(symlink("../open/file", in_top("folder/out")), 0);
	assert_why("folder/out", TRUSTED_NO_WRITE, "/open (mode 0777)");
	assert_int_equal(symlink(in_top("folder"), in_top("link")), 0);
	assert_why("link/file", TRUSTED_NO_WRITE, "");
	assert_int_equal(symlink("../link/../folder/./file", in_top("folder/round")), 0);
	assert_why("folder/round", TRUSTED_NO_WRITE, "");
	assert_int_equal(symlink(in_top("folder/file"), in_top("open/link")), 0);
	assert_why("open/link", TRUSTED_NO_WRITE, "/open (mode 0777)");
	/* A link is not followed in a folder where others can create links, whoever owns the link. */
	assert_int_equal(chmod(in_top("open"), 01777), 0);
	assert_why("open/link", TRUSTED_NO_WRITE, "/open/link is a link in a folder that others can write");
	assert_int_equal(lchown(in_top("open/link"), other, 0), 0);
	assert_why("open/link", TRUSTED_NO_WRITE, "/open/link belongs to user bin");
	assert_int_equal(symlink("loop", in_top("loop")), 0);
	assert_fails(in_top("loop"), -ELOOP);
}

static void test_odd_paths(void **state)
{
	_cleanup_close_ int fd = open(in_top("folder/file"), O_RDONLY | O_CLOEXEC);
	char path[32], here[PATH_MAX];

	assert_fails("", -ENOENT);
	assert_fails(in_top("folder/none/file"), -ENOENT);
	assert_fails(in_top("folder/file/"), -ENOTDIR);
	assert_fails(in_top("folder/file/x"), -ENOTDIR);
	assert_why("folder/", TRUSTED_NO_WRITE, "");
	assert_why("/", TRUSTED_NO_WRITE, "");
	assert_why("folder//.//file", TRUSTED_NO_WRITE, "");
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(in_top("folder")), 0);
	assert_int_equal(chmod(".", 0777), 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_trusted_ struct trusted file = TRUSTED_NONE;

		assert_int_equal(trusted_find(&file, i ? "file" : "../folder/file", TRUSTED_LEAVE_MISSING), 0);
		assert_non_null(strstr(file.why, "/folder (mode 0777)"));
		assert_string_equal(file.path, in_top("folder/file"));
	}
	assert_int_equal(chdir(here), 0);
	/* Through a descriptor, the place of the file itself counts, if it has one. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_why(path, TRUSTED_NO_WRITE, "/folder (mode 0777)");
	assert_int_equal(unlink(in_top("folder/file")), 0);
	assert_why(path, TRUSTED_NO_WRITE, "is a file without a name");
}

static void test_new_files(void **state)
{
	_cleanup_trusted_ struct trusted file = TRUSTED_NONE;
	_cleanup_close_ int fd = -1;
	struct stat st = {};

	assert_int_equal(trusted_find(&file, in_top("folder/a/b/new"), TRUSTED_MAKE_FOLDERS), 0);
	assert_int_equal(file.fd, -1);
	umask(0);
	fd = trusted_open(&file, O_RDWR | O_CREAT, TRUSTED_NO_ACCESS);
	assert_true(fd >= 0 && !fstat(fd, &st));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in_top("folder/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(file.why, "");
	/* A file created meanwhile is not taken for the new file. */
	assert_int_equal(trusted_open(&file, O_RDWR | O_CREAT, TRUSTED_NO_ACCESS), -EEXIST);
}

static void test_makes_nothing_where_others_lead(void **state)
{
	_cleanup_trusted_ struct trusted open = TRUSTED_NONE, link = TRUSTED_NONE;

	make_folder("open", 0777);
	assert_int_equal(trusted_find(&open, in_top("open/a/new"), TRUSTED_MAKE_FOLDERS), -EPERM);
	assert_int_equal(access(in_top("open/a"), F_OK), -1);
	assert_int_equal(chmod(in_top("open"), 01777), 0);
	assert_int_equal(symlink(in_top("folder"), in_top("open/link")), 0);
	assert_int_equal(trusted_find(&link, in_top("open/link/a/new"), TRUSTED_MAKE_FOLDERS), -EPERM);
	assert_int_equal(access(in_top("folder/a"), F_OK), -1);
}

static void test_look_beside(void **state)
{
	static const struct {
		const char *suffix, *why;
	} wanted[] = {{"-none", ""},
		      {"-good", ""},
		      {"-theirs", "/file-theirs belongs to user bin"},
		      {"-link", "/file-link is not a regular file"}};

	make_file("folder/file-good", 0600);
	make_file("folder/file-theirs", 0600);
	own("folder/file-theirs", other, 0);
	assert_int_equal(symlink("file", in_top("folder/file-link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		_cleanup_trusted_ struct trusted file = TRUSTED_NONE;

		assert_int_equal(trusted_find(&file, in_top("folder/file"), TRUSTED_LEAVE_MISSING), 0);
		trusted_look(&file, wanted[i].suffix, TRUSTED_NO_ACCESS);
		if (*wanted[i].why ? !strstr(file.why, wanted[i].why) : *file.why)
			fail_msg("%s: '%s', not '%s'", wanted[i].suffix, file.why, wanted[i].why);
	}
}

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[5];
};

/* Gives perm to the user or group id; others get nothing. */
static void set_acl(const char *name, unsigned short tag, uint32_t id, unsigned short perm)
{
	const struct acl acl = {
		.header.a_version = POSIX_ACL_XATTR_VERSION,
		.entries = {{ACL_USER_OBJ, 7, ACL_UNDEFINED_ID},
			    {tag == ACL_USER ? ACL_USER : ACL_GROUP_OBJ, tag == ACL_USER ? perm : 5,
			     tag == ACL_USER ? id : ACL_UNDEFINED_ID},
			    {tag == ACL_USER ? ACL_GROUP_OBJ : ACL_GROUP, tag == ACL_USER ? 5 : perm,
			     tag == ACL_USER ? ACL_UNDEFINED_ID : id},
			    {ACL_MASK, 7, ACL_UNDEFINED_ID},
			    {ACL_OTHER, 0, ACL_UNDEFINED_ID}},
	};

	assert_int_equal(setxattr(in_top(name), "system.posix_acl_access", &acl, sizeof(acl), 0), 0);
}

static void test_acls(void **state)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", caller);
	set_acl("folder/file", ACL_USER, other, 6);
	/* The mode shows only that root's group can write. */
	assert_why("folder/file", TRUSTED_NO_WRITE, "an ACL lets user bin write ");
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder/file: setfacl -b ");
	set_acl("folder/file", ACL_USER, other, 4);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	set_acl("folder/file", ACL_USER, caller, 6);
	assert_why("folder/file", TRUSTED_NO_WRITE, "an ACL lets user daemon write ");
	call_by_sudo(uid, CALLER);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	set_acl("folder/file", ACL_GROUP, shared_group, 6);
	assert_why("folder/file", TRUSTED_NO_WRITE, "an ACL lets group users write ");
	assert_int_equal(removexattr(in_top("folder/file"), "system.posix_acl_access"), 0);
	set_acl("folder", ACL_USER, other, 7);
	assert_why("folder/file", TRUSTED_NO_WRITE, "an ACL lets user bin write ");
	/* The mask has w, but the group's entry does not. */
	set_acl("folder", ACL_USER, caller, 7);
	own("folder", 0, shared_group);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
}

/* A process without root gets the answer that root would get; its own user counts as the caller of sudo. */
static void test_without_root(void **state)
{
	own("folder", caller, callers_group);
	own("folder/file", caller, callers_group);
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(seteuid(caller), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "");
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(seteuid(other), 0);
	assert_why("folder/file", TRUSTED_NO_WRITE, "/folder belongs to user daemon");
	assert_int_equal(seteuid(0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),       TEST(test_owners),    TEST(test_caller_of_sudo),
		TEST(test_groups),      TEST(test_sticky),    TEST(test_links),
		TEST(test_odd_paths),   TEST(test_new_files), TEST(test_makes_nothing_where_others_lead),
		TEST(test_look_beside), TEST(test_acls),      TEST(test_without_root),
	};

	if (geteuid()) {
		puts("1..0 # SKIP needs root, to give files to others");
		return 0;
	}
	return cmocka_run_group_tests_name("trusted", tests, set_up_group, NULL);
}
