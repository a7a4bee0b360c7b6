/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define UNIT_NAME_MAX 255 /* bytes; UNIT_NAME_MAX in systemd's unit-name.h is 256 with the NUL */

int str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size);

	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(dst, src, n + 1);
	return 0;
}

void str_append(char *dst, size_t size, const char *format, ...)
{
	size_t used = strnlen(dst, size);
	va_list ap;

	if (used >= size)
		return;
	va_start(ap, format);
	(void)vsnprintf(dst + used, size - used, format, ap);
	va_end(ap);
}

const char *str_number(double v, char buf[static STR_NUMBER_MAX])
{
	bool is_whole = fabs(v) < 1e15 && v == (double)(int64_t)v;

	(void)snprintf(buf, STR_NUMBER_MAX,
		       is_whole || (fabs(v) >= 999.5 && fabs(v) < 1e15) ? "%.0f" : "%.3g", v);
	return buf;
}

int str_parse_i64(const char *s, int64_t *ret)
{
	char *end = NULL;
	long long v;

	if (!isdigit((unsigned char)s[0]) && !(s[0] == '-' && isdigit((unsigned char)s[1])))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_parse_u64(const char *s, uint64_t *ret)
{
	char *end = NULL;
	unsigned long long v;

	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_parse_double(const char *s, double *ret)
{
	char *end = NULL;
	double v;

	if (!isdigit((unsigned char)s[0]) && s[0] != '-' && s[0] != '.')
		return -EINVAL;
	if (strspn(s, "0123456789.eE+-") != strlen(s))
		return -EINVAL;
	errno = 0;
	v = strtod(s, &end);
	if (*end)
		return -EINVAL;
	if (!isfinite(v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_parse_span_ns(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t unit_ns;
	} units[] = {
		{ "", NS_PER_S },         { "ms", NS_PER_MS },      { "s", NS_PER_S },
		{ "min", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S },
	};
	size_t digits = strspn(s, "0123456789");
	char number[21] = "";
	uint64_t v;
	int r;

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, digits);
	r = str_parse_u64(number, &v);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		if (!str_equal(s + digits, units[i].suffix))
			continue;
		if (v > UINT64_MAX / units[i].unit_ns)
			return -ERANGE;
		*ret_ns = v * units[i].unit_ns;
		return 0;
	}
	return -EINVAL;
}

/* What a first byte of a UTF-8 sequence says: how long it is, and the least code point that may be
 * written so long. Source: RFC 3629, section 3. */
static const struct utf8_form {
	unsigned char first, last; /* bytes it may begin with */
	unsigned char mask;        /* bits of the first byte that belong to the code point */
	size_t length;
	uint32_t least;
} utf8_forms[] = {
	{ 0x00, 0x7f, 0x7f, 1, 0 },
	{ 0xc2, 0xdf, 0x1f, 2, 0x80 },
	{ 0xe0, 0xef, 0x0f, 3, 0x800 },
	{ 0xf0, 0xf4, 0x07, 4, 0x10000 },
};

static bool is_code_point(uint32_t c)
{
	return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff); /* no surrogates */
}

/* Length of the UTF-8 sequence at s (left bytes remain), or 0 where it is malformed. */
static size_t utf8_sequence_length(const unsigned char *s, size_t left)
{
	const struct utf8_form *f = NULL;
	uint32_t c;

	for (size_t i = 0; !f && i < ELEMENTSOF(utf8_forms); i++)
		if (s[0] >= utf8_forms[i].first && s[0] <= utf8_forms[i].last)
			f = &utf8_forms[i];
	if (!f || f->length > left)
		return 0;
	c = s[0] & f->mask;
	for (size_t i = 1; i < f->length; i++) {
		if ((s[i] & 0xc0u) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	return c >= f->least && is_code_point(c) ? f->length : 0;
}

static bool is_control(const unsigned char *s, size_t length)
{
	if (length == 1)
		return (s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f;
	return length == 2 && s[0] == 0xc2 && s[1] < 0xa0; /* C1 */
}

bool str_is_clean_utf8(const char *s, size_t length)
{
	const unsigned char *u = (const unsigned char *)s;

	for (size_t i = 0; i < length;) {
		size_t n = utf8_sequence_length(u + i, length - i);

		if (n == 0 || is_control(u + i, n))
			return false;
		i += n;
	}
	return true;
}

bool str_is_clean_text(const char *s, size_t length)
{
	size_t start = 0;

	for (size_t i = 0; i <= length; i++) {
		if (i < length && s[i] != '\n' && s[i] != '\r')
			continue;
		if (!str_is_clean_utf8(s + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

char *str_escape(char *dst, size_t size, const char *src)
{
	const unsigned char *u = (const unsigned char *)src;
	size_t length = strlen(src), o = 0;

	for (size_t i = 0; i < length;) {
		size_t n = utf8_sequence_length(u + i, length - i);
		bool clean = n > 0 && !is_control(u + i, n);
		size_t need = clean ? n : 4;

		if (o + need >= size)
			break;
		if (clean) {
			memcpy(dst + o, src + i, n);
		} else {
			static const char hex[] = "0123456789abcdef";
			const char code[4] = { '\\', 'x', hex[u[i] >> 4], hex[u[i] & 15] };

			memcpy(dst + o, code, sizeof(code));
			n = 1;
		}
		o += need;
		i += n;
	}
	dst[o] = '\0';
	return dst;
}

bool str_is_unit_name(const char *s)
{
	static const char *const suffixes[] = { ".service", ".socket", ".target",   ".slice",
						".scope",   ".timer",  ".mount",    ".path",
						".device",  ".swap",   ".automount" };
	size_t n = strnlen(s, UNIT_NAME_MAX + 1);
	const char *dot;

	if (n == 0 || n > UNIT_NAME_MAX || s[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(":_.\\@-", s[i]))
			return false;
	dot = strrchr(s, '.');
	for (size_t i = 0; dot && i < ELEMENTSOF(suffixes); i++)
		if (str_equal(dot, suffixes[i]))
			return true;
	return false;
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool is_word(const char *s, size_t length_max)
{
	size_t length = strspn(s, ALNUM "._-");

	return s[0] != '\0' && strchr(ALNUM, s[0]) && s[length] == '\0' && length <= length_max;
}

bool str_is_container_name(const char *s)
{
	return is_word(s, 128) && s[1] != '\0';
}

bool str_is_plain_name(const char *s)
{
	return is_word(s, STR_PLAIN_NAME_MAX - 1);
}

bool str_is_terminated(const char *s, size_t size)
{
	return strnlen(s, size) < size;
}

bool str_is_hex128(const char *s)
{
	return strnlen(s, STR_HEX128_MAX) == STR_HEX128_MAX - 1 &&
	       strspn(s, "0123456789abcdef") == STR_HEX128_MAX - 1;
}

int str_random_hex128(char buf[static STR_HEX128_MAX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[16];

	if (getrandom(raw, sizeof(raw), GRND_NONBLOCK) != (ssize_t)sizeof(raw))
		return -errno;
	for (size_t i = 0; i < sizeof(raw); i++) {
		buf[2 * i] = hex[raw[i] >> 4];
		buf[2 * i + 1] = hex[raw[i] & 15];
	}
	buf[STR_HEX128_MAX - 1] = '\0';
	return 0;
}

#define NEAREST_MAX 48 /* bytes of a word that are compared */

/* Levenshtein distance of two short words. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1] = { 0 }, n = strnlen(b, NEAREST_MAX);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < NEAREST_MAX; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			size_t best = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < best ? change : best;
		}
	}
	return row[n];
}

const char *str_nearest(const char *word, const char *const words[])
{
	size_t best = strnlen(word, NEAREST_MAX) / 3 + 1; /* further off is no help */
	const char *found = NULL;

	for (size_t i = 0; words[i]; i++) {
		size_t d = distance(word, words[i]);

		/* Two letters or more, and all of them changed, is another word. */
		if (d > best || (d > 1 && d >= strlen(words[i])) || (found && d == best))
			continue;
		best = d;
		found = words[i];
	}
	return found;
}
