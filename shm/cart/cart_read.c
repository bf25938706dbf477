/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_read.c: accessors and checks of a cart version.
 *
 * cart_verify() checks checksums and money, in time linear in the version's size; cart_validate()
 * checks everything (and is quadratic in attributes and extras).
 *
 * Nothing here writes, allocates, or uses a number before it is checked; any damage gives -EUCLEAN.
 * item_unpack.c reads the words.
 */
#include <errno.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

/* ---------------------------------------------------------------- accessors */

/* A number of a head that may stand at any address. */
#define FIELD(bytes, name)                                                                         \
	__extension__({                                                                            \
		__typeof__(((struct cart_head *)0)->name) field_;                                  \
		memcpy(&field_, (const uint8_t *)(bytes) + offsetof(struct cart_head, name),       \
		       sizeof(field_));                                                            \
		field_;                                                                            \
	})

/*
 * The accessor that is called most. It answers plain numbers and follows none of them, so only
 * their ranges are checked.
 */
int cart_get_head(const void *bytes, size_t size, struct corral_head *ret_head)
{
	if (unlikely(!bytes || size < sizeof(struct cart_head) ||
		     FIELD(bytes, format) != CART_FORMAT ||
		     FIELD(bytes, status) > CORRAL_CHECKED_OUT || FIELD(bytes, version) == 0))
		return -EUCLEAN;
	*ret_head = (struct corral_head){ .version = FIELD(bytes, version),
					  .subtotal_cents = FIELD(bytes, subtotal_cents),
					  .tax_cents = FIELD(bytes, tax_cents),
					  .total_cents = FIELD(bytes, total_cents),
					  .tax_ppm = FIELD(bytes, tax_ppm),
					  .item_count = FIELD(bytes, item_count),
					  .line_count = FIELD(bytes, line_count),
					  .status = FIELD(bytes, status),
					  .ttl_ms = FIELD(bytes, ttl_ms),
					  .created_ms = FIELD(bytes, created_ms),
					  .updated_ms = FIELD(bytes, updated_ms),
					  .effective_ttl_ms = FIELD(bytes, ttl_ms) };
	return 0;
}

int cart_get_key(const void *bytes, size_t size, struct corral_key *ret_key)
{
	struct cart_head head;
	int r = cart_load(bytes, size, &head);
	const char *ids;

	if (r)
		return r;
	ids = (const char *)bytes + sizeof(head);
	ret_key->restaurant_id = (struct corral_text){ ids, head.restaurant_size };
	ret_key->session_id = (struct corral_text){ ids + head.restaurant_size, head.session_size };
	return 0;
}

int cart_get_line(const void *bytes, size_t size, uint32_t index, struct corral_line *ret_line)
{
	const uint8_t *all = bytes;
	struct cart_sections at;
	struct cart_head head;
	struct cart_line line;
	int64_t total_cents;
	int r = cart_load(bytes, size, &head);

	if (r)
		return r;
	if (index >= head.line_count)
		return -ENXIO;
	at = cart_sections(&head);
	line = cart_line_at(all + at.lines_at, index);
	read_once(line);
	if (line.words_size > head.words_size ||
	    line.words_at > head.words_size - line.words_size ||
	    !cart_line_total(line.quantity, line.unit_price_cents, line.modifiers_cents,
			     &total_cents))
		return -EUCLEAN;
	*ret_line = (struct corral_line){ .line = line.line,
					  .quantity = line.quantity,
					  .unit_price_cents = line.unit_price_cents,
					  .modifiers_cents = line.modifiers_cents,
					  .total_cents = total_cents,
					  .words = all + at.words_at + line.words_at,
					  .words_size = line.words_size };
	return 0;
}

/* ---------------------------------------------------------------- validate */

static bool all_zero(const uint8_t *bytes, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (bytes[from] != 0)
			return false;
	return true;
}

/* Verify the head's checksum, and that its totals follow from the subtotal. */
static int verify_front(const uint8_t *bytes, const struct cart_head *head,
			const struct cart_sections *at)
{
	int64_t total_cents;

	return cart_front_sum(bytes, at) == head->sum &&
			       head->tax_cents == cart_tax(head->subtotal_cents, head->tax_ppm) &&
			       !add_overflows(head->subtotal_cents, head->tax_cents,
					      &total_cents) &&
			       total_cents == head->total_cents ?
		       0 :
		       -EUCLEAN;
}

/* Check the rest of the front: padding, ids, attributes, times. */
static int validate_front(const uint8_t *bytes, const struct cart_head *head,
			  const struct cart_sections *at)
{
	const char *ids = (const char *)bytes + sizeof(*head);
	uint64_t ids_end = sizeof(*head) + (uint64_t)head->restaurant_size + head->session_size;

	if (!cart_ttl_valid(head->ttl_ms) || !all_zero(bytes, ids_end, at->attributes_at) ||
	    !all_zero(bytes, at->attributes_at + head->attributes_size, at->ops_at) ||
	    !cart_text_valid((struct corral_text){ ids, head->restaurant_size }) ||
	    !cart_text_valid(
		    (struct corral_text){ ids + head->restaurant_size, head->session_size }))
		return -EUCLEAN;
	return attributes_check(bytes + at->attributes_at, head->attributes_size,
				head->attribute_count);
}

