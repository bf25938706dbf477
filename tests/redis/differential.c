/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * differential.c: the same random calls on two locations, which must answer the same but for
 * versions and times.
 *
 * Usage: differential LOCATION LOCATION COUNT [SEED]
 * Exit code 0, and a line with how many calls succeeded, repeated and were refused; 1: they differ.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "corral.h"

#define CARTS 24u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_BYTES (2u * 1024 * 1024)
#define NUMBERS 65536u
#define LOOK_EVERY 50u

struct side {
	struct corral *corral;
	uint64_t versions[CARTS]; /* the last that was answered */
	struct corral_result result;
	uint32_t lines[4];
	struct corral_flat flat;
};

static struct side sides[2];
static unsigned state;
static char restaurant[48];
static uint64_t done, repeated, refused, call_number;

static uint32_t below(uint32_t end)
{
	return (uint32_t)rand_r(&state) % end;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

_Noreturn static void differ(const char *what, int64_t one, int64_t other)
{
	fprintf(stderr, "call %" PRIu64 ": %s: %" PRId64 " and %" PRId64 "\n", call_number, what,
		one, other);
	exit(1);
}

static void same(const char *what, int64_t one, int64_t other)
{
	if (one != other)
		differ(what, one, other);
}

/* ------------------------------------------------------------------- inputs */

static const char *const names[] = { "burger", "fries", "coke", "süß", "tea", "pie" };
static const uint8_t extra_value[] = { 0x93, 1, 0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc4, 1, 7 };

static struct corral_item random_item(struct corral_modifier modifiers[2],
				      struct corral_extra *extra)
{
	const char *name = names[below(COUNT(names))];
	struct corral_item item = {
		.menu_item_id = corral_text(name),
		.name = corral_text(one_in(3) ? "Another name" : name),
		.notes = corral_text(one_in(3) ? "no onions" : ""),
		.unit_price_cents = one_in(50) ? INT64_MAX / 2 : (int64_t)below(3) * 399,
		.quantity = one_in(40) ? 0 : 1 + below(4),
		.modifier_count = below(3),
		.extra_count = below(2),
		.separate = one_in(8),
		.modifiers = modifiers,
		.extras = extra,
		.own_rate = one_in(6),
		.tax_ppm = 0,
	};

	if (item.own_rate)
		item.tax_ppm = below(3) * 70000;
	modifiers[0] = (struct corral_modifier){ corral_text("cheese"), 150 };
	modifiers[1] = (struct corral_modifier){ corral_text("small"), -100 };
	*extra = (struct corral_extra){ corral_text("allergy"), extra_value, sizeof(extra_value) };
	return item;
}

static struct corral_adjustment random_adjustment(void)
{
	struct corral_adjustment adjustment = { .name = corral_text(one_in(2) ? "tip" : "promo"),
						.kind = 1 + below(4),
						.after_tax = below(2) };

	if (one_in(2))
		adjustment.ppm = below(200000);
	else
		adjustment.cents = below(500);
	return adjustment;
}

struct input { /* of one step, with what it points to */
	struct corral_step step;
	struct corral_item item;
	struct corral_modifier modifiers[2];
	struct corral_extra extra;
	struct corral_adjustment adjustment;
	struct corral_text value;
};

static void random_step(struct input *input)
{
	static const uint64_t ttls[] = { 0, 3600000, 7200000, 86400000, 1 };

	memset(&input->step, 0, sizeof(input->step));
	input->item = random_item(input->modifiers, &input->extra);
	input->adjustment = random_adjustment();
	input->value = corral_text(one_in(2) ? "seven" : "");
	input->step = (struct corral_step){
		.kind = one_in(2) ? CORRAL_STEP_ADD :
				    1 + below(one_in(10) ? CORRAL_STEP_SET_CURRENCY + 1 : 8),
		.line = one_in(4) ? 0 : 1 + below(6),
		.quantity = below(5),
		.difference = (int32_t)below(5) - 2,
		.item = &input->item,
		.tax_ppm = below(4) * 50000,
		.pricing = below(8),
		.ttl_ms = ttls[below(COUNT(ttls))],
		.name = corral_text(one_in(2) ? "phone" : "table"),
		.value = one_in(5) ? NULL : &input->value,
		.adjustment = &input->adjustment,
	};
	if (input->step.line == 0)
		input->step.menu_item_id = corral_text(names[below(COUNT(names))]);
	if (input->step.kind == CORRAL_STEP_REMOVE_ADJUSTMENT)
		input->step.name = corral_text("tip");
	if (input->step.kind == CORRAL_STEP_SET_CURRENCY)
		input->step.name = corral_text(one_in(2) ? "EUR" : "JPY");
	if (input->step.kind == CORRAL_STEP_CHECKOUT && !one_in(10))
		input->step.kind = CORRAL_STEP_CLEAR;
}

/* -------------------------------------------------------------------- calls */

static struct corral_key key_of(uint32_t cart, char session[16])
{
	snprintf(session, 16, "d-%" PRIu32, cart);
	return (struct corral_key){ corral_text(restaurant), corral_text(session) };
}

static void compare_results(int one, int other)
{
	const struct corral_result *a = &sides[0].result, *b = &sides[1].result;

	same("the error", one, other);
	if (one < 0) {
		refused++;
		return;
	}
	done += a->applied;
	repeated += !a->applied;
	same("subtotal", a->subtotal_cents, b->subtotal_cents);
	same("tax", a->tax_cents, b->tax_cents);
	same("total", a->total_cents, b->total_cents);
	same("items", a->item_count, b->item_count);
	same("line", a->line, b->line);
	same("applied", a->applied, b->applied);
	same("status", a->status, b->status);
	same("rates", a->rate_count, b->rate_count);
	same("before tax", a->before_tax_cents, b->before_tax_cents);
	same("after tax", a->after_tax_cents, b->after_tax_cents);
}

/* A repeated id, a version that is right or wrong, or nothing of it. */
static void random_op(uint32_t cart, char id[32], struct corral_op ops[2])
{
	const bool with_id = one_in(2), right = one_in(2), with_version = one_in(4);

	snprintf(id, 32, "op-%" PRIu32, below(40));
	for (int i = 0; i < 2; i++) {
		ops[i] = (struct corral_op){ .id = corral_text(with_id ? id : NULL) };
		if (with_version)
			ops[i].if_version =
				right ? sides[i].versions[cart] : sides[i].versions[cart] + 1;
	}
}

static void note_version(uint32_t cart, const int r[2])
{
	for (int i = 0; i < 2; i++)
		if (r[i] == 0 && sides[i].result.applied)
			sides[i].versions[cart] = sides[i].result.version;
}

/* One call in six is the one before, again. */
static void apply(uint32_t next_cart)
{
	static struct input inputs[4];
	static struct corral_step steps[4];
	static struct corral_op ops[2];
	static uint32_t cart, count;
	static char id[32];
	char session[16];
	int r[2];

	if (count == 0 || !one_in(6)) {
		cart = next_cart;
		count = one_in(3) ? 1 + below(4) : 1;
		for (uint32_t i = 0; i < count; i++) {
			random_step(&inputs[i]);
			steps[i] = inputs[i].step;
		}
		random_op(cart, id, ops);
	}
	struct corral_key key = key_of(cart, session);
	for (int i = 0; i < 2; i++) {
		memset(&sides[i].result, 0, sizeof(sides[i].result));
		r[i] = corral_apply(sides[i].corral, &key, steps, count, &ops[i], &sides[i].result,
				    sides[i].lines);
	}
	compare_results(r[0], r[1]);
	if (r[0] < 0)
		same("the refused step", sides[0].result.step, sides[1].result.step);
	for (uint32_t i = 0; i < count && r[0] == 0; i++)
		same("a step's line", sides[0].lines[i], sides[1].lines[i]);
	note_version(cart, r);
}

static void drop(uint32_t cart)
{
	char session[16];
	struct corral_key key = key_of(cart, session);
	int r[2];

	for (int i = 0; i < 2; i++)
		r[i] = corral_drop(sides[i].corral, &key, NULL, &sides[i].result);
	compare_results(r[0], r[1]);
}

/* Read a cart, change a line of it, and put it back. */
static void replace(uint32_t cart)
{
	const uint32_t quantity = 1 + below(3);
	char session[16];
	struct corral_key key = key_of(cart, session);
	int r[2];

	for (int i = 0; i < 2; i++) {
		struct corral_cart *found = NULL;
		r[i] = corral_get(sides[i].corral, &key, &found);
		if (r[i] < 0)
			continue;
		if (found->line_count > 0)
			found->lines[0].item.quantity = quantity;
		struct corral_op op = { .if_version = found->head.version };
		r[i] = corral_replace(sides[i].corral, &key, found, &op, &sides[i].result);
		corral_cart_free(found);
	}
	compare_results(r[0], r[1]);
	note_version(cart, r);
}

static bool may_differ(size_t place)
{
	return place == CORRAL_FLAT_VERSION || place == CORRAL_FLAT_CREATED_MS ||
	       place == CORRAL_FLAT_UPDATED_MS || place == CORRAL_FLAT_EXPIRES_MS;
}

static void compare_carts(uint32_t cart)
{
	char session[16];
	struct corral_key key = key_of(cart, session);
	int r[2];

	for (int i = 0; i < 2; i++)
		r[i] = corral_read_flat(sides[i].corral, &key, &sides[i].flat);
	same("reading it", r[0], r[1]);
	if (r[0] < 0)
		return;
	const struct corral_flat *a = &sides[0].flat, *b = &sides[1].flat;
	same("numbers of a cart", (int64_t)a->number_count, (int64_t)b->number_count);
	for (size_t i = 0; i < a->number_count; i++)
		if (a->numbers[i] != b->numbers[i] && !may_differ(i))
			differ("a number of a cart", (int64_t)i, (int64_t)a->numbers[i]);
	same("text of a cart", (int64_t)a->text_size, (int64_t)b->text_size);
	same("values of a cart", (int64_t)a->values_size, (int64_t)b->values_size);
	if (memcmp(a->text, b->text, a->text_size + a->values_size) != 0)
		differ("the text of a cart", 0, 0);
}

static int open_sides(char **locations)
{
	for (int i = 0; i < 2; i++) {
		if (corral_open(locations[i], 0, &sides[i].corral) < 0) {
			fprintf(stderr, "%s\n", corral_why());
			return 2;
		}
		sides[i].flat.numbers = malloc(NUMBERS * sizeof(double));
		sides[i].flat.number_room = NUMBERS;
		sides[i].flat.text = malloc(TEXT_BYTES);
		sides[i].flat.text_room = TEXT_BYTES;
		if (sides[i].flat.numbers == NULL || sides[i].flat.text == NULL)
			return 2;
	}
	return 0;
}

static void close_sides(void)
{
	char session[16];

	for (int i = 0; i < 2; i++) {
		for (uint32_t cart = 0; cart < CARTS; cart++) {
			struct corral_key key = key_of(cart, session);
			(void)corral_drop(sides[i].corral, &key, NULL, NULL);
		}
		corral_close(sides[i].corral);
		free(sides[i].flat.numbers);
		free(sides[i].flat.text);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "Usage: differential LOCATION LOCATION COUNT [SEED]\n");
		return 2;
	}
	const uint64_t count = strtoull(argv[3], NULL, 10);
	state = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : (unsigned)time(NULL);
	printf("seed %u\n", state);
	snprintf(restaurant, sizeof(restaurant), "differential-%lld", (long long)time(NULL));
	int r = open_sides(argv + 1);
	if (r != 0)
		return r;
	for (call_number = 1; call_number <= count; call_number++) {
		uint32_t cart = below(CARTS);
		if (one_in(60))
			drop(cart);
		else if (one_in(20))
			replace(cart);
		else
			apply(cart);
		if (call_number % LOOK_EVERY == 0)
			compare_carts(cart);
	}
	for (uint32_t cart = 0; cart < CARTS; cart++)
		compare_carts(cart);
	close_sides();
	printf("%" PRIu64 " applied, %" PRIu64 " repeated, %" PRIu64 " refused, all alike\n", done,
	       repeated, refused);
	return 0;
}
