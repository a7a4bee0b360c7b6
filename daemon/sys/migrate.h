/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"

/* A PostgreSQL schema as numbered files of one directory:
 *
 *   0001_lists.up.sql     0001_lists.down.sql
 *   0002_items.up.sql     0002_items.down.sql
 *
 * from 1 on without a gap, each with its way back. What was run stands in the table schema_migrations. */

#define MIGRATIONS_MAX     256
#define MIGRATION_NAME_MAX 64
#define MIGRATION_SQL_MAX  (256 * 1024) /* bytes of one file */
#define MIGRATE_LATEST     UINT32_MAX

struct migration {
	uint32_t version;
	char name[MIGRATION_NAME_MAX];
	char sha256[SHA256_HEX_MAX]; /* of the way up */
	char *up, *down;
};

struct migrations {
	uint32_t n; /* v[i].version is i + 1 */
	struct migration *v;
};

/* Reads every NAME.sql below dir_fd. What the file itself ends or begins (BEGIN, COMMIT, ROLLBACK ... as
 * the first word of a line) is refused: all that is run together fails together.
 * Returns 0; -EBADMSG with the file's name; -E2BIG; -ENOMEM; other -errno of the directory. */
int migrations_load(int dir_fd, struct migrations *ret, struct err *reterr) _warn_unused_;
/* The same of a directory by its absolute path below root_fd; what stands in it runs with the rights of the database's
 * owner. Returns as above; -EPERM: others than root may write to it. */
int migrations_load_trusted(int root_fd, const char *path, struct migrations *ret,
			    struct err *reterr) _warn_unused_;
void migrations_done(struct migrations *m);

/* Called before each step, in a dry run too. */
typedef void migrate_told_fn(const struct migration *m, bool is_up, void *userdata);

struct migrate_request {
	uint32_t to_version; /* 0 to migrations.n, or MIGRATE_LATEST */
	bool is_dry_run;
	uint32_t lock_timeout_ms;      /* for each lock; 0 = for ever */
	uint32_t statement_timeout_ms; /* for each file; 0 = for ever */
	migrate_told_fn *told;
	void *userdata;
};

struct migrate_result {
	uint32_t from_version, to_version;
	uint32_t n_steps; /* run, or that would run */
};

/* The version the database is at; 0 where nothing was ever run.
 * Returns 0; -EBADMSG if that is not the work of these files (newer, or changed after it was run);
 * -ENOTCONN; -EACCES; other -errno. */
int migrate_read_version(PGconn *conn, const struct migrations *m, uint32_t *ret_version,
			 struct err *reterr) _warn_unused_;

/* Goes up or down to a version, all steps in one transaction: a failure leaves the database as it was. An
 * advisory lock keeps a second run out. Blocks; conn must be in no transaction.
 * Returns 0 if there was nothing to do; 1 when done (or, dry, if there is something to do); -EINVAL for a
 * version that does not exist; -EBADMSG as above; -EBUSY if another run holds the lock, or a lock was not
 * had in time; -ETIMEDOUT; -EACCES; -ENOSPC; -ENOTCONN if the server was lost (while it commits:
 * whether it did is to be read again); -EIO for an error in a file. */
int migrate_run(PGconn *conn, const struct migrations *m, const struct migrate_request *request,
		struct migrate_result *ret, struct err *reterr) _warn_unused_;
