/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_words.c: words and attributes as MessagePack: what is packed reads back, by our parser
 * and by msgpack-c; the merge keys of two items are equal exactly when the items are.
 */
#include "cart_words_kit.h"

#include <msgpack.h>

#include "cart/item.h"

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
		assert_int_equal(item->modifiers[i].price_cents,
				 expected->modifiers[i].price_cents);
	}
	for (uint32_t i = 0; i < item->extra_count; i++) {
		kit_text_equal(item->extras[i].key, expected->extras[i].key);
		assert_int_equal(item->extras[i].value_size, expected->extras[i].value_size);
		assert_memory_equal(item->extras[i].value, expected->extras[i].value,
				    item->extras[i].value_size);
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
	static const int64_t prices[] = { 0,
					  1,
					  -1,
					  127,
					  128,
					  -32,
					  -33,
					  -128,
					  -129,
					  255,
					  256,
					  32767,
					  32768,
					  -32768,
					  -32769,
					  65535,
					  65536,
					  INT32_MAX,
					  INT32_MIN,
					  UINT32_MAX,
					  (int64_t)UINT32_MAX + 1,
					  INT32_MIN - 1ll,
					  INT64_MAX,
					  INT64_MIN };

	(void)state;
	for (size_t i = 0; i < COUNT(prices); i++) {
		struct corral_modifier modifier = { T("m"), prices[i] };
		struct corral_item item = kit_item(T("i"), 0, 1);
		struct item_parts parts;
		struct cart_words words;

		item.modifiers = &modifier;
		item.modifier_count = 1;
		assert_int_equal(pack(&item, &words), 0);
		assert_int_equal(words.modifiers_cents, prices[i]);
		assert_int_equal(item_parse(words.bytes, words.size, &parts), 0);
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
		if (copy) /* nothing may point into the source any more */
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
	static const struct corral_text keys[] = { T("menu_item_id"), T("modifiers"),
						   T("notes"),        T("name"),
						   T("kitchen"),      T("sk\xc3\xbc") };
	struct corral_item item = rich_item();
	struct cart_words words;
	msgpack_unpacked unpacked;
	const msgpack_object_map *map;
	size_t offset = 0;

	(void)state;
	assert_int_equal(pack(&item, &words), 0);
	msgpack_unpacked_init(&unpacked);
	assert_int_equal(msgpack_unpack_next(&unpacked, words.bytes, words.size, &offset),
			 MSGPACK_UNPACK_SUCCESS);
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

/* ------------------------------------------------------------ merge key */

static bool same_merge(const struct corral_item *a, const struct corral_item *b)
{
	struct cart_words first, second;

	assert_int_equal(pack(a, &first), 0);
	assert_int_equal(pack(b, &second), 0);
	return first.merge[0] == second.merge[0] && first.merge[1] == second.merge[1];
}

static void the_order_of_modifiers_and_extras_and_the_name_do_not_matter_for_merging(void **state)
{
	struct corral_modifier turned[] = { cheese_onions[1], cheese_onions[0] };
	struct corral_item a = rich_item(), b = rich_item();
	struct corral_extra extras[2] = { a.extras[1], a.extras[0] };

	(void)state;
	assert_int_equal(a.extra_count, COUNT(extras));
	b.modifiers = turned;
	b.extras = extras;
	b.name = T("Another name");
	b.quantity = 77;
	assert_true(same_merge(&a, &b));
}

static void any_difference_of_the_extras_makes_another_merge_key(void **state)
{
	const struct corral_extra nuts = { T("allergy"), "\xa4nuts", 5 };
	struct corral_extra lists[][2] = { { nuts, { T("k"), "\x01", 1 } },
					   { nuts, { T("k"), "\x02", 1 } },
					   { nuts, { T("l"), "\x01", 1 } },
					   { { T("allergy"), "\xa3nut", 4 },
					     { T("k"), "\x01", 1 } } };
	struct corral_item items[6];

	(void)state;
	for (size_t i = 0; i < COUNT(items); i++) {
		items[i] = kit_item(T("tea"), 100, 1);
		items[i].extras = lists[i % COUNT(lists)];
		items[i].extra_count = i < 4 ? 2 : i == 4 ? 1 : 0;
	}
	for (size_t i = 0; i < COUNT(items); i++)
		for (size_t j = 0; j < i; j++)
			assert_false(same_merge(&items[i], &items[j]));
}

static void a_separate_item_reads_back_as_one_and_has_no_merge_key(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_item item = rich_item(), *read;
	const struct corral_extra taken = { T("separate"), "\xc3", 1 };
	struct cart_words words;

	(void)state;
	item.separate = 1;
	assert_int_equal(pack(&item, &words), 0);
	assert_int_equal(words.merge[0] | words.merge[1], 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	item.separate = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	assert_int_equal(kit_head(&cart).line_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(kit_line(&cart, i).quantity,
				 i < 2 ? item.quantity : 2 * item.quantity);
		assert_int_equal(cart_decode_item(cart.bytes, cart.size, i, &read), 0);
		assert_int_equal(read->separate, i < 2);
		assert_int_equal(read->extra_count, item.extra_count);
		free(read);
	}
	item.separate = 2;
	assert_int_equal(pack(&item, &words), -EINVAL);
	item.separate = 0;
	item.extras = &taken;
	item.extra_count = 1;
	assert_int_equal(pack(&item, &words), -EINVAL);
	kit_free(&cart);
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
	assert_memory_equal(buffer,
			    "\x82\xa1"
			    "a\xa1"
			    "1\xa1"
			    "b\xa0",
			    8);
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, 7, &size), -E2BIG);
	assert_int_equal(cart_pack_attributes(NULL, 1, buffer, sizeof(buffer), &size), -EINVAL);
	assert_int_equal(cart_pack_attributes(many, CORRAL_ATTRIBUTES_MAX + 1, buffer,
					      sizeof(buffer), &size),
			 -E2BIG);
	pair[1].name = T("a");
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -EINVAL);
	pair[1].name = T("");
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size), -EINVAL);
	pair[1].name = (struct corral_text){ text, CORRAL_ATTRIBUTE_NAME_MAX + 1 };
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size),
			 -ENAMETOOLONG);
	pair[1] = (struct corral_attribute){ T("b"), { text, sizeof(text) } };
	assert_int_equal(cart_pack_attributes(pair, 2, buffer, sizeof(buffer), &size),
			 -ENAMETOOLONG);
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
	assert_int_equal(cart_hash_op((struct corral_text){ text, sizeof(text) }, KIT_SEED, &a),
			 -ENAMETOOLONG);
	assert_int_equal(cart_hash_op(T("\xff"), KIT_SEED, &a), -EILSEQ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_reads_back_as_it_was_added_extras_byte_for_byte),
		cmocka_unit_test(prices_of_every_width_read_back),
		cmocka_unit_test(a_whole_cart_decodes_in_place_and_as_a_copy),
		cmocka_unit_test(msgpack_c_reads_our_words_with_the_keys_in_the_promised_order),
		cmocka_unit_test(
			the_order_of_modifiers_and_extras_and_the_name_do_not_matter_for_merging),
		cmocka_unit_test(any_difference_of_the_extras_makes_another_merge_key),
		cmocka_unit_test(a_separate_item_reads_back_as_one_and_has_no_merge_key),
		cmocka_unit_test(any_other_difference_makes_another_merge_key),
		cmocka_unit_test(attributes_are_validated_when_packed),
		cmocka_unit_test(an_operation_id_is_hashed_and_the_empty_one_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
