/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portable_unpack.c: reads the maps of corral-snapshot(5), from untrusted bytes.
 *
 * A map is taken by its table (portable_shape.h): each key we know exactly once (but those that
 * former versions did not write), its number within its range; keys we do not know are skipped,
 * nested as deep as a cursor goes. The sections of a cart have their places only once all of the
 * map is taken: until then the lines' records stand at the beginning of the buffer, and their words
 * in the map. The result is a version only if cart_validate() says so: totals, texts, sizes and
 * numbers are checked there, as of any bytes.
 *
 * Does not allocate; time is linear in the bytes.
 */
#include <string.h>

#include "cart/item.h"
#include "cart/portable_shape.h"

#define DAMAGED "MessagePack" /* what is wrong when no key is */

static bool take_hash(struct cursor *cursor, unsigned size, uint64_t *ret_high, uint64_t *ret_low)
{
	const uint8_t *bytes;
	uint64_t high = 0, low = 0;

	if (!take_bin(cursor, size, &bytes))
		return false;
	for (unsigned i = 0; i < size; i++) {
		high = high << 8 | low >> 56;
		low = low << 8 | bytes[i];
	}
	*ret_high = high;
	*ret_low = low;
	return true;
}

/* Take one of these names: its index, or `count`. */
static uint32_t take_name(struct cursor *cursor, const struct corral_text *names, uint32_t count)
{
	struct corral_text name;
	uint32_t index = 0;

	if (!take_text(cursor, &name) || name.size == 0)
		return count;
	while (index < count && !text_equal(name, names[index]))
		index++;
	return index;
}

static bool take_bool(struct cursor *cursor, uint32_t *ret_bool)
{
	if (cursor->at == cursor->end || (*cursor->at != TAG_TRUE && *cursor->at != TAG_FALSE))
		return false;
	*ret_bool = *cursor->at++ == TAG_TRUE;
	return true;
}

static bool take_status(struct cursor *cursor, uint8_t *ret_status)
{
	struct corral_text name;

	if (!take_text(cursor, &name))
		return false;
	*ret_status = text_equal(name, status_names[CORRAL_CHECKED_OUT]);
	return *ret_status || text_equal(name, status_names[CORRAL_OPEN]);
}

/* ----------------------------------------------------------- maps by a table */

/* Take the value of the special key of this index into `to`. NULL, or what is wrong. */
typedef const char *take_special(struct cursor *cursor, uint32_t index, void *to);

static bool take_number_of(struct cursor *cursor, const struct number *number, void *to)
{
	uint8_t *at = (uint8_t *)to + number->at;
	uint32_t narrow;
	int64_t value;

	if (!take_int(cursor, &value) || value < number->least || value > number->most)
		return false;
	narrow = (uint32_t)value;
	if (number->bytes == sizeof(narrow))
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &value, sizeof(value));
	return true;
}

static uint32_t keys_of(const struct shape *shape)
{
	return shape->number_count + shape->special_count;
}

/* Numbers first, then specials. */
static struct corral_text key_of(const struct shape *shape, uint32_t index)
{
	return index < shape->number_count ? shape->numbers[index].key :
					     shape->specials[index - shape->number_count];
}

static const char *name_of(const struct shape *shape, uint32_t index)
{
	return key_of(shape, index).data;
}

/*
 * Take a key: which of the shape's it is; past them all if it is none. expected: the key that our
 * own files have here.
 */
static bool take_key(struct cursor *cursor, const struct shape *shape, uint64_t expected,
		     uint32_t *ret_index)
{
	struct corral_text key;
	uint32_t index = 0;

	if (expected < keys_of(shape) &&
	    take_short_text(cursor, key_of(shape, (uint32_t)expected))) {
		*ret_index = (uint32_t)expected;
		return true;
	}
	if (!take_text(cursor, &key))
		return false;
	while (index < keys_of(shape) && !text_equal(key, key_of(shape, index)))
		index++;
	*ret_index = index;
	return true;
}

