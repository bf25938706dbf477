/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words and attributes as MessagePack: what is packed reads back (by us and by msgpack-c), what
 * is malformed is refused, the merge key is equal exactly for equal items, nothing is
 * written past the buffer.
 */
#include "cart_kit.h"

#include <msgpack.h>

#include "words.h"

static int pack(const struct corral_item *item, struct cart_words *words)
{
	static uint8_t buffer[CORRAL_WORDS_MAX];

	return cart_pack_item(item, KIT_SEED, buffer, sizeof(buffer), words);
}

static const struct corral_modifier cheese_onions[] = { { T("extra cheese"), 150 }, { T("no onions"), -25 } };
static const uint8_t value_map[] = { 0x82, 0xa1, 'a', 0x01, 0xa1, 'b', 0x92, 0xc0, 0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0 };
static const uint8_t value_wide_int[] = { 0xd3, 0, 0, 0, 0, 0, 0, 0, 7 }; /* 7, and not in its shortest form */
static const struct corral_extra two_extras[] = {
	{ T("kitchen"), value_map, sizeof(value_map) },
	{ T("sk\xc3\xbc"), value_wide_int, sizeof(value_wide_int) },
};

static struct corral_item rich_item(void)
{
	struct corral_item item = { .menu_item_id = T("burger-1"),
				    .name = T("Burger \xf0\x9f\x8d\x94"),
				    .notes = T("well done"),
				    .unit_price_cents = 899,
				    .quantity = 2,
				    .modifier_count = 2,
				    .extra_count = 2,
				    .modifiers = cheese_onions,
				    .extras = two_extras };

	return item;
}

/* ------------------------------------------------------------ reading back */

static void assert_item_equal(const struct corral_item *item, const struct corral_item *expected)
{
	kit_text_equal(item->menu_item_id, expected->menu_item_id);
	kit_text_equal(item->name, expected->name);
	kit_text_equal(item->notes, expected->notes);
	assert_int_equal(item->unit_price_cents, expected->unit_price_cents);
	assert_int_equal(item->quantity, expected->quantity);
	assert_int_equal(item->modifier_count, expected->modifier_count);
	assert_int_equal(item->extra_count, expected->extra_count);
	for (uint32_t i = 0; i < item->modifier_count; i++) {
		kit_text_equal(item->modifiers[i].name, expected->modifiers[i].name);
		assert_int_equal(item->modifiers[i].price_cents, expected->modifiers[i].price_cents);
	}
	for (uint32_t i = 0; i < item->extra_count; i++) {
		kit_text_equal(item->extras[i].key, expected->extras[i].key);
		assert_int_equal(item->extras[i].value_size, expected->extras[i].value_size);
		assert_memory_equal(item->extras[i].value, expected->extras[i].value, item->extras[i].value_size);
	}
}

static void an_item_reads_back_as_it_was_added_extras_byte_for_byte(void **state)
{
	struct corral_item item = rich_item(), *decoded;
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("first"), 1, 1), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	assert_int_equal(cart_decode_item(cart.bytes, cart.size, 1, &decoded), 0);
	assert_item_equal(decoded, &item);
	free(decoded);
	assert_int_equal(cart_decode_item(cart.bytes, cart.size, 2, &decoded), -ENXIO);
	kit_free(&cart);
}

static void prices_of_every_width_read_back(void **state)
{
	static const int64_t prices[] = { 0, 1, -1, 127, 128, -32, -33, -128, -129, 255, 256, 32767, 32768, -32768, -32769,
					  65535, 65536, INT32_MAX, INT32_MIN, UINT32_MAX, (int64_t)UINT32_MAX + 1,
					  INT32_MIN - 1ll, INT64_MAX, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < COUNT(prices); i++) {
		struct corral_modifier modifier = { T("m"), prices[i] };
		struct corral_item item = kit_item(T("i"), 0, 1);
		struct words_parts parts;
		struct cart_words words;

		item.modifiers = &modifier;
		item.modifier_count = 1;
		assert_int_equal(pack(&item, &words), 0);
		assert_int_equal(words.modifiers_cents, prices[i]);
		assert_int_equal(words_parse(words.bytes, words.size, &parts), 0);
		assert_int_equal(parts.modifiers[0].price_cents, prices[i]);
	}
}

