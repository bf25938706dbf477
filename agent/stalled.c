/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stalled.c: readers that hold memory back. Each is logged once it has stalled a grace period for a
 * second. If the arena is also nearly full, the oldest one's view is revoked (grace.h), one per
 * tick. A worker that finds no memory at all revokes views itself after some milliseconds: that
 * needs no agent.
 */
#include "agent.h"
#include "base/atomic.h"
#include "memory/retire.h"
#include "sync/grace.h"

#define STALL_MS 1000
#define HIGH_WATER_EIGHTHS 7u /* of the pages in use */

/*
 * The loads here are relaxed: times and sums are only shown, or compared with a threshold that need
 * not be met exactly.
 */

static void warn(const struct agent *agent, uint32_t number, const char *text)
{
	const struct arena *arena = agent->actor->arena;
	const struct thread_record *record = &arena->threads[number];
	uint32_t owner = load_relaxed(&record->owner) - 1;

	if (owner >= arena->max_processes)
		return;
	const struct process_record *process = &arena->processes[owner];
	char name[PROCESS_NAME_BYTES];
	alive_name(process, name);
	log_line(LOG_WARNING, "pid %d (%s), thread %d: %s", process->pid, name, record->tid, text);
}

/* Log once per section that it stalls, and that it is void. */
static void look_at(struct agent *agent, uint32_t number)
{
	const struct arena *arena = agent->actor->arena;
	const struct thread_record *record = &arena->threads[number];
	int64_t stalled_ms = grace_stalled_ms(arena, record);
	uint64_t phase = load_relaxed(&record->reader);
	char text[128];

	if (stalled_ms >= STALL_MS && phase != agent->named[number].stalled) {
		agent->named[number].stalled = phase;
		snprintf(text, sizeof(text),
			 "has had a view open for %lld ms and holds back %llu bytes; views should "
			 "be short",
			 (long long)stalled_ms, (unsigned long long)block_held_back(arena, phase));
		warn(agent, number, text);
	}
	if (phase != 0 && phase <= load_relaxed(&record->revoked) &&
	    phase != agent->named[number].revoked) {
		agent->named[number].revoked = phase;
		warn(agent, number, "its view is revoked: memory was short");
	}
}

static bool nearly_full(const struct arena *arena)
{
	return (uint64_t)load_relaxed(&arena->header->pages_used) * 8 >=
	       (uint64_t)arena->page_count * HIGH_WATER_EIGHTHS;
}

void stalled_watch(struct agent *agent, bool held_back)
{
	const struct arena *arena = agent->actor->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);

	if (held_back && nearly_full(arena))
		(void)grace_revoke_oldest(agent->actor, STALL_MS, NULL);
	for (uint32_t number = 0; number < high; number++)
		look_at(agent, number);
}
