/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_errors.c: the error of each refused call; a refused change changes nothing; damage to one
 * cart's bytes affects that cart only.
 */
#include "orders_support.h"

#include "api/handle.h"
#include "store/slot.h"

#define LONG_ID (CORRAL_ID_MAX + 1)

struct bench {
	struct corral *corral;
	struct corral_key key;
	uint64_t version;
};

static char long_text[CORRAL_WORDS_MAX + 1];

static struct bench begin(void **state)
{
	struct bench bench = { .corral = yard_open(*state, 0),
			       .key = orders_key("restaurant", "session") };
	struct corral_result result;

	memset(long_text, 'x', sizeof(long_text));
	assert_int_equal(orders_add(bench.corral, &bench.key, "burger", 899, 1, NULL, &result), 0);
	bench.version = result.version;
	return bench;
}

/* Assert that no refused call changed anything. */
static void end(struct bench *bench)
{
	struct corral_head head;

	assert_int_equal(orders_head(bench->corral, &bench->key, &head), 0);
	assert_int_equal(head.version, bench->version);
	corral_close(bench->corral);
}

static struct corral_text text(const char *data, size_t size)
{
	return (struct corral_text){ data, size };
}

/* --------------------------------------------------------------------- keys */

static void assert_all_calls_refuse(struct bench *b, const struct corral_key *key, int want,
				    int want_of_reads)
{
	struct corral_text name = T("table");
	struct corral_item item = orders_item("coke", 199, 1);
	struct corral_cart draft = { 0 }, *cart = NULL;
	struct corral_op op = orders_op(NULL, 0);
	struct corral_view view;
	uint64_t version;
	char buffer[4096];
	size_t size;

	assert_int_equal(corral_read_begin(b->corral, key, &view), want_of_reads);
	assert_int_equal(corral_read_copy(b->corral, key, buffer, sizeof(buffer), &size, &view),
			 want_of_reads);
	assert_int_equal(corral_get(b->corral, key, &cart), want_of_reads);
	assert_int_equal(corral_wait(b->corral, key, 1, 0, NULL, &version), want_of_reads);
	assert_int_equal(corral_add(b->corral, key, &item, NULL, NULL), want);
	assert_int_equal(corral_set_tax(b->corral, key, 1, NULL, NULL), want);
	assert_int_equal(corral_set_attribute(b->corral, key, &name, &name, NULL, NULL), want);
	assert_int_equal(corral_set_ttl(b->corral, key, 0, NULL, NULL), want);
	assert_int_equal(corral_replace(b->corral, key, &draft, &op, NULL), want);
	assert_int_equal(corral_set_quantity(b->corral, key, 1, 1, NULL, NULL), want_of_reads);
	assert_int_equal(corral_remove(b->corral, key, 1, NULL, NULL), want_of_reads);
	assert_int_equal(corral_clear(b->corral, key, NULL, NULL), want_of_reads);
	assert_int_equal(corral_checkout(b->corral, key, NULL, NULL), want_of_reads);
	assert_int_equal(corral_drop(b->corral, key, NULL, NULL), want_of_reads);
}

static void malformed_keys_are_refused_by_every_call(void **state)
{
	struct bench b = begin(state);
	struct corral_text good = T("good");
	struct corral_key empty[] = { { good, { NULL, 0 } },
				      { { "", 0 }, good },
				      { { NULL, 0 }, { NULL, 0 } } };
	struct corral_key longer[] = { { good, text(long_text, LONG_ID) },
				       { text(long_text, LONG_ID), good } };
	struct corral_key bad[] = { { good, T("\xff") },
				    { T("a\0b"), good },
				    { good, T("\xed\xa0\x80") } };

	for (size_t i = 0; i < COUNT(empty); i++)
		assert_all_calls_refuse(&b, &empty[i], -EINVAL, -EINVAL);
	for (size_t i = 0; i < COUNT(longer); i++)
		assert_all_calls_refuse(&b, &longer[i], -ENAMETOOLONG, -ENAMETOOLONG);
	for (size_t i = 0; i < COUNT(bad);
	     i++) /* no cart can have such a key, so a read need not look */
		assert_all_calls_refuse(&b, &bad[i], -EILSEQ, -ENOENT);
	end(&b);
}

