/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random carts against an independent model: a plain array of lines, and money in GMP's
 * integers of any size. After each change every number is compared; a change has to be refused
 * exactly when the model says so. Then the same codec on damaged bytes: each flipped
 * bit and each truncation is found, and no damage makes it read or write outside.
 */
#include "cart_kit.h"

#include <gmp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SHADOW_LINES 48
#define CATALOGUE 24

/* ------------------------------------------------------------ the model */

struct product { /* what can be ordered: no two are equal */
	char id[16];
	char notes[16];
	int64_t price;
	uint32_t modifier_count;
	struct corral_modifier modifiers[4];
};

struct shadow_line {
	uint32_t line;
	uint32_t quantity;
	uint32_t product;
};

struct shadow {
	uint32_t count;
	uint32_t next_line;
	uint32_t tax_ppm;
	uint64_t version;
	struct shadow_line lines[SHADOW_LINES];
};

struct world {
	struct product products[CATALOGUE];
	struct shadow shadow;
	struct kit_cart cart;
	mpz_t subtotal, tax, total, line, low, high;
};

static bool fits(const struct world *w, const mpz_t value)
{
	return mpz_cmp(value, w->low) >= 0 && mpz_cmp(value, w->high) <= 0;
}

static void set_i64(mpz_t value, int64_t number)
{
	mpz_set_si(value, number); /* long is 64 bits wide here */
}

static void line_total(struct world *w, const struct shadow_line *line)
{
	const struct product *product = &w->products[line->product];
	mpz_t price;

	mpz_init(price);
	set_i64(w->line, product->price);
	for (uint32_t i = 0; i < product->modifier_count; i++) {
		set_i64(price, product->modifiers[i].price_cents);
		mpz_add(w->line, w->line, price);
	}
	mpz_mul_ui(w->line, w->line, line->quantity);
	mpz_clear(price);
}

/* Half away from zero: the sign of floor((2 * |x| + d) / (2 * d)). */
static void tax_of(struct world *w, uint32_t tax_ppm)
{
	mpz_mul_ui(w->tax, w->subtotal, tax_ppm);
	mpz_abs(w->tax, w->tax);
	mpz_mul_ui(w->tax, w->tax, 2);
	mpz_add_ui(w->tax, w->tax, 1000000);
	mpz_fdiv_q_ui(w->tax, w->tax, 2000000);
	if (mpz_sgn(w->subtotal) < 0)
		mpz_neg(w->tax, w->tax);
}

/* Compute the model's totals; false when any true value does not fit. */
static bool compute(struct world *w, const struct shadow *shadow)
{
	bool all_fit = true;

	mpz_set_ui(w->subtotal, 0);
	for (uint32_t i = 0; i < shadow->count; i++) {
		line_total(w, &shadow->lines[i]);
		all_fit = all_fit && fits(w, w->line);
		mpz_add(w->subtotal, w->subtotal, w->line);
	}
	tax_of(w, shadow->tax_ppm);
	mpz_add(w->total, w->subtotal, w->tax);
	return all_fit && fits(w, w->subtotal) && fits(w, w->tax) && fits(w, w->total);
}

static void compare_line(struct world *w, uint32_t index)
{
	const struct shadow_line *expected = &w->shadow.lines[index];
	const struct product *product = &w->products[expected->product];
	struct corral_line line;
	struct corral_item *item;

	assert_int_equal(cart_get_line(w->cart.bytes, w->cart.size, index, &line), 0);
	assert_int_equal(line.line, expected->line);
	assert_int_equal(line.quantity, expected->quantity);
	assert_int_equal(line.unit_price_cents, product->price);
	line_total(w, expected);
	assert_int_equal(mpz_cmp_si(w->line, line.total_cents), 0);
	assert_int_equal(cart_decode_item(w->cart.bytes, w->cart.size, index, &item), 0);
	kit_text_equal(item->menu_item_id, (struct corral_text){ product->id, strlen(product->id) });
	assert_int_equal(item->modifier_count, product->modifier_count);
	free(item);
}

