/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extras.c: one MessagePack value as JSON, and back; the tools' only includer of <msgpack.h>.
 *
 * The extra keys of a line hold arbitrary values. A value that JSON can express becomes that. The
 * others never fail and lose nothing: an unsigned number beyond 63 bits becomes a string of digits;
 * bytes, texts that are not UTF-8 and bytes that are not MessagePack become {"bytes":
 * "hexadecimal"}; an extension has its "type" beside them; infinity and not-a-number become
 * strings. A map's key that is not a text is written as JSON, a list or a map as its bytes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <msgpack.h>

#include "tool.h"

static json_t *convert(const msgpack_object *object);

static json_t *bytes_of(const char *bytes, size_t size)
{
	char *text = must_have(malloc(size * 2 + 1));
	json_t *value;

	for (size_t i = 0; i < size; i++)
		sprintf(text + i * 2, "%02x", (unsigned char)bytes[i]);
	text[size * 2] = 0;
	value = must_have(json_pack("{s:s}", "bytes", text));
	free(text);
	return value;
}

static json_t *text_of(const char *text, size_t size)
{
	json_t *value = json_stringn(size ? text : "", size);

	return value != NULL ? value : bytes_of(text, size);
}

static json_t *unsigned_of(uint64_t number)
{
	char text[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	snprintf(text, sizeof(text), "%" PRIu64, number);
	return json_string(text);
}

static json_t *real_of(double number)
{
	if (isfinite(number))
		return json_real(number);
	return json_string(isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
}

static json_t *array_of(const msgpack_object_array *array)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < array->size; i++)
		json_array_append_new(list, convert(&array->ptr[i]));
	return list;
}

/* A list or a map as its bytes: its JSON would quote the quotes of its own keys, level by level. */
static json_t *packed(const msgpack_object *object)
{
	msgpack_sbuffer bytes;
	msgpack_packer packer;
	json_t *value;

	msgpack_sbuffer_init(&bytes);
	msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
	if (msgpack_pack_object(&packer, *object) < 0)
		must_have(NULL);
	value = bytes_of(bytes.data, bytes.size);
	msgpack_sbuffer_destroy(&bytes);
	return value;
}

/* A map's key that is not a text. */
static char *key_line(const msgpack_object *key)
{
	const bool nests = key->type == MSGPACK_OBJECT_ARRAY || key->type == MSGPACK_OBJECT_MAP;
	json_t *written = nests ? packed(key) : convert(key);
	char *line = json_line(written);

	json_decref(written);
	return line;
}

static json_t *map_of(const msgpack_object_map *map)
{
	json_t *object = must_have(json_object());

	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object *key = &map->ptr[i].key;
		char *line;

		if (key->type == MSGPACK_OBJECT_STR) {
			json_put(object,
				 (struct corral_text){ key->via.str.ptr, key->via.str.size },
				 convert(&map->ptr[i].val));
			continue;
		}
		line = key_line(key);
		json_put(object, corral_text(line), convert(&map->ptr[i].val));
		free(line);
	}
	return object;
}

static json_t *extension_of(const msgpack_object_ext *extension)
{
	json_t *value = bytes_of(extension->ptr, extension->size);

	json_object_set_new(value, "type", json_integer(extension->type));
	return value;
}

static json_t *convert(const msgpack_object *object)
{
	switch (object->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		return must_have(json_boolean(object->via.boolean));
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return must_have(unsigned_of(object->via.u64));
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return must_have(json_integer(object->via.i64));
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return must_have(real_of(object->via.f64));
	case MSGPACK_OBJECT_STR:
		return text_of(object->via.str.ptr, object->via.str.size);
	case MSGPACK_OBJECT_BIN:
		return bytes_of(object->via.bin.ptr, object->via.bin.size);
	case MSGPACK_OBJECT_ARRAY:
		return array_of(&object->via.array);
	case MSGPACK_OBJECT_MAP:
		return map_of(&object->via.map);
	case MSGPACK_OBJECT_EXT:
		return extension_of(&object->via.ext);
	default:
		return must_have(json_null());
	}
}

/* The parser of msgpack-c nests 32 deep at most, hence so does convert(). */
json_t *json_of_msgpack(const void *bytes, size_t size)
{
	msgpack_unpacked unpacked;
	json_t *value;
	size_t used = 0;

	msgpack_unpacked_init(&unpacked);
	if (msgpack_unpack_next(&unpacked, bytes, size, &used) == MSGPACK_UNPACK_SUCCESS &&
	    used == size)
		value = convert(&unpacked.data);
	else
		value = bytes_of(bytes, size);
	msgpack_unpacked_destroy(&unpacked);
	return value;
}

/* ---------------------------------------------------------------- from JSON */

static void pack_text(msgpack_packer *packer, const char *text, size_t size)
{
	msgpack_pack_str(packer, size);
	msgpack_pack_str_body(packer, text, size);
}

/* A parsed value nests no deeper than jansson's parser goes. */
static void pack(msgpack_packer *packer, json_t *value)
{
	const char *key;
	json_t *inner;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		msgpack_pack_map(packer, json_object_size(value));
		json_object_foreach(value, key, inner)
		{
			pack_text(packer, key, strlen(key));
			pack(packer, inner);
		}
		break;
	case JSON_ARRAY:
		msgpack_pack_array(packer, json_array_size(value));
		for (size_t i = 0; i < json_array_size(value); i++)
			pack(packer, json_array_get(value, i));
		break;
	case JSON_STRING:
		pack_text(packer, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		msgpack_pack_int64(packer, json_integer_value(value));
		break;
	case JSON_REAL:
		msgpack_pack_double(packer, json_real_value(value));
		break;
	case JSON_TRUE:
		msgpack_pack_true(packer);
		break;
	case JSON_FALSE:
		msgpack_pack_false(packer);
		break;
	case JSON_NULL:
		msgpack_pack_nil(packer);
		break;
	}
}

void *msgpack_of_json(const json_t *value, size_t *ret_size)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	pack(&packer, (json_t *)(uintptr_t)value); /* jansson iterates over non-const ones only */
	*ret_size = buffer.size;
	return must_have(msgpack_sbuffer_release(&buffer));
}