static void ids_of_the_longest_kind_work(void **state)
{
	struct bench b = begin(state);
	struct corral_key key = { text(long_text, CORRAL_ID_MAX), text(long_text, CORRAL_ID_MAX) };
	struct corral_op op = { .id = text(long_text, CORRAL_ID_MAX) };
	struct corral_item item = orders_item("coke", 199, 1);
	struct corral_entry entries[2];
	struct corral_result result;
	size_t count;

	assert_int_equal(corral_add(b.corral, &key, &item, &op, &result), 0);
	assert_int_equal(corral_add(b.corral, &key, &item, &op, &result), 0);
	assert_int_equal(result.applied, 0);
	assert_int_equal(support_list(b.corral, &key.restaurant_id, entries, 2, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(strlen(entries[0].session_id), CORRAL_ID_MAX);
	end(&b);
}

/* ------------------------------------------------------------------- values */

static int add(struct bench *b, struct corral_item item)
{
	struct corral_result untouched, result;

	memset(&untouched, 0x5a, sizeof(untouched));
	result = untouched;
	int r = corral_add(b->corral, &b->key, &item, NULL, &result);
	assert_memory_equal(&result, &untouched, sizeof(result)); /* untouched on failure */
	return r;
}

static void malformed_items_are_refused(void **state)
{
	struct bench b = begin(state);
	const struct corral_item good = orders_item("coke", 199, 1);
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX + 1];
	const uint8_t half[] = { 0x92, 0x01 }; /* an array of two with only one element */
	struct corral_extra extra = { T("key"), half, sizeof(half) };
	struct corral_item item = good;

	for (size_t i = 0; i < COUNT(modifiers); i++)
		modifiers[i] = (struct corral_modifier){ T("m"), 1 };
	item.menu_item_id = text(NULL, 0);
	assert_int_equal(add(&b, item), -EINVAL);
	item.menu_item_id = text(NULL, 5);
	assert_int_equal(add(&b, item), -EINVAL);
	item = good, item.notes = T("\xc3\x28");
	assert_int_equal(add(&b, item), -EILSEQ);
	item = good, item.name = T("a\0b");
	assert_int_equal(add(&b, item), -EILSEQ);
	item = good, item.quantity = 0;
	assert_int_equal(add(&b, item), -ERANGE);
	item.quantity = CORRAL_QUANTITY_MAX + 1;
	assert_int_equal(add(&b, item), -ERANGE);
	item = good, item.unit_price_cents = -1;
	assert_int_equal(add(&b, item), -ERANGE);
	item = good, item.notes = text(long_text, sizeof(long_text));
	assert_int_equal(add(&b, item), -E2BIG);
	item = good, item.modifiers = modifiers, item.modifier_count = COUNT(modifiers);
	assert_int_equal(add(&b, item), -E2BIG);
	item.modifiers = NULL, item.modifier_count = 1;
	assert_int_equal(add(&b, item), -EINVAL);
	item = good, item.extras = &extra, item.extra_count = 1;
	assert_int_equal(add(&b, item), -EINVAL);
	assert_int_equal(corral_add(b.corral, &b.key, NULL, NULL, NULL), -EINVAL);
	end(&b);
}

static void sums_that_do_not_fit_are_refused(void **state)
{
	struct bench b = begin(state);
	struct corral_modifier modifier = { T("gold"), INT64_MAX };
	struct corral_item item = orders_item("gold", INT64_MAX, 2);

	assert_int_equal(add(&b, item), -EOVERFLOW);
	item.quantity = 1;
	assert_int_equal(add(&b, item), -EOVERFLOW); /* together with the burger */
	item.unit_price_cents = 1, item.modifiers = &modifier, item.modifier_count = 1;
	assert_int_equal(add(&b, item), -EOVERFLOW);
	assert_int_equal(
		corral_set_quantity(b.corral, &b.key, 1, CORRAL_QUANTITY_MAX + 1, NULL, NULL),
		-ERANGE);
	item = orders_item("burger", 899, CORRAL_QUANTITY_MAX);
	assert_int_equal(add(&b, item), -ERANGE); /* added to the existing line's quantity */
	end(&b);
}

static void settings_out_of_range_are_refused(void **state)
{
	struct bench b = begin(state);
	struct corral_text name = T("table"), value = T("7"), empty = { NULL, 0 };
	struct corral_text long_name = text(long_text, CORRAL_ATTRIBUTE_NAME_MAX + 1);
	struct corral_text long_value = text(long_text, CORRAL_ATTRIBUTE_VALUE_MAX + 1);
	struct corral_text bad = T("\xff");

	assert_int_equal(corral_set_tax(b.corral, &b.key, CORRAL_TAX_PPM_MAX + 1, NULL, NULL),
			 -ERANGE);
	assert_int_equal(corral_set_ttl(b.corral, &b.key, CORRAL_TTL_MS_MIN - 1, NULL, NULL),
			 -ERANGE);
	assert_int_equal(corral_set_ttl(b.corral, &b.key, CORRAL_TTL_MS_MAX + 1, NULL, NULL),
			 -ERANGE);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &empty, &value, NULL, NULL),
			 -EINVAL);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &long_name, &value, NULL, NULL),
			 -ENAMETOOLONG);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, &long_value, NULL, NULL),
			 -ENAMETOOLONG);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &bad, &value, NULL, NULL), -EILSEQ);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, &bad, NULL, NULL), -EILSEQ);
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 2, 1, NULL, NULL), -ENXIO);
	assert_int_equal(corral_remove(b.corral, &b.key, 0, NULL, NULL), -ENXIO);
	end(&b);
}