static void compare(struct world *w)
{
	const struct corral_result *result = &w->cart.result;
	struct corral_head head;
	uint64_t items = 0;

	assert_int_equal(cart_get_head(w->cart.bytes, w->cart.size, &head), 0);
	assert_true(compute(w, &w->shadow));
	assert_int_equal(mpz_cmp_si(w->subtotal, head.subtotal_cents), 0);
	assert_int_equal(mpz_cmp_si(w->tax, head.tax_cents), 0);
	assert_int_equal(mpz_cmp_si(w->total, head.total_cents), 0);
	assert_int_equal(result->subtotal_cents, head.subtotal_cents);
	assert_int_equal(result->tax_cents, head.tax_cents);
	assert_int_equal(result->total_cents, head.total_cents);
	assert_int_equal(result->version, w->shadow.version);
	assert_int_equal(head.version, w->shadow.version);
	assert_int_equal(head.line_count, w->shadow.count);
	for (uint32_t i = 0; i < w->shadow.count; i++) {
		items += w->shadow.lines[i].quantity;
		compare_line(w, i);
	}
	assert_int_equal(head.item_count, items);
	assert_int_equal(result->item_count, items);
}

/* ------------------------------------------------------------ random worlds */

static int64_t random_price(bool huge)
{
	if (!huge)
		return kit_below(8) ? (int64_t)kit_below(5000) : 0;
	return (int64_t)(kit_random() >> 1) >> kit_below(40);
}

static uint32_t random_quantity(void)
{
	switch (kit_below(4)) {
	case 0:
		return 1 + kit_below(CORRAL_QUANTITY_MAX);
	case 1:
		return CORRAL_QUANTITY_MAX - kit_below(2);
	default:
		return 1 + kit_below(9);
	}
}

static uint32_t random_tax(void)
{
	static const uint32_t rates[] = { 0, 1, 82500, 88750, 1000000, 500000, 499999 };

	return kit_below(4) ? rates[kit_below(COUNT(rates))] : kit_below(CORRAL_TAX_PPM_MAX + 1);
}

static void make_product(struct product *product, uint32_t number, bool huge)
{
	static const struct corral_text names[] = { T("cheese"), T("no onions"), T("large"), T("gl\xc3\xbcten free") };

	memset(product, 0, sizeof(*product));
	snprintf(product->id, sizeof(product->id), "item-%u", number / 3);
	if (number % 3 == 1)
		snprintf(product->notes, sizeof(product->notes), "crispy");
	product->price = random_price(huge);
	product->modifier_count = kit_below(5);
	for (uint32_t i = 0; i < product->modifier_count; i++) {
		int64_t price = random_price(huge);

		product->modifiers[i].name = names[i];
		product->modifiers[i].price_cents = kit_below(2) ? price : -price - kit_below(2);
	}
	if (number % 3 == 2) /* differs from its neighbours by this alone */
		snprintf(product->notes, sizeof(product->notes), "n%u", number);
}

static void world_open(struct world *w, bool huge)
{
	memset(w, 0, sizeof(*w));
	mpz_inits(w->subtotal, w->tax, w->total, w->line, w->low, w->high, NULL);
	set_i64(w->low, INT64_MIN);
	set_i64(w->high, INT64_MAX);
	for (uint32_t i = 0; i < CATALOGUE; i++)
		make_product(&w->products[i], i, huge && kit_below(2));
	w->shadow.next_line = 1;
}

static void world_close(struct world *w)
{
	mpz_clears(w->subtotal, w->tax, w->total, w->line, w->low, w->high, NULL);
	kit_free(&w->cart);
}

/* ------------------------------------------------------------ random changes */

/* The item of a product, its modifiers in a random order. */
static struct corral_item shuffled_item(const struct product *product, uint32_t quantity,
					struct corral_modifier modifiers[4])
{
	struct corral_item item = { .menu_item_id = { product->id, strlen(product->id) },
				    .notes = { product->notes, strlen(product->notes) },
				    .name = T("Name"),
				    .unit_price_cents = product->price,
				    .quantity = quantity,
				    .modifier_count = product->modifier_count,
				    .modifiers = modifiers };

