/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * addon.c: the module, its instances and stores, and the calls that never wait.
 *
 * A call answers a number that is negative for an error of the library; lib/ makes exceptions of
 * them. It throws only when Node-API refuses something, which happens when a worker thread is
 * terminated in the middle of a call: so the status of each call of Node-API is looked at.
 *
 * Ends. An instance goes with its thread: Node calls instance_free() then, also for terminated
 * workers and process.exit(). What process.abort() or a signal leaves, other processes of the arena
 * clean up, as they do for any dead process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

#define STORES_MAX 65536u
#define LOCATION_MAX 4096u
#define LIST_ROWS 64u
#define CALL_ARGUMENTS_MAX 8u
/* The answer of a change, in the array of the request; then a line for each step. */
enum { ANSWER_STEP = 0, ANSWER_COPIED = 10, ANSWER_NUMBERS = 11 };

napi_value node_refused(napi_env env)
{
	bool pending = true;

	if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
		(void)napi_throw_error(env, "ERR_CORRAL_REFUSED", "Node-API refused a call");
	return NULL;
}

napi_value node_number(napi_env env, double number)
{
	napi_value value;

	return napi_create_double(env, number, &value) == napi_ok ? value : node_refused(env);
}

bool node_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *ret_values,
		    struct instance **ret_instance)
{
	napi_value values[CALL_ARGUMENTS_MAX];
	size_t given = CALL_ARGUMENTS_MAX;
	void *data;

	if (napi_get_cb_info(env, info, &given, values, NULL, &data) != napi_ok) {
		node_refused(env);
		return false;
	}
	if (given != count) {
		(void)napi_throw_type_error(env, "ERR_CORRAL_ARGUMENTS",
					    "wrong number of arguments");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		ret_values[i] = values[i];
	*ret_instance = data;
	return true;
}

bool node_doubles(napi_env env, napi_value value, double **ret_numbers, size_t *ret_count)
{
	napi_typedarray_type type;
	size_t count;
	void *data;
	bool is_array;

	if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
	    napi_get_typedarray_info(env, value, &type, &count, &data, NULL, NULL) != napi_ok ||
	    type != napi_float64_array)
		return false;
	*ret_numbers = data;
	*ret_count = data != NULL ? count : 0;
	return true;
}

/* A Uint8Array; any other value has no bytes. */
static void node_bytes(napi_env env, napi_value value, void **ret_bytes, size_t *ret_size)
{
	napi_typedarray_type type;
	bool is_array;

	*ret_bytes = NULL;
	*ret_size = 0;
	if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
	    napi_get_typedarray_info(env, value, &type, ret_size, ret_bytes, NULL, NULL) !=
		    napi_ok ||
	    type != napi_uint8_array || *ret_bytes == NULL) {
		*ret_bytes = NULL;
		*ret_size = 0;
	}
}

