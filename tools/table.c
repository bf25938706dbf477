/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.c: aligned columns for people; knows neither carts nor arenas.
 *
 * A row is stored as its escaped cells one after the other, each ending in NUL, all rows in one
 * growing buffer: a list of a million carts costs little more than its text. A table that flows
 * keeps one row only: its rows come twice, first to be measured, then to be printed. Widths are
 * terminal columns, not bytes.
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/parse.h"
#include "common/text.h"
#include "tool.h"

#define GAP 2             /* columns between columns */
#define NARROWEST 8       /* a shrinking column keeps this */
#define ELLIPSIS "\u2026" /* one column wide */
#define TERMINAL_COLUMNS 80

enum flow { KEEPS, MEASURES, PRINTS };

struct table {
	enum flow flow;
	const struct table_column *columns;
	size_t count;
	size_t widths[TABLE_COLUMNS_MAX];
	char *bytes;
	size_t used;
	size_t room;
	size_t *rows; /* offset of each row in bytes */
	size_t row_count;
	size_t row_room;
	size_t cell; /* column of the next cell */
};

struct table *table_new(const struct table_column *columns, size_t count)
{
	struct table *table = must_have(calloc(1, sizeof(*table)));

	table->columns = columns;
	table->count = count;
	for (size_t i = 0; i < count; i++)
		table->widths[i] = columns[i].heading != NULL ? text_width(columns[i].heading) : 0;
	return table;
}

static void print_kept(const struct table *table, size_t at);

/* Append an escaped cell. */
static void keep_cell(struct table *table, const char *escaped)
{
	size_t size = strlen(escaped) + 1;

	if (table->cell == 0 && table->flow == PRINTS)
		table->used = table->row_count = 0;
	if (table->cell == 0) {
		if (table->row_count == table->row_room) {
			table->row_room = table->row_room * 2 + 64;
			table->rows = must_have(
				realloc(table->rows, table->row_room * sizeof(*table->rows)));
		}
		table->rows[table->row_count++] = table->used;
	}
	if (table->room - table->used < size) {
		table->room = table->room * 2 + size + 1024;
		table->bytes = must_have(realloc(table->bytes, table->room));
	}
	memcpy(table->bytes + table->used, escaped, size);
	table->used += size;
}

/* An escaped cell. */
static void table_keep(struct table *table, const char *escaped)
{
	size_t width = text_width(escaped);

	if (table->flow != MEASURES)
		keep_cell(table, escaped);
	if (table->flow != PRINTS && width > table->widths[table->cell])
		table->widths[table->cell] = width;
	table->cell = (table->cell + 1) % table->count;
	if (table->flow == PRINTS && table->cell == 0)
		print_kept(table, 0);
}

void table_text(struct table *table, const char *text, size_t size)
{
	char *escaped = must_have(text_escape(text, size));

	table_keep(table, escaped);
	free(escaped);
}

void table_put(struct table *table, const char *format, ...)
{
	char *text;
	va_list list;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = must_have(NULL);
	va_end(list);
	table_text(table, text, strlen(text));
	free(text);
}

void table_skip(struct table *table, size_t cells)
{
	while (cells--)
		table_keep(table, "");
}

void table_money(struct table *table, int64_t amount, uint32_t digits)
{
	char buffer[FORMAT_MAX];

	table_keep(table, format_amount(amount, digits, buffer));
}

static int compare_rows(const void *a, const void *b, void *context)
{
	const struct table *table = context;
	const char *left = table->bytes + *(const size_t *)a;
	const char *right = table->bytes + *(const size_t *)b;
	int order = 0;

	for (size_t i = 0; i < table->count && order == 0; i++) {
		order = strcmp(left, right);
		left += strlen(left) + 1;
		right += strlen(right) + 1;
	}
	return order;
}

void table_sort(struct table *table)
{
	if (table->row_count)
		qsort_r(table->rows, table->row_count, sizeof(*table->rows), compare_rows, table);
}

/* ------------------------------------------------------------------ printing */

static size_t terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return SIZE_MAX;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return TERMINAL_COLUMNS;
	return size.ws_col;
}

