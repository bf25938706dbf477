/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c: compare the carts of a replay with the file. See verify.h.
 *
 * corral_add() merges lines with the same item, price and modifiers. So both sides are compared as
 * sets: the file's lines are grouped by their identity, and each group may be in the cart only
 * once.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "multiset.h"
#include "verify.h"

#define COMPLAINTS_MAX 10
#define ROWS 64

struct check {
	struct corral *corral;
	struct corral_text restaurant;
	const struct orders *orders;
	struct verdict *verdict;
	struct multiset wanted;
	struct multiset found;
	int64_t wanted_cents;
	uint32_t wanted_items;
	uint32_t complaints;
	bool differs; /* the current cart differs */
};

__attribute__((format(printf, 3, 4))) static void
complain(struct check *check, struct corral_text order, const char *format, ...)
{
	char text[160];
	va_list arguments;

	check->differs = true;
	if (check->complaints++ >= COMPLAINTS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	bench_say("order %.*s: %s", (int)order.size, order.data, text);
}

/* Collect the lines that the file has for an order. */
static int want(struct check *check, const struct order *order)
{
	int r = 0;

	multiset_clear(&check->wanted);
	check->wanted_cents = 0;
	check->wanted_items = 0;
	for (uint32_t i = order->first_line; i != ORDERS_NONE && r == 0;
	     i = check->orders->lines[i].next) {
		struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX] = { 0 };
		char slug[ORDERS_NAME_MAX];
		struct order_row row;
		struct corral_item item;

		orders_row(check->orders, i, &row);
		for (uint32_t k = 0; k < row.modifier_count; k++)
			modifiers[k].name = row.modifiers[k];
		item = (struct corral_item){ .menu_item_id = { slug,
							       order_slug(row.item_name, slug) },
					     .name = row.item_name,
					     .unit_price_cents = row.unit_price_cents,
					     .quantity = row.quantity,
					     .modifier_count = row.modifier_count,
					     .modifiers = modifiers };
		r = multiset_add(&check->wanted, &item, row.total_cents);
		check->wanted_cents += row.total_cents;
		check->wanted_items += row.quantity;
	}
	multiset_sort(&check->wanted);
	return r;
}

static int find(struct check *check, const struct corral_cart *cart)
{
	int r = 0;

	multiset_clear(&check->found);
	for (uint32_t i = 0; i < cart->line_count && r == 0; i++) {
		if (cart->lines[i].item.extra_count != 0)
			complain(check, cart->key.session_id,
				 "line %u has keys that nobody gave it", cart->lines[i].line);
		r = multiset_add(&check->found, &cart->lines[i].item, cart->lines[i].total_cents);
	}
	multiset_sort(&check->found);
	return r;
}

