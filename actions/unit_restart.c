/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

/* DefaultTimeoutStopSec= and DefaultTimeoutStartSec= are 90 s each: systemd decides first. */
#define TIMEOUT_MS 190000
#define SETTLE_MS  500 /* a program that ends at once after its start has done so by then */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit to stop and start again" },
	{ .name = NULL },
};

/* Tells before from after; a restart cannot be undone. */
struct before {
	char invocation_id[STR_HEX128_MAX];
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0)
		r = unit_facts_check(&f, unit, reterr);
	if (r < 0)
		return r;
	if (f.refuse_manual_start || f.refuse_manual_stop)
		return err_set(reterr, -EPERM, "restart unit '%s': it refuses manual start or stop",
			       unit);
	if (str_equal(f.active_state, "activating") || str_equal(f.active_state, "deactivating"))
		return err_set(reterr, -EBUSY, "restart unit '%s': systemd has it in state %s (%s)",
			       unit, f.active_state, f.sub_state);
	if (!c->by_person && unit_facts_is_at_rest(&f))
		return err_set(reterr, -EPERM, "restart unit '%s': it was stopped in order", unit);
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { 0 };
	struct unit_facts f;
	int r = unitctl_read(c->bus, params_text(c->params, "unit"), &f, reterr);

	if (r < 0)
		return r;
	(void)str_copy(b.invocation_id, sizeof(b.invocation_id), f.invocation_id);
	memcpy(undo, &b, sizeof(b));
	return sizeof(b);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would restart '%s'", unit);
		return 0;
	}
	r = unitctl_run_job(c->bus, "RestartUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "restarted '%s'", unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	struct before b;
	int r = unitctl_wait_idle(c->bus, unit, c->deadline_ns, reterr);

	if (r == 0)
		r = unitctl_read(c->bus, unit, &f, reterr);
	if (r < 0)
		return r;
	memcpy(&b, c->undo, sizeof(b));
	if (str_equal(f.invocation_id, b.invocation_id))
		return err_set(reterr, -ENOENT, "verify restart of unit '%s': it was not restarted",
			       unit);
	if (!unit_facts_is_active(&f) && !unit_facts_is_at_rest(&f))
		return err_set(reterr, -EIO, "verify restart of unit '%s': it is %s (%s)", unit,
			       f.active_state, f.result[0] ? f.result : f.sub_state);
	return 0;
}

const struct action_ops action_unit_restart = {
	.name = "unit.restart",
	.summary = "stop a unit and start it again",
	.source = "org.freedesktop.systemd1(5), RestartUnit()",
	.params = params,
	.risk = RISK_DISRUPTIVE,
	.revertible = false,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
