/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_cart.c: a cart as a MessagePack map. See peer_cart.h.
 */
#include <errno.h>
#include <string.h>

#include "peer_cart.h"

/* ------------------------------------------------------------------- write */

static void pack_text(msgpack_packer *packer, const char *text, size_t size)
{
	msgpack_pack_str(packer, size);
	msgpack_pack_str_body(packer, text, size);
}

static void pack_name(msgpack_packer *packer, const char *name)
{
	pack_text(packer, name, strlen(name));
}

static void pack_line(msgpack_packer *packer, const struct corral_item *item, const char *notes,
		      size_t notes_size)
{
	msgpack_pack_map(packer, notes != NULL ? 6 : 5);
	pack_name(packer, "id");
	pack_text(packer, item->menu_item_id.data, item->menu_item_id.size);
	pack_name(packer, "name");
	pack_text(packer, item->name.data, item->name.size);
	pack_name(packer, "price");
	msgpack_pack_int64(packer, item->unit_price_cents);
	pack_name(packer, "quantity");
	msgpack_pack_uint32(packer, item->quantity);
	pack_name(packer, "modifiers");
	msgpack_pack_array(packer, item->modifier_count);
	for (uint32_t i = 0; i < item->modifier_count; i++) {
		msgpack_pack_map(packer, 2);
		pack_name(packer, "name");
		pack_text(packer, item->modifiers[i].name.data, item->modifiers[i].name.size);
		pack_name(packer, "price");
		msgpack_pack_int64(packer, item->modifiers[i].price_cents);
	}
	if (notes != NULL) {
		pack_name(packer, "notes");
		pack_text(packer, notes, notes_size);
	}
}

static void pack_head(msgpack_packer *packer, uint64_t version, int64_t total)
{
	msgpack_pack_map(packer, 3);
	pack_name(packer, "version");
	msgpack_pack_uint64(packer, version);
	pack_name(packer, "total");
	msgpack_pack_int64(packer, total);
	pack_name(packer, "lines");
}

static void make(uint32_t lines, const char *notes, size_t notes_size, msgpack_sbuffer *out)
{
	struct dataset_item item;
	msgpack_packer packer;
	int64_t total = 0;

	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	for (uint32_t i = 0; i < lines; i++) {
		dataset_item_at(i, &item);
		total += (int64_t)item.item.quantity *
			 (item.item.unit_price_cents +
			  (item.item.modifier_count > 0 ? item.modifier.price_cents : 0));
	}
	pack_head(&packer, 1, total);
	msgpack_pack_array(&packer, lines);
	for (uint32_t i = 0; i < lines; i++) {
		dataset_item_at(i, &item);
		pack_line(&packer, &item.item, i + 1 == lines && notes_size > 0 ? notes : NULL,
			  notes_size);
	}
}

void peer_cart_make(uint32_t lines, uint32_t bytes, msgpack_sbuffer *out)
{
	static char notes[DATASET_CART_BYTES_MAX];

	msgpack_sbuffer_clear(out);
	make(lines, NULL, 0, out);
	if (out->size + 16 < bytes && bytes <= sizeof(notes)) {
		size_t padding = bytes - out->size - 16;
		memset(notes, 'n', sizeof(notes));
		msgpack_sbuffer_clear(out);
		make(lines, notes, padding, out);
	}
}

void peer_cart_item(const struct dataset_item *item, msgpack_sbuffer *out)
{
	msgpack_packer packer;

	msgpack_sbuffer_clear(out);
	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	pack_line(&packer, &item->item, NULL, 0);
}

/* -------------------------------------------------------------------- read */

static bool is_text(const msgpack_object *object, const char *text, size_t size)
{
	return object->type == MSGPACK_OBJECT_STR && object->via.str.size == size &&
	       memcmp(object->via.str.ptr, text, size) == 0;
}

/* The value of a key; NULL: the object is no map, or lacks the key. */
static msgpack_object *value_of(const msgpack_object *map, const char *name)
{
	if (map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, name, strlen(name)))
			return &map->via.map.ptr[i].val;
	return NULL;
}