static bool same_text(struct corral_text a, struct corral_text b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/*
 * Compare one group: the lines [from, to) of the file, and the cart's line `at` (NULL: it has
 * none). Lines whose quantity the cart's line does not cover are lost.
 */
static void match_group(struct check *check, const struct order *order, uint32_t from, uint32_t to,
			const struct multiset_entry *at)
{
	uint64_t quantity = at != NULL ? at->quantity : 0;
	int64_t total = 0;
	bool named = false;

	for (uint32_t i = from; i < to; i++) {
		const struct multiset_entry *line = &check->wanted.entries[i];

		total += line->total_cents;
		named |= at != NULL && same_text(line->name, at->name);
		if (line->quantity > quantity) {
			check->verdict->lost++;
			complain(check, order->id, "lost %u x %.*s", line->quantity,
				 (int)line->name.size, line->name.data);
		} else {
			quantity -= line->quantity;
		}
	}
	if (at == NULL)
		return;
	if (quantity != 0)
		complain(check, order->id, "%llu x %.*s too many", (unsigned long long)quantity,
			 (int)at->name.size, at->name.data);
	if (total != at->total_cents)
		complain(check, order->id, "%.*s costs %lld cents, not %lld", (int)at->name.size,
			 at->name.data, (long long)at->total_cents, (long long)total);
	if (!named)
		complain(check, order->id, "a line is named %.*s", (int)at->name.size,
			 at->name.data);
}

/* Walk both sorted multisets in parallel. Returns the number of groups in the file. */
static uint32_t match(struct check *check, const struct order *order)
{
	const struct multiset *wanted = &check->wanted, *found = &check->found;
	uint32_t i = 0, k = 0, groups = 0;

	while (i < wanted->count || k < found->count) {
		int way = i == wanted->count ? 1 :
			  k == found->count  ? -1 :
					       multiset_compare(wanted, i, found, k);
		uint32_t to = i + 1;

		if (way > 0) {
			complain(check, order->id, "%.*s is not in the file, or there twice",
				 (int)found->entries[k].name.size, found->entries[k].name.data);
			k++;
			continue;
		}
		while (to < wanted->count && multiset_compare(wanted, i, wanted, to) == 0)
			to++;
		match_group(check, order, i, to, way == 0 ? &found->entries[k] : NULL);
		k += way == 0;
		i = to;
		groups++;
	}
	return groups;
}

static int check_cart(struct check *check, const struct order *order)
{
	struct corral_key key = { check->restaurant, order->id };
	struct corral_cart *cart;
	const struct corral_head *head;
	int r = corral_get(check->corral, &key, &cart);

	check->differs = false;
	if (r < 0) {
		complain(check, order->id, "%s", corral_strerror(r));
		check->verdict->lost += order->line_count;
		check->verdict->wrong++;
		return r == -ENOMEM ? r : 0;
	}
	head = &cart->head;
	r = want(check, order);
	if (r == 0)
		r = find(check, cart);
	if (r == 0 && match(check, order) != head->line_count)
		complain(check, order->id, "%u lines, but that is not what the file has",
			 head->line_count);
	if (head->subtotal_cents != check->wanted_cents ||
	    head->total_cents != check->wanted_cents || head->tax_cents != 0)
		complain(check, order->id, "comes to %lld cents, not %lld",
			 (long long)head->total_cents, (long long)check->wanted_cents);
	if (head->item_count != check->wanted_items)
		complain(check, order->id, "has %u items, not %u", head->item_count,
			 check->wanted_items);
	if (head->status != CORRAL_OPEN)
		complain(check, order->id, "is checked out");
	check->verdict->items += head->item_count;
	check->verdict->revenue_cents += head->subtotal_cents;
	check->verdict->wrong += check->differs;
	corral_cart_free(cart);
	return r;
}

/* Check that the list has the cart of each order once, and no other cart. */
static int check_list(struct check *check)
{
	uint8_t *seen = calloc((size_t)check->orders->order_count + 1, 1);
	struct corral_entry *rows = calloc(ROWS, sizeof(*rows));
	struct corral_list *list = NULL;
	size_t count = 1;
	int r = seen == NULL || rows == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = corral_list_open(check->corral, &check->restaurant, &list);
	while (r == 0 && count > 0) {
		r = corral_list_next(list, rows, ROWS, &count);
		for (size_t i = 0; r == 0 && i < count; i++) {
			struct corral_text id = corral_text(rows[i].session_id);
			uint32_t order = orders_find(check->orders, id);

			if (order == ORDERS_NONE || seen[order]) {
				complain(check, id,
					 order == ORDERS_NONE ? "nobody ordered this" :
								"is listed twice");
				check->verdict->wrong++;
				continue;
			}
			seen[order] = 1;
			check->verdict->orders++;
		}
	}
	for (uint32_t i = 0; r == 0 && i < check->orders->order_count; i++)
		if (!seen[i]) {
			complain(check, check->orders->orders[i].id, "is not listed");
			check->verdict->wrong++;
		}
	corral_list_close(list);
	free(seen);
	free(rows);
	return r;
}

enum bench_exit verify_carts(struct corral *corral, struct corral_text restaurant,
			     const struct orders *orders, struct verdict *ret_verdict)
{
	struct check check = {
		.corral = corral, .restaurant = restaurant, .orders = orders, .verdict = ret_verdict
	};
	int r = 0;

	memset(ret_verdict, 0, sizeof(*ret_verdict));
	for (uint32_t i = 0; i < orders->order_count && r == 0 && bench_signal == 0; i++)
		r = check_cart(&check, &orders->orders[i]);
	if (r == 0 && bench_signal == 0)
		r = check_list(&check);
	ret_verdict->lines = orders->line_count - ret_verdict->lost;
	if (check.complaints > COMPLAINTS_MAX)
		bench_say("and %u more", check.complaints - COMPLAINTS_MAX);
	multiset_free(&check.wanted);
	multiset_free(&check.found);
	if (r < 0)
		bench_say("cannot read the carts back: %s", corral_strerror(r));
	return r < 0 ? BENCH_NO_ARENA : BENCH_DONE;
}
