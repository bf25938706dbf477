/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_steps.c: changes of several steps: JSON lines as `corral apply` reads them, and steps that
 * no JSON can say, as another program may pass them to corral_apply().
 *
 * The input: a byte that selects the kind of input and the cart that is there before, then either
 * text, or steps: for each some bytes that select its members from tables of good and bad ones.
 *
 * Besides not crashing: what is accepted does what its steps do one by one, in another cart, and
 * gives a valid cart; sent again, it changes nothing and answers the same. What is refused changes
 * no byte, has a documented error, and names the step that is refused alone as well.
 */
#include <errno.h>

#include "fuzz.h"

#include "arena_image.h"
#include "tool.h"

#define T(literal)                                                                                 \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}
#define TEXT_MAX 65536
#define KINDS (CORRAL_STEP_SET_LINE_TAX + 2) /* and two that are none */
#define NUMBERS_MAX 131072
#define TTL_MS_MIN 60000 /* so that no cart ends while it is looked at */

enum { JSON = 1, THERE = 2, CHECKED_OUT = 4 };

static struct arena_image image;
static struct corral *corral;
static const struct corral_key keys[2] = { { T("fuzz"), T("a") }, { T("fuzz"), T("b") } };

static void begin(void)
{
	arena_image_make(&image);
	must(corral_open(image.directory, 0, &corral) == 0);
}

static void make_cart(const struct corral_key *key, uint8_t how)
{
	static const struct corral_text name = T("table"), value = T("7");
	struct corral_item burger = { .menu_item_id = T("burger"),
				      .unit_price_cents = 899,
				      .quantity = 2 };
	struct corral_item coke = { .menu_item_id = T("coke"),
				    .unit_price_cents = 199,
				    .quantity = 1 };

	(void)corral_drop(corral, key, NULL, NULL);
	if ((how & THERE) == 0)
		return;
	must(corral_add(corral, key, &burger, NULL, NULL) == 0);
	must(corral_add(corral, key, &coke, NULL, NULL) == 0);
	coke.notes = (struct corral_text)T("no ice");
	must(corral_add(corral, key, &coke, NULL, NULL) == 0);
	must(corral_set_attribute(corral, key, &name, &value, NULL, NULL) == 0);
	if ((how & CHECKED_OUT) != 0)
		must(corral_checkout(corral, key, NULL, NULL) == 0);
}

/* ------------------------------------------------------------- hostile steps */

static char large[CORRAL_WORDS_MAX + 64];

static struct corral_text pick_text(struct input *input)
{
	static const struct corral_text texts[] = {
		T("burger"),
		T("coke"),
		T("tea"),
		T("table"),
		T("x"),
		T("Zo\xc3\xab"),
		T(""),
		{ NULL, 0 },
		{ NULL, 7 },
		T("\xff\xfe"),
		T("a\0b"),
		T("\xed\xa0\x80"),
		{ large, CORRAL_ATTRIBUTE_NAME_MAX + 1 },
		{ large, CORRAL_ATTRIBUTE_VALUE_MAX + 1 },
		{ large, CORRAL_WORDS_MAX - 60 },
		{ large, sizeof(large) },
	};

	return texts[input_number(input, 1) % COUNT(texts)];
}

static uint64_t pick_number(struct input *input)
{
	static const uint64_t numbers[] = { 0,
					    1,
					    2,
					    3,
					    100,
					    CORRAL_QUANTITY_MAX,
					    CORRAL_QUANTITY_MAX + 1,
					    CORRAL_TAX_PPM_MAX,
					    CORRAL_TAX_PPM_MAX + 1,
					    CORRAL_TTL_MS_MAX,
					    CORRAL_TTL_MS_MAX + 1,
					    INT64_MAX,
					    (uint64_t)INT64_MIN,
					    INT32_MAX,
					    (uint64_t)INT32_MIN,
					    UINT64_MAX };
	uint8_t which = (uint8_t)input_number(input, 1);

	return which < 128 ? numbers[which % COUNT(numbers)] : input_number(input, which % 9);
}

