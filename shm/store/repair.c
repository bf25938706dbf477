/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.c: see repair.h. The layers that write intents resolve them (slot_repair,
 * block_repair); this is the order: first what was published, then memory, the record last.
 *
 * Idempotent: each step tests a fact of the arena and makes it so; a second repairer, after the
 * first one's death, finds facts that the first has made and goes on. The record gets a new
 * generation and becomes free last of all, when no lock word names it any more: that is why its
 * number can be reused.
 */
#include <string.h>

#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block_repair.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/death_log.h"
#include "sync/grace.h"

static void repair_thread(struct arena *arena, struct thread_record *record, uint32_t name,
			  struct death *death)
{
	uint32_t found = slot_repair(arena, record, name);

	if ((found & DEATH_SLOT) != 0)
		death->slot = record->intent.slot;
	death->found |= found | block_repair(arena, record, name);
	if (record->reader != 0)
		death->found |= DEATH_READING;
	death->threads++;
	grace_end(record);
	stat_add(record, repaired, 1);
	note(&record->generation, record->generation + 1);
	store_release(&record->owner, 0);
}

void repair_process(struct arena *arena, uint32_t process)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	const struct process_record *dead = &arena->processes[process];
	struct death death = { .pid = dead->pid,
			       .process = process,
			       .repaired_ms = arena_wall_ms() };

	alive_name(dead, death.program);
	for (uint32_t number = 0; number < high; number++) {
		struct thread_record *record = &arena->threads[number];
		if (load_acquire(&record->owner) == process + 1)
			repair_thread(arena, record, number + 1, &death);
	}
	death_log_write(arena, &death);
}
