/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat.c: a cart in the library's flat form (struct corral_flat), or rows of a list, as numbers
 * and one string, which lib/order.cjs makes objects of.
 *
 *   cart   the numbers of the flat form (in place of the first, how many these are), and behind
 *          them each byte of its values
 *   row    restaurant, session (how many units of the string each has), version, subtotal, tax,
 *          total, tax_ppm, item_count, line_count, status, ttl_ms, effective_ttl_ms, created_ms,
 *          updated_ms, expires_ms
 *   event  see flat_event(), which lib/events.cjs reads
 *   stat   its value; its name, with a tabulator in front of all but the first
 *
 * Texts are in UTF-8 here, and are counted in the units of JavaScript's strings.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* The places that lib/order.cjs has as numbers: of what it reads, none has moved. */
static_assert(CORRAL_FLAT_INEXACT == 2 && CORRAL_FLAT_EXPIRES_MS == 14 &&
		      CORRAL_FLAT_RESTAURANT_AT == 15 && CORRAL_FLAT_LINES_AT == 19 &&
		      CORRAL_FLAT_ATTRIBUTES_AT == 22 && CORRAL_FLAT_EXTRA_STRIDE == 26 &&
		      CORRAL_FLAT_PRICING == 27 && CORRAL_FLAT_CURRENCY_AT == 28 &&
		      CORRAL_FLAT_CURRENCY_DIGITS == 30 && CORRAL_FLAT_BEFORE_TAX_CENTS == 31 &&
		      CORRAL_FLAT_AFTER_TAX_CENTS == 32 && CORRAL_FLAT_RATES_AT == 33 &&
		      CORRAL_FLAT_ADJUSTMENTS_AT == 36,
	      "change lib/order.cjs with the head");
static_assert(CORRAL_FLAT_LINE_TOTAL_CENTS == 4 && CORRAL_FLAT_LINE_NOTES_AT == 10 &&
		      CORRAL_FLAT_LINE_EXTRA_COUNT == 15 && CORRAL_FLAT_LINE_OWN_RATE == 16 &&
		      CORRAL_FLAT_LINE_TAX_PPM == 17 && CORRAL_FLAT_RATE_TAX_CENTS == 2 &&
		      CORRAL_FLAT_ADJUSTMENT_AMOUNT_CENTS == 6,
	      "change lib/order.cjs with the records");

bool flat_begin(struct flat *flat, struct instance *instance, double *numbers, size_t room)
{
	if (instance->text == NULL)
		instance->text = malloc(TEXT_MAX);
	*flat = (struct flat){
		.instance = instance,
		.form = { .numbers = numbers,
			  .number_room = room,
			  .text = instance->text,
			  .text_room = instance->text != NULL ? TEXT_MAX : 0,
			  .unit = CORRAL_FLAT_UTF16 },
	};
	return instance->text != NULL;
}

/* ------------------------------------------------------------------- rows */

static void put_number(struct flat *flat, double number)
{
	struct corral_flat *form = &flat->form;

	if (form->number_count < form->number_room)
		form->numbers[form->number_count] = number;
	form->number_count++;
}

/* Append bytes; TEXT_MAX is more than all ids of some rows, or all names, have. */
static void put_bytes(struct flat *flat, const char *bytes, size_t size)
{
	memcpy(flat->form.text + flat->form.text_size, bytes, size);
	flat->form.text_size += size;
}

static void put_id(struct flat *flat, const char *id)
{
	size_t size = strlen(id);
	uint32_t units = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)id[i];

		units += (byte & 0xc0) != 0x80; /* begins a character */
		units += byte >= 0xf0;          /* which takes two units */
	}
	put_bytes(flat, id, size);
	put_number(flat, units);
}

