/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_death.c: workers are killed and stopped at random moments, without an agent.
 *
 * Each worker changes shared carts and records, in memory that outlives it, what it is about to do
 * and what was acknowledged. Every add has its own item, so the carts show at the end that each
 * acknowledged change is there exactly once and each other one at most once. Half of the dead are
 * not replaced at once: a successor that reuses a record would hide its leftovers.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "memory/retire.h"
#include "store/repair.h"
#include "sync/alive.h"

#define SEATS 8u
#define SEATS_FEW 3u
#define CARTS 4u         /* their content is accounted for */
#define WILD_CARTS 2u    /* dropped and made again all the time */
#define ITEMS (1u << 18) /* of one seat */
#define LINES_OF_SEAT 20u
#define KILLS 250u
#define STORM_MS 10000
#define PAUSE_US 30000u
#define STOP_US 20000u
#define QUANTITY_MAX 5u

/* The known state of one item. Quantities are stored plus one; pending 0: no call is under way. */
struct fate {
	uint32_t pending;
	uint32_t acknowledged; /* 0: never */
	uint32_t line;
	uint32_t found; /* filled in at the end */
};

struct seat {
	uint32_t used; /* items that this seat has used so far */
	uint64_t acknowledged;
	uint64_t refused;
	uint64_t random;
	struct fate items[ITEMS];
};

struct storm {
	struct yard yard;
	struct seat seats[SEATS];
};

struct start {
	struct storm *storm;
	uint32_t seat;
};

/* ------------------------------------------------------------------- worker */

static struct corral_key key_of(uint32_t cart)
{
	static const char *const sessions[CARTS + WILD_CARTS] = { "a", "b",      "c",
								  "d", "wild 1", "wild 2" };

	return orders_key("restaurant", sessions[cart]);
}

static uint32_t cart_of(uint32_t seat, uint32_t item)
{
	return (seat + item) % CARTS;
}

/*
 * The arena is full, or a stopped holder kept the lock too long: refused, and nothing has changed.
 */
static bool refused(int r)
{
	return r == -EBUSY || r == -ENOMEM || r == -ENOSPC || r == -ENFILE;
}

static void settle(struct seat *seat, struct fate *fate, int r, uint32_t line)
{
	must(r == 0 || refused(r));
	if (r == 0) {
		fate->line = line;
		__atomic_store_n(&fate->acknowledged, fate->pending, __ATOMIC_RELEASE);
		seat->acknowledged++;
	} else {
		seat->refused++;
	}
	__atomic_store_n(&fate->pending, 0, __ATOMIC_RELEASE);
}

static void add_item(struct corral *corral, struct seat *seat, uint32_t number)
{
	struct corral_result result = { 0 };
	uint32_t item = seat->used;
	struct corral_key key = key_of(cart_of(number, item));
	uint32_t quantity = 1 + random_below(&seat->random, QUANTITY_MAX);
	char name[32];

	if (item == ITEMS)
		return;
	snprintf(name, sizeof(name), "%u-%u", number, item);
	__atomic_store_n(&seat->items[item].pending, quantity + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&seat->used, item + 1, __ATOMIC_RELEASE);
	int r = orders_add(corral, &key, name, 100, quantity, name, &result);
	must(r != 0 || result.applied == 1);
	settle(seat, &seat->items[item], r, result.line);
}

/* Change the quantity of one of the seat's last items, or remove it. */
static void change_item(struct corral *corral, struct seat *seat, uint32_t number, uint32_t item,
			uint32_t quantity)
{
	struct fate *fate = &seat->items[item];
	struct corral_key key = key_of(cart_of(number, item));
	struct corral_result result = { .line = fate->line };

	if (fate->pending != 0 || fate->acknowledged <= 1)
		return; /* a predecessor died in its call, or the item is gone */
	__atomic_store_n(&fate->pending, quantity + 1, __ATOMIC_RELEASE);
	int r = corral_set_quantity(corral, &key, fate->line, quantity, NULL, &result);
	settle(seat, fate, r, result.line);
}

static void change_wild(struct corral *corral, struct seat *seat)
{
	struct corral_key key = key_of(CARTS + random_below(&seat->random, WILD_CARTS));
	int r;

	switch (random_below(&seat->random, 4)) {
	case 0:
		r = corral_drop(corral, &key, NULL, NULL);
		break;
	case 1:
		r = corral_clear(corral, &key, NULL, NULL);
		break;
	default:
		r = orders_add(corral, &key, "wild", 100, 1, NULL, NULL);
		break;
	}
	must(r == 0 || r == -ENOENT || r == -ERANGE || refused(r));
}

