/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static inline void tokener_freep(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

/* What json-c's strict mode lets pass or mends in silence. */
struct scan {
	const char *text;
	size_t length, at;
	bool allows_nul;
	size_t n_members;    /* outside strings there is one ':' for each member of an object */
	const char *problem; /* the first, at .at */
};

static void scan_string(struct scan *s)
{
	for (s->at++; s->at < s->length && s->text[s->at] != '"'; s->at++) {
		if ((unsigned char)s->text[s->at] < 0x20)
			s->problem = "a control character in a string";
		else if (s->text[s->at] != '\\')
			continue;
		else if (!s->allows_nul && s->length - s->at >= 6 &&
			 memcmp(s->text + s->at, "\\u0000", 6) == 0)
			s->problem = "a NUL in a string";
		else
			s->at++;
		if (s->problem)
			return;
	}
}

/* The text has passed the tokener, so only what that lets pass must be looked for. */
static void scan_text(struct scan *s)
{
	for (; s->at < s->length && !s->problem; s->at++) {
		char c = s->text[s->at], next = s->at + 1 < s->length ? s->text[s->at + 1] : '\0';

		if (c == '"')
			scan_string(s);
		else if (c == ':')
			s->n_members++;
		else if (c == '\'')
			s->problem = "a string in single quotes";
		else if (c == '.' && (next < '0' || next > '9'))
			s->problem = "a digit is missing";
		if (s->problem)
			return;
	}
}

struct count {
	size_t n_members;
	bool has_infinite;
};

/* Recursion is bounded by JSON_DEPTH_MAX, which the tokener has enforced. */
static void count_tree(struct json_object *o, struct count *c)
{
	if (json_object_is_type(o, json_type_double) && !isfinite(json_object_get_double(o)))
		c->has_infinite = true;
	if (json_object_is_type(o, json_type_array))
		for (size_t i = 0; i < json_object_array_length(o); i++)
			count_tree(json_object_array_get_idx(o, i), c);
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value) {
			(void)key;
			c->n_members++;
			count_tree(value, c);
		}
	}
}

static int check_strict(const char *text, size_t length, struct json_object *o, bool allows_nul,
			struct err *reterr)
{
	struct scan s = { .text = text, .length = length, .allows_nul = allows_nul };
	struct count c = { 0 };

	scan_text(&s);
	if (s.problem)
		return err_set(reterr, -EBADMSG, "parse JSON: byte %zu: %s", s.at, s.problem);
	count_tree(o, &c);
	if (c.has_infinite)
		return err_set(reterr, -EBADMSG, "parse JSON: a number is not finite");
	/* json-c keeps the last of two members with the same key: fewer than the text has. */
	if (s.n_members != c.n_members)
		return err_set(reterr, -EBADMSG, "parse JSON: an object has the same key twice");
	return 0;
}

static size_t skip_space(const char *text, size_t length, size_t i)
{
	while (i < length && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	return i;
}

/* Returns 0 with the document (NULL for "null"), or -EBADMSG. */
static int tokenize(const char *text, size_t length, struct json_object **ret, struct err *reterr)
{
	_cleanup_(tokener_freep) struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
	_cleanup_json_ struct json_object *o = NULL;
	enum json_tokener_error e;
	size_t end;

	if (!t)
		return -ENOMEM;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
					  JSON_TOKENER_ALLOW_TRAILING_CHARS);
	o = json_tokener_parse_ex(t, text, (int)length);
	e = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	/* A bare number or word may go on in the next piece: there is none. */
	if (e == json_tokener_continue) {
		o = json_tokener_parse_ex(t, "", 1);
		e = json_tokener_get_error(t);
		end = length;
	}
	if (e == json_tokener_continue)
		return err_set(reterr, -EBADMSG, "parse JSON: byte %zu: unexpected end", length);
	if (e != json_tokener_success)
		return err_set(reterr, -EBADMSG, "parse JSON: byte %zu: %s", end,
			       json_tokener_error_desc(e));
	end = skip_space(text, length, end);
	if (end != length)
		return err_set(reterr, -EBADMSG, "parse JSON: byte %zu: text after the end", end);
	*ret = TAKE_PTR(o);
	return 0;
}

