/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity_kit.c: see identity_kit.h.
 */
#include "identity_kit.h"

#include "base/atomic.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

void identity_wait_for(const uint32_t *word)
{
	must(wait_until(load_acquire(word) != 0, SUPPORT_WAIT_MS));
}

struct slot *identity_take_cart(struct corral *corral, const struct corral_key *key)
{
	struct found found = { 0 };
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	grace_enter(actor);
	must(slot_find(actor->arena, slot_hash(actor->arena, key), key, &found) == 0);
	grace_leave(actor);
	slot_want(actor, NULL, found.slot);
	must(lock_take(actor, &found.slot->lock, LOCK_SLOT) == 0);
	return found.slot;
}

void identity_drop_cart(struct corral *corral, struct slot *slot)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	lock_drop(actor, &slot->lock, LOCK_SLOT);
}

uint32_t identity_bury_all(struct corral *corral)
{
	return alive_bury_all(&corral->arena, &corral->share->life, repair_process);
}

const struct process_record *identity_record_of(const struct corral *corral, pid_t pid)
{
	const struct arena *arena = &corral->arena;

	for (uint32_t i = 0; i < arena->max_processes; i++) {
		const struct process_record *record = &arena->processes[i];
		bool wanted = pid != 0 ? record->pid == pid : i != corral->share->life.process;
		if (load_acquire(&record->state) == PROCESS_USED && wanted)
			return record;
	}
	return NULL;
}

bool identity_is_sleep(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "r");
	bool is = file != NULL && fgets(name, sizeof(name), file) != NULL &&
		  strcmp(name, "sleep\n") == 0;
	if (file != NULL)
		fclose(file);
	return is;
}
