/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 35_grace_torture.c: readers and updaters at once, after liburcu's rcutorture: an updater
 * publishes elements, increments each one's age with every grace period after its replacement, and
 * poisons it when it is old; no reader may find poison, or an element that has survived a whole
 * grace period (age 2 or more).
 *
 * The same body runs over our grace periods, between processes and between threads, and over those
 * of liburcu (memb), between threads: a torture that liburcu did not pass would be wrong. The last
 * tests omit the waiting and must see the harm, which proves that the torture can fail.
 */
/* without _LGPL_SOURCE: ThreadSanitizer would find races between inline parts and the library */
#include <urcu/urcu-memb.h>

#include "support.h"

#include <sched.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sync/grace.h"

#define ELEMENTS 16
#define AGES 10 /* at this age an element is poisoned and used again */
#define WORDS 6
#define POISON 0xdeadbeefdeadbeefull
#define TORTURE_MS 700
#define UPDATES_MIN 100
#define READERS 3
#define CREW (READERS + 2) /* an updater, and a thread that only drives */

struct element {
	uint64_t words[WORDS]; /* plain, all equal; written and poisoned while no reader is left */
	uint32_t age;          /* 0 current, 1 replaced, then plus one for each grace period */
	uint32_t free;
};

/* The grace periods that are tortured. */
struct grace_kind {
	void (*begin)(void); /* a thread's part */
	void (*end)(void);
	void (*enter)(struct crewman *self); /* a section; may be nested */
	void (*leave)(struct crewman *self);
	void (*wait)(struct crewman *self);  /* until a grace period has passed */
	void (*drive)(struct crewman *self); /* a grace period that nothing waits for, on */
};

struct torture {
	struct element elements[ELEMENTS];
	const struct grace_kind *kind;
	uint32_t current;
	uint32_t stop;
	bool broken; /* updaters do not wait for a grace period */
	bool atomic; /* ThreadSanitizer is to see no race where the words are used at once */
	bool drivers_without; /* drivers have no membarrier; readers have it, and time to drop their
				 fences */
	/* results */
	uint64_t histogram[AGES + 1];
	uint64_t poisoned;
	uint64_t reads;
	uint64_t updates;
	uint64_t drives;
};

static void linger(struct torture *torture, uint64_t *random)
{
	uint32_t dice = random_below(random, torture->broken ? 64 : 1024);

	if (dice < 4)
		support_sleep_us(random_below(random, 200));
	else if (dice < 40)
		sched_yield();
}

/* ---------------------------------------------------- kinds of grace periods */

static void nothing(void)
{
}

static void our_enter(struct crewman *self)
{
	grace_enter(self->actor);
}

static void our_leave(struct crewman *self)
{
	grace_leave(self->actor);
}

static void our_wait(struct crewman *self)
{
	uint64_t cookie = grace_start_poll(self->actor->arena);

	if (random_below(&self->random, 2) == 0)
		must(grace_wait(self->actor, cookie, SUPPORT_WAIT_MS) == 0);
	else /* sleeps between two tries */
		must(wait_until(grace_advance(self->actor, cookie), SUPPORT_WAIT_MS));
}

static void our_drive(struct crewman *self)
{
	(void)grace_advance(self->actor, grace_start_poll(self->actor->arena));
}

static void liburcu_enter(struct crewman *self)
{
	(void)self;
	urcu_memb_read_lock();
}

static void liburcu_leave(struct crewman *self)
{
	(void)self;
	urcu_memb_read_unlock();
}

static void liburcu_wait(struct crewman *self)
{
	(void)self;
	urcu_memb_synchronize_rcu();
}

static const struct grace_kind ours = {
	nothing, nothing, our_enter, our_leave, our_wait, our_drive
};
static const struct grace_kind liburcu = { urcu_memb_register_thread,
					   urcu_memb_unregister_thread,
					   liburcu_enter,
					   liburcu_leave,
					   liburcu_wait,
					   liburcu_wait };

/* ----------------------------------------------------------------- readers */

static bool is_poisoned(const struct torture *torture, const struct element *element)
{
	bool bad = false;

	if (torture->atomic)
		return load_relaxed(&element->words[0]) == POISON;
	for (uint32_t i = 0; i < WORDS; i++)
		bad |= element->words[i] == POISON || element->words[i] != element->words[0];
	return bad;
}

