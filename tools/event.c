/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c: an event of the feed as JSON, and what it did in words.
 */
#include "event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

const char *event_kind_name(uint32_t kind)
{
	return kind == CORRAL_EVENT_CHANGED     ? "changed" :
	       kind == CORRAL_EVENT_CHECKED_OUT ? "checked_out" :
	       kind == CORRAL_EVENT_DROPPED     ? "dropped" :
	       kind == CORRAL_EVENT_EXPIRED     ? "expired" :
	       kind == CORRAL_EVENT_GAP         ? "gap" :
						  "unknown";
}

const char *event_step_name(uint32_t kind)
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
		[CORRAL_STEP_SET_ADJUSTMENT] = "adjustment",
		[CORRAL_STEP_REMOVE_ADJUSTMENT] = "remove_adjustment",
		[CORRAL_STEP_SET_PRICING] = "pricing",
		[CORRAL_STEP_SET_CURRENCY] = "currency",
		[CORRAL_STEP_SET_LINE_TAX] = "line_tax",
	};

	if (kind == CORRAL_STEP_REPLACE)
		return "replace";
	if (kind == CORRAL_STEP_RESTORE)
		return "restore";
	return kind < sizeof(names) / sizeof(names[0]) && names[kind] != NULL ? names[kind] :
										"unknown";
}

static json_t *text(const char *string)
{
	return json_of_text(string, strlen(string));
}

static json_t *json_of_steps(const struct corral_event *event)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < event->steps_told; i++) {
		const struct corral_event_step *step = &event->steps[i];
		json_t *value = must_have(json_pack("{s:s}", "step", event_step_name(step->kind)));
		if (step->line != 0)
			json_object_set_new(value, "line", must_have(json_integer(step->line)));
		if (step->amount != 0)
			json_object_set_new(value, "amount",
					    must_have(json_integer((json_int_t)step->amount)));
		json_array_append_new(list, value);
	}
	return list;
}

json_t *json_of_cursor(const struct corral_cursor *cursor)
{
	return must_have(json_pack("{s:s, s:I, s:I, s:I, s:I}", "cursor", cursor->name, "next",
				   (json_int_t)cursor->next, "lag", (json_int_t)cursor->lag, "ends",
				   (json_int_t)cursor->ends, "acked_ms",
				   (json_int_t)cursor->acked_ms));
}

json_t *json_of_event(const struct corral_event *event)
{
	json_t *value = must_have(json_pack("{s:s, s:I, s:o}", "kind", event_kind_name(event->kind),
					    "number", (json_int_t)event->number, "time",
					    json_of_time(event->time_ms)));

	if (event->kind == CORRAL_EVENT_GAP) {
		json_object_set_new(value, "from",
				    must_have(json_integer((json_int_t)event->from)));
		json_object_set_new(value, "to", must_have(json_integer((json_int_t)event->to)));
		json_object_set_new(value, "missed",
				    must_have(json_integer((json_int_t)event->missed)));
		return value;
	}
	json_object_update_new(
		value,
		must_have(json_pack(
			"{s:o, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, "
			"s:I, s:o}",
			"restaurant_id", text(event->restaurant_id), "session_id",
			text(event->session_id), "version", (json_int_t)event->version, "status",
			status_name(event->status), "item_count", (json_int_t)event->item_count,
			"line_count", (json_int_t)event->line_count, "subtotal_cents",
			(json_int_t)event->subtotal_cents, "tax_cents",
			(json_int_t)event->tax_cents, "total_cents", (json_int_t)event->total_cents,
			"operation_id", text(event->op_id), "process", text(event->label), "pid",
			(json_int_t)event->pid, "step_count", (json_int_t)event->step_count,
			"steps", json_of_steps(event))));
	if (event->currency[0] != '\0')
		json_object_set_new(value, "currency", text(event->currency));
	if (event->content != 0)
		json_object_set_new(value, "content", json_true());
	return value;
}

void event_describe(const struct corral_event *event, char *to, size_t size)
{
	size_t at = 0;

	to[0] = '\0';
	for (uint32_t i = 0; i < event->steps_told && at < size; i++) {
		const struct corral_event_step *step = &event->steps[i];
		at += (size_t)snprintf(to + at, size - at, "%s%s", i > 0 ? ", " : "",
				       event_step_name(step->kind));
		if (step->line != 0 && at < size)
			at += (size_t)snprintf(to + at, size - at, " line %" PRIu32, step->line);
		if (step->amount != 0 && at < size)
			at += (size_t)snprintf(to + at, size - at, " %" PRId64, step->amount);
	}
	if (event->step_count > event->steps_told && at < size)
		(void)snprintf(to + at, size - at, "%s%" PRIu32 " more",
			       event->steps_told > 0 ? ", " : "",
			       event->step_count - event->steps_told);
}
