/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"

/* Secrets that systemd hands to a unit: the files of PATH_CREDENTIALS_DIR, as "aiops_NAME" in
 * $CREDENTIALS_DIRECTORY. Never in arguments, the environment, a record or a log.
 * Source: systemd.exec(5), LoadCredential=. */

#define CREDENTIAL_MAX 512 /* bytes, with the NUL */

/* Returns a descriptor; -ENOENT: this process was given none; -errno. */
int credential_open_dir(struct err *reterr) _warn_unused_;

/* Reads the first line of the credential name of a directory as above; the caller clears ret when done
 * (explicit_bzero). Returns 0; -ENOENT; -EINVAL: no plain name or empty;
 * -EFBIG; -errno. */
int credential_read(int dir_fd, const char *name, char ret[static CREDENTIAL_MAX],
		    struct err *reterr) _warn_unused_;
