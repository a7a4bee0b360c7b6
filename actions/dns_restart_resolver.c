/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/resolver.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 190000 /* as unit.restart */
#define SETTLE_MS  500

static const struct param_spec params[] = { { .name = NULL } };

/* Tells before from after; a restart cannot be undone. */
struct before {
	char unit[ENTITY_NAME_MAX], invocation_id[STR_HEX128_MAX];
};

static int check(const struct action_context *c, struct err *reterr)
{
	char unit[ENTITY_NAME_MAX] = "";
	struct unit_facts f;
	int r = resolver_find_unit(c->root_fd, c->bus, unit, reterr);

	if (r == 0)
		r = unitctl_check(c->bus, unit, &f, reterr);
	return r < 0 ? r : unit_facts_check_settled(&f, unit, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { 0 };
	int r = resolver_find_unit(c->root_fd, c->bus, b.unit, reterr);

	if (r == 0)
		r = unitctl_read_invocation(c->bus, b.unit, b.invocation_id, reterr);
	memcpy(undo, &b, sizeof(b));
	return r < 0 ? r : (int)sizeof(b);
}

/* The resolver's unit is protected from every action that is given a unit: this is the exception, and it can
 * do no more than restart what the host itself asks. */
static int apply(const struct action_context *c, struct err *reterr)
{
	struct before b = { 0 };
	int r = 0;

	if (c->dry_run) {
		r = resolver_find_unit(c->root_fd, c->bus, b.unit, reterr);
	} else {
		memcpy(&b, c->undo, sizeof(b));
		r = unitctl_run_job(c->bus, "RestartUnit", b.unit, c->deadline_ns, reterr);
	}
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s', which this host asks for names",
			   c->dry_run ? "would restart" : "restarted", b.unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct before b;

	memcpy(&b, c->undo, sizeof(b));
	return unitctl_verify_start(c->bus, b.unit, b.invocation_id, c->deadline_ns, reterr);
}

const struct action_ops action_dns_restart_resolver = {
	.name = "dns.restart_resolver",
	.summary = "restart the local server that this host asks for names",
	.source = "resolv.conf(5); org.freedesktop.systemd1(5), RestartUnit()",
	.params = params,
	.profile = STEP_PROFILE_BUS,
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 60000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
