/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/action.h"
#include "sys/endpoint.h"
#include "sys/envfile.h"
#include "sys/pgrole.h"
#include "sys/pgsession.h"
#include "sys/servicectl.h"

#define TIMEOUT_MS       190000 /* of a restart */
#define SETTLE_MS        500
#define HEALTH_MAX_NS    (20 * NS_PER_S) /* settle's own time is 25 s */
#define SECRET_BYTES_MAX 64              /* services.d allows no more */

static const struct param_spec params[] = {
	{ .name = "service",
	  .type = PARAM_TYPE_SERVICE,
	  .help = "service whose env_file gets new secrets" },
	{ .name = NULL },
};

/* No secret is in it: the old ones are in the file that is kept. */
struct undo {
	struct service_seen seen;
	char path[SERVICE_PATH_MAX];
	uint32_t is_done; /* boolean: file, roles and service are as they are to be */
};

/* The new values, on the stack for as long as they are written. */
struct secrets {
	char v[SERVICE_SECRETS_MAX][2 * SECRET_BYTES_MAX + 1];
};

static void secrets_clear(struct secrets *s)
{
	explicit_bzero(s, sizeof(*s));
}

static struct service_reach reach_of(const struct action_context *c)
{
	return (struct service_reach){ .bus = c->bus,
				       .root_fd = c->root_fd,
				       .deadline_ns = c->deadline_ns };
}

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return r < 0 ? err_wrap(reterr, r, "renew secrets of service '%s'",
				params_text(c->params, "service")) :
		       r;
}

static const struct service *find(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "service");
	const struct service *s = c->services ? services_find(c->services, name) : NULL;

	if (s && s->env_file.n_secrets > 0)
		return s;
	(void)err_set(reterr, -ENOENT, "%s",
		      s ? "it has no secrets in an env_file" : "services.d has none");
	return NULL;
}

/* ---- the database's side ---- */

static int set_password(const struct action_context *c, const struct secret *secret,
			const char *password, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	int r = pg_connect_service(c->services, secret->postgres_service, PG_ROLE_OWNER,
				   c->credentials_fd, c->deadline_ns, &conn, reterr);

	return r < 0 ? r :
		       pg_set_password(conn, secret->postgres_role, password, c->deadline_ns,
				       reterr);
}

/* As the file at path has them, for roles of databases. */
static int set_passwords_of(const struct action_context *c, const struct service *s,
			    const char *path, struct err *reterr)
{
	char value[ENVFILE_VALUE_MAX] = "";
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->env_file.n_secrets; i++) {
		const struct secret *secret = &s->env_file.secrets[i];

		if (!secret->postgres_role[0])
			continue;
		r = envfile_get(c->root_fd, path, secret->key, value, reterr);
		if (r == 0)
			r = set_password(c, secret, value, reterr);
	}
	explicit_bzero(value, sizeof(value));
	return r;
}

/* Each database has to be there, and willing, before anything is changed. */
static int check_databases(const struct action_context *c, const struct service *s,
			   struct err *reterr)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->env_file.n_secrets; i++) {
		_cleanup_(pg_closep) PGconn *conn = NULL;
		const struct secret *secret = &s->env_file.secrets[i];

		if (!secret->postgres_role[0])
			continue;
		r = pg_connect_service(c->services, secret->postgres_service, PG_ROLE_OWNER,
				       c->credentials_fd, c->deadline_ns, &conn, reterr);
		if (r == 0)
			r = pg_check_password(conn, secret->postgres_role, c->deadline_ns, reterr);
	}
	return r;
}

/* ---- the action ---- */

static int check_keys(const struct action_context *c, const struct service *s, struct err *reterr)
{
	char value[ENVFILE_VALUE_MAX] = "";
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->env_file.n_secrets; i++)
		r = envfile_get(c->root_fd, s->env_file.path, s->env_file.secrets[i].key, value,
				reterr);
	explicit_bzero(value, sizeof(value));
	return r;
}

