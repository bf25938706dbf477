/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c: a stream of events.
 *
 * The object keeps the events of one look, BATCH at most. Those that come meanwhile stay in the
 * arena, and where they are too many for it the library tells a gap: so a slow reader takes no
 * more memory than a fast one, and holds no writer up.
 *
 * A call that blocks (next) sleeps in its own thread, without the GIL. For a coroutine the stream
 * is lent to a wait of the hub (waits.c), which looks at it in its own thread; until the wait is
 * decided, nothing else does. `lent` says so: it is set with the GIL held, and cleared by the hub.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hub.h"
#include "ext.h"

#define BATCH 32u
#define NAP_NS 1000000 /* until a wait that was cancelled gives its stream back */

struct stream {
	struct handle *handle; /* a reference */
	struct corral_feed *feed;
	uint32_t references; /* atomic: the hub's thread drops some */
	uint32_t lent;       /* atomic */
};

struct events { /* the object */
	PyObject_HEAD PyObject *store;
	struct stream *stream; /* NULL: it is closed */
	bool busy;             /* a thread is in next() */
	size_t count, at;
	struct corral_event batch[BATCH];
};

static struct state *state_of(PyObject *self)
{
	return PyType_GetModuleState(Py_TYPE(self));
}

/* ------------------------------------------------------------------- streams */

void stream_drop(struct stream *stream)
{
	/* acquire and release: what others did with the feed comes before its end */
	if (__atomic_sub_fetch(&stream->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	corral_feed_close(stream->feed);
	handle_drop(stream->handle);
	free(stream);
}

void stream_give_back(struct stream *stream)
{
	/* release: the hub's last look comes before ours. Its partner is in is_lent() */
	__atomic_store_n(&stream->lent, 0, __ATOMIC_RELEASE);
}

static bool is_lent(const struct stream *stream)
{
	/* acquire: see stream_give_back() */
	return __atomic_load_n(&stream->lent, __ATOMIC_ACQUIRE) != 0;
}

struct corral_feed *stream_feed(const struct stream *stream)
{
	return stream->feed;
}

struct handle *stream_handle(const struct stream *stream)
{
	return stream->handle;
}

static struct stream *stream_new(struct handle *handle, uint64_t from,
				 const struct corral_feed_filter *filter, int *ret_error)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	*ret_error = stream != NULL ?
			     corral_feed_open(handle->corral, from, filter, &stream->feed) :
			     -ENOMEM;
	if (*ret_error < 0) {
		free(stream);
		return NULL;
	}
	stream->handle = handle;
	stream->references = 1;
	handle_hold(handle);
	return stream;
}

/* --------------------------------------------------------------- the object */

/* Events(store, restaurant or None, session or None, kinds, from) */
static PyObject *events_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
	struct state *state = PyType_GetModuleState(type);
	struct corral_text texts[2];
	struct corral_feed_filter filter = { .kinds = 0 };
	PyObject *store, *restaurant, *session;
	unsigned long long from;
	struct handle *handle;
	struct request request;
	struct events *self;
	bool done;
	int r = 0;

	if (keywords != NULL)
		return PyErr_Format(PyExc_TypeError, "Events() takes no keywords");
	if (!PyArg_ParseTuple(args, "OOOIK", &store, &restaurant, &session, &filter.kinds, &from) ||
	    (handle = handle_of(state, store)) == NULL)
		return NULL;
	self = (struct events *)PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	self->store = Py_NewRef(store);
	request_begin(&request, state);
	done = (restaurant == Py_None ||
		request_text(&request, restaurant, "restaurant_id", true, &texts[0])) &&
	       (session == Py_None ||
		request_text(&request, session, "session_id", true, &texts[1]));
	if (done) {
		filter.restaurant_id = restaurant != Py_None ? &texts[0] : NULL;
		filter.session_id = session != Py_None ? &texts[1] : NULL;
		self->stream = stream_new(handle, from, &filter, &r);
	}
	request_end(&request);
	if (self->stream != NULL)
		return (PyObject *)self;
	Py_DECREF(self);
	return done ? raise_corral(state, r, 0, NULL) : NULL;
}

static void give_up(struct events *self)
{
	struct stream *stream = self->stream;

	if (stream == NULL)
		return;
	self->stream = NULL;
	self->at = self->count = 0;
	Py_BEGIN_ALLOW_THREADS;
	stream_drop(stream);
	Py_END_ALLOW_THREADS;
}

static PyObject *events_close(PyObject *self, PyObject *none)
{
	(void)none;
	give_up((struct events *)self);
	Py_RETURN_NONE;
}

static void events_dealloc(PyObject *object)
{
	struct events *self = (struct events *)object;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	give_up(self);
	Py_XDECREF(self->store);
	release(object);
	Py_DECREF(type);
}

/* NULL and an exception: the events or their store are closed, or another thread is in next(). */
static struct stream *stream_of(struct state *state, struct events *self)
{
	if (handle_of(state, self->store) == NULL)
		return NULL;
	if (self->stream == NULL)
		raise_corral(state, -EBADF, 0, "the events were closed");
	else if (self->busy)
		PyErr_SetString(PyExc_ValueError, "another thread waits for these events");
	else
		return self->stream;
	return NULL;
}

/* The same, and it is not lent. */
static struct stream *stream_at_hand(struct state *state, struct events *self)
{
	struct stream *stream = stream_of(state, self);