	memcpy(modifiers, product->modifiers, sizeof(product->modifiers));
	for (uint32_t i = product->modifier_count; i > 1; i--) {
		uint32_t other = kit_below(i);
		struct corral_modifier swap = modifiers[i - 1];

		modifiers[i - 1] = modifiers[other];
		modifiers[other] = swap;
	}
	return item;
}

/* What unit price plus modifiers may be at all, whatever the quantity. */
static bool product_fits(struct world *w, uint32_t product)
{
	struct shadow_line one = { 0, 1, product };
	struct product plain = w->products[product];
	bool sum_fits;

	line_total(w, &one);
	sum_fits = fits(w, w->line);
	w->products[product].price = 0;
	line_total(w, &one);
	sum_fits = sum_fits && fits(w, w->line);
	w->products[product] = plain;
	return sum_fits;
}

/* The change succeeds exactly when the model's next state does. */
static void settle(struct world *w, const struct shadow *next, int answer, int refusal)
{
	if (refusal == 0 && !compute(w, next))
		refusal = -EOVERFLOW;
	assert_int_equal(answer, refusal);
	if (answer == 0) {
		w->shadow = *next;
		w->shadow.version++;
	}
	if (w->cart.bytes && answer == 0)
		compare(w);
}

static void random_add(struct world *w)
{
	struct corral_modifier modifiers[4];
	uint32_t product = kit_below(CATALOGUE), quantity = random_quantity(), i;
	struct corral_item item = shuffled_item(&w->products[product], quantity, modifiers);
	struct shadow next = w->shadow;
	int refusal = 0;

	if (next.count == SHADOW_LINES)
		return;
	for (i = 0; i < next.count && next.lines[i].product != product; i++)
		;
	if (i < next.count) {
		next.lines[i].quantity += quantity;
		if (next.lines[i].quantity > CORRAL_QUANTITY_MAX)
			refusal = -ERANGE;
	} else {
		next.lines[next.count++] = (struct shadow_line){ next.next_line++, quantity, product };
	}
	if (!product_fits(w, product))
		refusal = -EOVERFLOW;
	settle(w, &next, kit_add_item(&w->cart, &item, T("")), refusal);
	if (refusal == 0 && memcmp(&next.lines, &w->shadow.lines, sizeof(next.lines)) == 0)
		assert_int_equal(w->cart.result.line, next.lines[i].line);
}

static void random_set_quantity(struct world *w)
{
	struct shadow next = w->shadow;
	uint32_t line = kit_below(next.next_line + 2), quantity = kit_below(3) ? random_quantity() : 0, i;

	for (i = 0; i < next.count && next.lines[i].line != line; i++)
		;
	if (i < next.count && quantity)
		next.lines[i].quantity = quantity;
	else if (i < next.count)
		memmove(&next.lines[i], &next.lines[i + 1], (--next.count - i) * sizeof(next.lines[0]));
	settle(w, &next, quantity == 0 && kit_below(2) ? kit_remove(&w->cart, line) :
							 kit_set_quantity(&w->cart, line, quantity),
	       !w->cart.bytes ? -ENOENT : i == w->shadow.count ? -ENXIO : 0);
}

static void random_set_tax(struct world *w)
{
	struct shadow next = w->shadow;

	next.tax_ppm = random_tax();
	settle(w, &next, kit_set_tax(&w->cart, next.tax_ppm), 0);
}

static void clear(struct world *w)
{
	struct shadow next = w->shadow;

	next.count = 0;
	settle(w, &next, kit_simple(&w->cart, CART_CLEAR), w->cart.bytes ? 0 : -ENOENT);
}

