/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext.h: what the C files of the Python client share.
 *
 * The extension keeps to CPython's limited API of 3.11, so one file serves that version and all
 * later ones. What it needs of Python's side (the classes that it fills in, CorralError) is handed
 * to setup() when the package is imported, and lives in the state of the module: an interpreter has
 * a state of its own. What all interpreters of a process share (the thread for waits, see waits.c)
 * is protected by a mutex and knows no object of Python.
 *
 * The GIL. Calls that need only memory keep it: to let it go and take it again costs more than they
 * do. It is let go of where a call waits: to open and to close a store, for another process's
 * change of the same cart, for a change, for the disk; and, where carts are on servers, in each
 * call. Then other threads may run any code, so a call that lets go holds references to all that it
 * uses, the handle included.
 */
#ifndef CORRAL_PYTHON_EXT_H
#define CORRAL_PYTHON_EXT_H

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "corral.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The names of fields and attributes, each a string that is made once. */
#define NAMES(X)                                                                                   \
	X(adjustments)                                                                             \
	X(after_tax)                                                                               \
	X(after_tax_cents)                                                                         \
	X(amount)                                                                                  \
	X(amount_cents)                                                                            \
	X(attributes)                                                                              \
	X(base_cents)                                                                              \
	X(before_tax_cents)                                                                        \
	X(cents)                                                                                   \
	X(created_ms)                                                                              \
	X(currency)                                                                                \
	X(currency_digits)                                                                         \
	X(expires_ms)                                                                              \
	X(extras)                                                                                  \
	X(from_)                                                                                   \
	X(item_count)                                                                              \
	X(items)                                                                                   \
	X(kind)                                                                                    \
	X(label)                                                                                   \
	X(line)                                                                                    \
	X(line_count)                                                                              \
	X(menu_item_id)                                                                            \
	X(missed)                                                                                  \
	X(modifiers)                                                                               \
	X(modifiers_cents)                                                                         \
	X(name)                                                                                    \
	X(notes)                                                                                   \
	X(number)                                                                                  \
	X(op_id)                                                                                   \
	X(pid)                                                                                     \
	X(ppm)                                                                                     \
	X(price_cents)                                                                             \
	X(pricing)                                                                                 \
	X(quantity)                                                                                \
	X(rates)                                                                                   \
	X(restaurant_id)                                                                           \
	X(separate)                                                                                \
	X(session_id)                                                                              \
	X(status)                                                                                  \
	X(step)                                                                                    \
	X(step_count)                                                                              \
	X(steps)                                                                                   \
	X(subtotal_cents)                                                                          \
	X(tax_cents)                                                                               \
	X(tax_ppm)                                                                                 \
	X(time_ms)                                                                                 \
	X(to)                                                                                      \
	X(total_cents)                                                                             \
	X(ttl_ms)                                                                                  \
	X(unit_price_cents)                                                                        \
	X(updated_ms)                                                                              \
	X(version)                                                                                 \
	X(_copy)

#define NAME_NUMBER(name) NAME_##name,
enum name { NAMES(NAME_NUMBER) NAME_COUNT };

/* What Python's side hands to setup(), in this order. */
enum given {
	GIVEN_ERROR, /* CorralError */
	GIVEN_TIMEOUT,
	GIVEN_ITEM,
	GIVEN_LINE,
	GIVEN_MODIFIER,
	GIVEN_ADJUSTMENT,
	GIVEN_RATE,
	GIVEN_ORDER,
	GIVEN_ROW,
	GIVEN_EVENT,
	GIVEN_STEP, /* of an event */
	GIVEN_GAP,
	GIVEN_ENCODE, /* an extra's value to MessagePack, and back */
	GIVEN_DECODE,
	GIVEN_COUNT
};

struct state {
	PyTypeObject *store_type, *listing_type, *copy_type, *answer_type, *waits_type,
		*events_type;
	PyObject *given[GIVEN_COUNT]; /* NULL until setup() */
	PyObject *names[NAME_COUNT];
	PyObject *statuses[2];
	PyObject *kinds[4];
	char *scratch; /* CORRAL_CART_MAX bytes, of calls that keep the GIL; NULL until needed */
};

/*
 * An attachment. The store has one reference, and so has each wait and each call that lets go of
 * the GIL: the last one closes it.
 */
struct handle {
	struct corral *corral;
	struct corral *observer; /* of the same attachment: its reads do not count as activity */
	uint32_t references;     /* atomic: the thread for waits drops some */
	uint32_t cancel;         /* the library's cancel word, of calls that block */
	bool far;                /* carts are on servers: a call takes a round trip */
};

