/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ops/action.h"
#include "sys/goodstore.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS 190000 /* of a restart */
#define SETTLE_MS  1000   /* a program that dies of its configuration does so soon */

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service whose tracked_files go back to the last good ones" },
	{ .name = NULL },
};

/* A file that differs from its last good copy. */
struct file {
	char path[SERVICE_PATH_MAX], copy[GOODSTORE_NAME_MAX];
	char now_sha256[SHA256_HEX_MAX], good_sha256[SHA256_HEX_MAX];
};

/* Enough for a revert when services.d has changed meanwhile. */
struct undo {
	char service[SERVICE_NAME_MAX], unit[ENTITY_NAME_MAX];
	uint32_t n, was_active; /* the latter a boolean */
	struct file v[SERVICE_PATHS_MAX];
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds the files");

/* Returns 1: differs, and is in *ret; 0; -errno. */
static int compare(const struct action_context *c, const struct service *s, const char *path,
		   struct file *ret, struct err *reterr)
{
	struct goodstore_version good = { 0 };
	struct file f = { 0 };
	int64_t changed_wall_s = 0;
	int r = goodstore_newest(c->root_fd, s->name, path, &good, reterr);

	if (r == 0)
		r = goodstore_look(c->root_fd, path, f.now_sha256, &changed_wall_s, reterr);
	if (r < 0 || str_equal(f.now_sha256, good.sha256))
		return r;
	(void)str_copy(f.path, sizeof(f.path), path);
	(void)str_copy(f.copy, sizeof(f.copy), good.name);
	(void)str_copy(f.good_sha256, sizeof(f.good_sha256), good.sha256);
	*ret = f;
	return 1;
}

static int find_changed(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const struct service *s = services_find(c->services, params_text(c->params, "service"));
	struct undo u = { 0 };
	int r = 0;

	if (!s || s->tracked_files.n == 0 || !s->unit[0])
		return err_set(reterr, -ENOENT,
			       "roll back '%s': it has no tracked_files or no unit",
			       params_text(c->params, "service"));
	(void)str_copy(u.service, sizeof(u.service), s->name);
	(void)str_copy(u.unit, sizeof(u.unit), s->unit);
	for (uint32_t i = 0; r >= 0 && i < s->tracked_files.n; i++) {
		r = compare(c, s, s->tracked_files.v[i], &u.v[u.n], reterr);
		u.n += r > 0;
	}
	if (r < 0)
		return r;
	*ret = u;
	return 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct unit_facts f;
	struct undo u;
	int r = find_changed(c, &u, reterr);

	if (r == 0 && u.n == 0) {
		str_append(c->text, c->text_size, "'%s' has its last good files", u.service);
		return 1;
	}
	if (r == 0)
		r = unitctl_check(c->bus, u.unit, &f, reterr);
	return r < 0 ? r : unit_facts_check_settled(&f, u.unit, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct unit_facts f;
	struct undo u;
	int r = find_changed(c, &u, reterr);

	if (r == 0)
		r = unitctl_read(c->bus, u.unit, &f, reterr);
	if (r < 0)
		return r;
	u.was_active = unit_facts_is_active(&f);
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

/* Where the file that is replaced is put aside. */
static const char *format_saved(const struct action_context *c, uint32_t i,
				char buf[static GOODSTORE_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, GOODSTORE_NAME_MAX, "%s-%u", c->key, i);
	return buf;
}

/* A service that can reads its files again; another is restarted, and one that is dead is started, unless
 * somebody stopped it. */
static int tell_service(const struct action_context *c, const char *unit, struct err *reterr)
{
	struct unit_facts f = { 0 };
	int r = unitctl_read(c->bus, unit, &f, reterr);
	const char *method = f.can_reload && unit_facts_is_active(&f) ? "ReloadUnit" :
									"RestartUnit";

	if (r < 0 || unit_facts_is_at_rest(&f))
		return r;
	return unitctl_run_job(c->bus, method, unit, c->deadline_ns, reterr);
}

static int say_changes(const struct action_context *c, struct err *reterr)
{
	char lines[256];
	struct undo u;
	int r = find_changed(c, &u, reterr);

	for (uint32_t i = 0; r == 0 && i < u.n; i++) {
		r = goodstore_describe(c->root_fd, u.service, u.v[i].path, u.v[i].copy, lines,
				       sizeof(lines), reterr);
		if (r == 0)
			str_append(c->text, c->text_size, "%s '%s': %s",
				   i > 0 ? ";" : "would put back", u.v[i].path, lines);
	}
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	char saved[GOODSTORE_NAME_MAX];
	struct undo u;
	int r = 0;

	if (c->dry_run)
		return say_changes(c, reterr);
	memcpy(&u, c->undo, sizeof(u));
	for (uint32_t i = 0; r == 0 && i < u.n; i++)
		r = goodstore_replace(c->root_fd, u.service, u.v[i].path, u.v[i].copy,
				      format_saved(c, i, saved), reterr);
	if (r == 0)
		r = tell_service(c, u.unit, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "put back %u file%s of '%s' and told '%s'", u.n,
			   str_plural(u.n), u.service, u.unit);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	char sha256[SHA256_HEX_MAX];
	struct unit_facts f;
	struct undo u;
	int64_t changed_wall_s;
	int r = 0;

	memcpy(&u, c->undo, sizeof(u));
	for (uint32_t i = 0; r == 0 && i < u.n; i++) {
		r = goodstore_look(c->root_fd, u.v[i].path, sha256, &changed_wall_s, reterr);
		if (r == 0 && !str_equal(sha256, u.v[i].good_sha256))
			r = err_set(reterr, -EIO, "verify file '%s': it is not the good one",
				    u.v[i].path);
	}
	if (r == 0)
		r = unitctl_wait_idle(c->bus, u.unit, c->deadline_ns, reterr);
	if (r == 0)
		r = unitctl_read(c->bus, u.unit, &f, reterr);
	if (r == 0 && !unit_facts_is_active(&f) && !unit_facts_is_at_rest(&f))
		r = err_set(reterr, -EIO, "verify '%s' with its good files: it is %s (%s)", u.unit,
			    f.active_state, f.result[0] ? f.result : f.sub_state);
	return r;
}

/* Returns 1: it is the good one, which is to go; 0: it is as it was; -ECANCELED; -errno. */
static int check_undo(const struct action_context *c, const struct file *f, struct err *reterr)
{
	char sha256[SHA256_HEX_MAX];
	int64_t changed_wall_s;
	int r = goodstore_look(c->root_fd, f->path, sha256, &changed_wall_s, reterr);

	if (r < 0)
		return r;
	if (str_equal(sha256, f->good_sha256))
		return 1;
	return str_equal(sha256, f->now_sha256) ?
		       0 :
		       err_set(reterr, -ECANCELED, "undo file '%s': changed since, left alone",
			       f->path);
}

/* What was put aside is there until all of a revert is done. */
static uint32_t count_saved(const struct action_context *c, const struct undo *u)
{
	char saved[GOODSTORE_NAME_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < u->n; i++)
		n += goodstore_has(c->root_fd, u->service, format_saved(c, i, saved));
	return n;
}

static int put_back(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	char saved[GOODSTORE_NAME_MAX];
	int r = 0;

	/* All are looked at before the first is touched. */
	for (uint32_t i = 0; r >= 0 && i < u->n; i++)
		r = check_undo(c, &u->v[i], reterr);
	for (uint32_t i = 0; r >= 0 && i < u->n; i++) {
		r = check_undo(c, &u->v[i], reterr);
		if (r > 0)
			r = goodstore_replace(c->root_fd, u->service, u->v[i].path,
					      format_saved(c, i, saved), NULL, reterr);
	}
	return r < 0 ? r : 0;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	char saved[GOODSTORE_NAME_MAX];
	struct undo u;
	int r;

	memcpy(&u, undo, undo_size < sizeof(u) ? undo_size : sizeof(u));
	if (undo_size != sizeof(u) || u.n > ELEMENTSOF(u.v))
		return err_set(reterr, -EBADMSG, "undo roll back: bad undo record");
	r = put_back(c, &u, reterr);
	/* What was dead with these files would only die again. */
	if (r == 0 && u.was_active && count_saved(c, &u) > 0)
		r = tell_service(c, u.unit, reterr);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < u.n; i++)
		goodstore_forget(c->root_fd, u.service, format_saved(c, i, saved));
	str_append(c->text, c->text_size, "gave '%s' the files it had", u.service);
	return 0;
}

const struct action_ops action_service_rollback_config = {
	.name = "service.rollback_config",
	.summary = "put the last good configuration files of a service back",
	.source = "aiops-services(5), tracked_files; rename(2)",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DISRUPTIVE,
	.undo = "puts the newer files back and tells the service",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 60000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