/* A draft of some old lines in a random order, and some new ones; products at most once each. */
static uint32_t random_draft(struct world *w, struct shadow *next, struct cart_draft_line *drafts,
			     uint8_t (*buffers)[256])
{
	uint32_t count = 0;

	for (uint32_t product = 0; product < CATALOGUE; product++) {
		struct corral_modifier modifiers[4];
		struct corral_item item = shuffled_item(&w->products[product], random_quantity(), modifiers);
		uint32_t named = kit_below(2) && w->shadow.count > count ? w->shadow.lines[count].line : 0;

		if (!product_fits(w, product) || kit_below(3))
			continue;
		assert_int_equal(cart_pack_item(&item, KIT_SEED, buffers[count], 256, &drafts[count].words), 0);
		drafts[count].line = named;
		drafts[count].quantity = item.quantity;
		next->lines[count] = (struct shadow_line){ named ? named : next->next_line++, item.quantity, product };
		count++;
	}
	return count;
}

static void random_replace(struct world *w)
{
	static uint8_t buffers[CATALOGUE][256];
	struct cart_draft_line drafts[CATALOGUE];
	struct cart_change change = kit_change(CART_REPLACE);
	struct shadow next = w->shadow;

	next.count = random_draft(w, &next, drafts, buffers);
	next.tax_ppm = random_tax();
	change.if_version = w->shadow.version;
	change.draft = (struct cart_draft){ .lines = drafts, .line_count = next.count, .tax_ppm = next.tax_ppm };
	settle(w, &next, kit_apply(&w->cart, &change), 0);
}

static void random_attribute(struct world *w)
{
	static const struct corral_text names[] = { T("table"), T("phone"), T("a name"), T("b") };
	static char text[300];
	struct corral_text name = names[kit_below(COUNT(names))];
	struct shadow next = w->shadow;

	memset(text, 'x', sizeof(text));
	settle(w, &next, kit_below(3) ? kit_set_attribute(&w->cart, name, (struct corral_text){ text, kit_below(300) }) :
					kit_remove_attribute(&w->cart, name), 0);
}

static void random_change(struct world *w)
{
	uint32_t dice = kit_below(100);

	if (dice < 60)
		random_add(w);
	else if (dice < 80)
		random_set_quantity(w);
	else if (dice < 88)
		random_set_tax(w);
	else if (dice < 94)
		random_attribute(w);
	else if (dice < 98)
		random_replace(w);
	else if (dice < 99)
		clear(w);
}

static void run_worlds(bool huge)
{
	for (int round = 0; round < 150; round++) {
		struct world w;

		world_open(&w, huge);
		for (int change = 0; change < 80; change++)
			random_change(&w);
		world_close(&w);
	}
}

static void everyday_carts_are_right_to_the_cent(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_worlds(false);
}

static void huge_prices_are_right_to_the_cent_or_refused_when_they_do_not_fit(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_worlds(true);
}

static void tax_is_exact_for_any_amount(void **state)
{
	struct world w;

	(void)state;
	kit_seed(__func__);
	world_open(&w, false);
	for (int round = 0; round < 1000000; round++) {
		int64_t subtotal = (int64_t)kit_random() >> kit_below(64);
		uint32_t tax_ppm = random_tax();

		set_i64(w.subtotal, subtotal);
		tax_of(&w, tax_ppm);
		assert_int_equal(mpz_cmp_si(w.tax, cart_tax(subtotal, tax_ppm)), 0);
	}
	world_close(&w);
}

/* ------------------------------------------------------------ damage */

/* A cart with something in every part. */
static struct kit_cart small_cart(void)
{
	static const struct corral_modifier modifiers[] = { { T("cheese"), 150 } };
	static const struct corral_extra extras[] = { { T("x"), "\x92\x01\xa1y", 4 } };
	struct corral_item item = kit_item(T("burger"), 899, 2);
	struct kit_cart cart = { 0 };

