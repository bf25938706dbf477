/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resize.c: corral-agent --resize: move the carts of the arena into a larger one. Prints what it
 * does on standard output.
 *
 * Workers may be attached. The arena is withdrawn first: from then on no change in it returns
 * success, so every acknowledged change is in it, and is copied. Each slot's version is copied in a
 * read-side section, as the journal does; a change by a process that has not noticed yet returns
 * -ESTALE. Workers open the directory again when the new arena is in place. That arena is made and
 * put in place like any other (rebuild.c): until then, a death leaves the old arena, which the next
 * agent verifies and takes up. The old arena is kept, under a name of its own.
 *
 * To the journal the new arena is another one, so it begins with its own base; until that is whole
 * the arena stands alone, and has been synced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/attach.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "rebuild.h"
#include "slot_copy.h"
#include "undumped.h"
#include "versions.h"

#define PATIENCE_MS 2000 /* with threads that are ending a cart */

struct resize {
	struct agent *agent;
	struct actor *actor; /* in the old arena */
	uint64_t bytes;
	uint32_t max_carts;
	uint8_t *copy;
	uint64_t greatest; /* greatest version of a cart that is over */
};

static void settings(void *context, struct arena_settings *ret_settings)
{
	const struct resize *resize = context;
	const struct arena_header *h = resize->actor->arena->header;

	*ret_settings =
		(struct arena_settings){ .arena_bytes = resize->bytes,
					 .max_carts = resize->max_carts,
					 .ttl_ns = load_relaxed(&h->ttl_ns),
					 .currency = load_relaxed(&h->currency),
					 /* carts have hashes of operation ids in them */
					 .hash_seed = h->hash_seed,
					 .version_epoch = load_relaxed(&h->version_epoch),
					 .feed_bytes = arena_feed_bytes_set(resize->actor->arena) };
}

static int carts(void *context, rebuild_take take, void (*finding)(void *context, const char *line),
		 void *take_context, struct salvage_totals *ret_totals)
{
	struct resize *resize = context;
	const struct arena *arena = resize->actor->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
	char line[80];
	int r = 0;

	*ret_totals = (struct salvage_totals){ 0 };
	store_relaxed(&arena->header->carried_of, high);
	for (uint32_t number = 0; number < high && r >= 0; number++) {
		store_relaxed(&arena->header->carried, number);
		struct slot_copied copied;
		r = slot_copy(resize->actor, number, resize->copy, &copied);
		if (r == 0 && copied.over)
			resize->greatest = max_u64(resize->greatest, copied.version);
		if (r == 0 && copied.size == 0)
			continue;
		int64_t idle = ns_since(arena_now_ns(arena), copied.touched_ns);
		r = r == 0 ? take(take_context, REBUILD_ANY_SLOT, resize->copy, copied.size,
				  copied.over ? SALVAGE_OVER :
				  idle > 0    ? (uint64_t)idle :
						0) :
			     -EUCLEAN;
		if (r == -EUCLEAN) {
			snprintf(line, sizeof(line), "slot %u: its cart is damaged: left out",
				 number);
			finding(take_context, line);
			ret_totals->damaged++;
			r = 0;
		} else if (r == 0) {
			ret_totals->kept++;
		}
	}
	store_relaxed(&arena->header->carried, high);
	return r < 0 ? r : 0;
}

/* As in recover.c: the new arena does not know the chain of a cart that is gone. */
static int floors(void *context, struct arena *to)
{
	const struct resize *resize = context;
	const struct arena *from = resize->actor->arena;
	uint64_t greatest = max_u64(resize->greatest, load_relaxed(&from->header->ended_version));

	for (uint32_t i = 0; i <= from->bucket_mask; i++)
		greatest = max_u64(greatest, load_relaxed(&from->buckets[i].version_floor));
	for (uint32_t i = 0; greatest <= VERSION_MAX && i <= to->bucket_mask; i++)
		to->buckets[i].version_floor = max_u64(to->buckets[i].version_floor, greatest);
	/*
	 * before it noticed the withdrawal, a reader may have seen a change that is not in the copy
	 */
	versions_jump(to, load_relaxed(&from->header->version_epoch) + 1);
	return 0;
}

/*
 * Behind the carts: an end that comes too late for its cart's absence to be seen is told twice
 * rather than never.
 */
static void ends_of(void *context, struct ends *ends)
{
	const struct resize *resize = context;

	if (!ends_settle(resize->actor, PATIENCE_MS))
		mend_print("a process that is stopped holds up the feed: the last ends of carts "
			   "may be missing in it");
	ends_add_all(ends, resize->actor->arena);
}

