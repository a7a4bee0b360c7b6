/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/openapi.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MEMBER_MAX  64
#define MEMBERS_MAX 512
#define ERROR_SCHEMA                                                                        \
	"{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{"         \
	"\"type\":\"object\",\"required\":[\"code\",\"message\",\"hint\",\"record_id\"],"   \
	"\"properties\":{\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}," \
	"\"hint\":{\"type\":\"string\",\"nullable\":true},"                                 \
	"\"record_id\":{\"type\":\"string\",\"nullable\":true}}}}}"

/* Puts value (consumed) and lives on with what fails. */
static int put(struct json_object *o, const char *key, struct json_object *value)
{
	return value ? json_add(o, key, value) : -ENOMEM;
}

static struct json_object *object_of(const char *key, struct json_object *value)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || put(o, key, value) < 0)
		return NULL;
	return TAKE_PTR(o);
}

static struct json_object *text(const char *s)
{
	return json_object_new_string(s);
}

static const char *type_of(char mark)
{
	switch (mark) {
	case '#':
		return "integer";
	case '!':
		return "boolean";
	case '}':
		return "object";
	case ']':
		return "array";
	default:
		return "string";
	}
}

/* "name[]?" into *properties and *required. */
static int add_member(struct json_object *properties, struct json_object *required, char *member)
{
	size_t length = strlen(member);
	bool optional = length > 0 && member[length - 1] == '?';
	_cleanup_json_ struct json_object *type = json_object_new_object();
	int r = type ? 0 : -ENOMEM;

	if (optional)
		member[--length] = '\0';
	if (r == 0 && member[length - 1] != '~')
		r = put(type, "type", text(type_of(member[length - 1])));
	if (r == 0 && member[length - 1] == ']')
		r = put(type, "items", json_object_new_object());
	if (r == 0 && optional)
		r = put(type, "nullable", json_object_new_boolean(true));
	member[strspn(member, "abcdefghijklmnopqrstuvwxyz_0123456789")] = '\0';
	if (r == 0 && !optional && json_object_array_add(required, text(member)) < 0)
		r = -ENOMEM;
	return r == 0 ? put(properties, member, TAKE_PTR(type)) : r;
}

struct json_object *openapi_schema(const char *members)
{
	_cleanup_json_ struct json_object *o = object_of("type", text("object")),
					  *properties = json_object_new_object(),
					  *required = json_object_new_array();
	char copy[MEMBERS_MAX] = "", *save = NULL;
	int r = o && properties && required ? str_copy(copy, sizeof(copy), members) : -ENOMEM;

	for (char *m = strtok_r(copy, ", ", &save); r == 0 && m; m = strtok_r(NULL, ", ", &save))
		r = add_member(properties, required, m);
	if (r == 0)
		r = put(o, "properties", TAKE_PTR(properties));
	if (r == 0 && json_object_array_length(required) > 0)
		r = put(o, "required", TAKE_PTR(required));
	return r == 0 ? TAKE_PTR(o) : NULL;
}

static struct json_object *content_of(struct json_object *schema)
{
	return object_of("application/json", object_of("schema", schema));
}

static struct json_object *response_of(const char *members)
{
	_cleanup_json_ struct json_object *o = object_of("description", text("as asked for"));

	if (!o || put(o, "content", content_of(openapi_schema(members))) < 0)
		return NULL;
	return TAKE_PTR(o);
}

/* "200/503 ok!, reason", and for all else the error. */
static struct json_object *responses_of(const char *answer)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const char *members = answer + strcspn(answer, " ");
	int r = o ? 0 : -ENOMEM;

	for (const char *s = answer; r == 0 && isdigit((unsigned char)*s);
	     s += s[3] == '/' ? 4 : 3) {
		char status[4] = { s[0], s[1], s[2], '\0' };

		r = put(o, status, response_of(members));
	}
	if (r == 0)
		r = put(o, "default", object_of("$ref", text("#/components/responses/Error")));
	return r == 0 ? TAKE_PTR(o) : NULL;
}

static int add_parameter(struct json_object *list, const char *name, const char *in)
{
	_cleanup_json_ struct json_object *o = object_of("name", text(name));
	int r = o ? put(o, "in", text(in)) : -ENOMEM;

	if (r == 0)
		r = put(o, "required", json_object_new_boolean(str_equal(in, "path")));
	if (r == 0)
		r = put(o, "schema", object_of("type", text("string")));
	return r == 0 && json_object_array_add(list, TAKE_PTR(o)) < 0 ? -ENOMEM : r;
}

static struct json_object *parameters_of(const struct http_endpoint *row, const char *path)
{
	_cleanup_json_ struct json_object *list = json_object_new_array();
	char copy[MEMBERS_MAX] = "", *save = NULL;
	int r = list ? str_copy(copy, sizeof(copy), row->doc.query ? row->doc.query : "") : -ENOMEM;

