/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/service.h"

/* A database beside another of the same server, and the exchange of the two: both are renamed in one transaction,
 * so that whoever connects finds the one or the other. What the exchange sets aside carries its own end in
 * its comment, in the server, whatever becomes of this host. All of it by the database's owner, connected to
 * maintenance_name. Source: PostgreSQL manual, CREATE DATABASE, ALTER DATABASE, COMMENT. */

/* NAME_aiops_KEY and NAME_aiops_KEY_new, KEY cut to 16 digits; a name has 63 bytes. */
#define PGSWAP_NAME_MAX  36
#define PGSWAP_ASIDE_MAX 3 /* of one database, at a time */

struct pgswap {
	struct database database;
	char aside[POSTGRES_NAME_MAX]; /* what was replaced */
	char next[POSTGRES_NAME_MAX];  /* what is to come, or did not stay */
	uint32_t old_oid, new_oid;     /* 0: not known */
};

/* What the server says of the names; 0: none is there. */
struct pgswap_state {
	uint32_t live_oid, aside_oid, next_oid;
};

/* What has to be known before anything is made. */
struct pgswap_facts {
	uint32_t server_major;
	uint32_t n_sessions; /* of others, in the database */
	uint64_t old_bytes;
	uint64_t free_bytes; /* where the new one will lie; UINT64_MAX: nobody says */
};

/* Fills names and old_oid. Returns 0; -ENAMETOOLONG. */
int pgswap_name(const struct database *d, const char *key, struct pgswap *ret,
		struct err *reterr) _warn_unused_;

/* Connects as the owner and takes the lock that only one exchange of this database has at a time, or waits for it:
 * the server frees it when what a dead one began is over. Returns 0; -EBUSY: another is at work;
 * -errno of pg_connect(). */
int pgswap_open(const struct pgswap *s, int credentials_fd, uint64_t deadline_ns, PGconn **ret,
		struct err *reterr) _warn_unused_;

/* May it be done? Fills facts and s->old_oid. root_fd: where the server's directories are seen. Returns 0; -ENOENT: no such
 * database; -EACCES: it is not ours, or we may make none; -EOPNOTSUPP: a locale provider that is not
 * copied; -EDQUOT: PGSWAP_ASIDE_MAX are there; -errno of pg_ask(). */
int pgswap_look(PGconn *conn, struct pgswap *s, int root_fd, int credentials_fd,
		uint64_t deadline_ns, struct pgswap_facts *ret, struct err *reterr) _warn_unused_;

/* Makes the empty s->next as the live one is: encoding, locale, place, rights, settings. Fills s->new_oid. */
int pgswap_create(PGconn *conn, struct pgswap *s, uint64_t deadline_ns,
		  struct err *reterr) _warn_unused_;

int pgswap_read(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
		struct pgswap_state *ret, struct err *reterr) _warn_unused_;

/* The live one becomes s->aside and s->next the live one. Sessions in both are ended, but those of superusers:
 * -EBUSY. All or nothing. */
int pgswap_swap(PGconn *conn, const struct pgswap *s, int credentials_fd, uint64_t deadline_ns,
		struct err *reterr) _warn_unused_;

/* The other way round. */
int pgswap_swap_back(PGconn *conn, const struct pgswap *s, int credentials_fd, uint64_t deadline_ns,
		     struct err *reterr) _warn_unused_;

/* Drops what was replaced, if it is there. */
int pgswap_drop_aside(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
		      struct err *reterr) _warn_unused_;

/* Drops s->next, if it is there and never was the live one. */
int pgswap_drop_unfinished(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
			   struct err *reterr) _warn_unused_;

/* Drops what exchanges of this database set aside and whose time is over, unless somebody is connected to it.
 * Returns how many; -errno of the first that could not be. */
int pgswap_expire(const struct database *d, int credentials_fd, uint64_t deadline_ns,
		  struct err *reterr) _warn_unused_;
