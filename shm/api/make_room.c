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
#include "store/feed_ends.h"
#include "sync/grace.h"

#define AGENT_SILENT_NS 5000000000ll
#define ROOM_ROUNDS 8
#define PAUSE_NS 50000l /* doubled each round: 12 ms in all */
/* from then on, views that have held memory back for this long are revoked */
#define REVOKE_STALL_MS 10

/*
 * Free all that can be freed, of all threads. *ret_left: something is still retired, because a
 * thread is reading. True: something was freed.
 */
static bool look_for_room(struct actor *actor, bool *ret_left)
{
	struct arena *arena = actor->arena;
	uint64_t before = load_relaxed(&actor->record->stat[STAT_reclaimed]);

	/* a dead reader must not hold memory back */
	(void)alive_bury_all(arena, actor->life, actor->repair);
	/* relaxed: a moment's difference does not matter */
	if (ns_since(arena_now_ns(arena), load_relaxed(&arena->header->heartbeat_ns)) >
	    AGENT_SILENT_NS)
		(void)expire_slots(actor, 0, arena->max_carts); /* there is no agent to end carts */
	bool let_go = feed_ends_relieve(actor);
	(void)block_reclaim_all(actor);       /* stamps open lists */
	*ret_left = block_reclaim_all(actor); /* and frees them */
	return let_go || load_relaxed(&actor->record->stat[STAT_reclaimed]) != before;
}

bool make_room(struct actor *actor, uint32_t round)
{
	struct timespec pause = { .tv_sec = 0,
				  .tv_nsec = PAUSE_NS << (round < ROOM_ROUNDS ? round : 0) };
	bool own_view = actor->record->nest > 0; /* only the caller can end it */
	bool left;

	if (round >= ROOM_ROUNDS &&
	    (own_view || !grace_revoke_oldest(actor, REVOKE_STALL_MS, NULL)))
		return false;
	bool freed = look_for_room(actor, &left);
	if (round > 0 && round < ROOM_ROUNDS && left && !freed && !own_view)
		/* by number: glibc's nanosleep is a cancellation point */
		(void)syscall(SYS_nanosleep, &pause, NULL);
	return round == 0 || round >= ROOM_ROUNDS || left || freed;
}