/* True if the lines add up to the head's totals; otherwise it would be half a change. */
static bool is_whole(const struct corral_view *view)
{
	struct corral_line line;
	struct corral_head head;
	int64_t sum = 0;

	if (corral_view_head(view, &head) != 0)
		return false;
	for (uint32_t i = 0; i < head.line_count; i++) {
		if (corral_view_line(view, i, &line) != 0)
			return false;
		sum += line.total_cents;
	}
	return sum == head.subtotal_cents;
}

static void read_all(struct corral *corral)
{
	for (uint32_t cart = 0; cart < CARTS + WILD_CARTS; cart++) {
		struct corral_key key = key_of(cart);
		struct corral_view view;

		int r = corral_read_begin(corral, &key, &view);
		must(r == 0 || r == -ENOENT);
		if (r != 0)
			continue;
		bool whole = is_whole(&view);
		r = corral_read_end(&view);
		/* a reader stopped inside a view while memory ran out may find it revoked */
		must(r == -ESTALE || (r == 0 && whole));
	}
}

_Noreturn static int work(void *context)
{
	struct start *start = context;
	struct seat *seat = &start->storm->seats[start->seat];
	struct corral *corral = orders_come(&start->storm->yard, NULL);

	for (;;) {
		uint32_t chance = random_below(&seat->random, 10);
		uint32_t recent = seat->used < LINES_OF_SEAT ? seat->used : LINES_OF_SEAT;
		if (chance < 3 && recent == LINES_OF_SEAT) /* remove the oldest item to make room */
			change_item(corral, seat, start->seat, seat->used - LINES_OF_SEAT, 0);
		if (chance < 3)
			add_item(corral, seat, start->seat);
		else if (chance < 8 && recent > 0)
			change_item(corral, seat, start->seat,
				    seat->used - 1 - random_below(&seat->random, recent),
				    random_below(&seat->random, QUANTITY_MAX));
		else if (chance == 8)
			change_wild(corral, seat);
		else
			read_all(corral);
	}
}

/* -------------------------------------------------------------------- storm */

struct crowd {
	struct storm *storm;
	pid_t pids[SEATS]; /* 0: the seat is empty */
	struct start starts[SEATS];
	uint32_t living;
	uint32_t killed;
	uint32_t stopped;
	uint64_t random;
};

static void sit_down(struct crowd *crowd, uint32_t seat)
{
	crowd->starts[seat] = (struct start){ crowd->storm, seat };
	crowd->pids[seat] = child_start(work, &crowd->starts[seat]);
	crowd->living++;
}

static uint32_t random_seat(struct crowd *crowd)
{
	uint32_t seat;

	do
		seat = random_below(&crowd->random, SEATS);
	while (crowd->pids[seat] == 0);
	return seat;
}

/* Assert that the worker is still running: a worker that gave up is a failure. */
static void assert_living(struct crowd *crowd, uint32_t seat)
{
	int status;

	assert_int_equal(waitpid(crowd->pids[seat], &status, WNOHANG), 0);
}

static void strike(struct crowd *crowd, uint32_t seat)
{
	assert_living(crowd, seat);
	child_kill(crowd->pids[seat]);
	crowd->pids[seat] = 0;
	crowd->living--;
	crowd->killed++;
}

static void stop_and_go_on(struct crowd *crowd, struct corral *observer)
{
	uint32_t seat = random_seat(crowd);

	child_stop(crowd->pids[seat]);
	for (int i = 0; i < 20; i++)
		read_all(observer); /* must succeed, regardless of the stopped worker's locks */
	support_sleep_us(random_below(&crowd->random, STOP_US));
	kill(crowd->pids[seat], SIGCONT);
	crowd->stopped++;
}

static void fill_seats(struct crowd *crowd)
{
	bool all = crowd->living < SEATS_FEW;

	for (uint32_t seat = 0; seat < SEATS; seat++)
		if (crowd->pids[seat] == 0 && (all || random_below(&crowd->random, 8) == 0))
			sit_down(crowd, seat);
}

static void rage(struct crowd *crowd)
{
	struct corral *observer = yard_open(&crowd->storm->yard, CORRAL_OBSERVE);
	int64_t end = support_now_ms() + STORM_MS;

	for (uint32_t seat = 0; seat < SEATS; seat++)
		sit_down(crowd, seat);
	while (crowd->killed < KILLS && support_now_ms() < end) {
		support_sleep_us(random_below(&crowd->random, PAUSE_US));
		if (random_below(&crowd->random, 6) == 0) {
			stop_and_go_on(crowd, observer);
			continue;
		}
		uint32_t seat = random_seat(crowd);
		strike(crowd, seat);
		if (crowd->living > 1 && random_below(&crowd->random, 5) == 0)
			strike(crowd, random_seat(crowd)); /* two at once */
		if (random_below(&crowd->random, 2) == 0 || crowd->living == 0)
			sit_down(crowd, seat);
		fill_seats(crowd);
	}
	for (uint32_t seat = 0; seat < SEATS; seat++)
		if (crowd->pids[seat] != 0)
			strike(crowd, seat);
	corral_close(observer);
}

