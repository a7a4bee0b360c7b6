/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

#define TIMEOUT_MS 100000 /* Docker kills after 10 s, or the container's own StopTimeout */
#define SETTLE_MS  500    /* Docker would start one again at once, were it not told otherwise */

static const struct param_spec params[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .help = "container to stop" },
	{ .name = NULL },
};

static bool is_stopped(const struct docker_facts *f)
{
	return f->state == DOCKER_STATE_EXITED || f->state == DOCKER_STATE_CREATED;
}

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r == 0 && is_stopped(&container.facts)) {
		str_append(c->text, c->text_size, "'%s' is stopped already", name);
		return 1;
	}
	/* One that Docker starts again and again is to be stopped like any other. */
	if (r == 0 && container.facts.state != DOCKER_STATE_RESTARTING)
		r = container_check_settled(&container.facts, reterr);
	if (r == 0 && !c->by_person)
		r = container_check_hands_off(&container, reterr);
	return r < 0 ? err_wrap(reterr, r, "stop container '%s'", name) : 0;
}

/* The run that is stopped: while it is the last there was, nobody has started it since. */
static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run stopped;
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "stop container '%s'", name);
	stopped = container_get_run(&container);
	memcpy(undo, &stopped, sizeof(stopped));
	return sizeof(stopped);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run stopped;
	struct container container;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would stop '%s'", name);
		return 0;
	}
	memcpy(&stopped, c->undo, sizeof(stopped));
	r = container_open_id(c->root_fd, stopped.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_STOP, stopped.id, NULL, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "stop container '%s'", name);
	str_append(c->text, c->text_size, "stopped '%s'", name);
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct container_run stopped;
	struct container container;
	int r;

	memcpy(&stopped, c->undo, sizeof(stopped));
	r = container_open_id(c->root_fd, stopped.id, c->deadline_ns, &container, reterr);
	if (r == 0 && !is_stopped(&container.facts))
		r = err_set(reterr, -EIO, "it is %s",
			    docker_state_to_string(container.facts.state));
	return r < 0 ? err_wrap(reterr, r, "verify stop of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

static int start_again(const struct action_context *c, const struct container_run *stopped,
		       struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open_id(c->root_fd, stopped->id, c->deadline_ns, &container, reterr);

	if (r < 0)
		return r;
	if (!is_stopped(&container.facts)) {
		str_append(c->text, c->text_size, "'%s' is %s", name,
			   docker_state_to_string(container.facts.state));
		return 0;
	}
	if (!container_is_run(&container, stopped))
		return err_set(reterr, -ECANCELED,
			       "it was started and stopped again since, left alone");
	r = docker_do(&container.docker, DOCKER_VERB_START, stopped->id, NULL, reterr);
	if (r == 0)
		r = container_refresh(&container, reterr);
	if (r == 0)
		r = container_wait_started(&container, stopped, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "started '%s' again", name);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct container_run stopped;
	int r;

	if (undo_size != sizeof(stopped))
		r = err_set(reterr, -EBADMSG, "bad undo record");
	else
		r = start_again(c, memcpy(&stopped, undo, sizeof(stopped)), reterr);
	return r < 0 ? err_wrap(reterr, r, "undo stop of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

const struct action_ops action_container_stop = {
	.name = "container.stop",
	.summary = "stop a container",
	.source = "Docker Engine API, POST /containers/ID/stop",
	.params = params,
	.target = "container",
	.risk = RISK_DISRUPTIVE,
	.undo = "starts the container again",
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