static void a_whole_cart_decodes_in_place_and_as_a_copy(void **state)
{
	struct corral_item item = rich_item();
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	assert_int_equal(kit_add(&cart, T("coke"), 199, 3), 0);
	assert_int_equal(kit_set_attribute(&cart, T("table"), T("12")), 0);
	assert_int_equal(kit_set_tax(&cart, 82500), 0);
	for (int copy = 0; copy <= 1; copy++) {
		struct kit_cart source = kit_copy(&cart);
		struct corral_cart *decoded;

		assert_int_equal(cart_decode(source.bytes, source.size, copy, &decoded), 0);
		if (copy) /* then nothing may point into the source any more */
			kit_free(&source);
		kit_text_equal(decoded->key.restaurant_id, T("restaurant-1"));
		kit_text_equal(decoded->key.session_id, T("session-9"));
		assert_int_equal(decoded->head.subtotal_cents, 2 * (899 + 125) + 3 * 199);
		assert_int_equal(decoded->line_count, 2);
		assert_int_equal(decoded->lines[0].line, 1);
		assert_int_equal(decoded->lines[0].total_cents, 2 * (899 + 125));
		assert_item_equal(&decoded->lines[0].item, &item);
		kit_text_equal(decoded->lines[1].item.menu_item_id, T("coke"));
		assert_null(decoded->lines[1].item.modifiers);
		assert_int_equal(decoded->attribute_count, 1);
		kit_text_equal(decoded->attributes[0].name, T("table"));
		kit_text_equal(decoded->attributes[0].value, T("12"));
		free(decoded);
		kit_free(&source);
	}
	kit_free(&cart);
}

static void assert_msgpack_text(const msgpack_object *object, struct corral_text expected)
{
	assert_int_equal(object->type, MSGPACK_OBJECT_STR);
	kit_text_equal((struct corral_text){ object->via.str.ptr, object->via.str.size }, expected);
}

static void msgpack_c_reads_our_words_with_the_keys_in_the_promised_order(void **state)
{
	static const struct corral_text keys[] = { T("menu_item_id"), T("modifiers"),	   T("notes"),
						   T("name"),	      T("kitchen"), T("sk\xc3\xbc") };
	struct corral_item item = rich_item();
	struct cart_words words;
	msgpack_unpacked unpacked;
	const msgpack_object_map *map;
	size_t offset = 0;

	(void)state;
	assert_int_equal(pack(&item, &words), 0);
	msgpack_unpacked_init(&unpacked);
	assert_int_equal(msgpack_unpack_next(&unpacked, words.bytes, words.size, &offset), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(offset, words.size);
	assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_MAP);
	map = &unpacked.data.via.map;
	assert_int_equal(map->size, COUNT(keys));
	for (size_t i = 0; i < COUNT(keys); i++)
		assert_msgpack_text(&map->ptr[i].key, keys[i]);
	assert_msgpack_text(&map->ptr[0].val, item.menu_item_id);
	assert_msgpack_text(&map->ptr[2].val, item.notes);
	assert_msgpack_text(&map->ptr[3].val, item.name);
	assert_int_equal(map->ptr[1].val.via.array.size, 2);
	assert_msgpack_text(&map->ptr[1].val.via.array.ptr[1].via.array.ptr[0], T("no onions"));
	assert_int_equal(map->ptr[1].val.via.array.ptr[1].via.array.ptr[1].via.i64, -25);
	msgpack_unpacked_destroy(&unpacked);
}

/* ------------------------------------------------------------ refusals */

static const struct corral_text bad_texts[] = {
	T("a\0b"), T("\0"), T("\x80"), T("\xbf"), T("\xc0\x80"), T("\xc1\xbf"), T("\xc2"), T("\xc2 "), T("\xe0\x9f\xbf"),
	T("\xe2\x82"), T("\xed\xa0\x80"), T("\xed\xbf\xbf"), T("\xf0\x8f\xbf\xbf"), T("\xf0\x9f\x8d"),
	T("\xf4\x90\x80\x80"), T("\xf5\x80\x80\x80"), T("\xff"), T("\xfe"), T("12345678\xff"), T("1234567\xc3(0"),
	T("1234567\0 long"), T("12345678123\xed\xa0\x80zzzzzzzz"), T("\xe2\x28\xa1"), T("\xe2\x82\x28"),
};