	if (stream == NULL || !is_lent(stream))
		return stream;
	PyErr_SetString(PyExc_ValueError, "a task waits for these events");
	return NULL;
}

struct stream *stream_lend(struct state *state, PyObject *events)
{
	struct stream *stream;

	if (Py_TYPE(events) != state->events_type) {
		PyErr_SetString(PyExc_TypeError, "no events");
		return NULL;
	}
	stream = stream_at_hand(state, (struct events *)events);
	if (stream == NULL)
		return NULL;
	/* relaxed: hub_begin() takes the hub's mutex before it uses the feed */
	__atomic_store_n(&stream->lent, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&stream->references, 1, __ATOMIC_RELAXED);
	return stream;
}

/* --------------------------------------------------------------------- events */

static PyObject *next_of_batch(struct state *state, struct events *self)
{
	return event_new(state, &self->batch[self->at++]);
}

/* take(): the next event; None: there is none at present. */
static PyObject *events_take(PyObject *object, PyObject *none)
{
	struct events *self = (struct events *)object;
	struct state *state = state_of(object);
	struct stream *stream = stream_at_hand(state, self);
	int r;

	(void)none;
	if (stream == NULL)
		return NULL;
	if (self->at < self->count)
		return next_of_batch(state, self);
	self->at = self->count = 0;
	r = corral_feed_next(stream->feed, self->batch, BATCH, 0, NULL, &self->count);
	if (r == -ETIMEDOUT)
		Py_RETURN_NONE;
	return r == 0 ? next_of_batch(state, self) : raise_corral(state, r, 0, NULL);
}

/* Sleep until there is an event, for a slice at most. -EINTR: the slice is over. */
static int sleep_a_while(struct stream *stream, const struct hub_wait *limit,
			 struct corral_event *batch, size_t *ret_count)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	int left = hub_timeout_ms(limit);
	int r;

	Py_BEGIN_ALLOW_THREADS;
	if (is_lent(stream))
		r = nanosleep(&nap, NULL) == 0 ? -ETIMEDOUT : -EINTR;
	else
		r = corral_feed_next(stream->feed, batch, BATCH,
				     left < 0 || left > SLICE_MS ? SLICE_MS : left,
				     &stream->handle->cancel, ret_count);
	Py_END_ALLOW_THREADS;
	return r == -ETIMEDOUT && !hub_is_late(limit) ? -EINTR : r;
}

static bool read_limit(struct state *state, PyObject *timeout, struct hub_wait *limit)
{
	struct request request;
	int64_t timeout_ms;
	bool done;

	request_begin(&request, state);
	done = request_whole(&request, timeout, "timeout", -1, INT32_MAX, &timeout_ms);
	request_end(&request);
	return done && hub_set(limit, NULL, 0, timeout_ms) == 0;
}

/* next(timeout_ms, or -1: for ever): the next event; it blocks. */
static PyObject *events_next(PyObject *object, PyObject *timeout)
{
	struct events *self = (struct events *)object;
	struct state *state = state_of(object);
	struct hub_wait limit = { .next = NULL };
	struct stream *stream;
	size_t count = 0;
	int r = -EINTR;

	if (!read_limit(state, timeout, &limit) || (stream = stream_of(state, self)) == NULL)
		return NULL;
	if (self->at < self->count)
		return next_of_batch(state, self);
	self->busy = true;
	__atomic_add_fetch(&stream->references, 1, __ATOMIC_RELAXED);
	while (r == -EINTR && self->stream == stream && PyErr_CheckSignals() == 0)
		r = sleep_a_while(stream, &limit, self->batch, &count);
	self->busy = false;
	stream_drop(stream);
	if (PyErr_Occurred()) /* a signal's handler has raised it */
		return NULL;
	if (stream_of(state, self) == NULL) /* it was closed meanwhile */
		return NULL;
	self->at = 0;
	self->count = r == 0 ? count : 0;
	return r == 0 ? next_of_batch(state, self) : raise_corral(state, r, 0, NULL);
}

/* The number from which take() and next() go on. */
static PyObject *events_position(PyObject *object, void *none)
{
	struct events *self = (struct events *)object;
	struct stream *stream = stream_at_hand(state_of(object), self);

	(void)none;
	if (stream == NULL)
		return NULL;
	return PyLong_FromUnsignedLongLong(self->at < self->count ?
						   self->batch[self->at].from :
						   corral_feed_position(stream->feed));
}

static PyObject *events_lent(PyObject *object, void *none)
{
	const struct events *self = (struct events *)object;

	(void)none;
	return PyBool_FromLong(self->stream != NULL && is_lent(self->stream));
}

static PyMethodDef events_methods[] = {
	{ "take", events_take, METH_NOARGS, NULL },
	{ "next", events_next, METH_O, NULL },
	{ "close", events_close, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef events_getset[] = {
	{ "position", events_position, NULL, NULL, NULL },
	{ "lent", events_lent, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot events_slots[] = {
	{ Py_tp_new, events_new },
	{ Py_tp_dealloc, events_dealloc },
	{ Py_tp_methods, events_methods },
	{ Py_tp_getset, events_getset },
	{ 0, NULL },
};

PyType_Spec events_spec = {
	.name = "corral._corral.Events",
	.basicsize = sizeof(struct events),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = events_slots,
};