static const char *take_value_of(struct cursor *cursor, const struct shape *shape, uint32_t index,
				 take_special *take, void *to)
{
	if (index < shape->number_count)
		return take_number_of(cursor, &shape->numbers[index], to) ? NULL :
									    name_of(shape, index);
	return take(cursor, index - shape->number_count, to);
}

static void note_unknown(const struct cursor *cursor, const struct shape *shape)
{
	if (cursor->unknown == NULL)
		return;
	if (shape == &cart_map_shape)
		cursor->unknown->keys++;
	else
		cursor->unknown->within++;
}

static const char *take_shape(struct cursor *cursor, const struct shape *shape, take_special *take,
			      void *to)
{
	uint32_t keys = keys_of(shape), index;
	uint32_t seen = 0;
	uint64_t pairs;

	if (!take_map(cursor, &pairs))
		return DAMAGED;
	for (uint64_t i = 0; i < pairs; i++) { /* each takes a byte at least */
		if (!take_key(cursor, shape, i, &index))
			return DAMAGED;
		if (index == keys) {
			if (!take_value(cursor))
				return DAMAGED;
			note_unknown(cursor, shape);
			continue;
		}
		const char *wrong = take_value_of(cursor, shape, index, take, to);
		if (wrong != NULL || (seen & 1u << index) != 0)
			return wrong != NULL ? wrong : name_of(shape, index);
		seen |= 1u << index;
	}
	for (index = 0; index < keys - shape->may_miss; index++)
		if ((seen & 1u << index) == 0)
			return name_of(shape, index);
	return NULL;
}

/* ---------------------------------------------------------------- the frame */

static const char *take_header(struct cursor *cursor, uint32_t index, void *to)
{
	struct portable_header *header = to;
	struct corral_text uuid;
	uint64_t none;
	bool good;

	if (index == HEADER_UUID) {
		good = take_text(cursor, &uuid) && uuid.size == PORTABLE_UUID_BYTES - 1;
		if (good)
			memcpy(header->arena_uuid, uuid.data, uuid.size);
	} else {
		good = take_hash(cursor, SEED_BYTES, &none, &header->hash_seed);
	}
	return good ? NULL : header_specials[index].data;
}

static const char *take_trailer(struct cursor *cursor, uint32_t index, void *to)
{
	struct portable_trailer *trailer = to;
	uint64_t none;
	bool good;

	if (index == TRAILER_END)
		good = cursor->at < cursor->end && *cursor->at++ == TAG_TRUE;
	else
		good = take_hash(cursor, sizeof(trailer->sum), &none, &trailer->sum);
	return good ? NULL : trailer_specials[index].data;
}

const char *portable_unpack_header(const void *bytes, size_t size,
				   struct portable_header *ret_header, size_t *ret_used)
{
	struct cursor cursor = { bytes, (const uint8_t *)bytes + size, NULL };
	struct portable_header header = { 0 };
	const char *wrong = take_shape(&cursor, &header_shape, take_header, &header);

	if (wrong != NULL)
		return wrong;
	*ret_header = header;
	*ret_used = (size_t)(cursor.at - (const uint8_t *)bytes);
	return NULL;
}

const char *portable_unpack_trailer(const void *bytes, size_t size,
				    struct portable_trailer *ret_trailer, size_t *ret_used)
{
	struct cursor cursor = { bytes, (const uint8_t *)bytes + size, NULL };
	struct portable_trailer trailer = { 0 };
	const char *wrong = take_shape(&cursor, &trailer_shape, take_trailer, &trailer);

	if (wrong != NULL)
		return wrong;
	*ret_trailer = trailer;
	*ret_used = (size_t)(cursor.at - (const uint8_t *)bytes);
	return NULL;
}

