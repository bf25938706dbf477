/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linearize.c: a legal order of the calls of one life of a cart. See checker.h.
 *
 * The order of the known events is their versions'. Where the next one does not follow, a pending
 * call stands before it: the search tries each. A pending drop takes no version, so it may stand
 * anywhere before a call that makes carts. The search stays small, since a wrong choice soon
 * contradicts an answer; a refusal, too, must have been right at some moment between its call and
 * its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "linearize.h"

#define TRIALS_MAX 50000u /* states looked at; never near it when there is a legal order */
#define WORD_BITS 64u

/* Where a story stands. */
struct state {
	struct storm_model model;
	uint64_t explained[STORM_LIFE_CALLS / WORD_BITS]; /* a bit for each refused call */
	uint32_t next;                                    /* of the known events */
	uint32_t told;
};

/* A copy. Without memory there is no verdict, and a silent one would be a lie. */
static struct state *new_state(const struct state *state)
{
	struct state *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		abort();
	*copy = *state;
	return copy;
}

/* ---------------------------------------------------------------- refusals */

static bool is_explained(const struct state *state, uint32_t refused)
{
	return (state->explained[refused / WORD_BITS] >> refused % WORD_BITS & 1) != 0;
}

/*
 * Which refusals are right here and now? Not those that were called after something returned that
 * is still to come.
 */
static void explain(const struct storm_hearing *hearing, struct state *state)
{
	for (uint32_t i = 0; i < hearing->refused_count; i++) {
		const struct storm_call *call = hearing->refused[i];

		if (!is_explained(state, i) &&
		    hearing->returned_ns[state->next] >= call->invoke_ns &&
		    storm_model_error(&state->model, call) == call->error)
			state->explained[i / WORD_BITS] |= 1ull << i % WORD_BITS;
	}
}

/* Is every refusal explained that was answered before this time? */
static bool all_explained(const struct storm_hearing *hearing, const struct state *state,
			  uint64_t time_ns)
{
	for (uint32_t i = 0; hearing->refusals_count && i < hearing->refused_count; i++)
		if (!is_explained(state, i) && hearing->refused[i]->return_ns < time_ns)
			return false;
	return true;
}

/* ------------------------------------------------------------------- steps */

enum step {
	STEP_DONE,
	STEP_GAP, /* something has to come before it; the model is as before */
	STEP_NEVER
};

/*
 * Does it come next? Then do it. A cart that it makes may have skipped versions (of others in its
 * bucket) if `skip`.
 */
static enum step step(struct storm_model *model, const struct storm_call *call, bool skip)
{
	uint64_t before = model->version;
	bool there = model->there;
	uint32_t line;

	if (!storm_is_change(call) || call->kind == STORM_DROP) {
		if (!there || call->version != model->version)
			return STEP_GAP;
		if (!storm_model_answers(model, call) || storm_model_error(model, call) != 0)
			return STEP_NEVER;
		model->there = call->kind != STORM_DROP;
		return STEP_DONE;
	}
	if (call->version <= before)
		return STEP_NEVER;
	if (call->version != before + 1 && (there || !skip))
		return STEP_GAP;
	if (storm_model_apply(model, call, call->version, &line) == 0 &&
	    line == call->answer_line && storm_model_answers(model, call))
		return STEP_DONE;
	if (there)
		return STEP_NEVER; /* no version is missing before it */
	storm_model_clear(model, before);
	return STEP_GAP;
}

static bool tell(struct storm_hearing *hearing, const struct state *start);

/* The known event that comes next, if it does. */
static enum step step_on(struct storm_hearing *hearing, struct state *state, bool skip)
{
	struct storm_event *event = hearing->order[state->next];
	enum step way;

	if (!all_explained(hearing, state, event->invoke_ns))
		return STEP_GAP;
	way = step(&state->model, event->call, skip);
	if (way == STEP_DONE) {
		hearing->story[state->told++] = event;
		state->next++;
		explain(hearing, state);
	}
	return way;
}

