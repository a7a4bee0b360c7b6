/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ops/action.h"
#include "sys/endpoint.h"
#include "sys/goodstore.h"
#include "sys/servicectl.h"
#include "sys/unitctl.h"

#define TIMEOUT_MS    250000 /* of a restart, and until it is healthy */
#define SETTLE_MS     1000   /* a program that dies of its configuration does so soon */
#define HEALTH_MAX_NS (30 * NS_PER_S)

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
	struct service_seen seen;
	uint64_t n;
	struct file v[SERVICE_PATHS_MAX];
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds the files");

static struct service_reach reach_of(const struct action_context *c)
{
	return (struct service_reach){ .bus = c->bus,
				       .root_fd = c->root_fd,
				       .deadline_ns = c->deadline_ns };
}

static const struct service *service_of(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct service *s = c->services ? services_find(c->services, name) : NULL;

	if (!s || s->tracked_files.n == 0)
		(void)err_set(reterr, -ENOENT, "roll back '%s': it has no tracked_files", name);
	return s && s->tracked_files.n > 0 ? s : NULL;
}

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

static int find_changed(const struct action_context *c, const struct service *s, struct undo *ret,
			struct err *reterr)
{
	struct undo u = { 0 };
	int r = 0;

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
	const struct service_reach reach = reach_of(c);
	const struct service *s = service_of(c, reterr);
	struct undo u;
	int r = s ? find_changed(c, s, &u, reterr) : -ENOENT;

	if (r == 0 && u.n == 0) {
		str_append(c->text, c->text_size, "'%s' has its last good files", s->name);
		return 1;
	}
	return r < 0 ? r : servicectl_check(&reach, s, c->by_person, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = service_of(c, reterr);
	struct undo u;
	int r = s ? find_changed(c, s, &u, reterr) : -ENOENT;

	if (r == 0)
		r = servicectl_read(&reach, s, &u.seen, reterr);
	if (r < 0)
		return r;
	u.seen.good_endpoints = endpoint_ask_all(s);
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

/* Where the file that is replaced is put aside. */
static const char *format_saved(const struct action_context *c, uint64_t i,
				char buf[static GOODSTORE_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, GOODSTORE_NAME_MAX, "%s-%u", c->key, (unsigned)i);
	return buf;
}

/* A unit that can reads its files again; another, a dead one and a container are restarted. */
static int tell_service(const struct action_context *c, const struct service_seen *seen,
			struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	struct unit_facts f = { 0 };
	int r = seen->entity.kind == ENTITY_KIND_UNIT ?
			unitctl_read(c->bus, seen->entity.name, &f, reterr) :
			0;

	if (r < 0)
		return r;
	if (f.can_reload && unit_facts_is_active(&f))
		return unitctl_run_job(c->bus, "ReloadUnit", seen->entity.name, c->deadline_ns,
				       reterr);
	return servicectl_do(&reach, SERVICE_VERB_RESTART, seen, reterr);
}

/* What somebody stopped is given its files and left where it is. */
static bool is_stopped_by_hand(const struct action_context *c, const struct service *s)
{
	const struct service_reach reach = reach_of(c);

	return servicectl_check(&reach, s, false, NULL) == -EPERM;
}

static int say_changes(const struct action_context *c, const struct service *s, struct err *reterr)
{
	char lines[256];
	struct undo u;
	int r = find_changed(c, s, &u, reterr);

	for (uint64_t i = 0; r == 0 && i < u.n; i++) {
		r = goodstore_describe(c->root_fd, s->name, u.v[i].path, u.v[i].copy, lines,
				       sizeof(lines), reterr);
		if (r == 0)
			str_append(c->text, c->text_size, "%s '%s': %s",
				   i > 0 ? ";" : "would put back", u.v[i].path, lines);
	}
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const struct service *s = service_of(c, reterr);
	char saved[GOODSTORE_NAME_MAX];
	struct undo u;
	int r = s ? 0 : -ENOENT;

	if (r < 0 || c->dry_run)
		return r < 0 ? r : say_changes(c, s, reterr);
	memcpy(&u, c->undo, sizeof(u));
	for (uint64_t i = 0; r == 0 && i < u.n; i++)
		r = goodstore_replace(c->root_fd, s->name, u.v[i].path, u.v[i].copy,
				      format_saved(c, i, saved), reterr);
	if (r < 0)
		return r;
	str_append(c->text, c->text_size, "put back %u file%s of '%s'", (unsigned)u.n,
		   str_plural(u.n), s->name);
	if (is_stopped_by_hand(c, s)) {
		str_append(c->text, c->text_size, ", which stays stopped");
		return 0;
	}
	r = tell_service(c, &u.seen, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, " and told '%s'", u.seen.entity.name);
	return r;
}

static int verify_files(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	char sha256[SHA256_HEX_MAX];
	int64_t changed_wall_s;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < u->n; i++) {
		r = goodstore_look(c->root_fd, u->v[i].path, sha256, &changed_wall_s, reterr);
		if (r == 0 && !str_equal(sha256, u->v[i].good_sha256))
			r = err_set(reterr, -EIO, "verify file '%s': it is not the good one",
				    u->v[i].path);
	}
	return r;
}

/* Up, its first endpoint good, and those that were good before. */
static int verify(const struct action_context *c, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = service_of(c, reterr);
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;
	struct service_seen now;
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = s ? verify_files(c, &u, reterr) : -ENOENT;
	if (r < 0 || is_stopped_by_hand(c, s))
		return r;
	r = servicectl_read(&reach, s, &now, reterr);
	if (r == 0 && !now.is_up)
		r = err_set(reterr, -EIO, "verify '%s' with its good files: it is down",
			    now.entity.name);
	return r < 0 ? r :
		       endpoint_wait(s, u.seen.good_endpoints | UINT32_C(1),
				     end_ns < c->deadline_ns ? end_ns : c->deadline_ns, reterr);
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

	for (uint64_t i = 0; i < u->n; i++)
		n += goodstore_has(c->root_fd, u->seen.service, format_saved(c, i, saved));
	return n;
}

static int put_back(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	char saved[GOODSTORE_NAME_MAX];
	int r = 0;

	/* All are looked at before the first is touched. */
	for (uint64_t i = 0; r >= 0 && i < u->n; i++)
		r = check_undo(c, &u->v[i], reterr);
	for (uint64_t i = 0; r >= 0 && i < u->n; i++) {
		r = check_undo(c, &u->v[i], reterr);
		if (r > 0)
			r = goodstore_replace(c->root_fd, u->seen.service, u->v[i].path,
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
	if (r == 0 && u.seen.is_up && count_saved(c, &u) > 0)
		r = tell_service(c, &u.seen, reterr);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < u.n; i++)
		goodstore_forget(c->root_fd, u.seen.service, format_saved(c, i, saved));
	str_append(c->text, c->text_size, "gave '%s' the files it had", u.seen.service);
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
