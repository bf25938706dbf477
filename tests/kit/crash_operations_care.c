/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_operations_care.c: memory, threads, fork, the agent. See crash_operations.h.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "base/atomic.h"
#include "crash_guests.h"
#include "crash_operations.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/expire.h"
#include "store/repair.h"
#include "store/slot.h"
#include "support.h"
#include "sync/lock.h"

static struct actor *actor_of(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	return actor;
}

/* ----------------------------------------------------------------- memory */

static int do_reclaim(struct corral *corral)
{
	(void)block_reclaim_all(actor_of(corral));
	(void)block_reclaim_all(actor_of(corral));
	return 0;
}

static void freed_spans(struct corral *corral)
{
	crash_dropped_carts(corral);
	(void)do_reclaim(corral);
}

static int do_scavenge(struct corral *corral)
{
	(void)block_scavenge(actor_of(corral));
	return 0;
}

/* The class's list has the blocks for the next version: they are popped, not carved. */
static void listed_blocks(struct corral *corral)
{
	crash_dropped_carts(corral);
	(void)do_reclaim(corral);
	block_flush(actor_of(corral));
}

/* The class of the next version has no never-used block left in a span, and the cache has none. */
static void used_up_cache(struct corral *corral)
{
	struct actor *actor = actor_of(corral);
	struct corral_view view;

	crash_two_lines(corral);
	must(corral_read_begin(corral, &crash_key, &view) == 0); /* nothing comes back meanwhile */
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		while (actor->record->cache[class_no] !=
		       0) { /* retired to where a later step finds them */
			must(block_alloc(actor, class_bytes(class_no)) == 0);
			note(&actor->record->intent.old, actor->record->intent.hand);
			note(&actor->record->intent.hand, 0);
			block_retire_old(actor);
		}
	}
	must(corral_read_end(&view) == 0);
}

/* Make a cart whose version nearly fills a block of this class; the arena may be full. */
static void cart_of_class(struct corral *corral, uint32_t class_no)
{
	static char notes[CORRAL_WORDS_MAX];
	char session[16];
	struct corral_item one = crash_item("cake", "");

	memset(notes, 'y', sizeof(notes));
	one.notes = (struct corral_text){ notes, class_bytes(class_no) - 340 };
	snprintf(session, sizeof(session), "%u", class_no);
	struct corral_key key = { { "q", 1 }, corral_text(session) };
	(void)corral_add(corral, &key, &one, NULL, NULL);
}

/*
 * No page is free and no span is whole; the class of the next version is empty, but a larger class
 * has blocks.
 */
static void short_of_memory(struct corral *corral)
{
	struct actor *actor = actor_of(corral);

	crash_two_lines(corral);
	for (uint32_t class_no = 13; class_no < 18; class_no++)
		cart_of_class(corral, class_no);
	for (uint32_t class_no = 70; class_no >= 18; class_no--)
		cart_of_class(corral, class_no);
	(void)do_reclaim(corral);
	(void)block_scavenge(actor);
	must(actor->arena->header->pages_used == actor->arena->page_count);
}

/* ---------------------------------------------------------------- threads */

static int do_leave_thread(struct corral *corral)
{
	return corral_leave_thread(corral);
}

static int do_close(struct corral *corral)
{
	corral_close(corral);
	return 0;
}

/* ------------------------------------------------------------------- fork */

static struct corral_view parents_view;

/*
 * The parent has an open view, cached blocks and retired blocks; the child inherits none of them.
 */
static void with_a_view_open(struct corral *corral)
{
	crash_dropped_carts(corral);
	must(corral_read_begin(corral, &crash_key, &parents_view) == 0);
}

/* Returns in the child; the parent waits for the child's end. */
static void go_on_as_child(void)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0)
		return;
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

static int do_fork(struct corral *corral)
{
	go_on_as_child();
	must(corral_read_end(&parents_view) ==
	     -ESTALE); /* the parent's section must not be touched */
	return crash_add_burger(corral);
}

static int do_fork_and_close(struct corral *corral)
{
	go_on_as_child();
	must(crash_add_burger(corral) == 0);
	corral_close(corral);
	return 0;
}

static int do_fork_and_only_close(struct corral *corral)
{
	go_on_as_child();
	corral_close(corral);
	return 0;
}

/* -------------------------------------------------------------- the agent */

static int do_expire(struct corral *corral)
{
	(void)expire_slots(actor_of(corral), 0, 64);
	return 0;
}

static int do_tick(struct corral *corral)
{
	(void)corral;
	agent_tick(&crash_agent);
	return 0;
}