static int parse(const char *text, size_t length, bool allows_nul, struct json_object **ret,
		 struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = tokenize(text, length, &o, reterr);

	if (r == 0)
		r = check_strict(text, length, o, allows_nul, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(o);
	return 0;
}

int json_parse(const char *text, size_t length, struct json_object **ret, struct err *reterr)
{
	if (length > JSON_TEXT_MAX)
		return err_set(reterr, -E2BIG, "parse JSON: longer than %d bytes", JSON_TEXT_MAX);
	if (!str_is_clean_text(text, length))
		return err_set(reterr, -EBADMSG,
			       "parse JSON: not UTF-8, or a control character in it");
	return parse(text, length, false, ret, reterr);
}

int json_parse_answer(const char *text, size_t length, size_t max_bytes, struct json_object **ret,
		      struct err *reterr)
{
	if (length > max_bytes || length > INT_MAX)
		return err_set(reterr, -E2BIG, "parse JSON: longer than %zu bytes", max_bytes);
	return parse(text, length, true, ret, reterr);
}

int json_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}

static int add_new(struct json_object *o, const char *key, struct json_object *value)
{
	return value ? json_add(o, key, value) : -ENOMEM;
}

int json_add_string(struct json_object *o, const char *key, const char *value)
{
	_cleanup_free_ char *escaped = NULL;
	size_t length;

	if (!value)
		return json_add(o, key, NULL);
	length = strlen(value);
	if (str_is_clean_utf8(value, length))
		return add_new(o, key, json_object_new_string_len(value, (int)length));
	escaped = malloc(4 * length + 1); /* \xNN for each byte at worst */
	if (!escaped)
		return -ENOMEM;
	return add_new(o, key, json_object_new_string(str_escape(escaped, 4 * length + 1, value)));
}

int json_add_u64(struct json_object *o, const char *key, uint64_t value)
{
	return add_new(o, key, json_object_new_uint64(value));
}

int json_add_i64(struct json_object *o, const char *key, int64_t value)
{
	return add_new(o, key, json_object_new_int64(value));
}

int json_add_double(struct json_object *o, const char *key, double value)
{
	char text[32] = "";

	if (!isfinite(value))
		return json_add(o, key, NULL); /* JSON has no such number */
	/* The shortest of the two that reads back as the same number: 97.1, not 97.099999999999994. */
	(void)snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		(void)snprintf(text, sizeof(text), "%.17g", value);
	return add_new(o, key, json_object_new_double_s(value, text));
}

int json_add_bool(struct json_object *o, const char *key, bool value)
{
	return add_new(o, key, json_object_new_boolean(value));
}

int json_add_time(struct json_object *o, const char *prefix, uint64_t wall_us)
{
	char key[64] = "", iso[CLOCK_ISO8601_MAX] = "";

	str_append(key, sizeof(key), "%s_usec", prefix);
	if (json_add_u64(o, key, wall_us) < 0)
		return -ENOMEM;
	return json_add_string(o, prefix, clock_format_iso8601(wall_us, iso));
}

/* Returns 0 with the member; -ENOENT; -EINVAL for another type. */
static int get(struct json_object *o, const char *key, enum json_type type,
	       struct json_object **ret, struct err *reterr)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v))
		return err_set(reterr, -ENOENT, "field '%s': is missing", key);
	if (!json_object_is_type(v, type))
		return err_set(reterr, -EINVAL, "field '%s': expected %s, not %s", key,
			       json_type_to_name(type), json_type_to_name(json_object_get_type(v)));
	*ret = v;
	return 0;
}

int json_get_string(struct json_object *o, const char *key, const char **ret, struct err *reterr)
{
	struct json_object *v = NULL;
	int r = get(o, key, json_type_string, &v, reterr);

	if (r < 0)
		return r;
	*ret = json_object_get_string(v);
	return 0;
}

int json_get_i64(struct json_object *o, const char *key, int64_t *ret, struct err *reterr)
{
	struct json_object *v = NULL;
	int64_t i;
	int r = get(o, key, json_type_int, &v, reterr);

	if (r < 0)
		return r;
	i = json_object_get_int64(v);
	/* json-c holds what is too big at the end of the range; nobody means those two. */
	if (i == INT64_MAX || i == INT64_MIN)
		return err_set(reterr, -EINVAL, "field '%s': number out of range", key);
	*ret = i;
	return 0;
}

int json_get_bool(struct json_object *o, const char *key, bool *ret, struct err *reterr)
{
	struct json_object *v = NULL;
	int r = get(o, key, json_type_boolean, &v, reterr);

	if (r < 0)
		return r;
	*ret = json_object_get_boolean(v) != 0;
	return 0;
}
