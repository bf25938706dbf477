/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_malformed.c: malformed items, texts and values are refused, damaged words are found, and
 * nothing is read or written past a buffer.
 */
#include "cart_words_kit.h"

#include <msgpack.h>

#include "cart/item.h"

/* ------------------------------------------------------------ refusals */

static const struct corral_text bad_texts[] = {
	T("a\0b"),
	T("\0"),
	T("\x80"),
	T("\xbf"),
	T("\xc0\x80"),
	T("\xc1\xbf"),
	T("\xc2"),
	T("\xc2 "),
	T("\xe0\x9f\xbf"),
	T("\xe2\x82"),
	T("\xed\xa0\x80"),
	T("\xed\xbf\xbf"),
	T("\xf0\x8f\xbf\xbf"),
	T("\xf0\x9f\x8d"),
	T("\xf4\x90\x80\x80"),
	T("\xf5\x80\x80\x80"),
	T("\xff"),
	T("\xfe"),
	T("12345678\xff"),
	T("1234567\xc3(0"),
	T("1234567\0 long"),
	T("12345678123\xed\xa0\x80zzzzzzzz"),
	T("\xe2\x28\xa1"),
	T("\xe2\x82\x28"),
};

static const struct corral_text good_texts[] = {
	T(""),
	T("a"),
	T("\x01\x7f"),
	T("\xc2\x80"),
	T("\xdf\xbf"),
	T("\xe0\xa0\x80"),
	T("\xed\x9f\xbf"),
	T("\xee\x80\x80"),
	T("\xef\xbf\xbf"),
	T("\xf0\x90\x80\x80"),
	T("\xf4\x8f\xbf\xbf"),
	T("12345678"),
	T("1234567\xc3\xa4"
	  "5678"),
};

static void only_utf8_without_nul_is_a_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_texts); i++)
		assert_false(cart_text_valid(bad_texts[i]));
	for (size_t i = 0; i < COUNT(good_texts); i++)
		assert_true(cart_text_valid(good_texts[i]));
}

/* Texts are scanned in pieces that depend on their length. */
static void a_bad_byte_is_seen_at_any_place_of_a_text_of_any_length(void **state)
{
	const char bad[] = { '\0', '\x80', '\xbf', '\xc3', '\xff' };
	char text[48];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		memset(text, 'a', sizeof(text));
		assert_true(cart_text_valid((struct corral_text){ text, size }));
		for (size_t at = 0; at < size; at++) {
			for (size_t i = 0; i < sizeof(bad); i++) {
				text[at] = bad[i];
				assert_false(cart_text_valid((struct corral_text){ text, size }));
			}
			if (at + 1 < size) {
				text[at] = '\xc3';
				text[at + 1] = '\xa4';
				assert_true(cart_text_valid((struct corral_text){ text, size }));
			}
			memset(text, 'a', sizeof(text));
		}
	}
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
	item.modifier_count = 3; /* the sum fits, an intermediate sum does not */
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
		assert_int_equal(cart_pack_item(&item, KIT_SEED, exact, size, &words),
				 size < full.size ? -E2BIG : 0);
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
	static const struct corral_text bad[] = { T("\xc1"),
						  T("\x01\x02"),
						  T("\x91"),
						  T("\x81\x01"),
						  T("\xa2x"),
						  T("\xd9"),
						  T("\xda\x01"),
						  T("\xcb\x01"),
						  T("\xc7\x01"),
						  T("\xdd\xff\xff\xff\xff"),
						  T("\xdf\xff\xff\xff\xff"),
						  T("\xdb\xff\xff\xff\xff"),
						  T("\xc6\xff\xff\xff\xffx"),
						  T("") };
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
	struct corral_extra twice[] = { { T("k"), "\x01", 1 },
					{ T("l"), "\x01", 1 },
					{ T("k"), "\x02", 1 } };
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
			bytes[i] =
				(uint8_t)(kit_below(2) ? 0x80 + kit_below(0x60) : kit_below(256));
			if (bytes[i] == 0xdd ||
			    bytes[i] == 0xdf) /* msgpack-c allocates the number of elements that
						 these bytes claim */
				bytes[i] = 0xde;
		}
		msgpack_unpacked_init(&unpacked);
		theirs = msgpack_unpack_next(&unpacked, (char *)bytes, size, &offset) ==
				 MSGPACK_UNPACK_SUCCESS &&
			 offset == size;
		assert_int_equal(item_value_valid(bytes, size), theirs);
		valid += theirs;
		msgpack_unpacked_destroy(&unpacked);
		free(bytes);
	}
	assert_true(valid > 1000);
}

static void damaged_words_are_found_and_never_read_past(void **state)
{
	struct corral_item item = rich_item();
	struct item_parts parts;
	struct cart_words words;

	(void)state;
	kit_seed(__func__);
	assert_int_equal(pack(&item, &words), 0);
	for (uint32_t size = 0; size < words.size; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact + 1, words.bytes, size);
		assert_int_equal(item_parse(exact + 1, size, &parts), -EUCLEAN);
		free(exact);
	}
	for (int round = 0; round < 100000; round++) {
		uint8_t *exact = malloc(words.size);

		memcpy(exact, words.bytes, words.size);
		for (uint32_t i = 1 + kit_below(4); i > 0; i--)
			exact[kit_below(words.size)] = (uint8_t)kit_random();
		(void)item_parse(exact, words.size, &parts); /* may be other, valid words */
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_utf8_without_nul_is_a_text),
		cmocka_unit_test(a_bad_byte_is_seen_at_any_place_of_a_text_of_any_length),
		cmocka_unit_test(a_bad_text_is_refused_wherever_it_stands),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(missing_pointers_and_an_empty_id_are_refused),
		cmocka_unit_test(too_many_or_too_long_is_refused),
		cmocka_unit_test(a_buffer_too_small_is_refused_and_not_overrun),
		cmocka_unit_test(extras_that_are_not_one_whole_object_are_refused),
		cmocka_unit_test(extras_must_not_repeat_a_key),
		cmocka_unit_test(msgpack_c_agrees_on_what_one_whole_object_is),
		cmocka_unit_test(damaged_words_are_found_and_never_read_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
