/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_flat.c: a whole cart as one array of numbers and one run of text says what corral_get() says,
 * in every unit of text, and never writes past the caller's buffers.
 *
 * The reader here does what a binding does: it takes the run of text as one string of its own
 * language (UTF-16 or UTF-32, made by iconv) and cuts the texts out of that.
 */
#include <iconv.h>

#include "orders_support.h"

#define ROOM 4096u
#define CARTS 200u

struct bench {
	struct corral *corral;
	struct corral_key key;
};

struct buffers {
	double numbers[ROOM];
	char text[ROOM * 4];
};

static struct bench begin(void **state)
{
	return (struct bench){ .corral = yard_open(*state, 0),
			       .key = orders_key("r\xc3\xa9", "s") };
}

static struct corral_flat flat_into(struct buffers *buffers, uint32_t unit)
{
	memset(buffers, 0xee, sizeof(*buffers));
	return (struct corral_flat){ .numbers = buffers->numbers,
				     .number_room = COUNT(buffers->numbers),
				     .text = buffers->text,
				     .text_room = sizeof(buffers->text),
				     .unit = unit };
}

/* ------------------------------------------------------------- a binding's reader */

static const struct {
	const char *name;
	size_t bytes;
} encodings[] = { { "UTF-8", 1 }, { "UTF-16LE", 2 }, { "UTF-32LE", 4 } };

struct reader {
	const struct corral_flat *flat;
	size_t units;
	char string[ROOM * 16]; /* the run of text in the reader's encoding */
};

static size_t convert(const char *to, const char *from, const char *in, size_t in_size, char *out,
		      size_t room)
{
	iconv_t converter = iconv_open(to, from);
	char *in_at = (char *)(uintptr_t)in, *out_at = out;
	size_t left = room;

	assert_true(converter != (iconv_t)-1);
	assert_int_equal(iconv(converter, &in_at, &in_size, &out_at, &left), 0);
	iconv_close(converter);
	return room - left;
}

static struct reader *read_as_a_binding(const struct corral_flat *flat)
{
	static struct reader reader;

	reader.flat = flat;
	reader.units = convert(encodings[flat->unit].name, "UTF-8", flat->text, flat->text_size,
			       reader.string, sizeof(reader.string)) /
		       encodings[flat->unit].bytes;
	return &reader;
}

static int64_t number(const struct reader *reader, size_t at)
{
	assert_true(at < reader->flat->number_count);
	return (int64_t)reader->flat->numbers[at];
}

static void assert_text(const struct reader *reader, size_t at, struct corral_text expected)
{
	size_t from = (size_t)number(reader, at), size = (size_t)number(reader, at + 1);
	size_t bytes = encodings[reader->flat->unit].bytes;
	char text[ROOM];

	assert_true(from <= reader->units && size <= reader->units - from);
	assert_int_equal(convert("UTF-8", encodings[reader->flat->unit].name,
				 reader->string + from * bytes, size * bytes, text, sizeof(text)),
			 expected.size);
	if (expected.size > 0)
		assert_memory_equal(text, expected.data, expected.size);
}

static void assert_money(const struct reader *reader, const struct corral_cart *cart)
{
	size_t at = (size_t)number(reader, CORRAL_FLAT_RATES_AT);

	for (uint32_t i = 0; i < cart->head.rate_count; i++) {
		const struct corral_rate *rate = &cart->head.rates[i];

		assert_int_equal(number(reader, at + CORRAL_FLAT_RATE_TAX_PPM), rate->tax_ppm);
		assert_int_equal(number(reader, at + CORRAL_FLAT_RATE_BASE_CENTS),
				 rate->base_cents);
		assert_int_equal(number(reader, at + CORRAL_FLAT_RATE_TAX_CENTS), rate->tax_cents);
		at += (size_t)number(reader, CORRAL_FLAT_RATE_STRIDE);
	}
	at = (size_t)number(reader, CORRAL_FLAT_ADJUSTMENTS_AT);
	for (uint32_t i = 0; i < cart->adjustment_count; i++) {
		const struct corral_adjustment *adjustment = &cart->adjustments[i];

		assert_text(reader, at + CORRAL_FLAT_ADJUSTMENT_NAME_AT, adjustment->name);
		assert_int_equal(number(reader, at + CORRAL_FLAT_ADJUSTMENT_KIND),
				 adjustment->kind);
		assert_int_equal(number(reader, at + CORRAL_FLAT_ADJUSTMENT_AFTER_TAX),
				 adjustment->after_tax);
		assert_int_equal(number(reader, at + CORRAL_FLAT_ADJUSTMENT_PPM), adjustment->ppm);
		assert_int_equal(number(reader, at + CORRAL_FLAT_ADJUSTMENT_CENTS),
				 adjustment->cents);
		assert_int_equal(number(reader, at + CORRAL_FLAT_ADJUSTMENT_AMOUNT_CENTS),
				 adjustment->amount_cents);
		at += (size_t)number(reader, CORRAL_FLAT_ADJUSTMENT_STRIDE);
	}
}