static const struct corral_extra *pick_extras(struct input *input, uint32_t *ret_count)
{
	static const struct corral_extra extras[] = {
		{ T("seat"), "\x07", 1 },     { T("kitchen"), "\x92\x01\xa1y", 4 },
		{ T("torn"), "\x92\x01", 2 }, { T("seat"), "\x08", 1 },
		{ T(""), "\x07", 1 },         { T("none"), NULL, 0 },
		{ T("null"), NULL, 5 },       { T("two"), "\x01\x02", 2 },
		{ T("\xff"), "\x07", 1 },     { T("map"), "\x81\xa1k\xc0", 4 },
	};
	uint32_t from = (uint32_t)(input_number(input, 1) % COUNT(extras));

	*ret_count = (uint32_t)(input_number(input, 1) % (COUNT(extras) - from + 1));
	return extras + from;
}

static const struct corral_modifier *pick_modifiers(struct input *input, uint32_t *ret_count)
{
	static struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX + 1] = {
		{ T("cheese"), 150 },     { T("no onion"), -20 }, { T("gold"), INT64_MAX },
		{ T("debt"), INT64_MIN }, { T("\xff"), 0 },       { { NULL, 3 }, 0 },
	};
	uint8_t which = (uint8_t)input_number(input, 1);

	if (which == 255) {
		*ret_count = COUNT(modifiers); /* too many */
		return modifiers;
	}
	*ret_count = which % 3;
	return which == 254 ? NULL : modifiers + which % 6;
}

/* An item may be missing altogether. */
static const struct corral_item *pick_item(struct input *input, struct corral_item *item)
{
	uint8_t with = (uint8_t)input_number(input, 1);

	*item = (struct corral_item){ .menu_item_id = pick_text(input),
				      .unit_price_cents = 100,
				      .quantity = 1,
				      .separate = with >> 6 & 1,
				      .own_rate = with >> 7 };
	if (item->own_rate != 0)
		item->tax_ppm = (uint32_t)pick_number(input);
	if ((with & 1) != 0)
		item->name = pick_text(input);
	if ((with & 2) != 0)
		item->notes = pick_text(input);
	if ((with & 4) != 0)
		item->unit_price_cents = (int64_t)pick_number(input);
	if ((with & 8) != 0)
		item->quantity = (uint32_t)pick_number(input);
	if ((with & 16) != 0)
		item->modifiers = pick_modifiers(input, &item->modifier_count);
	if ((with & 32) != 0)
		item->extras = pick_extras(input, &item->extra_count);
	return with == 255 ? NULL : item;
}

static const struct corral_adjustment *pick_adjustment(struct input *input,
						       struct corral_adjustment *adjustment)
{
	uint8_t with = (uint8_t)input_number(input, 1);

	*adjustment = (struct corral_adjustment){ .name = pick_text(input),
						  .kind = with & 7,
						  .after_tax = with >> 3 & 3 };
	if ((with & 32) != 0)
		adjustment->ppm = (uint32_t)pick_number(input);
	if ((with & 64) != 0)
		adjustment->cents = (int64_t)pick_number(input);
	return with == 255 ? NULL : adjustment;
}

static uint32_t pick_steps(struct input *input, struct steps *steps)
{
	uint32_t count = 0;

	while (input->left > 0 && count < CORRAL_STEPS_MAX) {
		struct corral_step *step = &steps->list[count];
		uint8_t kind = (uint8_t)input_number(input, 1);

		*step = (struct corral_step){ .kind = kind % KINDS };
		if (kind % KINDS == CORRAL_STEP_ADD)
			step->item = pick_item(input, &steps->inputs[count].item);
		if (kind % KINDS == CORRAL_STEP_SET_ADJUSTMENT)
			step->adjustment = pick_adjustment(input, &steps->inputs[count].adjustment);
		if (kind % KINDS == CORRAL_STEP_SET_CURRENCY)
			step->name = kind < 128 ? (struct corral_text)T("EUR") : pick_text(input);
		if (kind % KINDS == CORRAL_STEP_REMOVE_ADJUSTMENT)
			step->name = pick_text(input);
		if (kind % KINDS == CORRAL_STEP_SET_PRICING)
			step->pricing = (uint32_t)pick_number(input);
		if (kind % KINDS == CORRAL_STEP_SET_LINE_TAX)
			step->own_rate = (uint32_t)input_number(input, 1) & 3;
		if (kind % KINDS == CORRAL_STEP_SET_ATTRIBUTE) {
			step->name = pick_text(input);
			steps->inputs[count].value = pick_text(input);
			step->value = kind < 128 ? &steps->inputs[count].value : NULL;
		}
		if ((kind & 32) != 0)
			step->menu_item_id = pick_text(input);
		if ((kind & 64) != 0)
			step->line = (uint32_t)pick_number(input);
		step->quantity = (uint32_t)pick_number(input);
		step->difference = (int32_t)pick_number(input);
		step->tax_ppm = (uint32_t)pick_number(input);
		step->ttl_ms = pick_number(input);
		count++;
	}
	return count;
}

