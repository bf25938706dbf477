/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_cell.c: see crash_cell.h.
 */
#include "crash_cell.h"
#include "base/atomic.h"
#include "crash_feed.h"
#include "crash_guests.h"
#include "memory/retire.h"
#include "store/expire.h"
#include "store/repair.h"
#include "sync/grace.h"

struct crash_death crash_death;
static const struct crash_sight
	*acknowledged; /* what a call that had returned has made; NULL: no call had returned */

bool crash_whole(void)
{
	const char *wanted = getenv("CORRAL_CRASH");

	return wanted != NULL && strcmp(wanted, "all") == 0;
}

struct cell {
	enum crash_arrival who;
	uint64_t state;
	uint32_t living; /* processes of the operation that are still alive at first */
	struct crash_guest guests[2];
	struct crash_sight seen;
};

static void red(const struct cell *cell, const char *what)
{
	fail_msg("death in %s%s%s, state %llu, then %s%s: %s",
		 crash_death.repairer != CRASH_ARRIVALS ?
			 crash_arrival_names[crash_death.repairer] :
			 "",
		 crash_death.repairer != CRASH_ARRIVALS ? "'s repair after " : "",
		 crash_death.operation->name, (unsigned long long)cell->state,
		 crash_arrival_names[cell->who],
		 cell->living != 0 ? " while a process of it lives" : "", what);
}

static void check(const struct cell *cell, const char *fault)
{
	if (fault != NULL)
		red(cell, fault);
}

static bool seen_is(const struct cell *cell, const struct crash_sight *sight)
{
	return strcmp(cell->seen.text, sight->text) == 0;
}

static void expect_cart(struct cell *cell, const struct crash_sight *sight)
{
	char what[2048];

	crash_describe(cell->guests[0].corral, &cell->seen);
	snprintf(what, sizeof(what), "the cart is \"%s\", not \"%s\"", cell->seen.text,
		 sight->text);
	if (!seen_is(cell, sight))
		red(cell, what);
}

/*
 * The cart is as before or after the operation; if a waiter died too, possibly as after its
 * operation.
 */
static bool seen_is_whole(const struct cell *cell)
{
	return seen_is(cell, &crash_death.expected.before) ||
	       seen_is(cell, &crash_death.expected.after) ||
	       (crash_death.repairer == CRASH_WAITER &&
		seen_is(cell, &crash_death.expected.again)) ||
	       (crash_death.operation->kind == CRASH_SEVERAL &&
		strstr(cell->seen.text, "burger") != NULL); /* each change is whole */
}

/* Check the cart as a single arrival finds it. */
static void check_cart(struct cell *cell)
{
	uint64_t version = crash_version_at_beginning();
	char what[2048];

	crash_describe(cell->guests[0].corral, &cell->seen);
	snprintf(what, sizeof(what), "the cart is \"%s\"; it was \"%s\" and was to be \"%s\"",
		 cell->seen.text, crash_death.expected.before.text,
		 crash_death.expected.after.text);
	if (!seen_is_whole(cell))
		red(cell, what);
	if (cell->seen.version != 0 && cell->seen.version < version)
		red(cell, "the version went back");
	if (acknowledged == NULL)
		return;
	if (!seen_is(cell, acknowledged) &&
	    !(crash_death.repairer == CRASH_WAITER && seen_is(cell, &crash_death.expected.again)))
		red(cell, "an acknowledged change is lost");
	if (crash_death.operation->kind <= CRASH_SEVERAL && cell->seen.version != 0 &&
	    cell->seen.version <= version)
		red(cell, "an acknowledged change did not raise the version");
}

static void do_it_again(struct cell *cell)
{
	uint64_t version = cell->seen.version;
	char what[128];
	int r = crash_again(crash_death.operation, cell->guests[0].corral);

	snprintf(what, sizeof(what), "done again it fails: %s", corral_strerror(r));
	if (r < 0)
		red(cell, what);
	expect_cart(cell, &crash_death.expected.again);
	if (cell->seen.version != 0 && cell->seen.version < version)
		red(cell, "done again, the version goes back");
}

/*
 * Check the cart after two arrivals did the operation at the same time, with two ids if possible.
 */