	if (r == 0 && strchr(path, '{'))
		r = add_parameter(list, "id", "path");
	for (char *n = strtok_r(copy, ", ", &save); r == 0 && n; n = strtok_r(NULL, ", ", &save))
		r = add_parameter(list, n, "query");
	if (r == 0 && row->doc.header)
		r = add_parameter(list, row->doc.header, "header");
	return r == 0 ? TAKE_PTR(list) : NULL;
}

/* The body's schema; params is that of its own member, which is then as required as any of its. */
static struct json_object *body_of(const char *members, struct json_object *params)
{
	_cleanup_json_ struct json_object *given = params, *schema = openapi_schema(members);
	struct json_object *properties = NULL;
	bool needed = given && json_object_object_get_ex(given, "required", NULL);

	if (!schema || !json_object_object_get_ex(schema, "properties", &properties) ||
	    (given && put(properties, "params", TAKE_PTR(given)) < 0))
		return NULL;
	if (needed) {
		struct json_object *required = json_object_new_array();

		if (!required || json_object_array_add(required, text("params")) < 0 ||
		    put(schema, "required", required) < 0)
			return NULL;
	}
	return object_of("content", content_of(TAKE_PTR(schema)));
}

static struct json_object *operation_of(const struct http_endpoint *row, const char *path,
					const char *summary, struct json_object *params)
{
	_cleanup_json_ struct json_object *given = params, *o = object_of("summary", text(summary));
	int r = o ? put(o, "x-role", text(http_role_to_string(row->role))) : -ENOMEM;

	if (r == 0)
		r = put(o, "parameters", parameters_of(row, path));
	if (r == 0 && row->doc.body)
		r = put(o, "requestBody", body_of(row->doc.body, TAKE_PTR(given)));
	if (r == 0)
		r = put(o, "responses", responses_of(row->doc.answer));
	return r == 0 ? TAKE_PTR(o) : NULL;
}

int openapi_add(struct json_object *document, const struct http_endpoint *row, const char *path,
		const char *summary, struct json_object *params)
{
	struct json_object *operation = operation_of(row, path, summary, params);
	struct json_object *paths = NULL, *item = NULL;
	char method[8] = "";

	for (size_t i = 0; row->method[i] && i < sizeof(method) - 1; i++)
		method[i] = (char)tolower((unsigned char)row->method[i]);
	if (!operation || !json_object_object_get_ex(document, "paths", &paths)) {
		(void)json_object_put(operation);
		return -ENOMEM;
	}
	if (json_object_object_get_ex(paths, path, &item))
		return json_add(item, method, operation);
	return put(paths, path, object_of(method, operation));
}

/* An object with the members of o, null. */
static struct json_object *names_of(struct json_object *o)
{
	_cleanup_json_ struct json_object *names = json_object_new_object();

	if (!names)
		return NULL;
	json_object_object_foreach(o, name, value) {
		(void)value;
		if (json_add(names, name, NULL) < 0)
			return NULL;
	}
	return TAKE_PTR(names);
}

static int add_head(struct json_object *o, const char *title)
{
	struct err err = { 0 };
	struct json_object *info = object_of("title", text(title)), *error = NULL, *response;
	int r = info ? put(info, "version", text(AIOPS_VERSION)) : -ENOMEM;

	if (r == 0)
		r = put(o, "openapi", text("3.0.3"));
	if (r < 0 || put(o, "info", info) < 0 ||
	    json_parse(ERROR_SCHEMA, strlen(ERROR_SCHEMA), &error, &err) < 0)
		return -ENOMEM;
	response = object_of("description", text("why not"));
	if (!response || put(response, "content", content_of(error)) < 0)
		return -ENOMEM;
	r = put(o, "components", object_of("responses", object_of("Error", response)));
	return r == 0 ? put(o, "paths", json_object_new_object()) : r;
}

int openapi_add_rows(struct json_object *document, const struct http_endpoint *table)
{
	struct json_object *paths = NULL, *before;
	int r = json_object_object_get_ex(document, "paths", &paths) ? 0 : -EINVAL;

	before = r == 0 ? names_of(paths) : NULL;
	if (!before)
		return r < 0 ? r : -ENOMEM;
	for (const struct http_endpoint *row = table; r == 0 && row->method; row++) {
		char path[128] = "";
		size_t length = strlen(row->path);

		str_append(path, sizeof(path), "%.*s%s",
			   (int)(length - (row->path[length - 1] == '*')), row->path,
			   row->path[length - 1] == '*' ? "{id}" : "");
		if (row->doc.summary && !json_object_object_get_ex(before, path, NULL))
			r = openapi_add(document, row, path, row->doc.summary, NULL);
	}
	(void)json_object_put(before);
	return r;
}

int openapi_new(const struct http_endpoint *table, const char *title, struct json_object **ret)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = o ? add_head(o, title) : -ENOMEM;

	if (r == 0)
		r = openapi_add_rows(o, table);
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}
