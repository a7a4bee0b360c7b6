/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/output.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

#define WRAP_ROOM_MIN 20 /* columns */

void ctl_use_utf8(void)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		(void)setlocale(LC_CTYPE, "");
}

const char *colour_on(const struct ctl *ctl, enum colour c)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",           [COLOUR_RED] = "\033[31m",
		[COLOUR_YELLOW] = "\033[33m", [COLOUR_GREEN] = "\033[32m",
		[COLOUR_BLUE] = "\033[36m",   [COLOUR_GREY] = "\033[90m",
		[COLOUR_BOLD] = "\033[1m",
	};

	return ctl->colour ? codes[c] : "";
}

const char *colour_off(const struct ctl *ctl)
{
	return ctl->colour ? "\033[0m" : "";
}

static const char *exit_word(int code)
{
	static const char *const words[] = { "ok",        "failed",
					     "usage",     "daemon-not-running",
					     "not-found", "refused",
					     "timeout",   "not-verified" };

	return code >= 0 && (size_t)code < ELEMENTSOF(words) ? words[code] : "failed";
}

static void print_error(const struct ctl *ctl, int code, const char *hint, const char *text)
{
	_cleanup_json_ struct json_object *root = NULL;
	struct json_object *e;
	char clean[ERR_TEXT_MAX * 2] = "";

	if (ctl->json == JSON_MODE_OFF) {
		fprintf(stderr, "%saiopsctl:%s %s\n", colour_on(ctl, COLOUR_RED), colour_off(ctl),
			str_escape(clean, sizeof(clean), text));
		if (hint)
			ctl_hint(ctl, "%s", hint);
		return;
	}
	root = json_object_new_object();
	e = json_object_new_object();
	(void)json_add_string(e, "code", exit_word(code));
	(void)json_add_string(e, "message", text);
	if (hint)
		(void)json_add_string(e, "hint", hint);
	(void)json_add(root, "error", e);
	(void)ctl_print_json(ctl, root);
}

int ctl_fail(const struct ctl *ctl, int code, const char *hint, const char *format, ...)
{
	char text[ERR_TEXT_MAX] = "";
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print_error(ctl, code, hint, text);
	return code;
}

int ctl_fail_err(const struct ctl *ctl, int code, const char *hint, const struct err *err)
{
	print_error(ctl, code, hint, err_text(err));
	return code;
}

int ctl_print_json(const struct ctl *ctl, struct json_object *value)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= ctl->json == JSON_MODE_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
						 JSON_C_TO_STRING_PLAIN;
	puts(json_object_to_json_string_ext(value, flags));
	return CTL_OK;
}

void ctl_hint(const struct ctl *ctl, const char *format, ...)
{
	va_list ap;

	if (ctl->quiet || ctl->json != JSON_MODE_OFF)
		return;
	fputs("Hint: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct json_object *json_member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return o && json_object_is_type(o, json_type_object) &&
			       json_object_object_get_ex(o, key, &v) ?
		       v :
		       NULL;
}

struct json_object *json_items(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);

	return v && json_object_is_type(v, json_type_array) ? v : NULL;
}

const char *json_text(struct json_object *o, const char *key, const char *otherwise)
{
	struct json_object *v = json_member(o, key);

	return v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) :
							       otherwise;
}

int64_t json_int(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);

	return v ? json_object_get_int64(v) : 0;
}

double json_number(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);

	return v ? json_object_get_double(v) : 0;
}

const char *format_ago(uint64_t wall_us, char buf[static AGO_MAX])
{
	uint64_t now_us = clock_wall_us();
	uint64_t distance_us = now_us > wall_us ? now_us - wall_us : wall_us - now_us;
	uint64_t s = distance_us / US_PER_S;
	char span[CLOCK_SPAN_MAX] = "";

	buf[0] = '\0';
	(void)clock_format_span(distance_us * NS_PER_US, span);
	if (s >= 10 && s < 60) /* tenths are of no use here */
		(void)snprintf(span, sizeof(span), "%" PRIu64 " s", s);
	if (now_us >= wall_us)
		str_append(buf, AGO_MAX, "%s ago", span);
	else
		str_append(buf, AGO_MAX, "in %s", span);
	return buf;
}

size_t ctl_width(const struct ctl *ctl)
{
	struct winsize size = { 0 };
	uint64_t columns = 0;
	const char *text = getenv("COLUMNS");

	if (!ctl->tty || ctl->full)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return text && str_parse_u64(text, &columns) == 0 && columns > 0 && columns < 10000 ?
		       (size_t)columns :
		       80;
}

size_t text_width(const char *text, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80; /* first bytes of UTF-8 */
	return n;
}

size_t text_break(const char *text, size_t width, size_t *ret_skip)
{
	size_t length = strcspn(text, "\n"), end = 0, space = 0;

	*ret_skip = 0;
	if (width == 0 || text_width(text, length) <= width) {
		*ret_skip = text[length] == '\n';
		return length;
	}
	for (size_t n = 0; n <= width; n++) {
		if (n == width && space == 0 && text[end] != ' ')
			return end; /* one long word */
		if (text[end] == ' ')
			space = end;
		end++;
		while (((unsigned char)text[end] & 0xc0) == 0x80)
			end++;
	}
	*ret_skip = 1;
	return space;
}

void ctl_print_wrapped(const struct ctl *ctl, enum colour c, size_t indent, const char *text)
{
	size_t width = ctl_width(ctl), skip = 0;

	/* Where the rest of the line is no room for words, the terminal itself may break it. */
	width = width > indent + WRAP_ROOM_MIN ? width - indent : 0;
	for (;;) {
		size_t n = text_break(text, width, &skip);

		printf("%s%.*s%s", colour_on(ctl, c), (int)n, text,
		       c == COLOUR_NONE ? "" : colour_off(ctl));
		text += n + skip;
		if (!*text)
			break;
		printf("\n%*s", (int)indent, "");
	}
	putchar('\n');
}

const char *format_local(uint64_t wall_us, char buf[static AGO_MAX])
{
	time_t s = (time_t)(wall_us / US_PER_S);
	struct tm tm = { 0 };

	(void)localtime_r(&s, &tm);
	if (strftime(buf, AGO_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
		buf[0] = '\0';
	return buf;
}

int ctl_confirm(const struct ctl *ctl, const char *format, ...)
{
	char line[16] = "";
	va_list ap;

	if (ctl->yes)
		return 1;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || ctl->json != JSON_MODE_OFF)
		return -ENOTTY;
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	fputs(" [y/N] ", stderr);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	return line[0] == 'y' || line[0] == 'Y';
}
