/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "ops/action.h"
#include "sys/migrate.h"
#include "sys/pgcheck.h"
#include "sys/pgsession.h"

#define TIMEOUT_MS 300000 /* its unit's own is 330 s; a longer one needs a maintenance window */
#define LOCK_TIMEOUT_MS \
	10000 /* a migration that waits for a lock makes all others wait behind it */

static const struct param_spec params[] = {
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .help = "service that is the database" },
	{ .name = "to_version",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 0,
	  .max = MIGRATIONS_MAX,
	  .default_text = "0",
	  .help = "version to migrate up to; 0: the newest there is" },
	{ .name = NULL },
};

/* Enough for a revert when services.d has changed meanwhile. */
struct undo {
	struct database database;
	uint32_t from_version, to_version;
	uint32_t nothing_done; /* boolean: what it is at now is another's work */
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds the database");

static int wrap(const struct database *d, int r, struct err *reterr)
{
	return err_wrap(reterr, r, "migrate database '%s'", d->name);
}

static int load(const struct action_context *c, const struct database *d, struct migrations *ret,
		struct err *reterr)
{
	if (!d->migrations_dir[0])
		return err_set(reterr, -EOPNOTSUPP, "services.d names no migrations_dir for it");
	return migrations_load_trusted(c->root_fd, d->migrations_dir, ret, reterr);
}

static void say_step(const struct migration *m, bool is_up, void *userdata)
{
	const struct action_context *c = userdata;

	str_append(c->text, c->text_size, "%s%" PRIu32 " %s %s", c->text[0] ? ", " : "would run ",
		   m->version, m->name, is_up ? "up" : "down");
}

/* Goes to a version, or says what it would run. Returns as migrate_run(). */
static int migrate(const struct action_context *c, const struct database *d, uint32_t to_version,
		   bool is_dry_run, struct migrate_result *ret, struct err *reterr)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	_cleanup_(pg_closep) PGconn *conn = NULL;
	struct migrate_request rq = { .to_version = to_version,
				      .is_dry_run = is_dry_run,
				      .lock_timeout_ms = LOCK_TIMEOUT_MS,
				      .statement_timeout_ms = TIMEOUT_MS,
				      .told = is_dry_run ? say_step : NULL,
				      .userdata = (void *)(uintptr_t)c };
	int r = load(c, d, &m, reterr);

	if (r == 0)
		r = pg_connect_database(d, PG_ROLE_OWNER, c->credentials_fd, c->deadline_ns, &conn,
					reterr);
	if (r == 0)
		r = pgcheck_use_schema(conn, c->deadline_ns, reterr);
	return r < 0 ? r : migrate_run(conn, &m, &rq, ret, reterr);
}

static int read_version(const struct action_context *c, const struct database *d,
			uint32_t *ret_version, uint32_t *ret_newest, struct err *reterr)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	_cleanup_(pg_closep) PGconn *conn = NULL;
	int r = load(c, d, &m, reterr);

	if (r == 0)
		r = pg_connect_database(d, PG_ROLE_OWNER, c->credentials_fd, c->deadline_ns, &conn,
					reterr);
	if (r == 0)
		r = pgcheck_use_schema(conn, c->deadline_ns, reterr);
	if (r == 0)
		r = migrate_read_version(conn, &m, ret_version, reterr);
	if (r == 0)
		*ret_newest = m.n;
	return r;
}

/* What is to be done: fills *ret. */
static int look(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const struct service *s = services_find(c->services, params_text(c->params, "service"));
	uint32_t wanted = (uint32_t)params_integer(c->params, "to_version"), newest = 0;
	struct undo u = { 0 };
	int r;

	if (!s || !s->database.socket_dir[0])
		return err_set(reterr, -EOPNOTSUPP, "migrate '%s': it is no database",
			       params_text(c->params, "service"));
	u.database = s->database;
	r = read_version(c, &u.database, &u.from_version, &newest, reterr);
	if (r < 0)
		return wrap(&u.database, r, reterr);
	u.to_version = wanted > 0 ? wanted : newest;
	if (u.to_version > newest)
		return err_set(reterr, -EINVAL,
			       "migrate database '%s' to version %" PRIu32
			       ": the newest is %" PRIu32,
			       u.database.name, wanted, newest);
	if (u.to_version < u.from_version)
		return err_set(reterr, -EINVAL,
			       "migrate database '%s' to version %" PRIu32 ": it is at %" PRIu32
			       ", and going back is undoing",
			       u.database.name, u.to_version, u.from_version);
	*ret = u;
	return 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r = look(c, &u, reterr);

	if (r < 0 || u.from_version < u.to_version)
		return r;
	str_append(c->text, c->text_size, "database '%s' is at version %" PRIu32, u.database.name,
		   u.to_version);
	return 1;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u;
	int r = look(c, &u, reterr);

	if (r < 0)
		return r;
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

static int say_plan(const struct action_context *c, struct err *reterr)
{
	struct migrate_result result;
	struct undo u;
	int r = look(c, &u, reterr);

	if (r == 0)
		r = migrate(c, &u.database, u.to_version, true, &result, reterr);
	return r < 0 ? r : 0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct migrate_result result = { 0 };
	struct err err = { 0 };
	struct undo u;
	int r;

	if (c->dry_run)
		return say_plan(c, reterr);
	memcpy(&u, c->undo, sizeof(u));
	r = migrate(c, &u.database, u.to_version, false, &result, reterr);
	if (r < 0 && r != -ENOTCONN && r != -ETIMEDOUT) {
		u.nothing_done = true;
		(void)c->record(c, &u, sizeof(u), &err); /* else the version alone decides */
	}
	if (r < 0)
		return r;
	/* Another may have run them since the check. */
	str_append(c->text, c->text_size,
		   "migrated database '%s' from version %" PRIu32 " to %" PRIu32, u.database.name,
		   result.from_version, result.to_version);
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	uint32_t version = 0, newest;
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = read_version(c, &u.database, &version, &newest, reterr);
	if (r == 0 && version != u.to_version)
		r = err_set(reterr, -EIO, "it is at version %" PRIu32, version);
	return r < 0 ? wrap(&u.database, r, reterr) : 0;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	uint32_t version = 0, newest;
	struct migrate_result result;
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo migrations: bad undo record");
	memcpy(&u, undo, sizeof(u));
	if (u.nothing_done)
		return 0;
	r = read_version(c, &u.database, &version, &newest, reterr);
	if (r < 0)
		return wrap(&u.database, r, reterr);
	if (version == u.from_version)
		return 0;
	if (version != u.to_version)
		return err_set(reterr, -ECANCELED,
			       "undo migrations of database '%s': it is at version %" PRIu32
			       " by now, left alone",
			       u.database.name, version);
	r = migrate(c, &u.database, u.from_version, false, &result, reterr);
	if (r < 0)
		return r;
	str_append(c->text, c->text_size, "migrated database '%s' back to version %" PRIu32,
		   u.database.name, u.from_version);
	return 0;
}

const struct action_ops action_service_run_migrations = {
	.name = "service.run_migrations",
	.summary = "bring a database's schema up to a version, all or nothing",
	.source = "aiops-services(5), migrations_dir; PostgreSQL manual, pg_advisory_lock",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_DATABASE,
	.risk = RISK_DISRUPTIVE,
	.undo = "migrates down to the version before; what was written since to new tables and columns is "
		"lost",
	.idempotent = true,
	.needs_credentials = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
