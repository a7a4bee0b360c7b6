/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 100000 /* DefaultTimeoutStartSec= is 90 s: systemd decides before we give up */
#define SETTLE_MS  500    /* a program that ends at once after its start has done so by then */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit to start" },
	{ .name = NULL },
};

/* What revert() may stop: the very start that was ours, nothing else. */
struct undo {
	char before[STR_HEX128_MAX];  /* invocation before ours */
	char started[STR_HEX128_MAX]; /* ours; "" while not known */
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (unit_facts_is_active(&f)) {
		str_append(c->text, c->text_size, "'%s' is active already", unit);
		return 1;
	}
	if (f.refuse_manual_start)
		return err_set(reterr, -EPERM, "start unit '%s': it has RefuseManualStart=yes",
			       unit);
	/* An administrator's own repair is a oneshot. */
	return unit_facts_check_start(&f, unit, c->by_person || unit_facts_is_runnable(&f), reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = unitctl_read_invocation(c->bus, params_text(c->params, "unit"), u.before, reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? r : (int)sizeof(u);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct undo u;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would start '%s'", unit);
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = unitctl_run_job(c->bus, "StartUnit", unit, c->deadline_ns, reterr);
	if (r < 0)
		return r;
	r = unitctl_read_invocation(c->bus, unit, u.started, reterr);
	if (r < 0)
		return err_set(reterr, -EINPROGRESS,
			       "start unit '%s': started, then its state could not be read", unit);
	str_append(c->text, c->text_size, "started '%s'", unit);
	return c->record(c, &u, sizeof(u), reterr);
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;

	memcpy(&u, c->undo, sizeof(u));
	return unitctl_verify_start(c->bus, params_text(c->params, "unit"), u.before,
				    c->deadline_ns, reterr);
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo start of unit '%s': bad undo record", unit);
	memcpy(&u, undo, sizeof(u));
	r = unitctl_read(c->bus, unit, &f, reterr);
	if (r < 0)
		return r;
	if (!unit_facts_is_active(&f) && !str_equal(f.active_state, "activating")) {
		str_append(c->text, c->text_size, "'%s' is %s, as before", unit, f.active_state);
		return 0;
	}
	if (!u.started[0] || !str_equal(u.started, f.invocation_id))
		return err_set(reterr, -ECANCELED,
			       "undo start of unit '%s': it was started again since, left alone",
			       unit);
	r = unitctl_run_job(c->bus, "StopUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "stopped '%s' again", unit);
	return r;
}

const struct action_ops action_unit_start = {
	.name = "unit.start",
	.summary = "start a unit that is dead",
	.source = "org.freedesktop.systemd1(5), StartUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_REVERSIBLE,
	.undo = "stops it again",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
