/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linearize.c: find a legal order of the calls of one round of a cart. See checker.h.
 *
 * The known events are ordered by their versions. Where the next one does not follow, a pending
 * call must come before it: the search tries each. A pending drop makes no version, so it may be
 * anywhere before a call that makes a cart. The search stays small, since a wrong choice soon
 * contradicts an answer; a refusal, too, must have been right at some moment between its call and
 * its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "linearize.h"

#define TRIALS_MAX 50000u /* states to examine; a search that succeeds needs far fewer */
#define WORD_BITS 64u

/* A partial order of the search. */
struct state {
	uint64_t explained[STORM_ROUND_CALLS / WORD_BITS]; /* a bit for each refused call */
	uint32_t next;                                     /* the next of the known events */
	uint32_t placed;
	struct storm_model model; /* last: of its lines only those that it has are copied */
};

static void copy_state(struct state *to, const struct state *from)
{
	memcpy(to, from, offsetof(struct state, model));
	storm_model_copy(&to->model, &from->model);
}

/*
 * Make a copy. Without memory there can be no verdict, so the process ends rather than give a false
 * one.
 */
static struct state *new_state(const struct state *state)
{
	struct state *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		abort();
	copy_state(copy, state);
	return copy;
}

/* ---------------------------------------------------------------- refusals */

static bool is_explained(const struct state *state, uint32_t refused)
{
	return (state->explained[refused / WORD_BITS] >> refused % WORD_BITS & 1) != 0;
}

/*
 * Mark the refusals that are right in the present state. A call that was made after the return of
 * an event that is not placed yet must come after that event.
 */
static void explain(const struct storm_check *check, struct state *state)
{
	for (uint32_t i = 0; i < check->refused_count; i++) {
		const struct storm_call *call = check->refused[i];

		if (!is_explained(state, i) && check->returned_ns[state->next] >= call->invoke_ns &&
		    storm_model_refuses(&state->model, call))
			state->explained[i / WORD_BITS] |= 1ull << i % WORD_BITS;
	}
}

/* Is every refusal that was answered before this time explained? */
static bool all_explained(const struct storm_check *check, const struct state *state,
			  uint64_t time_ns)
{
	for (uint32_t i = 0; check->refusals_count && i < check->refused_count; i++)
		if (!is_explained(state, i) && check->refused[i]->return_ns < time_ns)
			return false;
	return true;
}

/* ------------------------------------------------------------------- steps */

enum step {
	STEP_DONE,
	STEP_GAP, /* another event has to come first; the model is unchanged */
	STEP_NEVER
};

/*
 * Apply the call if it can come next. If `skip`, a cart that it makes may skip versions (which
 * other carts of its bucket have used).
 */
static enum step step(struct storm_model *model, const struct storm_call *call, bool skip)
{
	uint64_t before = model->version;
	bool there = model->there;
	struct storm_lines lines;
	uint32_t refused;

	if (!storm_is_change(call) || call->kind == STORM_DROP) {
		if (!there || call->version != model->version)
			return STEP_GAP;
		if (!storm_model_answers(model, call) ||
		    storm_model_error(model, call, &refused) != 0)
			return STEP_NEVER;
		model->there = call->kind != STORM_DROP;
		return STEP_DONE;
	}
	if (call->version <= before)
		return STEP_NEVER;
	if (call->version != before + 1 && (there || !skip))
		return STEP_GAP;
	if (storm_model_apply(model, call, call->version, &lines) == 0 &&
	    storm_model_names(&lines, call) && storm_model_answers(model, call))
		return STEP_DONE;
	if (there)
		return STEP_NEVER; /* no version is missing before it */
	storm_model_clear(model, before);
	return STEP_GAP;
}

static bool extend(struct storm_check *check, const struct state *start);

/* Place the next known event, if it can come next. */
static enum step step_on(struct storm_check *check, struct state *state, bool skip)
{
	struct storm_event *event = check->order[state->next];
	enum step way;

