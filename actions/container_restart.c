/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

/* Docker waits 10 s (or the container's own StopTimeout) before it kills; the rest is for its start and
 * its health check. */
#define TIMEOUT_MS 190000
#define SETTLE_MS  500 /* a program that ends at once after its start has done so by then */

static const struct param_spec params[] = {
	{ .name = "container",
	  .type = PARAM_TYPE_CONTAINER,
	  .help = "container to stop and start again" },
	{ .name = NULL },
};

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r == 0)
		r = container_check_settled(&container.facts, reterr);
	if (r == 0 && !c->by_person)
		r = container_check_hands_off(&container, reterr);
	return r < 0 ? err_wrap(reterr, r, "restart container '%s'", name) : 0;
}

/* Tells before from after; a restart cannot be undone. */
static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run before;
	struct container container;
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "restart container '%s'", name);
	before = container_get_run(&container);
	memcpy(undo, &before, sizeof(before));
	return sizeof(before);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container_run before;
	struct container container;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would restart '%s'", name);
		return 0;
	}
	memcpy(&before, c->undo, sizeof(before));
	r = container_open_id(c->root_fd, before.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_RESTART, before.id, NULL, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "restart container '%s'", name);
	str_append(c->text, c->text_size, "restarted '%s'", name);
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct container_run before;
	struct container container;
	int r;

	memcpy(&before, c->undo, sizeof(before));
	r = container_open_id(c->root_fd, before.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = container_wait_started(&container, &before, reterr);
	return r < 0 ? err_wrap(reterr, r, "verify restart of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

const struct action_ops action_container_restart = {
	.name = "container.restart",
	.summary = "stop a container and start it again",
	.source = "Docker Engine API, POST /containers/ID/restart",
	.params = params,
	.target = "container",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 30000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
