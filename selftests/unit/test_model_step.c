/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "model/step.h"
#include "selftests/unit/tree.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct step_record good_record(void)
{
	struct step_record r;

	memset(&r, 0, sizeof(r));
	(void)str_copy(r.key, sizeof(r.key), KEY);
	(void)str_copy(r.boot_id, sizeof(r.boot_id), KEY);
	(void)str_copy(r.action, sizeof(r.action), "unit.start");
	(void)str_copy(r.actor, sizeof(r.actor), "agent");
	r.params.n = 1;
	r.params.v[0].type = PARAM_TYPE_UNIT;
	(void)str_copy(r.params.v[0].name, PARAM_NAME_MAX, "unit");
	(void)str_copy(r.params.v[0].text, PARAM_TEXT_MAX, "a.service");
	return r;
}

static struct step_result good_result(void)
{
	struct step_result r;

	memset(&r, 0, sizeof(r));
	(void)str_copy(r.key, sizeof(r.key), KEY);
	r.phase = ATTEMPT_PHASE_DONE;
	(void)str_copy(r.text, sizeof(r.text), "started 'a.service'");
	return r;
}

static void accepts_what_the_executor_writes(void **state)
{
	struct step_record r = good_record();

	(void)state;
	assert_int_equal(step_record_check(&r, NULL), 0);
	r.op = STEP_OP_REVERT;
	(void)str_copy(r.target_key, sizeof(r.target_key), KEY);
	assert_int_equal(step_record_check(&r, NULL), 0);
}

static void refuses_each_bad_field_of_a_record_by_its_name(void **state)
{
	struct step_record r;
	struct err err = { 0 };

#define REFUSES(field, change)                                                                \
	do {                                                                                  \
		r = good_record();                                                            \
		change;                                                                       \
		assert_int_equal(step_record_check(&r, &err), -EBADMSG);                      \
		assert_string_equal(err.text, "check step record: field '" field "' is bad"); \
	} while (0)
	(void)state;
	REFUSES("key", r.key[3] = 'G');
	REFUSES("key", r.key[32] = 'a');
	REFUSES("key", r.key[31] = '\0');
	REFUSES("boot_id", r.boot_id[0] = '/');
	REFUSES("op", r.op = _STEP_OP_MAX);
	REFUSES("op", r.op = (enum step_op) - 1);
	REFUSES("target_key", memcpy(r.target_key, KEY, sizeof(KEY)));
	REFUSES("target_key", r.op = STEP_OP_REVERT);
	REFUSES("by_person", r.by_person = 2);
	REFUSES("action", memset(r.action, 'a', sizeof(r.action)));
	REFUSES("action", r.action[1] = '\n');
	REFUSES("params", r.params.n = PARAMS_MAX + 1);
	REFUSES("params", memset(r.params.v[0].text, 'a', PARAM_TEXT_MAX));
	REFUSES("params", memset(r.params.v[0].name, 'a', PARAM_NAME_MAX));
	REFUSES("params", r.params.v[0].type = _PARAM_TYPE_MAX);
	REFUSES("actor", memset(r.actor, 'a', sizeof(r.actor)));
	REFUSES("actor", r.actor[0] = '\x1b');
#undef REFUSES
}

static void refuses_a_result_that_is_no_end(void **state)
{
	struct step_result r = good_result();

	(void)state;
	assert_int_equal(step_result_check(&r, NULL), 0);
	for (int p = 0; p < _ATTEMPT_PHASE_MAX; p++) {
		bool end = p == ATTEMPT_PHASE_DONE || p == ATTEMPT_PHASE_FAILED ||
			   p == ATTEMPT_PHASE_UNKNOWN;

		r.phase = (enum attempt_phase)p;
		assert_int_equal(step_result_check(&r, NULL), end ? 0 : -EBADMSG);
	}
	r = good_result();
	r.error = 1;
	assert_int_equal(step_result_check(&r, NULL), -EBADMSG);
	r = good_result();
	r.ran = 2;
	assert_int_equal(step_result_check(&r, NULL), -EBADMSG);
	r = good_result();
	memset(r.text, 'a', sizeof(r.text));
	assert_int_equal(step_result_check(&r, NULL), -EBADMSG);
}

static void refuses_an_undo_record_that_is_too_long(void **state)
{
	struct undo_record u;

	(void)state;
	memset(&u, 0, sizeof(u));
	memcpy(u.key, KEY, sizeof(KEY));
	memcpy(u.boot_id, KEY, sizeof(KEY));
	u.size = STEP_UNDO_MAX;
	assert_int_equal(undo_record_check(&u, NULL), 0);
	u.size++;
	assert_int_equal(undo_record_check(&u, NULL), -EBADMSG);
}

