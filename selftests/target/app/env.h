/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* The .env file. What is not configured is not there: without DB_HOST there is no database. */

#define ENV_TEXT_MAX 256
#define ENV_FILE_MAX (16 * 1024) /* bytes */

struct env {
	char bind_address[ENV_TEXT_MAX];
	uint32_t port;
	char db_host[ENV_TEXT_MAX], db_name[ENV_TEXT_MAX], db_user[ENV_TEXT_MAX];
	char db_password[ENV_TEXT_MAX];
	uint32_t db_port, db_pool_max;
	char migrations_dir[ENV_TEXT_MAX];
	char cache_dir[ENV_TEXT_MAX];
	char rates_url
		[ENV_TEXT_MAX]; /* of the service upstream, or of the one that stands in for it */
};

/* As it is with no file at all. */
void env_init(struct env *env);

/* Lines KEY=VALUE, # comments, a value in double quotes if one likes. No text of a line stands in an
 * error: it may be a secret.
 * Returns 0; -EBADMSG with FILE:LINE for anything else, an unknown or repeated key, or a bad value. */
int env_parse(const char *file, const char *text, struct env *env,
	      struct err *reterr) _warn_unused_;

/* Returns 0; -ENOENT, -EACCES, other -errno; -EBADMSG. */
int env_load(const char *path, struct env *env, struct err *reterr) _warn_unused_;
