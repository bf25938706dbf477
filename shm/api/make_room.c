/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make_room.c: see make_room.h.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/make_room.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/retire.h"
#include "store/expire.h"
#include "sync/grace.h"

#define AGENT_SILENT_NS 5000000000ll
#define ROOM_ROUNDS 8
#define PAUSE_NS 50000l /* doubled each round: 12 ms in all */
#define REVOKE_STALL_MS                                                                            \
	10 /* after that, views that have held memory back for so long are taken back */

/*
 * Look for what is over, everybody's. *ret_left: something is still retired, because somebody
 * reads. True: some was freed.
 */
static bool look_for_room(struct actor *actor, bool *ret_left)
{
	struct arena *arena = actor->arena;
	uint64_t before = load_relaxed(&actor->record->stat[STAT_reclaimed]);

	(void)alive_bury_all(arena, actor->life,
			     actor->repair); /* a dead reader holds nothing back */
	/* relaxed: a moment's difference does not matter */
	if (ns_since(arena_now_ns(arena), load_relaxed(&arena->header->heartbeat_ns)) >
	    AGENT_SILENT_NS)
		(void)expire_slots(actor, 0, arena->max_carts); /* no agent ends carts */
	(void)block_reclaim_all(actor);                         /* stamps what is open */
	*ret_left = block_reclaim_all(actor);                   /* and frees it */
	return load_relaxed(&actor->record->stat[STAT_reclaimed]) != before;
}

bool make_room(struct actor *actor, uint32_t round)
{
	struct timespec pause = { .tv_sec = 0,
				  .tv_nsec = PAUSE_NS << (round < ROOM_ROUNDS ? round : 0) };
	bool own_view = actor->record->nest > 0; /* that is for us to end */
	bool left;

	if (round >= ROOM_ROUNDS &&
	    (own_view || !grace_revoke_oldest(actor, REVOKE_STALL_MS, NULL)))
		return false;
	bool freed = look_for_room(actor, &left);
	if (round > 0 && round < ROOM_ROUNDS && left && !freed && !own_view)
		(void)syscall(SYS_nanosleep, &pause,
			      NULL); /* by number: glibc's is a cancellation point */
	return round == 0 || round >= ROOM_ROUNDS || left || freed;
}
