/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.c: an open arena: its calls, and lists of carts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"

#define LIST_ROWS 64u
#define PATIENCE_MS 20u       /* if none is said */
#define PATIENCE_FAR_MS 6000u /* on servers: one that fails is replaced in 2 to 4 s */

/* ----------------------------------------------------------------- handles */

void handle_hold(struct handle *handle)
{
	/* relaxed: the caller has a reference, or the GIL and the store, which has one */
	__atomic_add_fetch(&handle->references, 1, __ATOMIC_RELAXED);
}

void handle_drop(struct handle *handle)
{
	/* acquire and release: what others did with the handle comes before its end */
	if (__atomic_sub_fetch(&handle->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	corral_close(handle->observer);
	corral_close(handle->corral);
	free(handle);
}

PyThreadState *handle_leave(struct handle *handle)
{
	if (!handle->far)
		return NULL;
	handle_hold(handle);
	return PyEval_SaveThread();
}

void handle_return(struct handle *handle, PyThreadState *left)
{
	if (left == NULL)
		return;
	handle_drop(handle);
	PyEval_RestoreThread(left);
}

static struct state *state_of(PyObject *self)
{
	return PyType_GetModuleState(Py_TYPE(self));
}

struct handle *handle_of(struct state *state, PyObject *store)
{
	struct store *self = (struct store *)store;

	if (Py_TYPE(store) != state->store_type || state->given[GIVEN_ERROR] == NULL) {
		PyErr_SetString(PyExc_TypeError, "no store, or the interpreter ends");
		return NULL;
	}
	if (self->handle == NULL)
		raise_corral(state, -EBADF, 0, "the store is closed");
	return self->handle;
}

static bool expect(Py_ssize_t count, Py_ssize_t wanted)
{
	if (count != wanted)
		PyErr_Format(PyExc_TypeError, "%zd arguments are wanted, not %zd", wanted, count);
	return count == wanted;
}

/* ------------------------------------------------------------ open and close */

/* A location with a scheme is servers; but for "dir:", a directory has none. */
static bool is_far(const char *location)
{
	if (location == NULL)
		location = getenv("CORRAL_DIR");
	return location != NULL && strstr(location, "://") != NULL;
}

static int set_patience(struct handle *handle, uint32_t patience_ms)
{
	int r = corral_set_patience(handle->corral, patience_ms);

	return r == 0 ? corral_set_patience(handle->observer, patience_ms) : r;
}

/* Store(location as bytes or None, flags, patience_ms, or -1: as it is usual there) */
static PyObject *store_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
	struct state *state = PyType_GetModuleState(type);
	PyObject *directory;
	char *location = NULL;
	unsigned int flags;
	int patience_ms;
	struct handle *handle;
	struct store *self;
	int r;

	if (keywords != NULL)
		return PyErr_Format(PyExc_TypeError, "Store() takes no keywords");
	if (!PyArg_ParseTuple(args, "OIi", &directory, &flags, &patience_ms) ||
	    (directory != Py_None && PyBytes_AsStringAndSize(directory, &location, NULL) < 0))
		return NULL;
	if (state->given[GIVEN_ERROR] == NULL)
		return PyErr_Format(PyExc_RuntimeError, "setup() was not called");
	self = (struct store *)PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	handle = calloc(1, sizeof(*handle));
	if (handle == NULL) {
		Py_DECREF(self);
		return PyErr_NoMemory();
	}
	handle->references = 1;
	handle->far = is_far(location);
	self->patience_ms = patience_ms >= 0 ? (uint32_t)patience_ms :
			    handle->far      ? PATIENCE_FAR_MS :
					       PATIENCE_MS;
	Py_BEGIN_ALLOW_THREADS;
	r = corral_open(location, flags, &handle->corral);
	if (r == 0)
		r = corral_open(location, flags | CORRAL_OBSERVE, &handle->observer);
	if (r == 0 && handle->far) /* which holds for reads there, too */
		r = set_patience(handle, self->patience_ms);
	Py_END_ALLOW_THREADS;
	if (r < 0) {
		corral_close(handle->observer);
		corral_close(handle->corral);
		free(handle);
		Py_DECREF(self);
		return raise_corral(state, r, 0, corral_why());
	}
	self->handle = handle;
	return (PyObject *)self;
}

static void give_up(struct store *self)
{
	struct handle *handle = self->handle;

	if (handle == NULL)
		return;
	self->handle = NULL;
	waits_cancel_handle(handle);
	Py_BEGIN_ALLOW_THREADS;
	handle_drop(handle);
	Py_END_ALLOW_THREADS;
}

static PyObject *store_close(PyObject *self, PyObject *none)
{
	(void)none;
	give_up((struct store *)self);
	Py_RETURN_NONE;
}

static void store_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	give_up((struct store *)self);
	release(self);
	Py_DECREF(type);
}

