/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders.h: an order file: tab-separated, one header line, one line for each item:
 *
 *   order_id  quantity  item_name  choice_description  item_total_price
 *
 * The price, such as "$2.39", is for the whole line, and divides evenly by the quantity; the
 * choices are modifiers separated by ", ", or NULL for none. Blanks and CR at the end of a line are
 * ignored. Money is read digit by digit into cents. All sizes are bounded; a file with a bad line
 * is refused, and the message has the line's number.
 *
 * The text lies in a memory file, so that a worker needs only its descriptor and the offset of a
 * line.
 */
#ifndef CORRAL_BENCH_ORDERS_H
#define CORRAL_BENCH_ORDERS_H

#include "corral.h"
#include "harness/bench.h"

#define ORDERS_BYTES_MAX (1ull << 30)
#define ORDERS_LINE_MAX 16384u      /* bytes of one line */
#define ORDERS_NAME_MAX 256u        /* bytes of an item's or a modifier's name */
#define ORDERS_CENTS_MAX 1000000000 /* of one line, so that no sum overflows */
#define ORDERS_WHY_BYTES 160

/* One line, parsed. The texts point into it. */
struct order_row {
	struct corral_text order_id;
	struct corral_text item_name;
	uint32_t quantity;
	uint32_t modifier_count;
	int64_t total_cents;
	int64_t unit_price_cents;
	struct corral_text modifiers[CORRAL_MODIFIERS_MAX];
};

/* Parse a line (without its end). 0, or -EINVAL and the reason in `why`. */
int order_row_parse(const char *line, size_t size, struct order_row *ret_row,
		    char why[ORDERS_WHY_BYTES]);

/*
 * Make a menu item's id from its name: letters in lower case, digits, and one '-' for each run of
 * other characters; bytes above ASCII are kept. The id is not empty, and has at most
 * ORDERS_NAME_MAX bytes.
 */
size_t order_slug(struct corral_text name, char ret_slug[ORDERS_NAME_MAX]);

#define ORDERS_NONE UINT32_MAX

struct order_line {
	uint64_t at; /* its offset in the text */
	uint32_t size;
	uint32_t number; /* its number in the file, from 1 */
	uint32_t order;
	uint32_t rank; /* its place in its order, from 0 */
	uint32_t next; /* the next line of the same order, or ORDERS_NONE */
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
	int fd; /* the memory file with the text */
	struct order_line *lines;
	struct order *orders;
	uint32_t line_count;
	uint32_t line_room;
	uint32_t order_count;
	uint32_t *table; /* the orders' indices plus one, by the hash of the id */
	uint32_t table_mask;
};

/* Read a file and check every line of it. BENCH_DONE, or BENCH_USAGE after a message. */
enum bench_exit orders_read(const char *path, struct orders *ret_orders);
void orders_free(struct orders *orders);

/* The index of the order with this id, or ORDERS_NONE. */
uint32_t orders_find(const struct orders *orders, struct corral_text id);

/* Parse a line again, which cannot fail, since orders_read() has checked it. */
void orders_row(const struct orders *orders, uint32_t line, struct order_row *ret_row);

#endif
