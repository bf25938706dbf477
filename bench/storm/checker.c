/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker.c: the check of one round of a cart. See checker.h.
 *
 * The calls become events, one for each operation however often it was sent; linearize.c looks for
 * a legal order of them. If there is one, times and refusals are compared with it. If not, the
 * faults are counted by comparing the cart with what it should be.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linearize.h"

__attribute__((format(printf, 3, 4))) static void fault(struct storm_check *check,
							uint32_t *counter, const char *format, ...)
{
	struct storm_verdict *verdict = check->verdict;
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
 * Is this a refusal from before the cart was read, or for lack of room? Such a refusal says nothing
 * about earlier attempts.
 */
static bool says_nothing(int error)
{
	return error == -EBUSY || error == -ENOMEM || error == -ENOSPC || error == -ENFILE;
}

static struct storm_event *find_event(struct storm_check *check, uint64_t op)
{
	for (uint32_t i = check->event_count; i-- > 0;)
		if (storm_is_change(check->events[i].call) && check->events[i].call->op == op)
			return &check->events[i];
	return NULL;
}

static void take_answer(struct storm_check *check, struct storm_event *event,
			const struct storm_call *call)
{
	struct storm_verdict *verdict = check->verdict;

	if (event->known && storm_is_change(call) && call->applied)
		fault(check, &verdict->twice,
		      "operation %llx was applied at version %llu and at %llu",
		      (unsigned long long)call->op, (unsigned long long)event->call->version,
		      (unsigned long long)call->version);
	else if (event->known && call->version != event->call->version)
		fault(check, &verdict->disorder, "operation %llx answers version %llu, then %llu",
		      (unsigned long long)call->op, (unsigned long long)event->call->version,
		      (unsigned long long)call->version);
	else if (!event->known && !event->may_have && storm_is_change(call) && !call->applied)
		fault(check, &verdict->disorder,
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

static void take_call(struct storm_check *check, const struct storm_call *call)
{
	struct storm_event *event = call->attempt > 1 ? find_event(check, call->op) : NULL;

	if (call->state == STORM_PENDING && !storm_is_change(call))
		return;
	if (event == NULL) {
		event = &check->events[check->event_count++];
		*event = (struct storm_event){ .call = call,
					       .invoke_ns = call->invoke_ns,
					       .return_ns = UINT64_MAX };
	}
	if (call->state == STORM_PENDING) {
		event->may_have |= !event->known;
	} else if (call->error == -EBADMSG) {
		fault(check, &check->verdict->disorder,
		      "worker %u read a cart that contradicts itself", call->worker);
	} else if (call->error == 0) {
		take_answer(check, event, call);
	} else {
		if (!says_nothing(call->error)) {
			check->refused[check->refused_count++] = call;
			if (event->known)
				fault(check, &check->verdict->lost,
				      "operation %llx was applied, and later refused with %d",
				      (unsigned long long)call->op, call->error);
			check->verdict->missed += event->may_have;
			event->may_have = false; /* otherwise the cart would have known its id */
		}
	}
}

/* The order of events with the same version: the change that makes it, the reads, the drop. */
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

static void sort_events(struct storm_check *check)
{
	for (uint32_t i = 0; i < check->event_count; i++) {
		struct storm_event *event = &check->events[i];

		if (event->known)
			check->order[check->order_count++] = event;
		else if (event->may_have)
			check->pending[check->pending_count++] = event;
	}
	qsort(check->order, check->order_count, sizeof(struct storm_event *), compare);
	check->returned_ns[check->order_count] = UINT64_MAX;
	for (uint32_t i = check->order_count; i-- > 0;)
		check->returned_ns[i] =
			min_u64(check->returned_ns[i + 1], check->order[i]->return_ns);
}

/* ------------------------------------------------------------------- time */

/*
 * Make the model of a cart that does not exist yet. Without memory there can be no verdict, so the
 * process ends rather than give a false one.
 */
static struct storm_model *new_start(uint64_t before)
{
	struct storm_model *model = calloc(1, sizeof(*model));

	if (model == NULL)
		abort();
	storm_model_clear(model, before);
	return model;
}

/* Check that a call that returned before another one was made is before it in the order. */
static void check_times(struct storm_check *check)
{
	const struct storm_event *latest = NULL;

	for (uint32_t i = 0; i < check->linear_count; i++) {
		const struct storm_event *event = check->linear[i];

		if (latest != NULL && event->return_ns < latest->invoke_ns)
			fault(check, &check->verdict->disorder,
			      "version %llu was answered before version %llu was asked for",
			      (unsigned long long)event->call->version,
			      (unsigned long long)latest->call->version);
		if (latest == NULL || event->invoke_ns > latest->invoke_ns)
			latest = event;
	}
}

/*
 * The least and the greatest number of events of the legal order after which a refused call may
 * have happened.
 */
static void window_of(const struct storm_check *check, const struct storm_call *call,
		      uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t from = 0, to = check->linear_count;

	for (uint32_t i = 0; i < check->linear_count; i++) {
		if (check->linear[i]->return_ns < call->invoke_ns)
			from = i + 1;
		if (check->linear[i]->invoke_ns > call->return_ns && to > i)
			to = i;
	}
	*ret_from = from;
	*ret_to = to;
}

/* Name the refusals that were not right at any moment between their call and their answer. */
static void name_refusals(struct storm_check *check, uint64_t before)
{
	uint32_t from[STORM_ROUND_CALLS], to[STORM_ROUND_CALLS];
	struct storm_lines lines;
	bool right[STORM_ROUND_CALLS] = { false };
	struct storm_model *model;

	if (check->refused_count == 0)
		return;
	for (uint32_t k = 0; k < check->refused_count; k++)
		window_of(check, check->refused[k], &from[k], &to[k]);
	model = new_start(before);
	for (uint32_t i = 0; i <= check->linear_count; i++) {
		for (uint32_t k = 0; k < check->refused_count; k++)
			if (!right[k] && from[k] <= i && i <= to[k])
				right[k] = storm_model_refuses(model, check->refused[k]);
		if (i < check->linear_count && storm_is_change(check->linear[i]->call)) {
			const struct storm_event *event = check->linear[i];

			(void)storm_model_apply(
				model, event->call,
				event->known ? event->call->version : event->version, &lines);
		}
	}
	for (uint32_t k = 0; k < check->refused_count; k++)
		if (!right[k])
			fault(check, &check->verdict->disorder,
			      "operation %llx was refused with %d for no reason",
			      (unsigned long long)check->refused[k]->op, check->refused[k]->error);
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

/* The most by which a call can have raised and lowered the quantity of an item. */
static void moves_of(const struct storm_call *call, uint64_t item, uint64_t *up, bool *down)
{
	struct storm_step steps[STORM_STEPS];
	uint32_t count = storm_model_steps(call, steps);

	for (uint32_t i = 0; i < count; i++) {
		const struct storm_step *step = &steps[i];

		if (step->kind == STORM_ADD && step->item == item)
			*up += step->quantity;
		if (step->kind == STORM_SET)
			*up += step->quantity;
		if (step->kind == STORM_CHANGE && (int32_t)step->value > 0)
			*up += step->value;
		if (step->kind == STORM_REPLACE && item - step->item < STORM_REPLACE_LINES)
			*up += step->quantity + STORM_REPLACE_LINES;
		*down |= step->kind == STORM_SET || step->kind == STORM_REMOVE ||
			 step->kind == STORM_CHANGE || step->kind == STORM_CLEAR ||
			 step->kind == STORM_REPLACE || step->kind == STORM_DROP;
	}
}

static void pending_moves(const struct storm_check *check, uint64_t item, uint64_t *ret_up,
			  bool *ret_down)
{
	*ret_up = 0;
	*ret_down = false;
	for (uint32_t i = 0; i < check->pending_count; i++)
		moves_of(check->pending[i]->call, item, ret_up, ret_down);
}

static void compare_item(struct storm_check *check, const struct storm_model *due, uint64_t item)
{
	uint32_t wanted = quantity_of(due, item), there = quantity_of(check->found, item);
	uint64_t up;
	bool down;

	pending_moves(check, item, &up, &down);
	if (there < wanted && !down)
		fault(check, &check->verdict->lost, "%u of item %llu, not %u", there,
		      (unsigned long long)item, wanted);
	if (there > wanted + up)
		fault(check, &check->verdict->twice, "%u of item %llu, not %u", there,
		      (unsigned long long)item, wanted);
}

/*
 * There is no legal order: apply the acknowledged changes, legal or not, and count what is missing
 * and what is surplus.
 */
static void name_faults(struct storm_check *check, uint64_t before)
{
	struct storm_verdict *verdict = check->verdict;
	struct storm_model *due = new_start(before);
	uint64_t last = before;
	struct storm_lines lines;

	for (uint32_t i = 0; i < check->order_count; i++) {
		const struct storm_call *call = check->order[i]->call;

		if (!storm_is_change(call))
			continue;
		(void)storm_model_apply(due, call, call->version, &lines);
		if (call->kind != STORM_DROP && call->version <= last)
			fault(check, &verdict->disorder,
			      "version %llu comes twice, or after a later one",
			      (unsigned long long)call->version);
		last = call->version;
	}
	if (check->found->there && last > check->found->version)
		fault(check, &verdict->lost,
		      "version %llu was acknowledged, and the cart is at %llu",
		      (unsigned long long)last, (unsigned long long)check->found->version);
	for (uint32_t i = 0; due->there && i < due->line_count; i++)
		compare_item(check, due, due->lines[i].item);
	for (uint32_t i = 0; check->found->there && i < check->found->line_count; i++)
		if (quantity_of(due, check->found->lines[i].item) == 0)
			compare_item(check, due, check->found->lines[i].item);
	if (verdict->lost + verdict->twice + verdict->disorder == 0)
		fault(check, &verdict->disorder, "answers and cart fit into no order");
	free(due);
}

static void count_pending(struct storm_check *check)
{
	for (uint32_t i = 0; i < check->pending_count; i++) {
		check->verdict->happened += check->pending[i]->used;
		check->verdict->missed += !check->pending[i]->used;
	}
}

void storm_check(const struct storm_call *calls, uint32_t count, uint64_t before,
		 const struct storm_model *found, struct storm_verdict *ret_verdict)
{
	struct storm_check *check = calloc(1, sizeof(*check));

	memset(ret_verdict, 0, sizeof(*ret_verdict));
	if (check == NULL)
		abort();
	check->verdict = ret_verdict;
	check->found = found;
	for (uint32_t i = 0; i < count && i < STORM_ROUND_CALLS; i++)
		take_call(check, &calls[i]);
	sort_events(check);
	if (storm_linearize(check, before, true)) {
		check_times(check);
		count_pending(check);
	} else if (storm_linearize(check, before, false)) {
		check_times(check);
		name_refusals(check, before);
		if (ret_verdict->disorder == 0)
			fault(check, &ret_verdict->disorder,
			      "answers and refusals fit into no order");
	} else {
		name_faults(check, before);
	}
	free(check);
}
