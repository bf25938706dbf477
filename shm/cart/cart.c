/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart.c: plans every change.
 *
 * cart_plan() decides: it checks the change's conditions, lets cart_edit() work out the effect of
 * each step on lines and attributes, computes the totals, and puts the old and the new head into
 * the plan. cart_build() (cart_build.c) only writes. The old head's checksum is verified; those of
 * lines and operations are carried over.
 *
 * This file writes no version, does not allocate, and knows no arena. Time: linear in the lines,
 * operation ids and attributes, each of which is bounded.
 */
#include <errno.h>

#include "cart/money.h"

static_assert(CORRAL_CHECKED_OUT == 1, "one bit of a remembered operation");

/* ------------------------------------------------------------ plan */

static bool makes_cart(const struct cart_change *change)
{
	switch (cart_kind(change)) {
	case CART_ADD:
	case CART_SET_TAX:
	case CART_SET_ATTRIBUTE:
	case CART_SET_TTL:
	case CART_REPLACE:
	case CART_SET_ADJUSTMENT:
	case CART_SET_PRICING:
	case CART_SET_CURRENCY:
		return change->if_version == 0;
	default:
		return false;
	}
}

static int id_check(struct corral_text id)
{
	return id.size ? cart_text_check(id, CORRAL_ID_MAX) : -EINVAL;
}

static int plan_first(const struct cart_change *change, struct cart_plan *plan)
{
	int r;

	if (!makes_cart(change))
		return -ENOENT;
	r = id_check(change->key.restaurant_id);
	if (r == 0)
		r = id_check(change->key.session_id);
	if (r)
		return r;
	if (change->first_version == 0 || change->first_version > VERSION_MAX)
		return -EINVAL;
	plan->head =
		(struct cart_head){ .format = CART_FORMAT,
				    .version = change->first_version,
				    .next_line = 1,
				    .seed = change->seed,
				    .created_ms = change->now_ms,
				    .restaurant_size = (uint16_t)change->key.restaurant_id.size,
				    .session_size = (uint16_t)change->key.session_id.size,
				    .currency = (uint16_t)change->currency,
				    .currency_digits = (uint8_t)(change->currency >> 16) };
	return 0;
}

/* Do two fingerprints stand for the same change? If one is not known, the id alone decides. */
static bool same_change(uint64_t one, uint64_t other)
{
	return one == other || one == CART_NO_FINGERPRINT || other == CART_NO_FINGERPRINT;
}

/* Put the amounts of a version by rate, and of its adjustments, into its answer. */
static void answer_parts(const struct cart_plan *plan, const struct cart_head *head,
			 struct corral_result *answer)
{
	if (unlikely(plan->priced)) {
		cart_price_result(plan, answer);
		return;
	}
	answer->rate_count = head->line_count > 0;
	answer->rates[0] = (struct corral_rate){ .tax_ppm = head->tax_ppm,
						 .base_cents = head->subtotal_cents,
						 .tax_cents = head->tax_cents };
}

/*
 * 1 and the remembered answer, if the same change was made under this operation id; 0 if the id is
 * not remembered; -ENOTUNIQ if another change was made under it; -EUCLEAN.
 */
static int recall(const uint8_t *old, const struct cart_sections *at,
		  const struct cart_change *change, struct cart_plan *plan)
{
	const struct cart_head *head = &plan->old;
	const uint8_t *ops = old + at->ops_at;
	struct corral_result *answer = &plan->result;

	for (uint32_t i = 0; i < head->ops_count; i++) {
		struct cart_op op;

		if (memcmp(ops + i * sizeof(op) + offsetof(struct cart_op, id), change->op_id,
			   sizeof(op.id)) != 0)
			continue;
		op = cart_op_at(ops, i);
		*answer =
			(struct corral_result){ .version = op.version,
						.subtotal_cents = op.subtotal_cents,
						.tax_cents = op.tax_cents,
						.item_count = op.item_count,
						.line = op.line_status & ~OP_CHECKED_OUT,
						.status = (op.line_status & OP_CHECKED_OUT) != 0 };
		if (cart_all_ops_sum(ops, head->ops_count) != head->ops_sum)
			return -EUCLEAN;
		if (plan->priced)
			answer->total_cents =
				money_total(old + at->money_at + plan->old_totals_at, i);
		else if (add_overflows(op.subtotal_cents, op.tax_cents, &answer->total_cents))
			return -EUCLEAN;
		if (op.version == head->version) /* nothing has changed the cart since */
			answer_parts(plan, head, answer);
		return same_change(op.fingerprint, change->fingerprint) ? 1 : -ENOTUNIQ;
	}
	return 0;
}

