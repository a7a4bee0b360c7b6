/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/fd.h"
#include "ops/action.h"
#include "sys/deleted.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 100000 /* as unit.reload */
#define SETTLE_MS  1000   /* a program opens its log again after it has answered */
#define MIB_BYTES  (1024 * 1024)

static const struct param_spec params[] = {
	{ .name = "unit",
	  .type = PARAM_TYPE_UNIT,
	  .help = "unit whose processes have deleted files open" },
	{ .name = NULL },
};

/* Tells before from after; a reload cannot be undone. */
struct before {
	uint64_t bytes;
};

static int count(const struct action_context *c, const struct unit_facts *f, struct deleted *ret,
		 struct err *reterr)
{
	char path[600] = "sys/fs/cgroup";
	_cleanup_close_ int proc_fd = fd_open_dir(c->root_fd, "proc", reterr);
	_cleanup_close_ int cgroup_fd = -EBADF;

	if (proc_fd < 0)
		return proc_fd;
	if (!f->control_group[0])
		return err_set(reterr, -ESRCH, "list processes of '%s': it has none", f->id);
	str_append(path, sizeof(path), "%s", f->control_group);
	cgroup_fd = fd_open_dir(c->root_fd, path, reterr);
	return cgroup_fd < 0 ? cgroup_fd : deleted_count(cgroup_fd, proc_fd, ret, reterr);
}

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct deleted d = { 0 };
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r == 0)
		r = count(c, &f, &d, reterr);
	if (r < 0)
		return r;
	if (d.bytes < MIB_BYTES) {
		str_append(c->text, c->text_size, "'%s' holds no space of deleted files", unit);
		return 1;
	}
	if (!f.can_reload || !str_equal(f.active_state, "active"))
		return err_set(reterr, -EOPNOTSUPP,
			       "release deleted files of '%s': %s; unit.restart would", unit,
			       f.can_reload ? "it is not active" : "it has no ExecReload=");
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { 0 };
	struct deleted d = { 0 };
	struct unit_facts f;
	int r = unitctl_read(c->bus, params_text(c->params, "unit"), &f, reterr);

	if (r == 0)
		r = count(c, &f, &d, reterr);
	b.bytes = d.bytes;
	memcpy(undo, &b, sizeof(b));
	return r < 0 ? r : (int)sizeof(b);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct deleted d = { 0 };
	struct unit_facts f;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r == 0)
		r = count(c, &f, &d, reterr);
	if (r == 0 && !c->dry_run)
		r = unitctl_run_job(c->bus, "ReloadUnit", unit, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size,
			   "%s '%s', which held %" PRIu64 " MiB of %" PRIu64 " deleted file%s",
			   c->dry_run ? "would reload" : "reloaded", unit, d.bytes / MIB_BYTES, d.n,
			   str_plural(d.n));
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	struct deleted d = { 0 };
	struct unit_facts f;
	struct before b;
	int r = unitctl_wait_idle(c->bus, unit, c->deadline_ns, reterr);

	memcpy(&b, c->undo, sizeof(b));
	if (r == 0)
		r = unitctl_read(c->bus, unit, &f, reterr);
	if (r == 0)
		r = count(c, &f, &d, reterr);
	if (r < 0)
		return r;
	if (!unit_facts_is_active(&f))
		return err_set(reterr, -EIO, "verify reload of '%s': it is %s", unit,
			       f.active_state);
	if (d.bytes > b.bytes / 2)
		return err_set(reterr, -EIO,
			       "verify deleted files of '%s': it still holds %" PRIu64 " MiB", unit,
			       d.bytes / MIB_BYTES);
	str_append(c->text, c->text_size, "; %" PRIu64 " MiB are free",
		   (b.bytes - d.bytes) / MIB_BYTES);
	return 0;
}

const struct action_ops action_disk_release_deleted = {
	.name = "disk.release_deleted",
	.summary = "free the space of deleted files by reloading the unit that has them open",
	.source = "proc(5), /proc/PID/fd; org.freedesktop.systemd1(5), ReloadUnit()",
	.params = params,
	.target = "unit",
	.profile = STEP_PROFILE_FILES,
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
