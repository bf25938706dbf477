/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refuse.c: malformed input, and limits. What is refused changes nothing, and its result stays
 * untouched.
 */
#include "contract.h"

#define LONG_ID (CORRAL_ID_MAX + 1)

static char long_text[CORRAL_WORDS_MAX + 1];

static struct corral_text text(const char *data, size_t size)
{
	return (struct corral_text){ data, size };
}

/* A cart to be left alone. Its version. */
static uint64_t begin(const struct contract *c)
{
	memset(long_text, 'x', sizeof(long_text));
	return contract_two_lines(c).version;
}

static void malformed_keys_are_refused_by_every_call(struct contract *c)
{
	(void)begin(c);
	const struct corral_text good = T("good");
	const struct {
		struct corral_key key;
		int change, read; /* no cart has a key that is not UTF-8: a read need not look */
	} rows[] = {
		{ { good, { NULL, 0 } }, -EINVAL, -EINVAL },
		{ { { "", 0 }, good }, -EINVAL, -EINVAL },
		{ { good, { NULL, 4 } }, -EINVAL, -EINVAL },
		{ { good, text(long_text, LONG_ID) }, -ENAMETOOLONG, -ENAMETOOLONG },
		{ { text(long_text, LONG_ID), good }, -ENAMETOOLONG, -ENAMETOOLONG },
		{ { good, T("\xff") }, -EILSEQ, -ENOENT },
		{ { T("a\0b"), good }, -EILSEQ, -ENOENT },
		{ { good, T("\xed\xa0\x80") }, -EILSEQ, -ENOENT },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct corral_key *key = &rows[i].key;
		struct corral_op op = contract_op(NULL, 0);
		struct corral_cart draft = { 0 }, *cart;
		struct corral_view view;
		char buffer[64];
		uint64_t version;
		size_t size;
		gives(rows[i].read, corral_read_begin(c->corral, key, &view));
		gives(rows[i].read, corral_read_copy(c->corral, key, buffer, 64, &size, &view));
		gives(rows[i].read, corral_get(c->corral, key, &cart));
		gives(rows[i].read, corral_wait(c->corral, key, 1, 0, NULL, &version));
		for (int which = 0; which < CHANGES; which++)
			gives(which < MAKERS ? rows[i].change : rows[i].read,
			      contract_change(c, key, which, NULL, NULL));
		gives(rows[i].change, corral_replace(c->corral, key, &draft, &op, NULL));
	}
	gives(-EINVAL, contract_change(c, NULL, ADD, NULL, NULL));
}

static void the_longest_ids_work(struct contract *c)
{
	memset(long_text, 'x', sizeof(long_text));
	/* the restaurant is another one: its session has the name of this run */
	char session[LONG_ID];
	snprintf(session, sizeof(session), "%s-%0*d", contract_restaurant,
		 (int)(CORRAL_ID_MAX - strlen(contract_restaurant) - 1), 0);
	struct corral_key key = { text(long_text, CORRAL_ID_MAX), text(session, CORRAL_ID_MAX) };
	struct corral_op op = { .id = text(long_text, CORRAL_ID_MAX) };
	struct corral_result r;

	gives(0, contract_change(c, &key, ADD, &op, &r));
	gives(0, contract_change(c, &key, ADD, &op, &r));
	assert_int_equal(r.applied, 0);
	gives(0, corral_drop(c->corral, &key, NULL, NULL));
}