static void reads_the_last_whole_line_of_a_claim(void **state)
{
	static const struct {
		const char *text;
		enum step_phase phase;
	} cases[] = {
		{ "", STEP_PHASE_CLAIMED },
		{ "claimed 1\n", STEP_PHASE_CLAIMED },
		{ "claimed 1\nchecked 2\n", STEP_PHASE_CHECKED },
		{ "claimed 1\nchecked 2\nsnapshot 3\napplying 4\napplied 5\n", STEP_PHASE_APPLIED },
		{ "claimed 1\nchecked 2\nsnapshot 3\napplying 4\nreverting 5\n",
		  STEP_PHASE_REVERTING },
		{ "revoked 0\n", STEP_PHASE_REVOKED },
		/* Torn: what it announces has not begun. */
		{ "claimed 1\nchecked 2\nsnapshot 3\napplying 4", STEP_PHASE_SNAPSHOT },
		{ "claimed 1\nche", STEP_PHASE_CLAIMED },
		/* Nonsense is not a phase. */
		{ "claimed 1\nchecked 2\nhello 3\n", STEP_PHASE_CHECKED },
		{ "claimed 1\nchecked\n\n \n", STEP_PHASE_CLAIMED },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n", STEP_PHASE_CLAIMED },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(step_claim_parse(cases[i].text), cases[i].phase);
}

static void tells_no_claim_from_an_empty_and_a_foreign_one(void **state)
{
	const struct tree *tree = *state;
	struct step_claim claim = { 0 };

	assert_int_equal(step_claim_read(tree->fd, KEY, &claim, NULL), 0);
	assert_int_equal(fd_write_atomic(tree->fd, KEY ".claim", "", 0, 0644, false, NULL), 0);
	assert_int_equal(step_claim_read(tree->fd, KEY, &claim, NULL), 1);
	assert_int_equal(claim.phase, STEP_PHASE_CLAIMED);
	assert_int_equal(claim.by_root, geteuid() == 0);
	assert_int_equal(unlinkat(tree->fd, KEY ".claim", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", tree->fd, KEY ".claim"), 0);
	assert_true(step_claim_read(tree->fd, KEY, &claim, NULL) < 0);
}

static void reads_a_result_only_under_its_own_key(void **state)
{
	const struct tree *tree = *state;
	struct step_result r = good_result(), read = { 0 };

	assert_int_equal(step_result_read(tree->fd, KEY, &read, NULL), 0);
	assert_int_equal(sealed_write(tree->fd, KEY ".result", &r, sizeof(r), STEP_KIND_RESULT,
				      STEP_VERSION, NULL),
			 0);
	assert_int_equal(step_result_read(tree->fd, KEY, &read, NULL), 1);
	assert_string_equal(read.text, "started 'a.service'");
	assert_int_equal(renameat(tree->fd, KEY ".result", tree->fd,
				  "ffffffffffffffffffffffffffffffff.result"),
			 0);
	assert_int_equal(step_result_read(tree->fd, "ffffffffffffffffffffffffffffffff", &read,
					  NULL),
			 -EBADMSG);
}

static void names_the_step_unit_as_the_polkit_rule_wants_it(void **state)
{
	char unit[STEP_UNIT_MAX], key[STR_HEX128_MAX] = "";
	enum step_profile profile = STEP_PROFILE_BUS;

	(void)state;
	assert_int_equal(step_profile_from_prefix("aiops-expire-files", &profile), 0);
	assert_int_equal(profile, STEP_PROFILE_FILES);
	assert_int_equal(step_profile_from_prefix("aiops-executor", &profile), -EINVAL);
	assert_string_equal(step_unit_name(STEP_PROFILE_BUS, KEY, unit),
			    "aiops-step@" KEY ".service");
	assert_string_equal(step_unit_name(STEP_PROFILE_FILES, KEY, unit),
			    "aiops-step-files@" KEY ".service");
	assert_int_equal(step_unit_parse(unit, key), 0);
	assert_string_equal(key, KEY);
	assert_int_equal(step_unit_parse(step_expire_unit_name(STEP_PROFILE_NET, KEY, unit), key),
			 -EINVAL);
	assert_string_equal(unit, "aiops-expire-net@" KEY ".service");
	assert_int_equal(step_unit_parse("aiops-step@" KEY ".servicex", key), -EINVAL);
	assert_int_equal(step_unit_parse("aiops-step-all@" KEY ".service", key), -EINVAL);
	assert_int_equal(step_unit_parse("aiops-step@" KEY, key), -EINVAL);
	assert_int_equal(step_unit_parse("aiops-step@abc.service", key), -EINVAL);
	assert_int_equal(step_unit_parse("x.service", key), -EINVAL);
}

static void reads_the_boot_id_as_hexadecimal(void **state)
{
	char id[STR_HEX128_MAX] = "";

	(void)state;
	assert_int_equal(step_boot_id(id, NULL), 0);
	assert_true(str_is_hex128(id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_executor_writes),
		cmocka_unit_test(refuses_each_bad_field_of_a_record_by_its_name),
		cmocka_unit_test(refuses_a_result_that_is_no_end),
		cmocka_unit_test(refuses_an_undo_record_that_is_too_long),
		cmocka_unit_test(reads_the_last_whole_line_of_a_claim),
		cmocka_unit_test_setup_teardown(tells_no_claim_from_an_empty_and_a_foreign_one,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(reads_a_result_only_under_its_own_key, tree_setup,
						tree_teardown),
		cmocka_unit_test(names_the_step_unit_as_the_polkit_rule_wants_it),
		cmocka_unit_test(reads_the_boot_id_as_hexadecimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
