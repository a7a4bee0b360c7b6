/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct place {
	char dir[sizeof("/tmp/fd-XXXXXX")];
	int fd;
};

static int enter(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	memcpy(p->dir, "/tmp/fd-XXXXXX", sizeof(p->dir));
	assert_non_null(mkdtemp(p->dir));
	p->fd = fd_open_dir(AT_FDCWD, p->dir, NULL);
	assert_true(p->fd >= 0);
	*state = p;
	return 0;
}

static int leave(void **state)
{
	struct place *p = *state;

	(void)unlinkat(p->fd, "f", 0);
	(void)unlinkat(p->fd, "l", 0);
	(void)close(p->fd);
	assert_int_equal(rmdir(p->dir), 0); /* nothing else was left in it */
	free(p);
	return 0;
}

static void writes_and_reads_back(void **state)
{
	struct place *p = *state;
	char buf[16] = "";
	struct stat st = { 0 };

	assert_int_equal(fd_write_atomic(p->fd, "f", "one", 3, 0640, false, NULL), 0);
	assert_int_equal(fd_write_atomic(p->fd, "f", "three", 5, 0640, true, NULL), 0);
	assert_int_equal(fd_read_file(p->fd, "f", buf, sizeof(buf)), 5);
	assert_string_equal(buf, "three");
	assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void exclusive_lets_exactly_one_win(void **state)
{
	struct place *p = *state;
	char buf[16] = "";
	struct err err = { 0 };

	assert_int_equal(fd_write_exclusive(p->fd, "f", "one", 3, 0600, &err), 0);
	assert_int_equal(fd_write_exclusive(p->fd, "f", "two", 3, 0600, &err), -EEXIST);
	assert_non_null(strstr(err.text, "'f'"));
	assert_int_equal(fd_read_file(p->fd, "f", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "one");
}

static void refuses_what_does_not_fit(void **state)
{
	struct place *p = *state;
	char buf[4] = "";

	assert_int_equal(fd_write_atomic(p->fd, "f", "four", 4, 0600, false, NULL), 0);
	assert_int_equal(fd_read_file(p->fd, "f", buf, sizeof(buf)), -EFBIG);
}

static void follows_no_symlink(void **state)
{
	struct place *p = *state;
	char buf[16] = "";

	assert_int_equal(symlinkat("/etc/hostname", p->fd, "l"), 0);
	assert_int_equal(fd_read_file(p->fd, "l", buf, sizeof(buf)), -ELOOP);
}

static void says_which_directory_is_missing(void **state)
{
	struct place *p = *state;
	struct err err = { 0 };

	assert_int_equal(fd_open_dir(p->fd, "nowhere", &err), -ENOENT);
	assert_string_equal(err.text, "open directory 'nowhere': No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_and_reads_back, enter, leave),
		cmocka_unit_test_setup_teardown(exclusive_lets_exactly_one_win, enter, leave),
		cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, enter, leave),
		cmocka_unit_test_setup_teardown(follows_no_symlink, enter, leave),
		cmocka_unit_test_setup_teardown(says_which_directory_is_missing, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