static void check_two(struct cell *cell, const int rets[2], bool two_ids)
{
	char what[128];

	for (int i = 0; i < 2; i++) {
		bool lost = rets[i] == -ECANCELED &&
			    crash_death.operation->kind == CRASH_REPLACES; /* the other version */
		lost |= rets[i] == -ENOENT && (crash_death.operation->kind == CRASH_REPLACES ||
					       crash_death.operation->kind == CRASH_DROPS);
		snprintf(what, sizeof(what), "number %d of the two fails: %s", i,
			 corral_strerror(rets[i]));
		if (rets[i] < 0 && !lost)
			red(cell, what);
	}
	expect_cart(cell, two_ids ? &crash_death.expected.twice : &crash_death.expected.again);
}

static void bury(struct cell *cell)
{
	struct corral *corral = cell->guests[0].corral;

	(void)alive_bury_all(&corral->arena, &corral->share->life, repair_process);
}

static uint32_t guests_living(const struct cell *cell)
{
	uint32_t living = 0;

	for (int i = 0; i < 2; i++)
		if (cell->guests[i].corral != NULL)
			living |= 1u << cell->guests[i].corral->share->life.process;
	return living;
}

static void check_grace(const struct cell *cell)
{
	struct actor *actor;

	assert_int_equal(handle_actor(cell->guests[0].corral, &actor), 0);
	if (grace_wait(actor, grace_start_poll(actor->arena), 5000) != 0)
		red(cell, "a grace period does not complete");
}

static void drop_all(struct cell *cell)
{
	struct corral *corral = cell->guests[0].corral;
	struct corral_entry rows[CRASH_CARTS];
	struct actor *actor;
	size_t count;

	assert_int_equal(support_list(corral, NULL, rows, COUNT(rows), &count), 0);
	for (size_t i = 0; i < count; i++) {
		struct corral_key one = { corral_text(rows[i].restaurant_id),
					  corral_text(rows[i].session_id) };
		assert_int_equal(corral_drop(corral, &one, NULL, NULL), 0);
	}
	assert_int_equal(handle_actor(corral, &actor), 0);
	(void)expire_slots(actor, 0, CRASH_CARTS);
}

/* The key's next cart must continue the versions of the last one. */
static void check_next_cart(struct cell *cell)
{
	struct corral *corral = cell->guests[0].corral;
	struct corral_item one = crash_item("pie", "");
	struct corral_result result;

	assert_int_equal(corral_add(corral, &crash_key, &one, NULL, &result), 0);
	if (result.version <= cell->seen.version || result.version <= crash_version_at_beginning())
		red(cell, "the next cart's version is not greater");
	assert_int_equal(corral_drop(corral, &crash_key, NULL, NULL), 0);
}

static void reclaim_everything(const struct cell *cell)
{
	struct actor *actor;

	assert_int_equal(handle_actor(cell->guests[0].corral, &actor), 0);
	for (int i = 0; i < 3; i++)
		(void)block_reclaim_all(actor);
}

static void check_memory(const struct cell *cell)
{
	struct inspect_totals t;
	char what[160];

	yard_check(&crash_death.stage->other, &t);
	snprintf(what, sizeof(what), "live %llu cached %llu retired %llu lost %llu locks %u",
		 (unsigned long long)t.live_bytes, (unsigned long long)t.cached_bytes,
		 (unsigned long long)t.retired_bytes, (unsigned long long)t.lost_bytes,
		 t.locks_held);
	if (t.live_bytes + t.cached_bytes + t.retired_bytes + t.lost_bytes + t.locks_held != 0)
		red(cell, what);
}

static int again(struct corral *corral)
{
	return crash_again(crash_death.operation, corral);
}

/* After the arrivals: check that the cart is right and that the dead are buried. */
static void arrive_and_look(struct cell *cell)
{
	bool two_ids = crash_death.expected.two_ids;
	const char *const ids[2] = { crash_op_id, two_ids ? "another operation" : crash_op_id };
	int rets[2] = { 0, 0 };

	crash_arrive(crash_death.stage, cell->who,
		     crash_processes(crash_death.stage) & ~cell->living, again, ids, cell->guests,
		     rets);
	if (crash_two(cell->who))
		check_two(cell, rets, two_ids);
	else
		check_cart(cell);
	if (cell->who == CRASH_WAITER)
		do_it_again(cell);
	bury(cell);
	check(cell, crash_check_buried(crash_death.stage, cell->living | guests_living(cell),
				       cell->living));
}

