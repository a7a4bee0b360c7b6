/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 20000

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "frozen unit that is to go on" },
	{ .name = NULL },
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0)
		r = unit_facts_check_idle(&f, unit, reterr);
	if (r < 0)
		return r;
	if (!f.freezer_state[0] || str_equal(f.freezer_state, "running")) {
		str_append(c->text, c->text_size, "'%s' is not frozen", unit);
		return 1;
	}
	if (!c->by_person)
		return err_set(reterr, -EPERM, "thaw unit '%s': somebody meant it to stand still",
			       unit);
	return 0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_call(c->bus, "ThawUnit", unit, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s'", c->dry_run ? "would thaw" : "thawed",
			   unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0 && !str_equal(f.freezer_state, "running"))
		r = err_set(reterr, -EIO, "verify thaw of unit '%s': it is %s", unit,
			    f.freezer_state);
	return r;
}

/* No revert: that would freeze with nobody to end it. unit.freeze is the way back, and it ends. */
const struct action_ops action_unit_thaw = {
	.name = "unit.thaw",
	.summary = "let a frozen unit go on",
	.source = "org.freedesktop.systemd1(5), ThawUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 10000,
	.check = check,
	.apply = apply,
	.verify = verify,
};
