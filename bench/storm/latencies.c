/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * latencies.c: the latencies of a storm's calls. See latencies.h.
 */
#include "latencies.h"

#define SHORT_NS 1000000u /* shorter calls count without a search for stops */
#define LONGEST_STOP_NS 2000000000u

void storm_latencies_stop(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns)
{
	latencies->stops[latencies->stop_count++ % STORM_STOPS] =
		(struct storm_stop){ .slot = slot, .from_ns = now_ns, .to_ns = UINT64_MAX };
}

static struct storm_stop *stop_at(struct storm_latencies *latencies, uint64_t back)
{
	return back < latencies->stop_count && back < STORM_STOPS ?
		       &latencies->stops[(latencies->stop_count - 1 - back) % STORM_STOPS] :
		       NULL;
}

void storm_latencies_go_on(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns)
{
	struct storm_stop *stop;

	for (uint64_t back = 0; (stop = stop_at(latencies, back)) != NULL; back++) {
		if (stop->slot == slot && stop->to_ns == UINT64_MAX) {
			stop->to_ns = now_ns;
			return;
		}
	}
}

/* Was any worker stopped in this time? *ret_itself: was the worker of this slot? */
static bool stopped(struct storm_latencies *latencies, uint32_t slot, uint64_t from_ns,
		    uint64_t to_ns, bool *ret_itself)
{
	const struct storm_stop *stop;
	bool any = false;

	*ret_itself = false;
	for (uint64_t back = 0; (stop = stop_at(latencies, back)) != NULL; back++) {
		if (stop->from_ns + LONGEST_STOP_NS < from_ns)
			break; /* and the stops before it are too old as well */
		if (stop->from_ns > to_ns || stop->to_ns < from_ns)
			continue;
		any = true;
		*ret_itself |= stop->slot == slot;
	}
	return any;
}

void storm_latencies_take(struct storm_latencies *latencies, const struct storm_call *call)
{
	uint64_t took = call->return_ns - call->invoke_ns;
	uint64_t between = call->before_ns == 0 ? 0 : call->invoke_ns - call->before_ns;
	bool itself;

	if (between > latencies->scheduling_ns) {
		(void)stopped(latencies, call->worker, call->before_ns, call->invoke_ns, &itself);
		if (!itself)
			latencies->scheduling_ns = between;
	}
	if (!storm_is_change(call))
		return;
	if (took > SHORT_NS &&
	    stopped(latencies, call->worker, call->invoke_ns, call->return_ns, &itself)) {
		if (!itself && took > latencies->longest_stopped_ns)
			latencies->longest_stopped_ns = took;
		return;
	}
	histogram_add(&latencies->changes, took);
}
