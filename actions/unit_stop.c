/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 100000 /* DefaultTimeoutStopSec= is 90 s: systemd decides before we give up */
#define SETTLE_MS  500    /* a socket or Restart= that brings it back at once has done so by then */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit to stop" },
	{ .name = NULL },
};

/* The run that is ended: what starts it again has another. */
struct undo {
	char stopped[STR_HEX128_MAX];
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (unit_facts_is_down(&f)) {
		str_append(c->text, c->text_size, "'%s' is %s already", unit, f.active_state);
		return 1;
	}
	if (f.refuse_manual_start || f.refuse_manual_stop)
		return err_set(reterr, -EPERM, "stop unit '%s': it refuses manual start or stop",
			       unit);
	r = unit_facts_check_settled(&f, unit, reterr);
	return r < 0 ? r : unitctl_check_stops_alone(c->bus, unit, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = unitctl_read_invocation(c->bus, params_text(c->params, "unit"), u.stopped, reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? r : (int)sizeof(u);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_run_job(c->bus, "StopUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s'", c->dry_run ? "would stop" : "stopped",
			   unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_wait_idle(c->bus, unit, c->deadline_ns, reterr);

	if (r == 0)
		r = unitctl_read(c->bus, unit, &f, reterr);
	if (r < 0)
		return r;
	if (!unit_facts_is_down(&f))
		return err_set(reterr, -EIO, "verify stop of unit '%s': it is %s (%s)", unit,
			       f.active_state, f.sub_state);
	return 0;
}

/* systemd forgets the invocation of a unit that it unloads: none is as good as ours. */
static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo stop of unit '%s': bad undo record", unit);
	memcpy(&u, undo, sizeof(u));
	/* A stop that nobody waited for is over before a start means anything. */
	r = unitctl_wait_idle(c->bus, unit, c->deadline_ns, reterr);
	if (r == 0)
		r = unitctl_read(c->bus, unit, &f, reterr);
	if (r < 0)
		return r;
	if (!unit_facts_is_down(&f)) {
		str_append(c->text, c->text_size, "'%s' is %s, as before", unit, f.active_state);
		return 0;
	}
	if (f.invocation_id[0] && !str_equal(f.invocation_id, u.stopped))
		return err_set(reterr, -ECANCELED,
			       "undo stop of unit '%s': it ran and ended again since, left alone",
			       unit);
	r = unitctl_run_job(c->bus, "StartUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "started '%s' again", unit);
	return r;
}

const struct action_ops action_unit_stop = {
	.name = "unit.stop",
	.summary = "stop a unit that nothing else needs",
	.source = "org.freedesktop.systemd1(5), StopUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.undo = "starts it again",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