static PyObject *store_closed(PyObject *self, void *none)
{
	(void)none;
	return PyBool_FromLong(((struct store *)self)->handle == NULL);
}

/* ------------------------------------------------------------------ changes */

enum change { CHANGE_APPLY, CHANGE_REPLACE, CHANGE_DROP };

static int make_change(struct corral *corral, enum change kind, struct request *request,
		       struct corral_result *ret_result)
{
	switch (kind) {
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

/* The change, with so much patience and without the GIL. */
static int change_away(struct handle *handle, enum change kind, struct request *request,
		       uint32_t patience_ms, struct corral_result *ret_result)
{
	int r;

	request->op.patience_ms = patience_ms;
	handle_hold(handle);
	Py_BEGIN_ALLOW_THREADS;
	r = make_change(handle->corral, kind, request, ret_result);
	handle_drop(handle);
	Py_END_ALLOW_THREADS;
	return r;
}

/*
 * Another thread, or another process, changes this cart: the change once more, as long as its
 * patience lasts. -EINTR and an exception: a signal's handler has raised it, or closed the store.
 */
static int change_patiently(struct state *state, PyObject *store, enum change kind,
			    struct request *request, uint32_t patience_ms,
			    struct corral_result *ret_result)
{
	struct handle *handle;
	uint32_t slice;
	int r = -EBUSY;

	for (; r == -EBUSY && patience_ms > 0; patience_ms -= slice) {
		if (PyErr_CheckSignals() < 0 || (handle = handle_of(state, store)) == NULL)
			return -EINTR;
		slice = patience_ms < SLICE_MS ? patience_ms : SLICE_MS;
		r = change_away(handle, kind, request, slice, ret_result);
	}
	return r;
}

/* The request is read: make the change, and end the request. */
static PyObject *change(struct state *state, PyObject *store, enum change kind,
			struct request *request)
{
	/* what was read may have run code of a user, which closed the store */
	struct handle *handle = handle_of(state, store);
	struct corral_content now = { .size = CORRAL_CART_MAX };
	struct corral_result result = { .step = 0 };
	uint32_t patience_ms = request->op.patience_ms;
	char *own = NULL; /* while the GIL is let go of, others use the scratch memory */
	PyObject *answer = NULL;
	int r = -EBUSY;

	now.buffer = handle != NULL ? scratch_of(state) : NULL;
	if (now.buffer == NULL) {
		request_end(request);
		return NULL;
	}
	request->op.now = &now;
	request->op.patience_ms = 0;
	if (!handle->far)
		r = make_change(handle->corral, kind, request, &result);
	if (handle->far || (r == -EBUSY && patience_ms > 0)) {
		now.buffer = own = malloc(CORRAL_CART_MAX);
		request->op.now = own != NULL ? &now : NULL;
		r = handle->far ?
			    change_away(handle, kind, request, patience_ms, &result) :
			    change_patiently(state, store, kind, request, patience_ms, &result);
	}
	if (r == 0)
		answer = answer_new(state, &result, request, request->op.now);
	else if (!PyErr_Occurred())
		raise_corral(state, r, result.step, NULL);
	free(own);
	request_end(request);
	return answer;
}

/* apply(restaurant, session, place or None, steps, op_id, if_version, patience_ms) */
static PyObject *store_apply(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = state_of(self);
	struct request request;

	if (!expect(count, 7) || handle_of(state, self) == NULL)
		return NULL;
	request_begin(&request, state);
	if (request_key(&request, values[0], values[1]) &&
	    request_op(&request, values[4], values[5], values[6],
		       ((struct store *)self)->patience_ms) &&
	    request_steps(&request, values[3], values[2]))
		return change(state, self, CHANGE_APPLY, &request);
	request_end(&request);
	return NULL;
}

/* replace(restaurant, session, draft, op_id, if_version, patience_ms) */
static PyObject *store_replace(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = state_of(self);
	struct request request;

	if (!expect(count, 6) || handle_of(state, self) == NULL)
		return NULL;
	request_begin(&request, state);
	if (request_key(&request, values[0], values[1]) &&
	    request_op(&request, values[3], values[4], values[5],
		       ((struct store *)self)->patience_ms) &&
	    request_cart(&request, values[2]))
		return change(state, self, CHANGE_REPLACE, &request);
	request_end(&request);
	return NULL;
}

/* drop(restaurant, session, op_id, if_version, patience_ms) */
static PyObject *store_drop(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = state_of(self);
	struct request request;

	if (!expect(count, 5) || handle_of(state, self) == NULL)
		return NULL;
	request_begin(&request, state);
	if (request_key(&request, values[0], values[1]) &&
	    request_op(&request, values[2], values[3], values[4],
		       ((struct store *)self)->patience_ms))
		return change(state, self, CHANGE_DROP, &request);
	request_end(&request);
	return NULL;
}

/* -------------------------------------------------------------------- reads */

/* get(restaurant, session, touch): an order, or None. */
static PyObject *store_get(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = state_of(self);
	struct handle *handle;
	struct request request;
	struct corral_view view;
	PyThreadState *left;
	PyObject *order = NULL;
	char *buffer, *own = NULL;
	size_t size = 0;
	bool touch;
	int r;

	if (!expect(count, 3) || (handle = handle_of(state, self)) == NULL)
		return NULL;
	if (!PyBool_Check(values[2]))
		return PyErr_Format(PyExc_TypeError, "touch: True or False is wanted");
	touch = PyObject_IsTrue(values[2]);
	request_begin(&request, state);
	buffer = handle->far ? own = malloc(CORRAL_CART_MAX) : scratch_of(state);
	if (buffer == NULL && handle->far)
		PyErr_NoMemory();
	if (buffer == NULL || !request_key(&request, values[0], values[1])) {
		free(own);
		request_end(&request);
		return NULL;
	}
	left = handle_leave(handle);
	r = corral_read_copy(touch ? handle->corral : handle->observer, &request.key, buffer,
			     CORRAL_CART_MAX, &size, &view);
	handle_return(handle, left);
	if (r == 0)
		r = corral_view_verify(&view);
	if (r == 0)
		order = order_new(state, &view, size);
	free(own);
	request_end(&request);
	if (r == -ENOENT)
		Py_RETURN_NONE;
	return r == 0 ? order : raise_corral(state, r, 0, NULL);
}

/* version(restaurant, session): 0 if there is no cart. It does not count as activity. */
static PyObject *store_version(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = state_of(self);
	struct handle *handle;
	struct request request;
	struct corral_view view;
	PyThreadState *left;
	int r;

	if (!expect(count, 2) || (handle = handle_of(state, self)) == NULL)
		return NULL;
	request_begin(&request, state);
	if (!request_key(&request, values[0], values[1])) {
		request_end(&request);
		return NULL;
	}
	left = handle_leave(handle);
	r = corral_read_begin(handle->observer, &request.key, &view);
	if (r == 0)
		(void)corral_read_end(&view); /* a version is right also if it was revoked */
	handle_return(handle, left);
	request_end(&request);
	if (r < 0 && r != -ENOENT)
		return raise_corral(state, r, 0, NULL);
	return PyLong_FromUnsignedLongLong(r == 0 ? view.version : 0);
}

static PyObject *store_stats(PyObject *self, PyObject *none)
{
	struct corral_stat rows[CORRAL_STATS_MAX];
	struct state *state = state_of(self);
	struct handle *handle = handle_of(state, self);
	PyObject *stats, *value;
	PyThreadState *left;
	size_t count;
	int r;

	(void)none;
	if (handle == NULL)
		return NULL;
	left = handle_leave(handle);
	r = corral_stats(handle->corral, rows, CORRAL_STATS_MAX, &count);
	handle_return(handle, left);
	if (r < 0)
		return raise_corral(state, r, 0, NULL);
	stats = PyDict_New();
	for (size_t i = 0; stats != NULL && i < count; i++) {
		value = PyLong_FromLongLong(rows[i].value);
		if (value == NULL || PyDict_SetItemString(stats, rows[i].name, value) < 0)
			Py_CLEAR(stats);
		Py_XDECREF(value);
	}
	return stats;
}

static PyObject *store_label(PyObject *self, PyObject *text)
{
	struct state *state = state_of(self);
	struct handle *handle = handle_of(state, self);
	struct request request;
	struct corral_text label;
	int r = 1;

	if (handle == NULL)
		return NULL;
	request_begin(&request, state);
	if (request_text(&request, text, "label", true, &label))
		r = corral_set_label(handle->corral, label);
	request_end(&request);
	if (r == 1)
		return NULL;
	if (r < 0)
		return raise_corral(state, r, 0, NULL);
	Py_RETURN_NONE;
}

/* -------------------------------------------------------------------- lists */

struct listing {
	PyObject_HEAD PyObject *store;
	struct corral_list *list;
	size_t count, at; /* of the rows */
	bool busy;        /* another thread asks for more of them */
	struct corral_entry rows[LIST_ROWS];
};

/* list(restaurant or None): an iterator. */
static PyObject *store_list(PyObject *self, PyObject *restaurant)
{
	struct state *state = state_of(self);
	struct handle *handle = handle_of(state, self);
	struct request request;
	struct corral_text text;
	struct listing *listing;
	int r = 1;

	if (handle == NULL)
		return NULL;
	listing = (struct listing *)PyType_GenericAlloc(state->listing_type, 0);
	if (listing == NULL)
		return NULL;
	listing->store = Py_NewRef(self);
	request_begin(&request, state);
	if (restaurant == Py_None)
		r = corral_list_open(handle->corral, NULL, &listing->list);
	else if (request_text(&request, restaurant, "restaurant_id", true, &text))
		r = corral_list_open(handle->corral, &text, &listing->list);
	request_end(&request);
	if (r == 0)
		return (PyObject *)listing;
	Py_DECREF(listing);
	return r == 1 ? NULL : raise_corral(state, r, 0, NULL);
}

static PyObject *listing_next(PyObject *object)
{
	struct listing *self = (struct listing *)object;
	struct state *state = state_of(object);
	struct handle *handle = handle_of(state, self->store);
	PyThreadState *left;
	int r;

	if (handle == NULL)
		return NULL;
	if (self->busy)
		return PyErr_Format(PyExc_ValueError, "another thread is in this iterator");
	if (self->at == self->count) {
		self->busy = true;
		left = handle_leave(handle);
		r = corral_list_next(self->list, self->rows, LIST_ROWS, &self->count);
		handle_return(handle, left);
		self->busy = false;
		self->at = 0;
		if (r < 0)
			self->count = 0;
		if (r < 0)
			return raise_corral(state, r, 0, NULL);
		if (self->count == 0)
			return NULL;
	}
	return row_new(state, &self->rows[self->at++]);
}

static void listing_dealloc(PyObject *object)
{
	struct listing *self = (struct listing *)object;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	corral_list_close(self->list);
	Py_XDECREF(self->store);
	release(self);
	Py_DECREF(type);
}

/* -------------------------------------------------------------------- types */

static PyObject *store_wait(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	return expect(count, 4) ? waits_block(self, values, count) : NULL;
}

#define FAST(name, function)                                                                       \
	{                                                                                          \
		name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL, NULL                 \
	}

static PyMethodDef store_methods[] = {
	FAST("apply", store_apply),
	FAST("replace", store_replace),
	FAST("drop", store_drop),
	FAST("get", store_get),
	FAST("version", store_version),
	FAST("wait", store_wait),
	{ "list", store_list, METH_O, NULL },
	{ "stats", store_stats, METH_NOARGS, NULL },
	{ "label", store_label, METH_O, NULL },
	{ "close", store_close, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef store_getset[] = {
	{ "closed", store_closed, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot store_slots[] = {
	{ Py_tp_new, store_new },
	{ Py_tp_dealloc, store_dealloc },
	{ Py_tp_methods, store_methods },
	{ Py_tp_getset, store_getset },
	{ 0, NULL },
};

PyType_Spec store_spec = {
	.name = "corral._corral.Store",
	.basicsize = sizeof(struct store),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = store_slots,
};

static PyType_Slot listing_slots[] = {
	{ Py_tp_dealloc, listing_dealloc },
	{ Py_tp_iter, PyObject_SelfIter },
	{ Py_tp_iternext, listing_next },
	{ 0, NULL },
};

PyType_Spec listing_spec = {
	.name = "corral._corral.Listing",
	.basicsize = sizeof(struct listing),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = listing_slots,
};
