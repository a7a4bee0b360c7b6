/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"
#include "ctl/verb.h"

/* Data goes to stdout, errors and hints to stderr; with --json an error is an object on stdout. */

/* All we print is UTF-8, whatever the caller's locale: in another, libsmartcols never ends on a character
 * that is not ASCII. Only widths of characters; numbers stay as JSON wants them. */
void ctl_use_utf8(void);

enum colour {
	COLOUR_NONE,
	COLOUR_RED,
	COLOUR_YELLOW,
	COLOUR_GREEN,
	COLOUR_BLUE,
	COLOUR_GREY,
	COLOUR_BOLD
};

/* The escape sequence, or "" where colour is off. */
const char *colour_on(const struct ctl *ctl, enum colour c);
const char *colour_off(const struct ctl *ctl);

/* Prints "aiopsctl: TEXT" and the hint (may be NULL), or their JSON; returns code for the exit. */
int ctl_fail(const struct ctl *ctl, int code, const char *hint, const char *format, ...)
	_printf_(4, 5);
int ctl_fail_err(const struct ctl *ctl, int code, const char *hint, const struct err *err);

/* Prints one JSON value in the mode asked for and returns CTL_OK. Not for JSON_MODE_OFF. */
int ctl_print_json(const struct ctl *ctl, struct json_object *value);

/* A hint for people: stderr, not with --quiet or --json. */
void ctl_hint(const struct ctl *ctl, const char *format, ...) _printf_(2, 3);

/* Columns of the terminal; 0 where nothing is to be shortened or broken: no terminal, or --full. */
size_t ctl_width(const struct ctl *ctl);

/* Columns that the first length bytes take, as far as can be told without a font. */
size_t text_width(const char *text, size_t length);

/* Bytes of text that make a line of at most width columns (0: any), between words where there are
 * some; *ret_skip: the space or line feed behind it. */
size_t text_break(const char *text, size_t width, size_t *ret_skip);

/* Prints the rest of a line, whose cursor stands at indent; what is too long for the terminal goes on
 * below, at indent again. */
void ctl_print_wrapped(const struct ctl *ctl, enum colour c, size_t indent, const char *text);

/* A table of libsmartcols: bold upper-case header, two spaces between columns. What is too wide for the
 * terminal is broken into lines within its cell, unless --full. */
struct table;
struct table_column {
	const char *name;
	bool right; /* numbers */
	bool cut;   /* may be narrowed to fit */
};
struct table *table_new(const struct ctl *ctl, const struct table_column *columns, size_t n);
/* Begins a row, then one cell after another; text is escaped for the terminal. */
void table_row(struct table *t);
void table_cell(struct table *t, enum colour c, const char *format, ...) _printf_(3, 4);
/* Prints it and, with a legend, "N <noun>s listed.". Frees t. */
void table_print(struct table *t, const char *noun);

/* Strings and numbers of an answer, with a default where absent or of another type. */
const char *json_text(struct json_object *o, const char *key, const char *otherwise);
int64_t json_int(struct json_object *o, const char *key);
double json_number(struct json_object *o, const char *key);
struct json_object *json_member(struct json_object *o, const char *key); /* NULL if absent */
/* The array, or NULL where there is none. */
struct json_object *json_items(struct json_object *o, const char *key);

/* "3 min ago", "in 40 s" for microseconds since the epoch. Returns buf. */
#define AGO_MAX 48
const char *format_ago(uint64_t wall_us, char buf[static AGO_MAX]);

/* "Fri 2026-01-30 12:00:30 CET" for microseconds since the epoch. Returns buf. */
const char *format_local(uint64_t wall_us, char buf[static AGO_MAX]);

/* Asks "TEXT [y/N] " on the terminal. Returns 1 for yes, 0 for no, -ENOTTY where nobody can be asked. */
int ctl_confirm(const struct ctl *ctl, const char *format, ...) _printf_(2, 3);
