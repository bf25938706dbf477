/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_carry.c: a base contains every slot, even one whose cart is damaged.
 *
 * Once a base is whole, the older files are removed. They may have the last valid copy of a cart
 * that is damaged in the arena. So its record is looked up in those files (witness.h), and copied
 * into the base as it was: it stays the journal's record of the slot until the cart is valid again,
 * or ends. The files are read once per base, and only if the base meets a damaged cart.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "cart/cart.h"
#include "journal_write.h"
#include "witness.h"

void journal_end_carrying(struct journal *j)
{
	if (j->former != NULL)
		witness_close(j->former);
	j->former = NULL;
}

/*
 * The hash under which the files have the slot's cart: the one that they have for the slot if they
 * are about this arena, else the one in the slot.
 */
static uint64_t hash_in(const struct journal *j, uint32_t number)
{
	const struct salvage_witness *voice = witness_voice(j->former);
	uint64_t hash = voice->in_slot(voice->context, number);

	return hash != 0 ? hash : load_relaxed(&j->actor->arena->slots[number].hash);
}

/* There is no valid record of the cart. Keep the files: one may be readable by other means. */
static int keep_files(struct journal *j, uint32_t number)
{
	const char *name;
	int r = j->kept ? -ENOENT : witness_keep(j->former, &name);

	if (r == -ENOENT)
		return 0;
	j->kept = r == 0;
	if (r == 0)
		log_line(LOG_ERROR,
			 "the cart in slot %u is damaged, and the journal has no sound record of "
			 "it: its files are kept as %s",
			 number, name);
	return r;
}

int journal_carry_over(struct journal *j, uint32_t number)
{
	const struct arena_header *h = j->actor->arena->header;
	const struct witness_arena arena = { .hash_seed = h->hash_seed, .uuid = h->uuid };
	int64_t touched_ns = 0;
	size_t size = 0;
	int r = 0;

	if (j->former == NULL)
		r = witness_open(j->agent, &arena, &j->former);
	if (r < 0)
		return r; /* without it there is no base */
	const struct salvage_witness *voice = witness_voice(j->former);
	uint8_t *cart = malloc(CORRAL_CART_MAX);
	if (cart == NULL)
		return -ENOMEM;
	r = voice->read(voice->context, hash_in(j, number), cart, &size, &touched_ns);
	if (r == 0 && cart_verify(cart, size) < 0)
		r = -EUCLEAN;
	if (r == 0)
		r = journal_append(j, JOURNAL_CART, number,
				   touched_ns != 0 ? touched_ns : arena_now_ns(j->actor->arena),
				   cart, (uint32_t)size);
	else
		r = keep_files(j, number);
	free(cart);
	return r;
}
