/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: what waits: for a change of a cart, for the disk.
 *
 * A call that blocks (Store.wait) waits in its own thread, without the GIL. Coroutines share one
 * thread for all waits of the process, the hub, which sleeps for all of them at once. It begins
 * with the first wait and ends some time after the last one.
 *
 * The hub knows no object of Python and never takes the GIL, so it does not care what an
 * interpreter does meanwhile, or whether there is one still. Each event loop has an object Waits
 * with an eventfd that the loop watches: the hub puts what is decided into the list `done` of its
 * owner and writes to the eventfd, and the loop comes and takes it.
 *
 * A wait belongs to the hub from begin() until it is decided. Only the hub's thread takes waits out
 * of its list and frees them, since it uses them without the mutex while it sleeps; the end of an
 * owner makes its waits orphans, which are dropped then.
 *
 * Fork. The mutex is held across it, so the child finds the list whole. The child has no hub: it
 * makes orphans of all waits, and after_fork() frees them.
 *
 * Lock: hub.mutex protects the list, each wait's `owner` and `cancelled`, and each `done`. Under it
 * no call of Python's is made, and none of the library but corral_cancel(), which takes no lock.
 * It is taken with the GIL held and the other way round never.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ext.h"

#define LINGER_NS 500000000l /* how long the thread stays without a wait */
#define WAITS_MAX 65536u     /* in a process */
#define NS_IN_MS 1000000ll
#define NS_IN_S 1000000000ll
#define NEVER INT64_MAX

struct owner {
	struct wait *done;
	int wake; /* an eventfd */
};

struct wait {
	struct wait *next;
	struct owner *owner;   /* NULL: an orphan */
	struct handle *handle; /* a reference */
	int64_t id;            /* Python's */
	int64_t give_up_ns;    /* CLOCK_MONOTONIC; NEVER */
	bool cancelled;
	struct corral_awaited awaited; /* only the hub's thread uses it; its ids are in `ids` */
	char ids[2 * CORRAL_ID_MAX];
};

struct waits { /* the object */
	PyObject_HEAD struct owner *owner;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t came; /* a wait, while there was none */
	struct wait *first;
	uint32_t count;
	uint32_t cancel; /* the library's cancel word: look at the list again */
	bool runs;
} hub = { .mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_IN_S + now.tv_nsec;
}

static int timeout_of(int64_t give_up_ns)
{
	int64_t left = give_up_ns - now_ns();

	if (give_up_ns == NEVER)
		return -1;
	left = left <= 0 ? 0 : (left + NS_IN_MS - 1) / NS_IN_MS;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

static void wait_free(struct wait *wait)
{
	handle_drop(wait->handle);
	free(wait);
}

static void free_all(struct wait *waits)
{
	for (struct wait *next; waits != NULL; waits = next) {
		next = waits->next;
		wait_free(waits);
	}
}

/* ---------------------------------------------------------- the hub's thread */

static int32_t verdict(const struct wait *wait, int64_t now)
{
	if (wait->awaited.result != -EAGAIN)
		return wait->awaited.result;
	if (wait->cancelled || wait->owner == NULL)
		return -ECANCELED;
	return now >= wait->give_up_ns ? -ETIMEDOUT : -EAGAIN;
}

/* Take what is decided out of the list: to its owner, or to *ret_orphans. */
static void deliver(struct wait **ret_orphans)
{
	const uint64_t one = 1;
	int64_t now = now_ns();
	struct wait *wait;

	for (struct wait **at = &hub.first; (wait = *at) != NULL;) {
		wait->awaited.result = verdict(wait, now);
		if (wait->awaited.result == -EAGAIN) {
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		hub.count--;
		if (wait->owner == NULL) {
			wait->next = *ret_orphans;
			*ret_orphans = wait;
			continue;
		}
		wait->next = wait->owner->done;
		wait->owner->done = wait;
		/* a count that is full says the same */
		ssize_t written = write(wait->owner->wake, &one, sizeof(one));
		(void)written;
	}
}

/* All waits of the list into an array; returns until when to sleep. */
static int64_t gather(struct corral_awaited **awaited, uint32_t *ret_count)
{
	int64_t give_up = NEVER;
	uint32_t count = 0;

	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next) {
		awaited[count++] = &wait->awaited;
		if (wait->give_up_ns < give_up)
			give_up = wait->give_up_ns;
	}
	*ret_count = count;
	return give_up;
}

/* Under the mutex, with nothing to wait for: true if a wait has come. */
static bool linger(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LINGER_NS;
	until.tv_sec += until.tv_nsec / NS_IN_S;
	until.tv_nsec %= NS_IN_S;
	while (hub.first == NULL)
		if (pthread_cond_timedwait(&hub.came, &hub.mutex, &until) != 0)
			break;
	return hub.first != NULL;
}

/* One round, with the mutex, which it gives up to sleep, and to free orphans. */
static void do_round(struct corral_awaited **awaited)
{
	struct wait *orphans = NULL;
	uint32_t count;
	int64_t give_up;

	deliver(&orphans);
	give_up = gather(awaited, &count);
	/*
	 * All that was said up to now has been looked at under the mutex. Relaxed: the word is set
	 * under the mutex only, and read by the call below
	 */
	__atomic_store_n(&hub.cancel, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hub.mutex);
	free_all(orphans);
	if (count > 0)
		(void)corral_wait_any(awaited, count, timeout_of(give_up), &hub.cancel);
	pthread_mutex_lock(&hub.mutex);
}

static void *run_hub(void *data)
{
	struct corral_awaited **awaited = data;

	pthread_mutex_lock(&hub.mutex);
	while (hub.first != NULL || linger())
		do_round(awaited);
	hub.runs = false;
	pthread_mutex_unlock(&hub.mutex);
	free((void *)awaited);
	return NULL;
}

/* Under the mutex. 0, or -errno. */
static int start_hub(void)
{
	struct corral_awaited **awaited;
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (hub.runs)
		return 0;
	awaited = malloc(WAITS_MAX *
			 sizeof(struct corral_awaited *)); /* used as far as there are waits */
	if (awaited == NULL)
		return -ENOMEM;
	sigfillset(&all);
	r = pthread_attr_init(&attributes);
	if (r == 0) {
		/* signals are the other threads' */
		pthread_sigmask(SIG_SETMASK, &all, &before);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attributes, run_hub, (void *)awaited);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		pthread_attr_destroy(&attributes);
	}
	hub.runs = r == 0;
	if (r != 0)
		free((void *)awaited);
	return -r;
}