static void assert_head(const struct reader *reader, const struct corral_cart *cart)
{
	const struct corral_head *head = &cart->head;
	const struct {
		size_t at;
		int64_t expected;
	} all[] = { { CORRAL_FLAT_LAYOUT, CORRAL_FLAT_LAYOUT_NOW },
		    { CORRAL_FLAT_HEAD_COUNT, CORRAL_FLAT_HEAD_NOW },
		    { CORRAL_FLAT_INEXACT, 0 },
		    { CORRAL_FLAT_VERSION, (int64_t)head->version },
		    { CORRAL_FLAT_STATUS, head->status },
		    { CORRAL_FLAT_SUBTOTAL_CENTS, head->subtotal_cents },
		    { CORRAL_FLAT_TAX_CENTS, head->tax_cents },
		    { CORRAL_FLAT_TOTAL_CENTS, head->total_cents },
		    { CORRAL_FLAT_TAX_PPM, head->tax_ppm },
		    { CORRAL_FLAT_ITEM_COUNT, head->item_count },
		    { CORRAL_FLAT_TTL_MS, (int64_t)head->ttl_ms },
		    { CORRAL_FLAT_EFFECTIVE_TTL_MS, (int64_t)head->effective_ttl_ms },
		    { CORRAL_FLAT_CREATED_MS, head->created_ms },
		    { CORRAL_FLAT_UPDATED_MS, head->updated_ms },
		    { CORRAL_FLAT_LINE_COUNT, head->line_count },
		    { CORRAL_FLAT_ATTRIBUTE_COUNT, cart->attribute_count },
		    { CORRAL_FLAT_PRICING, head->pricing },
		    { CORRAL_FLAT_CURRENCY_DIGITS, head->currency_digits },
		    { CORRAL_FLAT_BEFORE_TAX_CENTS, head->before_tax_cents },
		    { CORRAL_FLAT_AFTER_TAX_CENTS, head->after_tax_cents },
		    { CORRAL_FLAT_RATE_COUNT, head->rate_count },
		    { CORRAL_FLAT_ADJUSTMENT_COUNT, cart->adjustment_count } };

	for (size_t i = 0; i < COUNT(all); i++)
		assert_int_equal(number(reader, all[i].at), all[i].expected);
	/* the wall clock is read twice */
	assert_in_range(number(reader, CORRAL_FLAT_EXPIRES_MS), cart->expires_ms - 60000,
			cart->expires_ms + 60000);
	assert_text(reader, CORRAL_FLAT_RESTAURANT_AT, cart->key.restaurant_id);
	assert_text(reader, CORRAL_FLAT_SESSION_AT, cart->key.session_id);
	assert_text(reader, CORRAL_FLAT_CURRENCY_AT, corral_text(head->currency));
	assert_money(reader, cart);
}

