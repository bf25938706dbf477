/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.c: a progress bar on a terminal. See progress.h.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "progress.h"

#define BAR_WIDTH 30
#define EVERY_NS 50000000u

static uint64_t shown_ns; /* when it was drawn last; 0: there is none */

void progress_show(uint32_t done, uint32_t total, const char *what)
{
	static const char full[] = "##############################",
			  empty[] = "..............................";
	uint64_t now = bench_now_ns();
	int filled;

	static_assert(sizeof(full) == BAR_WIDTH + 1 && sizeof(empty) == BAR_WIDTH + 1,
		      "as wide as said");
	if (now - shown_ns < EVERY_NS || total == 0 || !isatty(STDERR_FILENO))
		return;
	shown_ns = now;
	filled = (int)((uint64_t)done * BAR_WIDTH / total);
	fprintf(stderr, "\r[%.*s%.*s] %u/%u %s", filled, full, BAR_WIDTH - filled, empty, done,
		total, what);
	fflush(stderr);
}

void progress_clear(void)
{
	if (shown_ns != 0)
		fprintf(stderr, "\r\033[K");
	shown_ns = 0;
}
