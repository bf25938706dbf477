/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * latencies.c: how long the calls of a storm took. See latencies.h.
 */
#include "latencies.h"

#define SHORT_NS 1000000u /* not worth a look at who was stopped */
#define LONGEST_STOP_NS 2000000000u

void storm_waits_stop(struct storm_waits *waits, uint32_t seat, uint64_t now_ns)
{
	waits->stops[waits->stop_count++ % STORM_STOPS] =
		(struct storm_stop){ .seat = seat, .from_ns = now_ns, .to_ns = UINT64_MAX };
}

static struct storm_stop *stop_at(struct storm_waits *waits, uint64_t back)
{
	return back < waits->stop_count && back < STORM_STOPS ?
		       &waits->stops[(waits->stop_count - 1 - back) % STORM_STOPS] :
		       NULL;
}

void storm_waits_go_on(struct storm_waits *waits, uint32_t seat, uint64_t now_ns)
{
	struct storm_stop *stop;

	for (uint64_t back = 0; (stop = stop_at(waits, back)) != NULL; back++) {
		if (stop->seat == seat && stop->to_ns == UINT64_MAX) {
			stop->to_ns = now_ns;
			return;
		}
	}
}

/* Was anybody stopped in this time? And was it this one? */
static bool stopped(struct storm_waits *waits, uint32_t seat, uint64_t from_ns, uint64_t to_ns,
		    bool *ret_itself)
{
	const struct storm_stop *stop;
	bool any = false;

	*ret_itself = false;
	for (uint64_t back = 0; (stop = stop_at(waits, back)) != NULL; back++) {
		if (stop->from_ns + LONGEST_STOP_NS < from_ns)
			break; /* and so are those before it */
		if (stop->from_ns > to_ns || stop->to_ns < from_ns)
			continue;
		any = true;
		*ret_itself |= stop->seat == seat;
	}
	return any;
}

void storm_waits_take(struct storm_waits *waits, const struct storm_call *call)
{
	uint64_t took = call->return_ns - call->invoke_ns;
	uint64_t between = call->before_ns == 0 ? 0 : call->invoke_ns - call->before_ns;
	bool itself;

	if (between > waits->scheduling_ns) {
		(void)stopped(waits, call->worker, call->before_ns, call->invoke_ns, &itself);
		if (!itself)
			waits->scheduling_ns = between;
	}
	if (!storm_is_change(call))
		return;
	if (took > SHORT_NS &&
	    stopped(waits, call->worker, call->invoke_ns, call->return_ns, &itself)) {
		if (!itself && took > waits->longest_stopped_ns)
			waits->longest_stopped_ns = took;
		return;
	}
	histogram_add(&waits->changes, took);
}
