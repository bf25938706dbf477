/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.c: objects of Python from carts and from events.
 *
 * An order's numbers are attributes from the beginning; its items, adjustments, attributes and
 * rates are decoded from a copy of the cart when they are first looked at (Order.__getattr__ asks
 * for them by name). The copy is memory of this process. Amounts are ints of any size, so all that
 * a cart can hold comes out exactly.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"

struct copy {
	PyObject_HEAD struct corral_view view;
	void *bytes;
};

struct answer {
	PyObject_HEAD struct corral_result result;
	PyObject *lines; /* a tuple */
	PyObject *order; /* NULL: `copy` is not looked at yet, or there is none */
	PyObject *copy;
};

static struct state *state_of(PyObject *self)
{
	struct state *state = PyType_GetModuleState(Py_TYPE(self));

	if (state->given[GIVEN_ERROR] != NULL)
		return state;
	PyErr_SetString(PyExc_RuntimeError, "the interpreter ends");
	return NULL;
}

/* -------------------------------------------------------------- attributes */

/* Set an attribute, and give up the value; false: there is an exception, or was one. */
static bool set(struct state *state, PyObject *object, enum name name, PyObject *value)
{
	bool done = value != NULL && PyObject_SetAttr(object, state->names[name], value) == 0;

	Py_XDECREF(value);
	return done;
}

static bool set_number(struct state *state, PyObject *object, enum name name, int64_t number)
{
	return set(state, object, name, PyLong_FromLongLong(number));
}

static PyObject *text_new(struct corral_text text)
{
	return PyUnicode_DecodeUTF8(text.data != NULL ? text.data : "", (Py_ssize_t)text.size,
				    "strict");
}

static bool set_text(struct state *state, PyObject *object, enum name name, struct corral_text text)
{
	return set(state, object, name, text_new(text));
}

static PyObject *optional_number(bool there, int64_t number)
{
	return there ? PyLong_FromLongLong(number) : Py_NewRef(Py_None);
}

/* An object of a class of ours, without its attributes yet. */
static PyObject *object_new(struct state *state, enum given class)
{
	return PyType_GenericAlloc((PyTypeObject *)state->given[class], 0);
}

/* What was made, or nothing. */
static PyObject *finish(bool done, PyObject *object)
{
	if (done)
		return object;
	Py_XDECREF(object);
	return NULL;
}

/* ------------------------------------------------------------------- items */

static PyObject *modifiers_new(struct state *state, const struct corral_item *item)
{
	PyObject *list = PyList_New(item->modifier_count), *modifier;

	for (uint32_t i = 0; list != NULL && i < item->modifier_count; i++) {
		const struct corral_modifier *from = &item->modifiers[i];

		modifier = object_new(state, GIVEN_MODIFIER);
		modifier = finish(
			modifier != NULL && set_text(state, modifier, NAME_name, from->name) &&
				set_number(state, modifier, NAME_price_cents, from->price_cents),
			modifier);
		if (modifier == NULL)
			return finish(false, list);
		PyList_SetItem(list, i, modifier);
	}
	return list;
}

static PyObject *extras_new(struct state *state, const struct corral_item *item)
{
	PyObject *dict, *key, *value;
	bool done;

	if (item->extra_count == 0)
		return Py_NewRef(Py_None);
	dict = PyDict_New();
	done = dict != NULL;
	for (uint32_t i = 0; done && i < item->extra_count; i++) {
		const struct corral_extra *extra = &item->extras[i];

		key = text_new(extra->key);
		value = PyObject_CallFunction(state->given[GIVEN_DECODE], "y#", extra->value,
					      (Py_ssize_t)extra->value_size);
		done = key != NULL && value != NULL && PyDict_SetItem(dict, key, value) == 0;
		Py_XDECREF(key);
		Py_XDECREF(value);
	}
	return finish(done, dict);
}