	if (!all_explained(check, state, event->invoke_ns))
		return STEP_GAP;
	way = step(&state->model, event->call, skip);
	if (way == STEP_DONE) {
		check->linear[state->placed++] = event;
		state->next++;
		explain(check, state);
	}
	return way;
}

/* Try a pending call at this place. A cart that it makes may skip versions, too. */
static bool extend_with(struct storm_check *check, const struct state *state,
			struct storm_event *event)
{
	uint64_t version = state->model.version;
	uint64_t wanted = state->next < check->order_count ?
				  check->order[state->next]->call->version :
				  check->found->version;
	uint64_t firsts[] = { version + 1, wanted, wanted - 1 };
	uint32_t choices = state->model.there ? 1 : 3;
	struct storm_lines lines;
	struct state *then = new_state(state);
	bool legal = false;

	event->used = true;
	check->linear[state->placed] = event;
	for (uint32_t i = 0; i < choices && !legal; i++) {
		if (firsts[i] <= version || (i > 0 && firsts[i] == firsts[0]))
			continue;
		copy_state(then, state);
		then->placed++;
		event->version = firsts[i];
		legal = storm_model_apply(&then->model, event->call, firsts[i], &lines) == 0 &&
			extend(check, then);
	}
	free(then);
	event->used = legal;
	return legal;
}

/* Try each pending call as the next event; if no version is missing, only drops. */
static bool extend_pending(struct storm_check *check, const struct state *state, bool only_drops)
{
	for (uint32_t i = 0; i < check->pending_count; i++) {
		struct storm_event *event = check->pending[i];

		if (event->used || (only_drops && event->call->kind != STORM_DROP) ||
		    event->invoke_ns > check->returned_ns[state->next] ||
		    !all_explained(check, state, event->invoke_ns))
			continue;
		if (extend_with(check, state, event))
			return true;
	}
	return false;
}

/* Continue without a pending call: the next event makes the cart with a version that skips some. */
static bool extend_skipping(struct storm_check *check, struct state *state)
{
	return !state->model.there && state->next < check->order_count &&
	       step_on(check, state, true) == STEP_DONE && extend(check, state);
}

/*
 * May a pending drop have ended the cart, so that it was made again without a gap in the versions?
 */
static bool may_have_ended(const struct storm_check *check)
{
	for (uint32_t i = 0; i < check->pending_count; i++)
		if (!check->pending[i]->used && check->pending[i]->call->kind == STORM_DROP)
			return true;
	return false;
}

static bool is_the_end(struct storm_check *check, const struct state *state)
{
	if (state->next < check->order_count || !storm_model_equal(&state->model, check->found) ||
	    !all_explained(check, state, UINT64_MAX))
		return false;
	check->linear_count = state->placed;
	return true;
}

/* Extend a partial order to a whole one. */
static bool extend(struct storm_check *check, const struct state *start)
{
	bool each = may_have_ended(check); /* then each place must stay reachable */
	struct state *state;
	enum step way = STEP_GAP;
	bool legal = false;

	if (check->trials++ >= TRIALS_MAX)
		return false;
	state = new_state(start);
	explain(check, state);
	while (state->next < check->order_count) {
		way = step_on(check, state, check->pending_count == 0);
		if (way != STEP_DONE || each)
			break;
	}
	if (way == STEP_DONE && each)
		legal = extend(check, state);
	else
		legal = is_the_end(check, state);
	if (!legal && each) {
		copy_state(state, start);
		explain(check, state);
	}
	if (!legal && (each || way != STEP_NEVER))
		legal = extend_pending(check, state, each && way != STEP_GAP);
	if (!legal && way == STEP_GAP)
		legal = extend_skipping(check, state);
	free(state);
	return legal;
}

bool storm_linearize(struct storm_check *check, uint64_t before, bool refusals_count)
{
	struct state *start = calloc(1, sizeof(*start));
	bool legal;

	if (start == NULL)
		abort();
	storm_model_clear(&start->model, before);
	check->refusals_count = refusals_count;
	check->trials = 0;
	legal = extend(check, start);
	free(start);
	return legal;
}