static bool node_u32(napi_env env, napi_value value, uint32_t *ret_number)
{
	double number;

	if (napi_get_value_double(env, value, &number) != napi_ok ||
	    !(number >= 0 && number <= UINT32_MAX))
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* ------------------------------------------------------------------ stores */

void store_drop(struct store *store)
{
	/* acquire and release: what others did with the store comes before its end */
	if (__atomic_sub_fetch(&store->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	/* those of generators that were dropped half-way */
	for (uint32_t i = 0; i < store->feeds.count; i++)
		if (store->feeds.places[i] != NULL)
			events_drop(store->feeds.places[i]);
	corral_close(store->corral);
	for (uint32_t i = 0; i < store->lists.count; i++)
		corral_list_close(store->lists.places[i]);
	free(store->feeds.places);
	free(store->lists.places);
	free(store);
}

int table_put(struct table *table, void *pointer, double *ret_number)
{
	uint32_t at = 0;
	void **places;

	while (at < table->count && table->places[at] != NULL)
		at++;
	if (at == table->count) {
		places = realloc(table->places, (table->count + 1) * sizeof(void *));
		if (places == NULL)
			return -ENOMEM;
		table->places = places;
		table->count++;
	}
	table->places[at] = pointer;
	*ret_number = at + 1;
	return 0;
}

void **table_find(const struct table *table, double number)
{
	if (!(number >= 1 && number <= table->count) || number != (uint32_t)number)
		return NULL;
	void **place = &table->places[(uint32_t)number - 1];
	return *place != NULL ? place : NULL;
}

struct store *store_find(const struct instance *instance, napi_value number)
{
	uint32_t index;

	if (!node_u32(instance->env, number, &index) || index >= instance->store_count)
		return NULL;
	return instance->stores[index];
}

/* A free number, for which there is room in the table. -EMFILE, -ENOMEM. */
static int find_number(struct instance *instance, uint32_t *ret_number)
{
	uint32_t count = instance->store_count;
	struct store **stores;

	for (uint32_t i = 0; i < count; i++) {
		if (instance->stores[i] == NULL) {
			*ret_number = i;
			return 0;
		}
	}
	if (count == STORES_MAX)
		return -EMFILE;
	stores = realloc(instance->stores, (count * 2 + 1) * sizeof(struct store *));
	if (stores == NULL)
		return -ENOMEM;
	memset(stores + count, 0, (count + 1) * sizeof(struct store *));
	instance->stores = stores;
	instance->store_count = count * 2 + 1;
	*ret_number = count;
	return 0;
}

static int open_store(struct instance *instance, const char *location, unsigned flags,
		      uint32_t *ret_number)
{
	struct store *store;
	uint32_t number;
	int r = find_number(instance, &number);

	if (r < 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return -ENOMEM;
	r = corral_open(location, flags, &store->corral);
	if (r < 0) {
		free(store);
		return r;
	}
	store->references = 1;
	instance->stores[number] = store;
	*ret_number = number;
	return 0;
}

/* open(location or undefined, flags): the store's number, or a negative error. */
static napi_value call_open(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	char location[LOCATION_MAX];
	napi_value values[2];
	napi_valuetype type;
	uint32_t number = 0, flags;
	size_t size = 0;
	int r;

	if (!node_arguments(env, info, 2, values, &instance))
		return NULL;
	if (napi_typeof(env, values[0], &type) != napi_ok)
		return node_refused(env);
	if (!node_u32(env, values[1], &flags) || (type != napi_string && type != napi_undefined))
		return node_number(env, -EINVAL);
	if (type == napi_string && napi_get_value_string_utf8(env, values[0], location,
							      sizeof(location), &size) != napi_ok)
		return node_refused(env);
	if (type == napi_string && (strlen(location) != size || size == 0))
		return node_number(env, -EINVAL);
	if (size + 1 == sizeof(location)) /* it may have been cut off */
		return node_number(env, -ENAMETOOLONG);
	r = open_store(instance, type == napi_string ? location : NULL, flags, &number);
	return node_number(env, r < 0 ? (double)r : (double)number);
}

/* close(store): 0, or -EBADF if it is not open. Waits keep the library's handle until they end. */
static napi_value call_close(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct store *store;
	napi_value value;
	uint32_t index;

	if (!node_arguments(env, info, 1, &value, &instance))
		return NULL;
	store = store_find(instance, value);
	if (store == NULL || !node_u32(env, value, &index))
		return node_number(env, -EBADF);
	instance->stores[index] = NULL;
	store_drop(store);
	return node_number(env, 0);
}

/* ------------------------------------------------------------------ changes */

static int make_change(struct corral *corral, const struct request *request,
		       struct corral_result *ret_result)
{
	switch (request->kind) {
	case CHANGE_REPLACE:
		return corral_replace(corral, &request->key, &request->cart, &request->op,
				      ret_result);
	case CHANGE_DROP:
		return corral_drop(corral, &request->key, &request->op, ret_result);
	default:
		return corral_apply(corral, &request->key, request->steps, request->step_count,
				    &request->op, ret_result, request->lines);
	}
}

/*
 * Where a change hands out the new version: memory of the instance, which has room for any cart and
 * its view. NULL: there is none.
 */
static void *copy_room(struct instance *instance)
{
	if (instance->copy == NULL)
		instance->copy = malloc(COPY_MAX);
	return instance->copy;
}

/* How many bytes the version is, with its view behind it, of which only the library knows more. */
static size_t put_view(const struct corral_content *now)
{
	if (now->buffer == NULL || now->error != 0)
		return 0;
	memcpy((char *)now->buffer + now->need, &now->view, sizeof(now->view));
	return now->need + sizeof(now->view);
}

/* The answer, for which there is room. */
static void put_answer(const struct corral_result *result, const struct request *request,
		       double *numbers)
{
	numbers[0] = (double)result->version;
	numbers[1] = (double)result->subtotal_cents;
	numbers[2] = (double)result->tax_cents;
	numbers[3] = (double)result->total_cents;
	numbers[4] = result->item_count;
	numbers[5] = result->line;
	numbers[6] = result->applied;
	numbers[7] = result->status;
	numbers[8] = result->durable;
	numbers[9] = result->sync_error;
	for (uint32_t i = 0; request->lines != NULL && i < request->step_count; i++)
		numbers[ANSWER_NUMBERS + i] = request->lines[i];
}

/* Copy the version that the last change has made; false: there is no room for it, or no version. */
static bool copy_to(const struct instance *instance, napi_value array, napi_value place)
{
	size_t room, copied = instance->copied;
	uint32_t at;
	void *bytes;

	node_bytes(instance->env, array, &bytes, &room);
	if (bytes == NULL || copied == 0 || !node_u32(instance->env, place, &at) || at > room ||
	    copied > room - at)
		return false;
	memcpy((char *)bytes + at, instance->copy, copied);
	return true;
}

/* take(bytes, at): as change() does; true, or there is no room, or no version. */
static napi_value call_take(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[2], taken;

	if (!node_arguments(env, info, 2, values, &instance))
		return NULL;
	return napi_get_boolean(env, copy_to(instance, values[0], values[1]), &taken) == napi_ok ?
		       taken :
		       node_refused(env);
}

/* Read the request, and make the change. Errors as of request_read(). */
static int change(struct instance *instance, struct store *store, napi_value values[])
{
	struct corral_content now = { .buffer = NULL };
	struct corral_result result = { .step = 0 };
	struct request request;
	double *numbers;
	size_t room;
	uint32_t count;
	int r;

	if (!node_doubles(instance->env, values[1], &numbers, &room) ||
	    !node_u32(instance->env, values[2], &count) || count > room)
		return -EINVAL;
	r = request_read(instance, numbers, count, values[3], &request);
	if (r != 0)
		return r;
	/* that there is room for the answer is known before anything is changed */
	if (room < ANSWER_NUMBERS + (size_t)request.step_count)
		return -EINVAL;
	now.buffer = copy_room(instance);
	now.size = CORRAL_CART_MAX;
	if (now.buffer != NULL)
		request.op.now = &now;
	r = make_change(store->corral, &request, &result);
	if (r == 0) {
		instance->copied = put_view(&now);
		put_answer(&result, &request, numbers);
		numbers[ANSWER_COPIED] = copy_to(instance, values[4], values[5]) ?
						 (double)instance->copied :
						 -(double)instance->copied;
	} else {
		numbers[ANSWER_STEP] = result.step;
	}
	return r;
}

/*
 * change(store, numbers, count, text, bytes, at): 0 and the answer in the same numbers, or a
 * negative error and the step that was refused. The new version is copied into a Uint8Array, from
 * there on: its size is in the answer, negative if there was no room, and take() has it until the
 * next change.
 */
static napi_value call_change(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[6];
	struct store *store;
	int r = -EBADF;

	if (!node_arguments(env, info, 6, values, &instance))
		return NULL;
	instance->copied = 0;
	store = store_find(instance, values[0]);
	if (store != NULL)
		r = change(instance, store, values);
	request_end(instance);
	return r > 0 ? node_refused(env) : node_number(env, r);
}

/* -------------------------------------------------------------------- reads */

/* 1: Node-API refused. */
static int get(struct instance *instance, struct store *store, napi_value values[],
	       struct flat *flat)
{
	struct corral_key key;
	double *numbers;
	size_t room;
	bool touch;
	int r;

	if (!node_doubles(instance->env, values[4], &numbers, &room) ||
	    napi_get_value_bool(instance->env, values[3], &touch) != napi_ok)
		return -EINVAL;
	if (!flat_begin(flat, instance, numbers, room))
		return -ENOMEM;
	flat->form.flags = touch ? 0 : CORRAL_OBSERVE;
	r = request_key(instance, values[1], values[2], &key);
	return r == 0 ? corral_read_flat(store->corral, &key, &flat->form) : r;
}

/*
 * get(store, key, restaurant_units, touch, numbers): the text and, in the numbers, the cart; or a
 * negative error, or how many numbers are needed.
 */
static napi_value call_get(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[5];
	struct store *store;
	struct flat flat;
	int r;

	if (!node_arguments(env, info, 5, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL)
		return node_number(env, -EBADF);
	flat = (struct flat){ .instance = instance };
	r = get(instance, store, values, &flat);
	return r > 0 ? node_refused(env) : flat_end_cart(&flat, r);
}

/*
 * The view of bytes that change() has handed out. They have been in JavaScript's hands, so their
 * checksums are verified again.
 */
static int take_view(const void *bytes, size_t size, struct corral_view *ret_view)
{
	size_t copied = size - sizeof(*ret_view);

	if (size <= sizeof(*ret_view))
		return -EINVAL;
	memcpy(ret_view, (const char *)bytes + copied, sizeof(*ret_view));
	ret_view->corral = NULL;
	ret_view->thread = NULL;
	ret_view->bytes = bytes;
	ret_view->size = copied;
	return corral_view_verify(ret_view);
}

/* decode(bytes, from, to, numbers): as get(), of bytes that change() has handed out. */
static napi_value call_decode(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct corral_view view;
	napi_value values[4];
	uint32_t from, to;
	struct flat flat;
	double *numbers;
	void *bytes;
	size_t room, size;
	int r;

	if (!node_arguments(env, info, 4, values, &instance))
		return NULL;
	node_bytes(env, values[0], &bytes, &size);
	if (!node_doubles(env, values[3], &numbers, &room) || !node_u32(env, values[1], &from) ||
	    !node_u32(env, values[2], &to) || from > to || to > size)
		return node_number(env, -EINVAL);
	if (!flat_begin(&flat, instance, numbers, room))
		return node_number(env, -ENOMEM);
	r = take_view((const char *)bytes + from, to - from, &view);
	if (r == 0)
		r = corral_view_flat(&view, &flat.form);
	return flat_end_cart(&flat, r);
}

static int open_list(struct instance *instance, struct store *store, napi_value values[],
		     double *ret_number)
{
	struct corral_text *only = NULL;
	struct corral_list *list;
	struct corral_key key;
	napi_valuetype type;
	int r;

	if (napi_typeof(instance->env, values[2], &type) != napi_ok)
		return 1;
	if (type != napi_undefined) {
		r = request_key(instance, values[2], values[3], &key);
		if (r != 0)
			return r;
		only = &key.restaurant_id;
	}
	r = corral_list_open(store->corral, only, &list);
	if (r < 0)
		return r;
	r = table_put(&store->lists, list, ret_number);
	if (r < 0)
		corral_list_close(list);
	return r;
}

static int next_rows(struct corral_list *list, double *numbers, struct flat *flat)
{
	struct corral_entry *entries = malloc(LIST_ROWS * sizeof(*entries));
	size_t count;
	int r;

	if (entries == NULL)
		return -ENOMEM;
	r = corral_list_next(list, entries, LIST_ROWS, &count);
	if (r == 0) {
		numbers[1] = (double)count;
		for (size_t i = 0; i < count; i++)
			flat_row(flat, &entries[i]);
	}
	free(entries);
	return r;
}

/*
 * Fetch rows. numbers[0] is the list: 0 for a new one, or its number, negative if it is to be
 * closed. Then it is the list's number, or 0 when it is closed, since it is done or an error came;
 * and numbers[1] is how many rows there are.
 */
static int list(struct instance *instance, struct store *store, napi_value values[],
		struct flat *flat)
{
	double *numbers, number;
	void **place;
	bool closes;
	size_t room;
	int r = 0;

	if (!node_doubles(instance->env, values[1], &numbers, &room) || room < 2)
		return -EINVAL;
	number = numbers[0];
	closes = number < 0;
	if (!flat_begin(flat, instance, numbers + 2, room - 2))
		return -ENOMEM;
	if (number == 0)
		r = open_list(instance, store, values, &number);
	if (r != 0)
		return r;
	numbers[0] = number;
	numbers[1] = 0;
	place = table_find(&store->lists, closes ? -number : number);
	if (place == NULL)
		return closes ? 0 : -EINVAL;
	if (!closes)
		r = next_rows(*place, numbers, flat);
	if (r < 0 || numbers[1] == 0) {
		corral_list_close(*place);
		*place = NULL;
		numbers[0] = 0;
	}
	return r;
}

/*
 * list(store, numbers, restaurant or undefined, its units): the text, and in the numbers the
 * list, how many rows there are, and the rows; or a negative error.
 */
static napi_value call_list(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[4];
	struct store *store;
	struct flat flat;
	int r;

	if (!node_arguments(env, info, 4, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL)
		return node_number(env, -EBADF);
	flat = (struct flat){ .instance = instance };
	r = list(instance, store, values, &flat);
	return r > 0 ? node_refused(env) : flat_end(&flat, r);
}

/* label(store, text): 0, or a negative error. */
static napi_value call_label(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[2], zero;
	struct corral_key key;
	struct store *store;
	int r;

	if (!node_arguments(env, info, 2, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL)
		return node_number(env, -EBADF);
	zero = node_number(env, 0);
	if (zero == NULL)
		return NULL;
	r = request_key(instance, values[1], zero, &key); /* all of it is the second of the ids */
	if (r == 0)
		r = corral_set_label(store->corral, key.session_id);
	return r > 0 ? node_refused(env) : node_number(env, r);
}

/* stats(store, numbers): the names, with tabulators between them; or a negative error. */
static napi_value call_stats(napi_env env, napi_callback_info info)
{
	struct corral_stat rows[CORRAL_STATS_MAX];
	struct instance *instance;
	napi_value values[2];
	struct store *store;
	struct flat flat;
	double *numbers;
	size_t room, count;
	int r;

	if (!node_arguments(env, info, 2, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL || !node_doubles(env, values[1], &numbers, &room))
		return node_number(env, store == NULL ? -EBADF : -EINVAL);
	if (!flat_begin(&flat, instance, numbers, room))
		return node_number(env, -ENOMEM);
	r = corral_stats(store->corral, rows, CORRAL_STATS_MAX, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		flat_stat(&flat, &rows[i]);
	return flat_end(&flat, r);
}

/* --------------------------------------------------------------- the module */

static napi_value make_text(napi_env env, const char *text)
{
	napi_value value;

	return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok ?
		       value :
		       node_refused(env);
}

/* why(): why the last open() of this thread failed. */
static napi_value call_why(napi_env env, napi_callback_info info)
{
	struct instance *instance;

	return node_arguments(env, info, 0, NULL, &instance) ? make_text(env, corral_why()) : NULL;
}

/* error(number): its name, a tabulator, and its meaning. */
static napi_value call_error(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	const char *name, *meaning;
	napi_value number, text;
	char both[512];
	double error;
	int size;

	if (!node_arguments(env, info, 1, &number, &instance))
		return NULL;
	if (napi_get_value_double(env, number, &error) != napi_ok ||
	    !(error > -4096 && error < 4096))
		error = -EINVAL;
	name = corral_error_name((int)error);
	meaning = corral_strerror((int)error);
	size = snprintf(both, sizeof(both), "%s\t%s", name, meaning);
	if (size < 0 || (size_t)size >= sizeof(both))
		return make_text(env, "UNKNOWN\tunknown error");
	return napi_create_string_utf8(env, both, (size_t)size, &text) == napi_ok ?
		       text :
		       node_refused(env);
}

/* digits(code): of a currency's minor units; negative: it is none. */
static napi_value call_digits(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value value;
	char code[16]; /* a longer text is cut off, and is no code then, either */
	size_t size;

	if (!node_arguments(env, info, 1, &value, &instance))
		return NULL;
	if (napi_get_value_string_utf8(env, value, code, sizeof(code), &size) != napi_ok)
		return node_number(env, -EINVAL);
	return node_number(env, corral_currency_digits((struct corral_text){ code, size }));
}

static napi_value call_version(napi_env env, napi_callback_info info)
{
	(void)info;
	return make_text(env, corral_version());
}

/* Node calls this when the instance's thread ends, after all JavaScript of it. */
static void instance_free(napi_env env, void *data, void *hint)
{
	struct instance *instance = data;

	(void)env;
	(void)hint;
	for (uint32_t i = 0; i < instance->store_count; i++)
		if (instance->stores[i] != NULL)
			store_drop(instance->stores[i]);
	free(instance->stores);
	free(instance->scratch);
	free(instance->text);
	free(instance->copy);
	free(instance);
}

static const struct {
	const char *name;
	napi_callback call;
} calls[] = {
	{ "open", call_open },         { "close", call_close },     { "label", call_label },
	{ "stats", call_stats },       { "change", call_change },   { "take", call_take },
	{ "get", call_get },           { "decode", call_decode },   { "list", call_list },
	{ "why", call_why },           { "error", call_error },     { "version", call_version },
	{ "watch", waits_watch },      { "wait", waits_begin },     { "cancel", waits_cancel },
	{ "digits", call_digits },     { "feedOpen", events_open }, { "feedNext", events_next },
	{ "feedClose", events_close },
};

/* Node's macro defines this without declaring it, of which clang warns. */
#ifdef NODE_API_MODULE_GET_API_VERSION
NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void);
#endif

NAPI_MODULE_INIT()
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (instance == NULL)
		return node_refused(env);
	instance->env = env;
	if (napi_set_instance_data(env, instance, instance_free, NULL) != napi_ok) {
		free(instance);
		return node_refused(env);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		napi_value function;

		if (napi_create_function(env, calls[i].name, NAPI_AUTO_LENGTH, calls[i].call,
					 instance, &function) != napi_ok ||
		    napi_set_named_property(env, exports, calls[i].name, function) != napi_ok)
			return node_refused(env);
	}
	return exports;
}