static void cell(enum crash_arrival who, uint64_t state, uint32_t living)
{
	struct cell cell = { .who = who, .state = state, .living = living };
	struct life holder;

	crash_to_other(crash_death.stage);
	yard_check(&crash_death.stage->other,
		   NULL); /* as the dead process left it: unfinished, but nothing is lost */
	if (living != 0)
		crash_hold(crash_death.stage, living, &holder);
	arrive_and_look(&cell);
	if (living != 0) { /* now they die as well */
		alive_close(&holder);
		bury(&cell);
		check(&cell, crash_check_buried(crash_death.stage, guests_living(&cell), 0));
	}
	check(&cell, crash_check_dirty(crash_death.stage));
	check_grace(&cell);
	check(&cell, crash_check_feed(cell.guests[0].corral, false));
	if (who != CRASH_WAITER && !crash_two(who))
		do_it_again(&cell);
	drop_all(&cell);
	check_next_cart(&cell);
	check(&cell, crash_check_feed(cell.guests[0].corral, true));
	reclaim_everything(&cell);
	crash_leave(cell.guests);
	check_memory(&cell);
	crash_death.cells++;
}

/* ------------------------------------------------------------- told it is gone */

#define LATER_NS                                                                                   \
	((int64_t)(3 * CRASH_TTL_MS * 1000000)) /* longer than any time to live in these tests */

static void expect_gone(struct cell *cell, const char *when)
{
	struct corral *corral = cell->guests[0].corral;
	struct corral_entry row;
	size_t count = 0;
	char what[2200];

	crash_describe(corral, &cell->seen);
	assert_int_equal(support_list(corral, &crash_key.restaurant_id, &row, 1, &count), 0);
	snprintf(what, sizeof(what), "%s, the cart is \"%s\", %zu in the list", when,
		 cell->seen.text, count);
	if (cell->seen.version != 0 || count != 0)
		red(cell, what);
}

/*
 * All carts expire before the death is noticed, and a reader is told so. Then the dead are found.
 * The reader's answer must stay true, and the next cart must begin empty, with a version greater
 * than any seen before.
 */
static void cell_of_an_end_that_was_told(uint64_t state)
{
	struct cell cell = { .who = CRASH_NEWCOMER, .state = state };
	const struct crash_stage *stage = crash_death.stage;
	struct arena_header *h = (struct arena_header *)(void *)stage->other_map;
	struct life holder;

	crash_to_other(crash_death.stage);
	h->clock_offset_ns += LATER_NS;
	crash_hold(stage, crash_processes(stage), &holder);
	assert_int_equal(corral_open(stage->other.path, CORRAL_OBSERVE, &cell.guests[0].corral), 0);
	expect_gone(&cell, "when its time is up");
	alive_close(&holder);
	bury(&cell);
	expect_gone(&cell, "after the repair, although a reader was told that it is gone");
	check_next_cart(&cell);
	drop_all(&cell);
	check(&cell, crash_check_feed(cell.guests[0].corral, true));
	reclaim_everything(&cell);
	crash_leave(cell.guests);
	check_memory(&cell);
	crash_death.cells++;
}

/* The state of a forked child: either only the child is dead, or only its parent is. */
static void cells_of_a_family(uint64_t state)
{
	const uint32_t parent = 1, child = 2;
	const char *fault = crash_check_parent(crash_death.stage);

	if (fault != NULL)
		fail_msg("%s, state %llu: %s", crash_death.operation->name,
			 (unsigned long long)state, fault);
	for (enum crash_arrival who = CRASH_NEWCOMER; who <= CRASH_NEW_AGENT; who++) {
		if (who == CRASH_WAITER) /* a waiter would wait for the living process */
			continue;
		cell(who, state, parent);
		crash_to_other(crash_death.stage);
		if ((crash_processes(crash_death.stage) & child) != 0)
			cell(who, state, child);
	}
}

void crash_cells_of_state(uint64_t state)
{
	const bool all = crash_whole() && crash_death.repairer == CRASH_ARRIVALS;

	acknowledged = NULL;
	if (crash_death.first_acknowledged ||
	    (crash_death.stage->returned && crash_death.repairer == CRASH_ARRIVALS))
		acknowledged = &crash_death.expected.after;
	if (crash_death.stage->returned && crash_death.repairer == CRASH_WAITER)
		acknowledged = &crash_death.expected.again;
	for (enum crash_arrival who = CRASH_NEWCOMER; who < CRASH_ARRIVALS; who++)
		if (all || !crash_two(who) || who == CRASH_TWO_NEWCOMERS + state % 3)
			cell(who, state, 0);
	if (crash_death.operation->role != CRASH_STARTING) /* an agent that starts sets the clock */
		cell_of_an_end_that_was_told(state);
	if (crash_death.repairer == CRASH_ARRIVALS && crash_death.operation->again != NULL)
		cells_of_a_family(state);
}