static void read_one(struct crewman *self)
{
	struct torture *torture = self->shared;
	uint32_t depth = 1 + random_below(&self->random, 2);

	for (uint32_t i = 0; i < depth; i++)
		torture->kind->enter(self);
	struct element *element = &torture->elements[load_acquire(&torture->current)];
	bool bad = is_poisoned(torture, element);
	linger(torture, &self->random);
	bad |= is_poisoned(torture, element);
	uint32_t age = load_relaxed(&element->age);
	for (uint32_t i = 0; i < depth; i++)
		torture->kind->leave(self);
	(void)fetch_add_relaxed(&torture->histogram[age <= AGES ? age : AGES], 1u);
	(void)fetch_add_relaxed(&torture->poisoned, (uint64_t)bad);
	(void)fetch_add_relaxed(&torture->reads, 1u);
}

/* ---------------------------------------------------------------- updaters */

static void write_words(struct torture *torture, struct element *element, uint64_t value)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		if (torture->atomic)
			store_relaxed(&element->words[i], value);
		else
			element->words[i] = value;
	}
}

static uint32_t take_free(struct torture *torture)
{
	for (uint32_t i = 0; i < ELEMENTS; i++)
		if (torture->elements[i].free != 0)
			return i;
	return ELEMENTS;
}

static void update_one(struct crewman *self)
{
	struct torture *torture = self->shared;
	uint32_t former = load_relaxed(&torture->current);
	uint32_t next = take_free(torture);

	must(next < ELEMENTS);
	torture->elements[next].free = 0;
	store_relaxed(&torture->elements[next].age, 0u);
	write_words(torture, &torture->elements[next], torture->updates + 1);
	store_release(&torture->current, next);
	store_relaxed(&torture->elements[former].age, 1u);
	if (!torture->broken)
		torture->kind->wait(self);
	for (uint32_t i = 0; i < ELEMENTS; i++) {
		struct element *element = &torture->elements[i];
		if (element->free != 0 || i == next)
			continue;
		store_relaxed(&element->age, load_relaxed(&element->age) + 1);
		if (element->age >= AGES) {
			write_words(torture, element, POISON);
			element->free = 1;
		}
	}
	torture->updates++;
}

/* -------------------------------------------------------------------- crew */

static bool harmed(struct torture *torture)
{
	uint64_t old = load_relaxed(&torture->poisoned);

	for (uint32_t age = 2; age <= AGES; age++)
		old += load_relaxed(&torture->histogram[age]);
	return old != 0;
}

static void play_part(struct crewman *self)
{
	struct torture *torture = self->shared;
	int64_t now = support_now_ms();
	int64_t end = now + (torture->broken ? SUPPORT_WAIT_MS : TORTURE_MS);

	if (torture->drivers_without && self->number <= 1)
		self->actor->can_membarrier = false;
	if (self->number == 0) {
		while (torture->broken ? !harmed(torture) && support_now_ms() < end :
					 support_now_ms() < end || torture->updates < UPDATES_MIN) {
			update_one(self);
			if (torture->drivers_without)
				support_sleep_us(random_below(&self->random, 1000));
		}
		store_release(&torture->stop, 1u);
	}
	while (load_acquire(&torture->stop) == 0) {
		must(support_now_ms() < now + 2 * SUPPORT_WAIT_MS);
		if (self->number == 1) {
			torture->kind->drive(self);
			(void)fetch_add_relaxed(&torture->drives, 1u);
			support_sleep_us(
				random_below(&self->random, torture->drivers_without ? 2000 : 100));
			continue;
		}
		for (uint32_t i = 0; i < 100; i++)
			read_one(self);
	}
}

static void take_part(struct crewman *self)
{
	const struct torture *torture = self->shared;

	torture->kind->begin();
	play_part(self);
	torture->kind->end();
}

enum fences { MEMBARRIER, NO_MEMBARRIER, DRIVERS_WITHOUT, LIBURCU };

static struct torture *run_torture(bool processes, enum fences fences, bool broken)
{
	struct torture *torture = support_shared(sizeof(*torture));
	bool foreign = fences == LIBURCU;
	struct yard yard;

