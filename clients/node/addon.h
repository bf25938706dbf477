/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * addon.h: what the C files of the Node client share.
 *
 * The addon hands a whole request over the border between JavaScript and C as an array of doubles
 * and one string, and a whole cart in the same way back; lib/ makes them and takes them apart. So
 * the number of calls of Node-API does not depend on the size of a cart, and no object of a user,
 * with its getters and proxies, is ever touched here. What an array has in it is checked here all
 * the same: no request can make C read or write outside of it.
 *
 * Each JavaScript thread (the main thread, each worker thread) has an instance of its own. Handles
 * of one arena share the library's attachment, so a process has one, however many threads open it.
 */
#ifndef CORRAL_NODE_ADDON_H
#define CORRAL_NODE_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "corral.h"

#define TEXT_MAX CORRAL_CART_MAX /* all texts of a cart, and the values of its extras */
#define COPY_MAX (CORRAL_CART_MAX + sizeof(struct corral_view))
#define SAFE_MAX                                                                                   \
	9007199254740991.0 /* the greatest integer up to which a double has all of them            \
			    */

/* Pointers by the numbers that JavaScript has for them, from 1 on; NULL: this one is free. */
struct table {
	void **places;
	uint32_t count;
};

/* An open store. Its JavaScript object holds one reference, and so does each wait. */
struct store {
	struct corral *corral;
	uint32_t references; /* atomic: waits are dropped by the thread that waits */
	struct table lists;  /* struct corral_list: those that are not done */
	struct table feeds;  /* struct events: each holds a reference */
};

struct waits; /* the waits of one instance, see waits.c */

/* All memory of an instance that outlives a call. Only its own thread uses it. */
struct instance {
	napi_env env;
	struct store **stores; /* by their numbers in JavaScript; NULL: this number is free */
	uint32_t store_count;
	void *scratch; /* a request, see request.c */
	size_t scratch_size;
	char *text; /* TEXT_MAX bytes, or NULL: the texts of a cart that is read */
	void *copy; /* COPY_MAX bytes, or NULL: what the last change has made */
	size_t copied;
	struct waits *waits; /* NULL until the first wait */
};

/* ---------------------------------------------------------------- addon.c */

/*
 * The result of a call of Node-API that failed: NULL, for the caller to return. If no exception is
 * pending, one is thrown; Node refuses that when it ends the thread.
 */
napi_value node_refused(napi_env env);

/* A number for JavaScript. */
napi_value node_number(napi_env env, double number);

/* Drop a reference; the last one closes the store. */
void store_drop(struct store *store);

/* A number for a pointer; -ENOMEM. */
int table_put(struct table *table, void *pointer, double *ret_number);

/* The place of a number; NULL: there is nothing. */
void **table_find(const struct table *table, double number);

/* The store of a number, or NULL. */
struct store *store_find(const struct instance *instance, napi_value number);

/* The arguments of a call, exactly `count` of them, and the instance; false: it was refused. */
bool node_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *ret_values,
		    struct instance **ret_instance);

/* A Float64Array; false if it is none. A detached one has no numbers. */
bool node_doubles(napi_env env, napi_value value, double **ret_numbers, size_t *ret_count);

/* -------------------------------------------------------------- request.c */

enum change_kind { CHANGE_APPLY, CHANGE_REPLACE, CHANGE_DROP };

/* A change, read out of a request. All pointers point into the instance's scratch memory. */
struct request {
	enum change_kind kind;
	struct corral_key key;
	struct corral_op op;
	struct corral_step *steps;
	uint32_t step_count;
	struct corral_cart cart; /* of CHANGE_REPLACE */
	uint32_t *lines;         /* room for a number for each step */
};

/*
 * Read a request of `count` numbers and one string. 0; -EINVAL: it is malformed; -EILSEQ: a text
 * has half a surrogate pair; -ENOMEM; 1: Node-API refused.
 */
int request_read(struct instance *instance, const double *numbers, size_t count, napi_value text,
		 struct request *ret_request);

/*
 * Read a key: the string has both ids, one behind the other, and the restaurant's has this many
 * units. Errors as above.
 */
int request_key(struct instance *instance, napi_value text, napi_value restaurant_units,
		struct corral_key *ret_key);

/* Give up scratch memory beyond what usual requests need. */
void request_end(struct instance *instance);

/* ----------------------------------------------------------------- flat.c */

/* A cart, or the rows of a list, on its way to JavaScript. */
struct flat {
	struct instance *instance;
	struct corral_flat form;
};

/* To be written into these numbers. false: there is no memory. */
bool flat_begin(struct flat *flat, struct instance *instance, double *numbers, size_t room);

void flat_row(struct flat *flat, const struct corral_entry *entry);
void flat_stat(struct flat *flat, const struct corral_stat *stat);

/* At most so many numbers. */
enum { EVENT_NUMBERS = 22 + 3 * CORRAL_EVENT_STEPS };
void flat_event(struct flat *flat, const struct corral_event *event);

/*
 * What the call returns to JavaScript: the text, if all went well; else a number: a negative error,
 * or how many numbers there must be room for. result: what the library said.
 */
napi_value flat_end(struct flat *flat, int result);

/* The same for a cart. */
napi_value flat_end_cart(struct flat *flat, int result);

/* --------------------------------------------------------------- events.c */

struct events; /* a feed that is read, see events.c */

/* The feed of a number, for a wait, which has it for itself until events_release(); else NULL. */
struct events *events_hold(const struct store *store, double number);
struct corral_feed *events_feed(const struct events *feed);
void events_release(struct events *feed);

/* Drop a reference, in any thread. */
void events_drop(struct events *feed);

/* The calls of JavaScript. */
napi_value events_open(napi_env env, napi_callback_info info);
napi_value events_next(napi_env env, napi_callback_info info);
napi_value events_close(napi_env env, napi_callback_info info);

/* ---------------------------------------------------------------- waits.c */

/* The calls of JavaScript about waits; see waits.c. */
napi_value waits_watch(napi_env env, napi_callback_info info);
napi_value waits_begin(napi_env env, napi_callback_info info);
napi_value waits_cancel(napi_env env, napi_callback_info info);

#endif
