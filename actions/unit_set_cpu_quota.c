/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "ops/action.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS      120000 /* a reload reads every unit file of the host again */
#define SETTLE_MS       200
#define VISIBLE_MAX_NS  (5 * NS_PER_S) /* systemd writes cpu.max soon after a reload, not in it */
#define DROPIN_PREFIX   "90-aiops-"    /* after an operator's own numbers, as a rule below 90 */
#define RUNTIME_DIR     "run/systemd/system"
#define DURATION_MIN_NS (INT64_C(10) * NS_PER_S)    /* a step with its reload takes seconds */
#define DURATION_MAX_NS (INT64_C(86400) * NS_PER_S) /* what lasts longer is configuration */
#define CPU_MAX_NONE    UINT64_MAX
#define PERMYRIAD       10000

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

struct undo {
	uint64_t before_permyriad; /* of one CPU; CPU_MAX_NONE: no limit */
	uint32_t has_dir;          /* boolean: U.d was there before us */
};

/* The section that takes CPUQuota=, by type. Source: systemd.resource-control(5). */
static const char *section_of(const char *unit)
{
	static const struct {
		const char *suffix, *section;
	} sections[] = {
		{ ".service", "Service" },
		{ ".slice", "Slice" },
		{ ".scope", "Scope" },
	};
	const char *dot = strrchr(unit, '.');

	for (size_t i = 0; dot && i < ELEMENTSOF(sections); i++)
		if (str_equal(dot, sections[i].suffix))
			return sections[i].section;
	return NULL;
}

static void format_dir(const struct action_context *c, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, RUNTIME_DIR "/%s.d", params_text(c->params, "unit"));
}

static void format_name(const struct action_context *c, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, DROPIN_PREFIX "%s.conf", c->key);
}

static void format_content(const struct action_context *c, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(
		buf, size,
		"# Set by aiops, attempt %s; aiops-expire@%s.timer takes it back.\n[%s]\nCPUQuota=%s%%\n",
		c->key, c->key, section_of(params_text(c->params, "unit")),
		params_text(c->params, "quota_pct"));
}

/* *ret_fd: U.d below /run, or -EBADF if there is none. */
static int open_dropin_dir(const struct action_context *c, int *ret_fd, struct err *reterr)
{
	char dir[512];
	int fd;

	format_dir(c, dir, sizeof(dir));
	fd = openat(c->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "open directory '%s': %s", dir, strerror(errno));
	*ret_fd = fd < 0 ? -EBADF : fd;
	return 0;
}

/* Share of one CPU that the cgroup may use, as the kernel has it.
 * Source: kernel Documentation/admin-guide/cgroup-v2.rst, cpu.max: "$MAX $PERIOD" in us. */
static int read_cpu_max(const struct action_context *c, uint64_t *ret_permyriad, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	char path[600] = "sys/fs/cgroup", text[64] = "";
	uint64_t quota_us = 0, period_us = 0;
	struct unit_facts f;
	ssize_t n;
	int r = unitctl_read(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (!f.control_group[0])
		return err_set(reterr, -ESRCH, "read CPU quota of unit '%s': it does not run",
			       unit);
	str_append(path, sizeof(path), "%s/cpu.max", f.control_group);
	n = fd_read_file(c->root_fd, path, text, sizeof(text));
	if (n < 0 && n != -ENOENT)
		return err_set(reterr, (int)n, "read file '/%s': %s", path, strerror((int)-n));
	*ret_permyriad = CPU_MAX_NONE;
	/* Without the controller, and at the root, there is no file and no limit. */
	if (n == -ENOENT || strncmp(text, "max", 3) == 0)
		return 0;
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &quota_us, &period_us) != 2 || period_us == 0)
		return err_set(reterr, -EBADMSG, "read file '/%s': not a quota", path);
	*ret_permyriad = quota_us * PERMYRIAD / period_us;
	return 0;
}

/* The quota is rounded by systemd to whole microseconds of its period. */
static bool is_about(uint64_t a_permyriad, uint64_t b_permyriad)
{
	uint64_t distance = a_permyriad > b_permyriad ? a_permyriad - b_permyriad :
							b_permyriad - a_permyriad;

	return a_permyriad == b_permyriad ||
	       (a_permyriad != CPU_MAX_NONE && b_permyriad != CPU_MAX_NONE && distance <= 1);
}

/* Waits until the kernel has the wanted quota. Returns 0; -EIO with what it has instead. */
static int wait_cpu_max(const struct action_context *c, uint64_t permyriad, struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + VISIBLE_MAX_NS, now_permyriad = 0;

	if (end_ns > c->deadline_ns)
		end_ns = c->deadline_ns;

	for (;;) {
		int r = read_cpu_max(c, &now_permyriad, reterr);

		if (r < 0)
			return r;
		if (is_about(now_permyriad, permyriad))
			return 0;
		if (clock_boot_ns() >= end_ns)
			break;
		clock_sleep_ns(100 * NS_PER_MS);
	}
	if (now_permyriad == CPU_MAX_NONE)
		return err_set(reterr, -EIO, "verify CPU quota of unit '%s': there is none",
			       params_text(c->params, "unit"));
	return err_set(reterr, -EIO, "verify CPU quota of unit '%s': it is %" PRIu64 ".%02u %%",
		       params_text(c->params, "unit"), now_permyriad / 100,
		       (unsigned)(now_permyriad % 100));
}

