/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "ops/action.h"
#include "sys/cachedir.h"
#include "sys/endpoint.h"
#include "sys/servicectl.h"

#define TIMEOUT_MS    300000 /* its unit's own is 330 s; a large cache takes long to remove */
#define SETTLE_MS     500
#define HEALTH_MAX_NS (20 * NS_PER_S) /* settle's own time is 25 s */
#define MODE_MADE     0750            /* of one that was gone: nobody knows its own */

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service whose cache_dir is emptied, or made again where it is gone" },
	{ .name = NULL },
};

struct undo {
	struct service_seen seen;
	char path[SERVICE_PATH_MAX];
	uint32_t was_missing; /* boolean */
	uint32_t is_done;     /* boolean: all of it was moved, or made */
};

static struct service_reach reach_of(const struct action_context *c)
{
	return (struct service_reach){ .bus = c->bus,
				       .root_fd = c->root_fd,
				       .deadline_ns = c->deadline_ns };
}

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return r < 0 ? err_wrap(reterr, r, "clear cache of service '%s'",
				params_text(c->params, "service")) :
		       r;
}

static const struct service *find(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct service *s = c->services ? services_find(c->services, name) : NULL;

	if (s && s->cache_dir[0])
		return s;
	(void)err_set(reterr, -ENOENT, "%s", s ? "it has no cache_dir" : "services.d has none");
	return NULL;
}

/* Returns how many are in it; -ENOENT: it is gone; -errno. */
static int count(const struct action_context *c, const char *path, struct err *reterr)
{
	_cleanup_(cachedir_done) struct cachedir d = { -EBADF, -EBADF, -EBADF, "", "" };
	int r = cachedir_open(c->root_fd, path, c->key, &d, reterr);

	if (r == 0)
		return -ENOENT;
	return r < 0 ? r : cachedir_count(&d, reterr);
}

/* Whose a new one is to be: the service's own. Returns 0; -ESRCH: it does not run; -errno. */
static int read_owner(const struct action_context *c, const struct service_seen *seen,
		      uid_t *ret_uid, gid_t *ret_gid, struct err *reterr)
{
	char path[32] = "", text[4096] = "";
	const char *uid, *gid;
	ssize_t n;

	if (seen->main_pid == 0)
		return err_set(reterr, -ESRCH,
			       "it is gone, and the service does not run: whose was it?");
	str_append(path, sizeof(path), "proc/%" PRIu32 "/status", seen->main_pid);
	n = fd_read_file(c->root_fd, path, text, sizeof(text));
	uid = n < 0 ? NULL : strstr(text, "\nUid:");
	gid = n < 0 ? NULL : strstr(text, "\nGid:");
	if (!uid || !gid || sscanf(uid, "\nUid: %*u %u", ret_uid) != 1 ||
	    sscanf(gid, "\nGid: %*u %u", ret_gid) != 1)
		return err_set(reterr, -ESRCH, "read file '/%s': whose was it?", path);
	return 0;
}

