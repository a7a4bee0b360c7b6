/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS      20000
#define DURATION_MIN_NS (INT64_C(5) * NS_PER_S)
#define DURATION_MAX_NS (INT64_C(3600) * NS_PER_S) /* clients have given up long before; ours */

static const struct param_spec params[] = {
	{ .name = "unit",
	  .type = PARAM_TYPE_UNIT,
	  .help = "service or scope that is to stand still" },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = DURATION_MIN_NS,
	  .max = DURATION_MAX_NS,
	  .default_text = "60s",
	  .help = "how long; then systemd thaws it" },
	{ .name = NULL },
};

/* The run that is frozen. */
struct undo {
	char invocation_id[STR_HEX128_MAX];
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (!f.can_freeze)
		return err_set(reterr, -EOPNOTSUPP, "freeze unit '%s': systemd cannot", unit);
	if (!unit_facts_is_active(&f))
		return err_set(reterr, -ESRCH, "freeze unit '%s': it is %s", unit, f.active_state);
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = unitctl_read_invocation(c->bus, params_text(c->params, "unit"), u.invocation_id,
					reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? r : (int)sizeof(u);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_call(c->bus, "FreezeUnit", unit, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s' for %s",
			   c->dry_run ? "would freeze" : "froze", unit,
			   params_text(c->params, PARAM_DURATION));
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0 && !str_equal(f.freezer_state, "frozen"))
		r = err_set(reterr, -EIO, "verify freeze of unit '%s': it is %s", unit,
			    f.freezer_state);
	return r;
}

/* A freeze that systemd has not answered yet is thawed as well, for it may still come. */
static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo freeze of unit '%s': bad undo record", unit);
	memcpy(&u, undo, sizeof(u));
	r = unitctl_read(c->bus, unit, &f, reterr);
	if (r < 0)
		return r;
	if (str_equal(f.freezer_state, "running")) {
		str_append(c->text, c->text_size, "'%s' is not frozen", unit);
		return 0;
	}
	if (!str_equal(f.invocation_id, u.invocation_id))
		return err_set(reterr, -ECANCELED,
			       "undo freeze of unit '%s': it was started anew, then frozen by "
			       "somebody",
			       unit);
	r = unitctl_call(c->bus, "ThawUnit", unit, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "thawed '%s'", unit);
	return r;
}

const struct action_ops action_unit_freeze = {
	.name = "unit.freeze",
	.summary = "let a unit stand still for a while",
	.source = "org.freedesktop.systemd1(5), FreezeUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.undo = "thaws it",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
