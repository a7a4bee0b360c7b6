/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ipc/http.h"

/* What an endpoint table says of itself, as an OpenAPI 3.0 document: the same rows that requests are
 * dispatched by. Source: OpenAPI Specification 3.0.3.
 *
 * The texts of struct http_doc that name members: "name, other#, third[]?": separated by ", ", each with its
 * type: none for a text, '#' integer, '!' boolean, '{}' object, '[]' array, '~' any; then '?' where it may
 * be absent or null. An answer begins with its status, or several: "200/503 ok!, reason". */

/* A new document with every row of the table but those whose summary is NULL. title: the daemon. */
int openapi_new(const struct http_endpoint *table, const char *title, struct json_object **ret);

/* Adds the rows of another table, whose methods on a path that is there already are not meant. */
int openapi_add_rows(struct json_object *document, const struct http_endpoint *table);

/* Adds an operation that is one of those that a row with '*' stands for: path: its own; params: the
 * schema of its body's "params" (consumed), or NULL. */
int openapi_add(struct json_object *document, const struct http_endpoint *row, const char *path,
		const char *summary, struct json_object *params);

/* The schema of members as above. Returns NULL without memory. */
struct json_object *openapi_schema(const char *members);