/* Two of ours on one unit could not be undone in any order. */
static int check_no_other(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_closedir_ DIR *dir = NULL;
	int r = open_dropin_dir(c, &fd, reterr);

	if (r < 0 || fd < 0)
		return r;
	dir = fdopendir(fd);
	if (!dir)
		return err_set(reterr, -errno, "read drop-ins: %s", strerror(errno));
	(void)TAKE_FD(fd);
	for (const struct dirent *e; (e = readdir(dir));)
		if (strncmp(e->d_name, DROPIN_PREFIX, strlen(DROPIN_PREFIX)) == 0)
			return err_set(
				reterr, -EBUSY,
				"set CPU quota of unit '%s': '%s' of an earlier attempt is there",
				params_text(c->params, "unit"), e->d_name);
	return 0;
}

static uint64_t wanted_permyriad(const struct action_context *c)
{
	return (uint64_t)params_integer(c->params, "quota_pct") * 100;
}

/* The reload that brings our file into force does so with all that was edited: a person who is at work on this
 * very unit decides when. Undoing reloads all the same: what is ours must end. */
static int check_edits(const struct action_context *c, const struct unit_facts *f,
		       struct err *reterr)
{
	if (!f->reload_needed)
		return 0;
	if (!c->by_person)
		return err_set(reterr, -EPERM,
			       "set CPU quota of unit '%s': its files were changed and systemd has "
			       "not read them: that would come into force",
			       f->id);
	str_append(c->text, c->text_size,
		   "what was changed in the files of '%s' comes into force as well; ", f->id);
	return 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	uint64_t now_permyriad = 0;
	struct unit_facts f;
	int r = unitctl_check(c->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (!section_of(unit))
		return err_set(reterr, -EOPNOTSUPP,
			       "set CPU quota of unit '%s': not a service, slice or scope", unit);
	r = check_no_other(c, reterr);
	if (r == 0)
		r = read_cpu_max(c, &now_permyriad, reterr);
	if (r == 0)
		r = check_edits(c, &f, reterr);
	if (r == 0 && is_about(now_permyriad, wanted_permyriad(c))) {
		str_append(c->text, c->text_size, "'%s' has that limit already", unit);
		return 1;
	}
	return r;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	struct undo u = { 0 };
	int r = open_dropin_dir(c, &fd, reterr);

	if (r == 0)
		r = read_cpu_max(c, &u.before_permyriad, reterr);
	if (r < 0)
		return r;
	u.has_dir = fd >= 0;
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

static int write_dropin(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	char dir[512], name[64], content[256];
	int r;

	format_dir(c, dir, sizeof(dir));
	format_name(c, name, sizeof(name));
	format_content(c, content, sizeof(content));
	if (mkdirat(c->root_fd, dir, 0755) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make directory '/%s': %s", dir, strerror(errno));
	r = open_dropin_dir(c, &fd, reterr);
	if (r < 0)
		return r;
	return fd_write_atomic(fd, name, content, strlen(content), 0644, false, reterr);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	int r = 0;

	if (!c->dry_run)
		r = write_dropin(c, reterr);
	if (r == 0 && !c->dry_run)
		r = unitctl_reload(c->bus, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s' to %s %% of one CPU",
			   c->dry_run ? "would limit" : "limited", params_text(c->params, "unit"),
			   params_text(c->params, "quota_pct"));
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	return wait_cpu_max(c, wanted_permyriad(c), reterr);
}

/* Removes our file if it is still as we wrote it. Returns 1 if removed, 0 if it is gone. */
static int remove_dropin(const struct action_context *c, int dir_fd, struct err *reterr)
{
	char name[64], tmp[80] = "", wanted[256], found[256] = "";
	ssize_t n;

	format_name(c, name, sizeof(name));
	format_content(c, wanted, sizeof(wanted));
	str_append(tmp, sizeof(tmp), "%s.tmp", name);
	(void)unlinkat(dir_fd, tmp, 0); /* of a write that was killed; systemd reads *.conf only */
	n = fd_read_file(dir_fd, name, found, sizeof(found));
	if (n == -ENOENT)
		return 0;
	if (n < 0 && n != -EFBIG)
		return err_set(reterr, (int)n, "read drop-in '%s': %s", name, strerror((int)-n));
	if (n == -EFBIG || !str_equal(found, wanted))
		return err_set(reterr, -ECANCELED, "remove drop-in '%s': changed since, left alone",
			       name);
	if (unlinkat(dir_fd, name, 0) < 0)
		return err_set(reterr, -errno, "remove drop-in '%s': %s", name, strerror(errno));
	return 1;
}

/* The reload is repeated even if the file is gone: a revert that was killed may not have come to it. */
static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	const char *unit = params_text(c->params, "unit");
	char dir[512];
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo CPU quota of unit '%s': bad undo record",
			       unit);
	memcpy(&u, undo, sizeof(u));
	format_dir(c, dir, sizeof(dir));
	r = open_dropin_dir(c, &fd, reterr);
	if (r == 0 && fd >= 0)
		r = remove_dropin(c, fd, reterr);
	if (r < 0)
		return r;
	/* Only if it is empty, so never an operator's. */
	if (!u.has_dir)
		(void)unlinkat(c->root_fd, dir, AT_REMOVEDIR);
	r = unitctl_reload(c->bus, reterr);
	if (r == 0)
		r = wait_cpu_max(c, u.before_permyriad, reterr);
	if (r == -EIO)
		return err_set(reterr, -ECANCELED,
			       "undo CPU quota of unit '%s': ours is gone, someone set another",
			       unit);
	if (r == -ESRCH) /* it ended meanwhile; what is left of it is the file, and that is gone */
		r = 0;
	if (r == 0)
		str_append(c->text, c->text_size, "gave '%s' its CPU time back", unit);
	return r;
}

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