/* Shrink the widest shrinkable column until the table fits. */
static void table_shrink(struct table *table, size_t columns)
{
	size_t total = GAP * (table->count - 1);

	for (size_t i = 0; i < table->count; i++)
		total += table->widths[i];
	while (total > columns) {
		size_t widest = table->count;

		for (size_t i = 0; i < table->count; i++)
			if ((table->columns[i].flags & (TABLE_WRAP | TABLE_CUT)) &&
			    table->widths[i] > NARROWEST &&
			    (widest == table->count || table->widths[i] > table->widths[widest]))
				widest = i;
		if (widest == table->count)
			return;
		table->widths[widest]--;
		total--;
	}
}

static void print_spaces(size_t count)
{
	while (count--)
		putchar(' ');
}

/*
 * The part of a cell that goes into this row: as many whole words as fit, else as many characters.
 */
static size_t wrap_at(const char *text, size_t width)
{
	size_t fit = text_fit(text, width);
	size_t space = fit;

	if (!text[fit] || text[fit] == ' ')
		return fit;
	while (space && text[space] != ' ')
		space--;
	return space ? space : fit;
}

/* Print the part of a cell that fits, padded; returns the rest, for the next row ("" for none). */
static const char *print_cell(const struct table_column *column, size_t width, const char *text,
			      bool last)
{
	bool whole = text_width(text) <= width;
	bool cut = !whole && (column->flags & TABLE_CUT);
	size_t fit = whole ? strlen(text) : cut ? text_fit(text, width - 1) : wrap_at(text, width);
	char *piece = must_have(strndup(text, fit));
	size_t pad = width - text_width(piece) - cut;

	if (pad > width)
		pad = 0;
	if (column->flags & TABLE_RIGHT)
		print_spaces(pad);
	fputs(piece, stdout);
	if (cut)
		fputs(ELLIPSIS, stdout);
	if (!last && !(column->flags & TABLE_RIGHT))
		print_spaces(pad);
	free(piece);
	if (whole || cut)
		return "";
	text += fit;
	return text + strspn(text, " ");
}

/* Print a row between a style's code and the code that ends it; "" for none. */
static void print_row(const struct table *table, const char *cells[], const char *begin,
		      const char *end)
{
	size_t last = table->count;

	while (last) { /* once for each line of the terminal */
		for (last = table->count; last && !*cells[last - 1]; last--)
			;
		if (last)
			fputs(begin, stdout);
		for (size_t i = 0; i < last; i++) {
			cells[i] = print_cell(&table->columns[i], table->widths[i], cells[i],
					      i + 1 == last);
			if (i + 1 < last)
				print_spaces(GAP);
		}
		if (last)
			printf("%s\n", end);
	}
}

static void print_kept(const struct table *table, size_t at)
{
	const char *cells[TABLE_COLUMNS_MAX];
	const char *cell = table->bytes + at;

	for (size_t i = 0; i < table->count; i++, cell += strlen(cell) + 1)
		cells[i] = cell;
	print_row(table, cells, "", "");
}

static void print_headings(struct table *table)
{
	const char *cells[TABLE_COLUMNS_MAX];

	table_shrink(table, terminal_columns());
	if (table->columns[0].heading == NULL)
		return;
	for (size_t i = 0; i < table->count; i++)
		cells[i] = table->columns[i].heading;
	print_row(table, cells, style_bold(), style_end());
}

static void table_free(struct table *table)
{
	free(table->bytes);
	free(table->rows);
	free(table);
}

void table_print(struct table *table)
{
	print_headings(table);
	for (size_t row = 0; row < table->row_count; row++)
		print_kept(table, table->rows[row]);
	table_free(table);
}

struct table *table_measure(const struct table_column *columns, size_t count)
{
	struct table *table = table_new(columns, count);

	table->flow = MEASURES;
	return table;
}

void table_begin(struct table *table)
{
	table->flow = PRINTS;
	print_headings(table);
}

void table_end(struct table *table)
{
	table_free(table);
}

static const char *style(const char *code)
{
	const char *terminal = getenv("TERM");

	if (getenv("NO_COLOR") != NULL || terminal == NULL || strcmp(terminal, "dumb") == 0 ||
	    !isatty(STDOUT_FILENO))
		return "";
	return code;
}

const char *style_bold(void)
{
	return style("\033[1m");
}

const char *style_bad(void)
{
	return style("\033[1;31m");
}

const char *style_end(void)
{
	return style("\033[0m");
}
