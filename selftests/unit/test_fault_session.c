/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/fault.a selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/confdir.h"
#include "fault/fault.h"
#include "selftests/unit/tree.h"
#include "sys/sandbox.h"
#include "sys/unitctl.h"

#define KEY   "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

/* A world that one fault can change, and what shall go wrong with it. */
static struct {
	int changes, injections, clears;
	int fail_after_record, fail_after_change;
	int failing_clears, returning_changes;
	bool without_effect, stop_in_effect;
	const char *chaos;
	const struct tree *tree;
} world;

static int thing_check(const struct fault_context *c, struct err *reterr)
{
	return params_integer(c->params, "size") == 9 ? err_set(reterr, -ESRCH, "no thing") : 0;
}

static int thing_inject(struct fault_context *c, struct err *reterr)
{
	int64_t state = params_integer(c->params, "size");
	int r = c->record(c, &state, sizeof(state), reterr);

	world.injections++;
	if (r < 0)
		return r;
	if (world.fail_after_record)
		return err_set(reterr, -EIO, "break thing: it resists");
	world.changes += (int)state;
	if (world.fail_after_change)
		return err_set(reterr, -EIO, "break thing: it broke otherwise");
	return 0;
}

static int thing_effect(struct fault_context *c, struct err *reterr)
{
	(void)reterr;
	if (world.stop_in_effect)
		tree_write(world.tree, "STOP", "");
	str_append(c->text, c->text_size, "%d things are broken", world.changes);
	return world.without_effect ? 0 : 1;
}

static int thing_active(struct fault_context *c, struct err *reterr)
{
	(void)c;
	(void)reterr;
	return world.stop_in_effect;
}

static int thing_clear(const struct fault_context *c, const void *state, size_t size,
		       struct err *reterr)
{
	int64_t broken = 0;

	(void)c;
	assert_int_equal(size, sizeof(broken));
	memcpy(&broken, state, size);
	assert_int_equal(broken, 3);
	world.clears++;
	if (world.failing_clears-- > 0)
		return err_set(reterr, -EPERM, "mend thing: it resists");
	if (world.changes == 0)
		return 0;
	world.changes = world.returning_changes;
	return 1;
}

static const struct param_spec thing_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .default_text = "x.service" },
	{ .name = "size", .type = PARAM_TYPE_INTEGER, .min = 1, .max = 9, .default_text = "3" },
	{ .name = NULL },
};

static const char *const no_actions[] = { NULL };

static const struct fault_ops thing = {
	.name = "thing.break",
	.params = thing_params,
	.reverts = REVERTS_RECORD,
	.expects = { .cause = "unknown", .actions = no_actions },
	.check = thing_check,
	.inject = thing_inject,
	.effect = thing_effect,
	.active = thing_active,
	.clear = thing_clear,
};

const struct fault_ops *const fault_registry[] = { &thing, NULL };

/* What the fault stands on, replaced. */

int unitctl_open(void **ret_bus, struct err *reterr)
{
	(void)reterr;
	*ret_bus = NULL;
	return 0;
}

void *unitctl_close(void *bus)
{
	(void)bus;
	return NULL;
}

int sandbox_enter(const char *const *syscalls, struct err *reterr)
{
	(void)reterr;
	assert_non_null(syscalls);
	return 0;
}

int confdir_load(int root_fd, const struct confdir_kind *kind,
		 int (*parse)(const struct confdir_file *file, const char *text, size_t length,
			      void *userdata, struct err *reterr),
		 void *userdata, struct err *reterr)
{
	static const struct confdir_file file = { .path = "chaos.d/a.yaml", .name = "a.yaml" };
	int r;

	(void)root_fd;
	assert_string_equal(kind->name, "chaos");
	assert_true(kind->trusted);
	if (!world.chaos)
		return 0;
	r = parse(&file, world.chaos, strlen(world.chaos), userdata, reterr);
	return r < 0 ? r : 1;
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&world, 0, sizeof(world));
	world.tree = *state;
	world.chaos = "enabled: true\n";
	return mkdirat(world.tree->fd, "faults", 0755);
}

