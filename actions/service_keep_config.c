/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ops/action.h"
#include "sys/goodstore.h"

#define TIMEOUT_MS 30000

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service whose tracked_files are good as they are" },
	{ .name = NULL },
};

static const struct service *service_of(const struct action_context *c)
{
	return services_find(c->services, params_text(c->params, "service"));
}

static int check(const struct action_context *c, struct err *reterr)
{
	const struct service *s = service_of(c);

	if (!s || s->tracked_files.n == 0)
		return err_set(reterr, -ENOENT, "keep files of '%s': it has no tracked_files",
			       params_text(c->params, "service"));
	return 0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const struct service *s = service_of(c);
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would keep a copy of %u file%s of '%s'",
			   s->tracked_files.n, str_plural(s->tracked_files.n), s->name);
		return 0;
	}
	r = goodstore_keep_service(c->root_fd, c->bus, s, reterr);
	if (r >= 0)
		str_append(c->text, c->text_size, "kept %d new cop%s for '%s'", r,
			   r == 1 ? "y" : "ies", s->name);
	return r < 0 ? r : 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const struct service *s = service_of(c);
	int r = s ? 0 : err_set(reterr, -EINPROGRESS, "verify copies: no such service any more");

	for (uint32_t i = 0; r == 0 && i < s->tracked_files.n; i++) {
		struct goodstore_version v;

		r = goodstore_newest(c->root_fd, s->name, s->tracked_files.v[i], &v, reterr);
	}
	return r;
}

/* Nothing of the service is changed: the copies are our own. */
const struct action_ops action_service_keep_config = {
	.name = "service.keep_config",
	.summary = "keep a copy of the tracked files of a service that runs well",
	.source = "aiops-services(5), tracked_files",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_READ, /* of the service; the copies are our own */
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 0,
	.check = check,
	.apply = apply,
	.verify = verify,
};