bool portable_is_trailer(const void *bytes, size_t size)
{
	struct cursor cursor = { bytes, (const uint8_t *)bytes + size, NULL };
	struct corral_text key;
	uint64_t pairs;

	return take_map(&cursor, &pairs) && pairs > 0 && take_text(&cursor, &key) &&
	       text_equal(key, trailer_specials[TRAILER_END]);
}

/* ------------------------------------------------------------------- lines */

static const char *take_line(struct cursor *cursor, uint32_t index, void *to)
{
	struct portable_line *line = to;
	struct item_parts parts;
	int64_t ppm;

	if (index == LINE_RATE) {
		if (!take_int(cursor, &ppm) || ppm < 0 || ppm > CORRAL_TAX_PPM_MAX)
			return line_specials[index].data;
		line->own_rate = (uint32_t)ppm + 1;
		return NULL;
	}
	line->words = cursor->at;
	size_t size = item_parse_first(cursor->at, (size_t)(cursor->end - cursor->at), &parts);
	if (size == 0)
		return line_specials[index].data;
	cursor->at += size;
	line->record.words_size = (uint16_t)size;
	parts.item.modifiers = parts.modifiers;
	parts.item.extras = parts.extras;
	item_merge_key(&parts.item, line->seed, line->record.merge);
	return NULL;
}

static_assert(CORRAL_LINES_MAX * sizeof(struct cart_line) <= CORRAL_CART_MAX, "they fit");

/* Number the rate that a line has of its own. False: there are too many. */
static bool number_rate(struct portable_cart *cart, struct portable_line *line)
{
	uint32_t number = money_number(&cart->money, line->own_rate - 1);

	if (number == 0)
		return false;
	cart->money.own[number - 1] = line->own_rate - 1;
	cart->priced = true;
	line->record.rate = (uint16_t)number;
	item_merge_rate(line->own_rate, line->seed, line->record.merge);
	return true;
}

static const char *take_lines(struct cursor *cursor, struct portable_cart *cart)
{
	const char *wrong = cart_map_specials[CART_LINES].data;
	struct cart_head *head = &cart->head;
	uint64_t count;

	cart->lines = cursor->at;
	if (!take_array(cursor, &count) || count > CORRAL_LINES_MAX)
		return wrong;
	head->words_size = 0;
	for (uint64_t i = 0; i < count; i++) {
		struct portable_line line = { .seed = head->seed };

		wrong = take_shape(cursor, &line_shape, take_line, &line);
		if (wrong != NULL)
			return wrong;
		if (line.own_rate != 0 && !number_rate(cart, &line))
			return line_specials[LINE_RATE].data;
		if (head->words_size + line.record.words_size > CORRAL_CART_MAX ||
		    line.words - cart->lines > PORTABLE_MAP_MAX)
			return line_specials[LINE_WORDS].data;
		head->words_size += line.record.words_size;
		line.record.words_at = (uint32_t)(line.words - cart->lines);
		memcpy(cart->records + i * sizeof(line.record), &line.record, sizeof(line.record));
	}
	head->line_count = (uint32_t)count;
	return NULL;
}

/* Complete the records, which are in their place, and copy the words to theirs. */
static void put_lines(struct portable_cart *cart, const struct cart_sections *at, uint8_t *to)
{
	uint32_t words_at = 0;

	for (uint32_t i = 0; i < cart->head.line_count; i++) {
		struct cart_line line = cart_line_at(to + at->lines_at, i);
		const uint8_t *words = cart->lines + line.words_at;

		line.words_at = words_at;
		line.words_sum = XXH3_64bits(words, line.words_size);
		cart->head.lines_sum += cart_line_sum(&line, i);
		memcpy(to + at->lines_at + (size_t)i * sizeof(line), &line, sizeof(line));
		memcpy(to + at->words_at + words_at, words, line.words_size);
		words_at += line.words_size;
	}
}

/* --------------------------------------------------------- remembered operations */

