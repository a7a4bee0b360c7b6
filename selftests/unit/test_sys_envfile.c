/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "selftests/unit/tree.h"
#include "sys/envfile.h"

#define ENV_PATH "/etc/api/.env"
#define ENV_FILE "etc/api/.env"
#define KEY      "0123456789abcdef0123456789abcdef"

static void expect_text(const struct tree *t, const char *wanted)
{
	char text[512] = "";

	assert_true(fd_read_file(t->fd, ENV_FILE, text, sizeof(text)) >= 0);
	assert_string_equal(text, wanted);
}

static int set(const struct tree *t, const char *key, const char *value, struct err *err)
{
	const struct envfile_change change = { key, value };

	return envfile_set(t->fd, ENV_PATH, &change, 1, err);
}

static void a_value_is_read_with_and_without_quotes(void **state)
{
	const struct tree *t = *state;
	char value[ENVFILE_VALUE_MAX];

	tree_write(t, ENV_FILE, "# A=no\nAB=1\nA=\"two words\"\nEMPTY=\nLAST=x");
	assert_int_equal(envfile_get(t->fd, ENV_PATH, "A", value, NULL), 0);
	assert_string_equal(value, "two words");
	assert_int_equal(envfile_get(t->fd, ENV_PATH, "EMPTY", value, NULL), 0);
	assert_string_equal(value, "");
	assert_int_equal(envfile_get(t->fd, ENV_PATH, "LAST", value, NULL), 0);
	assert_string_equal(value, "x");
	assert_int_equal(envfile_get(t->fd, ENV_PATH, "B", value, NULL), -ENOENT);
}

static void only_the_line_of_the_key_is_changed(void **state)
{
	const struct tree *t = *state;

	tree_write(t, ENV_FILE, "# A=no\nAB=1\nA=\"old\"\nB=2");
	assert_int_equal(set(t, "A", "new", NULL), 0);
	expect_text(t, "# A=no\nAB=1\nA=new\nB=2");
	assert_int_equal(set(t, "C", "3", NULL), 0);
	expect_text(t, "# A=no\nAB=1\nA=new\nB=2\nC=3\n");
	assert_int_equal(set(t, "B", "http://[::1]", NULL), -EINVAL);
	assert_int_equal(set(t, "B", "x\nEVIL=1", NULL), -EINVAL);
	assert_int_equal(set(t, "B", "", NULL), -EINVAL);
	expect_text(t, "# A=no\nAB=1\nA=new\nB=2\nC=3\n");
}

static void no_text_of_the_file_stands_in_an_error(void **state)
{
	const struct tree *t = *state;
	char value[ENVFILE_VALUE_MAX];
	struct err err = { 0 };

	tree_write(t, ENV_FILE, "A=secret\nA=hidden\n");
	assert_int_equal(envfile_get(t->fd, ENV_PATH, "A", value, &err), -EBADMSG);
	assert_null(strstr(err.text, "secret"));
	assert_int_equal(set(t, "A", "new", &err), -EBADMSG);
	assert_null(strstr(err.text, "secret"));
	assert_non_null(strstr(err.text, ENV_PATH));
}

static void a_symlink_is_not_followed(void **state)
{
	const struct tree *t = *state;
	char value[ENVFILE_VALUE_MAX];

	tree_write(t, "etc/api/real", "A=1\n");
	tree_link(t, ENV_FILE, "real");
	assert_true(envfile_get(t->fd, ENV_PATH, "A", value, NULL) < 0);
	assert_true(set(t, "A", "2", NULL) < 0);
	assert_true(envfile_keep(t->fd, ENV_PATH, KEY, NULL) < 0);
}

static void what_was_kept_is_the_very_file(void **state)
{
	const struct tree *t = *state;
	char kept[512], value[ENVFILE_VALUE_MAX];
	struct stat before, after;

	tree_write(t, ENV_FILE, "A=old\n");
	tree_chmod(t, ENV_FILE, 0640);
	assert_int_equal(fstatat(t->fd, ENV_FILE, &before, 0), 0);
	assert_int_equal(envfile_is_kept(t->fd, ENV_PATH, KEY, NULL), 0);
	assert_int_equal(envfile_keep(t->fd, ENV_PATH, KEY, NULL), 0);
	assert_int_equal(envfile_keep(t->fd, ENV_PATH, KEY, NULL), 0);
	assert_int_equal(set(t, "A", "new", NULL), 0);
	assert_int_equal(fstatat(t->fd, ENV_FILE, &after, 0), 0);
	assert_true(after.st_ino != before.st_ino && (after.st_mode & 07777) == 0640);
	(void)envfile_format_kept(ENV_PATH, KEY, kept, sizeof(kept));
	assert_string_equal(kept, "/etc/api/.env.aiops-" KEY);
	assert_int_equal(envfile_get(t->fd, kept, "A", value, NULL), 0);
	assert_string_equal(value, "old");
	/* Twice, as after a kill. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(envfile_put_back(t->fd, ENV_PATH, KEY, NULL), 0);
		assert_int_equal(fstatat(t->fd, ENV_FILE, &after, 0), 0);
		assert_true(after.st_ino == before.st_ino);
	}
	assert_int_equal(envfile_is_kept(t->fd, ENV_PATH, KEY, NULL), 1);
	assert_int_equal(envfile_forget(t->fd, ENV_PATH, KEY, NULL), 0);
	assert_int_equal(envfile_forget(t->fd, ENV_PATH, KEY, NULL), 0);
	assert_int_equal(envfile_put_back(t->fd, ENV_PATH, KEY, NULL), -ENOENT);
	expect_text(t, "A=old\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_value_is_read_with_and_without_quotes, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(only_the_line_of_the_key_is_changed, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(no_text_of_the_file_stands_in_an_error, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_symlink_is_not_followed, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(what_was_kept_is_the_very_file, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
