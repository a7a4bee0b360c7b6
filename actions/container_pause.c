/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

#define TIMEOUT_MS \
	30000 /* Docker freezes a cgroup: milliseconds, seconds on a host that thrashes */
#define SETTLE_MS 100

static const struct param_spec params[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .help = "container to hold" },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = NS_PER_S,
	  .max = 3600 * NS_PER_S,
	  .default_text = "60s",
	  .help = "for how long; then it goes on, whoever of us lives" },
	{ .name = NULL },
};

/* A pause that began after another had ended is not ours. */
struct undo {
	struct container_run run;
	uint64_t at_wall_us; /* before it was paused */
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r == 0)
		r = container_check_settled(&container.facts, reterr);
	/* Not "nothing to do": who paused it means it to stay so. */
	if (r == 0 && container.facts.state == DOCKER_STATE_PAUSED)
		r = err_set(reterr, -EBUSY, "it is paused already");
	if (r == 0 && container.facts.state != DOCKER_STATE_RUNNING)
		r = err_set(reterr, -ESRCH, "it is %s",
			    docker_state_to_string(container.facts.state));
	return r < 0 ? err_wrap(reterr, r, "pause container '%s'", name) : 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct undo u = { .at_wall_us = clock_wall_us() };
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "pause container '%s'", name);
	u.run = container_get_run(&container);
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
		str_append(c->text, c->text_size, "would pause '%s' for %s", name,
			   params_text(c->params, PARAM_DURATION));
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = container_open_id(c->root_fd, u.run.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_PAUSE, u.run.id, NULL, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "pause container '%s'", name);
	str_append(c->text, c->text_size, "paused '%s' for %s", name,
		   params_text(c->params, PARAM_DURATION));
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = container_open_id(c->root_fd, u.run.id, c->deadline_ns, &container, reterr);
	if (r == 0 && container.facts.state != DOCKER_STATE_PAUSED)
		r = err_set(reterr, -EIO, "it is %s",
			    docker_state_to_string(container.facts.state));
	return r < 0 ? err_wrap(reterr, r, "verify pause of container '%s'", name) : 0;
}

/* Lets it go on if the pause is of the run that we paused. */
static int let_go_on(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open_id(c->root_fd, u->run.id, c->deadline_ns, &container, reterr);

	if (r == -ESTALE) { /* with it the pause is gone */
		str_append(c->text, c->text_size, "'%s' was removed since", name);
		return 0;
	}
	if (r < 0)
		return r;
	if (container.facts.state != DOCKER_STATE_PAUSED) {
		str_append(c->text, c->text_size, "'%s' is %s", name,
			   docker_state_to_string(container.facts.state));
		return 0;
	}
	r = container_is_run(&container, &u->run) ?
		    docker_was_unpaused(&container.docker, u->run.id, u->at_wall_us, reterr) :
		    1;
	if (r > 0)
		return err_set(reterr, -ECANCELED, "somebody paused it again since, left alone");
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_UNPAUSE, u->run.id, NULL, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "'%s' goes on", name);
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
		r = let_go_on(c, memcpy(&u, undo, sizeof(u)), reterr);
	return r < 0 ? err_wrap(reterr, r, "undo pause of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

const struct action_ops action_container_pause = {
	.name = "container.pause",
	.summary = "hold a container's processes for a time",
	.source =
		"Docker Engine API, POST /containers/ID/pause; kernel cgroup-v2.rst, cgroup.freeze",
	.params = params,
	.target = "container",
	.risk = RISK_DISRUPTIVE,
	.undo = "lets the container go on",
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
