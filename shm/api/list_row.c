/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list_row.c: see list_row.h. */
#include <string.h>

#include "api/list_row.h"
#include "cart/cart.h"

bool list_fill_row(const void *cart, size_t room, const struct corral_text *restaurant,
		   struct corral_entry *ret_entry)
{
	struct corral_key key;

	if (cart_verify_front(cart, room) < 0 || cart_get_key(cart, room, &key) < 0 ||
	    cart_get_head(cart, room, &ret_entry->head) < 0)
		return false; /* damaged: `corral check` reports it */
	if (key.restaurant_id.size > CORRAL_ID_MAX || key.session_id.size > CORRAL_ID_MAX ||
	    (restaurant != NULL &&
	     (restaurant->size != key.restaurant_id.size ||
	      memcmp(restaurant->data, key.restaurant_id.data, restaurant->size) != 0)))
		return false;
	memcpy(ret_entry->restaurant_id, key.restaurant_id.data, key.restaurant_id.size);
	ret_entry->restaurant_id[key.restaurant_id.size] = '\0';
	memcpy(ret_entry->session_id, key.session_id.data, key.session_id.size);
	ret_entry->session_id[key.session_id.size] = '\0';
	return true;
}
