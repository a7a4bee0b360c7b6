/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/entity.h"

/* A file of services.d (NAME.yaml): what is managed, and all that actions on it need to know. Only name
 * and one of unit and container are required. man aiops-services(5) says what each is for.
 *
 *   name: api
 *   unit: aiops-target-api.service             # or container: aiops-target-api
 *   depends_on: [db]                           # services that must be up before it
 *   endpoints:
 *     - name: api-health
 *       url: http://127.0.0.1:8080/healthz     # or tcp://127.0.0.1:5432
 *       interval_ms: 1000
 *       timeout_ms: 1000
 *       slow_ms: 250
 *       expect_status: 200
 *   config_paths: [/etc/aiops-target]
 *   tracked_files: [/etc/aiops-target/api.conf]
 *   cache_dir: /var/cache/aiops-target
 *   temp_dirs: [/var/tmp/aiops-target]
 *   log_dirs: [/var/log/aiops-target]
 *   env_file:
 *     path: /etc/aiops-target/api.env
 *     secrets:
 *       - {key: DB_PASSWORD, bytes: 24, postgres_role: target_api, postgres_service: db}
 *   upstream:
 *     key: UPSTREAM_URL                        # in env_file
 *     primary: http://127.0.0.1:8091
 *     fallback: http://127.0.0.1:8092
 *     health_path: /healthz
 *
 * and of a service that is a database server:
 *
 *   database:
 *     socket_dir: /run/postgresql
 *     port: 5432
 *     name: target
 *     owner: target_owner
 *     owner_credential: target-owner           # file in PATH_CREDENTIALS_DIR; none: peer authentication
 *     operator: aiops_operate
 *     snapshots_dir: /var/lib/aiops-target/snapshots
 *     migrations_dir: /usr/share/aiops-target/migrations
 *     required_tables: [lists, items]          # with rows, or a restore has failed
 */

#define SERVICES_MAX          64
#define SERVICE_ENDPOINTS_MAX 4
#define SERVICE_PATHS_MAX     8 /* in each list */
#define SERVICE_PATH_MAX      256
#define SERVICE_DEPENDS_MAX   8
#define SERVICE_SECRETS_MAX   8
#define SERVICE_TABLES_MAX    16
#define SERVICE_NAME_MAX      64
#define SERVICE_SOCKET_MAX    92 /* sun_path without "/.s.PGSQL.65535" */
#define ENDPOINT_URL_MAX      256
#define ENV_KEY_MAX           64
#define POSTGRES_NAME_MAX     64 /* NAMEDATALEN */

struct endpoint {
	char name[SERVICE_NAME_MAX];
	char url[ENDPOINT_URL_MAX];
	uint32_t interval_ms;   /* 200..60000, default 1000 */
	uint32_t timeout_ms;    /* 50..30000, default 1000 */
	uint32_t slow_ms;       /* 1..30000, default 250: over it the endpoint counts as slow */
	uint32_t expect_status; /* 100..599, default 200; http only */
};

struct path_list {
	uint32_t n;
	char v[SERVICE_PATHS_MAX][SERVICE_PATH_MAX];
};

/* One secret of an env file: made anew as 2 * bytes hexadecimal digits. */
struct secret {
	char key[ENV_KEY_MAX];
	uint32_t bytes;                          /* of randomness, 16..64, default 32 */
	char postgres_role[POSTGRES_NAME_MAX];   /* whose password it is, or "" */
	char postgres_service[SERVICE_NAME_MAX]; /* the service with that database */
};

struct env_file {
	char path[SERVICE_PATH_MAX]; /* "": there is none */
	uint32_t n_secrets;
	struct secret secrets[SERVICE_SECRETS_MAX];
};

struct upstream {
	char key[ENV_KEY_MAX]; /* of the env file; "": there is none */
	char primary[ENDPOINT_URL_MAX], fallback[ENDPOINT_URL_MAX];
	char health_path[128]; /* appended to either */
};

struct database {
	char socket_dir[SERVICE_SOCKET_MAX]; /* "": the service is no database */
	uint32_t port;                       /* 1..65535, default 5432 */
	char name[POSTGRES_NAME_MAX];
	char maintenance_name
		[POSTGRES_NAME_MAX]; /* to connect to while name is swapped: postgres */
	/* What changes the database, and what only looks and ends sessions. */
	char owner[POSTGRES_NAME_MAX], owner_credential[SERVICE_NAME_MAX];
	char operator[POSTGRES_NAME_MAX], operator_credential[SERVICE_NAME_MAX];
	char snapshots_dir[SERVICE_PATH_MAX], migrations_dir[SERVICE_PATH_MAX];
	uint32_t keep_old_s; /* 0..604800, default 86400: what a restore replaced */
};

struct table_list {
	uint32_t n;
	char v[SERVICE_TABLES_MAX][POSTGRES_NAME_MAX];
};

struct service {
	char name[SERVICE_NAME_MAX];
	char unit[ENTITY_NAME_MAX], container[ENTITY_NAME_MAX]; /* one of them is "" */
	uint32_t n_endpoints, n_depends;
	struct endpoint endpoints[SERVICE_ENDPOINTS_MAX];
	char depends_on[SERVICE_DEPENDS_MAX][SERVICE_NAME_MAX];
	struct path_list config_paths, tracked_files, temp_dirs, log_dirs;
	char cache_dir[SERVICE_PATH_MAX];
	struct env_file env_file;
	struct upstream upstream;
	struct database database;
	struct table_list required_tables; /* of the database; found in the search path */
};

struct services {
	uint32_t n;
	struct service *v;
};

/* Parses one file. Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN. */
int service_parse(const char *file_name, const char *text, size_t length, struct service *ret,
		  struct err *reterr) _warn_unused_;

/* Loads services.d below root_fd. A bad file fails the whole load (the caller keeps the old one).
 * Returns 0; -EINVAL with FILE:LINE:COLUMN (bad value, a name or unit given twice) or with the name of
 * the service (what it refers to is not there, or it depends on itself); -E2BIG. */
int services_load(int root_fd, struct services *ret, struct err *reterr) _warn_unused_;

/* The same for who acts on it: "managed" in the policy means what stands here, so the files are
 * trusted as the policy's are (-EPERM). */
int services_load_trusted(int root_fd, struct services *ret, struct err *reterr) _warn_unused_;
void services_done(struct services *s);

/* Its unit or its container. */
struct entity service_entity(const struct service *s);

const struct service *services_find(const struct services *s, const char *name);
/* The service whose own unit or container e is. */
const struct service *services_find_entity(const struct services *s, const struct entity *e);
/* Those that depend on s, directly or through others, in the order to start them after it. Returns how many
 * of v[max]; -E2BIG. */
int services_find_dependents(const struct services *all, const struct service *s,
			     const struct service *v[], size_t max,
			     struct err *reterr) _warn_unused_;
const struct service *services_find_unit(const struct services *s, const char *unit);
const struct service *services_find_endpoint(const struct services *s, const char *endpoint,
					     const struct endpoint **ret_endpoint);