static const struct corral_text good_texts[] = {
	T(""), T("a"), T("\x01\x7f"), T("\xc2\x80"), T("\xdf\xbf"), T("\xe0\xa0\x80"), T("\xed\x9f\xbf"), T("\xee\x80\x80"),
	T("\xef\xbf\xbf"), T("\xf0\x90\x80\x80"), T("\xf4\x8f\xbf\xbf"), T("12345678"), T("1234567\xc3\xa4" "5678"),
};

static void only_utf8_without_nul_is_a_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_texts); i++)
		assert_false(cart_text_valid(bad_texts[i]));
	for (size_t i = 0; i < COUNT(good_texts); i++)
		assert_true(cart_text_valid(good_texts[i]));
}

static void a_bad_text_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_texts); i++) {
		struct corral_modifier modifier = { bad_texts[i], 1 };
		struct corral_extra extra = { bad_texts[i], "\x01", 1 };
		struct corral_item items[5];
		struct cart_words words;

		for (size_t j = 0; j < COUNT(items); j++)
			items[j] = kit_item(T("ok"), 1, 1);
		items[0].menu_item_id = bad_texts[i];
		items[1].name = bad_texts[i];
		items[2].notes = bad_texts[i];
		items[3].modifiers = &modifier;
		items[3].modifier_count = 1;
		items[4].extras = &extra;
		items[4].extra_count = 1;
		for (size_t j = 0; j < COUNT(items); j++)
			assert_int_equal(pack(&items[j], &words), -EILSEQ);
	}
}

static void numbers_out_of_range_are_refused(void **state)
{
	struct corral_modifier huge[] = { { T("a"), INT64_MAX }, { T("b"), 1 }, { T("c"), -1 } };
	struct corral_item item = kit_item(T("i"), -1, 1);
	struct cart_words words;

	(void)state;
	assert_int_equal(pack(&item, &words), -ERANGE);
	item = kit_item(T("i"), 1, 0);
	assert_int_equal(pack(&item, &words), -ERANGE);
	item = kit_item(T("i"), 1, CORRAL_QUANTITY_MAX + 1);
	assert_int_equal(pack(&item, &words), -ERANGE);
	item = kit_item(T("i"), 0, CORRAL_QUANTITY_MAX);
	assert_int_equal(pack(&item, &words), 0);
	item.modifiers = huge;
	item.modifier_count = 2;
	assert_int_equal(pack(&item, &words), -EOVERFLOW);
	item.modifier_count = 3; /* the sum fits, though not on the way */
	assert_int_equal(pack(&item, &words), 0);
	item.unit_price_cents = 1;
	assert_int_equal(pack(&item, &words), -EOVERFLOW);
}

static void missing_pointers_and_an_empty_id_are_refused(void **state)
{
	struct corral_extra extra = { T("k"), NULL, 1 };
	struct corral_item item = kit_item(T(""), 1, 1);
	struct cart_words words;
	uint8_t buffer[64];

	(void)state;
	assert_int_equal(pack(&item, &words), -EINVAL);
	item.menu_item_id = (struct corral_text){ NULL, 3 };
	assert_int_equal(pack(&item, &words), -EINVAL);
	item = kit_item(T("i"), 1, 1);
	item.modifier_count = 1;
	assert_int_equal(pack(&item, &words), -EINVAL);
	item.modifier_count = 0;
	item.extra_count = 1;
	assert_int_equal(pack(&item, &words), -EINVAL);
	item.extras = &extra;
	assert_int_equal(pack(&item, &words), -EINVAL);
	assert_int_equal(cart_pack_item(NULL, 0, buffer, sizeof(buffer), &words), -EINVAL);
	assert_int_equal(cart_pack_item(&item, 0, NULL, 0, &words), -EINVAL);
}

