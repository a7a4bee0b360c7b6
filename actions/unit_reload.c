/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 100000 /* TimeoutStartSec= bounds a reload, 90 s: systemd decides before us */
#define SETTLE_MS  500    /* a program that dies of its new configuration has done so by then */

static const struct param_spec params[] = {
	{ .name = "unit",
	  .type = PARAM_TYPE_UNIT,
	  .help = "unit that is to read its configuration again" },
	{ .name = NULL },
};

/* Tells before from after; what was read cannot be forgotten again. */
struct before {
	char invocation_id[STR_HEX128_MAX];
	uint64_t state_change_mono_us;
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (!f.can_reload)
		return err_set(reterr, -EOPNOTSUPP,
			       "reload unit '%s': it has no ExecReload=", unit);
	if (!str_equal(f.active_state, "active"))
		return err_set(reterr, -ESRCH, "reload unit '%s': it is %s", unit, f.active_state);
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
	b.state_change_mono_us = f.state_change_mono_us;
	memcpy(undo, &b, sizeof(b));
	return sizeof(b);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_run_job(c->bus, "ReloadUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s'",
			   c->dry_run ? "would reload" : "reloaded", unit);
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
	if (!unit_facts_is_active(&f))
		return err_set(reterr, -EIO, "verify reload of unit '%s': it is %s (%s)", unit,
			       f.active_state, f.result[0] ? f.result : f.sub_state);
	if (!str_equal(f.invocation_id, b.invocation_id))
		return err_set(reterr, -EIO, "verify reload of unit '%s': it was started anew",
			       unit);
	if (f.state_change_mono_us == b.state_change_mono_us)
		return err_set(reterr, -ENOENT, "verify reload of unit '%s': it was not reloaded",
			       unit);
	return 0;
}

const struct action_ops action_unit_reload = {
	.name = "unit.reload",
	.summary = "let a unit read its configuration again",
	.source = "org.freedesktop.systemd1(5), ReloadUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
