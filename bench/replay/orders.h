/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders.h: an order file: tab-separated, one header line, one line for each item:
 *
 *   order_id  quantity  item_name  choice_description  item_total_price
 *
 * The price is "$2.39", for the whole line, and divides evenly by the quantity; the choices are
 * modifiers separated by ", ", or NULL for none. Blanks and CR at the end of a line do not count.
 * Money is read digit by digit into cents. Everything is bounded and refused with its line number.
 *
 * The text lies in a memory file, so that workers need no more than its descriptor, and
 * where in it a line begins.
 */
#ifndef CORRAL_BENCH_ORDERS_H
#define CORRAL_BENCH_ORDERS_H

#include "corral.h"
#include "harness/bench.h"

#define ORDERS_BYTES_MAX (1ull << 30)
#define ORDERS_LINE_MAX 16384u      /* bytes of one line */
#define ORDERS_NAME_MAX 256u        /* bytes of an item's or a modifier's name */
#define ORDERS_CENTS_MAX 1000000000 /* of one line; so no sum of a file overflows */
#define ORDERS_WHY_BYTES 160

/* One line, taken apart. The texts point into it. */
struct order_row {
	struct corral_text order_id;
	struct corral_text item_name;
	uint32_t quantity;
	uint32_t modifier_count;
	int64_t total_cents;
	int64_t unit_price_cents;
	struct corral_text modifiers[CORRAL_MODIFIERS_MAX];
};

/* Take a line apart (without its end). 0, or -EINVAL and why. */
int order_row_parse(const char *line, size_t size, struct order_row *ret_row,
		    char why[ORDERS_WHY_BYTES]);

/*
 * The menu item's id of a name: lower-case letters and digits, all else one '-'; bytes above
 * ASCII stay. Not empty; at most ORDERS_NAME_MAX bytes.
 */
size_t order_slug(struct corral_text name, char ret_slug[ORDERS_NAME_MAX]);

#define ORDERS_NONE UINT32_MAX

struct order_line {
	uint64_t at; /* where in the text */
	uint32_t size;
	uint32_t number; /* in the file, from 1 */
	uint32_t order;
	uint32_t rank; /* in its order, from 0 */
	uint32_t next; /* of the same order; ORDERS_NONE */
	uint32_t quantity;
	int64_t total_cents;
};

struct order {
	struct corral_text id; /* points into the text */
	uint32_t first_line;
	uint32_t last_line;
	uint32_t line_count;
};

struct orders {
	const char *text;
	size_t size;
	int fd; /* of the text */
	struct order_line *lines;
	struct order *orders;
	uint32_t line_count;
	uint32_t line_room;
	uint32_t order_count;
	uint32_t *table; /* order plus one, by the hash of its id */
	uint32_t table_mask;
};

/* Read a file and check every line of it. Complains itself; BENCH_DONE or BENCH_USAGE. */
enum bench_exit orders_read(const char *path, struct orders *ret_orders);
void orders_free(struct orders *orders);

/* The order of an id, or ORDERS_NONE. */
uint32_t orders_find(const struct orders *orders, struct corral_text id);

/* A line's text, and the line taken apart again (it was checked). */
void orders_row(const struct orders *orders, uint32_t line, struct order_row *ret_row);

#endif