static void too_many_or_too_long_is_refused(void **state)
{
	static char text[CORRAL_WORDS_MAX + 1];
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX + 1];
	struct corral_item item = kit_item(T("i"), 1, 1);
	struct cart_words words;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(modifiers); i++)
		modifiers[i] = (struct corral_modifier){ T("m"), 1 };
	item.modifiers = modifiers;
	item.modifier_count = CORRAL_MODIFIERS_MAX + 1;
	assert_int_equal(pack(&item, &words), -E2BIG);
	item.modifier_count = CORRAL_MODIFIERS_MAX;
	assert_int_equal(pack(&item, &words), 0);
	assert_int_equal(words.modifiers_cents, CORRAL_MODIFIERS_MAX);
	item.extra_count = CORRAL_EXTRAS_MAX + 1;
	assert_int_equal(pack(&item, &words), -E2BIG);
	item = kit_item(T("i"), 1, 1);
	item.notes = (struct corral_text){ text, sizeof(text) };
	assert_int_equal(pack(&item, &words), -E2BIG);
	item.notes.size = CORRAL_WORDS_MAX;
	assert_int_equal(pack(&item, &words), -E2BIG);
	item.notes.size = CORRAL_WORDS_MAX - 100;
	assert_int_equal(pack(&item, &words), 0);
}

static void a_buffer_too_small_is_refused_and_not_overrun(void **state)
{
	struct corral_item item = rich_item();
	struct cart_words full, words;

	(void)state;
	assert_int_equal(pack(&item, &full), 0);
	for (size_t size = 1; size <= full.size; size++) {
		uint8_t *exact = malloc(size);

		memset(&words, 0x77, sizeof(words));
		assert_int_equal(cart_pack_item(&item, KIT_SEED, exact, size, &words), size < full.size ? -E2BIG : 0);
		assert_int_equal(words.size, size < full.size ? 0x77777777 : full.size);
		free(exact);
	}
}

/* ------------------------------------------------------------ extras */

static int pack_extra(struct corral_text key, const void *value, size_t size)
{
	struct corral_extra extra = { key, value, size };
	struct corral_item item = kit_item(T("i"), 1, 1);
	struct cart_words words;

	item.extras = &extra;
	item.extra_count = 1;
	return pack(&item, &words);
}