/*
 * Does the change only prolong the cart's life? Payment takes time, so a cart that is checked out
 * may get a longer life, but not a shorter one.
 */
static bool prolongs(const struct cart_head *head, const struct cart_change *change,
		     const struct cart_step *step)
{
	uint64_t now_ms = head->ttl_ms != 0 ? head->ttl_ms : change->usual_ttl_ms;
	uint64_t then_ms = step->ttl_ms != 0 ? step->ttl_ms : change->usual_ttl_ms;

	return step->kind == CART_SET_TTL && then_ms >= now_ms;
}

/* Does a step of this kind answer with a line? */
static bool has_line(enum cart_step_kind kind)
{
	return kind == CART_ADD || kind == CART_SET_QUANTITY || kind == CART_REMOVE ||
	       kind == CART_CHANGE_QUANTITY || kind == CART_SET_LINE_TAX;
}

/*
 * The lines that a repeat answers with. The cart remembers only the last line of a change. For the
 * other steps the answer is the line in which their item is now; that is the line of the first
 * answer, unless it was removed since.
 */
static void recall_lines(const uint8_t *old, const struct cart_change *change,
			 const struct cart_sections *at, struct cart_plan *plan)
{
	const struct cart_step *steps = cart_steps(change);
	bool last = true;

	plan->head = plan->old;
	for (uint32_t i = cart_step_count(change); i-- > 0;) {
		change->lines[i] = 0;
		if (!has_line(steps[i].kind))
			continue;
		change->lines[i] =
			last ? plan->result.line : cart_line_now(old, at, change, &steps[i], plan);
		last = false;
	}
}

static int plan_next(const uint8_t *old, const struct cart_change *change,
		     const struct cart_sections *at, struct cart_plan *plan)
{
	const struct cart_head *head = &plan->old;
	const enum cart_step_kind kind = cart_kind(change);
	int known;

	if (cart_front_sum(old, at) != head->sum)
		return -EUCLEAN;
	if (unlikely(head->money_size != 0)) {
		if (!money_load(old + at->money_at, head, &plan->money))
			return -EUCLEAN;
		plan->priced = true;
		plan->old_totals_at = money_totals_at(&plan->money);
	}
	known = change->has_op ? recall(old, at, change, plan) : 0;
	if (known == 1 && change->lines != NULL)
		recall_lines(old, change, at, plan);
	if (known)
		return known;
	if (kind == CART_REPLACE ? change->if_version != head->version :
				   change->if_version != 0 && change->if_version != head->version)
		return -ECANCELED;
	plan->head = *head;
	plan->head.version = max_u64(head->version, change->version_floor) + 1;
	if (plan->head.version > VERSION_MAX && kind != CART_DROP)
		return -EUCLEAN; /* no cart lives that long */
	return 0;
}

/* Plan the steps one by one: each finds the cart as the step before leaves it. */
static int plan_steps(const void *old, const struct cart_change *change,
		      const struct cart_sections *at, struct cart_plan *plan)
{
	const struct cart_step *steps = cart_steps(change);
	const uint32_t count = cart_step_count(change);
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		uint32_t line = 0;

		plan->step = i + 1;
		if (unlikely(plan->head.status == CORRAL_CHECKED_OUT) &&
		    steps[i].kind != CART_DROP && !prolongs(&plan->head, change, &steps[i]))
			return -ESHUTDOWN;
		r = cart_edit(old, at, change, &steps[i], plan, &line);
		if (line != 0)
			plan->result.line = line;
		if (change->lines != NULL)
			change->lines[i] = line;
	}
	if (r == 0 && (plan->cut_count | plan->pair_edit_count) != 0)
		r = cart_edits_check(plan);
	if (r == 0)
		plan->step = 0;
	return r;
}

/* Compute the totals, the size and the answer, once the steps are planned. */
static int plan_finish(const uint8_t *old_lines, const struct cart_change *change,
		       struct cart_plan *plan)
{
	struct cart_head *head = &plan->head;
	uint64_t size;

