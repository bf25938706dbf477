/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage.c: how full the arena and its disk are. Logs a line when a part of it passes 80 and 95 per
 * cent, and one when it is well below again. The agent's answer to `status` has the same.
 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent.h"
#include "base/atomic.h"

#define LOW 80u
#define HIGH 95u
#define BELOW 5u /* this far below a mark, it no longer counts as passed */

static const struct {
	const char *name;
	const char *advice;
} parts[USAGE_PARTS] = {
	{ "carts", "corral-agent --resize --max-carts makes room for more" },
	{ "memory", "corral-agent --resize --size makes room for more" },
	{ "thread records", "see corral inspect threads: end workers, or give them fewer threads" },
	{ "disk", "free space on the file system: a full one refuses changes, and the journal" },
};

/* The loads here are relaxed: the figures are only shown. */
static uint32_t carts_percent(const struct arena *arena)
{
	uint64_t carts = load_relaxed(&arena->header->carts_live);

	/* a death may have left the counter below zero, where it is a huge number */
	return carts <= arena->max_carts ? (uint32_t)(carts * 100 / arena->max_carts) : 0;
}

static uint32_t records_percent(const struct arena *arena)
{
	uint32_t high =
		(uint32_t)min_u64(load_relaxed(&arena->header->threads_high), arena->max_threads);
	uint32_t used = 0;

	for (uint32_t number = 0; number < high; number++)
		used += load_relaxed(&arena->threads[number].owner) != 0;
	return arena->max_threads > 0 ? used * 100 / arena->max_threads : 0;
}

/* As df counts: what is reserved for root is neither used nor available. */
static uint32_t disk_percent(int dir_fd)
{
	struct statvfs fs;

	if (fstatvfs(dir_fd, &fs) < 0)
		return 0;
	const uint64_t used = fs.f_blocks - min_u64(fs.f_bfree, fs.f_blocks);
	const uint64_t all = used + fs.f_bavail;
	return all > 0 ? (uint32_t)((double)used * 100 / (double)all) : 0;
}

static uint32_t mark_of(uint32_t percent, uint32_t before)
{
	uint32_t mark = percent >= HIGH ? HIGH : percent >= LOW ? LOW : 0;

	/* a figure that goes up and down around a mark is logged once */
	return mark < before && percent + BELOW >= before ? before : mark;
}

void usage_watch(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;
	const uint32_t percents[USAGE_PARTS] = {
		carts_percent(arena),
		(uint32_t)((uint64_t)load_relaxed(&arena->header->pages_used) * 100 /
			   arena->page_count),
		records_percent(arena), disk_percent(agent->dir_fd)
	};

	for (unsigned i = 0; i < USAGE_PARTS; i++) {
		uint32_t mark = mark_of(percents[i], agent->usage_marks[i]);
		if (mark > agent->usage_marks[i])
			log_line(LOG_WARNING, "%s: %u %% are in use: %s", parts[i].name,
				 percents[i], parts[i].advice);
		else if (mark < agent->usage_marks[i])
			log_line(LOG_INFO, "%s: %u %% are in use again", parts[i].name,
				 percents[i]);
		agent->usage_marks[i] = mark;
		agent->usage_percents[i] = percents[i];
	}
}

void usage_describe(const struct agent *agent, char text[USAGE_TEXT_BYTES])
{
	size_t size = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < USAGE_PARTS; i++)
		if (agent->usage_marks[i] != 0)
			size += (size_t)snprintf(text + size, USAGE_TEXT_BYTES - size, "%s%s %u %%",
						 size > 0 ? ", " : "", parts[i].name,
						 agent->usage_percents[i]);
	if (size == 0)
		snprintf(text, USAGE_TEXT_BYTES, "nothing");
}