/* ------------------------------------------------------------------- oracle */

/* A cart, flat, but for its key, its version and its times. */
struct flat {
	struct corral_flat of;
	double numbers[NUMBERS_MAX];
	char text[CORRAL_CART_MAX];
};

static void read_flat(const struct corral_key *key, struct flat *flat)
{
	static const enum corral_flat_head own[] = { CORRAL_FLAT_VERSION, CORRAL_FLAT_CREATED_MS,
						     CORRAL_FLAT_UPDATED_MS,
						     CORRAL_FLAT_EXPIRES_MS };

	flat->of = (struct corral_flat){ .numbers = flat->numbers,
					 .number_room = NUMBERS_MAX,
					 .text = flat->text,
					 .text_room = sizeof(flat->text) };
	must(corral_read_flat(corral, key, &flat->of) == 0);
	for (size_t i = 0; i < COUNT(own); i++)
		flat->numbers[own[i]] = 0;
	flat->text[(size_t)flat->numbers[CORRAL_FLAT_SESSION_AT]] = '?';
}

static void check_same_carts(void)
{
	static struct flat flats[2];

	for (int i = 0; i < 2; i++)
		read_flat(&keys[i], &flats[i]);
	must(flats[0].of.number_count == flats[1].of.number_count);
	must(flats[0].of.text_size == flats[1].of.text_size);
	must(flats[0].of.values_size == flats[1].of.values_size);
	must(memcmp(flats[0].numbers, flats[1].numbers,
		    flats[0].of.number_count * sizeof(double)) == 0);
	must(memcmp(flats[0].text, flats[1].text,
		    flats[0].of.text_size + flats[0].of.values_size) == 0);
}

struct bytes { /* of a cart */
	size_t size;
	char at[CORRAL_CART_MAX];
};

/* 0 or -ENOENT. What is there is valid. */
static int copy_cart(const struct corral_key *key, struct bytes *bytes, uint64_t *ret_version)
{
	struct corral_view view;

	bytes->size = 0;
	*ret_version = 0;
	int r = corral_read_copy(corral, key, bytes->at, sizeof(bytes->at), &bytes->size, &view);
	must(r == 0 || r == -ENOENT);
	if (r == 0) {
		must(corral_view_verify(&view) == 0);
		*ret_version = view.version;
	}
	return r;
}

static bool is_documented(int error)
{
	static const int errors[] = { EINVAL,    ENAMETOOLONG, EILSEQ,   ERANGE, EOVERFLOW,
				      E2BIG,     ENOENT,       ENXIO,    EMLINK, ENOMEM,
				      ESHUTDOWN, EDOM,         ENOTEMPTY };

	for (size_t i = 0; i < COUNT(errors); i++)
		if (error == -errors[i])
			return true;
	return false;
}

/* Totals and sizes count at the end of a change only, but after each single step. */
static bool may_differ(int error)
{
	return error == -ENOMEM || error == -EOVERFLOW || error == -E2BIG || error == -EDOM;
}

/* The first error of the steps one by one in the other cart, and at which it came; 0: none. */
static int one_by_one(const struct corral_step *steps, uint32_t count, uint32_t *ret_lines,
		      uint32_t *ret_step)
{
	for (uint32_t i = 0; i < count; i++) {
		struct corral_result result = { 0 };
		int r = corral_apply(corral, &keys[1], &steps[i], 1, NULL, &result, NULL);

		*ret_step = i + 1;
		if (r < 0)
			return r;
		ret_lines[i] = result.line;
	}
	return 0;
}