static void extras_that_are_not_one_whole_object_are_refused(void **state)
{
	static const struct corral_text bad[] = { T("\xc1"), T("\x01\x02"), T("\x91"), T("\x81\x01"), T("\xa2x"),
						  T("\xd9"), T("\xda\x01"), T("\xcb\x01"), T("\xc7\x01"),
						  T("\xdd\xff\xff\xff\xff"), T("\xdf\xff\xff\xff\xff"),
						  T("\xdb\xff\xff\xff\xff"), T("\xc6\xff\xff\xff\xffx"), T("") };
	uint8_t deep[CORRAL_WORDS_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(pack_extra(T("k"), bad[i].data, bad[i].size), -EINVAL);
	memset(deep, 0x91, sizeof(deep));
	assert_int_equal(pack_extra(T("k"), deep, sizeof(deep) - 100), -EINVAL);
	deep[16] = 0x01;
	assert_int_equal(pack_extra(T("k"), deep, 17), 0);
	deep[16] = 0x91;
	deep[17] = 0x01;
	assert_int_equal(pack_extra(T("k"), deep, 18), -EINVAL);
}

static void extras_must_not_repeat_a_key(void **state)
{
	struct corral_extra twice[] = { { T("k"), "\x01", 1 }, { T("l"), "\x01", 1 }, { T("k"), "\x02", 1 } };
	struct corral_item item = kit_item(T("i"), 1, 1);
	struct cart_words words;

	(void)state;
	assert_int_equal(pack_extra(T("menu_item_id"), "\x01", 1), -EINVAL);
	assert_int_equal(pack_extra(T("modifiers"), "\x01", 1), -EINVAL);
	assert_int_equal(pack_extra(T("notes"), "\x01", 1), -EINVAL);
	assert_int_equal(pack_extra(T("name"), "\x01", 1), -EINVAL);
	item.extras = twice;
	item.extra_count = 3;
	assert_int_equal(pack(&item, &words), -EINVAL);
	item.extra_count = 2;
	assert_int_equal(pack(&item, &words), 0);
}

/* Random bytes, short enough that both sides' limits of depth do not matter. */
static void msgpack_c_agrees_on_what_one_whole_object_is(void **state)
{
	uint32_t valid = 0;

	(void)state;
	kit_seed(__func__);
	for (int round = 0; round < 300000; round++) {
		size_t size = 1 + kit_below(16), offset = 0;
		uint8_t *bytes = malloc(size);
		msgpack_unpacked unpacked;
		bool theirs;

		for (size_t i = 0; i < size; i++) {
			bytes[i] = (uint8_t)(kit_below(2) ? 0x80 + kit_below(0x60) : kit_below(256));
			if (bytes[i] == 0xdd || bytes[i] == 0xdf) /* msgpack-c allocates whatever these claim */
				bytes[i] = 0xde;
		}
		msgpack_unpacked_init(&unpacked);
		theirs = msgpack_unpack_next(&unpacked, (char *)bytes, size, &offset) == MSGPACK_UNPACK_SUCCESS &&
			 offset == size;
		assert_int_equal(words_value_valid(bytes, size), theirs);
		valid += theirs;
		msgpack_unpacked_destroy(&unpacked);
		free(bytes);
	}
	assert_true(valid > 1000);
}

static void damaged_words_are_found_and_never_read_past(void **state)
{
	struct corral_item item = rich_item();
	struct words_parts parts;
	struct cart_words words;

	(void)state;
	kit_seed(__func__);
	assert_int_equal(pack(&item, &words), 0);
	for (uint32_t size = 0; size < words.size; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact + 1, words.bytes, size);
		assert_int_equal(words_parse(exact + 1, size, &parts), -EUCLEAN);
		free(exact);
	}
	for (int round = 0; round < 100000; round++) {
		uint8_t *exact = malloc(words.size);

		memcpy(exact, words.bytes, words.size);
		for (uint32_t i = 1 + kit_below(4); i > 0; i--)
			exact[kit_below(words.size)] = (uint8_t)kit_random();
		(void)words_parse(exact, words.size, &parts); /* may be other, valid words */
		free(exact);
	}
}

/* ------------------------------------------------------------ merge key */

static bool same_merge(const struct corral_item *a, const struct corral_item *b)
{
	struct cart_words first, second;

	assert_int_equal(pack(a, &first), 0);
	assert_int_equal(pack(b, &second), 0);
	return first.merge[0] == second.merge[0] && first.merge[1] == second.merge[1];
}

static void the_order_of_modifiers_the_name_and_extras_do_not_matter_for_merging(void **state)
{
	struct corral_modifier turned[] = { cheese_onions[1], cheese_onions[0] };
	struct corral_item a = rich_item(), b = rich_item();

	(void)state;
	b.modifiers = turned;
	b.name = T("Another name");
	b.extra_count = 0;
	b.quantity = 77;
	assert_true(same_merge(&a, &b));
}

static void any_other_difference_makes_another_merge_key(void **state)
{
	struct corral_modifier m_ab[] = { { T("ab"), 1 }, { T("c"), 2 } };
	struct corral_modifier m_a[] = { { T("a"), 1 }, { T("bc"), 2 } };
	struct corral_modifier m_swap[] = { { T("ab"), 2 }, { T("c"), 1 } };
	struct corral_modifier m_twice[] = { { T("ab"), 1 }, { T("ab"), 1 } };
	struct corral_modifier m_empty[] = { { T(""), 0 } };
	struct corral_item items[11];

	(void)state;
	for (size_t i = 0; i < COUNT(items); i++)
		items[i] = kit_item(T("ab"), 1, 1);
	items[1].notes = T("c");
	items[2].menu_item_id = T("a");
	items[2].notes = T("b");
	items[3].menu_item_id = T("abc");
	for (size_t i = 4; i < 9; i++)
		items[i].modifier_count = 2;
	items[4].modifiers = m_ab;
	items[5].modifiers = m_a;
	items[6].modifiers = m_swap;
	items[7].modifiers = m_twice;
	items[8].modifiers = m_ab;
	items[8].modifier_count = 1;
	items[9].modifiers = m_empty;
	items[9].modifier_count = 1;
	items[10].notes = T("ab");
	for (size_t i = 0; i < COUNT(items); i++)
		for (size_t j = 0; j < i; j++)
			assert_false(same_merge(&items[i], &items[j]));
}

