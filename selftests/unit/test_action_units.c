/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ops/action.h"
#include "selftests/unit/tree.h"
#include "sys/unitctl.h"

/* The actions on a systemd of one unit, in place of sys/unitctl.c. */

extern const struct action_ops action_unit_start, action_unit_restart, action_unit_kill,
	action_unit_set_cpu_quota;

#define KEY    "0123456789abcdef0123456789abcdef"
#define UNIT   "a.service"
#define DROPIN "run/systemd/system/" UNIT ".d/90-aiops-" KEY ".conf"
#define CPUMAX "sys/fs/cgroup/system.slice/" UNIT "/cpu.max"

static struct {
	struct unit_facts facts;
	const struct tree *tree;
	int job_result;      /* of the next job */
	bool fails_to_start; /* the job is done, the unit dies at once */
	unsigned n_jobs, n_reloads, n_kills;
	char last_job[32];
	int last_signal;
	bool reload_is_blind; /* someone's later drop-in wins */
} systemd;

static char text[512];
static uint8_t undo[ACTION_UNDO_MAX];

static void new_invocation(void)
{
	static unsigned n;

	systemd.facts.invocation_id[0] = '\0';
	str_append(systemd.facts.invocation_id, sizeof(systemd.facts.invocation_id), "%032x", ++n);
}

static void set_state(const char *active, const char *result)
{
	(void)str_copy(systemd.facts.active_state, sizeof(systemd.facts.active_state), active);
	(void)str_copy(systemd.facts.result, sizeof(systemd.facts.result), result);
}

int unitctl_read(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	(void)bus;
	(void)reterr;
	assert_string_equal(unit, UNIT);
	*ret = systemd.facts;
	return 0;
}

int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	(void)bus;
	(void)deadline_ns;
	systemd.n_jobs++;
	(void)str_copy(systemd.last_job, sizeof(systemd.last_job), method);
	if (systemd.job_result < 0)
		return err_set(reterr, systemd.job_result, "%s of unit '%s': no", method, unit);
	if (str_equal(method, "StopUnit")) {
		set_state("inactive", "success");
		return 0;
	}
	new_invocation();
	systemd.facts.main_pid++;
	set_state(systemd.fails_to_start ? "failed" : "active",
		  systemd.fails_to_start ? "exit-code" : "success");
	return 0;
}

int unitctl_wait_idle(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)bus;
	(void)unit;
	(void)deadline_ns;
	(void)reterr;
	return 0;
}

int unitctl_kill(void *bus, const char *unit, const char *who, int signal_number,
		 struct err *reterr)
{
	(void)bus;
	(void)unit;
	(void)who;
	(void)reterr;
	systemd.n_kills++;
	systemd.last_signal = signal_number;
	if (signal_number == SIGKILL)
		systemd.facts.main_pid = 0;
	return 0;
}

static bool is_there(const char *path)
{
	return faccessat(systemd.tree->fd, path, F_OK, 0) == 0;
}

/* As systemd: what the drop-in says is what the kernel gets. */
int unitctl_reload(void *bus, struct err *reterr)
{
	char conf[256] = "", line[64] = "max 100000\n";
	unsigned pct = 0;
	const char *quota;

	(void)bus;
	(void)reterr;
	systemd.n_reloads++;
	if (systemd.reload_is_blind)
		return 0;
	if (fd_read_file(systemd.tree->fd, DROPIN, conf, sizeof(conf)) > 0) {
		quota = strstr(conf, "[Service]\nCPUQuota=");
		assert_non_null(quota);
		assert_int_equal(sscanf(quota, "[Service]\nCPUQuota=%u%%\n", &pct), 1);
		line[0] = '\0';
		str_append(line, sizeof(line), "%u 100000\n", pct * 1000);
	}
	tree_write(systemd.tree, CPUMAX, line);
	return 0;
}

static int record(const struct action_context *c, const void *data, size_t size, struct err *reterr)
{
	(void)c;
	(void)reterr;
	assert_true(size <= sizeof(undo));
	memcpy(undo, data, size);
	return 0;
}

static struct params params_of(const struct action_ops *a, const char *name, const char *value)
{
	const struct param_text texts[] = { { "unit", UNIT }, { name, value } };
	struct params params = { 0 };

	assert_int_equal(params_parse(a->params, texts, name ? 2 : 1, &params, NULL), 0);
	return params;
}

