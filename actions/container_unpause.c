/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

#define TIMEOUT_MS 30000 /* Docker thaws a cgroup: milliseconds, seconds on a host that thrashes */
#define SETTLE_MS  100

static const struct param_spec params[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .help = "container to let go on" },
	{ .name = NULL },
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "unpause container '%s'", name);
	if (container.facts.state == DOCKER_STATE_RUNNING) {
		str_append(c->text, c->text_size, "'%s' is running already", name);
		return 1;
	}
	if (container.facts.state != DOCKER_STATE_PAUSED)
		return err_set(reterr, -EPERM, "unpause container '%s': it is %s", name,
			       docker_state_to_string(container.facts.state));
	/* What we pause ourselves ends by itself, so this pause is a person's. */
	if (!c->by_person)
		return err_set(reterr, -EPERM, "unpause container '%s': somebody paused it", name);
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run paused;
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "unpause container '%s'", name);
	paused = container_get_run(&container);
	memcpy(undo, &paused, sizeof(paused));
	return sizeof(paused);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run paused;
	struct container container;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would unpause '%s'", name);
		return 0;
	}
	memcpy(&paused, c->undo, sizeof(paused));
	r = container_open_id(c->root_fd, paused.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_UNPAUSE, paused.id, NULL, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "unpause container '%s'", name);
	str_append(c->text, c->text_size, "unpaused '%s'", name);
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run paused;
	struct container container;
	int r;

	memcpy(&paused, c->undo, sizeof(paused));
	r = container_open_id(c->root_fd, paused.id, c->deadline_ns, &container, reterr);
	if (r == 0 && container.facts.state != DOCKER_STATE_RUNNING)
		r = err_set(reterr, -EIO, "it is %s",
			    docker_state_to_string(container.facts.state));
	return r < 0 ? err_wrap(reterr, r, "verify that container '%s' goes on", name) : 0;
}

/* No undo: it would leave a container paused with nobody to end that. */
const struct action_ops action_container_unpause = {
	.name = "container.unpause",
	.summary = "let a paused container go on",
	.source = "Docker Engine API, POST /containers/ID/unpause",
	.params = params,
	.target = "container",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