static void check_repeat(const struct corral_step *steps, uint32_t count,
			 const struct corral_op *op, const struct corral_result *first,
			 const uint32_t *lines)
{
	uint32_t again_lines[CORRAL_STEPS_MAX];
	struct corral_result again;

	must(corral_apply(corral, &keys[0], steps, count, op, &again, again_lines) == 0);
	must(again.applied == 0 && again.version == first->version && again.line == first->line);
	must(again.total_cents == first->total_cents && again.item_count == first->item_count);
	for (uint32_t i = count; i-- > 0;)
		if (lines[i] != 0) { /* the last one is remembered */
			must(again_lines[i] == lines[i]);
			break;
		}
}

static void check_accepted(const struct corral_step *steps, uint32_t count, int single,
			   const uint32_t *lines, const uint32_t *single_lines)
{
	if (single < 0) {
		must(may_differ(single));
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		must(lines[i] == single_lines[i]);
	must(count > 0 && steps != NULL);
	check_same_carts();
}

/*
 * Steps are first checked as such, all of them. So a step that is refused for itself may be named
 * although the cart refuses an earlier one.
 */
static void check_refused(const struct corral_step *steps, int error, uint32_t step, int single,
			  uint32_t single_step)
{
	if (may_differ(error) || may_differ(single))
		return;
	if (step == 0) {
		must(error == -ENOENT && single == error && single_step == 1);
		return;
	}
	if (step == single_step) {
		must(single == error);
		return;
	}
	must(single < 0 && step > single_step);
	must(corral_apply(corral, &keys[1], &steps[step - 1], 1, NULL, NULL, NULL) == error);
}

static void apply(const struct corral_step *steps, uint32_t count)
{
	static const struct corral_op op = { .id = T("fuzz-1") };
	static struct bytes before, after;
	uint32_t lines[CORRAL_STEPS_MAX] = { 0 }, single_lines[CORRAL_STEPS_MAX] = { 0 };
	struct corral_result result = { .step = 77, .version = 77 };
	uint64_t version, next;
	uint32_t single_step = 0;

	int there = copy_cart(&keys[0], &before, &version);
	int r = corral_apply(corral, &keys[0], steps, count, &op, &result, lines);
	int still = copy_cart(&keys[0], &after, &next);
	int single = one_by_one(steps, count, single_lines, &single_step);
	if (r == 0) {
		must(result.applied == 1 && result.step == 0 && result.version == next);
		must(there < 0 || next > version);
		check_accepted(steps, count, single, lines, single_lines);
		check_repeat(steps, count, &op, &result, lines);
		return;
	}
	must(is_documented(r) && result.version == 77 && result.step <= count);
	must(still == there && after.size == before.size);
	must(memcmp(after.at, before.at, before.size) == 0);
	must(count > 0 || r == -EINVAL);
	if (count > 0)
		check_refused(steps, r, result.step, single, single_step);
}

/* ------------------------------------------------------------------ the whole */

static bool read_json(const uint8_t *data, size_t size, struct steps *steps)
{
	static FILE *nothing;
	FILE *err = stderr;
	char *text = (char *)exact_copy(data, size);
	FILE *stream = fmemopen(text, size, "r");

	if (nothing == NULL)
		nothing = fopen("/dev/null", "we");
	must(stream != NULL && nothing != NULL);
	stderr = nothing; /* the complaints are not tested here */
	enum exit_code code = steps_read(stream, steps);
	stderr = err;
	fclose(stream);
	free(text);
	must(code == EXIT_DONE || code == EXIT_USAGE);
	must(steps->count <= CORRAL_STEPS_MAX);
	must(code != EXIT_DONE || steps->count > 0);
	return code == EXIT_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > TEXT_MAX)
		return 0;
	if (corral == NULL) {
		begin();
		memset(large, 'x', sizeof(large));
	}
	struct input input = { data + 1, size - 1 };
	struct steps *steps = steps_new();
	bool good = true;
	uint32_t count = 0;

	if ((data[0] & JSON) != 0)
		good = read_json(data + 1, size - 1, steps);
	else
		count = pick_steps(&input, steps);
	if ((data[0] & JSON) != 0)
		count = steps->count;
	for (uint32_t i = 0; i < count; i++)
		if (steps->list[i].ttl_ms >= CORRAL_TTL_MS_MIN &&
		    steps->list[i].ttl_ms < TTL_MS_MIN)
			steps->list[i].ttl_ms = TTL_MS_MIN;
	for (int i = 0; i < 2 && good; i++)
		make_cart(&keys[i], data[0]);
	if (good)
		apply(steps->list, count);
	steps_free(steps);
	return 0;
}