static struct action_context context_of(const struct params *params)
{
	text[0] = '\0';
	return (struct action_context){ .params = params,
					.key = KEY,
					.root_fd = systemd.tree->fd,
					.undo = undo,
					.record = record,
					.text = text,
					.text_size = sizeof(text) };
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&systemd, 0, sizeof(systemd));
	systemd.tree = *state;
	(void)str_copy(systemd.facts.id, sizeof(systemd.facts.id), UNIT);
	(void)str_copy(systemd.facts.load_state, sizeof(systemd.facts.load_state), "loaded");
	(void)str_copy(systemd.facts.freezer_state, sizeof(systemd.facts.freezer_state), "running");
	(void)str_copy(systemd.facts.control_group, sizeof(systemd.facts.control_group),
		       "/system.slice/" UNIT);
	systemd.facts.main_pid = 100;
	new_invocation();
	set_state("failed", "signal");
	return 0;
}

/* Everything but the revert. Returns of the first that fails, and in which phase that was. */
static int carry_out(const struct action_ops *a, struct action_context *c, const char **ret_phase)
{
	int r = a->check(c, NULL);

	*ret_phase = "check";
	if (r != 0)
		return r;
	*ret_phase = "snapshot";
	r = a->snapshot(c, undo, NULL);
	if (r < 0)
		return r;
	c->undo_size = (size_t)r;
	*ret_phase = "apply";
	r = a->apply(c, NULL);
	*ret_phase = r < 0 ? "apply" : "verify";
	return r < 0 ? r : a->verify(c, NULL);
}

/* ---- what holds for all of them ------------------------------------------------------------------ */

static const struct action_ops *const all[] = { &action_unit_start, &action_unit_restart,
						&action_unit_kill, &action_unit_set_cpu_quota };

static struct params any_params(const struct action_ops *a)
{
	return a == &action_unit_set_cpu_quota ? params_of(a, "quota_pct", "20") :
						 params_of(a, NULL, NULL);
}

static void refuses_a_unit_that_is_not_there_masked_busy_or_frozen(void **state)
{
	static const struct {
		const char *load_state, *freezer_state;
		uint32_t job_id;
		int r;
	} cases[] = { { "not-found", "running", 0, -ENOENT },
		      { "masked", "running", 0, -EPERM },
		      { "loaded", "running", 7, -EBUSY },
		      { "loaded", "frozen", 0, -EBUSY } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		for (size_t j = 0; j < ELEMENTSOF(all); j++) {
			struct params params = any_params(all[j]);
			struct action_context c = context_of(&params);

			(void)str_copy(systemd.facts.load_state, sizeof(systemd.facts.load_state),
				       cases[i].load_state);
			(void)str_copy(systemd.facts.freezer_state,
				       sizeof(systemd.facts.freezer_state), cases[i].freezer_state);
			systemd.facts.job_id = cases[i].job_id;
			assert_int_equal(all[j]->check(&c, NULL), cases[i].r);
		}
}

static void changes_nothing_in_a_dry_run_and_says_what_it_would_do(void **state)
{
	(void)state;
	for (size_t j = 0; j < ELEMENTSOF(all); j++) {
		struct params params = any_params(all[j]);
		struct action_context c = context_of(&params);

		c.dry_run = true;
		assert_int_equal(all[j]->apply(&c, NULL), 0);
		assert_non_null(strstr(text, "would "));
		assert_non_null(strstr(text, UNIT));
	}
	assert_int_equal(systemd.n_jobs + systemd.n_kills + systemd.n_reloads, 0);
	assert_false(is_there("run"));
}

/* ---- unit.start ---------------------------------------------------------------------------------- */

static void starts_a_dead_unit_and_stops_that_very_start_again(void **state)
{
	const struct action_ops *a = &action_unit_start;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_string_equal(systemd.facts.active_state, "active");
	assert_string_equal(text, "started '" UNIT "'");
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_string_equal(systemd.last_job, "StopUnit");
	assert_string_equal(systemd.facts.active_state, "inactive");
	/* Twice changes nothing more. */
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_int_equal(systemd.n_jobs, 2);
}

static void leaves_alone_what_somebody_started_again_since(void **state)
{
	const struct action_ops *a = &action_unit_start;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(carry_out(a, &c, &phase), 0);
	new_invocation();
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), -ECANCELED);
	assert_string_equal(systemd.facts.active_state, "active");
}

static void does_not_start_what_runs_or_was_stopped_in_order(void **state)
{
	const struct action_ops *a = &action_unit_start;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);

	(void)state;
	set_state("active", "success");
	assert_int_equal(a->check(&c, NULL), 1);
	set_state("activating", "success");
	assert_int_equal(a->check(&c, NULL), -EBUSY);
	set_state("inactive", "success");
	assert_int_equal(a->check(&c, NULL), -EPERM);
	c.by_person = true;
	assert_int_equal(a->check(&c, NULL), 0);
	systemd.facts.refuse_manual_start = true;
	assert_int_equal(a->check(&c, NULL), -EPERM);
}