/* Try a pending call at this place. A cart that it makes may have skipped versions, too. */
static bool tell_with(struct storm_hearing *hearing, const struct state *state,
		      struct storm_event *event)
{
	uint64_t version = state->model.version;
	uint64_t wanted = state->next < hearing->order_count ?
				  hearing->order[state->next]->call->version :
				  hearing->found->version;
	uint64_t firsts[] = { version + 1, wanted, wanted - 1 };
	uint32_t choices = state->model.there ? 1 : 3, line;
	struct state *then = new_state(state);
	bool legal = false;

	event->used = true;
	hearing->story[state->told] = event;
	for (uint32_t i = 0; i < choices && !legal; i++) {
		if (firsts[i] <= version || (i > 0 && firsts[i] == firsts[0]))
			continue;
		*then = *state;
		then->told++;
		event->version = firsts[i];
		legal = storm_model_apply(&then->model, event->call, firsts[i], &line) == 0 &&
			tell(hearing, then);
	}
	free(then);
	event->used = legal;
	return legal;
}

/* Let a pending call come next; only a drop if no version is missing. */
static bool tell_pending(struct storm_hearing *hearing, const struct state *state, bool only_drops)
{
	for (uint32_t i = 0; i < hearing->pending_count; i++) {
		struct storm_event *event = hearing->pending[i];

		if (event->used || (only_drops && event->call->kind != STORM_DROP) ||
		    event->invoke_ns > hearing->returned_ns[state->next] ||
		    !all_explained(hearing, state, event->invoke_ns))
			continue;
		if (tell_with(hearing, state, event))
			return true;
	}
	return false;
}

/* Go on without one: the cart is made with a version that skips some. */
static bool tell_skipping(struct storm_hearing *hearing, struct state *state)
{
	return !state->model.there && state->next < hearing->order_count &&
	       step_on(hearing, state, true) == STEP_DONE && tell(hearing, state);
}

/* May the cart have been ended, and made again, without a gap in the versions? */
static bool may_have_ended(const struct storm_hearing *hearing)
{
	for (uint32_t i = 0; i < hearing->pending_count; i++)
		if (!hearing->pending[i]->used && hearing->pending[i]->call->kind == STORM_DROP)
			return true;
	return false;
}

static bool is_the_end(struct storm_hearing *hearing, const struct state *state)
{
	if (state->next < hearing->order_count ||
	    !storm_model_equal(&state->model, hearing->found) ||
	    !all_explained(hearing, state, UINT64_MAX))
		return false;
	hearing->story_count = state->told;
	return true;
}

/* Go on with a story. */
static bool tell(struct storm_hearing *hearing, const struct state *start)
{
	bool each = may_have_ended(hearing); /* then we must be able to come back to each place */
	struct state *state;
	enum step way = STEP_GAP;
	bool legal = false;

	if (hearing->trials++ >= TRIALS_MAX)
		return false;
	state = new_state(start);
	explain(hearing, state);
	while (state->next < hearing->order_count) {
		way = step_on(hearing, state, hearing->pending_count == 0);
		if (way != STEP_DONE || each)
			break;
	}
	if (way == STEP_DONE && each)
		legal = tell(hearing, state);
	else
		legal = is_the_end(hearing, state);
	if (!legal && each) {
		*state = *start;
		explain(hearing, state);
	}
	if (!legal && (each || way != STEP_NEVER))
		legal = tell_pending(hearing, state, each && way != STEP_GAP);
	if (!legal && way == STEP_GAP)
		legal = tell_skipping(hearing, state);
	free(state);
	return legal;
}

bool storm_story_find(struct storm_hearing *hearing, uint64_t before, bool refusals_count)
{
	struct state *start = calloc(1, sizeof(*start));
	bool legal;

	if (start == NULL)
		abort();
	storm_model_clear(&start->model, before);
	hearing->refusals_count = refusals_count;
	hearing->trials = 0;
	legal = tell(hearing, start);
	free(start);
	return legal;
}