static void malformed_items_are_refused(struct contract *c)
{
	static const uint8_t half[] = { 0x92, 0x01 }; /* an array of two with one element */
	static const uint8_t whole[] = { 0x01 };
	static struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX + 1];
	static struct corral_extra extras[CORRAL_EXTRAS_MAX + 1];
	static char names[CORRAL_EXTRAS_MAX + 1][8];
	struct corral_extra torn = { T("key"), half, sizeof(half) };
	struct corral_item good = contract_item("coke", 199, 1);
	struct {
		struct corral_item item;
		int error;
	} rows[15];
	struct corral_result untouched, r;

	uint64_t version = begin(c);
	for (size_t i = 0; i < COUNT(modifiers); i++)
		modifiers[i] = (struct corral_modifier){ T("m"), 1 };
	for (size_t i = 0; i < COUNT(extras); i++) {
		snprintf(names[i], sizeof(names[i]), "e%zu", i);
		extras[i] = (struct corral_extra){ corral_text(names[i]), whole, 1 };
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		rows[i].item = good;
	rows[0].item.menu_item_id = text(NULL, 0), rows[0].error = -EINVAL;
	rows[1].item.menu_item_id = text(NULL, 5), rows[1].error = -EINVAL;
	rows[2].item.notes = T("\xc3\x28"), rows[2].error = -EILSEQ;
	rows[3].item.name = T("a\0b"), rows[3].error = -EILSEQ;
	rows[4].item.quantity = 0, rows[4].error = -ERANGE;
	rows[5].item.quantity = CORRAL_QUANTITY_MAX + 1, rows[5].error = -ERANGE;
	rows[6].item.unit_price_cents = -1, rows[6].error = -ERANGE;
	rows[7].item.notes = text(long_text, sizeof(long_text)), rows[7].error = -E2BIG;
	rows[8].item.modifiers = modifiers, rows[8].error = -E2BIG;
	rows[8].item.modifier_count = COUNT(modifiers);
	rows[9].item.modifier_count = 1, rows[9].error = -EINVAL;
	rows[10].item.extras = &torn, rows[10].item.extra_count = 1, rows[10].error = -EINVAL;
	rows[11].item.extras = extras, rows[11].item.extra_count = COUNT(extras);
	rows[11].error = -E2BIG;
	rows[12].item.unit_price_cents = INT64_MAX, rows[12].item.quantity = 2;
	rows[12].error = -EOVERFLOW;
	rows[13].item.unit_price_cents = INT64_MAX, rows[13].error = -EOVERFLOW; /* with the rest */
	rows[14].item.quantity = CORRAL_QUANTITY_MAX, rows[14].error = -ERANGE;  /* on the line */
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(rows); i++) {
		r = untouched;
		gives(rows[i].error, corral_add(c->corral, &c->key, &rows[i].item, NULL, &r));
		assert_memory_equal(&r, &untouched, sizeof(r));
	}
	gives(-EINVAL, corral_add(c->corral, &c->key, NULL, NULL, NULL));
	assert_int_equal(contract_head(c).version, version);
	/* what is just within the limits is not */
	good.modifiers = modifiers, good.modifier_count = CORRAL_MODIFIERS_MAX;
	good.extras = extras, good.extra_count = CORRAL_EXTRAS_MAX;
	gives(0, corral_add(c->corral, &c->key, &good, NULL, &r));
	assert_int_equal(r.line, 3);
}

