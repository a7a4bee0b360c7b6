/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitlimit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/dropin.h"
#include "sys/unitctl.h"

#define VISIBLE_MAX_NS (5 * NS_PER_S) /* systemd writes to cgroups soon after a reload, not in it */
#define NONE           UINT64_MAX     /* no limit, as the kernel's "max" */
#define PERMYRIAD      10000
#define MIB_BYTES      (1024 * 1024)
#define CONTENT_MAX    320
#define FILE_MAX       2048

/* What a file of the cgroup says. Returns 0; -EBADMSG. */
static int parse_cpu_max(const char *text, uint64_t *ret_permyriad)
{
	uint64_t quota_us = 0, period_us = 0;

	if (sscanf(text, "%" SCNu64 " %" SCNu64, &quota_us, &period_us) != 2 || period_us == 0)
		return -EBADMSG;
	*ret_permyriad = quota_us * PERMYRIAD / period_us;
	return 0;
}

static int parse_number(const char *text, uint64_t *ret)
{
	return sscanf(text, "%" SCNu64, ret) == 1 ? 0 : -EBADMSG;
}

/* The lowest of all devices: "8:0 rbps=1048576 wbps=max riops=max wiops=max". */
static int parse_io_max(const char *text, const char *key, uint64_t *ret)
{
	uint64_t lowest = NONE, value = 0;

	for (const char *p = text; (p = strstr(p, key)); p += strlen(key))
		if (sscanf(p + strlen(key), "%" SCNu64, &value) == 1 && value < lowest)
			lowest = value;
	*ret = lowest;
	return 0;
}

static int parse_io_read(const char *text, uint64_t *ret)
{
	return parse_io_max(text, " rbps=", ret);
}

static int parse_io_write(const char *text, uint64_t *ret)
{
	return parse_io_max(text, " wbps=", ret);
}

static int parse_io_weight(const char *text, uint64_t *ret)
{
	return strncmp(text, "default ", 8) == 0 ? parse_number(text + 8, ret) : -EBADMSG;
}

static const struct kind {
	const char *property, *suffix; /* PROPERTY=VALUEsuffix */
	const char *prefix;            /* before the value: the path of a device */
	const char *file;
	int (*parse)(const char *text, uint64_t *ret);
	uint64_t min,
		max; /* of what is given; below min a unit cannot do what it is told to end either */
	uint64_t measure;  /* what 1 of the value is in the kernel's measure */
	bool must_exist;   /* without its file the limit is not to be had, rather than none */
	const char *words; /* "20 % of one CPU" */
} kinds[_UNIT_LIMIT_MAX] = {
	[UNIT_LIMIT_CPU_QUOTA] = { "CPUQuota", "%", "", "cpu.max", parse_cpu_max, 1, 1000, 100,
				   false, "% of one CPU" },
	[UNIT_LIMIT_MEMORY_HIGH] = { "MemoryHigh", "M", "", "memory.high", parse_number, 8,
				     16777216, MIB_BYTES, false,
				     "MiB of memory before it is slowed down" },
	[UNIT_LIMIT_MEMORY_MAX] = { "MemoryMax", "M", "", "memory.max", parse_number, 8, 16777216,
				    MIB_BYTES, false, "MiB of memory" },
	[UNIT_LIMIT_TASKS_MAX] = { "TasksMax", "", "", "pids.max", parse_number, 4, 1000000, 1,
				   false, "tasks" },
	[UNIT_LIMIT_IO_READ] = { "IOReadBandwidthMax", "K", "/ ", "io.max", parse_io_read, 16,
				 16777216, 1024, false, "KiB read per second" },
	[UNIT_LIMIT_IO_WRITE] = { "IOWriteBandwidthMax", "K", "/ ", "io.max", parse_io_write, 16,
				  16777216, 1024, false, "KiB written per second" },
	[UNIT_LIMIT_IO_WEIGHT] = { "IOWeight", "", "", "io.weight", parse_io_weight, 1, 10000, 1,
				   true, "as its weight at the disks" },
};

/* The section of a unit's file that takes these, by type. */
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