static PyObject *line_new(struct state *state, const struct corral_cart_line *from)
{
	const struct corral_item *item = &from->item;
	PyObject *line = object_new(state, GIVEN_LINE);
	int64_t modifiers_cents = 0;

	/* the library has summed them up for the line's total: no overflow */
	for (uint32_t i = 0; i < item->modifier_count; i++)
		modifiers_cents += item->modifiers[i].price_cents;
	return finish(
		line != NULL && set_number(state, line, NAME_line, from->line) &&
			set_text(state, line, NAME_menu_item_id, item->menu_item_id) &&
			set_text(state, line, NAME_name, item->name) &&
			set_text(state, line, NAME_notes, item->notes) &&
			set_number(state, line, NAME_unit_price_cents, item->unit_price_cents) &&
			set_number(state, line, NAME_quantity, item->quantity) &&
			set_number(state, line, NAME_modifiers_cents, modifiers_cents) &&
			set_number(state, line, NAME_total_cents, from->total_cents) &&
			set(state, line, NAME_separate, PyBool_FromLong(item->separate)) &&
			set(state, line, NAME_tax_ppm,
			    optional_number(item->own_rate, item->tax_ppm)) &&
			set(state, line, NAME_modifiers, modifiers_new(state, item)) &&
			set(state, line, NAME_extras, extras_new(state, item)),
		line);
}

static PyObject *items_new(struct state *state, const struct corral_view *view)
{
	struct corral_cart *cart;
	PyObject *list, *line;
	int r = corral_view_cart(view, &cart);

	if (r < 0)
		return raise_corral(state, r, 0, NULL);
	list = PyList_New(cart->line_count);
	for (uint32_t i = 0; list != NULL && i < cart->line_count; i++) {
		line = line_new(state, &cart->lines[i]);
		if (line == NULL)
			Py_CLEAR(list);
		else
			PyList_SetItem(list, i, line);
	}
	corral_cart_free(cart);
	return list;
}

/* ------------------------------------------------- what else an order has */

static PyObject *attributes_new(struct state *state, const struct corral_view *view)
{
	PyObject *dict = PyDict_New(), *name, *value;
	struct corral_attribute attribute;
	bool done = dict != NULL;
	int r = 0;

	for (uint32_t i = 0; done && (r = corral_view_attribute(view, i, &attribute)) == 0; i++) {
		name = text_new(attribute.name);
		value = text_new(attribute.value);
		done = name != NULL && value != NULL && PyDict_SetItem(dict, name, value) == 0;
		Py_XDECREF(name);
		Py_XDECREF(value);
	}
	if (!done || r == -ENXIO)
		return finish(done, dict);
	Py_DECREF(dict);
	return raise_corral(state, r, 0, NULL);
}

static PyObject *adjustment_new(struct state *state, const struct corral_adjustment *from)
{
	PyObject *object = object_new(state, GIVEN_ADJUSTMENT);
	bool known = from->kind >= CORRAL_DISCOUNT && from->kind <= CORRAL_SERVICE;
	PyObject *kind = known ? state->kinds[from->kind - CORRAL_DISCOUNT] : Py_None;

	return finish(
		object != NULL && set_text(state, object, NAME_name, from->name) &&
			set(state, object, NAME_kind, Py_NewRef(kind)) &&
			set(state, object, NAME_cents,
			    optional_number(from->ppm == 0, from->cents)) &&
			set(state, object, NAME_ppm, optional_number(from->ppm > 0, from->ppm)) &&
			set(state, object, NAME_after_tax, PyBool_FromLong(from->after_tax)) &&
			set_number(state, object, NAME_amount_cents, from->amount_cents),
		object);
}

/* Append an object, and give it up. */
static bool append(PyObject *list, PyObject *object)
{
	bool done = object != NULL && PyList_Append(list, object) == 0;

	Py_XDECREF(object);
	return done;
}

static PyObject *adjustments_new(struct state *state, const struct corral_view *view)
{
	struct corral_adjustment from;
	PyObject *list = PyList_New(0);
	bool done = list != NULL;
	int r = 0;

	for (uint32_t i = 0; done && (r = corral_view_adjustment(view, i, &from)) == 0; i++)
		done = append(list, adjustment_new(state, &from));
	if (!done || r == -ENXIO)
		return finish(done, list);
	Py_DECREF(list);
	return raise_corral(state, r, 0, NULL);
}

