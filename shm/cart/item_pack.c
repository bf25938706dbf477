/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * item_pack.c: packs items and attributes as MessagePack; the sole includer of
 * <msgpack.h>.
 *
 * Everything a caller gives is validated here, before any lock is taken, and packed
 * straight into the caller's buffer: nothing is allocated. The merge key that cart_plan()
 * needs is computed on the way.
 *
 * Does not read MessagePack (item_unpack.c). Packed bytes are canonical: the same item
 * always gives the same bytes.
 */
#include <errno.h>
#include <msgpack.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

/* ---------------------------------------------------------------- the packer */

/* The place for packed bytes. Bytes that do not fit are refused. */
struct sink {
	char *at;
	size_t left;
};

/*
 * Inlined into the packer, whose pieces are mostly a byte or two: a call for each took longer than
 * all the rest of it.
 */
static inline __attribute__((always_inline)) int sink_write(void *data, const char *bytes,
							    size_t size)
{
	struct sink *sink = data;

	if (size > sink->left)
		return -1;
	if (size)
		memcpy(sink->at, bytes, size);
	sink->at += size;
	sink->left -= size;
	return 0;
}

/* A text of at most 65535 bytes, with one check of the room for it. */
static inline __attribute__((always_inline)) bool pack_text(struct sink *sink,
							    struct corral_text text)
{
	const size_t size = packed_text_size(text);

	if (size > sink->left)
		return false;
	(void)pack_text_at(text, (uint8_t *)sink->at);
	sink->at += size;
	sink->left -= size;
	return true;
}

/* Copying a constant number of bytes takes an instruction or two; packing them takes dozens. */
#define PACK_KEY(sink, packed) (sink_write(sink, packed, sizeof(packed) - 1) == 0)

/* ---------------------------------------------------------------- validate */

static int text_error(struct corral_text text)
{
	if (text.size && text.data == NULL)
		return -EINVAL;
	if (text.size > CORRAL_WORDS_MAX)
		return -E2BIG;
	return cart_text_valid(text) ? 0 : -EILSEQ;
}

static int modifiers_error(const struct corral_item *item)
{
	if (item->modifier_count > CORRAL_MODIFIERS_MAX)
		return -E2BIG;
	if (item->modifier_count && item->modifiers == NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < item->modifier_count; i++) {
		int r = text_error(item->modifiers[i].name);

		if (r)
			return r;
	}
	return 0;
}

static int extras_error(const struct corral_item *item)
{
	if (item->extra_count > CORRAL_EXTRAS_MAX)
		return -E2BIG;
	if (item->extra_count && item->extras == NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < item->extra_count; i++) {
		const struct corral_extra *extra = &item->extras[i];
		int r = text_error(extra->key);

		if (r)
			return r;
		if (extra->value == NULL)
			return -EINVAL;
		if (extra->value_size > CORRAL_WORDS_MAX)
			return -E2BIG;
		if (!item_value_valid(extra->value, extra->value_size))
			return -EINVAL;
	}
	return item_extras_distinct(item->extras, item->extra_count) ? 0 : -EINVAL;
}

static int item_error(const struct corral_item *item)
{
	int r;

	if (item->menu_item_id.size == 0 || item->separate > 1 || item->own_rate > 1)
		return -EINVAL;
	if (item->quantity < 1 || item->quantity > CORRAL_QUANTITY_MAX ||
	    item->unit_price_cents < 0 || (item->own_rate && item->tax_ppm > CORRAL_TAX_PPM_MAX))
		return -ERANGE;
	r = text_error(item->menu_item_id);
	if (r == 0)
		r = text_error(item->name);
	if (r == 0)
		r = text_error(item->notes);
	if (r == 0)
		r = modifiers_error(item);
	return r || item->extra_count == 0 ? r : extras_error(item);
}

/* ---------------------------------------------------------------- merge key */

/*
 * The key is a sum of 128-bit hashes, one for each part of the item. So modifiers and extras count
 * in any order, and what an item has not costs nothing. Each kind of part has a seed of its own, so
 * that a note never stands for a menu item. (Sums of keyed hashes as hashes of sets: Bellare and
 * Micciancio, "A New Paradigm for Collision-Free Hashing", 1997. Callers do not know the seed.)
 */
enum part { PART_MENU_ITEM, PART_NOTES, PART_MODIFIER, PART_EXTRA, PART_RATE };

static uint64_t part_seed(uint64_t seed, enum part part)
{
	return seed ^ (uint64_t)part * 0x9e3779b97f4a7c15ull;
}

static void add_part(uint64_t sum[2], XXH128_hash_t part)
{
	sum[0] += part.low64;
	sum[1] += part.high64 + (sum[0] < part.low64);
}

static void take_part(uint64_t sum[2], XXH128_hash_t part)
{
	sum[1] -= part.high64 + (sum[0] < part.low64);
	sum[0] -= part.low64;
}

static XXH128_hash_t hash_text(struct corral_text text, uint64_t seed)
{
	return XXH3_128bits_withSeed(text.size ? text.data : "", text.size, seed);
}