static struct dropin dropin_of(const struct unit_limit *l, char content[static CONTENT_MAX])
{
	const struct kind *k = &kinds[l->kind];

	content[0] = '\0';
	str_append(content, CONTENT_MAX,
		   "# Set by aiops, attempt %s; aiops-expire@%s.timer takes it back.\n"
		   "[%s]\n%s=%s%" PRIu64 "%s\n",
		   l->key, l->key, section_of(l->unit), k->property, k->prefix, l->value,
		   k->suffix);
	return (struct dropin){
		.root_fd = l->root_fd, .unit = l->unit, .key = l->key, .content = content
	};
}

const char *unit_limit_describe(const struct unit_limit *l, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "%" PRIu64 " %s", l->value, kinds[l->kind].words);
	return buf;
}

/* Reads a file of the unit's cgroup. Returns bytes; -ESRCH: it does not run; other -errno. */
static ssize_t read_file(const struct unit_limit *l, const char *file, char buf[static FILE_MAX],
			 struct err *reterr)
{
	char path[600] = "sys/fs/cgroup";
	struct unit_facts f;
	ssize_t n = unitctl_read(l->bus, l->unit, &f, reterr);

	if (n < 0)
		return n;
	if (!f.control_group[0])
		return err_set(reterr, -ESRCH, "read %s of unit '%s': it does not run", file,
			       l->unit);
	str_append(path, sizeof(path), "%s/%s", f.control_group, file);
	n = fd_read_file(l->root_fd, path, buf, FILE_MAX);
	return n < 0 ? err_set(reterr, (int)n, "read file '/%s': %s", path, strerror((int)-n)) : n;
}

static int read_limit(const struct unit_limit *l, uint64_t *ret, struct err *reterr)
{
	const struct kind *k = &kinds[l->kind];
	char text[FILE_MAX] = "";
	uint64_t value = NONE;
	ssize_t n = read_file(l, k->file, text, reterr);

	if (n < 0 && (n != -ENOENT || k->must_exist))
		return (int)n;
	/* Without the controller, and at the root, there is no file and no limit. */
	if (n > 0 && strncmp(text, "max", 3) != 0 && k->parse(text, &value) < 0)
		return err_set(reterr, -EBADMSG, "read %s of unit '%s': not a limit", k->file,
			       l->unit);
	*ret = value;
	return 0;
}

static uint64_t wanted(const struct unit_limit *l)
{
	return l->value * kinds[l->kind].measure;
}

/* systemd rounds a quota to whole microseconds of its period. */
static bool is_about(enum unit_limit_kind kind, uint64_t a, uint64_t b)
{
	uint64_t distance = a > b ? a - b : b - a;

	return a == b || (kind == UNIT_LIMIT_CPU_QUOTA && a != NONE && b != NONE && distance <= 1);
}

/* Waits until the kernel has the wanted limit. Returns 0; -EIO with what it has instead. */
static int wait_limit(const struct unit_limit *l, uint64_t value, struct err *reterr)
{
	const struct kind *k = &kinds[l->kind];
	uint64_t end_ns = clock_boot_ns() + VISIBLE_MAX_NS, now = 0;

	if (end_ns > l->deadline_ns)
		end_ns = l->deadline_ns;
	for (;;) {
		int r = read_limit(l, &now, reterr);

		if (r < 0)
			return r;
		if (is_about(l->kind, now, value))
			return 0;
		if (clock_boot_ns() >= end_ns)
			break;
		clock_sleep_ns(100 * NS_PER_MS);
	}
	if (now == NONE)
		return err_set(reterr, -EIO, "verify %s of unit '%s': there is none", k->property,
			       l->unit);
	return err_set(reterr, -EIO, "verify %s of unit '%s': it is %" PRIu64 ".%02u%s",
		       k->property, l->unit, now / k->measure,
		       (unsigned)(now % k->measure * 100 / k->measure), k->suffix);
}

