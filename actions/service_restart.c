/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/action.h"
#include "sys/endpoint.h"
#include "sys/servicectl.h"

#define TIMEOUT_MS    300000 /* its unit's own is 330 s */
#define SETTLE_MS     500
#define HEALTH_MAX_NS (60 * NS_PER_S) /* of each service, after its start */
#define PARTS_MAX     8               /* the service, and those that depend on it and are up */

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service to restart; those that depend on it are stopped before and started after" },
	{ .name = NULL },
};

/* v[0] is the service; then those that depend on it, in the order to start them. */
struct undo {
	uint32_t n;
	struct service_seen v[PARTS_MAX];
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds all parts");

static struct service_reach reach_of(const struct action_context *c)
{
	return (struct service_reach){ .bus = c->bus,
				       .root_fd = c->root_fd,
				       .deadline_ns = c->deadline_ns };
}

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return r < 0 ? err_wrap(reterr, r, "restart service '%s'",
				params_text(c->params, "service")) :
		       r;
}

static uint64_t health_end_ns(const struct action_context *c)
{
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;

	return end_ns < c->deadline_ns ? end_ns : c->deadline_ns;
}

static int see(const struct action_context *c, const struct service *s, struct undo *u,
	       struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	struct service_seen *seen = &u->v[u->n];
	int r = servicectl_read(&reach, s, seen, reterr);

	/* A dependent that is down stays down. */
	if (r < 0 || (u->n > 0 && !seen->is_up))
		return r;
	r = servicectl_check(&reach, s, c->by_person, reterr);
	if (r < 0)
		return r;
	seen->good_endpoints = endpoint_ask_all(s);
	u->n++;
	return 0;
}

static int see_all(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct service *s = services_find(c->services, name), *v[SERVICES_MAX];
	struct undo u = { 0 };
	int n, r;

	if (!s)
		return err_set(reterr, -ENOENT, "services.d has none");
	n = services_find_dependents(c->services, s, v, ELEMENTSOF(v), reterr);
	r = n < 0 ? n : see(c, s, &u, reterr);
	for (int i = 0; r == 0 && i < n; i++)
		r = u.n < PARTS_MAX ?
			    see(c, v[i], &u, reterr) :
			    err_set(reterr, -E2BIG, "more than %d depend on it", PARTS_MAX - 1);
	if (r == 0)
		*ret = u;
	return r;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct undo u;

	return wrap(c, see_all(c, &u, reterr), reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = see_all(c, &u, reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? wrap(c, r, reterr) : (int)sizeof(u);
}

static void tell(const struct action_context *c, const char *verb, const struct undo *u)
{
	str_append(c->text, c->text_size, "%s '%s'", verb, params_text(c->params, "service"));
	for (uint32_t i = 1; i < u->n; i++)
		str_append(c->text, c->text_size, "%s '%s'", i == 1 ? ", and with it" : ",",
			   u->v[i].service);
}

static int verify_part(const struct action_context *c, const struct service_seen *seen,
		       struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = c->services ? services_find(c->services, seen->service) : NULL;

	if (!s)
		return err_set(reterr, -ENOENT, "service '%s' is no more in services.d",
			       seen->service);
	return servicectl_verify_restart(&reach, s, seen, health_end_ns(c), reterr);
}

/* What depends on another is not there while it is away, and comes back when that one is healthy. */
static int restart_all(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	int r = 0;

	for (uint32_t i = u->n; r == 0 && i-- > 1;)
		r = servicectl_do(&reach, SERVICE_VERB_STOP, &u->v[i], reterr);
	if (r == 0)
		r = servicectl_do(&reach, SERVICE_VERB_RESTART, &u->v[0], reterr);
	for (uint32_t i = 0; r == 0 && i < u->n; i++) {
		if (i > 0)
			r = servicectl_do(&reach, SERVICE_VERB_START, &u->v[i], reterr);
		if (r == 0)
			r = verify_part(c, &u->v[i], reterr);
	}
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct undo u = { 0 };
	int r;

	if (c->dry_run) {
		r = see_all(c, &u, reterr);
		if (r == 0)
			tell(c, "would restart", &u);
		return wrap(c, r, reterr);
	}
	memcpy(&u, c->undo, sizeof(u));
	r = restart_all(c, &u, reterr);
	if (r == 0)
		tell(c, "restarted", &u);
	return wrap(c, r, reterr);
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r = 0;

	memcpy(&u, c->undo, sizeof(u));
	for (uint32_t i = 0; r == 0 && i < u.n; i++)
		r = verify_part(c, &u.v[i], reterr);
	return wrap(c, r, reterr);
}

/* Starts what is down in the very run that we stopped: what somebody started and stopped since is left. */
static int start_stopped(const struct action_context *c, const struct service_seen *seen,
			 struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = services_find(c->services, seen->service);
	struct service_seen now;
	int r = s ? servicectl_read(&reach, s, &now, reterr) : 0;

	if (!s || r < 0 || now.is_up || !seen->is_up || !str_equal(now.run, seen->run))
		return r;
	r = servicectl_do(&reach, SERVICE_VERB_START, seen, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "%sstarted '%s' again", c->text[0] ? ", " : "",
			   seen->service);
	return r;
}

/* All of them are tried: one that fails keeps no other down. */
static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;
	int r = 0;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo restart of service: bad undo record");
	if (!c->services)
		return err_set(reterr, -ENOENT, "undo restart of service '%s': no services.d",
			       params_text(c->params, "service"));
	memcpy(&u, undo, sizeof(u));
	for (uint32_t i = 0; i < u.n; i++) {
		int q = start_stopped(c, &u.v[i], r < 0 ? NULL : reterr);

		r = r < 0 ? r : q;
	}
	return r < 0 ? err_wrap(reterr, r, "undo restart of service '%s'",
				params_text(c->params, "service")) :
		       0;
}

const struct action_ops action_service_restart = {
	.name = "service.restart",
	.summary = "restart a service, and around it those that depend on it",
	.source = "org.freedesktop.systemd1(5), RestartUnit(); Docker Engine API, "
		  "POST /containers/ID/restart; services.d, depends_on",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DISRUPTIVE,
	.undo = "starts again what it stopped",
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
