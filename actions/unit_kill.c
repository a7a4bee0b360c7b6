/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 20000
#define SETTLE_MS  300 /* what a SIGKILL needs to be seen by systemd */

static const char *const signal_choices[] = { "SIGTERM", "SIGKILL", "SIGINT",  "SIGHUP",  "SIGQUIT",
					      "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGCONT", NULL };
static const struct {
	int number;
	bool ends; /* the process must be gone afterwards */
} signals[] = { { SIGTERM, true },  { SIGKILL, true },  { SIGINT, true },
		{ SIGHUP, false },  { SIGQUIT, true },  { SIGABRT, true },
		{ SIGUSR1, false }, { SIGUSR2, false }, { SIGCONT, false } };
static const char *const who_choices[] = { "main", "all", NULL };

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit whose processes get the signal" },
	{ .name = "signal",
	  .type = PARAM_TYPE_ENUM,
	  .default_text = "SIGTERM",
	  .choices = signal_choices,
	  .help = "signal to send" },
	{ .name = "who",
	  .type = PARAM_TYPE_ENUM,
	  .default_text = "main",
	  .choices = who_choices,
	  .help = "the main process or all of the unit" },
	{ .name = NULL },
};

/* Tells before from after; a signal cannot be taken back. */
struct before {
	char invocation_id[STR_HEX128_MAX];
	uint32_t main_pid;
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (f.main_pid == 0 && str_equal(params_text(c->params, "who"), "main"))
		return err_set(reterr, -ESRCH, "kill unit '%s': it has no main process", unit);
	if (!f.control_group[0])
		return err_set(reterr, -ESRCH, "kill unit '%s': it has no processes", unit);
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
	b.main_pid = f.main_pid;
	memcpy(undo, &b, sizeof(b));
	return sizeof(b);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit"), *who = params_text(c->params, "who");
	const char *name = params_text(c->params, "signal");
	int64_t i = params_integer(c->params, "signal");
	int r = 0;

	if (!c->dry_run)
		r = unitctl_kill(c->bus, unit, who, signals[i].number, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s %s to %s of '%s'",
			   c->dry_run ? "would send" : "sent", name,
			   str_equal(who, "main") ? "the main process" : "all processes", unit);
	return r;
}

/* What a harmless signal did cannot be seen; for the others the process that had it must be gone. */
static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct unit_facts f;
	struct before b;
	int r;

	memcpy(&b, c->undo, sizeof(b));
	for (;;) {
		r = unitctl_read(c->bus, unit, &f, reterr);
		if (r < 0)
			return r;
		if (f.main_pid != b.main_pid || !str_equal(f.invocation_id, b.invocation_id))
			return 0;
		if (!signals[params_integer(c->params, "signal")].ends || b.main_pid == 0)
			return err_set(reterr, -EINPROGRESS,
				       "verify signal to unit '%s': its effect is not visible",
				       unit);
		if (clock_boot_ns() >= c->deadline_ns)
			return err_set(reterr, -ETIMEDOUT,
				       "verify signal to unit '%s': process %u is still there",
				       unit, b.main_pid);
		clock_sleep_ns(200 * NS_PER_MS);
	}
}

const struct action_ops action_unit_kill = {
	.name = "unit.kill",
	.summary = "send a signal to a unit's processes",
	.source = "org.freedesktop.systemd1(5), KillUnit()",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.idempotent = false,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
