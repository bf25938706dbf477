/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h: aligned columns for people. Every cell is escaped on its way in, so that
 * nothing from a cart can reach the terminal but as visible characters.
 */
#ifndef CORRAL_TOOLS_TABLE_H
#define CORRAL_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS_MAX 12

#define TABLE_RIGHT 1u /* set to the right: numbers */
#define TABLE_WRAP 2u  /* when the terminal is too narrow: goes on in the next row */
#define TABLE_CUT 4u   /* when the terminal is too narrow: ends in "..." as one character */

struct table_column {
	const char *heading;
	unsigned flags;
};

struct table;

/* Columns must outlive the table. Headings are printed if the first column has one. */
struct table *table_new(const struct table_column *columns, size_t count);

/* The next cell, row by row. */
void table_text(struct table *table, const char *text, size_t size);
void table_put(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_skip(struct table *table, size_t cells); /* empty ones */
void table_money(struct table *table, int64_t cents);

/* Order the rows by their first cell, then by the second, ... */
void table_sort(struct table *table);

/* Print to standard output, as wide as the terminal (or as needed, if it is none), and free. */
void table_print(struct table *table);

/* Is standard output a terminal that wants colours? And the codes: "" when not. */
const char *style_bold(void);
const char *style_bad(void);
const char *style_end(void);

#endif
