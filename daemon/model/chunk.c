/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/chunk.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

struct splitter {
	enum chunk_form form;
	int (*fn)(void *userdata, const struct chunk *chunk, struct err *reterr);
	void *userdata;
	struct err *reterr;
	char section[CHUNK_SECTION_MAX];
	bool in_fence;
	const char *begin; /* of the piece that grows */
	const char *pause; /* behind its last empty line, or NULL */
};

struct line {
	const char *text;
	size_t length; /* without the line feed */
	const char *next;
};

static bool is_blank(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isspace((unsigned char)s[i]))
			return false;
	return true;
}

static int emit(struct splitter *s, const char *end)
{
	struct chunk c = { .section = s->section, .body = s->begin };
	const char *last = end;

	s->pause = NULL;
	while (last > c.body && isspace((unsigned char)last[-1]))
		last--;
	while (c.body < last && (*c.body == '\n' || *c.body == '\r'))
		c.body++;
	c.length = (size_t)(last - c.body);
	s->begin = end;
	return c.length > 0 ? s->fn(s->userdata, &c, s->reterr) : 0;
}

/* Where a piece that is too long may end: not inside of a character of UTF-8. */
static const char *cut(const char *begin, size_t length)
{
	size_t n = CHUNK_BYTES_MAX;

	if (length <= n)
		return begin + length;
	while (n > CHUNK_BYTES_MAX - 4 && ((unsigned char)begin[n] & 0xc0) == 0x80)
		n--;
	return begin + n;
}

/* "### Heading": the length of what stands behind the marks. */
static size_t find_markdown(const struct line *l, const char **ret)
{
	size_t marks = 0;

	while (marks < l->length && l->text[marks] == '#')
		marks++;
	if (marks < 1 || marks > 6 || marks + 1 >= l->length || l->text[marks] != ' ')
		return 0;
	*ret = l->text + marks + 1;
	return l->length - marks - 1;
}

/* "key: value": the length of the key. */
static size_t find_key(const struct line *l)
{
	size_t n = 0;

	while (n < l->length &&
	       (isalnum((unsigned char)l->text[n]) || l->text[n] == '_' || l->text[n] == '-'))
		n++;
	return n < l->length && l->text[n] == ':' ? n : 0;
}

/* Returns the length, 0: no heading. */
static size_t find_heading(const struct splitter *s, const struct line *l, const char **ret)
{
	*ret = l->text;
	switch (s->form) {
	case CHUNK_FORM_MARKDOWN:
		return s->in_fence ? 0 : find_markdown(l, ret);
	case CHUNK_FORM_MAN:
		return l->length > 1 && isupper((unsigned char)l->text[0]) ? l->length : 0;
	case CHUNK_FORM_KEYS:
		return find_key(l);
	case CHUNK_FORM_PLAIN:
		return 0;
	}
	return 0;
}

static void set_section(struct splitter *s, const char *text, size_t length)
{
	size_t n = length < sizeof(s->section) - 1 ? length : sizeof(s->section) - 1;

	while (n < length && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(s->section, text, n);
	s->section[n] = '\0';
	while (n > 0 && isspace((unsigned char)s->section[n - 1]))
		s->section[--n] = '\0';
}

/* A line more must not make the piece too long: it ends at its last empty line, or before this one. */
static int make_room(struct splitter *s, const struct line *l)
{
	int r = 0;

	if ((size_t)(l->next - s->begin) > CHUNK_BYTES_MAX && l->text > s->begin) {
		const char *end = s->pause && s->pause > s->begin ? s->pause : l->text;

		r = emit(s, end);
	}
	while (r == 0 && (size_t)(l->next - s->begin) > CHUNK_BYTES_MAX)
		r = emit(s, l->text > s->begin ? l->text :
						 cut(s->begin, (size_t)(l->next - s->begin)));
	return r;
}

static int take_line(struct splitter *s, const struct line *l)
{
	const char *heading;
	size_t length;
	int r;

	if (s->form == CHUNK_FORM_MARKDOWN && l->length >= 3 && memcmp(l->text, "```", 3) == 0)
		s->in_fence = !s->in_fence;
	length = find_heading(s, l, &heading);
	if (length > 0) {
		r = emit(s, l->text);
		set_section(s, heading, length);
		/* A key's value may stand behind it. */
		if (s->form != CHUNK_FORM_KEYS)
			s->begin = l->next;
		return r < 0 || s->form != CHUNK_FORM_KEYS ? r : make_room(s, l);
	}
	r = make_room(s, l);
	if (is_blank(l->text, l->length))
		s->pause = l->next;
	return r;
}

int chunk_split(const char *text, size_t length, enum chunk_form form,
		int (*fn)(void *userdata, const struct chunk *chunk, struct err *reterr),
		void *userdata, struct err *reterr)
{
	struct splitter s = {
		.form = form, .fn = fn, .userdata = userdata, .reterr = reterr, .begin = text
	};
	const char *end = text + length;
	int r = 0;

	for (const char *p = text; r == 0 && p < end;) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		const struct line l = { p, (size_t)((feed ? feed : end) - p),
					feed ? feed + 1 : end };

		r = take_line(&s, &l);
		p = l.next;
	}
	return r < 0 ? r : emit(&s, end);
}
