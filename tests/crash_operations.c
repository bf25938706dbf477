/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_operations.c: see crash_operations.h.
 */
#include "crash_operations.h"
#include "block.h"
#include "expire.h"
#include "handle.h"
#include "support.h"

#define OP_ID "the operation"

const struct corral_key crash_key = { { "r", 1 }, { "s", 1 } };

static struct corral_item item(const char *id, const char *notes)
{
	return (struct corral_item){ .menu_item_id = corral_text(id),
				     .name = corral_text(id),
				     .notes = corral_text(notes),
				     .unit_price_cents = 100,
				     .quantity = 1 };
}

static struct corral_op op(void)
{
	return (struct corral_op){ .id = corral_text(OP_ID) };
}

static void add_plain(struct corral *corral, const char *id, const char *notes)
{
	struct corral_item one = item(id, notes);

	must(corral_add(corral, &crash_key, &one, NULL, NULL) == 0);
}

static void two_lines(struct corral *corral)
{
	add_plain(corral, "burger", "");
	add_plain(corral, "fries", "");
}

static int do_add_burger(struct corral *corral)
{
	struct corral_item one = item("burger", "");
	struct corral_op with = op();

	return corral_add(corral, &crash_key, &one, &with, NULL);
}

static int do_add_coke(struct corral *corral)
{
	struct corral_item one = item("coke", "");
	struct corral_op with = op();

	return corral_add(corral, &crash_key, &one, &with, NULL);
}

static int do_grow(struct corral *corral)
{
	char notes[3000];
	struct corral_op with = op();

	memset(notes, 'x', sizeof(notes) - 1);
	notes[sizeof(notes) - 1] = '\0';
	struct corral_item one = item("cake", notes);
	return corral_add(corral, &crash_key, &one, &with, NULL);
}

static int do_quantity(struct corral *corral)
{
	struct corral_op with = op();

	return corral_set_quantity(corral, &crash_key, 1, 7, &with, NULL);
}

static int do_remove(struct corral *corral)
{
	struct corral_op with = op();

	return corral_remove(corral, &crash_key, 1, &with, NULL);
}

static int do_clear(struct corral *corral)
{
	struct corral_op with = op();

	return corral_clear(corral, &crash_key, &with, NULL);
}

static int do_checkout(struct corral *corral)
{
	struct corral_op with = op();

	return corral_checkout(corral, &crash_key, &with, NULL);
}

static int do_drop(struct corral *corral)
{
	return corral_drop(corral, &crash_key, NULL, NULL);
}

static int do_replace(struct corral *corral)
{
	struct corral_cart *cart;
	struct corral_op with = op();

	must(corral_get(corral, &crash_key, &cart) == 0);
	with.if_version = cart->head.version;
	cart->lines[0].item.quantity = 9;
	int r = corral_replace(corral, &crash_key, cart, &with, NULL);
	corral_cart_free(cart);
	return r;
}

static int do_read(struct corral *corral)
{
	struct corral_view view, nested;

	must(corral_read_begin(corral, &crash_key, &view) == 0);
	must(corral_read_begin(corral, &crash_key, &nested) == 0);
	must(corral_read_end(&nested) == 0);
	return corral_read_end(&view);
}

/* One more retired block, and the lists are stamped, a grace period driven, the blocks freed. */
static void nearly_a_batch(struct corral *corral)
{
	struct actor *actor;

	add_plain(corral, "burger", "");
	must(handle_actor(corral, &actor) == 0);
	for (int i = 0; i < 1000 && actor->record->retired.open_bytes + 640 < 32768; i++)
		must(corral_set_quantity(corral, &crash_key, 1, (uint32_t)(i % 9 + 1), NULL, NULL) == 0);
	must(corral_set_quantity(corral, &crash_key, 1, 1, NULL, NULL) == 0);
}

static int do_batch(struct corral *corral)
{
	for (int i = 0; i < 2; i++) {
		int r = do_quantity(corral);
		if (r < 0)
			return r;
		r = corral_set_attribute(corral, &crash_key, &(struct corral_text){ "a", 1 },
					 &(struct corral_text){ "b", 1 }, &(struct corral_op){ .id = { "other", 5 } },
					 NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static void dropped_carts(struct corral *corral)
{
	static const char sessions[] = "abcd";

	for (unsigned i = 0; i < sizeof(sessions) - 1; i++) {
		struct corral_key other = { { "q", 1 }, { &sessions[i], 1 } };
		struct corral_item one = item("burger", "");
		must(corral_add(corral, &other, &one, NULL, NULL) == 0);
		must(corral_drop(corral, &other, NULL, NULL) == 0);
	}
	two_lines(corral);
}

static int do_reclaim(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	block_reclaim_all(actor);
	block_reclaim_all(actor);
	return 0;
}

static void freed_spans(struct corral *corral)
{
	dropped_carts(corral);
	(void)do_reclaim(corral);
}

static int do_scavenge(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	(void)block_scavenge(actor);
	return 0;
}

static void nearly_over(struct corral *corral)
{
	two_lines(corral);
	must(corral_set_ttl(corral, &crash_key, CORRAL_TTL_MS_MIN, NULL, NULL) == 0);
	support_sleep_us(150000);
}

static int do_expire(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	(void)expire_slots(actor, 0, 64);
	return 0;
}

static int do_add_after_its_time(struct corral *corral)
{
	return do_add_burger(corral);
}

static int do_leave_thread(struct corral *corral)
{
	return corral_leave_thread(corral);
}

static int do_close(struct corral *corral)
{
	corral_close(corral);
	return 0;
}

static void nothing(struct corral *corral)
{
	(void)corral;
}

const struct crash_operation crash_operations[CRASH_OPERATIONS] = {
	{ "a new cart", nothing, do_add_burger, CRASH_CHANGES },
	{ "a merge", two_lines, do_add_burger, CRASH_CHANGES },
	{ "a new line", two_lines, do_add_coke, CRASH_CHANGES },
	{ "growth into another size", two_lines, do_grow, CRASH_CHANGES },
	{ "a quantity", two_lines, do_quantity, CRASH_CHANGES },
	{ "a removal", two_lines, do_remove, CRASH_CHANGES },
	{ "a clearing", two_lines, do_clear, CRASH_CHANGES },
	{ "a checkout", two_lines, do_checkout, CRASH_CHANGES },
	{ "a drop", two_lines, do_drop, CRASH_DROPS },
	{ "a replacement", two_lines, do_replace, CRASH_REPLACES },
	{ "a full batch of retired blocks", nearly_a_batch, do_batch, CRASH_SEVERAL },
	{ "a cart begun where another one's time is up", nearly_over, do_add_after_its_time, CRASH_CHANGES },
	{ "a read", two_lines, do_read, CRASH_NO_CHANGE },
	{ "the end of a cart", nearly_over, do_expire, CRASH_EXPIRES },
	{ "reclaiming", dropped_carts, do_reclaim, CRASH_NO_CHANGE },
	{ "scavenging", freed_spans, do_scavenge, CRASH_NO_CHANGE },
	{ "leaving a thread", dropped_carts, do_leave_thread, CRASH_NO_CHANGE },
	{ "detaching", dropped_carts, do_close, CRASH_NO_CHANGE },
	{ "attaching", NULL, NULL, CRASH_NO_CHANGE },
};