/* Less than it uses now would have the kernel kill it. */
static int check_usage(const struct unit_limit *l, struct err *reterr)
{
	char text[FILE_MAX] = "";
	uint64_t used_bytes = 0;
	ssize_t n;

	if (l->kind != UNIT_LIMIT_MEMORY_MAX)
		return 0;
	n = read_file(l, "memory.current", text, reterr);
	if (n < 0)
		return (int)n;
	if (parse_number(text, &used_bytes) < 0)
		return err_set(reterr, -EBADMSG, "read memory.current of unit '%s': no number",
			       l->unit);
	return used_bytes < wanted(l) ? 0 :
					err_set(reterr, -EPERM,
						"set MemoryMax of unit '%s': it uses %" PRIu64
						" MiB and would be killed",
						l->unit, used_bytes / MIB_BYTES);
}

/* The reload that brings our file into force does so with all that was edited: a person who is at work on this
 * very unit decides when. Undoing reloads all the same: what is ours must end. */
static int check_edits(const struct unit_limit *l, const struct unit_facts *f, struct err *reterr)
{
	if (!f->reload_needed)
		return 0;
	if (!l->by_person)
		return err_set(reterr, -EPERM,
			       "set %s of unit '%s': its files were changed and systemd has not "
			       "read them: that would come into force",
			       kinds[l->kind].property, l->unit);
	str_append(l->text, l->text_size,
		   "what was changed in the files of '%s' comes into force as well; ", l->unit);
	return 0;
}

int unit_limit_check(const struct unit_limit *l, struct err *reterr)
{
	const struct kind *k = &kinds[l->kind];
	char content[CONTENT_MAX];
	struct dropin d;
	struct unit_facts f;
	uint64_t now = 0;
	int r = unitctl_check(l->bus, l->unit, &f, reterr);

	if (r < 0)
		return r;
	if (!section_of(l->unit))
		return err_set(reterr, -EOPNOTSUPP,
			       "set %s of unit '%s': not a service, slice or scope", k->property,
			       l->unit);
	if (l->value < k->min || l->value > k->max)
		return err_set(reterr, -ERANGE,
			       "set %s of unit '%s': %" PRIu64 " is not between %" PRIu64
			       " and %" PRIu64,
			       k->property, l->unit, l->value, k->min, k->max);
	d = dropin_of(l, content);
	r = dropin_check_no_other(&d, k->property, reterr);
	if (r == 0)
		r = read_limit(l, &now, reterr);
	if (r == 0)
		r = check_edits(l, &f, reterr);
	if (r == 0 && is_about(l->kind, now, wanted(l)))
		return 1;
	return r == 0 ? check_usage(l, reterr) : r;
}

int unit_limit_snapshot(const struct unit_limit *l, struct unit_limit_before *ret,
			struct err *reterr)
{
	struct unit_limit_before before = { 0 };
	char content[CONTENT_MAX];
	struct dropin d = dropin_of(l, content);
	int r = dropin_has_directory(&d, reterr);

	if (r < 0)
		return r;
	before.has_dir = r > 0;
	r = read_limit(l, &before.value, reterr);
	if (r == 0)
		*ret = before;
	return r;
}

int unit_limit_apply(const struct unit_limit *l, struct err *reterr)
{
	char content[CONTENT_MAX];
	struct dropin d = dropin_of(l, content);
	int r = dropin_write(&d, reterr);

	return r < 0 ? r : unitctl_reload(l->bus, reterr);
}

int unit_limit_verify(const struct unit_limit *l, struct err *reterr)
{
	return wait_limit(l, wanted(l), reterr);
}

/* The reload is repeated even if the file is gone: a revert that was killed may not have come to it. */
int unit_limit_revert(const struct unit_limit *l, const struct unit_limit_before *before,
		      struct err *reterr)
{
	char content[CONTENT_MAX];
	struct dropin d = dropin_of(l, content);
	int r = dropin_remove(&d, !before->has_dir, reterr);

	if (r >= 0)
		r = unitctl_reload(l->bus, reterr);
	if (r == 0)
		r = wait_limit(l, before->value, reterr);
	if (r == -EIO)
		return err_set(reterr, -ECANCELED,
			       "undo %s of unit '%s': ours is gone, someone set another",
			       kinds[l->kind].property, l->unit);
	/* It ended meanwhile; what is left of it is the file, and that is gone. */
	return r == -ESRCH ? 0 : r;
}