	item.modifiers = modifiers;
	item.modifier_count = 1;
	item.extras = extras;
	item.extra_count = 1;
	assert_int_equal(kit_set_attribute(&cart, T("table"), T("7")), 0);
	assert_int_equal(kit_set_tax(&cart, 82500), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op-1")), 0);
	assert_int_equal(kit_add(&cart, T("coke"), 199, 1), 0);
	assert_int_equal(kit_add(&cart, T("fries"), 299, 1), 0);
	return cart;
}

static void read_everything(const uint8_t *bytes, size_t size)
{
	struct corral_attribute attribute;
	struct corral_cart *cart;
	struct corral_item *item;
	struct corral_head head;
	struct corral_line line;
	struct corral_key key;
	uint64_t sum = 0;

	(void)cart_shape(bytes, size);
	(void)cart_get_head(bytes, size, &head);
	if (cart_get_key(bytes, size, &key) == 0)
		sum += XXH64(key.session_id.data, key.session_id.size, 0);
	for (uint32_t i = 0; i < 5; i++) {
		if (cart_get_line(bytes, size, i, &line) == 0)
			sum += XXH64(line.words, line.words_size, 0); /* touches every byte it was given */
		if (cart_get_attribute(bytes, size, i, &attribute) == 0)
			sum += XXH64(attribute.value.data, attribute.value.size, 0);
		if (cart_decode_item(bytes, size, i, &item) == 0)
			free(item);
	}
	if (cart_decode(bytes, size, sum & 1, &cart) == 0)
		free(cart);
}

/* Every kind of change, as it would be made of these bytes. */
static struct cart_change every_change(uint32_t number, uint8_t buffer[256])
{
	static struct cart_draft_line draft_line;
	struct corral_item item = kit_item(number & 1 ? T("coke") : T("tea"), 199, 1);
	struct cart_change change = kit_change((enum cart_change_kind)(number / 2 % (CART_DROP + 1)));

