/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker.c: one life of a cart before the judge. See checker.h.
 *
 * The calls become events, one for each operation however often it was sent; storm_story.c looks
 * for a legal order of them. If there is one, times and refusals are compared with it; if not, the
 * faults are counted by what is there and what should be.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linearize.h"

__attribute__((format(printf, 3, 4))) static void fault(struct storm_hearing *hearing,
							uint32_t *counter, const char *format, ...)
{
	struct storm_verdict *verdict = hearing->verdict;
	va_list arguments;

	(*counter)++;
	if (verdict->why[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(verdict->why, sizeof(verdict->why), format, arguments);
	va_end(arguments);
}

/* ----------------------------------------------------------------- events */

/*
 * Refused before anything was looked at, or in want of room: says nothing about earlier attempts.
 */
static bool says_nothing(int error)
{
	return error == -EBUSY || error == -ENOMEM || error == -ENOSPC || error == -ENFILE;
}

static struct storm_event *find_event(struct storm_hearing *hearing, uint64_t op)
{
	for (uint32_t i = hearing->event_count; i-- > 0;)
		if (storm_is_change(hearing->events[i].call) && hearing->events[i].call->op == op)
			return &hearing->events[i];
	return NULL;
}

static void take_answer(struct storm_hearing *hearing, struct storm_event *event,
			const struct storm_call *call)
{
	struct storm_verdict *verdict = hearing->verdict;

	if (event->known && storm_is_change(call) && call->applied)
		fault(hearing, &verdict->twice,
		      "operation %llx was applied at version %llu and at %llu",
		      (unsigned long long)call->op, (unsigned long long)event->call->version,
		      (unsigned long long)call->version);
	else if (event->known && call->version != event->call->version)
		fault(hearing, &verdict->disorder, "operation %llx answers version %llu, then %llu",
		      (unsigned long long)call->op, (unsigned long long)event->call->version,
		      (unsigned long long)call->version);
	else if (!event->known && !event->may_have && storm_is_change(call) && !call->applied)
		fault(hearing, &verdict->disorder,
		      "operation %llx had been applied before it was sent",
		      (unsigned long long)call->op);
	if (event->known)
		return;
	if (storm_is_change(call) && !call->applied)
		verdict->happened++;
	else
		verdict->missed += event->may_have;
	event->known = true;
	event->may_have = false;
	event->call = call;
	event->return_ns = call->return_ns;
}

static void take_call(struct storm_hearing *hearing, const struct storm_call *call)
{
	struct storm_event *event = call->attempt > 1 ? find_event(hearing, call->op) : NULL;

	if (call->state == STORM_PENDING && !storm_is_change(call))
		return;
	if (event == NULL) {
		event = &hearing->events[hearing->event_count++];
		*event = (struct storm_event){ .call = call,
					       .invoke_ns = call->invoke_ns,
					       .return_ns = UINT64_MAX };
	}
	if (call->state == STORM_PENDING) {
		event->may_have |= !event->known;
	} else if (call->error == -EBADMSG) {
		fault(hearing, &hearing->verdict->disorder,
		      "worker %u read a cart that contradicts itself", call->worker);
	} else if (call->error == 0) {
		take_answer(hearing, event, call);
	} else {
		if (!says_nothing(call->error)) {
			hearing->refused[hearing->refused_count++] = call;
			if (event->known)
				fault(hearing, &hearing->verdict->lost,
				      "operation %llx was applied, and later refused with %d",
				      (unsigned long long)call->op, call->error);
			hearing->verdict->missed += event->may_have;
			event->may_have = false; /* its id would have been known */
		}
	}
}

/* Of one version: the change that makes it, the reads, the drop. */
static int rank(const struct storm_call *call)
{
	return call->kind == STORM_DROP ? 2 : !storm_is_change(call);
}

static int compare(const void *left, const void *right)
{
	const struct storm_event *a = *(struct storm_event *const *)left,
				 *b = *(struct storm_event *const *)right;

	if (a->call->version != b->call->version)
		return a->call->version < b->call->version ? -1 : 1;
	if (rank(a->call) != rank(b->call))
		return rank(a->call) - rank(b->call);
	return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

static void sort_events(struct storm_hearing *hearing)
{
	for (uint32_t i = 0; i < hearing->event_count; i++) {
		struct storm_event *event = &hearing->events[i];

		if (event->known)
			hearing->order[hearing->order_count++] = event;
		else if (event->may_have)
			hearing->pending[hearing->pending_count++] = event;
	}
	qsort(hearing->order, hearing->order_count, sizeof(struct storm_event *), compare);
	hearing->returned_ns[hearing->order_count] = UINT64_MAX;
	for (uint32_t i = hearing->order_count; i-- > 0;)
		hearing->returned_ns[i] =
			min_u64(hearing->returned_ns[i + 1], hearing->order[i]->return_ns);
}

/* ------------------------------------------------------------------- time */

/*
 * A cart that is not there yet. Without memory there is no verdict, and a silent one would be a
 * lie.
 */
static struct storm_model *new_start(uint64_t before)
{
	struct storm_model *model = calloc(1, sizeof(*model));

	if (model == NULL)
		abort();
	storm_model_clear(model, before);
	return model;
}

/* Who returned before another one was called stands before it. */
static void check_times(struct storm_hearing *hearing)
{
	const struct storm_event *latest = NULL;

	for (uint32_t i = 0; i < hearing->story_count; i++) {
		const struct storm_event *event = hearing->story[i];

		if (latest != NULL && event->return_ns < latest->invoke_ns)
			fault(hearing, &hearing->verdict->disorder,
			      "version %llu was answered before version %llu was asked for",
			      (unsigned long long)event->call->version,
			      (unsigned long long)latest->call->version);
		if (latest == NULL || event->invoke_ns > latest->invoke_ns)
			latest = event;
	}
}

/*
 * After how many events of the story may a refused call have happened, at the least and at the
 * most?
 */
static void window_of(const struct storm_hearing *hearing, const struct storm_call *call,
		      uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t from = 0, to = hearing->story_count;

	for (uint32_t i = 0; i < hearing->story_count; i++) {
		if (hearing->story[i]->return_ns < call->invoke_ns)
			from = i + 1;
		if (hearing->story[i]->invoke_ns > call->return_ns && to > i)
			to = i;
	}
	*ret_from = from;
	*ret_to = to;
}

/* The refusals that were not right at any moment of their time. */
static void name_refusals(struct storm_hearing *hearing, uint64_t before)
{
	uint32_t from[STORM_LIFE_CALLS], to[STORM_LIFE_CALLS], line;
	bool right[STORM_LIFE_CALLS] = { false };
	struct storm_model *model;

	if (hearing->refused_count == 0)
		return;
	for (uint32_t k = 0; k < hearing->refused_count; k++)
		window_of(hearing, hearing->refused[k], &from[k], &to[k]);
	model = new_start(before);
	for (uint32_t i = 0; i <= hearing->story_count; i++) {
		for (uint32_t k = 0; k < hearing->refused_count; k++)
			if (!right[k] && from[k] <= i && i <= to[k])
				right[k] = storm_model_error(model, hearing->refused[k]) ==
					   hearing->refused[k]->error;
		if (i < hearing->story_count && storm_is_change(hearing->story[i]->call)) {
			const struct storm_event *event = hearing->story[i];

			(void)storm_model_apply(
				model, event->call,
				event->known ? event->call->version : event->version, &line);
		}
	}
	for (uint32_t k = 0; k < hearing->refused_count; k++)
		if (!right[k])
			fault(hearing, &hearing->verdict->disorder,
			      "operation %llx was refused with %d for no reason",
			      (unsigned long long)hearing->refused[k]->op,
			      hearing->refused[k]->error);
	free(model);
}

/* ----------------------------------------------------------------- faults */

static uint32_t quantity_of(const struct storm_model *model, uint64_t item)
{
	uint32_t quantity = 0;

	for (uint32_t i = 0; model->there && i < model->line_count; i++)
		if (model->lines[i].item == item)
			quantity += model->lines[i].quantity;
	return quantity;
}

/* By how much pending calls can have moved the quantity of an item: up, and down. */
static void pending_moves(const struct storm_hearing *hearing, uint64_t item, uint64_t *ret_up,
			  bool *ret_down)
{
	*ret_up = 0;
	*ret_down = false;
	for (uint32_t i = 0; i < hearing->pending_count; i++) {
		const struct storm_call *call = hearing->pending[i]->call;

		if (call->kind == STORM_ADD && call->item == item)
			*ret_up += call->quantity;
		if (call->kind == STORM_SET)
			*ret_up += call->quantity;
		if (call->kind == STORM_REPLACE && item - call->item < STORM_REPLACE_LINES)
			*ret_up += call->quantity + STORM_REPLACE_LINES;
		*ret_down |= call->kind == STORM_SET || call->kind == STORM_REMOVE ||
			     call->kind == STORM_CLEAR || call->kind == STORM_REPLACE ||
			     call->kind == STORM_DROP;
	}
}

static void compare_item(struct storm_hearing *hearing, const struct storm_model *due,
			 uint64_t item)
{
	uint32_t wanted = quantity_of(due, item), there = quantity_of(hearing->found, item);
	uint64_t up;
	bool down;

	pending_moves(hearing, item, &up, &down);
	if (there < wanted && !down)
		fault(hearing, &hearing->verdict->lost, "%u of item %llu, not %u", there,
		      (unsigned long long)item, wanted);
	if (there > wanted + up)
		fault(hearing, &hearing->verdict->twice, "%u of item %llu, not %u", there,
		      (unsigned long long)item, wanted);
}

/*
 * No story fits: do what was acknowledged, legal or not, and see what is missing and what is too
 * much.
 */
static void name_faults(struct storm_hearing *hearing, uint64_t before)
{
	struct storm_verdict *verdict = hearing->verdict;
	struct storm_model *due = new_start(before);
	uint64_t last = before;
	uint32_t line;

	for (uint32_t i = 0; i < hearing->order_count; i++) {
		const struct storm_call *call = hearing->order[i]->call;

		if (!storm_is_change(call))
			continue;
		(void)storm_model_apply(due, call, call->version, &line);
		if (call->kind != STORM_DROP && call->version <= last)
			fault(hearing, &verdict->disorder,
			      "version %llu comes twice, or after a later one",
			      (unsigned long long)call->version);
		last = call->version;
	}
	if (hearing->found->there && last > hearing->found->version)
		fault(hearing, &verdict->lost,
		      "version %llu was acknowledged, and the cart is at %llu",
		      (unsigned long long)last, (unsigned long long)hearing->found->version);
	for (uint32_t i = 0; due->there && i < due->line_count; i++)
		compare_item(hearing, due, due->lines[i].item);
	for (uint32_t i = 0; hearing->found->there && i < hearing->found->line_count; i++)
		if (quantity_of(due, hearing->found->lines[i].item) == 0)
			compare_item(hearing, due, hearing->found->lines[i].item);
	if (verdict->lost + verdict->twice + verdict->disorder == 0)
		fault(hearing, &verdict->disorder, "answers and cart fit into no order");
	free(due);
}

static void count_pending(struct storm_hearing *hearing)
{
	for (uint32_t i = 0; i < hearing->pending_count; i++) {
		hearing->verdict->happened += hearing->pending[i]->used;
		hearing->verdict->missed += !hearing->pending[i]->used;
	}
}

void storm_judge(const struct storm_call *calls, uint32_t count, uint64_t before,
		 const struct storm_model *found, struct storm_verdict *ret_verdict)
{
	struct storm_hearing *hearing = calloc(1, sizeof(*hearing));

	memset(ret_verdict, 0, sizeof(*ret_verdict));
	if (hearing == NULL)
		abort();
	hearing->verdict = ret_verdict;
	hearing->found = found;
	for (uint32_t i = 0; i < count && i < STORM_LIFE_CALLS; i++)
		take_call(hearing, &calls[i]);
	sort_events(hearing);
	if (storm_story_find(hearing, before, true)) {
		check_times(hearing);
		count_pending(hearing);
	} else if (storm_story_find(hearing, before, false)) {
		check_times(hearing);
		name_refusals(hearing, before);
		if (ret_verdict->disorder == 0)
			fault(hearing, &ret_verdict->disorder,
			      "answers and refusals fit into no order");
	} else {
		name_faults(hearing, before);
	}
	free(hearing);
}
