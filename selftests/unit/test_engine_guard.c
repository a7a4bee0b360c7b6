/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/state.h"

static const struct entity unit = { ENTITY_KIND_UNIT, "x.service" };

struct pair {
	const char *name, *value;
};

static struct guard look(const struct pair *facts)
{
	struct item item = { .entity = unit,
			     .evidence = { .inspector = "unit_status",
					   .source = SOURCE_SYSTEMD,
					   .provenance = PROVENANCE_SYSTEM } };

	for (; facts->name; facts++)
		assert_int_equal(evidence_add_text(&item.evidence, facts->name, facts->value), 0);
	return guard_hands_off(&item, 1, &unit, 100 * NS_PER_S);
}

#define LOOK(...) look((const struct pair[]){ __VA_ARGS__, { NULL, NULL } })

static void goes_on_with_a_unit_that_failed(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "failed" }, { "unit.result", "signal" },
			      { "unit.restart_policy", "no" });

	(void)state;
	assert_int_equal(g.verdict, GUARD_GO);
}

static void leaves_alone_what_an_administrator_stopped(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "inactive" }, { "unit.result", "success" },
			      { "unit.stopped_by", "admin" });

	(void)state;
	assert_int_equal(g.verdict, GUARD_LEAVE);
	assert_string_equal(g.by, "admin-stopped");
}

static void does_not_leave_alone_what_ended_by_itself(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "inactive" }, { "unit.result", "success" },
			      { "unit.stopped_by", "itself" });

	(void)state;
	assert_int_equal(g.verdict, GUARD_GO);
}

static void leaves_alone_what_is_masked_or_frozen(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "failed" }, { "unit.load_state", "masked" });

	(void)state;
	assert_int_equal(g.verdict, GUARD_LEAVE);
	g = LOOK({ "unit.active_state", "failed" }, { "unit.unit_file_state", "masked" });
	assert_string_equal(g.by, "masked");
	g = LOOK({ "unit.active_state", "active" }, { "unit.freezer_state", "frozen" });
	assert_string_equal(g.by, "admin-frozen");
}

static void waits_while_systemd_is_at_work(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "deactivating" });

	(void)state;
	assert_int_equal(g.verdict, GUARD_WAIT);
	assert_string_equal(g.by, "job-pending");
	assert_true(g.until_ns > 100 * NS_PER_S && g.patience_ns > 0);
	g = LOOK({ "unit.active_state", "failed" }, { "unit.job_pending", "yes" });
	assert_string_equal(g.by, "job-pending");
}

static void lets_restart_of_the_unit_go_first(void **state)
{
	struct guard g = LOOK({ "unit.active_state", "activating" },
			      { "unit.sub_state", "auto-restart" },
			      { "unit.restart_policy", "always" });

	(void)state;
	assert_string_equal(g.by, "restart-policy");
	g = LOOK({ "unit.active_state", "failed" }, { "unit.restart_policy", "on-abort" },
		 { "unit.result", "signal" });
	assert_int_equal(g.verdict, GUARD_WAIT);
	g = LOOK({ "unit.active_state", "failed" }, { "unit.restart_policy", "always" },
		 { "unit.result", "start-limit-hit" });
	assert_int_equal(g.verdict, GUARD_GO);
}

static void believes_no_untrusted_status(void **state)
{
	struct item item = { .entity = unit,
			     .evidence = { .inspector = "unit_status",
					   .source = SOURCE_SYSTEMD,
					   .provenance = PROVENANCE_UNTRUSTED } };

	(void)state;
	assert_int_equal(evidence_add_text(&item.evidence, "unit.active_state", "inactive"), 0);
	assert_int_equal(guard_hands_off(&item, 1, &unit, 0).verdict, GUARD_GO);
}

static void does_not_mistake_another_unit_for_it(void **state)
{
	struct item item = { .entity = entity_make(ENTITY_KIND_UNIT, "y.service"),
			     .evidence = { .inspector = "unit_status",
					   .source = SOURCE_SYSTEMD,
					   .provenance = PROVENANCE_SYSTEM } };

	(void)state;
	assert_int_equal(evidence_add_text(&item.evidence, "unit.active_state", "inactive"), 0);
	assert_int_equal(guard_hands_off(&item, 1, &unit, 0).verdict, GUARD_GO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_with_a_unit_that_failed),
		cmocka_unit_test(leaves_alone_what_an_administrator_stopped),
		cmocka_unit_test(does_not_leave_alone_what_ended_by_itself),
		cmocka_unit_test(leaves_alone_what_is_masked_or_frozen),
		cmocka_unit_test(waits_while_systemd_is_at_work),
		cmocka_unit_test(lets_restart_of_the_unit_go_first),
		cmocka_unit_test(believes_no_untrusted_status),
		cmocka_unit_test(does_not_mistake_another_unit_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
