/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/template.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/str.h"

#define UUID_LENGTH 36
#define HEX_MIN     8 /* digits of a bare hexadecimal word: a short one is a word ("dead", "cafe") */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t scan_digits(const char *s)
{
	return strspn(s, "0123456789");
}

static size_t scan_hex(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF");
}

/* Each scanner returns how many bytes at s it takes, or 0. */

static size_t scan_uuid(const char *s)
{
	static const size_t groups[] = { 8, 4, 4, 4, 12 };
	size_t at = 0;

	for (size_t i = 0; i < ELEMENTSOF(groups); i++) {
		if (i > 0 && s[at++] != '-')
			return 0;
		if (scan_hex(s + at) != groups[i])
			return 0;
		at += groups[i];
	}
	return at == UUID_LENGTH && !is_word(s[at]) ? at : 0;
}

static size_t scan_ipv4(const char *s)
{
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		size_t n;

		if (i > 0 && s[at++] != '.')
			return 0;
		n = scan_digits(s + at);
		if (n == 0 || n > 3)
			return 0;
		at += n;
	}
	return is_word(s[at]) || (s[at] == '.' && isdigit((unsigned char)s[at + 1])) ? 0 : at;
}

/* Hexadecimal groups with at least two colons, one pair of them empty or seven in all. */
static size_t scan_ipv6(const char *s)
{
	size_t n = strspn(s, "0123456789abcdefABCDEF:"), colons = 0;
	bool gap = false;

	for (size_t i = 0; i < n; i++) {
		colons += s[i] == ':';
		gap = gap || (s[i] == ':' && i + 1 < n && s[i + 1] == ':');
	}
	if (n < 2 || n > 39 || colons < 2 || colons > 7 || (!gap && colons != 7) || is_word(s[n]))
		return 0;
	return n;
}

/* "2026-01-31". */
static size_t scan_date(const char *s)
{
	if (scan_digits(s) != 4 || s[4] != '-' || scan_digits(s + 5) != 2 || s[7] != '-')
		return 0;
	return scan_digits(s + 8) == 2 ? 10 : 0;
}

/* "12:34", "12:34:56.789", "12:34:56Z", "12:34:56+02:00". */
static size_t scan_clock(const char *s)
{
	size_t at = scan_digits(s);

	if (at < 1 || at > 2 || s[at] != ':' || scan_digits(s + at + 1) != 2)
		return 0;
	at += strspn(s + at, "0123456789:.,");
	while (strchr(":.,", s[at - 1]))
		at--;
	if (s[at] == 'Z')
		return at + 1;
	if ((s[at] == '+' || s[at] == '-') && scan_digits(s + at + 1) >= 2)
		at += 1 + strspn(s + at + 1, "0123456789:");
	return at;
}

static size_t scan_time(const char *s)
{
	size_t date = scan_date(s), clock;
	size_t gap = date > 0 && (s[date] == 'T' || s[date] == ' ') ? 1 : 0;

	clock = date == 0 || gap > 0 ? scan_clock(s + date + gap) : 0;
	if (clock > 0)
		date += gap + clock;
	return is_word(s[date]) ? 0 : date;
}

static size_t scan_hex_word(const char *s)
{
	size_t n;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		n = scan_hex(s + 2);
		return n > 0 && !is_word(s[2 + n]) ? 2 + n : 0;
	}
	n = scan_hex(s);
	return n >= HEX_MIN && scan_digits(s) < n && !is_word(s[n]) ? n : 0;
}

/* A number with what belongs to it: "12", "-1.5", "1,024", "20%", "15ms", "3GiB". */
static size_t scan_number(const char *s)
{
	size_t at = s[0] == '-' || s[0] == '+' ? 1 : 0;

	if (!isdigit((unsigned char)s[at]))
		return 0;
	for (;;) {
		at += scan_digits(s + at);
		if ((s[at] != '.' && s[at] != ',') || !isdigit((unsigned char)s[at + 1]))
			break;
		at++;
	}
	at += s[at] == '%';
	return at;
}

static size_t scan_url(const char *s)
{
	size_t scheme = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

	if (scheme == 0 || scheme > 16 || strncmp(s + scheme, "://", 3) != 0)
		return 0;
	return scheme + strcspn(s + scheme, " \t\"'<>)],;");
}

static size_t scan_mail(const char *s)
{
	static const char set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+";
	size_t local = strspn(s, set), domain;

	if (local == 0 || s[local] != '@')
		return 0;
	domain = strspn(s + local + 1, set);
	return domain > 2 && memchr(s + local + 1, '.', domain) ? local + 1 + domain : 0;
}

/* "/var/lib/x", "./x/y", "~/x": at least one character behind the slash. */
static size_t scan_path(const char *s)
{
	size_t lead = s[0] == '~' || s[0] == '.' ? 1 : 0, n;

	lead += s[0] == '.' && s[1] == '.';
	if (s[lead] != '/' || !(is_word(s[lead + 1]) || s[lead + 1] == '.'))
		return 0;
	n = lead + strcspn(s + lead, " \t\"'<>()[],;:=|");
	while (n > lead + 1 && (s[n - 1] == '.' || s[n - 1] == '!' || s[n - 1] == '?'))
		n--;
	return n;
}

static size_t scan_quoted(const char *s)
{
	const char *end = s[0] == '"' || s[0] == '\'' ? strchr(s + 1, s[0]) : NULL;

	/* An apostrophe inside a word is none: "can't" never gets here (see at_start). */
	return end && end > s + 1 ? (size_t)(end - s) + 1 : 0;
}