static int carry_over(struct resize *resize, char *why)
{
	struct rebuild_source source = { .context = resize,
					 .settings = settings,
					 .carts = carts,
					 .floors = floors,
					 .ends = ends_of };
	struct arena *arena = resize->actor->arena;
	int64_t began_ms = arena_wall_ms();
	char name[REBUILD_NAME_BYTES], aside[REBUILD_NAME_BYTES];
	struct salvage_totals totals = { 0 };

	snprintf(name, sizeof(name), ARENA_FILE ".resized.%lld", (long long)began_ms);
	printf("the arena is withdrawn from those who are attached, for as long as this takes\n");
	(void)fflush(stdout);
	store_relaxed(&arena->header->carried_of, 0u);
	store_relaxed(&arena->header->carried_since_ms, began_ms);
	arena_withdraw(arena);
	/*
	 * a writer that does not see the withdrawal yet, and returns success, has made a change
	 * that we see below
	 */
	fence_full(); /* pairs [J1] */
	int r = rebuild_from(resize->agent, &source, mend_print, name, aside, &totals, why);
	if (r < 0) {
		store_relaxed(&arena->header->carried_of, 0u);
		store_relaxed(&arena->header->withdrawn, 0u); /* restore the former state */
		return r;
	}
	printf("resized to %llu bytes for %u carts in %lld ms: %u cart%s carried over, %u left "
	       "out\n"
	       "the former arena is kept as %s/%s: remove it when all is well (corral clean)\n"
	       "start the agent; workers open the directory again\n",
	       (unsigned long long)resize->bytes, resize->max_carts,
	       (long long)(arena_wall_ms() - began_ms), totals.kept, totals.kept == 1 ? "" : "s",
	       totals.damaged, resize->agent->directory, aside);
	return totals.damaged > 0 ? EXIT_NO : EXIT_DONE;
}

/* Determine the new size; what is not given is kept. */
static int settle_size(struct resize *resize, char *why)
{
	const struct agent_options *options = resize->agent->options;
	const struct arena *arena = resize->actor->arena;

	resize->bytes = options->size_given ? options->size_bytes : arena->bytes;
	resize->max_carts =
		options->max_carts_given ? (uint32_t)options->max_carts : arena->max_carts;
	if (resize->bytes == arena->bytes && resize->max_carts == arena->max_carts &&
	    options->feed_bytes == 0)
		return reason_set(why, -EINVAL,
				  "it has that size: give a larger --size or --max-carts, or a "
				  "size for --feed");
	if (resize->bytes < arena->bytes || resize->max_carts < arena->max_carts)
		return reason_set(
			why, -EINVAL,
			"an arena only grows, and this one has %llu bytes for %u carts: give "
			"--size and --max-carts that are no smaller",
			(unsigned long long)arena->bytes, arena->max_carts);
	if (!arena_assume(&(struct arena){ .base = NULL }, resize->bytes, resize->max_carts,
			  options->feed_bytes / FEED_ENTRY_BYTES))
		return reason_set(
			why, -EINVAL,
			"%llu bytes with room for %u carts is no possible arena: give a larger "
			"--size",
			(unsigned long long)resize->bytes, resize->max_carts);
	return 0;
}

static int resize_arena(struct resize *resize, char *why)
{
	struct corral *corral;

	int r = handle_open_at(resize->agent->dir_fd, resize->agent->directory,
			       ATTACH_AGENT | CORRAL_OBSERVE, &corral);
	if (r < 0)
		return reason_set(why, r, "%s", corral_why());
	r = handle_actor(corral, &resize->actor);
	if (r < 0)
		reason_set(why, r, "no thread record is free");
	if (r == 0)
		r = settle_size(resize, why);
	if (r == 0)
		r = carry_over(resize, why);
	corral_close(corral);
	return r;
}

int resize_run(struct agent *agent)
{
	struct resize resize = { .agent = agent };
	char why[REASON_BYTES] = "";

	int code = agent_open_directory(agent);
	if (code != EXIT_DONE)
		return code;
	int r = alive_open(agent->dir_fd, true, &agent->agent_life, why);
	if (r < 0)
		return mend_refuse(agent, why, r);
	code = agent_take_byte(agent);
	if (code != EXIT_DONE)
		return code;
	if (rebuild_resume(agent->dir_fd) == 0)
		printf("finished what an earlier run had begun\n");
	resize.copy = undumped_alloc(CORRAL_CART_MAX);
	if (resize.copy == NULL)
		return mend_refuse(agent, "no memory", -ENOMEM);
	r = resize_arena(&resize, why);
	free(resize.copy);
	return r < 0 ? mend_refuse(agent, why, r) : r;
}
