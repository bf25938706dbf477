/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_operations.c: the calls of a worker. See crash_operations.h.
 */
#include <pthread.h>

#include "api/handle.h"
#include "crash_kit.h"
#include "crash_operations.h"
#include "store/feed.h"
#include "support.h"

const struct corral_key crash_key = { { "r", 1 }, { "s", 1 } };
__thread const char *crash_op_id = "the operation";

struct corral_item crash_item(const char *id, const char *notes)
{
	return (struct corral_item){ .menu_item_id = corral_text(id),
				     .name = corral_text(id),
				     .notes = corral_text(notes),
				     .unit_price_cents = 100,
				     .quantity = 1 };
}

static struct corral_op op(void)
{
	return (struct corral_op){ .id = corral_text(crash_op_id) };
}

/* ----------------------------------------------------------------- before */

static void nothing(struct corral *corral)
{
	(void)corral;
}

static void add_plain(struct corral *corral, const char *id)
{
	struct corral_item one = crash_item(id, "");

	must(corral_add(corral, &crash_key, &one, NULL, NULL) == 0);
}

void crash_two_lines(struct corral *corral)
{
	add_plain(corral, "burger");
	add_plain(corral, "fries");
}

void crash_dropped_carts(struct corral *corral)
{
	static const char sessions[] = "abcd";

	for (unsigned i = 0; i < sizeof(sessions) - 1; i++) {
		struct corral_key other = { { "q", 1 }, { &sessions[i], 1 } };
		struct corral_item one = crash_item("burger", "");
		must(corral_add(corral, &other, &one, NULL, NULL) == 0);
		must(corral_drop(corral, &other, NULL, NULL) == 0);
	}
	crash_two_lines(corral);
}

void crash_nearly_over(struct corral *corral)
{
	crash_two_lines(corral);
	must(corral_set_ttl(corral, &crash_key, CORRAL_TTL_MS_MIN, NULL, NULL) == 0);
	support_sleep_us(150000);
}

/*
 * Prepare: with one more retired block the lists are stamped, a grace period is driven and the
 * blocks are freed.
 */
static void nearly_a_batch(struct corral *corral)
{
	struct actor *actor;

	add_plain(corral, "burger");
	must(handle_actor(corral, &actor) == 0);
	for (int i = 0; i < 1000 && actor->record->retired.open_bytes + 640 < 32768; i++)
		must(corral_set_quantity(corral, &crash_key, 1, (uint32_t)(i % 9 + 1), NULL,
					 NULL) == 0);
	must(corral_set_quantity(corral, &crash_key, 1, 1, NULL, NULL) == 0);
}

/* ---------------------------------------------------------------- changes */

static int add(struct corral *corral, const char *id, const char *notes)
{
	struct corral_item one = crash_item(id, notes);
	struct corral_op with = op();

	return corral_add(corral, &crash_key, &one, &with, NULL);
}

int crash_add_burger(struct corral *corral)
{
	return add(corral, "burger", "");
}

int crash_add_coke(struct corral *corral)
{
	return add(corral, "coke", "");
}

static int do_grow(struct corral *corral)
{
	char notes[1000];

	memset(notes, 'x', sizeof(notes) - 1);
	notes[sizeof(notes) - 1] = '\0';
	return add(corral, "cake", notes);
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

static int do_attribute(struct corral *corral)
{
	struct corral_op with = op();
	struct corral_text name = corral_text("table"), value = corral_text("9");

	return corral_set_attribute(corral, &crash_key, &name, &value, &with, NULL);
}

static int do_tax(struct corral *corral)
{
	struct corral_op with = op();

	return corral_set_tax(corral, &crash_key, 82500, &with, NULL);
}

static int do_ttl(struct corral *corral)
{
	struct corral_op with = op();

	return corral_set_ttl(corral, &crash_key, 2 * CRASH_TTL_MS, &with, NULL);
}

static int do_checkout(struct corral *corral)
{
	struct corral_op with = op();

	return corral_checkout(corral, &crash_key, &with, NULL);
}

/* All kinds of edits in one version: a merge, a line by its item, a new line that is cut again. */
static int do_steps(struct corral *corral)
{
	struct corral_item fries = crash_item("fries", ""), coke = crash_item("coke", ""),
			   pie = crash_item("pie", "");
	struct corral_text table = corral_text("table"), nine = corral_text("9");
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_ADD, .item = &fries },
		{ .kind = CORRAL_STEP_CHANGE_QUANTITY,
		  .menu_item_id = corral_text("burger"),
		  .difference = 6 },
		{ .kind = CORRAL_STEP_ADD, .item = &pie },
		{ .kind = CORRAL_STEP_ADD, .item = &coke },
		{ .kind = CORRAL_STEP_REMOVE, .menu_item_id = corral_text("pie") },
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 82500 },
		{ .kind = CORRAL_STEP_SET_ATTRIBUTE, .name = table, .value = &nine },
	};
	struct corral_op with = op();

	return corral_apply(corral, &crash_key, steps, COUNT(steps), &with, NULL, NULL);
}