static void ask(const char *key, const char *unit, const char *size, uint64_t duration_ns)
{
	struct fault_record record = { .duration_ns = duration_ns };
	const struct param_text texts[] = { { "unit", unit }, { "size", size } };
	char path[96] = "";
	struct err err = { 0 };
	int fd;

	assert_int_equal(params_parse(thing_params, texts, 2, &record.params, &err), 0);
	(void)str_copy(record.key, sizeof(record.key), key);
	(void)str_copy(record.fault, sizeof(record.fault), "thing.break");
	(void)str_copy(record.requester, sizeof(record.requester), "test");
	str_append(path, sizeof(path), "%s/faults", world.tree->path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(sealed_write(fd, key, &record, sizeof(record), FAULT_KIND_RECORD,
				      FAULT_VERSION, &err),
			 0);
	(void)close(fd);
}

static bool has_file(const char *name)
{
	char path[128] = "faults/";
	struct stat st;

	str_append(path, sizeof(path), "%s", name);
	return fstatat(world.tree->fd, path, &st, 0) == 0;
}

/* One verb in a process of its own, as far as our memory goes. */
static int process(const char *key, int (*verb)(struct fault *f, struct err *reterr),
		   struct fault_status *ret, struct err *err)
{
	static struct fault f;
	int r;

	assert_int_equal(fault_open(&f, world.tree->path, world.tree->path, key, err), 0);
	r = verb(&f, err);
	*ret = f.status;
	fault_done(&f);
	return r;
}

static void refuse(const char *unit, const char *size, int expected, const char *text)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	ask(KEY, unit, size, FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), expected);
	if (!strstr(err_text(&err), text))
		fail_msg("expected '%s', got '%s'", text, err_text(&err));
	assert_int_equal(s.state, FAULT_STATE_REFUSED);
	assert_string_equal(s.text, err_text(&err));
	assert_int_equal(world.injections, 0);
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_true(has_file(KEY ".result"));
	assert_false(has_file(KEY));
	assert_int_equal(unlinkat(world.tree->fd, "faults/" KEY ".result", 0), 0);
}

static void injects_observes_and_proves_the_end(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	for (int i = FAULT_STATE_PLANNED; i <= FAULT_STATE_VERIFIED; i++)
		assert_true(s.reached_us[i] > 0);
	assert_string_equal(s.unit, "x.service");
	assert_string_equal(s.params, "unit=x.service size=3");
	assert_string_equal(s.text, "3 things are broken");
	assert_int_equal(world.changes, 0);
	assert_int_equal(world.clears, 2);
	assert_false(has_file(KEY ".undo"));
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(world.clears, 2);
	assert_true(has_file(KEY ".result"));
	assert_false(has_file(KEY));
	assert_false(has_file(KEY ".status"));
}

static void refuses_what_is_not_asked_for_well(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(process(KEY, fault_run, &s, &err), -ENOENT);
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(unlinkat(world.tree->fd, "faults/" KEY ".result", 0), 0);
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS + 1);
	assert_int_equal(process(KEY, fault_run, &s, &err), -EBADMSG);
	assert_int_equal(s.state, FAULT_STATE_REFUSED);
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(unlinkat(world.tree->fd, "faults/" KEY ".result", 0), 0);
	tree_write(world.tree, "faults/" KEY, "no record at all");
	assert_int_equal(process(KEY, fault_run, &s, &err), -EBADMSG);
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(unlinkat(world.tree->fd, "faults/" KEY ".result", 0), 0);
	refuse("x.service", "9", -ESRCH, "no thing");
}

static void refuses_what_the_host_does_not_allow(void **state)
{
	(void)state;
	refuse("sshd.service", "3", -EPERM, "protected");
	world.chaos = NULL;
	refuse("x.service", "3", -EPERM, "faults are off");
	world.chaos = "enabled: false\n";
	refuse("x.service", "3", -EPERM, "faults are off");
	world.chaos = "enabled: true\nunits: [y*.service]\n";
	refuse("x.service", "3", -EPERM, "may not be broken");
	world.chaos = "enabled: perhaps\n";
	refuse("x.service", "3", -EINVAL, "chaos.d/a.yaml:1:");
	world.chaos = "enabled: true\n";
	tree_write(world.tree, "STOP", "");
	refuse("x.service", "3", -EPERM, "stopped");
}

/* Who ends it then when we are killed? */
static void breaks_nothing_that_systemd_was_not_told_of(void **state)
{
	char path[96] = "";

	(void)state;
	str_append(path, sizeof(path), "%s/nobody-listens", world.tree->path);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	refuse("x.service", "3", -ENOENT, "tell systemd when to end fault");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

/* As systemd escapes a name; in a pattern a backslash is no escape of ours. */
static void takes_an_escaped_name_by_its_letters(void **state)
{
	struct fault_permit g = { .unit = "a\\x2db.service" };
	static const char text[] = "enabled: true\nunits: ['a\\x2d*.service']\n";

	(void)state;
	assert_int_equal(fault_permit_parse("a.yaml", text, strlen(text), &g, NULL), 0);
	assert_true(g.is_allowed);
}

static void refuses_while_another_is_not_undone(void **state)
{
	(void)state;
	tree_write(world.tree, "faults/" OTHER ".undo", "whatever it says");
	refuse("x.service", "3", -EBUSY, OTHER);
}

static void refuses_while_another_is_active(void **state)
{
	char path[96] = "";
	struct fault other = { 0 };
	struct err err = { 0 };
	int fd;

	(void)state;
	assert_int_equal(fault_open(&other, world.tree->path, world.tree->path, OTHER, &err), 0);
	str_append(path, sizeof(path), "%s/faults", world.tree->path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	refuse("x.service", "3", -EBUSY, "another one is active");
	(void)close(fd);
	fault_done(&other);
}

static void undoes_what_a_failed_injection_has_changed(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	world.fail_after_change = 1;
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), -EIO);
	assert_int_equal(s.state, FAULT_STATE_FAILED);
	assert_string_equal(s.text, "break thing: it broke otherwise");
	assert_int_equal(world.changes, 0);
	assert_false(has_file(KEY ".undo"));
}

