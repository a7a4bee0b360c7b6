/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "selftests/unit/stephost.h"
#include "sys/expiry.h"
#include "sys/unitctl.h"

static const char policy[] = "mode: auto\n"
			     "limits: {duration_s: 40}\n"
			     "allow:\n"
			     "  - {action: test.add, on: any, autonomy: auto}\n"
			     "  - {action: test.timed, on: any, autonomy: auto}\n"
			     "  - {action: test.secret, on: any, autonomy: auto}\n"
			     "  - {action: test.once, on: any, autonomy: approve}\n"
			     "  - {action: test.hint, on: any, autonomy: suggest}\n";

struct stephost stephost;

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = NULL },
};

static const struct param_spec timed_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = (int64_t)NS_PER_S,
	  .max = INT64_C(60) * NS_PER_S },
	{ .name = NULL },
};

static int check(const struct action_context *c, struct err *reterr)
{
	(void)c;
	return stephost.check < 0 ? err_set(reterr, stephost.check, "check: no") : stephost.check;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	(void)c;
	memcpy(undo, &stephost.value, sizeof(stephost.value));
	return stephost.snapshot < 0 ? err_set(reterr, stephost.snapshot, "snapshot: no") :
				       (int)sizeof(stephost.value);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	if (c->dry_run) {
		str_append(c->text, c->text_size, "would add");
		return 0;
	}
	assert_int_equal(c->undo_size, sizeof(stephost.value));
	/* What is for a time has its end before its beginning. */
	assert_string_equal(stephost.timer, params_duration_ns(c->params) ? EXPIRE(KEY) : "");
	stephost.n_applied++;
	if (stephost.apply < 0)
		return err_set(reterr, stephost.apply, "apply: no");
	stephost.value = 1;
	str_append(c->text, c->text_size, "added");
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	(void)c;
	if (stephost.verify < 0)
		return err_set(reterr, stephost.verify, "verify: no");
	return stephost.value == 1 ? 0 : err_set(reterr, -EIO, "verify: it is not so");
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	(void)c;
	assert_int_equal(undo_size, sizeof(stephost.value));
	stephost.n_reverted++;
	if (stephost.revert < 0)
		return err_set(reterr, stephost.revert, "revert: no");
	memcpy(&stephost.value, undo, sizeof(stephost.value));
	return 0;
}

#define ACTION(title, specs, words, function)                                                  \
	{                                                                                      \
		.name = title, .summary = "", .source = "", .params = specs, .target = "unit", \
		.undo = (words), .timeout_ms = 1000, .check = check, .snapshot = snapshot,     \
		.apply = apply, .verify = verify, .revert = function,                          \
	}
static const struct action_ops action_add = ACTION("test.add", params, "subtracts it again",
						   revert);
static const struct action_ops action_once = ACTION("test.once", params, NULL, NULL);
static const struct action_ops action_hint = ACTION("test.hint", params, "takes the hint back",
						    revert);
static const struct action_ops action_other = ACTION("test.other", params, "subtracts it again",
						     revert);
static const struct action_ops action_timed = ACTION("test.timed", timed_params,
						     "subtracts it again", revert);
static const struct action_ops action_secret = { .name = "test.secret",
						 .summary = "",
						 .source = "",
						 .params = params,
						 .target = "unit",
						 .undo = "subtracts it again",
						 .needs_credentials = true,
						 .timeout_ms = 1000,
						 .check = check,
						 .snapshot = snapshot,
						 .apply = apply,
						 .verify = verify,
						 .revert = revert };

const struct action_ops *const action_registry[] = { &action_add,   &action_once,  &action_hint,
						     &action_other, &action_timed, &action_secret,
						     NULL };

int expiry_arm(void *bus, const char *service, uint64_t span_ns, struct err *reterr)
{
	(void)bus;
	assert_string_equal(stephost.timer, "");
	if (stephost.arm < 0)
		return err_set(reterr, stephost.arm, "start timer: no");
	(void)str_copy(stephost.timer, sizeof(stephost.timer), service);
	stephost.timer_ns = span_ns;
	return 0;
}

void expiry_disarm(void *bus, const char *service)
{
	(void)bus;
	if (str_equal(stephost.timer, service))
		stephost.timer[0] = '\0';
}

int unitctl_open(void **ret_bus, struct err *reterr)
{
	(void)ret_bus;
	return err_set(reterr, -ENOENT, "connect to systemd: none here");
}

