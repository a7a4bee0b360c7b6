/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/entity.h"

/* A file of services.d (NAME.yaml): what is managed.
 *
 *   name: api
 *   unit: aiops-target-api.service
 *   endpoints:
 *     - name: api-health
 *       url: http://127.0.0.1:8080/healthz     # or tcp://127.0.0.1:5432
 *       interval_ms: 1000
 *       timeout_ms: 1000
 *       slow_ms: 250
 *       expect_status: 200
 *   config_paths: [/etc/aiops-target]
 */

#define SERVICES_MAX          64
#define SERVICE_ENDPOINTS_MAX 4
#define SERVICE_PATHS_MAX     8
#define SERVICE_NAME_MAX      64
#define ENDPOINT_URL_MAX      256

struct endpoint {
	char name[SERVICE_NAME_MAX];
	char url[ENDPOINT_URL_MAX];
	uint32_t interval_ms;   /* 200..60000, default 1000 */
	uint32_t timeout_ms;    /* 50..30000, default 1000 */
	uint32_t slow_ms;       /* 1..30000, default 250: over it the endpoint counts as slow */
	uint32_t expect_status; /* 100..599, default 200; http only */
};

struct service {
	char name[SERVICE_NAME_MAX];
	char unit[ENTITY_NAME_MAX];
	uint32_t n_endpoints, n_paths;
	struct endpoint endpoints[SERVICE_ENDPOINTS_MAX];
	char config_paths[SERVICE_PATHS_MAX][256];
};

struct services {
	uint32_t n;
	struct service *v;
};

/* Parses one file. Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN. */
int service_parse(const char *file_name, const char *text, size_t length, struct service *ret,
		  struct err *reterr) _warn_unused_;

/* Loads services.d below root_fd. A bad file fails the whole load (the caller keeps the old one).
 * Returns 0; -EINVAL with FILE:LINE:COLUMN (bad value, a name or unit given twice); -E2BIG. */
int services_load(int root_fd, struct services *ret, struct err *reterr) _warn_unused_;

/* The same for who acts on it: "managed" in the policy means what stands here, so the files are
 * trusted as the policy's are (-EPERM). */
int services_load_trusted(int root_fd, struct services *ret, struct err *reterr) _warn_unused_;
void services_done(struct services *s);

const struct service *services_find_unit(const struct services *s, const char *unit);
const struct service *services_find_endpoint(const struct services *s, const char *endpoint,
					     const struct endpoint **ret_endpoint);
