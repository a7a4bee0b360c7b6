/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"
#include "sys/unitlimit.h"

#define TIMEOUT_MS      120000 /* a reload reads every unit file of the host again */
#define SETTLE_MS       200
#define DURATION_MIN_NS (INT64_C(10) * NS_PER_S)    /* a step with its reload takes seconds */
#define DURATION_MAX_NS (INT64_C(86400) * NS_PER_S) /* what lasts longer is configuration */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "service, slice or scope to slow down" },
	{ .name = "quota_pct",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "pct",
	  .min = 1,
	  .max = 1000,
	  .help = "CPU time it may have, 100 is one whole CPU" },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = DURATION_MIN_NS,
	  .max = DURATION_MAX_NS,
	  .default_text = "15min",
	  .help = "how long; then systemd takes it back" },
	{ .name = NULL },
};

static struct unit_limit limit_of(const struct action_context *c)
{
	return (struct unit_limit){ .root_fd = c->root_fd,
				    .bus = c->bus,
				    .unit = params_text(c->params, "unit"),
				    .key = c->key,
				    .kind = UNIT_LIMIT_CPU_QUOTA,
				    .value = (uint64_t)params_integer(c->params, "quota_pct"),
				    .deadline_ns = c->deadline_ns,
				    .by_person = c->by_person,
				    .text = c->text,
				    .text_size = c->text_size };
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct unit_limit l = limit_of(c);
	int r = unit_limit_check(&l, reterr);

	if (r > 0)
		str_append(c->text, c->text_size, "'%s' has that limit already", l.unit);
	return r;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct unit_limit l = limit_of(c);
	struct unit_limit_before before;
	int r = unit_limit_snapshot(&l, &before, reterr);

	if (r < 0)
		return r;
	memcpy(undo, &before, sizeof(before));
	return sizeof(before);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct unit_limit l = limit_of(c);
	int r = c->dry_run ? 0 : unit_limit_apply(&l, reterr);
	char what[64];

	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s' to %s",
			   c->dry_run ? "would limit" : "limited", l.unit,
			   unit_limit_describe(&l, what, sizeof(what)));
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct unit_limit l = limit_of(c);

	return unit_limit_verify(&l, reterr);
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct unit_limit l = limit_of(c);
	struct unit_limit_before before;
	int r;

	if (undo_size != sizeof(before))
		return err_set(reterr, -EBADMSG, "undo CPU quota of unit '%s': bad undo record",
			       l.unit);
	memcpy(&before, undo, sizeof(before));
	r = unit_limit_revert(&l, &before, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "gave '%s' its CPU time back", l.unit);
	return r;
}

/* The case of unit.set_property that the runbooks know. */
const struct action_ops action_unit_set_cpu_quota = {
	.name = "unit.set_cpu_quota",
	.summary = "limit the CPU time of a unit for a while",
	.source = "systemd.resource-control(5), CPUQuota=; kernel cgroup-v2.rst, cpu.max",
	.params = params,
	.target = "unit",
	.risk = RISK_REVERSIBLE,
	.undo = "removes the limit again",
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