static XXH128_hash_t hash_modifier(const struct corral_modifier *modifier, uint64_t seed)
{
	const struct {
		XXH128_hash_t name;
		uint64_t name_size;
		int64_t price_cents;
	} input = { hash_text(modifier->name, seed), modifier->name.size, modifier->price_cents };

	return XXH3_128bits_withSeed(&input, sizeof(input), seed);
}

/* Values are compared by their bytes: the same number may be packed in several ways. */
static XXH128_hash_t hash_extra(const struct corral_extra *extra, uint64_t seed)
{
	const struct {
		XXH128_hash_t key;
		XXH128_hash_t value;
		uint64_t key_size;
		uint64_t value_size;
	} input = { hash_text(extra->key, seed),
		    XXH3_128bits_withSeed(extra->value, extra->value_size, seed), extra->key.size,
		    extra->value_size };

	return XXH3_128bits_withSeed(&input, sizeof(input), seed);
}

void item_merge_key(const struct corral_item *item, uint64_t seed, uint64_t ret_merge[2])
{
	ret_merge[0] = ret_merge[1] = 0;
	if (item->separate)
		return;
	add_part(ret_merge, hash_text(item->menu_item_id, part_seed(seed, PART_MENU_ITEM)));
	if (item->notes.size > 0)
		add_part(ret_merge, hash_text(item->notes, part_seed(seed, PART_NOTES)));
	for (uint32_t i = 0; i < item->modifier_count; i++)
		add_part(ret_merge,
			 hash_modifier(&item->modifiers[i], part_seed(seed, PART_MODIFIER)));
	for (uint32_t i = 0; i < item->extra_count; i++)
		add_part(ret_merge, hash_extra(&item->extras[i], part_seed(seed, PART_EXTRA)));
	if ((ret_merge[0] | ret_merge[1]) == 0)
		ret_merge[0] = 1; /* 0 and 0 mark what stays separate */
}

static XXH128_hash_t hash_rate(uint32_t own_rate, uint64_t seed)
{
	return XXH3_128bits_withSeed(&own_rate, sizeof(own_rate), part_seed(seed, PART_RATE));
}

void item_merge_rate(uint32_t own_rate, uint64_t seed, uint64_t merge[2])
{
	if ((merge[0] | merge[1]) == 0) /* it stays separate */
		return;
	add_part(merge, hash_rate(own_rate, seed));
	if ((merge[0] | merge[1]) == 0)
		merge[0] = 1;
}

void item_merge_rate_anew(uint32_t former, uint32_t own_rate, uint64_t seed, uint64_t merge[2])
{
	const bool separate = (merge[0] | merge[1]) == 0;

	if (former != 0 && !separate)
		take_part(merge, hash_rate(former, seed));
	if (own_rate != 0 && !separate)
		add_part(merge, hash_rate(own_rate, seed));
	if (!separate && (merge[0] | merge[1]) == 0)
		merge[0] = 1;
}

/* ---------------------------------------------------------------- items */

static inline __attribute__((always_inline)) bool
pack_modifiers(msgpack_packer *packer, const struct corral_item *item, struct sink *sink)
{
	bool fits = msgpack_pack_array(packer, item->modifier_count) == 0;

	for (uint32_t i = 0; fits && i < item->modifier_count; i++)
		fits = msgpack_pack_array(packer, 2) == 0 &&
		       pack_text(sink, item->modifiers[i].name) &&
		       msgpack_pack_int64(packer, item->modifiers[i].price_cents) == 0;
	return fits;
}

static inline __attribute__((always_inline)) bool
pack_words(msgpack_packer *packer, const struct corral_item *item, struct sink *sink)
{
	uint32_t pairs = ITEM_OWN_KEYS + (item->separate != 0) + item->extra_count;
	bool fits = msgpack_pack_map(packer, pairs) == 0 && PACK_KEY(sink, ITEM_KEY_MENU_ITEM_ID) &&
		    pack_text(sink, item->menu_item_id) && PACK_KEY(sink, ITEM_KEY_MODIFIERS) &&
		    pack_modifiers(packer, item, sink) && PACK_KEY(sink, ITEM_KEY_NOTES) &&
		    pack_text(sink, item->notes) && PACK_KEY(sink, ITEM_KEY_NAME) &&
		    pack_text(sink, item->name);

	if (fits && unlikely(item->separate))
		fits = PACK_KEY(sink, ITEM_KEY_SEPARATE) && msgpack_pack_true(packer) == 0;
	for (uint32_t i = 0; fits && i < item->extra_count; i++)
		fits = pack_text(sink, item->extras[i].key) &&
		       sink_write(sink, item->extras[i].value, item->extras[i].value_size) == 0;
	return fits;
}

/* At most: the bytes of an object before its content, of a number, and of our own keys. */
#define TAG_BYTES 5u
#define NUMBER_BYTES 9u
#define OWN_BYTES 90u