static const char *take_op(struct cursor *cursor, uint32_t index, void *to)
{
	struct portable_op *op = to;
	bool good = true;
	uint64_t none;

	switch (index) {
	case OP_ID:
		good = take_hash(cursor, OP_ID_BYTES, &op->record.id[1], &op->record.id[0]);
		break;
	case OP_STATUS:
		good = take_status(cursor, &op->status);
		break;
	case OP_FINGERPRINT:
		good = take_hash(cursor, FINGERPRINT_BYTES, &none, &op->record.fingerprint);
		break;
	case OP_TOTAL:
		op->has_total = true;
		good = take_int(cursor, &op->total_cents);
		break;
	}
	return good ? NULL : op_specials[index].data;
}

/* The total that an operation answered, if its map does not have it. */
static int64_t sum_of(const struct cart_op *op)
{
	return (int64_t)((uint64_t)op->subtotal_cents + (uint64_t)op->tax_cents);
}

/*
 * Records to `to` and, of a cart with a section of the money, what they answered to `totals`,
 * unless these are NULL.
 */
static const char *take_ops(struct cursor *cursor, uint8_t *to, uint8_t *totals,
			    uint16_t *ret_count)
{
	uint64_t count;

	if (!take_array(cursor, &count) || count > CORRAL_OPS_KEPT)
		return cart_map_specials[CART_OPS].data;
	for (uint64_t i = 0; i < count; i++) {
		struct portable_op op = { 0 };
		const char *wrong = take_shape(cursor, &op_shape, take_op, &op);

		if (wrong != NULL)
			return wrong;
		if (op.status == CORRAL_CHECKED_OUT)
			op.record.line_status |= OP_CHECKED_OUT;
		if (to != NULL)
			memcpy(to + i * sizeof(op.record), &op.record, sizeof(op.record));
		if (totals != NULL)
			money_set_total(totals, (uint32_t)i,
					op.has_total ? op.total_cents : sum_of(&op.record));
	}
	*ret_count = (uint16_t)count;
	return NULL;
}

/* ---------------------------------------------------------------- the money */

static const char *take_adjustment(struct cursor *cursor, uint32_t index, void *to)
{
	struct corral_adjustment *adjustment = to;
	bool good = false;

	switch (index) {
	case ADJUSTMENT_NAME:
		good = take_text(cursor, &adjustment->name) &&
		       adjustment->name.size <= CORRAL_ADJUSTMENT_NAME_MAX;
		break;
	case ADJUSTMENT_KIND:
		adjustment->kind = take_name(cursor, kind_names, COUNT_OF(kind_names));
		good = adjustment->kind < COUNT_OF(kind_names);
		break;
	case ADJUSTMENT_AFTER:
		good = take_bool(cursor, &adjustment->after_tax);
		break;
	}
	return good ? NULL : adjustment_specials[index].data;
}

static const char *take_adjustments(struct cursor *cursor, struct money *money)
{
	uint64_t count;

	if (!take_array(cursor, &count) || count > CORRAL_ADJUSTMENTS_MAX)
		return cart_map_specials[CART_ADJUSTMENTS].data;
	for (uint64_t i = 0; i < count; i++) {
		const char *wrong = take_shape(cursor, &adjustment_shape, take_adjustment,
					       &money->adjustments[i]);

		if (wrong != NULL)
			return wrong;
	}
	money->adjustment_count = (uint32_t)count;
	return NULL;
}

/* For a map without special keys. */
static const char *take_nothing(struct cursor *cursor, uint32_t index, void *to)
{
	(void)cursor;
	(void)index;
	(void)to;
	return DAMAGED;
}

static const char *take_taxed(struct cursor *cursor, struct money *money)
{
	uint64_t count;

	if (!take_array(cursor, &count) || count > CORRAL_RATES_MAX)
		return cart_map_specials[CART_TAXED].data;
	for (uint64_t i = 0; i < count; i++) {
		const char *wrong =
			take_shape(cursor, &taxed_shape, take_nothing, &money->rates[i]);

		if (wrong != NULL)
			return wrong;
	}
	money->rate_count = (uint32_t)count;
	return NULL;
}

