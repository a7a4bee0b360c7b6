/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/endpoint.h"
#include "sys/migrate.h"
#include "sys/pgcheck.h"
#include "sys/pgrestore.h"
#include "sys/pgsession.h"
#include "sys/pgswap.h"
#include "sys/snapshot.h"

#define TIMEOUT_MS \
	300000 /* its unit's own is 330 s; a larger database needs a maintenance window */
#define SETTLE_MS 500
/* Of TIMEOUT_MS, for what comes after pg_restore: to look at it, to end sessions and to rename. */
#define SWAP_NS       (60 * NS_PER_S)
#define HEALTH_MAX_NS (20 * NS_PER_S) /* settle's own time is 25 s */
/* A dump is compressed: text to a third or a fifth. As much again goes through the write-ahead log. */
#define DUMP_FACTOR 5
#define LOG_FACTOR  2
#define WATCHED_MAX 16 /* services that depend on one database, and itself */
#define MIB         (1024 * 1024)

static const struct param_spec params[] = {
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .help = "service that is the database" },
	{ .name = "snapshot",
	  .type = PARAM_TYPE_NAME,
	  .default_text = SNAPSHOT_NEWEST,
	  .help = "name of a snapshot in its snapshots_dir, without a suffix" },
	{ .name = NULL },
};

struct watched {
	char service[SERVICE_NAME_MAX];
	uint32_t good_endpoints; /* endpoint_ask_all() before */
};

/* Enough for a revert when services.d has changed meanwhile. */
struct undo {
	struct pgswap swap;
	char snapshot[STR_PLAIN_NAME_MAX];
	uint32_t n_watched;
	struct watched watched[WATCHED_MAX];
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds the database");

/* What is to be done. */
struct restoring {
	const struct service *service;
	struct snapshot snapshot;
	struct pgswap swap;
	struct pgswap_facts facts;
	uint64_t need_bytes;
	int n_tables;
};

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return r < 0 ? err_wrap(reterr, r, "restore database of service '%s'",
				params_text(c->params, "service")) :
		       0;
}

/* ---- looking ---- */

static int find(const struct action_context *c, struct restoring *p, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct database *d;
	int r;

	p->service = c->services ? services_find(c->services, name) : NULL;
	if (!p->service || !p->service->database.socket_dir[0])
		return err_set(reterr, -EOPNOTSUPP, "it is no database");
	d = &p->service->database;
	if (!d->snapshots_dir[0])
		return err_set(reterr, -EOPNOTSUPP, "services.d names no snapshots_dir for it");
	r = snapshot_find(c->root_fd, d->snapshots_dir, d->name, params_text(c->params, "snapshot"),
			  &p->snapshot, reterr);
	return r < 0 ? r : pgswap_name(d, c->key, &p->swap, reterr);
}

static int check_room(struct restoring *p, struct err *reterr)
{
	uint64_t bytes = p->snapshot.size_bytes * DUMP_FACTOR;

	if (bytes < p->facts.old_bytes)
		bytes = p->facts.old_bytes;
	p->need_bytes = bytes * LOG_FACTOR;
	if (p->facts.free_bytes >= p->need_bytes)
		return 0;
	return err_set(reterr, -ENOSPC,
		       "it may need %" PRIu64 " MiB more, and %" PRIu64
		       " MiB are free where the server has it",
		       p->need_bytes / MIB + 1, p->facts.free_bytes / MIB);
}

static int look(const struct action_context *c, struct restoring *p, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	int r = find(c, p, reterr);

	if (r == 0)
		r = pgswap_open(&p->swap, c->credentials_fd, c->deadline_ns, &conn, reterr);
	if (r == 0)
		r = pgswap_look(conn, &p->swap, c->root_fd, c->credentials_fd, c->deadline_ns,
				&p->facts, reterr);
	return r < 0 ? r : check_room(p, reterr);
}

/* Reads all of the snapshot. Returns its descriptor; -errno. */
static int open_snapshot(const struct action_context *c, struct restoring *p, struct err *reterr)
{
	struct pgrestore restore = { .server_major = p->facts.server_major,
				     .deadline_ns = c->deadline_ns };
	_cleanup_close_ int fd = snapshot_open(c->root_fd, p->swap.database.snapshots_dir,
					       &p->snapshot, c->deadline_ns, reterr);

	if (fd < 0)
		return fd;
	restore.dump_fd = fd;
	p->n_tables = pgrestore_list(&restore, reterr);
	if (p->n_tables < 0)
		return p->n_tables;
	if (p->n_tables == 0)
		return err_set(reterr, -EBADMSG, "snapshot '%s' has no data of any table",
			       p->snapshot.name);
	return TAKE_FD(fd);
}

static int check(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	struct restoring p = { 0 };
	int r = look(c, &p, reterr);

	if (r == 0)
		r = fd = open_snapshot(c, &p, reterr);
	return wrap(c, r, reterr);
}