/* The first that takes anything wins, so the special ones come first. */
static const struct {
	size_t (*scan)(const char *s);
	const char *placeholder;
} scanners[] = {
	{ scan_quoted, "\"<STR>\"" }, { scan_url, "<URL>" },   { scan_mail, "<MAIL>" },
	{ scan_uuid, "<UUID>" },      { scan_time, "<TIME>" }, { scan_ipv4, "<IP>" },
	{ scan_ipv6, "<IP>" },        { scan_path, "<PATH>" }, { scan_hex_word, "<HEX>" },
	{ scan_number, "<NUM>" },
};

/* Returns bytes taken at s and the placeholder for them; 0 if what is there does not vary. */
static size_t scan_variable(const char *s, const char **ret_placeholder)
{
	for (size_t i = 0; i < ELEMENTSOF(scanners); i++) {
		size_t n = scanners[i].scan(s);

		if (n == 0)
			continue;
		*ret_placeholder = scanners[i].placeholder;
		return n;
	}
	return 0;
}

char *template_mask(const char *line, char buf[static TEMPLATE_TEXT_MAX])
{
	char in[TEMPLATE_LINE_MAX] = "", out[TEMPLATE_LINE_MAX] = "";
	size_t used = 0;
	bool at_start =
		true; /* of a word: "eth0" and "can't" are words, not a number and a quote */

	(void)str_copy(in, sizeof(in), line);
	for (const char *p = in; *p && used < TEMPLATE_TEXT_MAX;) {
		const char *placeholder = NULL;
		size_t n = at_start ? scan_variable(p, &placeholder) : 0;

		/* "status=2/INVALIDARGUMENT" is no number with a path behind it. */
		if (n > 0 && *p == '/' && used > 0 && out[used - 1] == '>')
			n = 0;
		if (n > 0) {
			size_t length = strlen(placeholder);

			memcpy(out + used, placeholder, length);
			used += length;
			p += n;
			at_start = true; /* "15ms" is <NUM>ms, "1.2.3.4:80" is <IP>:<NUM> */
			continue;
		}
		at_start = !is_word(*p);
		out[used++] = *p++;
	}
	out[used] = '\0';
	return str_escape(buf, TEMPLATE_TEXT_MAX, out);
}

struct token {
	const char *s;
	size_t length;
};

static size_t split(const char *text, struct token tokens[static TEMPLATE_TOKENS_MAX])
{
	size_t n = 0;

	while (n < TEMPLATE_TOKENS_MAX) {
		text += strspn(text, " \t");
		if (!*text)
			break;
		tokens[n].s = text;
		/* The last token takes the rest, so that nothing is lost. */
		tokens[n].length = n + 1 < TEMPLATE_TOKENS_MAX ? strcspn(text, " \t") :
								 strlen(text);
		text += tokens[n++].length;
	}
	return n;
}

static bool token_equal(const struct token *a, const struct token *b)
{
	return a->length == b->length && memcmp(a->s, b->s, a->length) == 0;
}

/* Puts <*> into into's text wherever its tokens differ. */
static void generalize(struct template *into, const struct token *a, const struct token *b,
		       size_t n)
{
	char text[TEMPLATE_TEXT_MAX] = "";

	for (size_t i = 0; i < n; i++) {
		str_append(text, sizeof(text), "%s", i > 0 ? " " : "");
		if (token_equal(&a[i], &b[i]))
			str_append(text, sizeof(text), "%.*s", (int)a[i].length, a[i].s);
		else
			str_append(text, sizeof(text), "<*>");
	}
	memcpy(into->text, text, sizeof(text));
}

/* Joins the line to this template if they are alike. */
static bool join(struct template *t, const struct token *line, size_t n)
{
	struct token own[TEMPLATE_TOKENS_MAX];
	size_t same = 0;

	if (split(t->text, own) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		same += token_equal(&own[i], &line[i]);
	/* The first word of a line says who speaks or what happens: it must agree, as in Drain's tree. */
	if (n > 0 && (!token_equal(&own[0], &line[0]) || same * 100 < n * TEMPLATE_SIMILAR_PCT))
		return false;
	if (same < n)
		generalize(t, own, line, n);
	return true;
}

static struct template *find_or_begin(struct templates *t, const char *text)
{
	struct token tokens[TEMPLATE_TOKENS_MAX];
	size_t n = split(text, tokens);

	for (uint32_t i = 0; i < t->n; i++)
		if (join(&t->v[i], tokens, n))
			return &t->v[i];
	if (t->n == TEMPLATES_MAX)
		return NULL;
	t->v[t->n] = (struct template){ .priority = LOG_DEBUG };
	(void)str_copy(t->v[t->n].text, TEMPLATE_TEXT_MAX, text);
	return &t->v[t->n++];
}

void templates_add(struct templates *t, const char *line, int priority)
{
	char text[TEMPLATE_TEXT_MAX] = "";
	struct template *one = find_or_begin(t, template_mask(line, text));
	bool error = priority <= LOG_ERR;

	t->lines_count++;
	t->error_lines_count += error;
	if (!one) {
		t->overflow_count++;
		return;
	}
	one->lines_count++;
	one->error_lines_count += error;
	one->priority = priority < one->priority ? priority : one->priority;
}

static int compare(const void *a, const void *b)
{
	const struct template *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority - y->priority;
	return x->lines_count > y->lines_count ? -1 : x->lines_count < y->lines_count;
}

void templates_sort(struct templates *t)
{
	qsort(t->v, t->n, sizeof(t->v[0]), compare);
}
