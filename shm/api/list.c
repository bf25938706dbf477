/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c: lists of carts: the slots by number, in read-side sections of bounded length. Takes no
 * lock, makes no system call.
 *
 * Between two calls a list is a number, and no section is open: it may be left alone for any time,
 * and a process that dies with it leaves nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "api/list_row.h"
#include "api/remote.h"
#include "api/unregistered.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

#define LIST_ROWS_AT_A_TIME 64u
/* then the section ends, so that a long list stalls no grace period */
#define LIST_SLOTS_AT_A_TIME 4096u
/*
 * A section is done again if it was revoked, since memory ran out, or if the slots changed faster
 * than they could be read: with half as many slots each time, and so many times.
 */
#define AGAIN_MAX 100u
#define HALVINGS_MAX 6u

struct corral_list {
	struct corral *corral;
	uint64_t at;                          /* the next slot */
	void *buffer;                         /* of an unregistered handle; else NULL */
	const struct corral_text *restaurant; /* NULL: all; else &text */
	struct corral_text text;
	const struct engine *engine; /* of a handle to one; it outlives the handle */
	void *cursor;                /* the engine's cursor */
	char id[CORRAL_ID_MAX];
};

static int check_restaurant(const struct corral_text *restaurant)
{
	if (restaurant == NULL)
		return 0;
	if (restaurant->data == NULL || restaurant->size == 0)
		return -EINVAL;
	return restaurant->size <= CORRAL_ID_MAX ? 0 : -ENAMETOOLONG;
}

int corral_list_open(struct corral *corral, const struct corral_text *restaurant_id,
		     struct corral_list **ret_list)
{
	int r = check_restaurant(restaurant_id);

	if (r < 0)
		return r;
	struct corral_list *list = calloc(1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	list->corral = corral;
	list->engine = corral->remote != NULL ? corral->remote->engine : NULL;
	if (corral->unregistered && (list->buffer = malloc(CORRAL_CART_MAX)) == NULL) {
		free(list);
		return -ENOMEM;
	}
	if (restaurant_id != NULL) {
		memcpy(list->id, restaurant_id->data, restaurant_id->size);
		list->text = (struct corral_text){ list->id, restaurant_id->size };
		list->restaurant = &list->text;
	}
	*ret_list = list;
	return 0;
}

void corral_list_close(struct corral_list *list)
{
	if (list == NULL)
		return;
	if (list->engine != NULL)
		list->engine->list_end(list->cursor);
	free(list->buffer);
	free(list);
}

/*
 * Inside a section: fill a row with one slot's cart. 1; 0: there is none to show; -EBUSY as
 * slot_look().
 */
static int fill_entry(struct corral *corral, uint32_t number, bool fenced,
		      const struct corral_text *restaurant, struct corral_entry *entry)
{
	struct found found;
	int64_t deadline = 0;

	int r = slot_look(&corral->arena, number, fenced, &found, &deadline);
	if (r < 0)
		return r == -EBUSY ? r : 0; /* none, or damaged, which `corral check` reports */
	size_t room = min_u64(found.room, CLASS_LARGEST - sizeof(struct block_header));
	if (!list_fill_row(found.cart, room, restaurant, entry))
		return 0;
	entry->expires_ms = handle_wall_ms(corral, deadline);
	handle_complete_head(corral, &entry->head);
	return 1;
}

/*
 * The slots from *at on, up to `stop`, in one section. The number of rows, at most max, and *at is
 * moved on; -EAGAIN: the rows may be garbage; -EBUSY.
 */
static int fill_some(const struct corral_list *list, struct actor *actor, uint64_t stop,
		     struct corral_entry *entries, size_t max, uint64_t *at)
{
	uint64_t next = *at;
	int rows = 0, r = 0;

	grace_enter(actor);
	for (; next < stop && (size_t)rows < max && r >= 0; next++) {
		r = fill_entry(list->corral, (uint32_t)next, actor->fenced, list->restaurant,
			       &entries[rows]);
		rows += r > 0;
	}
	r = grace_leave_with(actor, r < 0 ? r : 0);
	if (r < 0)
		return r;
	*at = next;
	return rows;
}

static int fill_rows(const struct corral_list *list, struct actor *actor,
		     struct corral_entry *entries, size_t max, uint64_t *at, size_t *ret_count)
{
	const struct arena *arena = &list->corral->arena;
	uint64_t end = min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
	uint32_t again = 0;
	size_t count = 0;

	while (*at < end && count < max) {
		uint64_t slots = LIST_SLOTS_AT_A_TIME >> min_u64(again, HALVINGS_MAX);
		int r = fill_some(list, actor, min_u64(end, *at + slots), &entries[count],
				  min_u64(max - count, LIST_ROWS_AT_A_TIME), at);

		if (r == -EAGAIN && ++again < AGAIN_MAX)
			continue;
		if (r < 0)
			return r == -EAGAIN ? -EBUSY : r;
		count += (size_t)r;
	}
	*ret_count = count;
	return 0;
}

int corral_list_next(struct corral_list *list, struct corral_entry *ret_entries, size_t max,
		     size_t *ret_count)
{
	struct corral *corral = list->corral;
	uint64_t at = list->at;
	struct actor *actor;
	size_t count = 0;
	int r;

	if (unlikely(list->engine != NULL))
		return remote_list(corral, &list->cursor, list->restaurant, ret_entries, max,
				   ret_count);
	if (unlikely(corral->unregistered)) {
		r = unregistered_list(corral, list->restaurant, list->buffer, &at, ret_entries, max,
				      &count);
	} else {
		r = handle_actor(corral, &actor);
		if (r == 0)
			r = fill_rows(list, actor, ret_entries, max, &at, &count);
	}
	r = handle_verdict(corral, r);
	if (r < 0)
		return r;
	list->at = at;
	*ret_count = count;
	return 0;
}