/* Its own endpoints, and those of all that depend on it. */
static int watch(const struct action_context *c, const struct service *s, struct undo *u,
		 struct err *reterr)
{
	const struct service *v[WATCHED_MAX - 1];
	int n = services_find_dependents(c->services, s, v, ELEMENTSOF(v), reterr);

	for (int i = -1; i < n; i++) {
		const struct service *one = i < 0 ? s : v[i];
		struct watched *w = &u->watched[u->n_watched++];

		(void)str_copy(w->service, sizeof(w->service), one->name);
		w->good_endpoints = endpoint_ask_all(one);
	}
	return n < 0 ? n : 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct restoring p = { 0 };
	struct undo u = { 0 };
	int r = look(c, &p, reterr);

	if (r == 0)
		r = watch(c, p.service, &u, reterr);
	if (r < 0)
		return wrap(c, r, reterr);
	u.swap = p.swap;
	(void)str_copy(u.snapshot, sizeof(u.snapshot), p.snapshot.name);
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

/* ---- doing ---- */

static void say_snapshot(const struct action_context *c, const struct snapshot *s, const char *verb)
{
	uint64_t now_us = clock_wall_us();
	uint64_t age_us = now_us > s->created_wall_us ? now_us - s->created_wall_us : 0;
	char age[CLOCK_SPAN_MAX];

	str_append(c->text, c->text_size,
		   "%s snapshot '%s' (root's, %" PRIu64 " KiB, %s old, schema version %" PRIu32 ")",
		   verb, s->name, s->size_bytes / 1024 + 1,
		   clock_format_span(age_us * NS_PER_US, age), s->schema_version);
}

static void say_plan(const struct action_context *c, const struct restoring *p)
{
	char span[CLOCK_SPAN_MAX];
	const struct database *d = &p->swap.database;

	say_snapshot(c, &p->snapshot, "would restore");
	str_append(c->text, c->text_size,
		   " with %d tables into a new database, look at it, end %u sessions, which come "
		   "back by themselves, and put it in the place of '%s' (%" PRIu64 " KiB); that is "
		   "kept as '%s' for %s, with all that was written since; ",
		   p->n_tables, p->facts.n_sessions, d->name, p->facts.old_bytes / 1024,
		   p->swap.aside, clock_format_span(d->keep_old_s * NS_PER_S, span));
	if (p->facts.free_bytes == UINT64_MAX)
		str_append(c->text, c->text_size, "how much room there is only the server knows");
	else
		str_append(c->text, c->text_size,
			   "may need %" PRIu64 " MiB of %" PRIu64 " MiB free",
			   p->need_bytes / MIB + 1, p->facts.free_bytes / MIB);
}

/* It is at a version that our migrations know, if there are any. */
static int check_version(const struct action_context *c, const struct database *d, PGconn *conn,
			 uint32_t *ret_version, uint32_t *ret_newest, struct err *reterr)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	int r;

	*ret_version = *ret_newest = 0;
	if (!d->migrations_dir[0])
		return 0;
	r = migrations_load_trusted(c->root_fd, d->migrations_dir, &m, reterr);
	if (r == 0)
		r = migrate_read_version(conn, &m, ret_version, reterr);
	if (r == 0 && *ret_version == 0)
		r = err_set(reterr, -EIO, "it has no schema_migrations");
	*ret_newest = m.n;
	return r;
}

static int check_restored(const struct action_context *c, const struct restoring *p,
			  struct err *reterr)
{
	struct database next = p->swap.database;
	_cleanup_(pg_closep) PGconn *conn = NULL;
	uint32_t version = 0, newest = 0;
	struct pgcheck held = { 0 };
	int r;

	(void)str_copy(next.name, sizeof(next.name), p->swap.next);
	r = pg_connect_database(&next, PG_ROLE_OWNER, c->credentials_fd, c->deadline_ns, &conn,
				reterr);
	if (r == 0)
		r = pgcheck_use_schema(conn, c->deadline_ns, reterr);
	if (r == 0)
		r = pgcheck_rows(conn, &p->service->required_tables, c->deadline_ns, &held, reterr);
	if (r == 0)
		r = check_version(c, &next, conn, &version, &newest, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "look at what was restored");
	str_append(c->text, c->text_size, ": %" PRIu32 " tables, about %" PRIu64 " rows",
		   held.n_tables, held.n_rows);
	if (version < newest)
		str_append(c->text, c->text_size,
			   ", at version %" PRIu32 " of %" PRIu32 ": run the migrations", version,
			   newest);
	return 0;
}

/* What was seen by snapshot() is still so, and nothing of ours is there. */
static int check_unchanged(PGconn *conn, const struct action_context *c, const struct undo *u,
			   struct err *reterr)
{
	struct pgswap_state now = { 0 };
	int r = pgswap_read(conn, &u->swap, c->deadline_ns, &now, reterr);

	if (r == 0 && (now.live_oid != u->swap.old_oid || now.aside_oid || now.next_oid))
		r = err_set(reterr, -EBUSY, "databases were made or renamed meanwhile");
	return r;
}

