/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "selftests/target/app/app.h"

const struct route app_routes[] = {
	{ "GET", "/healthz", health_alive, true },
	{ "GET", "/ready", health_ready, true },
	{ "GET", "/metrics", metrics_show, true },
	{ "GET", "/v1/lists", lists_page, false },
	{ "POST", "/v1/lists", lists_make, false },
	{ "GET", "/v1/lists/:id", lists_show, false },
	{ "PATCH", "/v1/lists/:id", lists_change, false },
	{ "DELETE", "/v1/lists/:id", lists_remove, false },
	{ "GET", "/v1/lists/:id/total", lists_total, false },
	{ "GET", "/v1/lists/:id/items", items_page, false },
	{ "POST", "/v1/lists/:id/items", items_make, false },
	{ "GET", "/v1/items/:id", items_show, false },
	{ "PATCH", "/v1/items/:id", items_change, false },
	{ "DELETE", "/v1/items/:id", items_remove, false },
	{ NULL, NULL, NULL, false },
};

_Static_assert(ELEMENTSOF(app_routes) <= SERVER_ROUTES_MAX, "a count for each route");