/* --------------------------------------------------------------------- fork */

static void before_fork(void)
{
	pthread_mutex_lock(&hub.mutex);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&hub.mutex);
}

static void after_fork_in_child(void)
{
	pthread_mutex_unlock(&hub.mutex);
	/* as it is in memory, it may have waiters, who are not in this process */
	hub.came = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	hub.runs = false;
	hub.cancel = 0;
	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
		wait->owner = NULL;
}

int waits_prepare(void)
{
	static bool prepared;
	int r = 0;

	pthread_mutex_lock(&hub.mutex);
	if (!prepared)
		r = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	prepared = prepared || r == 0;
	pthread_mutex_unlock(&hub.mutex);
	return -r;
}

PyObject *waits_after_fork(PyObject *module, PyObject *none)
{
	struct wait *orphans = NULL;

	(void)module;
	(void)none;
	pthread_mutex_lock(&hub.mutex);
	if (!hub.runs) { /* else this is no new child */
		orphans = hub.first;
		hub.first = NULL;
		hub.count = 0;
	}
	pthread_mutex_unlock(&hub.mutex);
	free_all(orphans);
	Py_RETURN_NONE;
}

/* ---------------------------------------------------------------- arguments */

/*
 * What is waited for, read from restaurant or None (the disk), session, after and timeout_ms (-1:
 * for ever). The ids are copied.
 */
static bool read_wait(struct state *state, PyObject *const *values, struct wait *wait)
{
	struct corral_key *own = &wait->awaited.key;
	struct request request;
	int64_t after = 0, timeout_ms = 0;
	bool done;

	request_begin(&request, state);
	done = request_whole(&request, values[2], "after", 0, INT64_MAX, &after) &&
	       request_whole(&request, values[3], "timeout", -1, INT32_MAX, &timeout_ms) &&
	       (values[0] == Py_None || request_key(&request, values[0], values[1]));
	if (done && (request.key.restaurant_id.size > CORRAL_ID_MAX ||
		     request.key.session_id.size > CORRAL_ID_MAX)) {
		raise_corral(state, -ENAMETOOLONG, 0, NULL);
		done = false;
	}
	if (done && values[0] != Py_None) {
		own->restaurant_id.data = wait->ids;
		own->restaurant_id.size = request.key.restaurant_id.size;
		own->session_id.data = wait->ids + CORRAL_ID_MAX;
		own->session_id.size = request.key.session_id.size;
		memcpy(wait->ids, request.key.restaurant_id.data, own->restaurant_id.size);
		memcpy(wait->ids + CORRAL_ID_MAX, request.key.session_id.data,
		       own->session_id.size);
	}
	request_end(&request);
	wait->awaited.past_version = (uint64_t)after;
	wait->awaited.result = -EAGAIN;
	wait->give_up_ns = timeout_ms < 0 ? NEVER : now_ns() + timeout_ms * NS_IN_MS;
	return done;
}

/* ---------------------------------------------------------- a call that blocks */