static int restore(const struct action_context *c, struct restoring *p, struct undo *u,
		   PGconn *conn, struct err *reterr)
{
	struct pgrestore restore = { .server_major = p->facts.server_major,
				     .deadline_ns = c->deadline_ns - SWAP_NS };
	_cleanup_close_ int fd = open_snapshot(c, p, reterr);
	int r = fd < 0 ? fd : pgswap_create(conn, &p->swap, c->deadline_ns, reterr);

	u->swap.new_oid = p->swap.new_oid;
	if (r == 0)
		r = c->record(c, u, sizeof(*u), reterr);
	restore.dump_fd = fd;
	if (r == 0)
		r = pgrestore_run(&restore, &p->swap.database, p->swap.next, c->credentials_fd,
				  reterr);
	if (r == 0)
		say_snapshot(c, &p->snapshot, "restored");
	return r < 0 ? r : check_restored(c, p, reterr);
}

static int replace(const struct action_context *c, struct restoring *p, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	p->swap = u.swap;
	r = pgswap_open(&u.swap, c->credentials_fd, c->deadline_ns, &conn, reterr);
	if (r == 0)
		r = check_unchanged(conn, c, &u, reterr);
	if (r == 0)
		r = restore(c, p, &u, conn, reterr);
	if (r == 0)
		r = pgswap_swap(conn, &u.swap, c->credentials_fd, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "; what was '%s' is '%s'", u.swap.database.name,
			   u.swap.aside);
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	struct restoring p = { 0 };
	int r = look(c, &p, reterr);

	if (r == 0 && !c->dry_run)
		return wrap(c, replace(c, &p, reterr), reterr);
	if (r == 0)
		r = fd = open_snapshot(c, &p, reterr);
	if (r >= 0)
		say_plan(c, &p);
	return wrap(c, r, reterr);
}

/* ---- looking whether it helped, and the way back ---- */

/* Whoever was well before has found the way to the new one. */
static int check_health(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;
	int r = 0;

	if (end_ns > c->deadline_ns)
		end_ns = c->deadline_ns;
	for (uint32_t i = 0; r == 0 && i < u->n_watched; i++) {
		const struct service *s =
			c->services ? services_find(c->services, u->watched[i].service) : NULL;

		if (s)
			r = endpoint_wait(s, u->watched[i].good_endpoints, end_ns, reterr);
	}
	return r;
}

static int verify_all(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct pgswap *s = &u->swap;
	_cleanup_(pg_closep) PGconn *conn = NULL;
	struct pgswap_state now = { 0 };
	bool keeps = s->database.keep_old_s > 0;
	int r = pgswap_open(s, c->credentials_fd, c->deadline_ns, &conn, reterr);

	if (r == 0)
		r = pgswap_read(conn, s, c->deadline_ns, &now, reterr);
	if (r < 0)
		return r;
	if (s->new_oid == 0 || now.live_oid != s->new_oid ||
	    (now.aside_oid != s->old_oid && (keeps || now.aside_oid != 0)))
		return err_set(reterr, -EINTR, "it did not come to the exchange of the two");
	r = check_health(c, u, reterr);
	if (r == 0 && !keeps)
		r = pgswap_drop_aside(conn, s, c->deadline_ns, reterr);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;

	memcpy(&u, c->undo, sizeof(u));
	return wrap(c, verify_all(c, &u, reterr), reterr);
}

/* Before the exchange the new one is nobody's; after it, somebody may have written to it. */
static int put_back(const struct action_context *c, const struct pgswap *s, PGconn *conn,
		    struct err *reterr)
{
	struct pgswap_state now = { 0 };
	int r = pgswap_read(conn, s, c->deadline_ns, &now, reterr);

	if (r < 0)
		return r;
	if (now.live_oid == s->old_oid)
		return pgswap_drop_unfinished(conn, s, c->deadline_ns, reterr);
	if (now.aside_oid == 0 && now.live_oid == s->new_oid)
		return err_set(reterr, -ECANCELED, "the database that it replaced is no more");
	if (now.live_oid != s->new_oid || now.aside_oid != s->old_oid || now.next_oid != 0)
		return err_set(reterr, -ECANCELED, "somebody has changed the databases since");
	r = pgswap_swap_back(conn, s, c->credentials_fd, c->deadline_ns, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "put '%s' back, what was restored is '%s'",
			   s->database.name, s->next);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo: bad undo record");
	memcpy(&u, undo, sizeof(u));
	r = pgswap_open(&u.swap, c->credentials_fd, c->deadline_ns, &conn, reterr);
	if (r == 0)
		r = put_back(c, &u.swap, conn, reterr);
	return wrap(c, r, reterr);
}

const struct action_ops action_service_restore_db = {
	.name = "service.restore_db",
	.summary = "put a database's snapshot in its place",
	.source = "aiops-services(5), snapshots_dir; PostgreSQL manual, pg_restore, ALTER DATABASE",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_DATABASE,
	.risk = RISK_DESTRUCTIVE,
	.undo = "puts the replaced database back, while it is kept; what was restored is set aside for as "
		"long, with what was written to it",
	.idempotent = false,
	.needs_credentials = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 60000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