struct store {
	PyObject_HEAD struct handle *handle; /* NULL: it is closed */
	uint32_t patience_ms;
};

/* --------------------------------------------------------------- module.c */

/* Raise CorralError; NULL. step: which was refused, or 0. why: NULL, or in place of the meaning. */
PyObject *raise_corral(struct state *state, int r, uint32_t step, const char *why);

/* CORRAL_CART_MAX bytes that are used until the next call of Python's; NULL and an exception. */
char *scratch_of(struct state *state);

/* How long a call that blocks sleeps before it looks for signals, also for those of others. */
#define SLICE_MS 500

/* ---------------------------------------------------------------- store.c */

extern PyType_Spec store_spec, listing_spec;

void handle_hold(struct handle *handle);
void handle_drop(struct handle *handle);

/* The handle of a store; NULL and an exception: it is closed, or no store. */
struct handle *handle_of(struct state *state, PyObject *store);

/* Around a call on a handle: the GIL is let go of if the call takes a round trip. */
PyThreadState *handle_leave(struct handle *handle);
void handle_return(struct handle *handle, PyThreadState *left);

/* -------------------------------------------------------------- request.c */

enum { REQUEST_HELD = 96, REQUEST_BYTES = 6144 };

/* A change, with all memory and all references that it needs. */
struct request {
	struct state *state;
	struct corral_key key;
	struct corral_op op;
	struct corral_step *steps;
	uint32_t step_count;
	uint32_t *lines;         /* room for a number for each step */
	struct corral_cart cart; /* of a replacement */
	/* where in the arguments the present field is, for messages; NULL: not in a list */
	const char *list, *inner;
	Py_ssize_t index, inner_index;
	/* what is given up by request_end() */
	PyObject **held;
	size_t held_count, held_room;
	struct block *blocks;
	size_t used; /* of bytes */
	PyObject *first_held[REQUEST_HELD];
	_Alignas(16) char bytes[REQUEST_BYTES];
};

void request_begin(struct request *request, struct state *state);
void request_end(struct request *request);

/*
 * These read arguments into a request: true, or an exception, which names the field and its place.
 * What they read into may point to strings of Python's, which the request holds.
 */
bool request_key(struct request *request, PyObject *restaurant, PyObject *session);
bool request_op(struct request *request, PyObject *id, PyObject *if_version, PyObject *patience,
		uint32_t patience_ms);
bool request_steps(struct request *request, PyObject *steps, PyObject *place);
/* draft: a tuple: tax_ppm, pricing, currency, adjustments, attributes, items */
bool request_cart(struct request *request, PyObject *draft);
bool request_text(struct request *request, PyObject *value, const char *field, bool filled,
		  struct corral_text *ret_text);
bool request_whole(struct request *request, PyObject *value, const char *field, int64_t least,
		   int64_t most, int64_t *ret_number);

/* ---------------------------------------------------------------- order.c */

extern PyType_Spec copy_spec, answer_spec;

/* An order of the bytes that a view shows; it has a copy of its own. */
PyObject *order_new(struct state *state, const struct corral_view *view, size_t size);

/* What a change answers. now: what it handed out, or NULL. */
PyObject *answer_new(struct state *state, const struct corral_result *result,
		     const struct request *request, const struct corral_content *now);

PyObject *row_new(struct state *state, const struct corral_entry *entry);

/* An Event, or a Gap. */
PyObject *event_new(struct state *state, const struct corral_event *event);

/* ---------------------------------------------------------------- waits.c */

extern PyType_Spec waits_spec;

/* Once in a process. 0 or -errno. */
int waits_prepare(void);

/* The waits of a handle end: it is closed. */
void waits_cancel_handle(struct handle *handle);

/* In a forked child: what waits the parent had, this process does not have. */
PyObject *waits_after_fork(PyObject *module, PyObject *none);

/* Store.wait(restaurant or None, session or None, after, timeout_ms): it blocks. */
PyObject *waits_block(PyObject *store, PyObject *const *values, Py_ssize_t count);

/* --------------------------------------------------------------- events.c */

extern PyType_Spec events_spec;

struct stream;

/* For a wait of the hub: nothing else looks at it meanwhile. NULL and an exception. */
struct stream *stream_lend(struct state *state, PyObject *events);
struct corral_feed *stream_feed(const struct stream *stream);
struct handle *stream_handle(const struct stream *stream);

/* The hub does not use it any more. In any thread. */
void stream_give_back(struct stream *stream);

void stream_drop(struct stream *stream);

#endif