/* The last step cuts an old line, so that it can be done once only. */
static int do_last_steps(struct corral *corral)
{
	struct corral_item coke = crash_item("coke", "");
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_ADD, .item = &coke },
		{ .kind = CORRAL_STEP_SET_QUANTITY, .line = 2, .quantity = 5 },
		{ .kind = CORRAL_STEP_REMOVE, .line = 1 },
		{ .kind = CORRAL_STEP_CHECKOUT },
	};
	struct corral_op with = op();

	return corral_apply(corral, &crash_key, steps, COUNT(steps), &with, NULL, NULL);
}

/* The version gets a section that the former one has not. */
static int do_money(struct corral *corral)
{
	struct corral_item wine = crash_item("wine", "");
	const struct corral_adjustment ten_off = { .name = corral_text("ten off"),
						   .kind = CORRAL_DISCOUNT,
						   .ppm = 100000 };
	const struct corral_adjustment tip = {
		.name = corral_text("tip"), .kind = CORRAL_TIP, .after_tax = 1, .cents = 50
	};
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 70000 },
		{ .kind = CORRAL_STEP_ADD, .item = &wine },
		{ .kind = CORRAL_STEP_SET_LINE_TAX, .line = 2, .own_rate = 1, .tax_ppm = 25000 },
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &ten_off },
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &tip },
	};
	struct corral_op with = op();

	wine.own_rate = 1;
	wine.tax_ppm = 190000;
	return corral_apply(corral, &crash_key, steps, COUNT(steps), &with, NULL, NULL);
}

/* With a section that is begun under the lock and left behind it. */
static int do_content(struct corral *corral)
{
	static uint8_t buffers[2][4096];
	struct corral_content now = { .buffer = buffers[0], .size = sizeof(buffers[0]) };
	struct corral_content before = { .buffer = buffers[1], .size = sizeof(buffers[1]) };
	struct corral_item coke = crash_item("coke", "");
	struct corral_op with = op();

	with.now = &now;
	with.before = &before;
	int r = corral_add(corral, &crash_key, &coke, &with, NULL);
	return r == 0 ? now.error : r;
}

static int do_drop(struct corral *corral)
{
	return corral_drop(corral, &crash_key, NULL, NULL);
}

static int do_replace(struct corral *corral)
{
	struct corral_cart *cart;
	struct corral_op with = op();

	int r = corral_get(corral, &crash_key, &cart);
	if (r < 0)
		return r;
	with.if_version = cart->head.version;
	cart->lines[0].item.quantity = 9;
	r = corral_replace(corral, &crash_key, cart, &with, NULL);
	corral_cart_free(cart);
	return r;
}

/* Replace a cart that does not exist. */
static int do_replace_nothing(struct corral *corral)
{
	struct corral_cart_line line = { .item = crash_item("burger", "") };
	struct corral_cart cart = { .line_count = 1, .lines = &line };
	struct corral_op with = op();

	return corral_replace(corral, &crash_key, &cart, &with, NULL);
}

