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
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (f.refuse_manual_start || f.refuse_manual_stop)
		return err_set(reterr, -EPERM, "restart unit '%s': it refuses manual start or stop",
			       unit);
	return unit_facts_check_start(&f, unit, c->by_person, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { 0 };
	int r = unitctl_read_invocation(c->bus, params_text(c->params, "unit"), b.invocation_id,
					reterr);

	memcpy(undo, &b, sizeof(b));
	return r < 0 ? r : (int)sizeof(b);
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
	struct before b;

	memcpy(&b, c->undo, sizeof(b));
	return unitctl_verify_start(c->bus, params_text(c->params, "unit"), b.invocation_id,
				    c->deadline_ns, reterr);
}

const struct action_ops action_unit_restart = {
	.name = "unit.restart",
	.summary = "stop a unit and start it again",
	.source = "org.freedesktop.systemd1(5), RestartUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
