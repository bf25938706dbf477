/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.h: a cart as the board shows it, in JSON of a bounded size. Amounts are texts, formatted
 * here, and versions are texts of digits, since JavaScript's numbers hold neither exactly.
 */
#ifndef CORRAL_WEB_TICKET_H
#define CORRAL_WEB_TICKET_H

#include <jansson.h>

#include "corral.h"

#define TICKET_LINES 12u /* the last ones of the cart */

json_t *ticket_of_cart(const struct corral_cart *cart);

/* The end of a cart: how is the name of an event's kind, or "gone". */
json_t *ticket_of_end(const char *restaurant_id, const char *session_id, const char *how);

/* A number of 64 bits, as a text. */
json_t *ticket_number(uint64_t number);

/* An amount of money, as a text such as "12.99". */
json_t *ticket_amount(int64_t cents, uint32_t digits);

#endif
