/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/input.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const struct field *find_field(const char *name, const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* Bytes that begin a character. */
static int64_t count_characters(const char *text)
{
	int64_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int read_text(struct json_object *v, const struct field *f, char *ret, struct err *reterr)
{
	const char *text = json_object_get_string(v);
	size_t length = (size_t)json_object_get_string_len(v);
	int64_t n;

	if (strlen(text) != length || !str_is_clean_utf8(text, length))
		return err_set(reterr, -EINVAL, "'%s' holds a control character", f->name);
	n = count_characters(text);
	if (n < f->min || n > f->max)
		return err_set(reterr, -EINVAL,
			       "'%s' has %lld characters; %lld to %lld are allowed", f->name,
			       (long long)n, (long long)f->min, (long long)f->max);
	if (length > 0 && (text[0] == ' ' || text[length - 1] == ' '))
		return err_set(reterr, -EINVAL, "'%s' begins or ends with a space", f->name);
	return str_copy(ret, INPUT_TEXT_MAX, text);
}

static int read_integer(struct json_object *v, const struct field *f, char *ret, struct err *reterr)
{
	int64_t number = json_object_get_int64(v);

	if (number < f->min || number > f->max)
		return err_set(reterr, -EINVAL, "'%s' is outside of %lld to %lld", f->name,
			       (long long)f->min, (long long)f->max);
	str_append(ret, INPUT_TEXT_MAX, "%lld", (long long)number);
	return 0;
}

static int read_value(struct json_object *v, const struct field *f, char *ret, struct err *reterr)
{
	static const char *const words[] = { [FIELD_TYPE_TEXT] = "a text",
					     [FIELD_TYPE_INTEGER] = "a whole number",
					     [FIELD_TYPE_BOOLEAN] = "true or false" };
	enum json_type type = json_object_get_type(v);

	ret[0] = '\0';
	if (f->type == FIELD_TYPE_TEXT && type == json_type_string)
		return read_text(v, f, ret, reterr);
	if (f->type == FIELD_TYPE_INTEGER && type == json_type_int)
		return read_integer(v, f, ret, reterr);
	if (f->type == FIELD_TYPE_BOOLEAN && type == json_type_boolean)
		return str_copy(ret, INPUT_TEXT_MAX, json_object_get_boolean(v) ? "t" : "f");
	return err_set(reterr, -EINVAL, "'%s' is not %s", f->name, words[f->type]);
}

static int take_fields(struct json_object *body, const struct field *fields, size_t n,
		       struct input *in, struct err *reterr)
{
	json_object_object_foreach(body, key, value) {
		const struct field *f = find_field(key, fields, n);
		char shown[64] = "";
		int r;

		if (!f)
			return err_set(reterr, -EINVAL, "there is no field '%s'",
				       str_escape(shown, sizeof(shown), key));
		r = read_value(value, f, in->texts[f - fields], reterr);
		if (r < 0)
			return r;
		in->values[f - fields] = in->texts[f - fields];
	}
	return 0;
}

int input_read(struct json_object *body, const struct field *fields, size_t n, bool is_change,
	       struct input *ret, struct err *reterr)
{
	int r;

	memset(ret->values, 0, sizeof(ret->values));
	if (!body)
		return err_set(reterr, -EINVAL, "a JSON object is expected");
	if (is_change && json_object_object_length(body) == 0)
		return err_set(reterr, -EINVAL, "there is nothing to change");
	r = take_fields(body, fields, n, ret, reterr);
	if (r < 0 || is_change)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (!ret->values[i] && !fields[i].fallback)
			return err_set(reterr, -EINVAL, "'%s' is missing", fields[i].name);
		if (!ret->values[i])
			ret->values[i] = fields[i].fallback;
	}
	return 0;
}

int page_parse(const char *limit, const char *after, struct page *ret, struct err *reterr)
{
	uint64_t rows = PAGE_ROWS_DEFAULT, id = 0;

	if (limit && (str_parse_u64(limit, &rows) < 0 || rows < 1 || rows > PAGE_ROWS_MAX))
		return err_set(reterr, -EINVAL, "'limit' is a number from 1 to %d", PAGE_ROWS_MAX);
	if (after && (str_parse_u64(after, &id) < 0 || id > INT64_MAX))
		return err_set(reterr, -EINVAL, "'after' is the id of an entry");
	*ret = (struct page){ .rows = (uint32_t)rows, .after = id };
	return 0;
}
