/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list_row.h: a cart's version as a row of corral_list_next().
 */
#ifndef CORRAL_LIST_ROW_H
#define CORRAL_LIST_ROW_H

#include <stdbool.h>

#include "corral.h"

/*
 * Fill in the row, except expires_ms. False: the cart is damaged, or of another restaurant than
 * asked for (NULL: any).
 */
bool list_fill_row(const void *cart, size_t room, const struct corral_text *restaurant,
		   struct corral_entry *ret_entry);

#endif
