/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: what waits: for a change of a cart, for the disk.
 *
 * A call that blocks (Store.wait) waits in its own thread, without the GIL. Coroutines share one
 * thread for all waits of the process, the hub (common/hub.h). It knows no object of Python and
 * never takes the GIL, so it does not care what an interpreter does meanwhile, or whether there is
 * one still. Each event loop has an object Waits with an eventfd that the loop watches: the hub
 * puts what is decided on the list of its owner and writes to the eventfd, and the loop comes and
 * takes it.
 *
 * The hub's mutex is taken with the GIL held, and the other way round never.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/hub.h"
#include "ext.h"

struct owner {
	struct hub_owner hub;
	int wake; /* an eventfd */
};

struct waits { /* the object */
	PyObject_HEAD struct owner *owner;
};

/* A wait that a coroutine awaits. */
struct wait {
	struct hub_wait hub;
	struct stream *stream; /* a reference; NULL: it does not wait for events */
	bool lent;             /* until it is decided: then the stream may be lent to another one */
};

static void give_back(struct wait *wait)
{
	if (wait->lent)
		stream_give_back(wait->stream);
	wait->lent = false;
}

void client_tell(struct hub_owner *hub)
{
	const struct owner *owner = (struct owner *)hub; /* its first member */
	const uint64_t one = 1;

	give_back((struct wait *)hub->done); /* it was put there just now */
	/* a count that is full says the same */
	ssize_t written = write(owner->wake, &one, sizeof(one));
	(void)written;
}

void client_drop(struct hub_wait *hub)
{
	struct wait *wait = (struct wait *)hub;

	give_back(wait);
	if (wait->stream != NULL)
		stream_drop(wait->stream);
	handle_drop(hub->store);
}

int waits_prepare(void)
{
	return hub_prepare_fork();
}

PyObject *waits_after_fork(PyObject *module, PyObject *none)
{
	(void)module;
	(void)none;
	hub_after_fork();
	Py_RETURN_NONE;
}

/* ---------------------------------------------------------------- arguments */

/*
 * What is waited for, read from restaurant or None (the disk), session, after and timeout_ms (-1:
 * for ever). The ids are copied.
 */
static bool read_wait(struct state *state, PyObject *const *values, struct hub_wait *wait)
{
	struct request request;
	int64_t after = 0, timeout_ms = 0;
	bool done;
	int r;

	request_begin(&request, state);
	done = request_whole(&request, values[2], "after", 0, INT64_MAX, &after) &&
	       request_whole(&request, values[3], "timeout", -1, INT32_MAX, &timeout_ms) &&
	       (values[0] == Py_None || request_key(&request, values[0], values[1]));
	if (done) {
		r = hub_set(wait, values[0] == Py_None ? NULL : &request.key, (uint64_t)after,
			    timeout_ms);
		done = r == 0 || raise_corral(state, r, 0, NULL) != NULL;
	}
	request_end(&request);
	return done;
}

/* ---------------------------------------------------------- a call that blocks */

static int wait_a_while(struct hub_wait *wait, struct handle *handle)
{
	struct corral_awaited *awaited = &wait->awaited;
	int left = hub_timeout_ms(wait);
	int r;

	Py_BEGIN_ALLOW_THREADS;
	r = corral_wait_any(&awaited, 1, left < 0 || left > SLICE_MS ? SLICE_MS : left,
			    &handle->cancel);
	Py_END_ALLOW_THREADS;
	if (r == 0)
		return awaited->result;
	if (r == -ETIMEDOUT)
		return hub_is_late(wait) ? -ETIMEDOUT : -EINTR;
	return r;
}

PyObject *waits_block(PyObject *store, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(store));
	struct handle *handle = handle_of(state, store);
	struct hub_wait wait = { .next = NULL };
	int r = -EINTR;

	(void)count;
	if (handle == NULL || !read_wait(state, values, &wait))
		return NULL;
	wait.awaited.corral = handle->corral;
	handle_hold(handle);
	while (r == -EINTR && PyErr_CheckSignals() == 0)
		r = wait_a_while(&wait, handle);
	handle_drop(handle);
	if (r == -EINTR)
		return NULL; /* a signal's handler has raised an exception */
	if (r < 0)
		return raise_corral(state, r, 0, r == -ECANCELED ? "the store was closed" : NULL);
	return PyLong_FromUnsignedLongLong(wait.awaited.version);
}

void waits_cancel_handle(struct handle *handle)
{
	corral_cancel(&handle->cancel);
	hub_cancel_store(handle);
}

/* ------------------------------------------------------ waits of an event loop */

static PyObject *waits_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
	struct waits *self;

	(void)args;
	(void)keywords;
	self = (struct waits *)PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	self->owner = calloc(1, sizeof(*self->owner));
	if (self->owner == NULL) {
		Py_DECREF(self);
		return PyErr_NoMemory();
	}
	self->owner->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->owner->wake < 0) {
		PyErr_SetFromErrno(PyExc_OSError);
		free(self->owner);
		self->owner = NULL;
		Py_CLEAR(self);
	}
	return (PyObject *)self;
}

