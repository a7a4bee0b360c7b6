/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 190000 /* as unit.restart */
#define SETTLE_MS  500
#define SYNC_MAX_NS \
	(60 * NS_PER_S) /* what a server needs to answer, after name lookups that fail */
#define SYNC_POLL_NS (500 * NS_PER_MS)

/* timesyncd touches it each time it has set the clock. Source: systemd-timesyncd.service(8). */
#define SYNCHRONIZED "run/systemd/timesync/synchronized"

static const struct param_spec params[] = { { .name = NULL } };

static const char timesyncd[] = "systemd-timesyncd.service";
static const char *const clocks[] = { timesyncd,
				      "chrony.service",
				      "chronyd.service",
				      "ntpsec.service",
				      "ntp.service",
				      "openntpd.service",
				      NULL };

/* Tells before from after; time that was set cannot be unset. */
struct before {
	char unit[ENTITY_NAME_MAX], invocation_id[STR_HEX128_MAX];
	int64_t synchronized_wall_ns; /* 0: never */
};

/* When the clock was last set, by timesyncd's own word; 0: not yet. */
static int64_t synchronized_wall_ns(const struct action_context *c)
{
	struct stat st = { 0 };

	if (fstatat(c->root_fd, SYNCHRONIZED, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mtim.tv_sec * (int64_t)NS_PER_S + st.st_mtim.tv_nsec;
}

static int check(const struct action_context *c, struct err *reterr)
{
	char unit[ENTITY_NAME_MAX] = "";
	struct unit_facts f;
	int r = unitctl_find_one(c->bus, clocks, unit, reterr);

	if (r == 0)
		r = unitctl_check(c->bus, unit, &f, reterr);
	return r < 0 ? r : unit_facts_check_settled(&f, unit, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { .synchronized_wall_ns = synchronized_wall_ns(c) };
	int r = unitctl_find_one(c->bus, clocks, b.unit, reterr);

	if (r == 0)
		r = unitctl_read_invocation(c->bus, b.unit, b.invocation_id, reterr);
	memcpy(undo, &b, sizeof(b));
	return r < 0 ? r : (int)sizeof(b);
}

/* Each of them asks its servers anew when it starts, and may then set the clock in one step. Its unit is
 * protected from every action that is given a unit: this is the exception. */
static int apply(const struct action_context *c, struct err *reterr)
{
	struct before b = { 0 };
	int r = 0;

	if (c->dry_run) {
		r = unitctl_find_one(c->bus, clocks, b.unit, reterr);
	} else {
		memcpy(&b, c->undo, sizeof(b));
		r = unitctl_run_job(c->bus, "RestartUnit", b.unit, c->deadline_ns, reterr);
	}
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s', which sets the clock",
			   c->dry_run ? "would restart" : "restarted", b.unit);
	return r;
}

/* Only timesyncd leaves a mark that can be seen without asking it. */
static int wait_synchronized(const struct action_context *c, const struct before *b,
			     struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + SYNC_MAX_NS;

	if (end_ns > c->deadline_ns)
		end_ns = c->deadline_ns;
	while (synchronized_wall_ns(c) == b->synchronized_wall_ns) {
		if (clock_boot_ns() >= end_ns)
			return err_set(reterr, -ETIMEDOUT,
				       "verify time: '%s' was restarted and no server answered it",
				       b->unit);
		clock_sleep_ns(SYNC_POLL_NS);
	}
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct before b;
	int r;

	memcpy(&b, c->undo, sizeof(b));
	r = unitctl_verify_start(c->bus, b.unit, b.invocation_id, c->deadline_ns, reterr);
	return r == 0 && str_equal(b.unit, timesyncd) ? wait_synchronized(c, &b, reterr) : r;
}

const struct action_ops action_time_resync = {
	.name = "time.resync",
	.summary = "let the clock be set anew by the service that keeps it",
	.source = "systemd-timesyncd.service(8); chrony.conf(5), makestep; ntp.conf(5)",
	.params = params,
	.profile = STEP_PROFILE_BUS,
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 300000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
