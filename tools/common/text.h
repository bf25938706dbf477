/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h: text from a cart, made safe for a terminal.
 *
 * A stranger may have chosen a name in a cart. Before it reaches a terminal, every character that
 * moves the cursor, colours, reverses or hides text is written out as \n, \x1b or \u202e, and a
 * backslash as two. The other calls here take such escaped text.
 */
#ifndef CORRAL_TOOLS_TEXT_H
#define CORRAL_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Use the caller's locale for character widths, or a UTF-8 one if it has none. Call it once, first.
 */
void text_begin(void);

/* True if this code point may be shown as it is. */
bool text_is_plain(uint32_t point);

/* Escaped text in one malloc() block; NULL without memory. Invalid UTF-8 becomes \xNN. */
char *text_escape(const char *text, size_t size);

/* The number of terminal columns. */
size_t text_width(const char *escaped);

/*
 * The number of bytes that fit in so many columns: at least one character if there is one; never
 * part of one.
 */
size_t text_fit(const char *escaped, size_t columns);

#endif
