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

#include "cart/item.h"
#include "cart/money.h"

/* ---------------------------------------------------------------- accessors */

/* A number of a head that may stand at any address. */
#define FIELD(bytes, name)                                                                         \
	__extension__({                                                                            \
		__typeof__(((struct cart_head *)0)->name) field_;                                  \
		memcpy(&field_, (const uint8_t *)(bytes) + offsetof(struct cart_head, name),       \
		       sizeof(field_));                                                            \
		field_;                                                                            \
	})

/* Load the section of the money of a version, if it has one; *ret_any says so. */
static int load_money(const void *bytes, size_t size, struct money *ret_money, bool *ret_any)
{
	struct cart_head head;
	int r = cart_load(bytes, size, &head);

	*ret_any = r == 0 && head.money_size != 0;
	if (*ret_any &&
	    !money_load((const uint8_t *)bytes + cart_sections(&head).money_at, &head, ret_money))
		r = -EUCLEAN;
	return r;
}

/*
 * Fill in the members of a head that the section of the money has. Kept apart, since most carts
 * have no such section.
 */
__attribute__((noinline)) static int get_money(const void *bytes, size_t size,
					       struct corral_head *head)
{
	struct money money;
	bool any;
	int r = load_money(bytes, size, &money, &any);

	if (r == 0 && !any)
		r = -EUCLEAN; /* it has changed */
	if (r)
		return r;
	head->pricing = money.pricing;
	head->adjustment_count = money.adjustment_count;
	head->before_tax_cents = money.before_tax_cents;
	head->after_tax_cents = money.after_tax_cents;
	head->rate_count = money.rate_count;
	memcpy(head->rates, money.rates, money.rate_count * sizeof(money.rates[0]));
	return 0;
}

/*
 * The accessor that is called most. Of a plain cart it answers plain numbers and follows none of
 * them, so only their ranges are checked.
 */
int cart_get_head(const void *bytes, size_t size, struct corral_head *ret_head)
{
	struct corral_head *to = ret_head;

	if (unlikely(bytes == NULL || size < sizeof(struct cart_head) ||
		     FIELD(bytes, format) != CART_FORMAT ||
		     FIELD(bytes, status) > CORRAL_CHECKED_OUT || FIELD(bytes, version) == 0))
		return -EUCLEAN;
	to->version = FIELD(bytes, version);
	to->subtotal_cents = FIELD(bytes, subtotal_cents);
	to->tax_cents = FIELD(bytes, tax_cents);
	to->total_cents = FIELD(bytes, total_cents);
	to->tax_ppm = FIELD(bytes, tax_ppm);
	to->item_count = FIELD(bytes, item_count);
	to->line_count = FIELD(bytes, line_count);
	to->status = FIELD(bytes, status);
	to->ttl_ms = FIELD(bytes, ttl_ms);
	to->created_ms = FIELD(bytes, created_ms);
	to->updated_ms = FIELD(bytes, updated_ms);
	to->effective_ttl_ms = to->ttl_ms;
	cart_currency_code((uint32_t)FIELD(bytes, currency_digits) << 16 | FIELD(bytes, currency),
			   to->currency, &to->currency_digits);
	to->pricing = 0;
	to->adjustment_count = 0;
	to->before_tax_cents = 0;
	to->after_tax_cents = 0;
	to->reserved = 0;
	to->rate_count = to->line_count > 0;
	to->rates[0] = (struct corral_rate){ .tax_ppm = to->tax_ppm,
					     .base_cents = to->subtotal_cents,
					     .tax_cents = to->tax_cents };
	return likely(FIELD(bytes, money_size) == 0) ? 0 : get_money(bytes, size, to);
}

int cart_get_adjustment(const void *bytes, size_t size, uint32_t index,
			struct corral_adjustment *ret_adjustment)
{
	struct money money;
	bool any;
	int r = load_money(bytes, size, &money, &any);