static void says_that_a_unit_died_right_after_its_start(void **state)
{
	const struct action_ops *a = &action_unit_start;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	systemd.fails_to_start = true;
	assert_int_equal(carry_out(a, &c, &phase), -EIO);
	assert_string_equal(phase, "verify");
	/* Nothing to stop: it is as dead as before. */
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_int_equal(systemd.n_jobs, 1);
}

static void knows_from_the_undo_record_alone_that_it_never_started(void **state)
{
	const struct action_ops *a = &action_unit_start;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);

	(void)state;
	assert_true(a->snapshot(&c, undo, NULL) > 0);
	assert_int_equal(a->verify(&c, NULL), -ENOENT);
}

/* ---- unit.restart -------------------------------------------------------------------------------- */

static void restarts_and_tells_by_the_invocation(void **state)
{
	const struct action_ops *a = &action_unit_restart;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	set_state("active", "success");
	assert_true(a->snapshot(&c, undo, NULL) > 0);
	assert_int_equal(a->verify(&c, NULL), -ENOENT);
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_string_equal(systemd.last_job, "RestartUnit");
	assert_null(a->revert);
	systemd.fails_to_start = true;
	assert_int_equal(carry_out(a, &c, &phase), -EIO);
}

static void hands_on_that_nobody_knows_what_became_of_a_job(void **state)
{
	const struct action_ops *a = &action_unit_restart;
	struct params params = params_of(a, NULL, NULL);
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	systemd.job_result = -EINPROGRESS;
	assert_int_equal(carry_out(a, &c, &phase), -EINPROGRESS);
	assert_string_equal(phase, "apply");
}

/* ---- unit.kill ----------------------------------------------------------------------------------- */

static void sends_the_signal_and_sees_the_process_go(void **state)
{
	const struct action_ops *a = &action_unit_kill;
	struct params params = params_of(a, "signal", "SIGKILL");
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	set_state("active", "success");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_int_equal(systemd.last_signal, SIGKILL);
	assert_string_equal(text, "sent SIGKILL to the main process of '" UNIT "'");
	assert_int_equal(a->check(&c, NULL), -ESRCH);
}

static void says_when_a_process_ignores_its_signal_or_nothing_is_to_be_seen(void **state)
{
	const struct action_ops *a = &action_unit_kill;
	struct params params = params_of(a, "signal", "SIGTERM");
	struct action_context c = context_of(&params);
	const char *phase = "";

	(void)state;
	set_state("active", "success");
	assert_int_equal(carry_out(a, &c, &phase), -ETIMEDOUT);
	params = params_of(a, "signal", "SIGHUP");
	assert_int_equal(carry_out(a, &c, &phase), -EINPROGRESS);
	assert_int_equal(systemd.last_signal, SIGHUP);
}

static void maps_every_choice_to_its_signal(void **state)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "SIGTERM", SIGTERM }, { "SIGKILL", SIGKILL }, { "SIGINT", SIGINT },
			{ "SIGHUP", SIGHUP },   { "SIGQUIT", SIGQUIT }, { "SIGABRT", SIGABRT },
			{ "SIGUSR1", SIGUSR1 }, { "SIGUSR2", SIGUSR2 }, { "SIGCONT", SIGCONT } };
	size_t n = 0;

	(void)state;
	while (action_unit_kill.params[1].choices[n])
		n++;
	assert_int_equal(n, ELEMENTSOF(signals));
	for (size_t i = 0; i < n; i++) {
		struct params params = params_of(&action_unit_kill, "signal", signals[i].name);
		struct action_context c = context_of(&params);

		assert_int_equal(action_unit_kill.apply(&c, NULL), 0);
		assert_int_equal(systemd.last_signal, signals[i].number);
	}
}

/* ---- unit.set_cpu_quota -------------------------------------------------------------------------- */

static void limits_by_a_drop_in_of_its_own_and_takes_it_back(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, CPUMAX, "max 100000\n");
	tree_write(*state, "run/systemd/system/other.service", "");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_true(is_there(DROPIN));
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_false(is_there(DROPIN));
	assert_false(is_there("run/systemd/system/" UNIT ".d"));
	assert_int_equal(systemd.n_reloads, 2);
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
}

static void keeps_an_operators_directory_and_files(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, CPUMAX, "max 100000\n");
	tree_write(*state, "run/systemd/system/" UNIT ".d/50-own.conf", "[Service]\nNice=5\n");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_true(is_there("run/systemd/system/" UNIT ".d/50-own.conf"));
	assert_false(is_there(DROPIN));
}

static void leaves_alone_a_drop_in_that_a_person_changed(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, CPUMAX, "max 100000\n");
	tree_write(*state, "run/systemd/system/other.service", "");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	tree_write(*state, DROPIN, "[Service]\nCPUQuota=50%\n");
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), -ECANCELED);
	assert_true(is_there(DROPIN));
}