static void a_key_that_ran_is_never_injected_again(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), -EALREADY);
	assert_int_equal(world.injections, 1);
}

/* What a runner leaves that is killed after its change. */
static void leave_behind(void)
{
	static struct fault f;
	struct err err = { 0 };
	int64_t size = 3;

	assert_int_equal(fault_open(&f, world.tree->path, world.tree->path, KEY, &err), 0);
	f.ops = &thing;
	(void)str_copy(f.status.fault, sizeof(f.status.fault), thing.name);
	fault_enter(&f, FAULT_STATE_ARMED);
	assert_int_equal(fault_write_undo(&f.context, &size, sizeof(size), &err), 0);
	world.changes = 3;
	fault_done(&f);
}

static void a_fresh_process_ends_what_a_killed_one_left(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	leave_behind();
	tree_write(world.tree, "faults/" KEY ".undo.tmp", "half");
	tree_write(world.tree, "faults/" KEY ".status.tmp", "half");
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(world.changes, 0);
	assert_true(has_file(KEY ".result"));
	assert_false(has_file(KEY ".undo"));
	assert_false(has_file(KEY ".undo.tmp"));
	assert_false(has_file(KEY ".status.tmp"));
}

static void says_so_when_it_was_killed_before_its_first_word(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_FAILED);
	assert_true(has_file(KEY ".result"));
	assert_int_equal(process(OTHER, fault_clear, &s, &err), 0);
	assert_false(has_file(OTHER ".result"));
}

static void tries_again_when_clearing_fails(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	leave_behind();
	world.failing_clears = 1;
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(world.changes, 0);
}

static void says_stuck_and_can_be_recovered_later(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	leave_behind();
	world.failing_clears = FAULT_CLEAR_TRIES;
	assert_int_equal(process(KEY, fault_clear, &s, &err), -EPERM);
	assert_int_equal(s.state, FAULT_STATE_STUCK);
	assert_string_equal(s.text, "mend thing: it resists");
	assert_true(has_file(KEY ".undo"));
	assert_true(has_file(KEY ".status"));
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(world.injections, 0);
	assert_int_equal(world.changes, 0);
}

static void says_stuck_when_the_change_comes_back(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	leave_behind();
	world.returning_changes = 3;
	assert_int_equal(process(KEY, fault_clear, &s, &err), -EBUSY);
	assert_int_equal(s.state, FAULT_STATE_STUCK);
}

static void keeps_an_undo_file_it_cannot_read(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	leave_behind();
	tree_write(world.tree, "faults/" KEY ".undo", "torn");
	assert_int_equal(process(KEY, fault_clear, &s, &err), -EBADMSG);
	assert_int_equal(s.state, FAULT_STATE_STUCK);
	assert_int_equal(world.clears, 0);
	assert_true(has_file(KEY ".undo"));
}

static void ends_when_root_stops_everything(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	world.stop_in_effect = true;
	ask(KEY, "x.service", "3", FAULT_DURATION_MAX_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(world.changes, 0);
}

static void ends_at_its_deadline_and_says_when_no_effect_was_seen(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	world.without_effect = true;
	ask(KEY, "x.service", "3", FAULT_DURATION_MIN_NS);
	assert_int_equal(process(KEY, fault_run, &s, &err), 0);
	assert_int_equal(s.error, -ENODATA);
	assert_false(fault_status_was_observed(&s));
	assert_string_equal(s.text, "no effect was seen");
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
}

static void forgets_all_but_the_latest_results(void **state)
{
	static const struct timespec past[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	unsigned left = 0;
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		char name[64] = "";

		str_append(name, sizeof(name), "faults/%032x.result", i);
		tree_write(world.tree, name, "{}");
		assert_int_equal(utimensat(world.tree->fd, name, past, 0), 0);
	}
	leave_behind();
	assert_int_equal(process(KEY, fault_clear, &s, &err), 0);
	for (unsigned i = 0; i < 40; i++) {
		char name[64] = "";

		str_append(name, sizeof(name), "%032x.result", i);
		left += has_file(name);
	}
	assert_int_equal(left, 31);
	assert_true(has_file(KEY ".result"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
		T(injects_observes_and_proves_the_end),
		T(refuses_what_is_not_asked_for_well),
		T(refuses_what_the_host_does_not_allow),
		T(breaks_nothing_that_systemd_was_not_told_of),
		T(takes_an_escaped_name_by_its_letters),
		T(refuses_while_another_is_not_undone),
		T(refuses_while_another_is_active),
		T(undoes_what_a_failed_injection_has_changed),
		T(a_key_that_ran_is_never_injected_again),
		T(a_fresh_process_ends_what_a_killed_one_left),
		T(says_so_when_it_was_killed_before_its_first_word),
		T(tries_again_when_clearing_fails),
		T(says_stuck_and_can_be_recovered_later),
		T(says_stuck_when_the_change_comes_back),
		T(keeps_an_undo_file_it_cannot_read),
		T(ends_when_root_stops_everything),
		T(ends_at_its_deadline_and_says_when_no_effect_was_seen),
		T(forgets_all_but_the_latest_results),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