static int64_t number_of(const msgpack_object *map, const char *name)
{
	const msgpack_object *value = value_of(map, name);

	return value != NULL && (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
				 value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) ?
		       value->via.i64 :
		       0;
}

/*
 * The length of a list. Anything else counts as empty, since a server's language may have turned an
 * empty list into an empty map.
 */
static uint32_t count_of(const msgpack_object *list)
{
	return list != NULL && list->type == MSGPACK_OBJECT_ARRAY ? list->via.array.size : 0;
}

/* Is the line for this item, with the same modifiers? */
static bool is_line_of(const msgpack_object *line, const struct corral_item *item)
{
	const msgpack_object *id = value_of(line, "id"), *modifiers = value_of(line, "modifiers");

	if (id == NULL || !is_text(id, item->menu_item_id.data, item->menu_item_id.size) ||
	    count_of(modifiers) != item->modifier_count)
		return false;
	for (uint32_t i = 0; i < item->modifier_count; i++) {
		const msgpack_object *name = value_of(&modifiers->via.array.ptr[i], "name");
		if (name == NULL ||
		    !is_text(name, item->modifiers[i].name.data, item->modifiers[i].name.size))
			return false;
	}
	return true;
}

static int64_t line_total(const msgpack_object *line)
{
	const msgpack_object *modifiers = value_of(line, "modifiers");
	int64_t price = number_of(line, "price");

	for (uint32_t i = 0; i < count_of(modifiers); i++)
		price += number_of(&modifiers->via.array.ptr[i], "price");
	return price * number_of(line, "quantity");
}

static int add_to(msgpack_object *cart, const struct corral_item *item, msgpack_sbuffer *out)
{
	msgpack_object *lines = value_of(cart, "lines");
	bool found = false;
	msgpack_packer packer;
	int64_t total = 0;

	if (lines == NULL || lines->type != MSGPACK_OBJECT_ARRAY)
		return -EUCLEAN;
	for (uint32_t i = 0; i < lines->via.array.size; i++) {
		msgpack_object *line = &lines->via.array.ptr[i],
			       *quantity = value_of(line, "quantity");
		if (!found && quantity != NULL && is_line_of(line, item)) {
			quantity->via.u64 += item->quantity;
			found = true;
		}
		total += line_total(line);
	}
	if (!found)
		total += (int64_t)item->quantity * item->unit_price_cents;
	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	pack_head(&packer, (uint64_t)number_of(cart, "version") + 1, total);
	msgpack_pack_array(&packer, lines->via.array.size + !found);
	for (uint32_t i = 0; i < lines->via.array.size; i++)
		msgpack_pack_object(&packer, lines->via.array.ptr[i]);
	if (!found)
		pack_line(&packer, item, NULL, 0);
	return 0;
}

int peer_cart_add(const void *bytes, size_t size, const struct dataset_item *item,
		  msgpack_sbuffer *out)
{
	msgpack_unpacked cart;
	size_t used = 0;

	msgpack_sbuffer_clear(out);
	msgpack_unpacked_init(&cart);
	int r = msgpack_unpack_next(&cart, bytes, size, &used) == MSGPACK_UNPACK_SUCCESS ?
			add_to(&cart.data, &item->item, out) :
			-EUCLEAN;
	msgpack_unpacked_destroy(&cart);
	return r;
}

int peer_cart_version(const void *bytes, size_t size, uint64_t *ret_version)
{
	msgpack_unpacked cart;
	size_t used = 0;

	msgpack_unpacked_init(&cart);
	int r = msgpack_unpack_next(&cart, bytes, size, &used) == MSGPACK_UNPACK_SUCCESS ? 0 :
											   -EUCLEAN;
	if (r == 0)
		*ret_version = (uint64_t)number_of(&cart.data, "version");
	msgpack_unpacked_destroy(&cart);
	return r;
}
