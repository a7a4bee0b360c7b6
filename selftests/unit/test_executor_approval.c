/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "executor/approval.h"

#define KEY  "0123456789abcdef0123456789abcdef"
#define BOOT "fedcba9876543210fedcba9876543210"

static struct entry waiting(void)
{
	struct entry e;

	memset(&e, 0, sizeof(e));
	memcpy(e.attempt.key, KEY, sizeof(KEY));
	(void)str_copy(e.attempt.action, sizeof(e.attempt.action), "unit.set_cpu_quota");
	e.attempt.phase = ATTEMPT_PHASE_WAITING;
	e.attempt.risk = RISK_REVERSIBLE;
	e.entity = entity_make(ENTITY_KIND_UNIT, "a.service");
	e.expires_ns = 900;
	e.attempt.params.n = 2;
	(void)str_copy(e.attempt.params.v[0].name, PARAM_NAME_MAX, "unit");
	(void)str_copy(e.attempt.params.v[0].text, PARAM_TEXT_MAX, "a.service");
	e.attempt.params.v[0].type = PARAM_TYPE_UNIT;
	(void)str_copy(e.attempt.params.v[1].name, PARAM_NAME_MAX, "quota_pct");
	(void)str_copy(e.attempt.params.v[1].text, PARAM_TEXT_MAX, "20");
	e.attempt.params.v[1].integer = 20;
	assert_int_equal(approval_seal(&e, BOOT), 0);
	return e;
}

static void writes_everything_that_matters_in_one_form(void **state)
{
	struct entry e = waiting();
	char text[APPROVAL_BYTES_MAX], hex[SHA256_HEX_MAX];

	(void)state;
	assert_string_equal(
		approval_format(&e, BOOT, text, sizeof(text)),
		"aiops-action 1\nkey " KEY "\nboot " BOOT
		"\nexpires_ns 900\nop apply\naction unit.set_cpu_quota\non unit:a.service\nrisk reversible\n"
		"params unit=a.service quota_pct=20\n");
	assert_int_equal(sha256_hex(text, strlen(text), hex), 0);
	assert_string_equal(e.hash, hex);
}

static void has_another_hash_for_every_other_action(void **state)
{
	struct entry e = waiting(), other;

#define DIFFERS(change)                                           \
	do {                                                      \
		other = e;                                        \
		change;                                           \
		assert_int_equal(approval_seal(&other, BOOT), 0); \
		assert_string_not_equal(other.hash, e.hash);      \
	} while (0)
	(void)state;
	DIFFERS(other.attempt.key[0] = 'f');
	DIFFERS(other.expires_ns++);
	DIFFERS(other.op = STEP_OP_REVERT);
	DIFFERS(other.attempt.action[5] = 'x');
	DIFFERS(other.entity.kind = ENTITY_KIND_CONTAINER);
	DIFFERS(other.attempt.risk = RISK_DISRUPTIVE);
	DIFFERS(other.attempt.params.v[0].text[0] = 'b');
	DIFFERS((void)str_copy(other.attempt.params.v[1].text, PARAM_TEXT_MAX, "21"));
	DIFFERS(other.attempt.params.n = 1);
#undef DIFFERS
	other = e;
	assert_int_equal(approval_seal(&other, KEY), 0);
	assert_string_not_equal(other.hash, e.hash);
}

static void takes_no_decision_late_twice_or_on_another_hash(void **state)
{
	struct entry e = waiting();
	char shorter[SHA256_HEX_MAX] = "";

	(void)state;
	assert_int_equal(approval_check(&e, e.hash, true, 1, 0, NULL), 0);
	assert_int_equal(approval_check(&e, e.hash, true, 1, 899, NULL), 0);
	assert_int_equal(approval_check(&e, e.hash, true, 1, 900, NULL), -ESTALE);
	assert_int_equal(approval_check(&e, "", true, 1, 0, NULL), -ESTALE);
	(void)str_copy(shorter, 64, e.hash);
	assert_int_equal(approval_check(&e, shorter, true, 1, 0, NULL), -ESTALE);
	e.attempt.phase = ATTEMPT_PHASE_STARTING;
	assert_int_equal(approval_check(&e, e.hash, true, 1, 0, NULL), -EALREADY);
}

static void takes_two_persons_for_what_destroys(void **state)
{
	struct entry e = waiting();

	(void)state;
	e.by_person = true;
	e.requester_uid = 1000;
	assert_int_equal(approval_check(&e, e.hash, true, 1000, 0, NULL), 0);
	e.attempt.risk = RISK_DESTRUCTIVE;
	assert_int_equal(approval_check(&e, e.hash, true, 1000, 0, NULL), -EPERM);
	assert_int_equal(approval_check(&e, e.hash, false, 1000, 0, NULL), 0);
	assert_int_equal(approval_check(&e, e.hash, true, 1001, 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_everything_that_matters_in_one_form),
		cmocka_unit_test(has_another_hash_for_every_other_action),
		cmocka_unit_test(takes_no_decision_late_twice_or_on_another_hash),
		cmocka_unit_test(takes_two_persons_for_what_destroys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
