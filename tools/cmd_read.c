/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_read.c: the commands that read carts: show, ls. They attach as observers: reading does not
 * prolong a cart's life.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/parse.h"
#include "table.h"
#include "tool.h"

#define LIST_BATCH 256

void print_cart(const struct call *call, const struct corral_cart *cart)
{
	if (call->json)
		json_print(json_of_cart(cart));
	else
		human_print_cart(cart);
}

enum exit_code run_show(struct call *call)
{
	struct corral_cart *cart = NULL;
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, LOOK_ONLY, &corral);
	int r;

	if (code)
		return code;
	r = corral_get(corral, &call->key, &cart);
	corral_close(corral);
	if (r)
		return complain_cart(call, r);
	print_cart(call, cart);
	corral_cart_free(cart);
	return EXIT_DONE;
}

/* ----------------------------------------------------------------------- ls */

static void put_entry(struct table *table, const struct corral_entry *entry, int64_t now_ms)
{
	char left[FORMAT_MAX];

	table_put(table, "%s", entry->restaurant_id);
	table_put(table, "%s", entry->session_id);
	table_put(table, "%s", entry->head.status == CORRAL_OPEN ? "open" : "checked out");
	table_put(table, "%" PRIu64, entry->head.version);
	table_put(table, "%" PRIu32, entry->head.item_count);
	table_money(table, entry->head.total_cents, entry->head.currency_digits);
	table_put(table, "%s", format_duration(entry->expires_ms - now_ms, left));
}

/* Write each row at once to the table, or (table NULL) as an element of a JSON array. */
static int list_rows(struct corral_list *list, struct table *table)
{
	static struct corral_entry entries[LIST_BATCH];
	const char *separator = "";
	struct timespec now;
	size_t count = 0;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	while (!(r = corral_list_next(list, entries, LIST_BATCH, &count)) && count) {
		for (size_t i = 0; i < count; i++) {
			if (table != NULL) {
				put_entry(table, &entries[i],
					  (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
				continue;
			}
			fputs(separator, stdout);
			json_print(json_of_entry(&entries[i]));
			separator = ",";
		}
	}
	return r;
}

static int list_all(struct corral *corral, const struct corral_text *restaurant_id,
		    struct table *table)
{
	struct corral_list *list = NULL;
	int r = corral_list_open(corral, restaurant_id, &list);

	if (!r)
		r = list_rows(list, table);
	corral_list_close(list);
	return r;
}

enum exit_code run_ls(struct call *call)
{
	static const struct table_column columns[] = {
		{ "RESTAURANT", TABLE_CUT }, { "SESSION", TABLE_CUT }, { "STATUS", 0 },
		{ "VERSION", TABLE_RIGHT },  { "ITEMS", TABLE_RIGHT }, { "TOTAL", TABLE_RIGHT },
		{ "ENDS IN", TABLE_RIGHT },
	};
	bool json = call->json;
	bool one = call->key.restaurant_id.size > 0;
	struct table *table = NULL;
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, LOOK_ONLY, &corral);
	int r;

	if (code)
		return code;
	if (json)
		putchar('[');
	else
		table = table_new(columns, sizeof(columns) / sizeof(*columns));
	r = list_all(corral, one ? &call->key.restaurant_id : NULL, table);
	corral_close(corral);
	if (json) {
		puts("]");
	} else {
		table_sort(table);
		table_print(table);
	}
	if (r)
		return complain(EXIT_ARENA, "%s: the list is not whole: see corral check",
				corral_strerror(r));
	return EXIT_DONE;
}
