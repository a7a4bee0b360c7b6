/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/pgsession.h"

#define TIMEOUT_MS 30000

static const struct param_spec params[] = {
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .help = "service that is the database" },
	{ .name = "session",
	  .type = PARAM_TYPE_PROCESS,
	  .help = "its pid, ':' and when it began, in microseconds since the epoch" },
	{ .name = NULL },
};

static struct pg_session_ask ask_of(const struct action_context *c)
{
	return (struct pg_session_ask){ .services = c->services,
					.service = params_text(c->params, "service"),
					.session = params_text(c->params, "session"),
					.credentials_fd = c->credentials_fd,
					.deadline_ns = c->deadline_ns };
}

static int wrap(const struct pg_session_ask *a, int r, struct err *reterr)
{
	return err_wrap(reterr, r, "cancel the query of session '%s' of service '%s'", a->session,
			a->service);
}

static int check(const struct action_context *c, struct err *reterr)
{
	const struct pg_session_ask a = ask_of(c);
	struct pg_session session;
	int r = pg_session_choose(&a, PG_SIGNAL_CANCEL, &session, reterr);

	if (r < 0)
		return wrap(&a, r, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "session '%s' runs no query", a.session);
	return r == 0;
}

/* Which one it was; it cannot be undone. */
static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const struct pg_session_ask a = ask_of(c);
	struct pg_session session = { 0 };
	int r = pg_session_choose(&a, PG_SIGNAL_CANCEL, &session, reterr);

	if (r == 0)
		r = err_set(reterr, -ESRCH, "its query has just ended");
	if (r < 0)
		return wrap(&a, r, reterr);
	memcpy(undo, &session, sizeof(session));
	return sizeof(session);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const struct pg_session_ask a = ask_of(c);
	struct pg_session session;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would cancel the query of session '%s'",
			   a.session);
		return 0;
	}
	memcpy(&session, c->undo, sizeof(session));
	r = pg_session_tell(&a, PG_SIGNAL_CANCEL, &session, reterr);
	if (r < 0)
		return wrap(&a, r, reterr);
	str_append(c->text, c->text_size,
		   r > 0 ? "cancelled the query of session '%s'" : "session '%s' was over before",
		   a.session);
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	const struct pg_session_ask a = ask_of(c);
	struct pg_session session;
	int r;

	memcpy(&session, c->undo, sizeof(session));
	r = pg_session_wait_over(&a, PG_SIGNAL_CANCEL, &session, reterr);
	return r < 0 ? wrap(&a, r, reterr) : 0;
}

const struct action_ops action_db_cancel_query = {
	.name = "db.cancel_query",
	.summary = "end the query that a database session runs",
	.source = "PostgreSQL manual, pg_cancel_backend()",
	.params = params,
	.target = "service",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 1000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