static PyObject *rate_new(struct state *state, const struct corral_rate *from)
{
	PyObject *rate = object_new(state, GIVEN_RATE);

	return finish(rate != NULL && set_number(state, rate, NAME_tax_ppm, from->tax_ppm) &&
			      set_number(state, rate, NAME_base_cents, from->base_cents) &&
			      set_number(state, rate, NAME_tax_cents, from->tax_cents),
		      rate);
}

static PyObject *rates_new(struct state *state, const struct corral_view *view)
{
	struct corral_head head;
	PyObject *list;
	bool done;
	int r = corral_view_head(view, &head);

	if (r < 0)
		return raise_corral(state, r, 0, NULL);
	list = PyList_New(0);
	done = list != NULL;
	for (uint32_t i = 0; done && i < head.rate_count && i < CORRAL_RATES_MAX; i++)
		done = append(list, rate_new(state, &head.rates[i]));
	return finish(done, list);
}

static PyObject *pricing_new(struct state *state, const struct corral_view *view)
{
	struct corral_head head;
	int r = corral_view_head(view, &head);

	return r < 0 ? raise_corral(state, r, 0, NULL) : PyLong_FromUnsignedLong(head.pricing);
}

/* --------------------------------------------------------------- the orders */

static bool set_head(struct state *state, PyObject *order, const struct corral_head *head)
{
	size_t code = strnlen(head->currency, sizeof(head->currency));

	return set(state, order, NAME_version, PyLong_FromUnsignedLongLong(head->version)) &&
	       set(state, order, NAME_status,
		   Py_NewRef(state->statuses[head->status == CORRAL_CHECKED_OUT])) &&
	       set_number(state, order, NAME_item_count, head->item_count) &&
	       set_number(state, order, NAME_line_count, head->line_count) &&
	       set_number(state, order, NAME_subtotal_cents, head->subtotal_cents) &&
	       set_number(state, order, NAME_tax_ppm, head->tax_ppm) &&
	       set_number(state, order, NAME_tax_cents, head->tax_cents) &&
	       set_number(state, order, NAME_total_cents, head->total_cents) &&
	       set_number(state, order, NAME_before_tax_cents, head->before_tax_cents) &&
	       set_number(state, order, NAME_after_tax_cents, head->after_tax_cents) &&
	       set_text(state, order, NAME_currency,
			(struct corral_text){ head->currency, code }) &&
	       set_number(state, order, NAME_currency_digits, head->currency_digits) &&
	       set_number(state, order, NAME_ttl_ms, (int64_t)head->effective_ttl_ms) &&
	       set_number(state, order, NAME_created_ms, head->created_ms) &&
	       set_number(state, order, NAME_updated_ms, head->updated_ms);
}

/* The bytes of a view, which is one of a copy already, in memory of their own. */
static PyObject *copy_new(struct state *state, const struct corral_view *view, size_t size)
{
	struct copy *copy = (struct copy *)PyType_GenericAlloc(state->copy_type, 0);

	if (copy == NULL)
		return NULL;
	copy->bytes = malloc(size);
	if (copy->bytes == NULL) {
		Py_DECREF(copy);
		return PyErr_NoMemory();
	}
	memcpy(copy->bytes, view->bytes, size);
	copy->view = *view;
	copy->view.bytes = copy->bytes;
	copy->view.size = size;
	return (PyObject *)copy;
}

/* The order of a copy, whose reference is given up. */
static PyObject *order_of(struct state *state, PyObject *copy)
{
	const struct corral_view *view;
	struct corral_head head;
	struct corral_key key;
	PyObject *order;
	int r;

	if (copy == NULL)
		return NULL;
	view = &((struct copy *)copy)->view;
	r = corral_view_head(view, &head);
	if (r == 0)
		r = corral_view_key(view, &key);
	if (r < 0) {
		Py_DECREF(copy);
		return raise_corral(state, r, 0, NULL);
	}
	order = object_new(state, GIVEN_ORDER);
	if (order == NULL) {
		Py_DECREF(copy);
		return NULL;
	}
	/* (the copy first: a reference to it is given up there in any case) */
	return finish(
		set(state, order, NAME__copy, copy) &&
			set_text(state, order, NAME_restaurant_id, key.restaurant_id) &&
			set_text(state, order, NAME_session_id, key.session_id) &&
			set_number(state, order, NAME_expires_ms, corral_view_expires_ms(view)) &&
			set_head(state, order, &head),
		order);
}