static void assert_parts(const struct reader *reader, size_t line_at,
			 const struct corral_item *item)
{
	size_t at = (size_t)number(reader, line_at + CORRAL_FLAT_LINE_MODIFIERS_AT);

	assert_int_equal(number(reader, line_at + CORRAL_FLAT_LINE_MODIFIER_COUNT),
			 item->modifier_count);
	for (uint32_t i = 0; i < item->modifier_count; i++) {
		assert_text(reader, at + CORRAL_FLAT_MODIFIER_NAME_AT, item->modifiers[i].name);
		assert_int_equal(number(reader, at + CORRAL_FLAT_MODIFIER_PRICE_CENTS),
				 item->modifiers[i].price_cents);
		at += (size_t)number(reader, CORRAL_FLAT_MODIFIER_STRIDE);
	}
	at = (size_t)number(reader, line_at + CORRAL_FLAT_LINE_EXTRAS_AT);
	assert_int_equal(number(reader, line_at + CORRAL_FLAT_LINE_EXTRA_COUNT), item->extra_count);
	for (uint32_t i = 0; i < item->extra_count; i++) {
		size_t value_at = (size_t)number(reader, at + CORRAL_FLAT_EXTRA_VALUE_AT);
		size_t size = item->extras[i].value_size;

		assert_text(reader, at + CORRAL_FLAT_EXTRA_KEY_AT, item->extras[i].key);
		assert_int_equal(number(reader, at + CORRAL_FLAT_EXTRA_VALUE_SIZE), size);
		assert_true(value_at + size <= reader->flat->values_size);
		assert_memory_equal(reader->flat->text + reader->flat->text_size + value_at,
				    item->extras[i].value, size);
		at += (size_t)number(reader, CORRAL_FLAT_EXTRA_STRIDE);
	}
}

/* A flat cart says what the decoded one says. */
static void assert_same(const struct corral_flat *flat, const struct corral_cart *cart)
{
	const struct reader *reader = read_as_a_binding(flat);
	size_t at = (size_t)number(reader, CORRAL_FLAT_LINES_AT);

	assert_head(reader, cart);
	for (uint32_t i = 0; i < cart->line_count; i++) {
		const struct corral_cart_line *line = &cart->lines[i];

		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_NUMBER), line->line);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_QUANTITY),
				 line->item.quantity);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_UNIT_PRICE_CENTS),
				 line->item.unit_price_cents);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_TOTAL_CENTS),
				 line->total_cents);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_SEPARATE),
				 line->item.separate);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_OWN_RATE),
				 line->item.own_rate);
		assert_int_equal(number(reader, at + CORRAL_FLAT_LINE_TAX_PPM), line->item.tax_ppm);
		assert_text(reader, at + CORRAL_FLAT_LINE_MENU_ITEM_AT, line->item.menu_item_id);
		assert_text(reader, at + CORRAL_FLAT_LINE_NAME_AT, line->item.name);
		assert_text(reader, at + CORRAL_FLAT_LINE_NOTES_AT, line->item.notes);
		assert_parts(reader, at, &line->item);
		at += (size_t)number(reader, CORRAL_FLAT_LINE_STRIDE);
	}
	at = (size_t)number(reader, CORRAL_FLAT_ATTRIBUTES_AT);
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		assert_text(reader, at + CORRAL_FLAT_ATTRIBUTE_NAME_AT, cart->attributes[i].name);
		assert_text(reader, at + CORRAL_FLAT_ATTRIBUTE_VALUE_AT, cart->attributes[i].value);
		at += (size_t)number(reader, CORRAL_FLAT_ATTRIBUTE_STRIDE);
	}
}

/* ------------------------------------------------------------------ random carts */

/* A text of up to 8 characters of one to four bytes, at `at`, of which it takes 32. */
static struct corral_text any_text(char *at, bool empty_too)
{
	static const char *const characters[] = { "a", "Z", "\xc3\xa9", "\xe2\x82\xac",
						  "\xf0\x9f\x8d\x94" };
	size_t count = (size_t)random() % 8 + !empty_too, size = 0;

	for (size_t i = 0; i < count; i++) {
		for (const char *from = characters[(size_t)random() % COUNT(characters)];
		     *from != '\0'; from++)
			at[size++] = *from;
	}
	return (struct corral_text){ at, size };
}