void *unitctl_close(void *bus)
{
	return bus;
}

int stephost_setup(void **state)
{
	const struct tree *tree;

	if (tree_setup(state) < 0)
		return -1;
	tree = *state;
	memset(&stephost, 0, sizeof(stephost));
	tree_write(tree, "etc/aiops/policy.d/10.yaml", policy);
	tree_write(tree, "run/steps/README", "");
	tree_write(tree, "run/undo/README", "");
	return 0;
}

void stephost_need_root(void)
{
	if (geteuid() != 0)
		skip();
}

void stephost_open(struct step *s, const struct tree *tree, const char *key)
{
	char run[128] = "";

	str_append(run, sizeof(run), "%s/run", tree->path);
	assert_int_equal(step_open(s, tree->path, run, key, NULL), 0);
}

struct step_record stephost_record(const char *action, enum step_op op)
{
	struct step_record r;

	memset(&r, 0, sizeof(r));
	r.op = op;
	r.not_after_ns = clock_boot_ns() + 60 * NS_PER_S;
	(void)str_copy(r.key, sizeof(r.key), KEY);
	(void)str_copy(r.actor, sizeof(r.actor), "agent");
	assert_int_equal(step_boot_id(r.boot_id, NULL), 0);
	if (op == STEP_OP_REVERT) {
		(void)str_copy(r.target_key, sizeof(r.target_key), OTHER);
		return r;
	}
	(void)str_copy(r.action, sizeof(r.action), action);
	r.params.n = 1;
	r.params.v[0].type = PARAM_TYPE_UNIT;
	(void)str_copy(r.params.v[0].name, PARAM_NAME_MAX, "unit");
	(void)str_copy(r.params.v[0].text, PARAM_TEXT_MAX, "a.service");
	if (str_equal(action, "test.timed")) {
		const struct param_text texts[] = { { "unit", "a.service" },
						    { PARAM_DURATION, "30s" } };

		assert_int_equal(params_parse(timed_params, texts, 2, &r.params, NULL), 0);
	}
	return r;
}

void stephost_write_record(const struct tree *tree, const struct step_record *record)
{
	struct step_record r = *record;
	struct step s;

	stephost_open(&s, tree, KEY);
	assert_int_equal(sealed_write(s.steps_fd, KEY, &r, sizeof(r), STEP_KIND_RECORD,
				      STEP_VERSION, NULL),
			 0);
	step_done(&s);
}

void stephost_write_undo(const struct tree *tree, const char *key, const char *action, int value)
{
	struct undo_record u;
	struct step s;

	memset(&u, 0, sizeof(u));
	(void)str_copy(u.key, sizeof(u.key), key);
	(void)str_copy(u.action, sizeof(u.action), action);
	assert_int_equal(step_boot_id(u.boot_id, NULL), 0);
	u.params = stephost_record(action, STEP_OP_APPLY).params;
	u.size = sizeof(value);
	memcpy(u.data, &value, sizeof(value));
	stephost_open(&s, tree, KEY);
	assert_int_equal(
		sealed_write(s.undo_fd, key, &u, sizeof(u), STEP_KIND_UNDO, STEP_VERSION, NULL), 0);
	step_done(&s);
}

bool stephost_has_undo(const struct tree *tree, const char *key)
{
	char path[64] = "run/undo/";

	str_append(path, sizeof(path), "%s", key);
	return faccessat(tree->fd, path, F_OK, 0) == 0;
}

/* Returns what the function did; *ret is the result that is there afterwards. */
int stephost_call(const struct tree *tree, int (*function)(struct step *s, struct err *reterr),
		  struct step_result *ret)
{
	struct step s;
	int r, q;

	stephost_open(&s, tree, KEY);
	r = function(&s, NULL);
	q = step_result_read(s.steps_fd, KEY, ret, NULL);
	assert_int_equal(q >= 0, 1);
	if (q == 0)
		memset(ret, 0, sizeof(*ret));
	step_done(&s);
	return r;
}

struct step_result stephost_run(const struct tree *tree, const char *action, enum step_op op)
{
	struct step_record record = stephost_record(action, op);
	struct step_result result;

	stephost_write_record(tree, &record);
	assert_int_equal(stephost_call(tree, step_run, &result), 1);
	return result;
}