PyObject *order_new(struct state *state, const struct corral_view *view, size_t size)
{
	return order_of(state, copy_new(state, view, size));
}

PyObject *row_new(struct state *state, const struct corral_entry *entry)
{
	PyObject *row = object_new(state, GIVEN_ROW);

	return finish(
		row != NULL &&
			set_text(state, row, NAME_restaurant_id,
				 corral_text(entry->restaurant_id)) &&
			set_text(state, row, NAME_session_id, corral_text(entry->session_id)) &&
			set_number(state, row, NAME_expires_ms, entry->expires_ms) &&
			set_head(state, row, &entry->head),
		row);
}

static PyObject *copy_get(PyObject *self, enum name part)
{
	const struct corral_view *view = &((struct copy *)self)->view;
	struct state *state = state_of(self);

	if (state == NULL)
		return NULL;
	switch (part) {
	case NAME_items:
		return items_new(state, view);
	case NAME_adjustments:
		return adjustments_new(state, view);
	case NAME_attributes:
		return attributes_new(state, view);
	case NAME_rates:
		return rates_new(state, view);
	default:
		return pricing_new(state, view);
	}
}

#define PART(part)                                                                                 \
	static PyObject *copy_##part(PyObject *self, PyObject *none)                               \
	{                                                                                          \
		(void)none;                                                                        \
		return copy_get(self, NAME_##part);                                                \
	}
PART(items)
PART(adjustments)
PART(attributes)
PART(rates)
PART(pricing)

static PyMethodDef copy_methods[] = {
	{ "items", copy_items, METH_NOARGS, NULL },
	{ "adjustments", copy_adjustments, METH_NOARGS, NULL },
	{ "attributes", copy_attributes, METH_NOARGS, NULL },
	{ "rates", copy_rates, METH_NOARGS, NULL },
	{ "pricing", copy_pricing, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static void copy_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	free(((struct copy *)self)->bytes);
	release(self);
	Py_DECREF(type);
}

static PyType_Slot copy_slots[] = {
	{ Py_tp_dealloc, copy_dealloc },
	{ Py_tp_methods, copy_methods },
	{ 0, NULL },
};

PyType_Spec copy_spec = {
	.name = "corral._corral.Copy",
	.basicsize = sizeof(struct copy),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = copy_slots,
};

/* ------------------------------------------------------------------- events */

static PyObject *event_kind(uint32_t kind)
{
	return PyUnicode_FromString(kind == CORRAL_EVENT_CHANGED     ? "changed" :
				    kind == CORRAL_EVENT_CHECKED_OUT ? "checked_out" :
				    kind == CORRAL_EVENT_DROPPED     ? "dropped" :
				    kind == CORRAL_EVENT_EXPIRED     ? "expired" :
				    kind == CORRAL_EVENT_GAP         ? "gap" :
								       "unknown");
}

/* As the functions that make steps are called. */
static PyObject *step_name(uint32_t kind)
{
	static const char *const names[] = {
		[CORRAL_STEP_ADD] = "add",
		[CORRAL_STEP_SET_QUANTITY] = "set_quantity",
		[CORRAL_STEP_CHANGE_QUANTITY] = "change_quantity",
		[CORRAL_STEP_REMOVE] = "remove",
		[CORRAL_STEP_CLEAR] = "clear",
		[CORRAL_STEP_SET_TAX] = "tax",
		[CORRAL_STEP_SET_ATTRIBUTE] = "attribute",
		[CORRAL_STEP_SET_TTL] = "ttl",
		[CORRAL_STEP_CHECKOUT] = "checkout",
		[CORRAL_STEP_SET_ADJUSTMENT] = "adjust",
		[CORRAL_STEP_REMOVE_ADJUSTMENT] = "remove_adjustment",
		[CORRAL_STEP_SET_PRICING] = "pricing",
		[CORRAL_STEP_SET_CURRENCY] = "currency",
		[CORRAL_STEP_SET_LINE_TAX] = "line_tax",
		[CORRAL_STEP_REPLACE] = "replace",
		[CORRAL_STEP_RESTORE] = "restore",
	};

	return PyUnicode_FromString(kind < COUNT(names) && names[kind] != NULL ? names[kind] :
										 "unknown");
}

static PyObject *steps_new(struct state *state, const struct corral_event *event)
{
	PyObject *list = PyList_New(0), *step;
	bool done = list != NULL;

	for (uint32_t i = 0; done && i < event->steps_told; i++) {
		const struct corral_event_step *from = &event->steps[i];

		step = object_new(state, GIVEN_STEP);
		done = append(list,
			      finish(step != NULL &&
					     set(state, step, NAME_step, step_name(from->kind)) &&
					     set_number(state, step, NAME_line, from->line) &&
					     set_number(state, step, NAME_amount, from->amount),
				     step));
	}
	return finish(done, list);
}

static PyObject *gap_new(struct state *state, const struct corral_event *event)
{
	PyObject *gap = object_new(state, GIVEN_GAP);

	return finish(gap != NULL && set(state, gap, NAME_kind, event_kind(event->kind)) &&
			      set_number(state, gap, NAME_number, (int64_t)event->number) &&
			      set_number(state, gap, NAME_from_, (int64_t)event->from) &&
			      set_number(state, gap, NAME_to, (int64_t)event->to) &&
			      set(state, gap, NAME_missed,
				  optional_number(event->missed > 0, (int64_t)event->missed)) &&
			      set_number(state, gap, NAME_time_ms, event->time_ms),
		      gap);
}

/* The program's name, which a label may be, is any bytes. */
static PyObject *label_new(const char *label)
{
	return PyUnicode_DecodeUTF8(label, (Py_ssize_t)strlen(label), "replace");
}

PyObject *event_new(struct state *state, const struct corral_event *from)
{
	PyObject *event;

	if (from->kind == CORRAL_EVENT_GAP)
		return gap_new(state, from);
	event = object_new(state, GIVEN_EVENT);
	return finish(
		event != NULL && set(state, event, NAME_kind, event_kind(from->kind)) &&
			set_number(state, event, NAME_number, (int64_t)from->number) &&
			set_text(state, event, NAME_restaurant_id,
				 corral_text(from->restaurant_id)) &&
			set_text(state, event, NAME_session_id, corral_text(from->session_id)) &&
			set_number(state, event, NAME_version, (int64_t)from->version) &&
			set(state, event, NAME_status,
			    Py_NewRef(state->statuses[from->status == CORRAL_CHECKED_OUT])) &&
			set_number(state, event, NAME_time_ms, from->time_ms) &&
			set_number(state, event, NAME_item_count, from->item_count) &&
			set_number(state, event, NAME_line_count, from->line_count) &&
			set_number(state, event, NAME_subtotal_cents, from->subtotal_cents) &&
			set_number(state, event, NAME_tax_cents, from->tax_cents) &&
			set_number(state, event, NAME_total_cents, from->total_cents) &&
			set_text(state, event, NAME_currency, corral_text(from->currency)) &&
			set_number(state, event, NAME_currency_digits, from->currency_digits) &&
			set_text(state, event, NAME_op_id, corral_text(from->op_id)) &&
			set_number(state, event, NAME_pid, from->pid) &&
			set(state, event, NAME_label, label_new(from->label)) &&
			set_number(state, event, NAME_step_count, from->step_count) &&
			set(state, event, NAME_steps, steps_new(state, from)),
		event);
}

/* ------------------------------------------------------------------ answers */

PyObject *answer_new(struct state *state, const struct corral_result *result,
		     const struct request *request, const struct corral_content *now)
{
	struct answer *answer = (struct answer *)PyType_GenericAlloc(state->answer_type, 0);
	uint32_t count = request->lines != NULL ? request->step_count : 0;
	PyObject *number;

	if (answer == NULL)
		return NULL;
	answer->result = *result;
	answer->lines = PyTuple_New(count);
	for (uint32_t i = 0; answer->lines != NULL && i < count; i++) {
		number = PyLong_FromUnsignedLong(request->lines[i]);
		if (number == NULL || PyTuple_SetItem(answer->lines, i, number) < 0)
			return finish(false, (PyObject *)answer);
	}
	if (answer->lines == NULL)
		return finish(false, (PyObject *)answer);
	if (now != NULL && now->error == 0) {
		answer->copy = copy_new(state, &now->view, now->need);
		if (answer->copy == NULL)
			PyErr_Clear(); /* the change was made, so it is answered */
	}
	return (PyObject *)answer;
}

static PyObject *answer_lines(PyObject *self, void *none)
{
	(void)none;
	return Py_NewRef(((struct answer *)self)->lines);
}

static PyObject *answer_status(PyObject *self, void *none)
{
	struct state *state = state_of(self);
	bool checked_out = ((struct answer *)self)->result.status == CORRAL_CHECKED_OUT;

	(void)none;
	return state != NULL ? Py_NewRef(state->statuses[checked_out]) : NULL;
}

static PyObject *answer_order(PyObject *self, void *none)
{
	struct answer *answer = (struct answer *)self;
	struct state *state = state_of(self);
	PyObject *order;

	(void)none;
	if (state == NULL)
		return NULL;
	if (answer->order == NULL && answer->copy != NULL) {
		order = order_of(state, Py_NewRef(answer->copy));
		if (order == NULL)
			return NULL;
		answer->order = order;
		Py_CLEAR(answer->copy);
	}
	return Py_NewRef(answer->order != NULL ? answer->order : Py_None);
}

static PyObject *answer_repr(PyObject *self)
{
	const struct corral_result *result = &((struct answer *)self)->result;

	return PyUnicode_FromFormat("<corral.Answer version=%llu item_count=%u total_cents=%lld%s>",
				    (unsigned long long)result->version, result->item_count,
				    (long long)result->total_cents,
				    result->applied ? "" : " applied=False");
}

static int answer_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct answer *answer = (struct answer *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(answer->lines);
	Py_VISIT(answer->order);
	Py_VISIT(answer->copy);
	return 0;
}

static int answer_clear(PyObject *self)
{
	Py_CLEAR(((struct answer *)self)->order);
	return 0;
}

static void answer_dealloc(PyObject *self)
{
	struct answer *answer = (struct answer *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	Py_XDECREF(answer->lines);
	Py_XDECREF(answer->order);
	Py_XDECREF(answer->copy);
	release(self);
	Py_DECREF(type);
}

#define MEMBER(name, type)                                                                         \
	{                                                                                          \
#name, type, offsetof(struct answer, result.name), READONLY, NULL                  \
	}

static PyMemberDef answer_members[] = {
	MEMBER(version, T_ULONGLONG),
	MEMBER(subtotal_cents, T_LONGLONG),
	MEMBER(tax_cents, T_LONGLONG),
	MEMBER(total_cents, T_LONGLONG),
	MEMBER(before_tax_cents, T_LONGLONG),
	MEMBER(after_tax_cents, T_LONGLONG),
	MEMBER(item_count, T_UINT),
	MEMBER(line, T_UINT),
	MEMBER(applied, T_BOOL),
	MEMBER(durable, T_BOOL),
	{ NULL, 0, 0, 0, NULL },
};

static PyGetSetDef answer_getset[] = {
	{ "lines", answer_lines, NULL, NULL, NULL },
	{ "status", answer_status, NULL, NULL, NULL },
	{ "order", answer_order, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot answer_slots[] = {
	{ Py_tp_dealloc, answer_dealloc },
	{ Py_tp_traverse, answer_traverse },
	{ Py_tp_clear, answer_clear },
	{ Py_tp_repr, answer_repr },
	{ Py_tp_members, answer_members },
	{ Py_tp_getset, answer_getset },
	{ 0, NULL },
};

PyType_Spec answer_spec = {
	.name = "corral.Answer",
	.basicsize = sizeof(struct answer),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = answer_slots,
};