/* ------------------------------------------------------------ attributes, operation ids */

static void attributes_are_validated_when_packed(void **state)
{
	static char text[CORRAL_ATTRIBUTE_VALUE_MAX + 1];
	struct corral_attribute many[CORRAL_ATTRIBUTES_MAX + 1];
	struct corral_attribute pair[] = { { T("a"), T("1") }, { T("b"), T("") } };
	uint8_t buffer[64];
	uint32_t size = 9;

	(void)state;
	memset(text, 'x', sizeof(text));
	memset(many, 0, sizeof(many));
	assert_int_equal(cart_pack_attributes(NULL, 0, NULL, 0, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), 0);
	assert_int_equal(size, 8);
	assert_memory_equal(buffer, "\x82\xa1" "a\xa1" "1\xa1" "b\xa0", 8);
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, 7, &size), -E2BIG);
	assert_int_equal(cart_pack_attributes(NULL, 1, buffer, sizeof(buffer), &size), -EINVAL);
	assert_int_equal(cart_pack_attributes(many, CORRAL_ATTRIBUTES_MAX + 1, buffer, sizeof(buffer), &size), -E2BIG);
	pair[1].name = T("a");
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -EINVAL);
	pair[1].name = T("");
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -EINVAL);
	pair[1].name = (struct corral_text){ text, CORRAL_ATTRIBUTE_NAME_MAX + 1 };
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -ENAMETOOLONG);
	pair[1] = (struct corral_attribute){ T("b"), { text, sizeof(text) } };
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -ENAMETOOLONG);
	pair[1] = (struct corral_attribute){ T("b"), T("\xff") };
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -EILSEQ);
	assert_int_equal(size, 8);
}

static void an_operation_id_is_hashed_and_the_empty_one_is_none(void **state)
{
	static char text[CORRAL_ID_MAX + 1];
	struct cart_change a = { 0 }, b = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(cart_hash_op(T(""), KIT_SEED, &a), 0);
	assert_false(a.has_op);
	assert_int_equal(cart_hash_op(T("call-1"), KIT_SEED, &a), 0);
	assert_true(a.has_op);
	assert_int_equal(cart_hash_op(T("call-2"), KIT_SEED, &b), 0);
	assert_true(memcmp(a.op_id, b.op_id, sizeof(a.op_id)) != 0);
	assert_int_equal(cart_hash_op((struct corral_text){ text, sizeof(text) }, KIT_SEED, &a), -ENAMETOOLONG);
	assert_int_equal(cart_hash_op(T("\xff"), KIT_SEED, &a), -EILSEQ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_reads_back_as_it_was_added_extras_byte_for_byte),
		cmocka_unit_test(prices_of_every_width_read_back),
		cmocka_unit_test(a_whole_cart_decodes_in_place_and_as_a_copy),
		cmocka_unit_test(msgpack_c_reads_our_words_with_the_keys_in_the_promised_order),
		cmocka_unit_test(only_utf8_without_nul_is_a_text),
		cmocka_unit_test(a_bad_text_is_refused_wherever_it_stands),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(missing_pointers_and_an_empty_id_are_refused),
		cmocka_unit_test(too_many_or_too_long_is_refused),
		cmocka_unit_test(a_buffer_too_small_is_refused_and_not_overrun),
		cmocka_unit_test(extras_that_are_not_one_whole_object_are_refused),
		cmocka_unit_test(extras_must_not_repeat_a_key),
		cmocka_unit_test(msgpack_c_agrees_on_what_one_whole_object_is),
		cmocka_unit_test(damaged_words_are_found_and_never_read_past),
		cmocka_unit_test(the_order_of_modifiers_the_name_and_extras_do_not_matter_for_merging),
		cmocka_unit_test(any_other_difference_makes_another_merge_key),
		cmocka_unit_test(attributes_are_validated_when_packed),
		cmocka_unit_test(an_operation_id_is_hashed_and_the_empty_one_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
