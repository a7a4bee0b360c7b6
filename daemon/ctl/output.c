/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/output.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define CELL_MAX          2048
#define TABLE_COLUMNS_MAX 12

struct table {
	const struct ctl *ctl;
	struct libscols_table *scols;
	struct libscols_line *line;
	size_t n_columns, column, n_rows;
};

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

struct table *table_new(const struct ctl *ctl, const struct table_column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->ctl = ctl;
	t->n_columns = n;
	t->scols = scols_new_table();
	if (!t->scols)
		abort();
	(void)scols_table_set_column_separator(t->scols, "  ");
	(void)scols_table_enable_noheadings(t->scols, !ctl->legend);
	(void)scols_table_enable_noencoding(t->scols, true); /* table_cell() escapes, once */
	(void)scols_table_enable_colors(t->scols, ctl->colour);
	(void)scols_table_enable_nowrap(t->scols, ctl->full || !ctl->tty);
	if (ctl->full || !ctl->tty)
		(void)scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; i < n; i++) {
		int flags = (columns[i].right ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].cut && ctl->tty && !ctl->full ? SCOLS_FL_TRUNC : 0);
		struct libscols_column *c = scols_table_new_column(t->scols, columns[i].name, 0,
								   flags);

		if (c && ctl->colour)
			(void)scols_cell_set_color(scols_column_get_header(c), "\033[1m");
	}
	return t;
}

void table_row(struct table *t)
{
	t->line = scols_table_new_line(t->scols, NULL);
	t->column = 0;
	t->n_rows++;
}

void table_cell(struct table *t, enum colour c, const char *format, ...)
{
	char text[CELL_MAX / 4] = "", clean[CELL_MAX] = "";
	struct libscols_cell *cell;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (!t->line || t->column >= t->n_columns)
		return;
	(void)scols_line_set_data(t->line, t->column, str_escape(clean, sizeof(clean), text));
	cell = scols_line_get_cell(t->line, t->column++);
	if (cell && c != COLOUR_NONE && t->ctl->colour)
		(void)scols_cell_set_color(cell, colour_on(t->ctl, c));
}

void table_print(struct table *t, const char *noun)
{
	if (t->n_rows > 0)
		(void)scols_print_table(t->scols);
	if (t->ctl->legend && !t->ctl->quiet)
		printf("%s%zu %s%s listed.\n", t->n_rows > 0 ? "\n" : "", t->n_rows, noun,
		       t->n_rows == 1 ? "" : "s");
	scols_unref_table(t->scols);
	free(t);
}

struct json_object *json_member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return o && json_object_is_type(o, json_type_object) &&
			       json_object_object_get_ex(o, key, &v) ?
		       v :
		       NULL;
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
	char span[CLOCK_SPAN_MAX] = "";

	buf[0] = '\0';
	(void)clock_format_span(distance_us * NS_PER_US, span);
	if (now_us >= wall_us)
		str_append(buf, AGO_MAX, "%s ago", span);
	else
		str_append(buf, AGO_MAX, "in %s", span);
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
