/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <libsmartcols.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "ctl/output.h"

#define CELL_MAX          2048 /* bytes, escaped */
#define TABLE_COLUMNS_MAX 12
#define COLUMN_WIDTH_MIN  12 /* what a column is narrowed to at most */
#define GUTTER            2  /* spaces between columns */

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	const struct ctl *ctl;
	struct table_column columns[TABLE_COLUMNS_MAX];
	size_t n_columns, column, n_rows;
	struct cell *cells; /* n_rows x n_columns */
};

struct table *table_new(const struct ctl *ctl, const struct table_column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t || n > TABLE_COLUMNS_MAX)
		abort();
	t->ctl = ctl;
	t->n_columns = n;
	memcpy(t->columns, columns, n * sizeof(*columns));
	return t;
}

void table_row(struct table *t)
{
	struct cell *grown = reallocarray(t->cells, (t->n_rows + 1) * t->n_columns, sizeof(*grown));

	if (!grown)
		abort();
	memset(grown + t->n_rows * t->n_columns, 0, t->n_columns * sizeof(*grown));
	t->cells = grown;
	t->n_rows++;
	t->column = 0;
}

static struct cell *cell_at(const struct table *t, size_t row, size_t column)
{
	return &t->cells[row * t->n_columns + column];
}

void table_cell(struct table *t, enum colour c, const char *format, ...)
{
	char text[CELL_MAX / 4] = "", clean[CELL_MAX] = "";
	struct cell *cell;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (t->n_rows == 0 || t->column >= t->n_columns)
		return;
	cell = cell_at(t, t->n_rows - 1, t->column++);
	cell->text = strdup(str_escape(clean, sizeof(clean), text));
	cell->colour = c;
}

static const char *cell_text(const struct table *t, size_t row, size_t column)
{
	const struct cell *cell = cell_at(t, row, column);

	return cell->text ? cell->text : "";
}

/* The widest column that may be narrowed, or n_columns. */
static size_t find_widest(const struct table *t, const size_t *widths)
{
	size_t widest = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].cut && widths[i] > COLUMN_WIDTH_MIN &&
		    (widest == t->n_columns || widths[i] > widths[widest]))
			widest = i;
	return widest;
}

/* As wide as the widest cell, then narrowed column by column until all fit. */
static void fit_columns(const struct table *t, size_t widths[static TABLE_COLUMNS_MAX])
{
	size_t room = ctl_width(t->ctl), total = GUTTER * (t->n_columns - 1), i;

	for (i = 0; i < t->n_columns; i++) {
		widths[i] = t->ctl->legend ? strlen(t->columns[i].name) : 0;
		for (size_t row = 0; row < t->n_rows; row++) {
			const char *text = cell_text(t, row, i);
			size_t w = text_width(text, strlen(text));

			widths[i] = w > widths[i] ? w : widths[i];
		}
		total += widths[i];
	}
	while (room > 0 && total > room && (i = find_widest(t, widths)) < t->n_columns) {
		widths[i]--;
		total--;
	}
}

/* Copies text with a line feed wherever it has to be broken. */
static void break_text(const char *text, size_t width, char *ret, size_t size)
{
	ret[0] = '\0';
	while (*text) {
		size_t skip, n = text_break(text, width, &skip);

		str_append(ret, size, "%s%.*s", ret[0] ? "\n" : "", (int)n, text);
		text += n + skip;
	}
}

static void add_row(const struct table *t, struct libscols_table *scols, size_t row,
		    const size_t *widths)
{
	struct libscols_line *line = scols_table_new_line(scols, NULL);

	for (size_t i = 0; line && i < t->n_columns; i++) {
		const struct cell *from = cell_at(t, row, i);
		char lines[CELL_MAX + CELL_MAX / COLUMN_WIDTH_MIN] = "";
		struct libscols_cell *cell;

		break_text(cell_text(t, row, i), t->columns[i].cut ? widths[i] : 0, lines,
			   sizeof(lines));
		(void)scols_line_set_data(line, i, lines);
		cell = scols_line_get_cell(line, i);
		if (cell && from->colour != COLOUR_NONE && t->ctl->colour)
			(void)scols_cell_set_color(cell, colour_on(t->ctl, from->colour));
	}
}

static struct libscols_table *make_scols(const struct table *t)
{
	struct libscols_table *scols = scols_new_table();

	if (!scols)
		abort();
	(void)scols_table_set_column_separator(scols, "  ");
	(void)scols_table_enable_noheadings(scols, !t->ctl->legend);
	(void)scols_table_enable_noencoding(scols, true); /* table_cell() escapes, once */
	(void)scols_table_enable_colors(scols, t->ctl->colour);
	/* The widths are ours: it shall not cut what it takes for too wide. */
	(void)scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; i < t->n_columns; i++) {
		int flags = (t->columns[i].right ? SCOLS_FL_RIGHT : 0) |
			    (t->columns[i].cut ? SCOLS_FL_WRAP : 0);
		struct libscols_column *c = scols_table_new_column(scols, t->columns[i].name, 0,
								   flags);

		if (c && t->columns[i].cut)
			(void)scols_column_set_wrapfunc(c, scols_wrapnl_chunksize,
							scols_wrapnl_nextchunk, NULL);
		if (c && t->ctl->colour)
			(void)scols_cell_set_color(scols_column_get_header(c), "\033[1m");
	}
	return scols;
}

static void print_rows(const struct table *t)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };
	struct libscols_table *scols = make_scols(t);

	fit_columns(t, widths);
	for (size_t row = 0; row < t->n_rows; row++)
		add_row(t, scols, row, widths);
	(void)scols_print_table(scols);
	scols_unref_table(scols);
}

void table_print(struct table *t, const char *noun)
{
	if (t->n_rows > 0)
		print_rows(t);
	if (t->ctl->legend && !t->ctl->quiet)
		printf("%s%zu %s%s listed.\n", t->n_rows > 0 ? "\n" : "", t->n_rows, noun,
		       t->n_rows == 1 ? "" : "s");
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}
