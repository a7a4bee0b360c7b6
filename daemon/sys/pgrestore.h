/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/service.h"

/* pg_restore as a child of ours, without a shell, that dies with us: the dump is its standard input, the role's
 * password a file of 0600 in memory that only it and we have open, its environment what is set here.
 * Source: PostgreSQL manual, pg_restore; "The Password File". */

struct pgrestore {
	uint32_t server_major; /* 15: the program of this version is taken, or else the newest */
	int dump_fd;           /* at its beginning */
	uint64_t deadline_ns;  /* CLOCK_BOOTTIME: it is killed then */
};

/* Lists what is in it. Returns how many tables have data there, >= 0; -ENOENT: there is no pg_restore;
 * -EBADMSG: it is no dump; -ETIMEDOUT; -errno. */
int pgrestore_list(const struct pgrestore *p, struct err *reterr) _warn_unused_;

/* Restores all of it into the empty database of that name, in one transaction, as the owner of d. Returns 0;
 * -EIO with pg_restore's own words; -ETIMEDOUT; -errno of credential_read(); -errno. */
int pgrestore_run(const struct pgrestore *p, const struct database *d, const char *database,
		  int credentials_fd, struct err *reterr) _warn_unused_;
