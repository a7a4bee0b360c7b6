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

static const char *const property_choices[] = {
	[UNIT_LIMIT_CPU_QUOTA] = "CPUQuota",         [UNIT_LIMIT_MEMORY_HIGH] = "MemoryHigh",
	[UNIT_LIMIT_MEMORY_MAX] = "MemoryMax",       [UNIT_LIMIT_TASKS_MAX] = "TasksMax",
	[UNIT_LIMIT_IO_READ] = "IOReadBandwidthMax", [UNIT_LIMIT_IO_WRITE] = "IOWriteBandwidthMax",
	[UNIT_LIMIT_IO_WEIGHT] = "IOWeight",         [_UNIT_LIMIT_MAX] = NULL,
};

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "service, slice or scope to limit" },
	{ .name = "property",
	  .type = PARAM_TYPE_ENUM,
	  .choices = property_choices,
	  .help = "what is limited, in systemd's words; IO is that of the disk below /" },
	{ .name = "value",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 1,
	  .max = 16777216,
	  .help = "per cent of one CPU, MiB, tasks, KiB per second, or a weight of 1 to 10000" },
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
				    .kind = (enum unit_limit_kind)params_integer(c->params,
										 "property"),
				    .value = (uint64_t)params_integer(c->params, "value"),
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
		return err_set(reterr, -EBADMSG, "undo limit of unit '%s': bad undo record",
			       l.unit);
	memcpy(&before, undo, sizeof(before));
	r = unit_limit_revert(&l, &before, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "took the limit of '%s' back", l.unit);
	return r;
}

const struct action_ops action_unit_set_property = {
	.name = "unit.set_property",
	.summary = "limit what a unit may use, for a while",
	.source = "systemd.resource-control(5); kernel Documentation/admin-guide/cgroup-v2.rst",
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
