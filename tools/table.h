/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h: aligned columns for people. Every cell is escaped when it is added, so that nothing from
 * a cart reaches the terminal except as visible characters.
 */
#ifndef CORRAL_TOOLS_TABLE_H
#define CORRAL_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS_MAX 12

#define TABLE_RIGHT 1u /* right-aligned: numbers */
#define TABLE_WRAP 2u  /* on a narrow terminal: continue in the next line */
#define TABLE_CUT 4u   /* on a narrow terminal: end in an ellipsis */

struct table_column {
	const char *heading;
	unsigned flags;
};

struct table;

/* Columns must outlive the table. The headings are printed if the first column has one. */
struct table *table_new(const struct table_column *columns, size_t count);

/* Add the next cell, row by row. */
void table_text(struct table *table, const char *text, size_t size);
void table_put(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_skip(struct table *table, size_t cells); /* add empty cells */
void table_money(struct table *table, int64_t amount, uint32_t digits);

/* Order the rows by their first cell, then by the second, ... */
void table_sort(struct table *table);

/* Print to standard output, as wide as the terminal (or as needed, without one), and free. */
void table_print(struct table *table);

/*
 * A table of any length, of which one row is kept at a time: all its rows are put in to be
 * measured, and after table_begin() once more, to be printed. A cell that has become longer
 * meanwhile is treated as in a terminal that is too narrow.
 */
struct table *table_measure(const struct table_column *columns, size_t count);
void table_begin(struct table *table);
void table_end(struct table *table);

/* Codes for standard output if it is a terminal that wants colours, else "". */
const char *style_bold(void);
const char *style_bad(void);
const char *style_end(void);

#endif
