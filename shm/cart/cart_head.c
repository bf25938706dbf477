/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_head.c: a version's head, loaded once and checked.
 *
 * Every accessor that follows an offset loads the head first, in constant time: it is copied out
 * once, so that a head that changes meanwhile cannot get around the check.
 */
#include <errno.h>

#include "cart/cart_shape.h"

static bool head_in_range(const struct cart_head *head)
{
	return head->format == CART_FORMAT && cart_currency_valid(cart_currency_of(head)) &&
	       head->status <= CORRAL_CHECKED_OUT && head->version != 0 &&
	       head->version != UINT64_MAX && head->tax_ppm <= CORRAL_TAX_PPM_MAX &&
	       head->restaurant_size >= 1 && head->restaurant_size <= CORRAL_ID_MAX &&
	       head->session_size >= 1 && head->session_size <= CORRAL_ID_MAX &&
	       head->line_count <= CORRAL_LINES_MAX && head->next_line >= 1 &&
	       head->next_line <= LINE_NUMBER_MAX + 1 && head->ops_count <= CORRAL_OPS_KEPT &&
	       head->ops_next < CORRAL_OPS_KEPT &&
	       (head->ops_next == 0 || head->ops_count == CORRAL_OPS_KEPT) &&
	       head->money_size % PADDING == 0 && head->attribute_count <= CORRAL_ATTRIBUTES_MAX &&
	       (head->attribute_count == 0) == (head->attributes_size == 0);
}

int cart_load(const void *bytes, size_t size, struct cart_head *ret_head)
{
	struct cart_head head;

	if (bytes == NULL || size < sizeof(head))
		return -EUCLEAN;
	memcpy(&head, bytes, sizeof(head));
	read_once(head);
	if (head.size > size || head.size > CORRAL_CART_MAX || !head_in_range(&head) ||
	    cart_sections(&head).end != head.size)
		return -EUCLEAN;
	*ret_head = head;
	return 0;
}

int cart_shape(const void *bytes, size_t size)
{
	struct cart_head head;

	return cart_load(bytes, size, &head);
}
