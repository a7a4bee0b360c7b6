/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/confdir.h"
#include "base/str.h"
#include "selftests/unit/tree.h"

static void an_absent_directory_is_empty(void **state)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	const struct tree *t = *state;

	assert_int_equal(confdir_list(t->fd, "services", ".yaml", &dir, NULL), 0);
	assert_int_equal(dir.n_files, 0);
}

static void both_trees_are_sorted_by_name(void **state)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	const struct tree *t = *state;

	tree_write(t, "usr/lib/aiops/services.d/50-b.yaml", "");
	tree_write(t, "etc/aiops/services.d/10-c.yaml", "");
	tree_write(t, "usr/lib/aiops/services.d/00-a.yaml", "");
	tree_write(t, "usr/lib/aiops/services.d/.hidden.yaml", "");
	tree_write(t, "usr/lib/aiops/services.d/README", "");
	tree_write(t, "usr/lib/aiops/services.d/.yaml", "");
	assert_int_equal(confdir_list(t->fd, "services", ".yaml", &dir, NULL), 0);
	assert_int_equal(dir.n_files, 3);
	assert_string_equal(dir.files[0].path, "/usr/lib/aiops/services.d/00-a.yaml");
	assert_string_equal(dir.files[1].path, "/etc/aiops/services.d/10-c.yaml");
	assert_string_equal(dir.files[2].name, "50-b.yaml");
}

static void etc_replaces_the_same_name(void **state)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	const struct tree *t = *state;

	tree_write(t, "usr/lib/aiops/services.d/a.yaml", "");
	tree_write(t, "etc/aiops/services.d/a.yaml", "");
	assert_int_equal(confdir_list(t->fd, "services", ".yaml", &dir, NULL), 0);
	assert_int_equal(dir.n_files, 1);
	assert_string_equal(dir.files[0].path, "/etc/aiops/services.d/a.yaml");
}

static void a_link_to_dev_null_masks(void **state)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	const struct tree *t = *state;

	tree_write(t, "usr/lib/aiops/services.d/a.yaml", "");
	tree_write(t, "usr/lib/aiops/services.d/b.yaml", "");
	tree_link(t, "etc/aiops/services.d/a.yaml", "/dev/null");
	tree_link(t, "etc/aiops/services.d/new.yaml", "/dev/null");
	assert_int_equal(confdir_list(t->fd, "services", ".yaml", &dir, NULL), 0);
	assert_int_equal(dir.n_files, 1);
	assert_string_equal(dir.files[0].name, "b.yaml");
}

static void too_many_files_are_refused(void **state)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	for (int i = 0; i <= CONFDIR_FILES_MAX; i++) {
		char path[64] = "";

		str_append(path, sizeof(path), "etc/aiops/services.d/%03d.yaml", i);
		tree_write(t, path, "");
	}
	assert_int_equal(confdir_list(t->fd, "services", ".yaml", &dir, &err), -E2BIG);
	assert_string_equal(err_text(&err),
			    "read directory '/etc/aiops/services.d': more than 256 files");
}

static int read_policy(const struct tree *t, size_t size_max, bool trusted, char **ret,
		       struct err *err)
{
	struct confdir_file file = { .path = "/etc/aiops/policy.d/a.yaml", .name = "a.yaml" };
	size_t size = 0;

	return confdir_read(t->fd, &file, size_max, trusted, ret, &size, err);
}

static void reads_a_file_up_to_its_bound(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *none = NULL;
	struct err err = { 0 };

	tree_write(t, "etc/aiops/policy.d/a.yaml", "12345");
	assert_int_equal(read_policy(t, 5, false, &text, &err), 0);
	assert_string_equal(text, "12345");
	assert_int_equal(read_policy(t, 4, false, &none, &err), -EFBIG);
	assert_string_equal(err_text(&err), "read '/etc/aiops/policy.d/a.yaml': File too large");
	assert_null(none);
}

static void refuses_what_is_no_file(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	struct err err = { 0 };

	assert_int_equal(read_policy(t, 5, false, &text, &err), -ENOENT);
	tree_write(t, "etc/aiops/policy.d/a.yaml/x", "");
	assert_int_equal(read_policy(t, 5, false, &text, &err), -EINVAL);
	assert_string_equal(err_text(&err),
			    "read '/etc/aiops/policy.d/a.yaml': not a regular file");
}

static void does_not_hang_on_a_pipe(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;

	tree_write(t, "etc/aiops/policy.d/b.yaml", "");
	assert_int_equal(mkfifoat(t->fd, "etc/aiops/policy.d/a.yaml", 0644), 0);
	assert_int_equal(read_policy(t, 5, false, &text, NULL), -EINVAL);
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip(); /* files of root cannot be made without being it */
}