static int validate_ops(const uint8_t *ops, const struct cart_head *head)
{
	for (uint32_t i = 0; i < head->ops_count; i++) {
		struct cart_op op = cart_op_at(ops, i);
		int64_t total_cents;

		if (op.version == 0 || op.version > head->version ||
		    (op.line_status & ~OP_CHECKED_OUT) >= head->next_line ||
		    add_overflows(op.subtotal_cents, op.tax_cents, &total_cents))
			return -EUCLEAN;
	}
	return 0;
}

/*
 * Check a line's record against its words, which must begin at words_at. The words themselves are
 * not parsed.
 */
static bool line_sound(const uint8_t *words, const struct cart_head *head,
		       const struct cart_line *line, uint64_t words_at)
{
	return line->line != 0 && line->line < head->next_line &&
	       cart_quantity_valid(line->quantity) && line->unit_price_cents >= 0 &&
	       line->words_at == words_at && line->words_size <= CORRAL_WORDS_MAX &&
	       line->words_size <= head->words_size - words_at &&
	       XXH3_64bits(words + words_at, line->words_size) == line->words_sum;
}

/* Verify each line's checksums, and the head's sums over all lines. */
static int verify_lines(const uint8_t *bytes, const struct cart_head *head,
			const struct cart_sections *at)
{
	uint64_t lines_sum = 0, words_at = 0, item_count = 0;
	__int128 subtotal = 0;

	for (uint32_t i = 0; i < head->line_count; i++) {
		struct cart_line line = cart_line_at(bytes + at->lines_at, i);
		int64_t total_cents;

		if (!line_sound(bytes + at->words_at, head, &line, words_at) ||
		    !cart_line_total(line.quantity, line.unit_price_cents, line.modifiers_cents,
				     &total_cents))
			return -EUCLEAN;
		lines_sum += cart_line_sum(&line, i);
		words_at += line.words_size;
		item_count += line.quantity;
		subtotal += total_cents;
	}
	if (lines_sum != head->lines_sum || words_at != head->words_size ||
	    item_count != head->item_count || subtotal != head->subtotal_cents)
		return -EUCLEAN;
	return 0;
}

/*
 * Check the content of the lines: their numbers differ, and their words agree with their records.
 */
static int validate_lines(const uint8_t *bytes, const struct cart_head *head,
			  const struct cart_sections *at)
{
	uint32_t slots[line_set_slots(head->line_count)];
	struct item_parts parts;
	struct line_set numbers;

	line_set_init(&numbers, slots, line_set_slots(head->line_count));
	for (uint32_t i = 0; i < head->line_count; i++) {
		struct cart_line line = cart_line_at(bytes + at->lines_at, i);
		int r;

		if (line.words_at > head->words_size ||
		    line.words_size > head->words_size - line.words_at)
			return -EUCLEAN; /* it has changed since it was verified */
		r = item_parse(bytes + at->words_at + line.words_at, line.words_size, &parts);
		if (r)
			return r;
		if (parts.modifiers_cents != line.modifiers_cents ||
		    !line_set_add(&numbers, line.line))
			return -EUCLEAN;
	}
	return 0;
}

static int verify(const uint8_t *bytes, const struct cart_head *head,
		  const struct cart_sections *at)
{
	int r = verify_front(bytes, head, at);

	if (r)
		return r;
	if (cart_all_ops_sum(bytes + at->ops_at, head->ops_count) != head->ops_sum)
		return -EUCLEAN;
	return verify_lines(bytes, head, at);
}

int cart_validate(const void *bytes, size_t size)
{
	struct cart_sections at;
	struct cart_head head;
	int r = cart_load(bytes, size, &head);

	if (r)
		return r;
	at = cart_sections(&head);
	r = verify(bytes, &head, &at);
	if (r == 0)
		r = validate_front(bytes, &head, &at);
	if (r == 0)
		r = validate_ops((const uint8_t *)bytes + at.ops_at, &head);
	if (r == 0)
		r = validate_lines(bytes, &head, &at);
	return r;
}

int cart_verify(const void *bytes, size_t size)
{
	struct cart_sections at;
	struct cart_head head;
	int r = cart_load(bytes, size, &head);

	if (r)
		return r;
	at = cart_sections(&head);
	return verify(bytes, &head, &at);
}

int cart_verify_front(const void *bytes, size_t size)
{
	struct cart_sections at;
	struct cart_head head;
	int r = cart_load(bytes, size, &head);

	if (r)
		return r;
	at = cart_sections(&head);
	return verify_front(bytes, &head, &at);
}
