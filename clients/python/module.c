/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module.c: the module, its state, and errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"

static const char *const name_texts[] = {
#define NAME_TEXT(name) #name,
	NAMES(NAME_TEXT)
};

PyObject *raise_corral(struct state *state, int r, uint32_t step, const char *why)
{
	PyObject *type = state->given[r == -ETIMEDOUT ? GIVEN_TIMEOUT : GIVEN_ERROR];
	const char *code = corral_error_name(r);
	PyObject *error, *text;

	if (why == NULL && r == -EBADF)
		why = "the store is closed, or the program has closed descriptors of it";
	if (why == NULL)
		why = corral_strerror(r);
	/* it may have a file's name in it, which is any bytes */
	text = PyUnicode_DecodeUTF8(why, (Py_ssize_t)strlen(why), "replace");
	if (text == NULL)
		return NULL;
	error = PyObject_CallFunction(type, "siIO", code, -r, (unsigned int)step, text);
	Py_DECREF(text);
	if (error != NULL) {
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
		Py_DECREF(error);
	}
	return NULL;
}

char *scratch_of(struct state *state)
{
	if (state->scratch == NULL)
		state->scratch = malloc(CORRAL_CART_MAX);
	if (state->scratch == NULL)
		PyErr_NoMemory();
	return state->scratch;
}

/* setup(...): the classes and functions that Python's side has, see enum given. */
static PyObject *call_setup(PyObject *module, PyObject *args)
{
	struct state *state = PyModule_GetState(module);

	if (PyTuple_Size(args) != GIVEN_COUNT)
		return PyErr_Format(PyExc_TypeError, "setup() takes %d arguments", GIVEN_COUNT);
	if (state->given[0] != NULL)
		return PyErr_Format(PyExc_RuntimeError, "setup() was called before");
	for (Py_ssize_t i = 0; i < GIVEN_COUNT; i++) {
		PyObject *value = PyTuple_GetItem(args, i);

		if (i < GIVEN_ENCODE ? !PyType_Check(value) : !PyCallable_Check(value))
			return PyErr_Format(PyExc_TypeError, "setup(): argument %zd", i);
	}
	for (Py_ssize_t i = 0; i < GIVEN_COUNT; i++)
		state->given[i] = Py_NewRef(PyTuple_GetItem(args, i));
	Py_RETURN_NONE;
}

/* currency_digits(code): the digits of its minor unit, or None: it is no currency. */
static PyObject *call_currency_digits(PyObject *module, PyObject *code)
{
	struct corral_text text;
	Py_ssize_t size;
	int digits;

	(void)module;
	if (!PyUnicode_Check(code))
		return PyErr_Format(PyExc_TypeError, "currency: a str is wanted");
	text.data = PyUnicode_AsUTF8AndSize(code, &size);
	if (text.data == NULL) {
		if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
			return NULL;
		PyErr_Clear();
		Py_RETURN_NONE;
	}
	text.size = (size_t)size;
	digits = corral_currency_digits(text);
	if (digits < 0)
		Py_RETURN_NONE;
	return PyLong_FromLong(digits);
}

static PyMethodDef functions[] = {
	{ "setup", call_setup, METH_VARARGS, NULL },
	{ "currency_digits", call_currency_digits, METH_O, NULL },
	{ "after_fork", waits_after_fork, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static bool add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **ret_type)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

	*ret_type = (PyTypeObject *)type;
	return type != NULL && PyModule_AddType(module, *ret_type) == 0;
}

static bool make_names(struct state *state)
{
	static const char *const statuses[] = { "open", "checked_out" };
	static const char *const kinds[] = { "discount", "fee", "tip", "service" };

	for (size_t i = 0; i < NAME_COUNT; i++)
		if ((state->names[i] = PyUnicode_InternFromString(name_texts[i])) == NULL)
			return false;
	for (size_t i = 0; i < COUNT(statuses); i++)
		if ((state->statuses[i] = PyUnicode_InternFromString(statuses[i])) == NULL)
			return false;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if ((state->kinds[i] = PyUnicode_InternFromString(kinds[i])) == NULL)
			return false;
	return true;
}

static int module_exec(PyObject *module)
{
	struct state *state = PyModule_GetState(module);
	int r = waits_prepare();

	if (r < 0) {
		errno = -r;
		PyErr_SetFromErrno(PyExc_OSError);
		return -1;
	}
	if (!add_type(module, &store_spec, &state->store_type) ||
	    !add_type(module, &listing_spec, &state->listing_type) ||
	    !add_type(module, &copy_spec, &state->copy_type) ||
	    !add_type(module, &answer_spec, &state->answer_type) ||
	    !add_type(module, &waits_spec, &state->waits_type) ||
	    !add_type(module, &events_spec, &state->events_type) || !make_names(state))
		return -1;
	return PyModule_AddStringConstant(module, "version", corral_version());
}

/* Call it for each object of the state: a place that may be cleared. */
static int each_object(struct state *state, int (*call)(PyObject **place, void *context),
		       void *context)
{
	PyObject **lists[] = { state->given, state->names, state->statuses, state->kinds };
	const size_t counts[] = { GIVEN_COUNT, NAME_COUNT, COUNT(state->statuses),
				  COUNT(state->kinds) };
	PyTypeObject **types[] = { &state->store_type,  &state->listing_type, &state->copy_type,
				   &state->answer_type, &state->waits_type,   &state->events_type };
	int r = 0;

	for (size_t list = 0; list < COUNT(lists); list++)
		for (size_t i = 0; r == 0 && i < counts[list]; i++)
			r = call(&lists[list][i], context);
	for (size_t i = 0; r == 0 && i < COUNT(types); i++)
		r = call((PyObject **)types[i], context);
	return r;
}

struct visit {
	visitproc visit;
	void *arg;
};

static int visit_object(PyObject **place, void *context)
{
	const struct visit *visit = context;

	return *place != NULL ? visit->visit(*place, visit->arg) : 0;
}

static int clear_object(PyObject **place, void *context)
{
	(void)context;
	Py_CLEAR(*place);
	return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct visit context = { visit, arg };

	return each_object(PyModule_GetState(module), visit_object, &context);
}

static int module_clear(PyObject *module)
{
	return each_object(PyModule_GetState(module), clear_object, NULL);
}

static void module_free(void *module)
{
	struct state *state = PyModule_GetState(module);

	(void)module_clear(module);
	free(state->scratch);
	state->scratch = NULL;
}

static PyModuleDef_Slot slots[] = { { Py_mod_exec, module_exec }, { 0, NULL } };

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,   .m_name = "corral._corral", .m_size = sizeof(struct state),
	.m_methods = functions,  .m_slots = slots,           .m_traverse = module_traverse,
	.m_clear = module_clear, .m_free = module_free,
};

PyMODINIT_FUNC PyInit__corral(void);

PyMODINIT_FUNC PyInit__corral(void)
{
	return PyModuleDef_Init(&definition);
}
