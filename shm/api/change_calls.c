/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change_calls.c: the public calls that change a cart: check and pack the input, outside of any
 * lock, then change_cart().
 */
#include <errno.h>
#include <stdlib.h>

#include "api/change.h"

#define WORDS_USUAL 2048u /* most lines' words are a tenth of this */
#define DRAFT_ATTRIBUTES_BYTES                                                                     \
	(CORRAL_ATTRIBUTES_MAX * (CORRAL_ATTRIBUTE_NAME_MAX + CORRAL_ATTRIBUTE_VALUE_MAX + 16))

int corral_add(struct corral *corral, const struct corral_key *key, const struct corral_item *item,
	       const struct corral_op *op, struct corral_result *ret_result)
{
	struct cart_change add = { .kind = CART_ADD };
	uint8_t words[WORDS_USUAL];
	void *large = NULL;

	int r = cart_pack_item(item, corral->arena.hash_seed, words, sizeof(words), &add.words);
	if (unlikely(r == -E2BIG)) { /* too large for the stack, or at all */
		large = malloc(CORRAL_WORDS_MAX);
		r = large == NULL ? -ENOMEM :
				    cart_pack_item(item, corral->arena.hash_seed, large,
						   CORRAL_WORDS_MAX, &add.words);
	}
	if (r == 0) {
		add.quantity = item->quantity;
		r = change_cart(corral, key, &add, op, ret_result);
	}
	free(large);
	return r;
}

int corral_set_quantity(struct corral *corral, const struct corral_key *key, uint32_t line,
			uint32_t quantity, const struct corral_op *op,
			struct corral_result *ret_result)
{
	struct cart_change set = { .kind = CART_SET_QUANTITY, .line = line, .quantity = quantity };

	if (quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	return change_cart(corral, key, &set, op, ret_result);
}

int corral_remove(struct corral *corral, const struct corral_key *key, uint32_t line,
		  const struct corral_op *op, struct corral_result *ret_result)
{
	struct cart_change drop = { .kind = CART_REMOVE, .line = line };

	return change_cart(corral, key, &drop, op, ret_result);
}

int corral_clear(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		 struct corral_result *ret_result)
{
	struct cart_change clear = { .kind = CART_CLEAR };

	return change_cart(corral, key, &clear, op, ret_result);
}

int corral_set_tax(struct corral *corral, const struct corral_key *key, uint32_t tax_ppm,
		   const struct corral_op *op, struct corral_result *ret_result)
{
	struct cart_change set = { .kind = CART_SET_TAX, .tax_ppm = tax_ppm };

	if (tax_ppm > CORRAL_TAX_PPM_MAX)
		return -ERANGE;
	return change_cart(corral, key, &set, op, ret_result);
}

int corral_set_attribute(struct corral *corral, const struct corral_key *key,
			 const struct corral_text *name, const struct corral_text *value,
			 const struct corral_op *op, struct corral_result *ret_result)
{
	struct cart_change set = { .kind = CART_SET_ATTRIBUTE, .remove_attribute = value == NULL };

	if (name == NULL || name->data == NULL || name->size == 0 ||
	    (value != NULL && value->data == NULL && value->size > 0))
		return -EINVAL;
	if (name->size > CORRAL_ATTRIBUTE_NAME_MAX ||
	    (value != NULL && value->size > CORRAL_ATTRIBUTE_VALUE_MAX))
		return -ENAMETOOLONG;
	if (!cart_text_valid(*name) || (value != NULL && !cart_text_valid(*value)))
		return -EILSEQ;
	set.name = *name;
	if (value != NULL)
		set.value = *value;
	return change_cart(corral, key, &set, op, ret_result);
}

int corral_set_ttl(struct corral *corral, const struct corral_key *key, uint64_t ttl_ms,
		   const struct corral_op *op, struct corral_result *ret_result)
{
	struct cart_change set = { .kind = CART_SET_TTL, .ttl_ms = ttl_ms };

	if (ttl_ms != 0 && (ttl_ms < CORRAL_TTL_MS_MIN || ttl_ms > CORRAL_TTL_MS_MAX))
		return -ERANGE;
	return change_cart(corral, key, &set, op, ret_result);
}

int corral_checkout(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		    struct corral_result *ret_result)
{
	struct cart_change out = { .kind = CART_CHECKOUT };

	return change_cart(corral, key, &out, op, ret_result);
}

int corral_drop(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		struct corral_result *ret_result)
{
	struct cart_change drop = { .kind = CART_DROP };

	return change_cart(corral, key, &drop, op, ret_result);
}

/* Pack a draft into one heap block: lines, their words, the attributes. */
static int pack_draft(const struct corral *corral, const struct corral_cart *cart,
		      struct cart_draft *draft, void **ret_block)
{
	if (cart->line_count > CORRAL_LINES_MAX || cart->attribute_count > CORRAL_ATTRIBUTES_MAX)
		return -E2BIG;
	if (cart->head.tax_ppm > CORRAL_TAX_PPM_MAX)
		return -ERANGE;
	size_t lines_bytes = cart->line_count * sizeof(struct cart_draft_line);
	size_t room = lines_bytes + DRAFT_ATTRIBUTES_BYTES + CORRAL_CART_MAX + CORRAL_WORDS_MAX;
	uint8_t *block = malloc(room);
	if (block == NULL)
		return -ENOMEM;
	struct cart_draft_line *lines = (struct cart_draft_line *)(void *)block;
	uint8_t *at = block + lines_bytes;
	uint8_t *words_end = at + CORRAL_CART_MAX;
	int r = 0;
	for (uint32_t i = 0; i < cart->line_count && r == 0; i++) {
		lines[i].line = cart->lines[i].line;
		lines[i].quantity = cart->lines[i].item.quantity;
		r = at > words_end ? -E2BIG :
				     cart_pack_item(&cart->lines[i].item, corral->arena.hash_seed,
						    at, CORRAL_WORDS_MAX, &lines[i].words);
		at += r == 0 ? lines[i].words.size : 0;
	}
	if (r == 0)
		r = cart_pack_attributes(cart->attributes, cart->attribute_count, at,
					 (size_t)(block + room - at), &draft->attributes_size);
	if (r < 0) {
		free(block);
		return r;
	}
	draft->lines = lines;
	draft->line_count = cart->line_count;
	draft->tax_ppm = cart->head.tax_ppm;
	draft->attributes = at;
	draft->attribute_count = cart->attribute_count;
	*ret_block = block;
	return 0;
}

int corral_replace(struct corral *corral, const struct corral_key *key,
		   const struct corral_cart *cart, const struct corral_op *op,
		   struct corral_result *ret_result)
{
	struct cart_change replace = { .kind = CART_REPLACE };
	void *block;

	if (op == NULL || cart == NULL || (cart->line_count > 0 && cart->lines == NULL) ||
	    (cart->attribute_count > 0 && cart->attributes == NULL))
		return -EINVAL;
	int r = pack_draft(corral, cart, &replace.draft, &block);
	if (r < 0)
		return r;
	r = change_cart(corral, key, &replace, op, ret_result);
	free(block);
	return r;
}