	if (r)
		return r;
	if (!any || index >= money.adjustment_count)
		return -ENXIO;
	if (!cart_text_valid(money.adjustments[index].name))
		return -EUCLEAN;
	*ret_adjustment = money.adjustments[index];
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

/* The rate that lines with this number have of their own. False: damaged. */
static bool own_rate(const uint8_t *section, const struct cart_head *head, uint32_t rate,
		     uint32_t *ret_ppm)
{
	if (rate > CART_RATES || head->money_size < sizeof(struct cart_money))
		return false;
	memcpy(ret_ppm, section + offsetof(struct cart_money, own) + (rate - 1) * sizeof(*ret_ppm),
	       sizeof(*ret_ppm));
	return *ret_ppm <= CORRAL_TAX_PPM_MAX;
}

int cart_get_line(const void *bytes, size_t size, uint32_t index, struct corral_line *ret_line)
{
	const uint8_t *all = bytes;
	struct cart_sections at;
	struct cart_head head;
	struct cart_line line;
	int64_t total_cents;
	uint32_t tax_ppm = 0;
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
	if (unlikely(line.rate != 0) && !own_rate(all + at.money_at, &head, line.rate, &tax_ppm))
		return -EUCLEAN;
	*ret_line = (struct corral_line){ .line = line.line,
					  .quantity = line.quantity,
					  .unit_price_cents = line.unit_price_cents,
					  .modifiers_cents = line.modifiers_cents,
					  .total_cents = total_cents,
					  .words = all + at.words_at + line.words_at,
					  .words_size = line.words_size,
					  .own_rate = line.rate != 0,
					  .tax_ppm = tax_ppm };
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

/* Do the parts make up the tax and the total? Kept apart, since most carts are not priced so. */
__attribute__((noinline)) static bool parts_sound(const uint8_t *section,
						  const struct cart_head *head)
{
	struct money money;
	__int128 tax = 0, total;

	if (!money_load(section, head, &money))
		return false;
	total = money.after_tax_cents;
	for (uint32_t i = 0; i < money.rate_count; i++) {
		tax += money.rates[i].tax_cents;
		total += (__int128)money.rates[i].base_cents + money.rates[i].tax_cents;
	}
	return tax == head->tax_cents && total == head->total_cents;
}

/* Verify the head's checksum, and that its totals follow from the subtotal or from the parts. */
static int verify_front(const uint8_t *bytes, const struct cart_head *head,
			const struct cart_sections *at)
{
	int64_t total_cents;
	bool sound;

	if (cart_front_sum(bytes, at) != head->sum)
		return -EUCLEAN;
	sound = head->money_size != 0 ?
			parts_sound(bytes + at->money_at, head) :
			head->tax_cents == cart_tax(head->subtotal_cents, head->tax_ppm) &&
				!add_overflows(head->subtotal_cents, head->tax_cents,
					       &total_cents) &&
				total_cents == head->total_cents;
	return sound ? 0 : -EUCLEAN;
}

/* Check the rest of the front: padding, ids, attributes, times. */
static int validate_front(const uint8_t *bytes, const struct cart_head *head,
			  const struct cart_sections *at)
{
	const char *ids = (const char *)bytes + sizeof(*head);
	uint64_t ids_end = sizeof(*head) + (uint64_t)head->restaurant_size + head->session_size;

	if (!cart_ttl_valid(head->ttl_ms) || !all_zero(bytes, ids_end, at->attributes_at) ||
	    !all_zero(bytes, at->attributes_at + head->attributes_size, at->money_at) ||
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
		    (head->money_size == 0 &&
		     add_overflows(op.subtotal_cents, op.tax_cents, &total_cents)))
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
	       (line->rate == 0 || head->money_size != 0) &&
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
 * Compute the money of the lines anew, and compare it with what the section says. The lines are
 * those that verify_lines() has verified. Kept apart: it has a large stack.
 */
__attribute__((noinline)) static int
verify_money(const uint8_t *bytes, const struct cart_head *head, const struct cart_sections *at)
{
	struct tally tally = { 0 };
	struct money says, is;
	int64_t tax_cents, total_cents;

	if (!money_load(bytes + at->money_at, head, &says))
		return -EUCLEAN;
	is = says;
	for (uint32_t i = 0; i < head->line_count; i++) {
		struct cart_line line = cart_line_at(bytes + at->lines_at, i);
		int64_t cents;

		if (!cart_line_total(line.quantity, line.unit_price_cents, line.modifiers_cents,
				     &cents) ||
		    !money_tally(&tally, &is, line.rate, cents))
			return -EUCLEAN;
	}
	for (uint32_t i = 0; i < CART_RATES; i++)
		if ((is.own[i] != RATE_UNUSED) != (tally.lines[i + 1] > 0))
			return -EUCLEAN;
	if (money_compute(&is, &tally, head->subtotal_cents, head->tax_ppm, &tax_cents,
			  &total_cents) != 0 ||
	    is.rate_count != says.rate_count)
		return -EUCLEAN;
	for (uint32_t i = 0; i < is.rate_count; i++)
		if (is.rates[i].tax_ppm != says.rates[i].tax_ppm ||
		    is.rates[i].base_cents != says.rates[i].base_cents ||
		    is.rates[i].tax_cents != says.rates[i].tax_cents)
			return -EUCLEAN;
	for (uint32_t i = 0; i < is.adjustment_count; i++)
		if (is.adjustments[i].amount_cents != says.adjustments[i].amount_cents)
			return -EUCLEAN;
	return tax_cents == head->tax_cents && total_cents == head->total_cents ? 0 : -EUCLEAN;
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
	r = verify_lines(bytes, head, at);
	return likely(r != 0 || head->money_size == 0) ? r : verify_money(bytes, head, at);
}

/* Check the parts of the section that verify_money() does not look at. */
static int validate_money(const uint8_t *bytes, const struct cart_head *head,
			  const struct cart_sections *at)
{
	const uint8_t *section = bytes + at->money_at;
	struct money money;

	return head->money_size == 0 || (money_load(section, head, &money) &&
					 money_valid(&money, section, head)) ?
		       0 :
		       -EUCLEAN;
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
		r = validate_money(bytes, &head, &at);
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