static bool take_pricing(struct cursor *cursor, struct money *money)
{
	uint64_t count;

	if (!take_array(cursor, &count) || count > COUNT_OF(pricing_names))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t bit = take_name(cursor, pricing_names, COUNT_OF(pricing_names));

		if (bit == COUNT_OF(pricing_names) || (money->pricing & 1u << bit) != 0)
			return false;
		money->pricing |= 1u << bit;
	}
	return true;
}

/* A code, which need not be one that is known here. */
static bool take_currency(struct cursor *cursor, struct cart_head *head)
{
	struct corral_text code;

	if (!take_text(cursor, &code) || code.size != 3)
		return false;
	for (uint32_t i = 0; i < 3; i++) {
		if (code.data[i] < 'A' || code.data[i] > 'Z')
			return false;
		head->currency = (uint16_t)(head->currency << 5 | (code.data[i] - 'A' + 1));
	}
	return true;
}

static bool take_digits(struct cursor *cursor, struct cart_head *head)
{
	int64_t digits;

	if (!take_int(cursor, &digits) || digits < 0 || digits > UINT8_MAX)
		return false;
	head->currency_digits = (uint8_t)digits;
	return true;
}

/* -------------------------------------------------------------------- a cart */

static bool take_id(struct cursor *cursor, struct corral_text *ret_id)
{
	return take_text(cursor, ret_id) && ret_id->size >= 1 && ret_id->size <= CORRAL_ID_MAX;
}

static bool take_attributes(struct cursor *cursor, struct portable_cart *cart)
{
	struct cursor map = *cursor;
	uint64_t count;

	cart->attributes.at = cursor->at;
	if (!take_map(&map, &count) || count > CORRAL_ATTRIBUTES_MAX || !take_value(cursor))
		return false;
	cart->attributes.end = cursor->at;
	if (cart->attributes.end - cart->attributes.at > CORRAL_CART_MAX)
		return false;
	cart->head.attribute_count = (uint32_t)count;
	if (count > 0) /* none are no bytes at all */
		cart->head.attributes_size = (uint32_t)(cart->attributes.end - cart->attributes.at);
	return true;
}

static const char *take_cart(struct cursor *cursor, uint32_t index, void *to)
{
	struct portable_cart *cart = to;
	bool good = true;

	switch (index) {
	case CART_RESTAURANT:
		good = take_id(cursor, &cart->restaurant_id);
		break;
	case CART_SESSION:
		good = take_id(cursor, &cart->session_id);
		break;
	case CART_STATUS:
		good = take_status(cursor, &cart->head.status);
		break;
	case CART_ATTRIBUTES:
		good = take_attributes(cursor, cart);
		break;
	case CART_CURRENCY:
		good = take_currency(cursor, &cart->head);
		break;
	case CART_DIGITS:
		good = take_digits(cursor, &cart->head);
		break;
	case CART_PRICING:
		cart->priced = true;
		good = take_pricing(cursor, &cart->money);
		break;
	case CART_ADJUSTMENTS:
		cart->priced = true;
		return take_adjustments(cursor, &cart->money);
	case CART_TAXED:
		cart->priced = true;
		return take_taxed(cursor, &cart->money);
	case CART_OPS:
		cart->ops = *cursor;
		return take_ops(cursor, NULL, NULL, &cart->head.ops_count);
	case CART_LINES:
		return take_lines(cursor, cart);
	}
	return good ? NULL : cart_map_specials[index].data;
}

