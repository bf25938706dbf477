/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c: arguments of Python's, checked and read into the structures of corral.h.
 *
 * An item is an Item (a Line is one) or a dict, and so are modifiers and adjustments. Reading one
 * may run code of a user (a property of a subclass, the comparison of a dict's strange keys), which
 * may change the very objects that are being read, or call the store. So each value is read once
 * and held until the request ends, sequences are copied first, and a request shares no memory with
 * another one. Nothing has been changed yet when this fails.
 *
 * A number is an int, not a bool, a float or something that can be made an int: 8.99 and "899" are
 * refused. A text is a str without half a surrogate pair.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"

#define ALIGNMENT 16u
#define TTL_MS_MAX ((int64_t)CORRAL_TTL_MS_MAX)
#define PATIENCE_MS_MAX 3600000

struct block { /* memory beyond the request's own bytes */
	struct block *next;
	_Alignas(16) char bytes[];
};

/* ----------------------------------------------------------- memory, holding */

void request_begin(struct request *request, struct state *state)
{
	memset(request, 0, offsetof(struct request, first_held));
	request->state = state;
	request->held = request->first_held;
	request->held_room = REQUEST_HELD;
	request->op.flags = CORRAL_OP_PATIENCE | CORRAL_OP_NO_DISK;
}

void request_end(struct request *request)
{
	for (struct block *block = request->blocks, *next; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	request->blocks = NULL;
	while (request->held_count > 0)
		Py_DECREF(request->held[--request->held_count]);
	if (request->held != request->first_held)
		free(request->held);
	request->held = request->first_held;
}

/* Zeroed memory until the request ends; NULL and an exception. */
static void *take(struct request *request, size_t count, size_t each)
{
	size_t size = (count * each + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct block *block;
	char *taken;

	if (size <= REQUEST_BYTES - request->used) {
		taken = request->bytes + request->used;
		request->used += size;
		memset(taken, 0, size);
		return taken;
	}
	block = calloc(1, sizeof(*block) + size);
	if (block == NULL)
		return PyErr_NoMemory();
	block->next = request->blocks;
	request->blocks = block;
	return block->bytes;
}

/* Take a reference over, until the request ends. NULL stays NULL. */
static PyObject *hold(struct request *request, PyObject *object)
{
	PyObject **more;

	if (object == NULL)
		return NULL;
	if (request->held_count == request->held_room) {
		bool first = request->held == request->first_held;

		more = realloc(first ? NULL : (void *)request->held,
			       2 * request->held_room * sizeof(PyObject *));
		if (more == NULL) {
			Py_DECREF(object);
			return PyErr_NoMemory();
		}
		if (first)
			memcpy((void *)more, (void *)request->first_held,
			       sizeof(request->first_held));
		request->held = more;
		request->held_room *= 2;
	}
	request->held[request->held_count++] = object;
	return object;
}

/* ------------------------------------------------------------------- errors */

static void put_place(char *place, size_t size, const char *list, Py_ssize_t index)
{
	size_t at = strlen(place);

	if (list != NULL)
		snprintf(place + at, size - at, "%s[%zd].", list, index);
}

/* Raise an exception about a field; false. */
static bool refuse(const struct request *request, PyObject *type, const char *field,
		   const char *format, ...)
{
	char place[128] = "";
	PyObject *text;
	va_list args;

	put_place(place, sizeof(place), request->list, request->index);
	put_place(place, sizeof(place), request->inner, request->inner_index);
	va_start(args, format);
	text = PyUnicode_FromFormatV(format, args);
	va_end(args);
	if (text != NULL)
		PyErr_Format(type, "%s%s: %U", place, field, text);
	Py_XDECREF(text);
	return false;
}

/* Another type was wanted; false. */
static bool refuse_type(const struct request *request, const char *field, const char *wanted,
			PyObject *value)
{
	PyObject *name = PyType_GetName(Py_TYPE(value));

	if (name == NULL)
		return false;
	refuse(request, PyExc_TypeError, field, "%s is wanted, not %U", wanted, name);
	Py_DECREF(name);
	return false;
}

/* ------------------------------------------------------------ texts, numbers */

bool request_text(struct request *request, PyObject *value, const char *field, bool filled,
		  struct corral_text *ret_text)
{
	Py_ssize_t size;

	if (!PyUnicode_Check(value))
		return refuse_type(request, field, "a str", value);
	/* the string keeps these bytes as long as it lives */
	if (hold(request, Py_NewRef(value)) == NULL)
		return false;
	ret_text->data = PyUnicode_AsUTF8AndSize(value, &size);
	if (ret_text->data == NULL) {
		if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
			return false;
		PyErr_Clear();
		return refuse(request, PyExc_ValueError, field,
			      "the str has half a surrogate pair in it");
	}
	if (size == 0 && filled)
		return refuse(request, PyExc_ValueError, field, "the str is empty");
	ret_text->size = (size_t)size;
	return true;
}

bool request_whole(struct request *request, PyObject *value, const char *field, int64_t least,
		   int64_t most, int64_t *ret_number)
{
	long long number;
	int overflow;

	if (!PyLong_Check(value) || PyBool_Check(value))
		return refuse_type(request, field, "an int", value);
	number = PyLong_AsLongLongAndOverflow(value, &overflow);
	if (number == -1 && PyErr_Occurred())
		return false;
	if (overflow != 0 || number < least || number > most)
		return refuse(request, PyExc_ValueError, field,
			      "the number is not from %lld to %lld", (long long)least,
			      (long long)most);
	*ret_number = number;
	return true;
}

static bool read_u32(struct request *request, PyObject *value, const char *field, uint32_t least,
		     uint32_t most, uint32_t *ret_number)
{
	int64_t number;

	if (!request_whole(request, value, field, least, most, &number))
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* Money in minor units. */
static bool read_money(struct request *request, PyObject *value, const char *field, int64_t least,
		       int64_t *ret_cents)
{
	if (PyFloat_Check(value))
		return refuse(request, PyExc_TypeError, field,
			      "an int of minor units (cents) is wanted, not a float: "
			      "money('8.99', 'USD') makes one");
	return request_whole(request, value, field, least, INT64_MAX, ret_cents);
}

static bool read_bool(struct request *request, PyObject *value, const char *field,
		      uint32_t *ret_yes)
{
	if (!PyBool_Check(value))
		return refuse_type(request, field, "True or False", value);
	*ret_yes = value == Py_True;
	return true;
}

/* A list or a tuple, as a tuple of its own, which is held; NULL and an exception. */
static PyObject *read_list(struct request *request, PyObject *value, const char *field,
			   Py_ssize_t most)
{
	PyObject *tuple;
	Py_ssize_t count;

	if (PyList_Check(value))
		tuple = PyList_AsTuple(value);
	else if (PyTuple_Check(value))
		tuple = PyTuple_GetSlice(value, 0, PyTuple_Size(value));
	else
		tuple = (refuse_type(request, field, "a list or a tuple", value), NULL);
	tuple = hold(request, tuple);
	if (tuple == NULL)
		return NULL;
	count = PyTuple_Size(tuple);
	if (count > most) {
		refuse(request, PyExc_ValueError, field, "at most %zd, not %zd", most, count);
		return NULL;
	}
	return tuple;
}

/* ------------------------------------------------------------------- fields */

struct fields {
	struct request *request;
	PyObject *object;
	bool is_dict;
	Py_ssize_t seen; /* of a dict's entries */
};

/* An instance of the class, or a dict. */
static bool begin_fields(struct request *request, PyObject *object, enum given class,
			 const char *field, const char *wanted, struct fields *fields)
{
	PyTypeObject *type = (PyTypeObject *)request->state->given[class];

	*fields = (struct fields){ request, object, PyDict_Check(object), 0 };
	if (fields->is_dict || PyType_IsSubtype(Py_TYPE(object), type))
		return true;
	return refuse_type(request, field, wanted, object);
}

/*
 * A field, which is held. *ret_value NULL: it is not there, or None. false: an exception.
 */
static bool get_field(struct fields *fields, enum name name, PyObject **ret_value)
{
	PyObject *key = fields->request->state->names[name], *value;

	*ret_value = NULL;
	if (fields->is_dict) {
		value = PyDict_GetItemWithError(fields->object, key);
		if (value == NULL)
			return PyErr_Occurred() == NULL;
		fields->seen++;
		Py_INCREF(value);
	} else {
		value = PyObject_GetAttr(fields->object, key);
	}
	value = hold(fields->request, value);
	if (value == NULL)
		return false;
	*ret_value = value != Py_None ? value : NULL;
	return true;
}

/* The same of one that has to be there. */
static bool need_field(struct fields *fields, enum name name, const char *field,
		       PyObject **ret_value)
{
	if (!get_field(fields, name, ret_value))
		return false;
	return *ret_value != NULL ||
	       refuse(fields->request, PyExc_TypeError, field, "it is missing");
}

/* No dict has other fields than these: a misspelt one would be lost without a word. */
static bool end_fields(struct fields *fields, const enum name *known, size_t count,
		       const char *what)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	bool found;

	if (!fields->is_dict || PyDict_Size(fields->object) == fields->seen)
		return true;
	while (PyDict_Next(fields->object, &at, &key, &value)) {
		found = false;
		for (size_t i = 0; i < count && !found && PyUnicode_Check(key); i++)
			found = PyUnicode_Compare(key, fields->request->state->names[known[i]]) ==
				0;
		if (PyErr_Occurred())
			return false;
		if (found)
			continue;
		if (!PyUnicode_Check(key))
			return refuse_type(fields->request, what, "a str as a key", key);
		return refuse(fields->request, PyExc_TypeError, what, "it has no field %R", key);
	}
	return true;
}

/* -------------------------------------------------------------------- items */

static bool read_modifier(struct request *request, PyObject *object,
			  struct corral_modifier *modifier)
{
	static const enum name known[] = { NAME_name, NAME_price_cents };
	struct fields fields;
	PyObject *name, *price;

	return begin_fields(request, object, GIVEN_MODIFIER, "modifier", "a Modifier or a dict",
			    &fields) &&
	       need_field(&fields, NAME_name, "name", &name) &&
	       request_text(request, name, "name", false, &modifier->name) &&
	       need_field(&fields, NAME_price_cents, "price_cents", &price) &&
	       read_money(request, price, "price_cents", -INT64_MAX, &modifier->price_cents) &&
	       end_fields(&fields, known, COUNT(known), "modifier");
}

static bool read_modifiers(struct request *request, PyObject *value, struct corral_item *item)
{
	PyObject *tuple = read_list(request, value, "modifiers", CORRAL_MODIFIERS_MAX);
	struct corral_modifier *modifiers;
	Py_ssize_t count;

	if (tuple == NULL)
		return false;
	count = PyTuple_Size(tuple);
	modifiers = take(request, (size_t)count, sizeof(*modifiers));
	if (modifiers == NULL)
		return false;
	request->inner = "modifiers";
	for (Py_ssize_t i = 0; i < count; i++) {
		request->inner_index = i;
		if (!read_modifier(request, PyTuple_GetItem(tuple, i), &modifiers[i]))
			return false;
	}
	request->inner = NULL;
	item->modifiers = modifiers;
	item->modifier_count = (uint32_t)count;
	return true;
}

/* The bytes of an extra's value; Python's side makes them, and says what is wrong. */
static bool read_extra(struct request *request, PyObject *key, PyObject *value,
		       struct corral_extra *extra)
{
	PyObject *bytes;
	Py_ssize_t size;
	char *data;

	if (!request_text(request, key, "extras", false, &extra->key))
		return false;
	bytes = hold(request, PyObject_CallFunctionObjArgs(request->state->given[GIVEN_ENCODE],
							   value, key, NULL));
	if (bytes == NULL || PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
		return false;
	extra->value = data;
	extra->value_size = (size_t)size;
	return true;
}

/* What a dict has, as a list of pairs that is held; NULL and an exception. */
static PyObject *read_dict(struct request *request, PyObject *value, const char *field,
			   Py_ssize_t most)
{
	PyObject *list;

	if (!PyDict_Check(value)) {
		refuse_type(request, field, "a dict", value);
		return NULL;
	}
	list = hold(request, PyDict_Items(value));
	if (list != NULL && PyList_Size(list) > most) {
		refuse(request, PyExc_ValueError, field, "at most %zd", most);
		return NULL;
	}
	return list;
}

static bool read_extras(struct request *request, PyObject *value, struct corral_item *item)
{
	PyObject *list = read_dict(request, value, "extras", CORRAL_EXTRAS_MAX), *pair;
	struct corral_extra *extras;
	Py_ssize_t count;

	if (list == NULL)
		return false;
	count = PyList_Size(list);
	extras = take(request, (size_t)count, sizeof(*extras));
	if (extras == NULL)
		return false;
	for (Py_ssize_t i = 0; i < count; i++) {
		pair = PyList_GetItem(list, i);
		if (!read_extra(request, PyTuple_GetItem(pair, 0), PyTuple_GetItem(pair, 1),
				&extras[i]))
			return false;
	}
	item->extras = extras;
	item->extra_count = (uint32_t)count;
	return true;
}

static bool read_item_texts(struct fields *fields, struct corral_item *item)
{
	struct request *request = fields->request;
	PyObject *id, *name, *notes;

	return need_field(fields, NAME_menu_item_id, "menu_item_id", &id) &&
	       request_text(request, id, "menu_item_id", true, &item->menu_item_id) &&
	       get_field(fields, NAME_name, &name) &&
	       (name == NULL || request_text(request, name, "name", false, &item->name)) &&
	       get_field(fields, NAME_notes, &notes) &&
	       (notes == NULL || request_text(request, notes, "notes", false, &item->notes));
}

static bool read_item_numbers(struct fields *fields, struct corral_item *item)
{
	struct request *request = fields->request;
	PyObject *price, *quantity, *separate, *tax_ppm;

	item->quantity = 1;
	if (!need_field(fields, NAME_unit_price_cents, "unit_price_cents", &price) ||
	    !read_money(request, price, "unit_price_cents", 0, &item->unit_price_cents) ||
	    !get_field(fields, NAME_quantity, &quantity) ||
	    (quantity != NULL &&
	     !read_u32(request, quantity, "quantity", 1, CORRAL_QUANTITY_MAX, &item->quantity)) ||
	    !get_field(fields, NAME_separate, &separate) ||
	    (separate != NULL && !read_bool(request, separate, "separate", &item->separate)) ||
	    !get_field(fields, NAME_tax_ppm, &tax_ppm))
		return false;
	item->own_rate = tax_ppm != NULL;
	return tax_ppm == NULL ||
	       read_u32(request, tax_ppm, "tax_ppm", 0, CORRAL_TAX_PPM_MAX, &item->tax_ppm);
}

/* What a line of an order has besides; ret_line: NULL, or where its number goes. */
static bool read_line_fields(struct fields *fields, uint32_t *ret_line)
{
	PyTypeObject *line_type = (PyTypeObject *)fields->request->state->given[GIVEN_LINE];
	PyObject *line, *computed;

	if (!fields->is_dict && !PyType_IsSubtype(Py_TYPE(fields->object), line_type))
		return true;
	if (!get_field(fields, NAME_line, &line))
		return false;
	if (fields->is_dict && (!get_field(fields, NAME_modifiers_cents, &computed) ||
				!get_field(fields, NAME_total_cents, &computed)))
		return false;
	return line == NULL || ret_line == NULL ||
	       read_u32(fields->request, line, "line", 0, UINT32_MAX, ret_line);
}

static bool read_item(struct request *request, PyObject *object, struct corral_item *item,
		      uint32_t *ret_line)
{
	static const enum name known[] = {
		NAME_menu_item_id, NAME_name,      NAME_notes,           NAME_unit_price_cents,
		NAME_quantity,     NAME_modifiers, NAME_extras,          NAME_separate,
		NAME_tax_ppm,      NAME_line,      NAME_modifiers_cents, NAME_total_cents,
	};
	struct fields fields;
	PyObject *modifiers, *extras;

	return begin_fields(request, object, GIVEN_ITEM, "item", "an Item or a dict", &fields) &&
	       read_item_texts(&fields, item) && read_item_numbers(&fields, item) &&
	       get_field(&fields, NAME_modifiers, &modifiers) &&
	       (modifiers == NULL || read_modifiers(request, modifiers, item)) &&
	       get_field(&fields, NAME_extras, &extras) &&
	       (extras == NULL || read_extras(request, extras, item)) &&
	       read_line_fields(&fields, ret_line) &&
	       end_fields(&fields, known, COUNT(known), "item");
}

/* -------------------------------------------------------------- adjustments */

static bool read_kind(struct request *request, PyObject *value, uint32_t *ret_kind)
{
	const struct state *state = request->state;

	if (!PyUnicode_Check(value))
		return refuse_type(request, "kind", "a str", value);
	for (uint32_t i = 0; i < COUNT(state->kinds); i++)
		if (PyUnicode_Compare(value, state->kinds[i]) == 0) {
			*ret_kind = i + CORRAL_DISCOUNT;
			return true;
		}
	return refuse(request, PyExc_ValueError, "kind",
		      "'discount', 'fee', 'tip' or 'service' is wanted");
}

static bool read_amount(struct fields *fields, struct corral_adjustment *adjustment)
{
	struct request *request = fields->request;
	PyObject *cents, *ppm;

	if (!get_field(fields, NAME_cents, &cents) || !get_field(fields, NAME_ppm, &ppm))
		return false;
	if ((cents == NULL) == (ppm == NULL))
		return refuse(request, PyExc_TypeError, "cents",
			      "an adjustment has either cents or ppm");
	if (cents != NULL)
		return read_money(request, cents, "cents", 0, &adjustment->cents);
	return read_u32(request, ppm, "ppm", 1, CORRAL_TAX_PPM_MAX, &adjustment->ppm);
}

static bool read_adjustment(struct request *request, PyObject *object,
			    struct corral_adjustment *adjustment)
{
	static const enum name known[] = { NAME_name, NAME_kind,      NAME_cents,
					   NAME_ppm,  NAME_after_tax, NAME_amount_cents };
	struct fields fields;
	PyObject *name, *kind, *after_tax, *amount;

	return begin_fields(request, object, GIVEN_ADJUSTMENT, "adjustment",
			    "an Adjustment or a dict", &fields) &&
	       need_field(&fields, NAME_name, "name", &name) &&
	       request_text(request, name, "name", true, &adjustment->name) &&
	       need_field(&fields, NAME_kind, "kind", &kind) &&
	       read_kind(request, kind, &adjustment->kind) && read_amount(&fields, adjustment) &&
	       get_field(&fields, NAME_after_tax, &after_tax) &&
	       (after_tax == NULL ||
		read_bool(request, after_tax, "after_tax", &adjustment->after_tax)) &&
	       get_field(&fields, NAME_amount_cents, &amount) && /* it is computed: not looked at */
	       end_fields(&fields, known, COUNT(known), "adjustment");
}

/* -------------------------------------------------------------------- steps */

/* A line: its number, or the menu item that exactly one line has. */
static bool read_line(struct request *request, PyObject *value, struct corral_step *step)
{
	if (PyUnicode_Check(value))
		return request_text(request, value, "line", true, &step->menu_item_id);
	if (!PyLong_Check(value) || PyBool_Check(value))
		return refuse_type(request, "line", "an int, or the menu item's id as a str,",
				   value);
	return read_u32(request, value, "line", 1, UINT32_MAX, &step->line);
}

/* What a step points to. */
struct step_room {
	struct corral_item item;
	struct corral_text value;
	struct corral_adjustment adjustment;
};

static bool read_attribute(struct request *request, PyObject *name, PyObject *value,
			   struct corral_step *step, struct corral_text *room)
{
	step->value = value != Py_None ? room : NULL; /* None: take it away */
	return request_text(request, name, "name", true, &step->name) &&
	       (value == Py_None || request_text(request, value, "value", false, room));
}

static bool read_step_of(struct request *request, PyObject *first, PyObject *second,
			 struct corral_step *step, struct step_room *room)
{
	int64_t number = 0;

	switch (step->kind) {
	case CORRAL_STEP_ADD:
		step->item = &room->item;
		return read_item(request, first, &room->item, NULL);
	case CORRAL_STEP_SET_QUANTITY:
		return read_line(request, first, step) &&
		       read_u32(request, second, "quantity", 0, CORRAL_QUANTITY_MAX,
				&step->quantity);
	case CORRAL_STEP_CHANGE_QUANTITY:
		if (!read_line(request, first, step) ||
		    !request_whole(request, second, "difference", -CORRAL_QUANTITY_MAX,
				   CORRAL_QUANTITY_MAX, &number))
			return false;
		step->difference = (int32_t)number;
		return true;
	case CORRAL_STEP_REMOVE:
		return read_line(request, first, step);
	case CORRAL_STEP_SET_LINE_TAX:
		step->own_rate = second != Py_None; /* None: it has none */
		return read_line(request, first, step) &&
		       (second == Py_None || read_u32(request, second, "tax_ppm", 0,
						      CORRAL_TAX_PPM_MAX, &step->tax_ppm));
	case CORRAL_STEP_SET_TAX:
		return read_u32(request, first, "tax_ppm", 0, CORRAL_TAX_PPM_MAX, &step->tax_ppm);
	case CORRAL_STEP_SET_ATTRIBUTE:
		return read_attribute(request, first, second, step, &room->value);
	case CORRAL_STEP_SET_TTL:
		if (!request_whole(request, first, "ttl_ms", 0, TTL_MS_MAX, &number))
			return false;
		step->ttl_ms = (uint64_t)number;
		return true;
	case CORRAL_STEP_SET_ADJUSTMENT:
		step->adjustment = &room->adjustment;
		return read_adjustment(request, first, &room->adjustment);
	case CORRAL_STEP_REMOVE_ADJUSTMENT:
		return request_text(request, first, "name", true, &step->name);
	case CORRAL_STEP_SET_CURRENCY:
		return request_text(request, first, "currency", true, &step->name);
	case CORRAL_STEP_SET_PRICING:
		return read_u32(request, first, "pricing", 0, UINT32_MAX, &step->pricing);
	default: /* a clear, a checkout */
		return true;
	}
}

/* A tuple of a kind and what the kind takes, as step.py makes it. */
static bool read_step(struct request *request, PyObject *tuple, struct corral_step *step,
		      struct step_room *room)
{
	static const Py_ssize_t sizes[] = {
		[CORRAL_STEP_ADD] = 2,
		[CORRAL_STEP_SET_QUANTITY] = 3,
		[CORRAL_STEP_CHANGE_QUANTITY] = 3,
		[CORRAL_STEP_REMOVE] = 2,
		[CORRAL_STEP_CLEAR] = 1,
		[CORRAL_STEP_SET_TAX] = 2,
		[CORRAL_STEP_SET_ATTRIBUTE] = 3,
		[CORRAL_STEP_SET_TTL] = 2,
		[CORRAL_STEP_CHECKOUT] = 1,
		[CORRAL_STEP_SET_ADJUSTMENT] = 2,
		[CORRAL_STEP_REMOVE_ADJUSTMENT] = 2,
		[CORRAL_STEP_SET_PRICING] = 2,
		[CORRAL_STEP_SET_CURRENCY] = 2,
		[CORRAL_STEP_SET_LINE_TAX] = 3,
	};
	Py_ssize_t size;

	if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) == 0)
		return refuse_type(request, "step", "what corral.step makes", tuple);
	if (!read_u32(request, PyTuple_GetItem(tuple, 0), "step", 1, COUNT(sizes) - 1, &step->kind))
		return false;
	size = PyTuple_Size(tuple);
	if (size != sizes[step->kind])
		return refuse(request, PyExc_TypeError, "step", "what corral.step makes is wanted");
	return read_step_of(request, size > 1 ? PyTuple_GetItem(tuple, 1) : NULL,
			    size > 2 ? PyTuple_GetItem(tuple, 2) : NULL, step, room);
}

bool request_steps(struct request *request, PyObject *steps, PyObject *place)
{
	PyObject *tuple;
	struct step_room *rooms;
	struct corral_text list = { NULL, 0 };
	Py_ssize_t count;

	if (place != Py_None && !request_text(request, place, "place", true, &list))
		return false;
	tuple = read_list(request, steps, list.size > 0 ? list.data : "steps", CORRAL_STEPS_MAX);
	if (tuple == NULL)
		return false;
	count = PyTuple_Size(tuple);
	if (count == 0)
		return refuse(request, PyExc_ValueError, list.size > 0 ? list.data : "steps",
			      "there is none");
	request->steps = take(request, (size_t)count, sizeof(*request->steps));
	request->lines = take(request, (size_t)count, sizeof(*request->lines));
	rooms = take(request, (size_t)count, sizeof(*rooms));
	if (request->steps == NULL || request->lines == NULL || rooms == NULL)
		return false;
	request->step_count = (uint32_t)count;
	request->list = list.data;
	for (Py_ssize_t i = 0; i < count; i++) {
		request->index = i;
		if (!read_step(request, PyTuple_GetItem(tuple, i), &request->steps[i], &rooms[i]))
			return false;
	}
	request->list = NULL;
	return true;
}

/* -------------------------------------------------------------------- carts */

static bool read_cart_adjustments(struct request *request, PyObject *value)
{
	PyObject *tuple = read_list(request, value, "adjustments", CORRAL_ADJUSTMENTS_MAX);
	struct corral_cart *cart = &request->cart;

	if (tuple == NULL)
		return false;
	cart->adjustment_count = (uint32_t)PyTuple_Size(tuple);
	cart->adjustments = take(request, cart->adjustment_count, sizeof(*cart->adjustments));
	if (cart->adjustments == NULL)
		return false;
	request->list = "adjustments";
	for (uint32_t i = 0; i < cart->adjustment_count; i++) {
		request->index = i;
		if (!read_adjustment(request, PyTuple_GetItem(tuple, i), &cart->adjustments[i]))
			return false;
	}
	request->list = NULL;
	return true;
}

static bool read_cart_attributes(struct request *request, PyObject *value)
{
	PyObject *list = read_dict(request, value, "attributes", CORRAL_ATTRIBUTES_MAX), *pair;
	struct corral_cart *cart = &request->cart;

	if (list == NULL)
		return false;
	cart->attribute_count = (uint32_t)PyList_Size(list);
	cart->attributes = take(request, cart->attribute_count, sizeof(*cart->attributes));
	if (cart->attributes == NULL)
		return false;
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		pair = PyList_GetItem(list, i);
		if (!request_text(request, PyTuple_GetItem(pair, 0), "attributes", true,
				  &cart->attributes[i].name) ||
		    !request_text(request, PyTuple_GetItem(pair, 1), "attributes", false,
				  &cart->attributes[i].value))
			return false;
	}
	return true;
}

static bool read_cart_items(struct request *request, PyObject *value)
{
	PyObject *tuple = read_list(request, value, "items", CORRAL_LINES_MAX);
	struct corral_cart *cart = &request->cart;

	if (tuple == NULL)
		return false;
	cart->line_count = (uint32_t)PyTuple_Size(tuple);
	cart->lines = take(request, cart->line_count, sizeof(*cart->lines));
	if (cart->lines == NULL)
		return false;
	request->list = "items";
	for (uint32_t i = 0; i < cart->line_count; i++) {
		request->index = i;
		if (!read_item(request, PyTuple_GetItem(tuple, i), &cart->lines[i].item,
			       &cart->lines[i].line))
			return false;
	}
	request->list = NULL;
	return true;
}

bool request_cart(struct request *request, PyObject *draft)
{
	struct corral_head *head = &request->cart.head;
	struct corral_text currency;

	if (!PyTuple_Check(draft) || PyTuple_Size(draft) != 6)
		return refuse_type(request, "order", "a tuple of six", draft);
	if (hold(request, Py_NewRef(draft)) == NULL ||
	    !read_u32(request, PyTuple_GetItem(draft, 0), "tax_ppm", 0, CORRAL_TAX_PPM_MAX,
		      &head->tax_ppm) ||
	    !read_u32(request, PyTuple_GetItem(draft, 1), "pricing", 0, UINT32_MAX,
		      &head->pricing) ||
	    !request_text(request, PyTuple_GetItem(draft, 2), "currency", false, &currency))
		return false;
	if (currency.size >= sizeof(head->currency))
		return refuse(request, PyExc_ValueError, "currency", "it is no code of ISO 4217");
	memcpy(head->currency, currency.data, currency.size);
	return read_cart_adjustments(request, PyTuple_GetItem(draft, 3)) &&
	       read_cart_attributes(request, PyTuple_GetItem(draft, 4)) &&
	       read_cart_items(request, PyTuple_GetItem(draft, 5));
}

/* ---------------------------------------------------------------- key and op */

bool request_key(struct request *request, PyObject *restaurant, PyObject *session)
{
	return request_text(request, restaurant, "restaurant_id", true,
			    &request->key.restaurant_id) &&
	       request_text(request, session, "session_id", true, &request->key.session_id);
}

bool request_op(struct request *request, PyObject *id, PyObject *if_version, PyObject *patience,
		uint32_t patience_ms)
{
	int64_t version = 0;

	request->op.patience_ms = patience_ms;
	if ((id != Py_None && !request_text(request, id, "op_id", true, &request->op.id)) ||
	    (if_version != Py_None &&
	     !request_whole(request, if_version, "if_version", 0, INT64_MAX, &version)) ||
	    (patience != Py_None && !read_u32(request, patience, "patience_ms", 0, PATIENCE_MS_MAX,
					      &request->op.patience_ms)))
		return false;
	request->op.if_version = (uint64_t)version;
	return true;
}
