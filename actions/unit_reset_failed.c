/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 20000

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit whose failure is forgotten" },
	{ .name = NULL },
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (!str_equal(f.active_state, "failed")) {
		str_append(c->text, c->text_size, "'%s' is %s, not failed", unit, f.active_state);
		return 1;
	}
	return 0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_call(c->bus, "ResetFailedUnit", unit, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s the failure and the start limit of '%s'",
			   c->dry_run ? "would forget" : "forgot", unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0 && str_equal(f.active_state, "failed"))
		r = err_set(reterr, -EIO, "verify reset of unit '%s': it is failed (%s)", unit,
			    f.result);
	return r;
}

const struct action_ops action_unit_reset_failed = {
	.name = "unit.reset_failed",
	.summary = "forget that a unit failed, and how often it was started",
	.source = "org.freedesktop.systemd1(5), ResetFailedUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE, /* what it says is gone for everybody who would have looked */
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 10000,
	.check = check,
	.apply = apply,
	.verify = verify,
};