static void settings_out_of_range_are_refused(struct contract *c)
{
	struct corral_text name = T("table"), value = T("7"), empty = { NULL, 0 }, bad = T("\xff");
	struct corral_text long_name = text(long_text, CORRAL_ATTRIBUTE_NAME_MAX + 1);
	struct corral_text long_value = text(long_text, CORRAL_ATTRIBUTE_VALUE_MAX + 1);
	struct corral_text none = { NULL, 4 };
	const struct {
		const struct corral_text *name, *value;
		int error;
	} rows[] = {
		{ &empty, &value, -EINVAL },
		{ &none, &value, -EINVAL },
		{ &name, &none, -EINVAL },
		{ NULL, &value, -EINVAL },
		{ &long_name, &value, -ENAMETOOLONG },
		{ &name, &long_value, -ENAMETOOLONG },
		{ &bad, &value, -EILSEQ },
		{ &name, &bad, -EILSEQ },
	};

	uint64_t version = begin(c);
	for (size_t i = 0; i < COUNT(rows); i++)
		gives(rows[i].error, corral_set_attribute(c->corral, &c->key, rows[i].name,
							  rows[i].value, NULL, NULL));
	gives(-ERANGE, corral_set_tax(c->corral, &c->key, CORRAL_TAX_PPM_MAX + 1, NULL, NULL));
	gives(-ERANGE, corral_set_ttl(c->corral, &c->key, CORRAL_TTL_MS_MIN - 1, NULL, NULL));
	gives(-ERANGE, corral_set_ttl(c->corral, &c->key, CORRAL_TTL_MS_MAX + 1, NULL, NULL));
	gives(-ERANGE,
	      corral_set_quantity(c->corral, &c->key, 1, CORRAL_QUANTITY_MAX + 1, NULL, NULL));
	gives(-ENXIO, corral_set_quantity(c->corral, &c->key, 9, 1, NULL, NULL));
	gives(-ENXIO, corral_remove(c->corral, &c->key, 0, NULL, NULL));
	assert_int_equal(contract_head(c).version, version);
	gives(0, corral_set_tax(c->corral, &c->key, CORRAL_TAX_PPM_MAX, NULL, NULL));
	gives(0, corral_set_ttl(c->corral, &c->key, CORRAL_TTL_MS_MAX, NULL, NULL));
	gives(0, corral_set_ttl(c->corral, &c->key, 0, NULL, NULL));
	assert_int_equal(contract_head(c).ttl_ms, 0);
}

static void malformed_operation_ids_are_refused(struct contract *c)
{
	const struct {
		struct corral_text id;
		int error;
	} rows[] = {
		{ text(long_text, LONG_ID), -ENAMETOOLONG },
		{ T("\xff"), -EILSEQ },
		{ text(NULL, 3), -EINVAL },
	};

	uint64_t version = begin(c);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int which = 0; which < CHANGES; which++) {
			struct corral_op op = { .id = rows[i].id };
			gives(rows[i].error, contract_change(c, &c->key, which, &op, NULL));
		}
	assert_int_equal(contract_head(c).version, version);
}

static void a_cart_has_so_many_attributes_and_no_more(struct contract *c)
{
	struct corral_text value = T("v");
	char text_of[16];

	for (uint32_t i = 0; i <= CORRAL_ATTRIBUTES_MAX; i++) {
		snprintf(text_of, sizeof(text_of), "name-%u", i);
		struct corral_text name = corral_text(text_of);
		gives(i < CORRAL_ATTRIBUTES_MAX ? 0 : -E2BIG,
		      corral_set_attribute(c->corral, &c->key, &name, &value, NULL, NULL));
	}
	struct corral_text first = T("name-0");
	gives(0, corral_set_attribute(c->corral, &c->key, &first, &first, NULL, NULL));
}

/* Lines of the longest words: the cart's own limit comes first. */
static void a_cart_has_so_many_bytes_and_no_more(struct contract *c)
{
	struct corral_result r = { 0 };
	char id[16];
	int answer = 0;

	memset(long_text, 'x', sizeof(long_text));
	for (uint32_t i = 0; answer == 0; i++) {
		assert_true(i <= CORRAL_CART_MAX / (CORRAL_WORDS_MAX / 2));
		snprintf(id, sizeof(id), "item-%u", i);
		struct corral_item item = contract_item(id, 1, 1);
		item.notes = text(long_text, CORRAL_WORDS_MAX - 256);
		answer = corral_add(c->corral, &c->key, &item, NULL, &r);
	}
	assert_int_equal(answer, -E2BIG);
	assert_true(r.item_count > 0);
	assert_int_equal(contract_head(c).version, r.version);
	gives(0, corral_remove(c->corral, &c->key, 1, NULL, NULL));
}

const struct contract_case refuse_cases[] = {
	CASE(malformed_keys_are_refused_by_every_call),
	CASE(the_longest_ids_work),
	CASE(malformed_items_are_refused),
	CASE(settings_out_of_range_are_refused),
	CASE(malformed_operation_ids_are_refused),
	CASE(a_cart_has_so_many_attributes_and_no_more),
	CASE(a_cart_has_so_many_bytes_and_no_more),
	{ NULL, NULL },
};