static void malformed_operation_ids_are_refused(void **state)
{
	struct bench b = begin(state);
	struct corral_item item = orders_item("coke", 199, 1);
	struct corral_op op = { .id = text(long_text, LONG_ID) };

	assert_int_equal(corral_add(b.corral, &b.key, &item, &op, NULL), -ENAMETOOLONG);
	op.id = T("\xff");
	assert_int_equal(corral_add(b.corral, &b.key, &item, &op, NULL), -EILSEQ);
	op.id = text(NULL, 3);
	assert_int_equal(corral_add(b.corral, &b.key, &item, &op, NULL), -EINVAL);
	end(&b);
}

/* Each call runs in its own process, so a missing check shows as that call's crash. */
static int pass_null(void *context)
{
	struct bench *b = context;
	struct corral_key null_data = { { NULL, 4 }, { "session", 7 } };
	struct corral_text name = T("table"), null_text = { NULL, 4 };
	struct corral_op op = orders_op(NULL, b->version);
	struct corral_view view;
	struct corral_cart *cart;

	switch (b->version >> 32) {
	case 0:
		return -corral_set_attribute(b->corral, &b->key, NULL, &name, NULL, NULL);
	case 1:
		return -corral_replace(b->corral, &b->key, NULL, &op, NULL);
	case 2:
		return -corral_read_begin(b->corral, NULL, &view);
	case 3:
		return -corral_get(b->corral, NULL, &cart);
	case 4:
		return -orders_add(b->corral, NULL, "coke", 199, 1, NULL, NULL);
	case 5:
		return -corral_read_begin(b->corral, &null_data, &view);
	case 6:
		return -orders_add(b->corral, &null_data, "coke", 199, 1, NULL, NULL);
	case 7:
		return -corral_set_attribute(b->corral, &b->key, &null_text, &name, NULL, NULL);
	default:
		return -corral_set_attribute(b->corral, &b->key, &name, &null_text, NULL, NULL);
	}
}

static void null_where_a_value_is_needed_is_refused(void **state)
{
	NEEDS_PROCESSES();
	struct bench b = begin(state);
	uint64_t wrong = 0;

	for (uint64_t which = 0; which < 9; which++) {
		struct bench one = b;
		one.version |= which << 32;
		int code = child_wait(child_start(pass_null, &one));
		if (code != EINVAL)
			print_error("case %d of pass_null(): %d\n", (int)which, code);
		wrong += code != EINVAL;
	}
	assert_int_equal(wrong, 0);
	end(&b);
}

