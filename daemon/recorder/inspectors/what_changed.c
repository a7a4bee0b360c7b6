/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "ops/inspector.h"

#define LOOK_BACK_US (3600 * US_PER_S)
#define FILES_MAX    256 /* looked at in all */
#define DEPTH_MAX    3
#define SHOWN_MAX    6
#define PATH_SIZE    512
#define OUR_DROPIN   "90-aiops-" /* what we did is in the audit trail, not in the evidence */

static const struct signal_spec facts[] = {
	{ "changed.count", ENTITY_KIND_UNIT, SOURCE_FILES, PROVENANCE_SYSTEM,
	  "files of the unit and its configuration that changed within the hour" },
	{ "changed.path", ENTITY_KIND_UNIT, SOURCE_FILES, PROVENANCE_SYSTEM,
	  "the one that changed last" },
	{ "changed.age_s", ENTITY_KIND_UNIT, SOURCE_FILES, PROVENANCE_SYSTEM,
	  "how long ago that was" },
	{ .name = NULL },
};

/* Where systemd looks for units, in its order. Source: systemd.unit(5), "Unit File Load Path". */
static const char *const unit_dirs[] = { "etc/systemd/system", "run/systemd/system",
					 "usr/local/lib/systemd/system", "usr/lib/systemd/system" };

struct search {
	int root_fd;
	uint64_t now_us;
	uint32_t n_seen, n_changed, n_shown;
	uint64_t newest_us;
	char newest[PATH_SIZE];
	char text[RECORD_TEXT_MAX];
	int first_error; /* of a directory that could not be looked into */
	char first_error_path[PATH_SIZE];
};

static void note_error(struct search *s, int r, const char *path)
{
	if (s->first_error != 0 || r == -ENOENT || r == -ENOTDIR)
		return;
	s->first_error = r;
	(void)str_copy(s->first_error_path, sizeof(s->first_error_path), path);
}

static uint64_t time_us(const struct timespec *t)
{
	return t->tv_sec < 0 ? 0 :
			       (uint64_t)t->tv_sec * US_PER_S + (uint64_t)t->tv_nsec / NS_PER_US;
}

/* ctime too: it shows a change whose mtime was set back, of owner or mode, and by rename. */
static void note_file(struct search *s, const char *path, const struct stat *st)
{
	uint64_t m_us = time_us(&st->st_mtim), c_us = time_us(&st->st_ctim);
	uint64_t changed_us = m_us > c_us ? m_us : c_us;
	char span[CLOCK_SPAN_MAX] = "";

	if (changed_us + LOOK_BACK_US < s->now_us || changed_us > s->now_us + US_PER_S)
		return;
	s->n_changed++;
	if (changed_us >= s->newest_us) {
		s->newest_us = changed_us;
		(void)str_copy(s->newest, sizeof(s->newest), path);
	}
	if (s->n_shown == SHOWN_MAX)
		return;
	changed_us = changed_us < s->now_us ? changed_us : s->now_us;
	str_append(s->text, sizeof(s->text), "%s/%s changed %s ago", s->n_shown++ > 0 ? "; " : "",
		   path, clock_format_span((s->now_us - changed_us) * NS_PER_US, span));
}

/* Looks at a path and, where it is a directory, at what is below it. */
static void look(struct search *s, const char *path, unsigned depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	struct stat st;
	int fd;

	if (s->n_seen++ >= FILES_MAX || depth > DEPTH_MAX)
		return;
	if (fstatat(s->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		note_error(s, -errno, path);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		note_file(s, path, &st);
		return;
	}
	fd = openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		note_error(s, -errno, path);
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while (s->n_seen < FILES_MAX && (entry = readdir(dir))) {
		char below[PATH_SIZE] = "";

		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..") ||
		    strncmp(entry->d_name, OUR_DROPIN, strlen(OUR_DROPIN)) == 0)
			continue;
		str_append(below, sizeof(below), "%s/%s", path, entry->d_name);
		look(s, below, depth + 1);
	}
}

/* Its file and its drop-ins, wherever systemd would look. */
static void look_for_unit(struct search *s, const char *unit)
{
	for (size_t i = 0; i < ELEMENTSOF(unit_dirs); i++) {
		char path[PATH_SIZE] = "";

		str_append(path, sizeof(path), "%s/%s", unit_dirs[i], unit);
		look(s, path, DEPTH_MAX);
		str_append(path, sizeof(path), ".d");
		look(s, path, DEPTH_MAX - 1);
	}
}

/* "getty@.service" for "getty@tty1.service". Returns whether unit is an instance. */
static bool template_of(const char *unit, char *buf, size_t size)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

	if (!at || !dot || dot <= at + 1)
		return false;
	buf[0] = '\0';
	str_append(buf, size, "%.*s%s", (int)(at - unit) + 1, unit, dot);
	return true;
}

static void look_for_service(struct search *s, const struct service *service)
{
	for (uint32_t i = 0; i < service->config_paths.n; i++) {
		const char *path = service->config_paths.v[i];

		look(s, path + strspn(path, "/"), 0);
	}
}

static void state_facts(const struct search *s, struct evidence *e)
{
	char path[PATH_SIZE + 1] = "";

	(void)evidence_add_number(e, "changed.count", s->n_changed);
	if (s->n_changed == 0) {
		str_append(e->text, sizeof(e->text), "nothing of the unit changed within the hour");
		return;
	}
	str_append(path, sizeof(path), "/%s", s->newest);
	(void)evidence_add_text(e, "changed.path", path);
	(void)evidence_add_number(e, "changed.age_s",
				  s->newest_us < s->now_us ?
					  (double)(s->now_us - s->newest_us) / (double)US_PER_S :
					  0);
	str_escape(e->text, sizeof(e->text), s->text);
}

static int what_changed_collect(const struct inspector_context *c,
				const struct inspector_request *rq, struct err *reterr)
{
	const char *unit = rq->entity.name;
	const struct service *service = c->services ? services_find_unit(c->services, unit) : NULL;
	struct search s = { .root_fd = c->root_fd, .now_us = clock_wall_us() };
	struct evidence e = { .inspector = "what_changed",
			      .source = SOURCE_FILES,
			      .provenance = PROVENANCE_SYSTEM };
	char template[ENTITY_NAME_MAX] = "";

	if (!str_is_unit_name(unit))
		return err_set(reterr, -EINVAL, "look for changes of '%s': not a unit name", unit);
	look_for_unit(&s, unit);
	if (template_of(unit, template, sizeof(template)))
		look_for_unit(&s, template);
	if (service)
		look_for_service(&s, service);
	if (s.n_changed == 0 && s.first_error != 0)
		return err_set(reterr, s.first_error, "look for changes in '/%s': %s",
			       s.first_error_path, strerror(-s.first_error));
	state_facts(&s, &e);
	c->item(c->userdata, rq, &e);
	c->done(c->userdata, rq, 0, NULL);
	return 0;
}

const struct inspector_ops inspector_what_changed = {
	.name = "what_changed",
	.summary = "Unit files, drop-ins and configuration that changed within the hour",
	.source_text = "mtime and ctime of files",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = what_changed_collect,
};