static void add_any_line(const struct bench *b)
{
	static const uint8_t values[][4] = { { 0xc0 }, { 0xa2, 'n', 'o' }, { 0x92, 1, 0xff } };
	static const size_t sizes[] = { 1, 3, 3 };
	static char texts[16][40];
	struct corral_modifier modifiers[3];
	struct corral_extra extras[3];
	struct corral_item item = { .menu_item_id = any_text(texts[0], false),
				    .name = any_text(texts[1], true),
				    .notes = any_text(texts[2], true),
				    .unit_price_cents = random() % 100000,
				    .quantity = (uint32_t)random() % 9 + 1,
				    .separate = random() % 8 == 0,
				    .own_rate = (uint32_t)random() % 2,
				    .tax_ppm = (uint32_t)random() % 4 * 50000,
				    .modifier_count = (uint32_t)random() % 4,
				    .extra_count = (uint32_t)random() % 4,
				    .modifiers = modifiers,
				    .extras = extras };

	for (uint32_t i = 0; i < 3; i++) {
		size_t value = (size_t)random() % COUNT(sizes);

		modifiers[i] = (struct corral_modifier){ any_text(texts[3 + i], false),
							 random() % 1000 - 500 };
		snprintf(texts[6 + i], sizeof(texts[0]), "key %u", i);
		extras[i] = (struct corral_extra){ corral_text(texts[6 + i]), values[value],
						   sizes[value] };
	}
	assert_int_equal(corral_add(b->corral, &b->key, &item, NULL, NULL), 0);
}

static void make_any_money(const struct bench *b)
{
	char name[40];
	struct corral_adjustment adjustment = { .name = any_text(name, false),
						.kind = 1 + (uint32_t)random() % 4,
						.after_tax = (uint32_t)random() % 2 };
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_CURRENCY,
		  .name = corral_text(random() % 2 ? "KWD" : "JPY") },
		{ .kind = CORRAL_STEP_SET_PRICING,
		  .pricing = CORRAL_BELOW_ZERO | (uint32_t)random() % 4 },
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &adjustment },
	};

	if (random() % 2)
		adjustment.cents = random() % 1000;
	else
		adjustment.ppm = (uint32_t)random() % 100000;
	assert_int_equal(corral_apply(b->corral, &b->key, steps, COUNT(steps), NULL, NULL, NULL),
			 0);
}

static void make_any_cart(const struct bench *b)
{
	char name[40], value[40];
	uint32_t lines = (uint32_t)random() % 6, attributes = (uint32_t)random() % 3;

	(void)corral_drop(b->corral, &b->key, NULL, NULL);
	assert_int_equal(
		corral_set_tax(b->corral, &b->key, (uint32_t)random() % 200000, NULL, NULL), 0);
	if (random() % 2)
		make_any_money(b);
	for (uint32_t i = 0; i < lines; i++)
		add_any_line(b);
	for (uint32_t i = 0; i < attributes; i++) {
		struct corral_text a = any_text(name, false), v = any_text(value, true);

		assert_int_equal(corral_set_attribute(b->corral, &b->key, &a, &v, NULL, NULL), 0);
	}
}

static void a_flat_cart_says_what_a_decoded_one_says(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;

	srandom(1);
	for (uint32_t i = 0; i < CARTS; i++) {
		struct corral_flat flat = flat_into(&buffers, i % 3);
		struct corral_cart *cart;

		make_any_cart(&b);
		assert_int_equal(corral_get(b.corral, &b.key, &cart), 0);
		assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
		assert_same(&flat, cart);
		corral_cart_free(cart);
	}
	corral_close(b.corral);
}

static void the_size_in_units_is_that_of_the_string(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;

	srandom(2);
	for (uint32_t unit = CORRAL_FLAT_BYTES; unit <= CORRAL_FLAT_CODE_POINTS; unit++) {
		struct corral_flat flat = flat_into(&buffers, unit);
		struct reader *reader;
		struct corral_cart *cart;

		make_any_cart(&b);
		add_any_line(&b);
		assert_int_equal(corral_get(b.corral, &b.key, &cart), 0);
		assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
		reader = read_as_a_binding(&flat);
		/* the key's texts come first, and every text begins where the one before ends */
		assert_int_equal(number(reader, CORRAL_FLAT_RESTAURANT_AT), 0);
		assert_int_equal(number(reader, CORRAL_FLAT_SESSION_AT),
				 number(reader, CORRAL_FLAT_RESTAURANT_SIZE));
		assert_int_equal(number(reader, CORRAL_FLAT_RESTAURANT_SIZE),
				 unit == CORRAL_FLAT_BYTES ? 3 : 2);
		assert_same(&flat, cart);
		corral_cart_free(cart);
	}
	corral_close(b.corral);
}

/* --------------------------------------------------------------------- the limits */