/* --------------------------------------------------------------- accounting */

static void count_line(struct storm *storm, uint32_t cart, const struct corral_cart_line *line)
{
	unsigned seat = SEATS, item = ITEMS;
	char name[32] = "";

	assert_true(line->item.menu_item_id.size < sizeof(name));
	memcpy(name, line->item.menu_item_id.data, line->item.menu_item_id.size);
	assert_int_equal(sscanf(name, "%u-%u", &seat, &item), 2);
	assert_true(seat < SEATS && item < ITEMS);
	assert_int_equal(cart_of(seat, item), cart);
	assert_int_equal(storm->seats[seat].items[item].found, 0); /* each item at most once */
	storm->seats[seat].items[item].found = line->item.quantity;
}

static void collect(struct storm *storm, struct corral *corral)
{
	for (uint32_t cart = 0; cart < CARTS; cart++) {
		struct corral_key key = key_of(cart);
		struct corral_cart *found;

		assert_int_equal(corral_get(corral, &key, &found), 0);
		for (uint32_t i = 0; i < found->line_count; i++)
			count_line(storm, cart, &found->lines[i]);
		corral_cart_free(found);
	}
}

static void assert_nothing_lost_nothing_twice(struct storm *storm)
{
	uint64_t acknowledged = 0, refusals = 0, pending = 0;

	for (uint32_t number = 0; number < SEATS; number++) {
		struct seat *seat = &storm->seats[number];
		for (uint32_t item = 0; item < seat->used; item++) {
			const struct fate *fate = &seat->items[item];
			uint32_t known = fate->acknowledged > 0 ? fate->acknowledged - 1 : 0;
			pending += fate->pending != 0;
			if (fate->found != known &&
			    (fate->pending == 0 || fate->found != fate->pending - 1))
				fail_msg("item %u-%u: found %u, acknowledged %u, pending %u",
					 number, item, fate->found, known, fate->pending);
		}
		acknowledged += seat->acknowledged;
		refusals += seat->refused;
	}
	print_message("%llu changes acknowledged, %llu refused, %llu under way at a death\n",
		      (unsigned long long)acknowledged, (unsigned long long)refusals,
		      (unsigned long long)pending);
	assert_true(acknowledged > KILLS);
}

static void assert_all_locks_are_free(struct corral *corral)
{
	for (uint32_t cart = 0; cart < CARTS + WILD_CARTS; cart++) {
		struct corral_key key = key_of(cart);
		assert_int_equal(orders_add(corral, &key, "last", 1, 1, NULL, NULL), 0);
		assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
	}
}

/* Reclaim, as a worker does when the arena is full. */
static void reclaim(struct corral *corral)
{
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	(void)alive_bury_all(&corral->arena, &corral->share->life, repair_process);
	for (int round = 0; round < 3; round++)
		block_reclaim_all(actor);
}

static void no_death_loses_or_doubles_an_acknowledged_change(void **state)
{
	struct storm *storm = support_shared(sizeof(*storm));
	struct crowd crowd = { .storm = storm, .random = support_seed() };
	struct inspect_totals totals;

	(void)state;
	NEEDS_PROCESSES();
	orders_yard(&storm->yard, 64u << 20, 1000, 30 * 60 * 1000);
	for (uint32_t seat = 0; seat < SEATS; seat++)
		storm->seats[seat].random = random_next(&crowd.random);
	rage(&crowd);
	print_message("%u killed, %u stopped for a while\n", crowd.killed, crowd.stopped);

	struct corral *corral = yard_open(&storm->yard, 0);
	collect(storm, corral);
	assert_nothing_lost_nothing_twice(storm);
	assert_all_locks_are_free(corral);
	reclaim(corral);
	corral_close(corral);
	yard_check(&storm->yard, &totals);
	assert_int_equal(totals.live_bytes + totals.cached_bytes + totals.retired_bytes, 0);
	assert_int_equal(totals.locks_held, 0);
	assert_int_equal(totals.slots_used, 0);
	assert_int_equal(totals.processes + totals.processes_dead, 0);
	yard_remove(&storm->yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_death_loses_or_doubles_an_acknowledged_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