	if (cart_kind(change) != CART_DROP) {
		head->hash = change->hash;
		head->updated_ms = change->now_ms;
		if (change->has_op && head->ops_count == CORRAL_OPS_KEPT) {
			plan->op_index = head->ops_next;
			head->ops_next = (uint16_t)((head->ops_next + 1) % CORRAL_OPS_KEPT);
		} else if (change->has_op) {
			plan->op_index = head->ops_count++;
		}
		if (unlikely(plan->priced)) {
			int r = cart_price(old_lines, change, plan);

			if (r)
				return r;
		} else {
			head->tax_cents = cart_tax(head->subtotal_cents, head->tax_ppm);
			if (add_overflows(head->subtotal_cents, head->tax_cents,
					  &head->total_cents))
				return -EOVERFLOW;
			if (head->total_cents < 0)
				return -EDOM;
		}
		size = cart_sections(head).end;
		if (size > CORRAL_CART_MAX)
			return -E2BIG;
		plan->size = head->size = (uint32_t)size;
	}
	plan->result.version = head->version;
	plan->result.subtotal_cents = head->subtotal_cents;
	plan->result.tax_cents = head->tax_cents;
	plan->result.total_cents = head->total_cents;
	plan->result.item_count = head->item_count;
	plan->result.status = head->status;
	plan->result.applied = 1;
	answer_parts(plan, head, &plan->result);
	return 0;
}

/*
 * Plan to put a whole version from elsewhere. 1: the present cart is at least as new. If there is
 * none, but the key has had carts, the version's number continues theirs, so that a caller that
 * waits for a version, or expects one, never meets a former number again.
 */
static int plan_put(const void *old, size_t old_size, const struct cart_change *change,
		    struct cart_plan *plan)
{
	struct cart_head head;

	memcpy(&plan->head, change->version, sizeof(plan->head));
	plan->head.hash = change->hash;
	if (old == NULL)
		plan->head.version = max_u64(plan->head.version, change->first_version);
	plan->size = plan->head.size;
	plan->result = (struct corral_result){ .version = plan->head.version, .applied = 1 };
	return old != NULL && cart_load(old, old_size, &head) == 0 &&
	       head.version >= plan->head.version;
}

/*
 * Begin a plan without edits. It is set member by member, since clearing all of it takes longer
 * than planning an add.
 */
static void plan_begin(const struct cart_change *change, struct cart_plan *plan)
{
	memset(&plan->result, 0, offsetof(struct corral_result, rates));
	plan->size = 0;
	plan->lines_edit = LINES_KEEP;
	plan->attributes_edit = ATTRIBUTES_KEEP;
	plan->op_index = 0;
	plan->line_edit_count = 0;
	plan->pair_edit_count = 0;
	plan->cut_count = 0;
	plan->map_header_size = 0;
	plan->pairs_size = 0;
	plan->priced = false;
	plan->old_totals_at = 0;
	plan->line_edits = change->steps != NULL ? change->line_edits : &plan->line_edit;
	plan->pair_edits = change->steps != NULL ? change->pair_edits : &plan->pair_edit;
}

int cart_plan(const void *old, size_t old_size, const struct cart_change *change,
	      struct cart_plan *ret_plan)
{
	static const struct cart_head
		nothing; /* in place of the bytes of a cart that is not there */
	struct cart_sections at;
	int r;

	ret_plan->step = 0;
	if (cart_kind(change) == CART_PUT)
		return plan_put(old, old_size, change, ret_plan);
	plan_begin(change, ret_plan);
	if (old == NULL)
		memset(&ret_plan->old, 0, sizeof(ret_plan->old));
	r = old != NULL ? cart_load(old, old_size, &ret_plan->old) : 0;
	if (r)
		return r;
	at = cart_sections(&ret_plan->old);
	r = old != NULL ? plan_next(old, change, &at, ret_plan) : plan_first(change, ret_plan);
	if (r != 0)
		return r;
	r = plan_steps(old != NULL ? old : &nothing, change, &at, ret_plan);
	return r == 0 ? plan_finish((const uint8_t *)(old != NULL ? old : &nothing) + at.lines_at,
				    change, ret_plan) :
			r;
}