	torture->kind = foreign ? &liburcu : &ours;
	torture->broken = broken;
	/* where they race, as intended, and where ThreadSanitizer does not see what orders them */
	torture->atomic = broken || foreign;
	for (uint32_t i = 1; i < ELEMENTS; i++)
		torture->elements[i].free = 1;
	yard_make(&yard, NULL);
	torture->drivers_without = fences == DRIVERS_WITHOUT;
	support_no_membarrier = fences == NO_MEMBARRIER;
	crew_run(foreign ? NULL : &yard, processes, CREW, take_part, torture);
	support_no_membarrier = false;
	yard_check(&yard, NULL);
	yard_remove(&yard);
	print_message("%llu reads, %llu updates, %llu drives; ages seen:",
		      (unsigned long long)torture->reads, (unsigned long long)torture->updates,
		      (unsigned long long)torture->drives);
	for (uint32_t age = 0; age <= AGES; age++)
		print_message(" %llu", (unsigned long long)torture->histogram[age]);
	print_message("; poisoned: %llu\n", (unsigned long long)torture->poisoned);
	return torture;
}

static void no_reader_finds_an_element_that_survived_a_grace_period(bool processes,
								    enum fences fences)
{
	const struct torture *torture = run_torture(processes, fences, false);

	for (uint32_t age = 2; age <= AGES; age++)
		assert_int_equal(torture->histogram[age], 0);
	assert_int_equal(torture->poisoned, 0);
	assert_true(torture->histogram[0] > 0);
	assert_true(torture->updates >= UPDATES_MIN);
}

static void threads_find_nothing_old_with_membarrier(void **state)
{
	(void)state;
	if (!grace_register())
		skip_because("membarrier(2) is not available here");
	no_reader_finds_an_element_that_survived_a_grace_period(false, MEMBARRIER);
}

static void threads_find_nothing_old_where_none_has_membarrier(void **state)
{
	(void)state;
	no_reader_finds_an_element_that_survived_a_grace_period(false, NO_MEMBARRIER);
}

static void threads_find_nothing_old_where_no_driver_has_membarrier(void **state)
{
	(void)state;
	no_reader_finds_an_element_that_survived_a_grace_period(false, DRIVERS_WITHOUT);
}

static void processes_find_nothing_old_with_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	if (!grace_register())
		skip_because("membarrier(2) is not available here");
	no_reader_finds_an_element_that_survived_a_grace_period(true, MEMBARRIER);
}

static void processes_find_nothing_old_where_no_driver_has_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	no_reader_finds_an_element_that_survived_a_grace_period(true, DRIVERS_WITHOUT);
}

static void processes_find_nothing_old_where_none_has_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	no_reader_finds_an_element_that_survived_a_grace_period(true, NO_MEMBARRIER);
}

static void threads_find_nothing_old_with_liburcu(void **state)
{
	(void)state;
	no_reader_finds_an_element_that_survived_a_grace_period(false, LIBURCU);
}

static void torture_of_liburcu_notices_a_missing_wait(void **state)
{
	(void)state;
	assert_true(harmed(run_torture(false, LIBURCU, true)));
}

static void torture_of_threads_notices_a_missing_wait(void **state)
{
	(void)state;
	assert_true(harmed(run_torture(false, MEMBARRIER, true)));
}

static void torture_of_processes_notices_a_missing_wait(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	assert_true(harmed(run_torture(true, MEMBARRIER, true)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_find_nothing_old_with_membarrier),
		cmocka_unit_test(threads_find_nothing_old_where_none_has_membarrier),
		cmocka_unit_test(threads_find_nothing_old_where_no_driver_has_membarrier),
		cmocka_unit_test(processes_find_nothing_old_with_membarrier),
		cmocka_unit_test(processes_find_nothing_old_where_no_driver_has_membarrier),
		cmocka_unit_test(processes_find_nothing_old_where_none_has_membarrier),
		cmocka_unit_test(threads_find_nothing_old_with_liburcu),
		cmocka_unit_test(torture_of_liburcu_notices_a_missing_wait),
		cmocka_unit_test(torture_of_threads_notices_a_missing_wait),
		cmocka_unit_test(torture_of_processes_notices_a_missing_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