static int do_batch(struct corral *corral)
{
	for (int i = 0; i < 2; i++) {
		int r = do_quantity(corral);
		if (r < 0)
			return r;
		r = corral_set_attribute(corral, &crash_key, &(struct corral_text){ "a", 1 },
					 &(struct corral_text){ "b", 1 },
					 &(struct corral_op){ .id = { "other", 5 } }, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ------------------------------------------------------------------ reads */

static int do_read(struct corral *corral)
{
	struct corral_view view, nested;

	must(corral_read_begin(corral, &crash_key, &view) == 0);
	must(corral_read_begin(corral, &crash_key, &nested) == 0);
	must(corral_read_end(&nested) == 0);
	return corral_read_end(&view);
}

static int do_copy(struct corral *corral)
{
	static uint8_t buffer[4096];
	struct corral_view view;
	size_t size;

	return corral_read_copy(corral, &crash_key, buffer, sizeof(buffer), &size, &view);
}

static int do_flat(struct corral *corral)
{
	static double numbers[1024];
	static char text[8192];
	struct corral_flat flat = { .numbers = numbers,
				    .number_room = COUNT(numbers),
				    .text = text,
				    .text_room = sizeof(text) };

	return corral_read_flat(corral, &crash_key, &flat);
}

static int do_list(struct corral *corral)
{
	struct corral_entry rows[4];
	size_t count;

	return support_list(corral, NULL, rows, COUNT(rows), &count);
}

/* Wait a moment for a change that does not come; this leaves the mark of a waiter. */
static int do_wait(struct corral *corral)
{
	uint64_t version;

	return corral_wait(corral, &crash_key, 1000, 1, NULL, &version) == -ETIMEDOUT ? 0 : -EIO;
}

/* The same, asleep on two words. */
static int do_wait_for_either(struct corral *corral)
{
	uint32_t cancel = 0;
	uint64_t version;

	return corral_wait(corral, &crash_key, 1000, 1, &cancel, &version) == -ETIMEDOUT ? 0 : -EIO;
}

/* Number the events of two threads, as any reader does, and read them. */
static int do_feed(struct corral *corral)
{
	static struct corral_event events[16];
	struct corral_feed *feed;
	size_t count;

	must(corral_feed_open(corral, CORRAL_FEED_OLDEST, NULL, &feed) == 0);
	must(corral_feed_next(feed, events, COUNT(events), 0, NULL, &count) == 0);
	must(corral_feed_next(feed, events, COUNT(events), 1, NULL, &count) == -ETIMEDOUT);
	corral_feed_close(feed);
	return 0;
}

/* Make a cursor, acknowledge all that there is, and remove it. */
static int do_cursor(struct corral *corral)
{
	struct corral_feed *feed;

	must(corral_feed_open_cursor(corral, corral_text("texts"), NULL, &feed) == 0);
	must(corral_feed_ack(feed, feed_next(&corral->arena) - 1) == 0);
	corral_feed_close(feed);
	return corral_cursor_remove(corral, corral_text("texts"));
}

static void ends_and_two_lines(struct corral *corral)
{
	struct actor *actor;

	crash_dropped_carts(corral);
	must(handle_actor(corral, &actor) == 0);
	must(feed_number(actor, UINT32_MAX, NULL));
}

/* Memory is short: the ends are let go. */
static int do_let_go(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	return feed_ends_relieve(actor) ? 0 : -ENOENT;
}

/* Behind an end, as many changes as its lane has room for: it is numbered before it is lapped. */
static void nearly_lapped_end(struct corral *corral)
{
	const uint32_t room = corral->arena.lane_mask + 1;

	add_plain(corral, "tea");
	must(corral_drop(corral, &crash_key, NULL, NULL) == 0);
	for (uint32_t i = 2; i < room; i++)
		add_plain(corral, "burger");
}

static void *add_in_thread(void *corral)
{
	add_plain(corral, "tea");
	must(corral_leave_thread(corral) == 0);
	return NULL;
}

static void two_threads_and_a_drop(struct corral *corral)
{
	struct corral_key other = { { "q", 1 }, { "a", 1 } };
	struct corral_item one = crash_item("burger", "");
	pthread_t thread;

	crash_two_lines(corral);
	must(pthread_create(&thread, NULL, add_in_thread, corral) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(corral_add(corral, &other, &one, NULL, NULL) == 0);
	must(corral_drop(corral, &other, NULL, NULL) == 0);
	add_plain(corral, "fries");
}

const struct crash_operation crash_worker_operations[] = {
	{ "a new cart", nothing, crash_add_burger, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a merge", crash_two_lines, crash_add_burger, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a new line", crash_two_lines, crash_add_coke, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "growth into another size", crash_two_lines, do_grow, CRASH_CHANGES, CRASH_WORKER, NULL,
	  false },
	{ "a quantity", crash_two_lines, do_quantity, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a removal", crash_two_lines, do_remove, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a clearing", crash_two_lines, do_clear, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "an attribute", crash_two_lines, do_attribute, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a tax rate", crash_two_lines, do_tax, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a time to live", crash_two_lines, do_ttl, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a checkout", crash_two_lines, do_checkout, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "several steps", crash_two_lines, do_steps, CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "rates and adjustments", crash_two_lines, do_money, CRASH_CHANGES, CRASH_WORKER, NULL,
	  false },
	{ "a change that hands out the cart", crash_two_lines, do_content, CRASH_CHANGES,
	  CRASH_WORKER, NULL, false },
	{ "several steps and a checkout", crash_two_lines, do_last_steps, CRASH_CHANGES,
	  CRASH_WORKER, NULL, false },
	{ "a drop", crash_two_lines, do_drop, CRASH_DROPS, CRASH_WORKER, NULL, false },
	{ "a replacement", crash_two_lines, do_replace, CRASH_REPLACES, CRASH_WORKER, NULL, false },
	{ "a replacement of nothing", nothing, do_replace_nothing, CRASH_CHANGES, CRASH_WORKER,
	  NULL, false },
	{ "a full batch of retired blocks", nearly_a_batch, do_batch, CRASH_SEVERAL, CRASH_WORKER,
	  NULL, false },
	{ "a cart begun where another one's time is up", crash_nearly_over, crash_add_burger,
	  CRASH_CHANGES, CRASH_WORKER, NULL, false },
	{ "a nested read", crash_two_lines, do_read, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "a copying read", crash_two_lines, do_copy, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "a flat read", crash_two_lines, do_flat, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "a list", crash_two_lines, do_list, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "reading the feed", two_threads_and_a_drop, do_feed, CRASH_NO_CHANGE, CRASH_WORKER, NULL,
	  false },
	{ "a cursor", crash_two_lines, do_cursor, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "letting ends go", ends_and_two_lines, do_let_go, CRASH_NO_CHANGE, CRASH_WORKER, NULL,
	  false },
	{ "a change that would lap an end", nearly_lapped_end, crash_add_burger, CRASH_CHANGES,
	  CRASH_WORKER, NULL, false },
	{ "a wait", crash_two_lines, do_wait, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "a wait that could be cancelled", crash_two_lines, do_wait_for_either, CRASH_NO_CHANGE,
	  CRASH_WORKER, NULL, false },
};
const size_t crash_worker_operation_count = COUNT(crash_worker_operations);