void flat_row(struct flat *flat, const struct corral_entry *entry)
{
	const struct corral_head *head = &entry->head;

	put_id(flat, entry->restaurant_id);
	put_id(flat, entry->session_id);
	put_number(flat, (double)head->version);
	put_number(flat, (double)head->subtotal_cents);
	put_number(flat, (double)head->tax_cents);
	put_number(flat, (double)head->total_cents);
	put_number(flat, head->tax_ppm);
	put_number(flat, head->item_count);
	put_number(flat, head->line_count);
	put_number(flat, head->status);
	put_number(flat, (double)head->ttl_ms);
	put_number(flat, (double)head->effective_ttl_ms);
	put_number(flat, (double)head->created_ms);
	put_number(flat, (double)head->updated_ms);
	put_number(flat, (double)entry->expires_ms);
}

/* A sum of money that a number cannot hold is none. */
static void put_cents(struct flat *flat, int64_t cents)
{
	put_number(flat,
		   cents < -(int64_t)SAFE_MAX || cents > (int64_t)SAFE_MAX ? NAN : (double)cents);
}

void flat_event(struct flat *flat, const struct corral_event *event)
{
	put_number(flat, event->kind);
	put_number(flat, (double)event->number);
	put_number(flat, (double)event->from);
	put_number(flat, (double)event->to);
	put_number(flat, (double)event->missed);
	put_number(flat, (double)event->time_ms);
	put_number(flat, (double)event->version);
	put_number(flat, event->status);
	put_cents(flat, event->subtotal_cents);
	put_cents(flat, event->tax_cents);
	put_cents(flat, event->total_cents);
	put_number(flat, event->item_count);
	put_number(flat, event->line_count);
	put_number(flat, event->currency_digits);
	put_number(flat, event->pid);
	put_number(flat, event->step_count);
	put_number(flat, event->steps_told);
	put_id(flat, event->restaurant_id);
	put_id(flat, event->session_id);
	put_id(flat, event->op_id);
	put_id(flat, event->label);
	put_id(flat, event->currency);
	for (uint32_t i = 0; i < event->steps_told; i++) {
		put_number(flat, event->steps[i].kind);
		put_number(flat, event->steps[i].line);
		put_cents(flat, event->steps[i].amount);
	}
}

void flat_stat(struct flat *flat, const struct corral_stat *stat)
{
	if (flat->form.number_count > 0)
		put_bytes(flat, "\t", 1);
	put_bytes(flat, stat->name, strlen(stat->name));
	put_number(flat, (double)stat->value);
}

/* -------------------------------------------------------------------- ends */

static bool is_ascii(const char *bytes, size_t size)
{
	uint64_t seen = 0, eight;
	size_t at = 0;

	for (; at + sizeof(eight) <= size; at += sizeof(eight)) {
		memcpy(&eight, bytes + at, sizeof(eight));
		seen |= eight & 0x8080808080808080ull;
	}
	for (; at < size; at++)
		seen |= (unsigned char)bytes[at] & 0x80;
	return seen == 0;
}

napi_value flat_end(struct flat *flat, int result)
{
	const struct corral_flat *form = &flat->form;
	napi_env env = flat->instance->env;
	size_t need = form->number_count + form->values_size;
	napi_status status;
	napi_value text;

	if (result == -ENOBUFS || (result == 0 && need > form->number_room))
		return form->text_size + form->values_size > form->text_room ?
			       node_number(env, -EOVERFLOW) :
			       node_number(env, (double)need);
	if (result < 0)
		return node_number(env, result);
	for (size_t i = 0; i < form->values_size; i++)
		form->numbers[form->number_count + i] =
			(unsigned char)form->text[form->text_size + i];
	/* a string of one byte for each unit is made faster */
	if (is_ascii(form->text, form->text_size))
		status = napi_create_string_latin1(env, form->text, form->text_size, &text);
	else
		status = napi_create_string_utf8(env, form->text, form->text_size, &text);
	return status == napi_ok ? text : node_refused(env);
}

napi_value flat_end_cart(struct flat *flat, int result)
{
	if (result == 0 && flat->form.number_room > 0)
		flat->form.numbers[CORRAL_FLAT_LAYOUT] = (double)flat->form.number_count;
	return flat_end(flat, result);
}