static int wait_a_while(struct wait *wait)
{
	struct corral_awaited *awaited = &wait->awaited;
	int left = timeout_of(wait->give_up_ns);
	int r;

	Py_BEGIN_ALLOW_THREADS;
	r = corral_wait_any(&awaited, 1, left < 0 || left > SLICE_MS ? SLICE_MS : left,
			    &wait->handle->cancel);
	Py_END_ALLOW_THREADS;
	if (r == 0)
		return awaited->result;
	if (r == -ETIMEDOUT)
		return now_ns() >= wait->give_up_ns ? -ETIMEDOUT : -EINTR;
	return r;
}

PyObject *waits_block(PyObject *store, PyObject *const *values, Py_ssize_t count)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(store));
	struct handle *handle = handle_of(state, store);
	struct wait wait = { .next = NULL };
	int r = -EINTR;

	(void)count;
	if (handle == NULL || !read_wait(state, values, &wait))
		return NULL;
	wait.handle = handle;
	wait.awaited.corral = handle->corral;
	handle_hold(handle);
	while (r == -EINTR && PyErr_CheckSignals() == 0)
		r = wait_a_while(&wait);
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
	pthread_mutex_lock(&hub.mutex);
	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->handle == handle)
			wait->cancelled = true;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
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

/* Give it to the hub. 0 or -errno. */
static int begin(struct wait *wait)
{
	int r;

	pthread_mutex_lock(&hub.mutex);
	r = hub.count < WAITS_MAX ? start_hub() : -EAGAIN;
	if (r == 0) {
		wait->next = hub.first;
		hub.first = wait;
		hub.count++;
		corral_cancel(&hub.cancel);
		pthread_cond_signal(&hub.came);
	}
	pthread_mutex_unlock(&hub.mutex);
	return r;
}

/* begin(store, restaurant or None, session, after, timeout_ms, id): take() has its result later. */
static PyObject *waits_begin(PyObject *object, PyObject *const *values, Py_ssize_t count)
{
	struct waits *self = (struct waits *)object;
	struct state *state = PyType_GetModuleState(Py_TYPE(object));
	struct handle *handle;
	struct wait *wait;
	int r;

	if (count != 6)
		return PyErr_Format(PyExc_TypeError, "6 arguments are wanted");
	wait = calloc(1, sizeof(*wait));
	if (wait == NULL)
		return PyErr_NoMemory();
	wait->id = PyLong_AsLongLong(values[5]);
	handle = wait->id == -1 && PyErr_Occurred() ? NULL : handle_of(state, values[0]);
	if (handle == NULL || !read_wait(state, values + 1, wait)) {
		free(wait);
		return NULL;
	}
	wait->owner = self->owner;
	wait->handle = handle;
	wait->awaited.corral = handle->corral;
	handle_hold(handle);
	r = begin(wait);
	if (r == 0)
		Py_RETURN_NONE;
	wait_free(wait);
	return raise_corral(state, r, 0, NULL);
}

/* cancel(id): the wait is decided soon, if it is not yet. */
static PyObject *waits_cancel(PyObject *object, PyObject *number)
{
	struct waits *self = (struct waits *)object;
	long long id = PyLong_AsLongLong(number);

	if (id == -1 && PyErr_Occurred())
		return NULL;
	pthread_mutex_lock(&hub.mutex);
	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->owner == self->owner && wait->id == id)
			wait->cancelled = true;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
	Py_RETURN_NONE;
}

/* take(): what is decided, as a list of id, exception or None, and version. */
static PyObject *waits_take(PyObject *object, PyObject *none)
{
	struct owner *owner = ((struct waits *)object)->owner;
	struct state *state = PyType_GetModuleState(Py_TYPE(object));
	PyObject *list = PyList_New(0), *row;
	struct wait *done;
	uint64_t said;

	(void)none;
	if (list == NULL || state->given[GIVEN_ERROR] == NULL)
		return list;
	ssize_t size = read(owner->wake, &said, sizeof(said));
	(void)size; /* none says that another call has taken all */
	pthread_mutex_lock(&hub.mutex);
	done = owner->done;
	owner->done = NULL;
	pthread_mutex_unlock(&hub.mutex);
	for (struct wait *wait = done; wait != NULL && list != NULL; wait = wait->next) {
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
	free_all(done);
	return list;
}

static void waits_dealloc(PyObject *object)
{
	struct owner *owner = ((struct waits *)object)->owner;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	if (owner != NULL) {
		pthread_mutex_lock(&hub.mutex);
		for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
			if (wait->owner == owner)
				wait->owner = NULL;
		corral_cancel(&hub.cancel);
		pthread_mutex_unlock(&hub.mutex);
		free_all(owner->done);
		close(owner->wake);
		free(owner);
	}
	release(object);
	Py_DECREF(type);
}

static PyMethodDef waits_methods[] = {
	{ "begin", (PyCFunction)(void (*)(void))waits_begin, METH_FASTCALL, NULL },
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