/* ------------------------------------------------------------------- damage */

/* A cart's version, for writing damage into it. */
static uint8_t *bytes_of(struct bench *b, const struct corral_key *key, size_t *ret_size)
{
	struct found found = { 0 };

	assert_int_equal(
		slot_find(&b->corral->arena, slot_hash(&b->corral->arena, key), key, &found), 0);
	*ret_size = found.cart->size;
	return (uint8_t *)(uintptr_t)found.cart;
}

static void read_all(struct bench *b, const struct corral_key *key)
{
	struct corral_entry entries[4];
	struct corral_attribute attribute;
	struct corral_line line;
	struct corral_view view;
	struct corral_cart *cart;
	size_t count;

	if (corral_get(b->corral, key, &cart) == 0)
		corral_cart_free(cart);
	assert_int_equal(support_list(b->corral, NULL, entries, COUNT(entries), &count), 0);
	if (corral_read_begin(b->corral, key, &view) == 0) {
		for (uint32_t i = 0; i < 5; i++) {
			(void)corral_view_line(&view, i, &line);
			(void)corral_view_attribute(&view, i, &attribute);
		}
		assert_int_equal(corral_read_end(&view), 0);
	}
}

static void make_victim(struct bench *b, const struct corral_key *key)
{
	struct corral_text name = T("table"), value = T("7");

	assert_int_equal(orders_add(b->corral, key, "fries", 299, 1, "call", NULL), 0);
	assert_int_equal(orders_add(b->corral, key, "coke", 199, 1, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b->corral, key, &name, &value, NULL, NULL), 0);
}

/* Flip each bit of a cart's version: no read crashes, and the other cart is unchanged. */
static void reading_a_damaged_cart_hurts_nobody(void **state)
{
	struct bench b = begin(state);
	struct corral_key victim = orders_key("restaurant", "victim");
	struct corral_head head;
	size_t size;

	make_victim(&b, &victim);
	uint8_t *bytes = bytes_of(&b, &victim, &size);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		read_all(&b, &victim);
		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(orders_head(b.corral, &b.key, &head), 0);
	}
	assert_int_equal(orders_head(b.corral, &victim, &head), 0);
	assert_int_equal(head.total_cents, 498);
	end(&b);
}

/*
 * A change refuses a flip in anything that it relies on: the head (but not the ids, since such a
 * flip makes it another cart).
 */
static void a_damaged_cart_refuses_changes_and_the_others_do_not(void **state)
{
	struct bench b = begin(state);
	struct corral_key victim = orders_key("restaurant", "victim");
	struct corral_head head;
	size_t size;

	make_victim(&b, &victim);
	uint8_t *bytes = bytes_of(&b, &victim, &size);
	for (size_t bit = 0; bit < 8 * offsetof(struct cart_head, restaurant_size); bit++) {
		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		int added = orders_add(b.corral, &victim, "water", 0, 1, NULL, NULL);
		int removed = corral_remove(b.corral, &victim, 1, NULL, NULL);
		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(added, -EUCLEAN);
		assert_int_equal(removed, -EUCLEAN);
		assert_int_equal(orders_add(b.corral, &b.key, "water", 0, 1, NULL, NULL), 0);
		b.version++;
	}
	assert_int_equal(orders_head(b.corral, &victim, &head), 0);
	assert_int_equal(head.version, 3);
	end(&b);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(malformed_keys_are_refused_by_every_call),
		CASE(ids_of_the_longest_kind_work),
		CASE(malformed_items_are_refused),
		CASE(sums_that_do_not_fit_are_refused),
		CASE(settings_out_of_range_are_refused),
		CASE(malformed_operation_ids_are_refused),
		CASE(null_where_a_value_is_needed_is_refused),
		CASE(reading_a_damaged_cart_hurts_nobody),
		CASE(a_damaged_cart_refuses_changes_and_the_others_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
