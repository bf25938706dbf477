/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h: text from a cart, made fit for a terminal.
 *
 * A name in a cart is what a stranger said or typed. Before it reaches a terminal, all
 * that moves a cursor, colours, reverses or hides is written out as \n, \x1b or
 * \u202e, and a backslash as two. The other calls here take such escaped text.
 */
#ifndef CORRAL_TOOLS_TEXT_H
#define CORRAL_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Take the caller's locale for character widths, or a UTF-8 one when it has none. Once, first. */
void text_begin(void);

/* May this code point be shown as it is? */
bool text_is_plain(uint32_t point);

/*
 * Escaped, in one malloc() of its own; NULL without memory. Bytes that are no UTF-8 come as \xNN.
 */
char *text_escape(const char *text, size_t size);

/* Columns that it takes. */
size_t text_width(const char *escaped);

/*
 * How many of its bytes fit in so many columns: at least one character when there is one; never
 * half of one.
 */
size_t text_fit(const char *escaped, size_t columns);

#endif
