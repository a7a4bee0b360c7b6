/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/sweep.h"

#define TIMEOUT_MS   120000
#define DAY_NS       (86400 * (int64_t)NS_PER_S)
#define MIB_BYTES    (1024 * 1024)
#define ARCHIVES_DIR "/var/cache/apt/archives" /* Dir::Cache::archives. Source: apt.conf(5) */

static const char *const what_choices[] = { "journal", "package_cache", "logs", "temp", NULL };
enum what { WHAT_JOURNAL, WHAT_PACKAGE_CACHE, WHAT_LOGS, WHAT_TEMP };

static const struct param_spec params[] = {
	{ .name = "what",
	  .type = PARAM_TYPE_ENUM,
	  .choices = what_choices,
	  .help = "archived journal files, downloaded packages, rotated logs or old "
		  "temporary "
		  "files of services.d" },
	{ .name = "older_than",
	  .type = PARAM_TYPE_SPAN,
	  .min = DAY_NS / 24,
	  .max = 366 * DAY_NS,
	  .default_text = "168h",
	  .help = "logs and temp: only files not changed for so long" },
	{ .name = "keep_mib",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "MiB",
	  .min = 0,
	  .max = 1024 * 1024,
	  .default_text = "200",
	  .help = "journal: what may stay of its archived files" },
	{ .name = NULL },
};

/* What rotation leaves behind. Source: logrotate(8). */
static const char *const rotated[] = {
	"*.gz",  "*.xz",    "*.zst",        "*.bz2",
	"*.old", "*.[0-9]", "*.[0-9][0-9]", "*-[12][0-9][0-9][0-9][01][0-9][0-3][0-9]",
	NULL
};
static const char *const packages[] = { "*.deb", NULL };

static enum what what_of(const struct action_context *c)
{
	return (enum what)params_integer(c->params, "what");
}

/* /var/log/journal/MACHINE-ID, and the volatile one. Absent is nothing to free.
 */
static int sweep_journals(const struct action_context *c, bool do_remove, struct sweep_count *count,
			  struct err *reterr)
{
	static const char *const dirs[] = { "/var/log/journal", "/run/log/journal" };
	uint64_t keep_bytes = (uint64_t)params_integer(c->params, "keep_mib") * MIB_BYTES;
	char id[STR_HEX128_MAX + 1] = "";
	ssize_t n = fd_read_file(c->root_fd, "etc/machine-id", id, sizeof(id));
	int r = 0;

	id[strcspn(id, "\n")] = '\0';
	if (n < 0 || !str_is_hex128(id))
		return err_set(reterr, n < 0 ? (int)n : -EBADMSG, "read '/etc/machine-id': no id");
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(dirs); i++) {
		char path[128] = "";

		str_append(path, sizeof(path), "%s/%s", dirs[i], id);
		r = sweep_journal(c->root_fd, path, keep_bytes, do_remove, count, reterr);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

/* As apt-get clean: under its lock. */
static int sweep_packages(const struct action_context *c, struct sweep_rules *rules,
			  struct sweep_count *count, struct err *reterr)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int fd = openat(c->root_fd, &ARCHIVES_DIR "/lock"[1],
					O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "lock '%s': %s", ARCHIVES_DIR, strerror(errno));
	if (fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0)
		return err_set(reterr, -EBUSY, "lock '%s': a package manager is at work",
			       ARCHIVES_DIR);
	rules->patterns = packages;
	return sweep_dir(c->root_fd, ARCHIVES_DIR, rules, count, reterr);
}

static int sweep_services(const struct action_context *c, const struct sweep_rules *rules,
			  struct sweep_count *count, struct err *reterr)
{
	int r = c->services ? 0 : err_set(reterr, -ENODATA, "read services: not there");

	for (uint32_t i = 0; r == 0 && i < c->services->n; i++) {
		const struct service *s = &c->services->v[i];
		const struct path_list *dirs = what_of(c) == WHAT_LOGS ? &s->log_dirs :
									 &s->temp_dirs;

		for (uint32_t j = 0; r == 0 && j < dirs->n; j++) {
			r = sweep_dir(c->root_fd, dirs->v[j], rules, count, reterr);
			r = r == -ENOENT ? 0 : r;
		}
	}
	return r;
}

static int sweep(const struct action_context *c, bool do_remove, struct sweep_count *count,
		 struct err *reterr)
{
	int64_t now_s = (int64_t)(clock_wall_us() / 1000000);
	struct sweep_rules rules = {
		.before_wall_s = now_s - params_integer(c->params, "older_than") / NS_PER_S,
		.remove = do_remove,
		.deadline_ns = c->deadline_ns,
	};

	switch (what_of(c)) {
	case WHAT_JOURNAL:
		return sweep_journals(c, do_remove, count, reterr);
	case WHAT_PACKAGE_CACHE:
		rules.before_wall_s = now_s;
		return sweep_packages(c, &rules, count, reterr);
	case WHAT_LOGS:
		rules.patterns = rotated;
		return sweep_services(c, &rules, count, reterr);
	case WHAT_TEMP:
		break;
	}
	return sweep_services(c, &rules, count, reterr);
}

static void say(const struct action_context *c, const char *verb, const struct sweep_count *count)
{
	str_append(c->text, c->text_size,
		   "%s %" PRIu64 ".%" PRIu64 " MiB in %" PRIu64 " file%s of %s", verb,
		   count->bytes / MIB_BYTES, count->bytes % MIB_BYTES * 10 / MIB_BYTES, count->n,
		   str_plural(count->n), params_text(c->params, "what"));
	if (count->n_open > 0)
		str_append(c->text, c->text_size, ", %" PRIu64 " in use stay", count->n_open);
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct sweep_count count = { 0 };
	int r = sweep(c, false, &count, reterr);

	if (r == 0 && count.n == 0) {
		str_append(c->text, c->text_size, "there is nothing of %s to free",
			   params_text(c->params, "what"));
		return 1;
	}
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct sweep_count count = { 0 };
	int r = sweep(c, !c->dry_run, &count, reterr);

	/* Some may be gone already, and that is not to be found out from the disk
   * alone. */
	if (r < 0)
		return err_wrap(reterr, r, "after %" PRIu64 " of them", count.n);
	say(c, c->dry_run ? "would remove" : "removed", &count);
	if (!c->dry_run)
		str_append(c->text, c->text_size, "; the file system has %" PRIu64 " KiB more",
			   count.freed_bytes / 1024);
	return 0;
}

/* Nothing is left that was to go. Another may fill the disk meanwhile: that is
 * not for here. */
static int verify(const struct action_context *c, struct err *reterr)
{
	struct sweep_count count = { 0 };
	int r = sweep(c, false, &count, reterr);

	if (r == 0 && count.n > 0)
		r = err_set(reterr, -EIO, "verify free space: %" PRIu64 " file%s of %s left",
			    count.n, str_plural(count.n), params_text(c->params, "what"));
	return r;
}

/* No revert: what was only moved aside would still fill the same file system.
 */
const struct action_ops action_disk_free_space = {
	.name = "disk.free_space",
	.summary = "remove archived journals, downloaded packages, rotated logs or "
		   "old temporary files",
	.source = "journalctl(1), --vacuum-size=; apt-get(8), clean; openat2(2); "
		  "fcntl(2), F_SETLEASE",
	.params = params,
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DESTRUCTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 60000,
	.check = check,
	.apply = apply,
	.verify = verify,
};
