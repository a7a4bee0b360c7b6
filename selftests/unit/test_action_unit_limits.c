/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/oneunit.o selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "selftests/unit/oneunit.h"

extern const struct action_ops action_unit_set_property;
static const struct action_ops *const set = &action_unit_set_property;

#define DIRECTORY "run/systemd/system/" ONEUNIT_NAME ".d"

static const struct {
	const char *property, *value, *file, *before, *after;
} cases[] = {
	{ "MemoryHigh", "512", "memory.high", "max\n", "536870912" },
	{ "MemoryMax", "512", "memory.max", "max\n", "536870912" },
	{ "TasksMax", "50", "pids.max", "4915\n", "50" },
	{ "IOReadBandwidthMax", "2048", "io.max", "",
	  "8:0 rbps=2097152 wbps=max riops=max wiops=max" },
	{ "IOWriteBandwidthMax", "2048", "io.max", "8:0 rbps=5 wbps=max riops=max wiops=max\n",
	  "8:0 rbps=max wbps=2097152 riops=max wiops=max" },
	{ "IOWeight", "10", "io.weight", "default 100\n", "default 10" },
};

static struct params params_of(const char *property, const char *value)
{
	const struct param_text texts[] = { { "unit", ONEUNIT_NAME },
					    { "property", property },
					    { "value", value } };
	struct params params = { 0 };

	assert_int_equal(params_parse(set->params, texts, ELEMENTSOF(texts), &params, NULL), 0);
	return params;
}

static bool is_there(const char *path)
{
	return faccessat(oneunit.tree->fd, path, F_OK, 0) == 0;
}

static void assert_file(const char *name, const char *text)
{
	char path[128] = ONEUNIT_CGROUP, found[128] = "";
	int fd;

	str_append(path, sizeof(path), "%s", name);
	fd = openat(oneunit.tree->fd, path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, found, sizeof(found) - 1) >= 0);
	(void)close(fd);
	assert_string_equal(found, text);
}

static void use_memory(const char *bytes)
{
	tree_write(oneunit.tree, ONEUNIT_CGROUP "memory.current", bytes);
}

static void sets_each_property_and_takes_it_back(void **state)
{
	(void)state;
	tree_write(oneunit.tree, "run/systemd/system/other.service", "");
	use_memory("1000000\n");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct params params = params_of(cases[i].property, cases[i].value);
		struct action_context c = oneunit_context(&params);
		const char *phase = "";

		c.deadline_ns = UINT64_MAX;
		oneunit_set_limit(cases[i].file, cases[i].before);
		assert_int_equal(oneunit_carry_out(set, &c, &phase), 0);
		assert_file(cases[i].file, cases[i].after);
		assert_int_equal(set->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
		assert_file(cases[i].file, cases[i].before);
		assert_false(is_there(DIRECTORY));
		assert_int_equal(set->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	}
}

static void is_not_content_with_a_systemd_that_says_done_and_does_nothing(void **state)
{
	struct params params = params_of("TasksMax", "50");
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	tree_write(oneunit.tree, "run/systemd/system/other.service", "");
	oneunit_set_limit("pids.max", "100\n");
	oneunit.is_deaf = true;
	assert_int_equal(oneunit_carry_out(set, &c, &phase), -EIO);
	assert_string_equal(phase, "verify");
}

static void changes_nothing_in_a_dry_run_and_says_what_it_would_do(void **state)
{
	struct params params = params_of("MemoryHigh", "512");
	struct action_context c = oneunit_context(&params);

	(void)state;
	c.dry_run = true;
	assert_int_equal(set->apply(&c, NULL), 0);
	assert_non_null(strstr(oneunit.text, "would limit '" ONEUNIT_NAME "' to 512 MiB"));
	assert_int_equal(oneunit.n_changes, 0);
	assert_false(is_there("run"));
}

static void does_not_take_memory_that_is_in_use(void **state)
{
	struct params params = params_of("MemoryMax", "512");
	struct action_context c = oneunit_context(&params);
	struct err err = { 0 };

	(void)state;
	oneunit_set_limit("memory.max", "max\n");
	use_memory("536870912\n");
	assert_int_equal(set->check(&c, &err), -EPERM);
	assert_non_null(strstr(err_text(&err), "it uses 512 MiB and would be killed"));
	use_memory("536870911\n");
	assert_int_equal(set->check(&c, NULL), 0);
}

static void keeps_each_property_within_its_own_bounds(void **state)
{
	static const struct {
		const char *property, *value;
	} bad[] = { { "CPUQuota", "1001" },
		    { "MemoryHigh", "7" },
		    { "TasksMax", "3" },
		    { "IOReadBandwidthMax", "15" },
		    { "IOWeight", "10001" } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct params params = params_of(bad[i].property, bad[i].value);
		struct action_context c = oneunit_context(&params);

		assert_int_equal(set->check(&c, NULL), -ERANGE);
	}
}

static void two_properties_go_in_any_order_but_not_twice_the_same(void **state)
{
	struct params params = params_of("TasksMax", "50");
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	oneunit_set_limit("pids.max", "100\n");
	tree_write(oneunit.tree, DIRECTORY "/90-aiops-ff.conf", "# x\n[Service]\nTasksMax=60\n");
	assert_int_equal(set->check(&c, NULL), -EBUSY);
	tree_write(oneunit.tree, DIRECTORY "/90-aiops-ff.conf", "# x\n[Service]\nMemoryHigh=60M\n");
	c.deadline_ns = UINT64_MAX;
	assert_int_equal(oneunit_carry_out(set, &c, &phase), 0);
	/* The other one, which came first, goes first; the directory was made for it. */
	assert_int_equal(unlinkat(oneunit.tree->fd, DIRECTORY "/90-aiops-ff.conf", 0), 0);
	assert_int_equal(set->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_false(is_there(DIRECTORY));
}

static void says_where_the_kernel_has_no_weights(void **state)
{
	struct params params = params_of("IOWeight", "10");
	struct action_context c = oneunit_context(&params);

	(void)state;
	assert_int_equal(set->check(&c, NULL), -ENOENT);
}

static void has_one_kind_for_each_choice(void **state)
{
	(void)state;
	for (size_t i = 0; set->params[1].choices[i]; i++) {
		struct params params = params_of(set->params[1].choices[i], "16");
		struct action_context c = oneunit_context(&params);

		c.dry_run = true;
		assert_int_equal(set->apply(&c, NULL), 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, oneunit_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sets_each_property_and_takes_it_back),
		TEST(is_not_content_with_a_systemd_that_says_done_and_does_nothing),
		TEST(changes_nothing_in_a_dry_run_and_says_what_it_would_do),
		TEST(does_not_take_memory_that_is_in_use),
		TEST(keeps_each_property_within_its_own_bounds),
		TEST(two_properties_go_in_any_order_but_not_twice_the_same),
		TEST(says_where_the_kernel_has_no_weights),
		TEST(has_one_kind_for_each_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