/* fileno(): what the event loop shall watch. */
static PyObject *waits_fileno(PyObject *self, PyObject *none)
{
	(void)none;
	return PyLong_FromLong(((struct waits *)self)->owner->wake);
}

/* Give a wait, which has its id, to the hub. */
static PyObject *begin(PyObject *object, struct wait *wait, struct handle *handle)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(object));
	int r;

	wait->hub.owner = &((struct waits *)object)->owner->hub;
	wait->hub.store = handle;
	wait->hub.awaited.corral = handle->corral;
	handle_hold(handle);
	r = hub_begin(&wait->hub);
	if (r == 0)
		Py_RETURN_NONE;
	hub_free(&wait->hub);
	return raise_corral(state, r, 0, NULL);
}

static struct wait *wait_new(PyObject *id)
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (wait == NULL) {
		PyErr_NoMemory();
		return NULL;
	}
	wait->hub.id = PyLong_AsLongLong(id);
	if (wait->hub.id != -1 || !PyErr_Occurred())
		return wait;
	free(wait);
	return NULL;
}

/* begin(store, restaurant or None, session, after, timeout_ms, id): take() has its result later. */
static PyObject *waits_begin(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(self));
	struct handle *handle;
	struct wait *wait;

	if (count != 6)
		return PyErr_Format(PyExc_TypeError, "6 arguments are wanted");
	handle = handle_of(state, values[0]);
	wait = handle != NULL ? wait_new(values[5]) : NULL;
	if (wait == NULL)
		return NULL;
	if (read_wait(state, values + 1, &wait->hub))
		return begin(self, wait, handle);
	free(wait);
	return NULL;
}

/* begin_events(events, id): until there is one; they are lent so long. */
static PyObject *waits_begin_events(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(self));
	struct wait *wait;

	if (count != 2)
		return PyErr_Format(PyExc_TypeError, "2 arguments are wanted");
	wait = wait_new(values[1]);
	if (wait == NULL)
		return NULL;
	wait->stream = stream_lend(state, values[0]);
	if (wait->stream == NULL) {
		free(wait);
		return NULL;
	}
	wait->lent = true;
	wait->hub.awaited.feed = stream_feed(wait->stream);
	(void)hub_set(&wait->hub, NULL, 0, -1); /* without a key it is fine */
	return begin(self, wait, stream_handle(wait->stream));
}

/* cancel(id): the wait is decided soon, if it is not yet. */
static PyObject *waits_cancel(PyObject *object, PyObject *number)
{
	struct waits *self = (struct waits *)object;
	long long id = PyLong_AsLongLong(number);

	if (id == -1 && PyErr_Occurred())
		return NULL;
	hub_cancel(&self->owner->hub, id);
	Py_RETURN_NONE;
}

/* take(): what is decided, as a list of id, exception or None, and version. */
static PyObject *waits_take(PyObject *object, PyObject *none)
{
	struct owner *owner = ((struct waits *)object)->owner;
	struct state *state = PyType_GetModuleState(Py_TYPE(object));
	PyObject *list = PyList_New(0), *row;
	struct hub_wait *done;
	uint64_t said;

	(void)none;
	if (list == NULL || state->given[GIVEN_ERROR] == NULL)
		return list;
	ssize_t size = read(owner->wake, &said, sizeof(said));
	(void)size; /* none says that another call has taken all */
	done = hub_take(&owner->hub);
	for (struct hub_wait *wait = done; wait != NULL && list != NULL; wait = wait->next) {
		int r = wait->awaited.result;
		PyObject *type, *error = NULL, *trace;

		if (r < 0) {
			raise_corral(state, r, 0, r == -ECANCELED ? "the store was closed" : NULL);
			PyErr_Fetch(&type, &error, &trace);
			PyErr_NormalizeException(&type, &error, &trace);
			Py_XDECREF(type);
			Py_XDECREF(trace);
		}
		row = Py_BuildValue("LNK", (long long)wait->id,
				    error != NULL ? error : Py_NewRef(Py_None),
				    (unsigned long long)wait->awaited.version);
		if (row == NULL || PyList_Append(list, row) < 0)
			Py_CLEAR(list);
		Py_XDECREF(row);
	}
	hub_free(done);
	return list;
}

static void waits_dealloc(PyObject *object)
{
	struct owner *owner = ((struct waits *)object)->owner;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	if (owner != NULL) {
		hub_leave(&owner->hub);
		close(owner->wake);
		free(owner);
	}
	release(object);
	Py_DECREF(type);
}

static PyMethodDef waits_methods[] = {
	{ "begin", (PyCFunction)(void (*)(void))waits_begin, METH_FASTCALL, NULL },
	{ "begin_events", (PyCFunction)(void (*)(void))waits_begin_events, METH_FASTCALL, NULL },
	{ "cancel", waits_cancel, METH_O, NULL },
	{ "take", waits_take, METH_NOARGS, NULL },
	{ "fileno", waits_fileno, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyType_Slot waits_slots[] = {
	{ Py_tp_new, waits_new },
	{ Py_tp_dealloc, waits_dealloc },
	{ Py_tp_methods, waits_methods },
	{ 0, NULL },
};

PyType_Spec waits_spec = {
	.name = "corral._corral.Waits",
	.basicsize = sizeof(struct waits),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = waits_slots,
};