/* Read into buffers that lack so much of what is needed. */
static int read_into(const struct bench *b, const struct corral_flat *need, size_t numbers_less,
		     size_t text_less)
{
	struct corral_flat flat = {
		.number_room = need->number_count - numbers_less,
		.text_room = need->text_size + need->values_size - text_less,
		.unit = need->unit,
	};
	int r;

	/* malloc, so that a sanitizer sees the ends */
	flat.numbers = malloc(flat.number_room * sizeof(double));
	flat.text = malloc(flat.text_room);
	r = corral_read_flat(b->corral, &b->key, &flat);
	assert_int_equal(flat.number_count, need->number_count);
	assert_int_equal(flat.text_size, need->text_size);
	assert_int_equal(flat.values_size, need->values_size);
	free(flat.numbers);
	free(flat.text);
	return r;
}

static void a_buffer_that_is_too_small_is_not_overrun_and_the_need_is_exact(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;
	struct corral_flat need = flat_into(&buffers, CORRAL_FLAT_UTF16);

	srandom(3);
	make_any_cart(&b);
	add_any_line(&b);
	need.numbers = NULL;
	need.text = NULL;
	need.number_room = need.text_room = 0;
	assert_int_equal(corral_read_flat(b.corral, &b.key, &need), -ENOBUFS);
	for (size_t less = 0; less <= need.number_count; less += 1 + less / 8)
		assert_int_equal(read_into(&b, &need, less, 0), less == 0 ? 0 : -ENOBUFS);
	for (size_t less = 1; less <= need.text_size + need.values_size; less += 1 + less / 8)
		assert_int_equal(read_into(&b, &need, 0, less), -ENOBUFS);
	corral_close(b.corral);
}

static void money_beyond_the_exact_integers_is_rounded_and_counted(void **state)
{
	const int64_t exact = 1ll << 53;
	struct bench b = begin(state);
	static struct buffers buffers;
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_BYTES);

	assert_int_equal(orders_add(b.corral, &b.key, "ring", exact, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
	assert_int_equal((int64_t)flat.numbers[CORRAL_FLAT_TOTAL_CENTS], exact);
	assert_int_equal((int64_t)flat.numbers[CORRAL_FLAT_INEXACT], 0);
	/* the subtotal, the total and the base of the rate are beyond, and so are the new line's
	 * price and total */
	assert_int_equal(orders_add(b.corral, &b.key, "crown", exact + 1, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
	assert_int_equal((int64_t)flat.numbers[CORRAL_FLAT_INEXACT], 5);
	assert_true(flat.numbers[CORRAL_FLAT_TOTAL_CENTS] == (double)(2 * exact + 1));
	corral_close(b.corral);
}

static void wrong_arguments_and_absent_carts_are_refused(void **state)
{
	struct bench b = begin(state);
	struct corral_key absent = orders_key("r", "absent");
	static struct buffers buffers;
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_CODE_POINTS + 1);

	assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), -EINVAL);
	flat = flat_into(&buffers, CORRAL_FLAT_BYTES);
	flat.flags = CORRAL_READ_ONLY;
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), -EINVAL);
	flat.flags = 0;
	assert_int_equal(corral_read_flat(b.corral, &absent, &flat), -ENOENT);
	assert_int_equal(corral_read_flat(b.corral, NULL, &flat), -EINVAL);
	corral_close(b.corral);
}

/* ------------------------------------------------------------- views and answers */

static void views_and_copies_can_be_made_flat(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;
	static uint8_t bytes[ROOM * 4];
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_BYTES);
	struct corral_cart *cart;
	struct corral_view view;
	size_t size;

	srandom(4);
	make_any_cart(&b);
	add_any_line(&b);
	assert_int_equal(corral_get(b.corral, &b.key, &cart), 0);
	assert_int_equal(corral_read_begin(b.corral, &b.key, &view), 0);
	assert_int_equal(corral_view_flat(&view, &flat), 0);
	assert_int_equal(corral_read_end(&view), 0);
	assert_same(&flat, cart);
	flat = flat_into(&buffers, CORRAL_FLAT_UTF16);
	assert_int_equal(corral_read_copy(b.corral, &b.key, bytes, sizeof(bytes), &size, &view), 0);
	corral_close(b.corral);
	/* the copy outlives the handle */
	assert_int_equal(corral_view_flat(&view, &flat), 0);
	assert_same(&flat, cart);
	corral_cart_free(cart);
}

