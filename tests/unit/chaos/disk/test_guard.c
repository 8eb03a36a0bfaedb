/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests that guards refuse if they cannot check, for example without a free descriptor for /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "chaos/disk/disk.h"
#include "target/internal.h"
#include "util/cleanup.h"

/* Sets the limit so that only `left` more descriptors can be opened. */
static void leave_descriptors(int left, struct rlimit *before)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	limit = *before;
	limit.rlim_cur = (rlim_t)next + (rlim_t)left;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void restore_descriptors(const struct rlimit *before)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

static int protect_sshd(struct error *err)
{
	struct target target = {};
	int ret = target_protect_sshd(&target, err);

	free(target.protect);
	return ret;
}

static void sshd_that_cannot_be_looked_for(void **state)
{
	struct rlimit before;
	struct error err = {};

	assert_int_equal(protect_sshd(&err), 0);
	/* Too few descriptors for /proc, the socket tables or a process. */
	for (int left = 0; left < 2; left++) {
		leave_descriptors(left, &before);
		assert_int_equal(protect_sshd(&err), -EMFILE);
		restore_descriptors(&before);
		assert_non_null(strstr(err.text, "sshd's connections"));
	}
}

static void gateway_that_cannot_be_looked_for(void **state)
{
	const struct target target = {};
	struct rlimit before;
	struct error err = {};

	assert_int_equal(target_refuse_gateway(&target, &err), 0);
	leave_descriptors(0, &before);
	assert_int_equal(target_refuse_gateway(&target, &err), -EMFILE);
	restore_descriptors(&before);
	assert_non_null(strstr(err.text, "default gateway"));
}

static void database_that_cannot_be_looked_for(void **state)
{
	/* A separate file system. */
	const struct target_directory directory = {.path = "/sys", .fs = {.ids = {{.device = 1}}, .count = 1}};
	const struct target target = {}, root_allowed = {.allow_root_fs = true};
	struct rlimit before;
	struct error err = {};
	bool keep_margin;

	assert_int_equal(disk_guard_fill(&target, &directory, &keep_margin, &err), 0);
	assert_false(keep_margin);
	leave_descriptors(0, &before);
	assert_int_equal(disk_guard_fill(&target, &directory, &keep_margin, &err), -EMFILE);
	restore_descriptors(&before);
	assert_non_null(strstr(err.text, "would hit this host's own"));
	/* Too few descriptors for /proc or this process's folder in it, so its descriptors cannot be checked. */
	for (int left = 0; left < 2; left++) {
		leave_descriptors(left, &before);
		assert_int_equal(disk_guard_fill(&root_allowed, &directory, &keep_margin, &err), -EMFILE);
		assert_true(keep_margin);
		restore_descriptors(&before);
		assert_non_null(strstr(err.text, "would hit a campaign's database"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sshd_that_cannot_be_looked_for),
		cmocka_unit_test(gateway_that_cannot_be_looked_for),
		cmocka_unit_test(database_that_cannot_be_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