static int look(const struct action_context *c, struct undo *ret, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	struct undo u = { 0 };
	int r = s ? servicectl_read(&reach, s, &u.seen, reterr) : -ENOENT;

	if (r == 0)
		r = servicectl_check(&reach, s, c->by_person, reterr);
	if (r == 0)
		r = check_keys(c, s, reterr);
	if (r == 0)
		r = check_databases(c, s, reterr);
	if (r < 0)
		return r;
	(void)str_copy(u.path, sizeof(u.path), s->env_file.path);
	if (u.seen.is_up)
		u.seen.good_endpoints = endpoint_ask_all(s);
	*ret = u;
	return 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct undo u;

	return wrap(c, look(c, &u, reterr), reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct undo u = { 0 };
	int r = look(c, &u, reterr);

	memcpy(undo, &u, sizeof(u));
	return r < 0 ? wrap(c, r, reterr) : (int)sizeof(u);
}

static int make_secret(const struct secret *secret, char *ret, size_t size, struct err *reterr)
{
	uint8_t bytes[SECRET_BYTES_MAX];

	if (secret->bytes > sizeof(bytes) ||
	    getrandom(bytes, secret->bytes, 0) != (ssize_t)secret->bytes)
		return err_set(reterr, -EIO, "make a secret: no random bytes");
	ret[0] = '\0';
	for (uint32_t i = 0; i < secret->bytes; i++)
		str_append(ret, size, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int make_secrets(const struct service *s, struct secrets *secrets, struct err *reterr)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->env_file.n_secrets; i++)
		r = make_secret(&s->env_file.secrets[i], secrets->v[i], sizeof(secrets->v[i]),
				reterr);
	return r;
}

/* The roles first: a database that refuses leaves the file as it is. */
static int put_secrets(const struct action_context *c, const struct service *s,
		       const struct secrets *secrets, struct err *reterr)
{
	struct envfile_change changes[SERVICE_SECRETS_MAX];
	uint32_t n = s->env_file.n_secrets;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const struct secret *secret = &s->env_file.secrets[i];

		changes[i] = (struct envfile_change){ secret->key, secrets->v[i] };
		if (secret->postgres_role[0])
			r = set_password(c, secret, secrets->v[i], reterr);
	}
	return r < 0 ? r : envfile_set(c->root_fd, s->env_file.path, changes, n, reterr);
}

static int renew(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	_cleanup_(secrets_clear) struct secrets secrets = { 0 };
	const struct service *s = find(c, reterr);
	int r = s ? make_secrets(s, &secrets, reterr) : -ENOENT;

	if (r == 0)
		r = envfile_keep(c->root_fd, u->path, c->key, reterr);
	if (r == 0)
		r = put_secrets(c, s, &secrets, reterr);
	if (r == 0 && u->seen.is_up)
		r = servicectl_do(&reach, SERVICE_VERB_RESTART, &u->seen, reterr);
	return r;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r;

	if (c->dry_run) {
		const struct service *s = find(c, reterr);

		if (!s)
			return wrap(c, -ENOENT, reterr);
		str_append(c->text, c->text_size, "would renew %u secrets in '%s' and restart '%s'",
			   s->env_file.n_secrets, s->env_file.path, s->name);
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	r = renew(c, &u, reterr);
	u.is_done = 1;
	if (r == 0)
		r = c->record(c, &u, sizeof(u), reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "renewed the secrets in '%s'", u.path);
	return wrap(c, r, reterr);
}

static int verify_all(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	uint64_t end_ns = clock_boot_ns() + HEALTH_MAX_NS;

	if (!s)
		return -ENOENT;
	if (!u->is_done)
		return err_set(reterr, -EINTR, "it did not come to its end");
	if (!u->seen.is_up)
		return 0;
	return servicectl_verify_restart(&reach, s, &u->seen,
					 end_ns < c->deadline_ns ? end_ns : c->deadline_ns, reterr);
}

/* With the service well, the old secrets go for good. */
static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = verify_all(c, &u, reterr);
	if (r == 0)
		r = envfile_forget(c->root_fd, u.path, c->key, reterr);
	return wrap(c, r, reterr);
}

/* What is kept goes last: while it is there, all of this can be done again. */
static int put_back(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const struct service_reach reach = reach_of(c);
	const struct service *s = find(c, reterr);
	char kept[SERVICE_PATH_MAX + 64];
	struct service_seen now;
	int r = s ? 0 : -ENOENT;

	if (r == 0)
		r = envfile_put_back(c->root_fd, u->path, c->key, reterr);
	if (r == 0)
		r = set_passwords_of(c, s, envfile_format_kept(u->path, c->key, kept, sizeof(kept)),
				     reterr);
	if (r == 0)
		r = servicectl_read(&reach, s, &now, reterr);
	if (r == 0 && u->seen.is_up)
		r = servicectl_do(&reach, SERVICE_VERB_RESTART, &now, reterr);
	if (r == 0)
		r = envfile_forget(c->root_fd, u->path, c->key, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "put the old secrets of '%s' back",
			   u->seen.service);
	return r;
}

static int put_back_if_kept(const struct action_context *c, const struct undo *u,
			    struct err *reterr)
{
	int r = envfile_is_kept(c->root_fd, u->path, c->key, reterr);

	if (r == 0 && u->is_done)
		return err_set(reterr, -ECANCELED,
			       "the service is well with the new ones, the old are no more");
	return r > 0 ? put_back(c, u, reterr) : r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;

	if (undo_size != sizeof(u))
		return err_set(reterr, -EBADMSG, "undo: bad undo record");
	return wrap(c, put_back_if_kept(c, memcpy(&u, undo, sizeof(u)), reterr), reterr);
}

const struct action_ops action_service_regenerate_env = {
	.name = "service.regenerate_env",
	.summary = "give a service new secrets, and its database role the same",
	.source = "services.d, env_file; PostgreSQL manual, ALTER ROLE",
	.params = params,
	.target = "service",
	.profile = STEP_PROFILE_FILES,
	.risk = RISK_DISRUPTIVE,
	.undo = "puts the old secrets back, until the service is well with the new ones",
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