	assert_int_equal(cart_pack_item(&item, KIT_SEED, buffer, 256, &change.words), 0);
	draft_line = (struct cart_draft_line){ .line = number & 1, .quantity = 3, .words = change.words };
	change.line = 2;
	change.quantity = number & 1;
	if (change.kind == CART_ADD)
		change.quantity = 4;
	change.name = number & 1 ? T("table") : T("new");
	change.value = T("a new value");
	change.remove_attribute = number & 2;
	change.draft.lines = &draft_line;
	change.draft.line_count = 1;
	if (change.kind == CART_REPLACE)
		change.if_version = 5;
	assert_int_equal(cart_hash_op(number & 1 ? T("op-9") : T(""), KIT_SEED, &change), 0);
	return change;
}

#define EVERY_CHANGE (2 * (CART_DROP + 1))

/* Plan and build all changes. If given, `later` is what the bytes have become when it is built. */
static uint32_t change_everything(const uint8_t *bytes, size_t size, const uint8_t *later, int validity)
{
	uint32_t built = 0;
	uint8_t words[256];

	for (uint32_t number = 0; number < EVERY_CHANGE; number++) {
		struct cart_change change = every_change(number, words);
		struct cart_plan plan;
		uint8_t *new;

		if (cart_plan(bytes, size, &change, &plan) != 0 || change.kind == CART_DROP)
			continue;
		assert_true(plan.size <= CORRAL_CART_MAX);
		new = malloc(plan.size);
		cart_build(later ? later : bytes, &change, &plan, new);
		if (validity <= 0)
			assert_int_equal(cart_validate(new, plan.size), validity);
		read_everything(new, plan.size);
		free(new);
		built++;
	}
	return built;
}

#define ANY_VALIDITY 1

/* Make the checksum of the head right again, so that damage behind it is met. */
static void reseal(uint8_t *bytes)
{
	struct cart_head head;
	uint64_t end;

	memcpy(&head, bytes, sizeof(head));
	end = sizeof(head) + align_up((uint64_t)head.restaurant_size + head.session_size, 8) +
	      align_up(head.attributes_size, 8);
	if (cart_shape(bytes, head.size) != 0)
		return;
	head.sum = XXH3_64bits(bytes + 8, end - 8);
	memcpy(bytes, &head.sum, sizeof(head.sum));
}

static void every_flipped_bit_is_found_and_survived(void **state)
{
	struct kit_cart sound = small_cart();

	(void)state;
	assert_true(change_everything(sound.bytes, sound.size, NULL, 0) >= EVERY_CHANGE - 2);
	for (size_t bit = 0; bit < 8 * sound.size; bit++) {
		struct kit_cart cart = kit_copy(&sound);

		cart.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(cart_validate(cart.bytes, cart.size), -EUCLEAN);
		read_everything(cart.bytes, cart.size);
		(void)change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		if (bit / 8 < sizeof(uint64_t) || bit / 8 >= sizeof(uint64_t) + sizeof(uint32_t))
			reseal(cart.bytes);
		read_everything(cart.bytes, cart.size);
		(void)change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static void every_truncation_is_found_and_survived(void **state)
{
	struct kit_cart sound = small_cart();

	(void)state;
	for (size_t size = 0; size < sound.size; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact + 1, sound.bytes, size); /* and not aligned, either */
		assert_int_equal(cart_validate(exact + 1, size), -EUCLEAN);
		read_everything(exact + 1, size);
		assert_int_equal(change_everything(exact + 1, size, NULL, ANY_VALIDITY), 0);
		free(exact);
	}
	kit_free(&sound);
}

static void bytes_after_the_version_do_not_matter(void **state)
{
	struct kit_cart sound = small_cart();
	uint8_t *larger = malloc(sound.size + 100);

	(void)state;
	memcpy(larger, sound.bytes, sound.size);
	memset(larger + sound.size, 0xff, 100);
	assert_int_equal(cart_validate(larger, sound.size + 100), 0);
	assert_true(change_everything(larger, sound.size + 100, NULL, 0) >= EVERY_CHANGE - 2);
	free(larger);
	kit_free(&sound);
}

static void damage_to_a_line_or_operation_stays_visible_in_later_versions(void **state)
{
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t words_at = sound.size - head.words_size;
	size_t ops_at = words_at - head.line_count * sizeof(struct cart_line) -
			head.ops_count * sizeof(struct cart_op);
	uint8_t words[256];

	(void)state;
	for (size_t at = ops_at; at < sound.size; at++) {
		struct cart_change change = every_change(0, words); /* adds a line */
		struct kit_cart cart = kit_copy(&sound);
		struct cart_plan plan;
		uint8_t *new;

		cart.bytes[at] ^= 0x10;
		assert_int_equal(cart_plan(cart.bytes, cart.size, &change, &plan), 0);
		new = malloc(plan.size);
		cart_build(cart.bytes, &change, &plan, new);
		assert_int_equal(cart_validate(new, plan.size), -EUCLEAN);
		free(new);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static void a_damaged_head_id_or_attribute_refuses_every_change(void **state)
{
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t ops_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line) -
			head.ops_count * sizeof(struct cart_op);

	(void)state;
	for (size_t at = 0; at < ops_at; at++) {
		struct kit_cart cart = kit_copy(&sound);

		cart.bytes[at] ^= 0x01;
		assert_int_equal(change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY), 0);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static int plan_after_damage(const struct kit_cart *sound, size_t at, const struct cart_change *change)
{
	struct kit_cart cart = kit_copy(sound);
	struct cart_plan plan;
	int answer;

	cart.bytes[at] ^= 0x04;
	answer = cart_plan(cart.bytes, cart.size, change, &plan);
	kit_free(&cart);
	return answer;
}

static void no_answer_comes_from_a_damaged_memory_of_operations(void **state)
{
	struct cart_change change = kit_change(CART_CLEAR);
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t op_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line) - sizeof(struct cart_op);

	(void)state;
	assert_int_equal(cart_hash_op(T("op-1"), KIT_SEED, &change), 0);
	assert_int_equal(kit_apply(&sound, &change), 1);
	for (size_t at = op_at + sizeof(change.op_id); at < op_at + sizeof(struct cart_op); at++)
		assert_int_equal(plan_after_damage(&sound, at, &change), -EUCLEAN);
	kit_free(&sound);
}

static void no_line_is_cut_where_the_words_are_not_in_place(void **state)
{
	struct cart_change change = kit_change(CART_REMOVE);
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t lines_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line);

	(void)state;
	change.line = 2;
	for (uint32_t i = 0; i < head.line_count; i++) {
		size_t line_at = lines_at + i * sizeof(struct cart_line);

		for (size_t at = offsetof(struct cart_line, words_at); at < sizeof(struct cart_line); at++)
			assert_int_equal(plan_after_damage(&sound, line_at + at, &change), -EUCLEAN);
	}
	kit_free(&sound);
}

static void line_numbers_run_out_rather_than_come_again(void **state)
{
	struct cart_draft_line line = { .quantity = 1 };
	struct cart_change change = kit_change(CART_REPLACE);
	struct kit_cart cart = small_cart();
	struct cart_head head = kit_head(&cart);
	uint8_t buffer[256];
	struct corral_item item = kit_item(T("tea"), 1, 1);

	(void)state;
	head.next_line = 0x7fffffff;
	memcpy(cart.bytes, &head, sizeof(head));
	reseal(cart.bytes);
	assert_int_equal(kit_add(&cart, T("tea"), 1, 1), 0);
	assert_int_equal(cart.result.line, 0x7fffffff);
	assert_int_equal(kit_add(&cart, T("water"), 1, 1), -E2BIG);
	assert_int_equal(cart_pack_item(&item, KIT_SEED, buffer, sizeof(buffer), &line.words), 0);
	change.if_version = cart.result.version;
	change.draft.lines = &line;
	change.draft.line_count = 1;
	assert_int_equal(kit_apply(&cart, &change), -E2BIG);
	line.line = 0x7fffffff;
	assert_int_equal(kit_apply(&cart, &change), 0);
	kit_free(&cart);
}

static void random_damage_is_survived_by_plan_and_build(void **state)
{
	struct kit_cart sound = small_cart();
	uint32_t built = 0;

	(void)state;
	kit_seed(__func__);
	for (int round = 0; round < 20000; round++) {
		struct kit_cart cart = kit_copy(&sound);

		for (uint32_t i = 1 + kit_below(3); i > 0; i--)
			cart.bytes[12 + kit_below((uint32_t)cart.size - 12)] = (uint8_t)(kit_below(4) ? kit_random() : 0xff);
		reseal(cart.bytes);
		read_everything(cart.bytes, cart.size);
		built += change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		(void)cart_validate(cart.bytes, cart.size);
		kit_free(&cart);
	}
	assert_true(built > 10000);
	kit_free(&sound);
}

static void bytes_that_change_between_plan_and_build_are_survived(void **state)
{
	struct kit_cart sound = small_cart();

	(void)state;
	kit_seed(__func__);
	for (int round = 0; round < 3000; round++) {
		struct kit_cart later = kit_copy(&sound);
		int pattern = round % 3;

		for (size_t i = 0; i < later.size; i++)
			later.bytes[i] = pattern == 0 ? 0xff : pattern == 1 ? 0 : (uint8_t)kit_random();
		assert_true(change_everything(sound.bytes, sound.size, later.bytes, ANY_VALIDITY) > 0);
		kit_free(&later);
	}
	kit_free(&sound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everyday_carts_are_right_to_the_cent),
		cmocka_unit_test(huge_prices_are_right_to_the_cent_or_refused_when_they_do_not_fit),
		cmocka_unit_test(tax_is_exact_for_any_amount),
		cmocka_unit_test(every_flipped_bit_is_found_and_survived),
		cmocka_unit_test(every_truncation_is_found_and_survived),
		cmocka_unit_test(bytes_after_the_version_do_not_matter),
		cmocka_unit_test(damage_to_a_line_or_operation_stays_visible_in_later_versions),
		cmocka_unit_test(a_damaged_head_id_or_attribute_refuses_every_change),
		cmocka_unit_test(no_answer_comes_from_a_damaged_memory_of_operations),
		cmocka_unit_test(no_line_is_cut_where_the_words_are_not_in_place),
		cmocka_unit_test(line_numbers_run_out_rather_than_come_again),
		cmocka_unit_test(random_damage_is_survived_by_plan_and_build),
		cmocka_unit_test(bytes_that_change_between_plan_and_build_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