static int look(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	struct undo u = { 0 };
	uid_t uid;
	gid_t gid;
	int n, r = s ? servicectl_read(&reach, s, &u.seen, reterr) : -ENOENT;

	if (r < 0)
		return r;
	(void)str_copy(u.path, sizeof(u.path), s->cache_dir);
	n = count(c, u.path, reterr);
	u.was_missing = n == -ENOENT;
	if (u.was_missing)
		r = read_owner(c, &u.seen, &uid, &gid, reterr);
	if (r == 0 && u.was_missing)
		r = servicectl_check(&reach, s, c->by_person, reterr);
	if (r == 0 && u.seen.is_up)
		u.seen.good_endpoints = endpoint_ask_all(s) | UINT32_C(1);
	*ret = u;
	return r < 0 ? r : n == -ENOENT ? 1 : n;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r = look(c, &u, reterr);

	if (r != 0)
		return r < 0 ? wrap(c, r, reterr) : 0;
	str_append(c->text, c->text_size, "'%s' is empty", u.path);
	return 1;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = look(c, &u, reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? wrap(c, r, reterr) : (int)sizeof(u);
}

/* A service that runs has the one that is gone mounted, or open: it has to begin anew. */
static int make_again(const struct action_context *c, const struct undo *u, struct cachedir *d,
		      struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	uid_t uid = 0;
	gid_t gid = 0;
	int r = read_owner(c, &u->seen, &uid, &gid, reterr);

	if (r == 0)
		r = cachedir_make(d, uid, gid, MODE_MADE, reterr);
	if (r == 0)
		r = servicectl_do(&reach, SERVICE_VERB_RESTART, &u->seen, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "made '%s' again and restarted '%s'", u->path,
			   u->seen.service);
	return r;
}

static int clear(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	_cleanup_(cachedir_done) struct cachedir d = { -EBADF, -EBADF, -EBADF, "", "" };
	int r = cachedir_open(c->root_fd, u->path, c->key, &d, reterr);

	if (r < 0)
		return r;
	if (r == 0)
		return make_again(c, u, &d, reterr);
	r = cachedir_move_aside(&d, reterr);
	if (r >= 0)
		str_append(c->text, c->text_size, "emptied '%s' of %d entries", u->path, r);
	return r < 0 ? r : 0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct undo u = { 0 };
	int r;

	if (c->dry_run) {
		r = look(c, &u, reterr);
		if (r >= 0)
			str_append(c->text, c->text_size,
				   u.was_missing ? "would make '%s' again and restart '%s'" :
						   "would empty '%s' of service '%s'",
				   u.path, u.seen.service);
		return r < 0 ? wrap(c, r, reterr) : 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = clear(c, &u, reterr);
	u.is_done = 1;
	if (r == 0)
		r = c->record(c, &u, sizeof(u), reterr);
	return wrap(c, r, reterr);
}

/* The service has to be as well as it was; only then is what was in there gone for good. */
static int verify_health(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;

	if (!s)
		return -ENOENT;
	if (end_ns > c->deadline_ns)
		end_ns = c->deadline_ns;
	if (u->was_missing)
		return servicectl_verify_restart(&reach, s, &u->seen, end_ns, reterr);
	return u->seen.is_up ? endpoint_wait(s, u->seen.good_endpoints, end_ns, reterr) : 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	_cleanup_(cachedir_done) struct cachedir d = { -EBADF, -EBADF, -EBADF, "", "" };
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	if (!u.is_done)
		return wrap(c, err_set(reterr, -EINTR, "it did not come to its end"), reterr);
	r = cachedir_open(c->root_fd, u.path, c->key, &d, reterr);
	if (r == 0)
		r = err_set(reterr, -ENOENT, "'%s' is gone", u.path);
	if (r > 0)
		r = verify_health(c, &u, reterr);
	if (r == 0)
		r = cachedir_remove_aside(&d, c->deadline_ns, reterr);
	return wrap(c, r, reterr);
}

static int put_back(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	_cleanup_(cachedir_done) struct cachedir d = { -EBADF, -EBADF, -EBADF, "", "" };
	int r = cachedir_open(c->root_fd, u->path, c->key, &d, reterr);

	if (r == 0 && !u->was_missing)
		return err_set(reterr, -ECANCELED, "'%s' was removed since", u->path);
	if (r > 0 && !u->was_missing)
		r = cachedir_put_back(&d, c->deadline_ns, reterr);
	if (r > 0 && !u->was_missing)
		str_append(c->text, c->text_size, "put %d entries of '%s' back", r, u->path);
	else if (r >= 0)
		str_append(c->text, c->text_size,
			   u->was_missing ? "'%s' stays" : "'%s' has what it had", u->path);
	return r < 0 ? r : 0;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo: bad undo record");
	return wrap(c, put_back(c, memcpy(&u, undo, sizeof(u)), reterr), reterr);
}

const struct action_ops action_service_clear_cache = {
	.name = "service.clear_cache",
	.summary = "empty a service's cache, or make its directory again",
	.source = "services.d, cache_dir; renameat2(2)",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DISRUPTIVE,
	.undo = "puts what was in the cache back, until the service is well without it",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