/* Everything is measured and fits: write it. */
static const char *write_version(struct portable_cart *cart, const struct cart_sections *at,
				 uint8_t *to)
{
	struct cart_head *head = &cart->head;
	uint8_t *ids = to + sizeof(*head);
	uint8_t *totals = NULL;
	uint16_t op_count;

	memmove(to + at->lines_at, cart->records, head->line_count * sizeof(struct cart_line));
	memset(ids, 0, at->ops_at - sizeof(*head));
	memcpy(ids, cart->restaurant_id.data, head->restaurant_size);
	memcpy(ids + head->restaurant_size, cart->session_id.data, head->session_size);
	if (head->attributes_size)
		memcpy(to + at->attributes_at, cart->attributes.at, head->attributes_size);
	if (cart->priced) {
		money_store(&cart->money, head->ops_count, to + at->money_at);
		totals = to + at->money_at + money_totals_at(&cart->money);
	}
	put_lines(cart, at, to);
	const char *wrong =
		head->ops_count ? take_ops(&cart->ops, to + at->ops_at, totals, &op_count) : NULL;
	if (wrong != NULL)
		return wrong;
	head->ops_sum = cart_all_ops_sum(to + at->ops_at, head->ops_count);
	memcpy(to, head, sizeof(*head));
	head->sum = cart_front_sum(to, at);
	memcpy(to, &head->sum, sizeof(head->sum));
	return NULL;
}

const char *portable_unpack_cart(const void *bytes, size_t size, uint64_t seed, bool keep_ops,
				 void *buffer, struct portable_version *ret_version,
				 size_t *ret_used)
{
	struct unknown unknown = { 0 };
	struct cursor cursor = { bytes, (const uint8_t *)bytes + size, &unknown };
	struct portable_cart cart = { .head = { .format = CART_FORMAT, .seed = seed },
				      .restaurant_id = { "", 0 },
				      .session_id = { "", 0 },
				      .records = buffer };
	const char *wrong;

	money_init(&cart.money);
	wrong = take_shape(&cursor, &cart_map_shape, take_cart, &cart);
	if (wrong != NULL)
		return wrong;
	if (!keep_ops)
		cart.head.ops_count = 0;
	if (cart.priced)
		cart.head.money_size = (uint16_t)money_size(&cart.money, cart.head.ops_count);
	cart.head.restaurant_size = (uint16_t)cart.restaurant_id.size;
	cart.head.session_size = (uint16_t)cart.session_id.size;
	struct cart_sections at = cart_sections(&cart.head);
	if (at.end > CORRAL_CART_MAX)
		return "lines (the cart is too large)";
	cart.head.size = (uint32_t)at.end;
	wrong = write_version(&cart, &at, buffer);
	if (wrong != NULL)
		return wrong;
	if (cart_validate(buffer, cart.head.size) < 0)
		return "totals, or a number that does not go with the others";
	*ret_version = (struct portable_version){ .size = cart.head.size,
						  .idle_ms = (uint64_t)cart.idle_ms,
						  .ttl_ms = cart.head.ttl_ms,
						  .unknown_keys = unknown.keys,
						  .unknown_within = unknown.within };
	*ret_used = (size_t)(cursor.at - (const uint8_t *)bytes);
	return NULL;
}

size_t portable_append_unknown(const void *from, size_t from_size, void *map, size_t size)
{
	struct cursor cursor = { from, (const uint8_t *)from + from_size, NULL };
	uint8_t *to = map;
	uint64_t pairs;
	uint32_t index;

	if (!take_map(&cursor, &pairs))
		return 0;
	uint32_t count = (uint32_t)to[1] << 8 | to[2]; /* a cart has more than 15 keys */
	assert(to[0] == MAP_16);
	for (uint64_t i = 0; i < pairs; i++) {
		const uint8_t *at = cursor.at;
		if (!take_key(&cursor, &cart_map_shape, i, &index) || !take_value(&cursor))
			return 0;
		if (index < keys_of(&cart_map_shape))
			continue;
		const size_t bytes = (size_t)(cursor.at - at);
		if (bytes > PORTABLE_MAP_MAX - size || count == UINT16_MAX)
			return 0;
		memcpy(to + size, at, bytes);
		size += bytes;
		count++;
	}
	to[1] = (uint8_t)(count >> 8);
	to[2] = (uint8_t)count;
	return size;
}
