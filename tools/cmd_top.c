/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_top.c: the command top: on a terminal, or frame by frame as text or JSON. It attaches as an
 * observer: looking does not prolong a cart's life.
 */
#include <poll.h>
#include <unistd.h>

#include "top.h"

#define LIST_WAIT_MS 60000 /* for the first list, before the first frame */

/* Wait for so long, and take in what happens. */
static void pass(struct top *top, int64_t ms)
{
	const int64_t end_ns = top_clock_ns() + ms * 1000000;
	int64_t left_ms;

	while (!signals_stop() && (left_ms = (end_ns - top_clock_ns()) / 1000000) > 0) {
		const int tick_ms = top_tick_ms(top);
		(void)poll(NULL, 0, left_ms < tick_ms ? (int)left_ms : tick_ms);
		top_tick(top);
	}
}

static void print_frames(struct top *top)
{
	const struct call *call = top->call;
	const bool endless = call->frames == 0 && (call->batch || call->json);
	const uint32_t frames = call->frames != 0 ? call->frames : 1;
	const int64_t interval_ms = call->interval_ms != 0 ? call->interval_ms : TOP_INTERVAL;

	for (int64_t ms = 0; !top->listed && ms < LIST_WAIT_MS && !signals_stop();
	     ms += TOP_FIRST_MS)
		pass(top, TOP_FIRST_MS);
	for (uint32_t i = 0; (endless || i < frames) && !signals_stop() && !ferror(stdout); i++) {
		pass(top, interval_ms);
		if (signals_stop())
			return;
		top_measure(top);
		top_look(top, 0, TOP_BATCH_ROWS);
		if (call->json)
			top_print_json(top);
		else
			top_print(top);
		fflush(stdout);
	}
}

enum exit_code run_top(struct call *call)
{
	static struct top top;
	enum exit_code code = top_begin(&top, call);

	if (code)
		return code;
	signals_catch();
	if (call->json || call->batch || !top_screen(&top))
		print_frames(&top);
	top_end(&top);
	signals_end();
	return EXIT_DONE;
}