static void says_when_a_later_drop_in_wins(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, CPUMAX, "50000 100000\n");
	tree_write(*state, "run/systemd/system/other.service", "");
	systemd.reload_is_blind = true;
	assert_int_equal(carry_out(a, &c, &phase), -EIO);
	assert_string_equal(phase, "verify");
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_false(is_there(DROPIN));
}

static void undoes_a_write_that_was_cut_short(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	int n;

	tree_write(*state, CPUMAX, "max 100000\n");
	tree_write(*state, "run/systemd/system/other.service", "");
	n = a->snapshot(&c, undo, NULL);
	assert_true(n > 0);
	tree_write(*state, DROPIN ".tmp", "[Serv");
	assert_int_equal(a->verify(&c, NULL), -EIO);
	assert_int_equal(a->revert(&c, undo, (size_t)n, NULL), 0);
	assert_false(is_there("run/systemd/system/" UNIT ".d"));
}

static void refuses_a_second_limit_and_one_that_is_there(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);

	tree_write(*state, CPUMAX, "20000 100000\n");
	assert_int_equal(a->check(&c, NULL), 1);
	tree_write(*state, CPUMAX, "max 100000\n");
	assert_int_equal(a->check(&c, NULL), 0);
	tree_write(*state, "run/systemd/system/" UNIT ".d/90-aiops-ff.conf", "");
	assert_int_equal(a->check(&c, NULL), -EBUSY);
	systemd.facts.control_group[0] = '\0';
	assert_int_equal(a->check(&c, NULL), -EBUSY);
}

static void leaves_a_unit_alone_that_somebody_is_editing(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	struct err err = { 0 };

	(void)state;
	systemd.facts.reload_needed = true;
	assert_int_equal(a->check(&c, &err), -EPERM);
	assert_non_null(strstr(err_text(&err), "would come into force"));
	/* A person is told, in a dry run too, and decides. */
	c.by_person = true;
	assert_int_equal(a->check(&c, NULL), 0);
	c.dry_run = true;
	assert_int_equal(a->apply(&c, NULL), 0);
	assert_non_null(strstr(text, "comes into force as well; would "));
}

static void gives_back_to_a_unit_that_ended_meanwhile(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, CPUMAX, "max 100000\n");
	tree_write(*state, "run/systemd/system/other.service", "");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	systemd.facts.control_group[0] = '\0';
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
	assert_false(is_there(DROPIN));
}

static void reads_no_controller_as_no_limit(void **state)
{
	const struct action_ops *a = &action_unit_set_cpu_quota;
	struct params params = params_of(a, "quota_pct", "20");
	struct action_context c = context_of(&params);
	const char *phase = "";

	tree_write(*state, "run/systemd/system/other.service", "");
	assert_int_equal(carry_out(a, &c, &phase), 0);
	assert_int_equal(a->revert(&c, undo, c.undo_size, NULL), 0);
}

static void refuses_a_bad_undo_record(void **state)
{
	struct params params = params_of(&action_unit_set_cpu_quota, "quota_pct", "20");
	struct action_context c = context_of(&params);

	(void)state;
	assert_int_equal(action_unit_set_cpu_quota.revert(&c, undo, 3, NULL), -EBADMSG);
	assert_int_equal(action_unit_start.revert(&c, undo, 0, NULL), -EBADMSG);
	assert_int_equal(systemd.n_reloads + systemd.n_jobs, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_a_unit_that_is_not_there_masked_busy_or_frozen),
		TEST(changes_nothing_in_a_dry_run_and_says_what_it_would_do),
		TEST(starts_a_dead_unit_and_stops_that_very_start_again),
		TEST(leaves_alone_what_somebody_started_again_since),
		TEST(does_not_start_what_runs_or_was_stopped_in_order),
		TEST(says_that_a_unit_died_right_after_its_start),
		TEST(knows_from_the_undo_record_alone_that_it_never_started),
		TEST(restarts_and_tells_by_the_invocation),
		TEST(hands_on_that_nobody_knows_what_became_of_a_job),
		TEST(sends_the_signal_and_sees_the_process_go),
		TEST(says_when_a_process_ignores_its_signal_or_nothing_is_to_be_seen),
		TEST(maps_every_choice_to_its_signal),
		TEST(limits_by_a_drop_in_of_its_own_and_takes_it_back),
		TEST(keeps_an_operators_directory_and_files),
		TEST(leaves_alone_a_drop_in_that_a_person_changed),
		TEST(says_when_a_later_drop_in_wins),
		TEST(undoes_a_write_that_was_cut_short),
		TEST(refuses_a_second_limit_and_one_that_is_there),
		TEST(leaves_a_unit_alone_that_somebody_is_editing),
		TEST(gives_back_to_a_unit_that_ended_meanwhile),
		TEST(reads_no_controller_as_no_limit),
		TEST(refuses_a_bad_undo_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
