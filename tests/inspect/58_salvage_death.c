/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_salvage_death.c: salvage knows each cart's newest version even if a writer has died and
 * something is damaged.
 *
 * A process is stopped after each instruction of a change (crash_kit.h). In each state of the arena
 * it is dead, nothing has been repaired, and something is lost: nothing; the slot of one cart, all
 * of it or a word; the block of its current version; both. Of that cart salvage must take the
 * version that the arena shows, or the one that was just being published; if it takes none of an
 * existing cart it must say so, unless both are lost; it must not take a cart that has ended.
 */
#include "crash_slots.h"

#include <unistd.h>

#include "inspect/salvage.h"
#include "memory/block_repair.h"

#define CARTS 64

/* -------------------------------------------------------------- operations */

static void make_two_old_ones(void)
{
	make(0);
	make(1);
	for (uint32_t i = 0; i < 6; i++)
		change(&one, i % 2, 16);
}

static void make_a_third(void)
{
	make(2);
}

static void change_one(void)
{
	change(&one, 0, 16);
}

static void end_one(void)
{
	end(0);
}

static void end_and_make_again(void)
{
	end(0);
	(void)block_reclaim(&one, one.record);
	make(0);
	change(&one, 0, 16);
}

static void lock_lists(void)
{
	make_two_old_ones();
	lock_lists_of_one();
}

static void change_twice_and_free(void)
{
	change(&one, 0, 16);
	change(&one, 1, 16);
	unlock_lists_of_one();
	change(&one, 0, 16);
	(void)block_reclaim(&one, one.record);
}

/* Of two threads that have built the same version, the dead one's is never published. */
static void leave_one_unpublished(void)
{
	struct found found;
	uint64_t version;

	make_two_old_ones();
	must(kit_find(&two, &keys[0], &found) == 0);
	slot_want(&two, NULL, found.slot);
	must(lock_take(&two, &found.slot->lock, LOCK_SLOT) == 0);
	must(kit_build(&two, &keys[0], &found, 0, 16, &version) == 0);
	struct intent *intent = &two.record->intent;
	note(&arena_block(two.arena, intent->hand)->mark, BLOCK_LIVE);
	note(&intent->old, found.slot->current);
}

static void repair_and_change(void)
{
	(void)slot_repair(two.arena, two.record, two.name);
	(void)block_repair(two.arena, two.record, two.name);
	change(&one, 0, 24);
	block_settle(&two);
}

static const struct crash_slots_operation operations[] = {
	{ "making a cart", make_two_old_ones, make_a_third },
	{ "changing a cart", make_two_old_ones, change_one },
	{ "ending a cart", make_two_old_ones, end_one },
	{ "ending a cart and making it again", make_two_old_ones, end_and_make_again },
	{ "retiring while the lists are locked", lock_lists, change_twice_and_free },
	{ "repairing a writer that has not published", leave_one_unpublished, repair_and_change },
};

/* ------------------------------------------------------------------- a state */

static uint64_t taken[CRASH_KEYS], sums[CRASH_KEYS];
static int arena_fd;
static struct arena shown; /* the state, before it is damaged */

static int take(void *context, const void *cart, size_t size, uint64_t idle_ns)
{
	struct corral_key key;

	(void)context;
	(void)idle_ns;
	assert_int_equal(cart_get_key(cart, size, &key), 0);
	for (uint32_t i = 0; i < CRASH_KEYS; i++)
		if (key.session_id.size == keys[i].key.session_id.size &&
		    memcmp(key.session_id.data, keys[i].session, key.session_id.size) == 0) {
			assert_int_equal(taken[i], 0);
			taken[i] = ((const struct cart_head *)cart)->version;
			sums[i] = ((const struct cart_head *)cart)->sum;
		}
	return 0;
}

static void ignore(void *context, const char *line)
{
	(void)context;
	(void)line;
}

/* The version that a reader sees; 0: no cart. */
static uint64_t version_of(uint32_t key, struct found *ret_found)
{
	int r = slot_find(&shown, keys[key].hash, &keys[key].key, ret_found);

	assert_true(r == 0 || r == -ENOENT);
	return r == 0 ? ret_found->cart->version : 0;
}

static void assert_newest_or_told(const char *damage, bool told)
{
	struct salvage_totals totals;
	struct salvage *salvage;
	struct found found;
	char why[REASON_BYTES];

	memset(taken, 0, sizeof(taken));
	assert_int_equal(salvage_open(stage.other.dir_fd, &salvage, why), 0);
	assert_int_equal(salvage_carts(salvage, NULL, take, ignore, NULL, &totals), 0);
	salvage_close(salvage);
	for (uint32_t i = 0; i < CRASH_KEYS; i++) {
		uint64_t version = version_of(i, &found);
		bool as_shown = taken[i] == version && (version == 0 || sums[i] == found.cart->sum);
		/* the interrupted call of a dead process may have happened */
		uint64_t next = version != 0 ? version + 1 :
					       slot_bucket(&shown, keys[i].hash)->version_floor + 1;
		bool pending = !stage.returned && taken[i] == next;
		if (as_shown || pending || (taken[i] == 0 && (totals.damaged > 0 || !told)))
			continue;
		fail_msg("%s, state %llu: key %u is taken in version %llu, not in %llu; %u told",
			 damage, (unsigned long long)stage.states, i, (unsigned long long)taken[i],
			 (unsigned long long)version, totals.damaged);
	}
}

static void erase(const void *place, size_t size)
{
	static const uint8_t zeroes[4096];

	assert_int_equal(
		pwrite(arena_fd, zeroes, size, (off_t)((const uint8_t *)place - shown.base)), size);
}

static void restore(const void *place, size_t size)
{
	assert_int_equal(
		pwrite(arena_fd, place, size, (off_t)((const uint8_t *)place - shown.base)), size);
}

static void lose(const char *damage, const void *place, size_t size)
{
	erase(place, size);
	assert_newest_or_told(damage, true);
	restore(place, size);
}

static void lose_both(const struct slot *slot, const void *block)
{
	erase(slot, sizeof(*slot));
	erase(block, 256);
	assert_newest_or_told("slot and block are lost", false);
	restore(slot, sizeof(*slot));
	restore(block, 256);
}

static void look_at_state(void)
{
	struct arena mapped;
	char why[REASON_BYTES];
	struct found found;

	crash_to_other(&stage);
	assert_int_equal(arena_map(stage.other.dir_fd, 0, &mapped, why), 0);
	uint8_t *copy = malloc(mapped.bytes);
	assert_non_null(copy);
	memcpy(copy, mapped.base, mapped.bytes);
	shown = mapped;
	shown.base = copy;
	arena_point(&shown, mapped.header);
	find_keys(&shown);
	arena_fd = mapped.fd;
	assert_newest_or_told("nothing is lost", true);
	for (uint32_t i = 0; i < CRASH_KEYS; i++) {
		if (version_of(i, &found) == 0)
			continue;
		struct slot *slot = found.slot;
		lose("the slot is lost", slot, sizeof(*slot));
		lose("the reference is lost", &slot->current, sizeof(slot->current));
		lose("the number is lost", &slot->newest, sizeof(slot->newest));
		const void *block = arena_block(&shown, slot->current);
		lose("the block is lost", block, 256);
		lose_both(slot, block);
	}
	free(copy);
	arena_unmap(&mapped);
}

int main(void)
{
	return crash_slots_run(operations, COUNT(operations),
			       "death anywhere in %s leaves the newest known", ARENA_BYTES_MIN,
			       CARTS, look_at_state);
}
