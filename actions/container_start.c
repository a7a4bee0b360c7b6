/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

#define TIMEOUT_MS 100000 /* a start, and a health check that begins with its start period */
#define SETTLE_MS  500    /* a program that ends at once after its start has done so by then */

static const struct param_spec params[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .help = "container to start" },
	{ .name = NULL },
};

/* What revert() may stop: the very run that was ours, nothing else. */
struct undo {
	struct container_run before, started; /* started.id "": not known */
};

static int open_by_name(const struct action_context *c, struct container *ret, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	int r = container_open(c->root_fd, name, c->deadline_ns, ret, reterr);

	return r < 0 ? err_wrap(reterr, r, "start container '%s'", name) : 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = open_by_name(c, &container, reterr);

	if (r < 0)
		return r;
	if (container.facts.state == DOCKER_STATE_RUNNING) {
		str_append(c->text, c->text_size, "'%s' is running already", name);
		return 1;
	}
	r = container_check_settled(&container.facts, reterr);
	if (r == 0 && container.facts.state == DOCKER_STATE_PAUSED)
		r = err_set(reterr, -EPERM, "it is paused");
	if (r == 0 && !c->by_person)
		r = container_check_hands_off(&container, reterr);
	return r < 0 ? err_wrap(reterr, r, "start container '%s'", name) : 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct container container;
	struct undo u = { 0 };
	int r = open_by_name(c, &container, reterr);

	if (r < 0)
		return r;
	u.before = container_get_run(&container);
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	struct undo u;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would start '%s'", name);
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = container_open_id(c->root_fd, u.before.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_START, u.before.id, NULL, reterr);
	if (r == 0)
		r = container_refresh(&container, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "start container '%s'", name);
	u.started = container_get_run(&container);
	str_append(c->text, c->text_size, "started '%s'", name);
	return c->record(c, &u, sizeof(u), reterr);
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct container container;
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = container_open_id(c->root_fd, u.before.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = container_wait_started(&container, &u.before, reterr);
	return r < 0 ? err_wrap(reterr, r, "verify start of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

/* Stops the run that is ours. */
static int stop_again(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open_id(c->root_fd, u->before.id, c->deadline_ns, &container, reterr);

	if (r < 0)
		return r;
	if (container.facts.state != DOCKER_STATE_RUNNING &&
	    container.facts.state != DOCKER_STATE_RESTARTING) {
		str_append(c->text, c->text_size, "'%s' is %s, as before", name,
			   docker_state_to_string(container.facts.state));
		return 0;
	}
	/* One that Docker starts again and again is in a later run, and none of them is wanted. */
	if (container.facts.state == DOCKER_STATE_RUNNING &&
	    !container_is_run(&container, &u->started))
		return err_set(reterr, -ECANCELED, "it was started again since, left alone");
	r = docker_do(&container.docker, DOCKER_VERB_STOP, u->before.id, NULL, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "stopped '%s' again", name);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		r = err_set(reterr, -EBADMSG, "bad undo record");
	else
		r = stop_again(c, memcpy(&u, undo, sizeof(u)), reterr);
	return r < 0 ? err_wrap(reterr, r, "undo start of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

const struct action_ops action_container_start = {
	.name = "container.start",
	.summary = "start a container that is not running",
	.source = "Docker Engine API, POST /containers/ID/start",
	.params = params,
	.target = "container",
	.risk = RISK_REVERSIBLE,
	.undo = "stops the container again",
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
