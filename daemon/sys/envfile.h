/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* A service's .env file: lines KEY=VALUE, a value in double quotes if one likes. It holds secrets: no text of
 * it stands in an error. Paths are absolute, below root_fd; no symlink is followed. Owner, mode and extended attributes stay. */

#define ENVFILE_MAX       (64 * 1024) /* bytes */
#define ENVFILE_VALUE_MAX 512

struct envfile_change {
	const char *key, *value; /* letters, digits and "_.:/%?&=@+,~-" */
};

/* Its value without quotes. The caller clears ret where it is a secret. Returns 0; -ENOENT: no such file,
 * or no such key; -EBADMSG: the key is there twice; -EFBIG; -errno. */
int envfile_get(int root_fd, const char *path, const char *key, char ret[static ENVFILE_VALUE_MAX],
		struct err *reterr) _warn_unused_;

/* Replaces the values of n keys, all or none, by rename(2); a key that is not there is added at the end.
 * Returns 0; -EINVAL: a value that may not be; -EBADMSG; -errno. */
int envfile_set(int root_fd, const char *path, const struct envfile_change *changes, size_t n,
		struct err *reterr) _warn_unused_;

/* Keeps the file as it is beside itself, under a name with key in it. Returns 0, also if it was kept before. */
int envfile_keep(int root_fd, const char *path, const char *key, struct err *reterr) _warn_unused_;

/* The path of what is kept, for envfile_get(). Returns buf. */
const char *envfile_format_kept(const char *path, const char *key, char *buf, size_t size);

/* Returns 1; 0: nothing is kept; -errno. */
int envfile_is_kept(int root_fd, const char *path, const char *key,
		    struct err *reterr) _warn_unused_;

/* Puts it back, the very file, and keeps it. Returns 0; -ENOENT: none is kept; -errno. */
int envfile_put_back(int root_fd, const char *path, const char *key,
		     struct err *reterr) _warn_unused_;

/* Removes what is kept. Returns 0; -errno. */
int envfile_forget(int root_fd, const char *path, const char *key,
		   struct err *reterr) _warn_unused_;