static void trusts_what_only_root_can_write(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;

	needs_root();
	tree_write(t, "etc/aiops/policy.d/a.yaml", "x");
	assert_int_equal(read_policy(t, 5, true, &text, NULL), 0);
	assert_string_equal(text, "x");
}

static void distrusts_what_others_can_write(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	struct err err = { 0 };

	needs_root();
	tree_write(t, "etc/aiops/policy.d/a.yaml", "x");
	tree_chmod(t, "etc/aiops/policy.d/a.yaml", 0664);
	assert_int_equal(read_policy(t, 5, true, &text, &err), -EPERM);
	assert_string_equal(err_text(&err),
			    "read '/etc/aiops/policy.d/a.yaml': writable by others than root");
	tree_chmod(t, "etc/aiops/policy.d/a.yaml", 0602);
	assert_int_equal(read_policy(t, 5, true, &text, &err), -EPERM);
	tree_chmod(t, "etc/aiops/policy.d/a.yaml", 0600);
	assert_int_equal(read_policy(t, 5, true, &text, &err), 0);
}

static void distrusts_a_directory_that_others_can_write(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	struct err err = { 0 };

	needs_root();
	tree_write(t, "etc/aiops/policy.d/a.yaml", "x");
	tree_chmod(t, "etc/aiops", 0777);
	assert_int_equal(read_policy(t, 5, true, &text, &err), -EPERM);
	assert_string_equal(err_text(&err), "read '/etc/aiops': writable by others than root");
}

static void distrusts_another_owner(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	struct err err = { 0 };

	tree_write(t, "etc/aiops/policy.d/a.yaml", "x");
	if (fchownat(t->fd, "etc/aiops/policy.d/a.yaml", 65534, (gid_t)-1, 0) < 0) {
		/* Root of a namespace only: there the real root is a stranger. */
		struct confdir_file file = { .path = "/etc/passwd" };
		struct tree host = { .fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
		size_t size = 0;

		assert_int_equal(confdir_read(host.fd, &file, 5, true, &text, &size, &err), -EPERM);
		(void)close(host.fd);
	} else {
		assert_int_equal(read_policy(t, 5, true, &text, &err), -EPERM);
	}
	assert_non_null(strstr(err_text(&err), "not owned by root"));
}

static void distrusts_symlinks_on_the_way(void **state)
{
	const struct tree *t = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *followed = NULL;

	needs_root();
	tree_write(t, "etc/aiops/other.d/a.yaml", "x");
	tree_link(t, "etc/aiops/policy.d", "other.d");
	assert_int_equal(read_policy(t, 5, true, &text, NULL), -ENOTDIR);
	assert_int_equal(read_policy(t, 5, false, &followed, NULL), 0);
}

static int count_file(const struct confdir_file *file, const char *text, size_t length,
		      void *userdata, struct err *reterr)
{
	char stem[32] = "";

	str_append(userdata, 64, "%s=%.*s ", confdir_stem(file, stem, sizeof(stem)), (int)length,
		   text);
	return str_equal(text, "bad") ? err_set(reterr, -EINVAL, "%s: bad", file->path) : 0;
}

static void loads_in_order_and_stops_at_the_first_error(void **state)
{
	static const struct confdir_kind kind = { "services", ".yaml", 16, false };
	const struct tree *t = *state;
	struct err err = { 0 };
	char seen[64] = "";

	tree_write(t, "etc/aiops/services.d/b.yaml", "2");
	tree_write(t, "etc/aiops/services.d/a.yaml", "1");
	assert_int_equal(confdir_load(t->fd, &kind, count_file, seen, &err), 2);
	assert_string_equal(seen, "a=1 b=2 ");
	tree_write(t, "etc/aiops/services.d/a.yaml", "bad");
	seen[0] = '\0';
	assert_int_equal(confdir_load(t->fd, &kind, count_file, seen, &err), -EINVAL);
	assert_string_equal(seen, "a=bad ");
	assert_string_equal(err_text(&err), "/etc/aiops/services.d/a.yaml: bad");
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(an_absent_directory_is_empty),
		TREE_TEST(both_trees_are_sorted_by_name),
		TREE_TEST(etc_replaces_the_same_name),
		TREE_TEST(a_link_to_dev_null_masks),
		TREE_TEST(too_many_files_are_refused),
		TREE_TEST(reads_a_file_up_to_its_bound),
		TREE_TEST(refuses_what_is_no_file),
		TREE_TEST(does_not_hang_on_a_pipe),
		TREE_TEST(trusts_what_only_root_can_write),
		TREE_TEST(distrusts_what_others_can_write),
		TREE_TEST(distrusts_a_directory_that_others_can_write),
		TREE_TEST(distrusts_another_owner),
		TREE_TEST(distrusts_symlinks_on_the_way),
		TREE_TEST(loads_in_order_and_stops_at_the_first_error),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
