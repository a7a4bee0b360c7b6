/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/str.h"
#include "ops/inspector.h"
#include "selftests/unit/tree.h"

extern const struct inspector_ops inspector_what_changed;

struct seen {
	int items, dones, r;
	struct evidence evidence;
};

static void on_item(void *userdata, const struct inspector_request *rq, const struct evidence *e)
{
	struct seen *seen = userdata;

	assert_int_equal(rq->id, 5);
	seen->items++;
	seen->evidence = *e;
}

static void on_done(void *userdata, const struct inspector_request *rq, int r,
		    const struct err *err)
{
	struct seen *seen = userdata;

	(void)rq;
	(void)err;
	seen->dones++;
	seen->r = r;
}

static struct seen inspect(const struct tree *t, const char *unit)
{
	static struct service service = { .name = "a", .unit = "a.service", .config_paths.n = 1 };
	const struct services services = { .n = 1, .v = &service };
	struct seen seen = { 0 };
	const struct inspector_context c = { .services = &services,
					     .root_fd = t->fd,
					     .item = on_item,
					     .done = on_done,
					     .userdata = &seen };
	struct inspector_request rq = { .id = 5 };

	(void)str_copy(service.config_paths.v[0], SERVICE_PATH_MAX, "/etc/a");
	rq.entity = entity_make(ENTITY_KIND_UNIT, unit);
	assert_int_equal(inspector_what_changed.collect(&c, &rq, NULL), 0);
	assert_true(seen.dones == 1 && seen.items == 1);
	return seen;
}

static double count_in(const struct seen *seen)
{
	const struct fact *f = evidence_find_fact(&seen->evidence, "changed.count");

	assert_non_null(f);
	return f->number;
}

static void nothing_there_is_nothing_changed(void **state)
{
	struct seen seen = inspect(*state, "a.service");

	assert_true(count_in(&seen) == 0);
	assert_null(evidence_find_fact(&seen.evidence, "changed.path"));
	assert_int_equal(seen.evidence.provenance, PROVENANCE_SYSTEM);
}

static void unit_files_dropins_and_configuration_are_seen(void **state)
{
	struct seen seen;

	tree_write(*state, "usr/lib/systemd/system/a.service", "x");
	tree_write(*state, "etc/systemd/system/a.service.d/50-x.conf", "x");
	tree_write(*state, "etc/a/b/c/deep.conf", "x");
	tree_write(*state, "etc/a/b/c/d/too-deep.conf", "x");
	tree_write(*state, "etc/other", "x");
	seen = inspect(*state, "a.service");
	assert_true(count_in(&seen) == 3);
}

static void another_unit_is_not_a_matter(void **state)
{
	struct seen seen;

	tree_write(*state, "etc/a/x", "x");
	tree_write(*state, "etc/systemd/system/a.service", "x");
	seen = inspect(*state, "b.service");
	assert_true(count_in(&seen) == 0);
}

static void what_we_did_ourselves_is_left_out(void **state)
{
	struct seen seen;

	tree_write(*state, "run/systemd/system/a.service.d/90-aiops-1.conf", "x");
	seen = inspect(*state, "a.service");
	assert_true(count_in(&seen) == 0);
}

static void an_instance_has_the_files_of_its_template(void **state)
{
	struct seen seen;

	tree_write(*state, "usr/lib/systemd/system/x@.service", "x");
	seen = inspect(*state, "x@one.service");
	assert_true(count_in(&seen) == 1);
	assert_string_equal(evidence_find_fact(&seen.evidence, "changed.path")->text,
			    "/usr/lib/systemd/system/x@.service");
}

static void a_symlink_is_not_followed(void **state)
{
	struct seen seen;

	tree_write(*state, "elsewhere/one", "x");
	tree_write(*state, "elsewhere/two", "x");
	tree_link(*state, "etc/a", "elsewhere");
	seen = inspect(*state, "a.service");
	assert_true(count_in(&seen) == 1); /* the link itself */
}

static void a_big_directory_is_looked_at_in_part(void **state)
{
	struct seen seen;

	for (int i = 0; i < 400; i++) {
		char path[32] = "";

		str_append(path, sizeof(path), "etc/a/%03d", i);
		tree_write(*state, path, "x");
	}
	seen = inspect(*state, "a.service");
	assert_true(count_in(&seen) > 200 && count_in(&seen) <= 256);
}

static void names_are_escaped(void **state)
{
	struct seen seen;

	tree_write(*state, "etc/a/\033[31mred", "x");
	seen = inspect(*state, "a.service");
	assert_null(strchr(seen.evidence.text, '\033'));
	assert_string_equal(evidence_find_fact(&seen.evidence, "changed.path")->text,
			    "/etc/a/\\x1b[31mred");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)
		TEST(nothing_there_is_nothing_changed),
		TEST(unit_files_dropins_and_configuration_are_seen),
		TEST(another_unit_is_not_a_matter),
		TEST(what_we_did_ourselves_is_left_out),
		TEST(an_instance_has_the_files_of_its_template),
		TEST(a_symlink_is_not_followed),
		TEST(a_big_directory_is_looked_at_in_part),
		TEST(names_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