/* A live worker (in this process) has retired blocks; the agent takes care of them. */
static void others_retired(struct corral *corral)
{
	static struct corral *worker; /* it is never closed */

	must(corral_open(corral->directory, 0, &worker) == 0);
	crash_dropped_carts(worker);
	struct actor *actor = actor_of(worker);
	must(block_reclaim(actor, actor->record)); /* stamped */
	must(corral_set_quantity(worker, &crash_key, 1, 3, NULL, NULL) == 0);
}

/* A worker died with a cart's lock, a block in hand, an open view and retired blocks. */
static void dead_worker(struct corral *corral)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		struct corral *worker;
		struct corral_view view;
		must(corral_open(corral->directory, 0, &worker) == 0);
		crash_dropped_carts(worker);
		must(corral_read_begin(worker, &crash_key, &view) == 0);
		struct actor *actor = actor_of(worker);
		struct slot *slot = &actor->arena->slots[0];
		for (uint32_t i = 0; i < 64 && slot->current == 0; i++)
			slot = &actor->arena->slots[i];
		slot_want(actor, slot_bucket(actor->arena, slot->hash), slot);
		must(lock_take(actor, &slot->lock, LOCK_SLOT) == 0);
		must(block_alloc(actor, 700) == 0);
		_exit(0);
	}
	int status;
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The arena is of an earlier boot: the agent verifies and adopts it. */
static void earlier_boot(struct corral *corral)
{
	struct arena_header *h = corral->arena.header;

	crash_dropped_carts(corral);
	h->heartbeat_ns = arena_now_ns(&corral->arena);
	memset(h->boot_id, 0x5a, sizeof(h->boot_id));
}

static int do_label(struct corral *corral)
{
	return corral_set_label(corral, corral_text(CRASH_LABEL));
}

static int do_stop(struct corral *corral)
{
	(void)corral;
	agent_give_up(&crash_agent);
	return 0;
}

const struct crash_operation crash_care_operations[] = {
	{ "a refill from the class's list", listed_blocks, crash_add_coke, CRASH_CHANGES,
	  CRASH_WORKER, NULL, false },
	{ "a refill of never used blocks", used_up_cache, crash_add_coke, CRASH_CHANGES,
	  CRASH_WORKER, NULL, false },
	{ "a change when memory is short", short_of_memory, crash_add_coke, CRASH_CHANGES,
	  CRASH_WORKER, NULL, true },
	{ "reclaiming", crash_dropped_carts, do_reclaim, CRASH_NO_CHANGE, CRASH_WORKER, NULL,
	  false },
	{ "scavenging", freed_spans, do_scavenge, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "leaving a thread", crash_dropped_carts, do_leave_thread, CRASH_NO_CHANGE, CRASH_WORKER,
	  NULL, false },
	{ "detaching", crash_dropped_carts, do_close, CRASH_NO_CHANGE, CRASH_WORKER, NULL, false },
	{ "attaching", crash_dropped_carts, NULL, CRASH_NO_CHANGE, CRASH_OPENING, NULL, false },
	{ "a forked child's change", with_a_view_open, do_fork, CRASH_CHANGES, CRASH_WORKER,
	  crash_add_burger, false },
	{ "a forked child's detaching", crash_dropped_carts, do_fork_and_close, CRASH_CHANGES,
	  CRASH_WORKER, crash_add_burger, false },
	{ "a forked child's closing of what it never used", with_a_view_open,
	  do_fork_and_only_close, CRASH_NO_CHANGE, CRASH_WORKER, crash_add_coke, false },
	{ "the end of a cart", crash_nearly_over, do_expire, CRASH_EXPIRES, CRASH_WORKER, NULL,
	  false },
	{ "an agent's round with a cart whose time is up", crash_nearly_over, do_tick,
	  CRASH_EXPIRES, CRASH_AGENT, NULL, false },
	{ "an agent's round over a worker's retired blocks", others_retired, do_tick,
	  CRASH_NO_CHANGE, CRASH_AGENT, NULL, false },
	{ "an agent's round with a dead worker", dead_worker, do_tick, CRASH_NO_CHANGE, CRASH_AGENT,
	  NULL, false },
	{ "an agent's start", crash_dropped_carts, NULL, CRASH_NO_CHANGE, CRASH_STARTING, NULL,
	  false },
	{ "an agent's start after another boot", earlier_boot, NULL, CRASH_NO_CHANGE,
	  CRASH_STARTING, NULL, true },
	{ "an agent's stop", crash_dropped_carts, do_stop, CRASH_NO_CHANGE, CRASH_AGENT, NULL,
	  false },
	{ "another label", crash_dropped_carts, do_label, CRASH_NO_CHANGE, CRASH_WORKER, NULL,
	  false },
};
const size_t crash_care_operation_count = COUNT(crash_care_operations);