size_t cart_item_bound(const struct corral_item *item)
{
	size_t bytes = OWN_BYTES;

	if (item == NULL || item->modifier_count > CORRAL_MODIFIERS_MAX ||
	    item->extra_count > CORRAL_EXTRAS_MAX ||
	    (item->modifier_count && item->modifiers == NULL) ||
	    (item->extra_count && item->extras == NULL))
		return 0; /* it will be refused */
	bytes += min_u64(item->menu_item_id.size, CORRAL_WORDS_MAX);
	bytes += min_u64(item->name.size, CORRAL_WORDS_MAX);
	bytes += min_u64(item->notes.size, CORRAL_WORDS_MAX);
	for (uint32_t i = 0; i < item->modifier_count; i++)
		bytes += min_u64(item->modifiers[i].name.size, CORRAL_WORDS_MAX) + 2 * TAG_BYTES +
			 NUMBER_BYTES;
	for (uint32_t i = 0; i < item->extra_count; i++)
		bytes += min_u64(item->extras[i].key.size, CORRAL_WORDS_MAX) + TAG_BYTES +
			 min_u64(item->extras[i].value_size, CORRAL_WORDS_MAX);
	return min_u64(bytes, CORRAL_WORDS_MAX);
}

int cart_pack_item(const struct corral_item *item, uint64_t seed, void *buffer, size_t buffer_size,
		   struct cart_words *ret_words)
{
	size_t room = min_u64(buffer_size, CORRAL_WORDS_MAX);
	struct sink sink = { buffer, room };
	msgpack_packer packer;
	int64_t modifiers_cents = 0, unit_cents;
	int r;

	if (item == NULL || buffer == NULL)
		return -EINVAL;
	r = item_error(item);
	if (r)
		return r;
	if ((item->modifier_count > 0 &&
	     !cart_modifiers_cents(item->modifiers, item->modifier_count, &modifiers_cents)) ||
	    add_overflows(item->unit_price_cents, modifiers_cents, &unit_cents))
		return -EOVERFLOW;
	msgpack_packer_init(&packer, &sink, sink_write);
	if (!pack_words(&packer, item, &sink))
		return -E2BIG;
	ret_words->bytes = buffer;
	ret_words->size = (uint32_t)(room - sink.left);
	ret_words->unit_price_cents = item->unit_price_cents;
	ret_words->modifiers_cents = modifiers_cents;
	ret_words->sum = 0;
	ret_words->own_rate = item->own_rate ? item->tax_ppm + 1 : 0;
	item_merge_key(item, seed, ret_words->merge);
	if (unlikely(ret_words->own_rate != 0))
		item_merge_rate(ret_words->own_rate, seed, ret_words->merge);
	return 0;
}

/* ---------------------------------------------------------------- attributes */

static int attribute_error(const struct corral_attribute *attributes, uint32_t index)
{
	const struct corral_attribute *attribute = &attributes[index];
	int r = attribute->name.size ? cart_text_check(attribute->name, CORRAL_ATTRIBUTE_NAME_MAX) :
				       -EINVAL;

	if (r == 0)
		r = cart_text_check(attribute->value, CORRAL_ATTRIBUTE_VALUE_MAX);
	for (uint32_t i = 0; r == 0 && i < index; i++)
		if (text_equal(attributes[i].name, attribute->name))
			r = -EINVAL;
	return r;
}

int cart_pack_attributes(const struct corral_attribute *attributes, uint32_t count, void *buffer,
			 size_t size, uint32_t *ret_size)
{
	size_t room = min_u64(size, CORRAL_CART_MAX);
	struct sink sink = { buffer, room };
	msgpack_packer packer;

	if (count > CORRAL_ATTRIBUTES_MAX)
		return -E2BIG;
	if (count && (attributes == NULL || buffer == NULL))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		int r = attribute_error(attributes, i);

		if (r)
			return r;
	}
	msgpack_packer_init(&packer, &sink, sink_write);
	if (count && msgpack_pack_map(&packer, count) != 0)
		return -E2BIG;
	for (uint32_t i = 0; i < count; i++)
		if (!pack_text(&sink, attributes[i].name) || !pack_text(&sink, attributes[i].value))
			return -E2BIG;
	*ret_size = (uint32_t)(room - sink.left);
	return 0;
}

/* ---------------------------------------------------------------- operation ids */

int cart_hash_op(struct corral_text id, uint64_t seed, struct cart_change *change)
{
	int r = cart_text_check(id, CORRAL_ID_MAX);
	XXH128_hash_t hash;

	if (r)
		return r;
	hash = hash_text(id, seed);
	change->has_op = id.size != 0;
	change->op_id[0] = hash.low64;
	change->op_id[1] = hash.high64;
	for (uint32_t i = 0; change->has_op && i < cart_step_count(change); i++) {
		struct cart_step *step = change->steps == NULL ? &change->one : &change->steps[i];

		if (step->kind == CART_ADD) /* the fingerprint needs it, and so does a new line */
			step->words.sum = cart_words_sum(&step->words);
	}
	if (change->has_op)
		change->fingerprint = cart_fingerprint(change, seed);
	return 0;
}
