/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/action.h"
#include "sys/endpoint.h"
#include "sys/envfile.h"
#include "sys/servicectl.h"

#define TIMEOUT_MS        190000 /* of a restart */
#define SETTLE_MS         500
#define HEALTH_MAX_NS     (20 * NS_PER_S) /* settle's own time is 25 s */
#define UPSTREAM_ASK_MS   2000
#define UPSTREAM_EXPECTED 200

static const char *const sides[] = { "fallback", "primary", NULL };

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service whose upstream is exchanged" },
	{ .name = "to", .type = PARAM_TYPE_ENUM, .choices = sides, .help = "where it is to point" },
	{ .name = NULL },
};

struct undo {
	struct service_seen seen;
	char path[SERVICE_PATH_MAX], key[ENV_KEY_MAX];
	char before[ENVFILE_VALUE_MAX], after[ENDPOINT_URL_MAX];
};

static struct service_reach reach_of(const struct action_context *c)
{
	return (struct service_reach){ .bus = c->bus,
				       .root_fd = c->root_fd,
				       .deadline_ns = c->deadline_ns };
}

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return r < 0 ? err_wrap(reterr, r, "switch upstream of service '%s' to its %s",
				params_text(c->params, "service"), params_text(c->params, "to")) :
		       r;
}

static const struct service *find(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct service *s = c->services ? services_find(c->services, name) : NULL;

	if (s && s->upstream.key[0])
		return s;
	(void)err_set(reterr, -ENOENT, "%s", s ? "it has no upstream" : "services.d has none");
	return NULL;
}

static const char *url_of(const struct action_context *c, const struct service *s)
{
	return str_equal(params_text(c->params, "to"), "fallback") ? s->upstream.fallback :
								     s->upstream.primary;
}

/* One that is not well itself is no way out. */
static int ask_upstream(const struct action_context *c, const struct service *s, struct err *reterr)
{
	struct endpoint e = { .timeout_ms = UPSTREAM_ASK_MS, .expect_status = UPSTREAM_EXPECTED };

	(void)str_copy(e.name, sizeof(e.name), params_text(c->params, "to"));
	str_append(e.url, sizeof(e.url), "%s%s", url_of(c, s), s->upstream.health_path);
	return endpoint_ask(&e, reterr);
}

/* Returns 1; 0: it points there already; -errno. */
static int look(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	struct undo u = { 0 };
	int r = s ? servicectl_read(&reach, s, &u.seen, reterr) : -ENOENT;

	if (r < 0)
		return r;
	(void)str_copy(u.path, sizeof(u.path), s->env_file.path);
	(void)str_copy(u.key, sizeof(u.key), s->upstream.key);
	(void)str_copy(u.after, sizeof(u.after), url_of(c, s));
	r = envfile_get(c->root_fd, u.path, u.key, u.before, reterr);
	if (r < 0 || str_equal(u.before, u.after))
		return r;
	r = servicectl_check(&reach, s, c->by_person, reterr);
	if (r == 0)
		r = ask_upstream(c, s, reterr);
	if (r == 0 && u.seen.is_up)
		u.seen.good_endpoints = endpoint_ask_all(s);
	*ret = u;
	return r < 0 ? r : 1;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r = look(c, &u, reterr);

	if (r != 0)
		return r < 0 ? wrap(c, r, reterr) : 0;
	str_append(c->text, c->text_size, "service '%s' points there",
		   params_text(c->params, "service"));
	return 1;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = look(c, &u, reterr);

	if (r == 0)
		r = err_set(reterr, -ESTALE, "somebody has just done it");
	memcpy(undo, &u, sizeof(u));
	return r < 0 ? wrap(c, r, reterr) : (int)sizeof(u);
}

/* A service that is down reads it when it is started. */
static int write_and_restart(const struct action_context *c, const struct undo *u,
			     const char *value, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct envfile_change change = { u->key, value };
	int r = envfile_set(c->root_fd, u->path, &change, 1, reterr);

	if (r == 0 && u->seen.is_up)
		r = servicectl_do(&reach, SERVICE_VERB_RESTART, &u->seen, reterr);
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would switch '%s' to its %s and restart it",
			   params_text(c->params, "service"), params_text(c->params, "to"));
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = write_and_restart(c, &u, u.after, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "switched '%s' to its %s: %s", u.seen.service,
			   params_text(c->params, "to"), u.after);
	return wrap(c, r, reterr);
}

static int verify_all(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;
	char now[ENVFILE_VALUE_MAX] = "";
	int r = s ? envfile_get(c->root_fd, u->path, u->key, now, reterr) : -ENOENT;

	if (r == 0 && !str_equal(now, u->after))
		r = err_set(reterr, -EIO, "file '%s' does not say so", u->path);
	if (r < 0 || !u->seen.is_up)
		return r;
	return servicectl_verify_restart(&reach, s, &u->seen,
					 end_ns < c->deadline_ns ? end_ns : c->deadline_ns, reterr);
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;

	memcpy(&u, c->undo, sizeof(u));
	return wrap(c, verify_all(c, &u, reterr), reterr);
}

static int switch_back(const struct action_context *c, struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	char now[ENVFILE_VALUE_MAX] = "";
	struct service_seen seen;
	int r = s ? envfile_get(c->root_fd, u->path, u->key, now, reterr) : -ENOENT;

	if (r == 0)
		r = servicectl_read(&reach, s, &seen, reterr);
	if (r < 0)
		return r;
	/* One that was killed after the file and before the restart has put back the file alone. */
	if (str_equal(now, u->before) && (!seen.is_up || str_equal(seen.run, u->seen.run))) {
		str_append(c->text, c->text_size, "'%s' points where it did", seen.service);
		return 0;
	}
	if (!str_equal(now, u->after) && !str_equal(now, u->before))
		return err_set(reterr, -ECANCELED, "somebody has changed it since, left alone");
	u->seen = seen;
	r = write_and_restart(c, u, u->before, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "switched '%s' back", seen.service);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo: bad undo record");
	r = switch_back(c, memcpy(&u, undo, sizeof(u)), reterr);
	return r < 0 ? err_wrap(reterr, r, "undo") : 0;
}

const struct action_ops action_service_switch_upstream = {
	.name = "service.switch_upstream",
	.summary = "point a service at its fallback, or back at its primary",
	.source = "services.d, upstream and env_file",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DISRUPTIVE,
	.undo = "points the service where it pointed before",
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