static void a_change_answers_with_the_flat_cart_that_it_made(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers, small;
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_UTF16);
	struct corral_content now = { .flat = &flat, .decode = 1 };
	struct corral_op op = { .now = &now };
	struct corral_item item = orders_item("burger", 899, 2);

	assert_int_equal(corral_add(b.corral, &b.key, &item, &op, NULL), 0);
	assert_int_equal(now.error, 0);
	assert_int_equal(now.cart->head.effective_ttl_ms, 30 * 60 * 1000);
	assert_same(&flat, now.cart);
	corral_cart_free(now.cart);

	flat = flat_into(&small, CORRAL_FLAT_UTF16);
	flat.number_room = CORRAL_FLAT_HEAD_NOW;
	assert_int_equal(corral_add(b.corral, &b.key, &item, &op, NULL), 0);
	assert_int_equal(now.error, -ENOBUFS);
	assert_null(now.cart);
	assert_int_equal(flat.number_count,
			 CORRAL_FLAT_HEAD_NOW + CORRAL_FLAT_RATE_NOW + CORRAL_FLAT_LINE_NOW);
	assert_int_equal(corral_drop(b.corral, &b.key, NULL, NULL), 0);
	corral_close(b.corral);
}

/* What corral_view_cart() makes outlives the view, and is what corral_get() gives. */
static void a_view_can_be_decoded_whole(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;
	static uint8_t bytes[ROOM * 4];
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_CODE_POINTS);
	struct corral_cart *of_view, *of_copy;
	struct corral_view view, copy;
	size_t size;

	srandom(5);
	make_any_cart(&b);
	add_any_line(&b);
	assert_int_equal(corral_read_begin(b.corral, &b.key, &view), 0);
	assert_int_equal(corral_view_cart(&view, &of_view), 0);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(corral_read_copy(b.corral, &b.key, bytes, sizeof(bytes), &size, &copy), 0);
	assert_int_equal(corral_view_cart(&copy, &of_copy), 0);
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
	corral_close(b.corral);
	memset(bytes, 0xff, sizeof(bytes));
	assert_same(&flat, of_view);
	assert_same(&flat, of_copy);
	assert_int_equal(corral_view_cart(&copy, &of_copy), -EUCLEAN);
	corral_cart_free(of_view);
	corral_cart_free(of_copy);
}

static void every_head_says_which_time_to_live_holds(void **state)
{
	struct bench b = begin(state);
	static struct buffers buffers;
	struct corral_flat flat = flat_into(&buffers, CORRAL_FLAT_BYTES);
	struct corral_head head;
	const uint64_t usual_ms = 30 * 60 * 1000, own_ms = 7200000;

	assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 2, NULL, NULL), 0);
	assert_int_equal(orders_head(b.corral, &b.key, &head), 0);
	assert_int_equal(head.ttl_ms, 0);
	assert_int_equal(head.effective_ttl_ms, usual_ms);
	assert_int_equal(corral_read_flat(b.corral, &b.key, &flat), 0);
	assert_int_equal((int64_t)flat.numbers[CORRAL_FLAT_EFFECTIVE_TTL_MS], usual_ms);
	assert_int_equal(corral_set_ttl(b.corral, &b.key, own_ms, NULL, NULL), 0);
	assert_int_equal(orders_head(b.corral, &b.key, &head), 0);
	assert_int_equal(head.ttl_ms, own_ms);
	assert_int_equal(head.effective_ttl_ms, own_ms);
	corral_close(b.corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flat_cart_says_what_a_decoded_one_says,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_size_in_units_is_that_of_the_string,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_buffer_that_is_too_small_is_not_overrun_and_the_need_is_exact,
			orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			money_beyond_the_exact_integers_is_rounded_and_counted, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(wrong_arguments_and_absent_carts_are_refused,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(views_and_copies_can_be_made_flat, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(a_change_answers_with_the_flat_cart_that_it_made,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(a_view_can_be_decoded_whole, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(every_head_says_which_time_to_live_holds,
						orders_setup, orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
