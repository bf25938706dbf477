/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 64_stray_writes.c: a faulty member of the group writes anywhere in the arena while an agent and
 * workers run. Carts may be wrong, and calls may fail; but no process crashes, aborts or hangs, and
 * all exit.
 *
 * Words are written while other processes read them: the value that a reader checks must be the
 * value that it uses.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "common/client.h"
#include "inspect/inspect.h"
#include "memory/block.h"
#include "memory/pressure.h"

#define WORKERS 2
#define ROUNDS 3
#define WRITING_MS 400
#define KEYS 24

struct shared {
	struct yard yard;
	char agent[PATH_MAX];
	uint32_t stop;
	uint64_t seed;
	uint64_t calls[WORKERS];
	uint64_t stray_writes;
};

static int become_agent(void *context)
{
	const struct shared *shared = context;

	alarm(0);
	execl(shared->agent, "corral-agent", "--dir", shared->yard.path, "--size", "8M",
	      "--max-carts", "64", "--log-level", "error", (char *)NULL);
	return CHILD_FAILED;
}

/* ------------------------------------------------------------------ workers */

static void read_one(struct corral *corral, const struct corral_key *key)
{
	struct corral_view view;
	struct corral_line line;
	struct corral_item *item;
	struct corral_attribute attribute;
	struct corral_head head;

	if (corral_read_begin(corral, key, &view) < 0)
		return;
	(void)corral_view_head(&view, &head);
	for (uint32_t i = 0; i < 20 && corral_view_line(&view, i, &line) == 0; i++)
		if (corral_view_item(&view, i, &item) == 0)
			corral_item_free(item);
	for (uint32_t i = 0; i < 20 && corral_view_attribute(&view, i, &attribute) == 0; i++)
		;
	(void)corral_read_end(&view);
}

static void read_another_way(struct corral *corral, const struct corral_key *key, uint32_t which)
{
	static uint8_t buffer[65536];
	struct corral_entry entries[8];
	struct corral_view view;
	struct corral_cart *cart;
	uint64_t number = 0;
	size_t size;

	if (which == 0 && corral_get(corral, key, &cart) == 0)
		corral_cart_free(cart);
	if (which == 1)
		(void)corral_read_copy(corral, key, buffer, sizeof(buffer), &size, &view);
	if (which == 2)
		(void)support_list(corral, NULL, entries, COUNT(entries), &size);
	if (which == 3)
		(void)corral_wait(corral, key, 1, 1, NULL, &number);
}

static void change_one(struct corral *corral, const struct corral_key *key, uint64_t *random)
{
	char text[300];
	uint32_t which = random_below(random, 10);
	const struct corral_modifier modifier = { corral_text("extra"), 50 };

	memset(text, 'x', sizeof(text));
	struct corral_item item = { .menu_item_id = { text,
						      1 + random_below(random, sizeof(text) - 1) },
				    .quantity = 1,
				    .modifiers = &modifier,
				    .modifier_count = 1 };
	struct corral_text name = corral_text("name");
	struct corral_text value = { text, random_below(random, sizeof(text)) };
	if (which < 5)
		(void)corral_add(corral, key, &item, NULL, NULL);
	else if (which == 5)
		(void)corral_drop(corral, key, NULL, NULL);
	else if (which == 6)
		(void)corral_remove(corral, key, 1 + random_below(random, 9), NULL, NULL);
	else if (which == 7)
		(void)corral_set_attribute(corral, key, &name, &value, NULL, NULL);
	else if (which == 8)
		(void)corral_checkout(corral, key, NULL, NULL);
	else
		(void)corral_clear(corral, key, NULL, NULL);
}

static int work(struct shared *shared, uint32_t number)
{
	uint64_t random = shared->seed + number + 1;
	struct corral *corral = NULL;
	char session[16];

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		if (corral == NULL &&
		    corral_open(shared->yard.path, CORRAL_CATCH_SIGBUS, &corral) < 0) {
			corral = NULL; /* no free record, or a damaged header: that is a valid
					  answer */
			support_sleep_us(1000);
			continue;
		}
		must(corral_set_patience(corral, 5) == 0);
		snprintf(session, sizeof(session), "s%u", random_below(&random, KEYS));
		const struct corral_key key = { corral_text("r"), corral_text(session) };
		uint32_t which = random_below(&random, 12);
		if (which < 4)
			read_one(corral, &key);
		else if (which < 8)
			read_another_way(corral, &key, which - 4);
		else
			change_one(corral, &key, &random);
		if (random_below(&random, 500) == 0) {
			corral_close(corral);
			corral = NULL;
		}
		__atomic_add_fetch(&shared->calls[number], 1, __ATOMIC_RELAXED);
	}
	corral_close(corral);
	return 0;
}

static int worker_one(void *context)
{
	return work(context, 0);
}

static int worker_two(void *context)
{
	return work(context, 1);
}

/* ------------------------------------------------------------------ stray writes */

/* A number that means something here, an edge value, or a random one. */
static uint64_t any_number(const struct arena *arena, uint64_t *random)
{
	switch (random_below(random, 8)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2: /* two block references in one word */
		return (uint64_t)(arena->space_first +
				  random_below(random, arena->space_end - arena->space_first)) *
		       0x100000001ull;
	case 3:
		return arena->space_end - 1 - random_below(random, 4);
	case 4:
		return 1 + random_below(random, arena->max_carts + 1);
	case 5:
		return 1ull << random_below(random, 64);
	case 6:
		return random_below(random, 300) * 0x100000001ull;
	default:
		return random_next(random);
	}
}

/* Most of the arena is free space: half of the writes go to lists, locks and carts instead. */
static uint64_t anywhere(const struct arena *arena, uint64_t *random)
{
	const uint8_t *const places[] = {
		(const uint8_t *)arena->header,  (const uint8_t *)arena->processes,
		(const uint8_t *)arena->threads, (const uint8_t *)arena->threads,
		(const uint8_t *)arena->classes, (const uint8_t *)arena->chains,
		(const uint8_t *)arena->slots,   (const uint8_t *)arena->pages,
		arena->base + arena->space_at,   arena->base + arena->space_at
	};
	const uint32_t sizes[] = { HEADER_BYTES / 4,
				   512,
				   3 * sizeof(struct thread_record),
				   1024,
				   64 * 32,
				   1024,
				   64 * 64,
				   1024,
				   1u << 16,
				   1u << 18 };

	if (random_below(random, 8) == 0)
		return random_next(random) % arena->bytes;
	uint32_t place = random_below(random, COUNT(places));
	return (uint64_t)(places[place] - arena->base) + random_below(random, sizes[place]);
}

static int write_anywhere(void *context)
{
	struct shared *shared = context;
	uint64_t random = shared->seed;
	struct arena arena;

	must(arena_map(shared->yard.dir_fd, ARENA_ANY_BOOT, &arena, NULL) == 0);
	const uint64_t spared = offsetof(struct arena_header, withdrawn) &
				~7ull; /* otherwise all processes would detach at once */
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		uint64_t at = anywhere(&arena, &random);
		uint64_t number = any_number(&arena, &random);
		uint32_t size = 1u << random_below(&random, 4);
		at = at / size * size;
		if (at / 8 * 8 == spared || at + size > arena.bytes)
			continue;
		memcpy(arena.base + at, &number, size);
		if (++shared->stray_writes % 16 == 0)
			support_sleep_us(random_below(&random, 50));
	}
	arena_unmap(&arena);
	return 0;
}

static bool pings(const char *directory)
{
	json_t *answer = NULL;
	int r = agent_ask(directory, "ping", 1000, &answer);

	json_decref(answer);
	return r == 0;
}

static void live_through(uint64_t seed)
{
	struct shared *shared = support_shared(sizeof(*shared));
	const struct arena_settings settings = { .arena_bytes = 8 << 20,
						 .max_carts = 64,
						 .ttl_ns = 300000000ull };

	memset(shared, 0, sizeof(*shared));
	shared->seed = seed;
	support_program("corral-agent", shared->agent);
	yard_make(&shared->yard, &settings);
	pid_t agent = child_start(become_agent, shared);
	assert_true(wait_until(pings(shared->yard.path),
			       SUPPORT_WAIT_MS)); /* stray writes begin later */
	pid_t workers[WORKERS] = { child_start(worker_one, shared),
				   child_start(worker_two, shared) };
	assert_true(wait_until(shared->calls[0] > 200 && shared->calls[1] > 200, SUPPORT_WAIT_MS));
	pid_t writer = child_start(write_anywhere, shared);
	support_sleep_us(WRITING_MS * 1000);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(child_wait(writer), 0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(child_wait(workers[i]), 0);
	assert_int_equal(kill(agent, SIGTERM), 0);
	assert_int_equal(child_wait(agent), 0);
	print_message("seed %llu: %llu writes, %llu and %llu calls\n", (unsigned long long)seed,
		      (unsigned long long)shared->stray_writes,
		      (unsigned long long)shared->calls[0], (unsigned long long)shared->calls[1]);
	yard_remove(&shared->yard);
}

static void agent_and_workers_survive_stray_writes(void **state)
{
	(void)state;
	const char *rounds = getenv("CORRAL_ROUNDS");
	uint64_t random = support_seed();

	NEEDS_PROCESSES();
	for (long i = rounds != NULL ? atol(rounds) : ROUNDS; i > 0; i--)
		live_through(random_next(&random));
}

/* ------------------------------------------------------------ punched holes */

static void use(struct corral *corral, uint64_t *random)
{
	char session[16];

	for (uint32_t i = 0; i < 500; i++) {
		snprintf(session, sizeof(session), "s%u", random_below(random, KEYS));
		const struct corral_key key = { corral_text("r"), corral_text(session) };
		change_one(corral, &key, random);
		read_one(corral, &key);
		read_another_way(corral, &key, i % 3);
	}
}

static int punch(const struct arena *arena, uint64_t from, uint64_t end)
{
	return fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
			 (off_t)(end - from));
}

/*
 * Any process that may write the file may punch holes in it: zeroes, which are damage like any
 * other.
 */
static void holes_are_damage_and_nothing_worse(void **state)
{
	(void)state;
	uint64_t random = support_seed();
	struct yard yard;
	struct arena arena;
	struct corral *again;

	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(corral_set_patience(corral, 5), 0);
	use(corral, &random);
	assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
	if (punch(&arena, arena.space_at, arena.bytes) < 0)
		skip_because("this file system punches no holes");
	use(corral, &random);
	assert_int_equal(punch(&arena, 0, arena.space_at),
			 0); /* including the header: its geometry is not read again */
	use(corral, &random);
	corral_close(corral);
	arena_unmap(&arena);
	assert_int_equal(corral_open(yard.path, 0, &again), -EPROTO);
	yard_remove(&yard);
}

/*
 * Without the limit `inspect threads` would follow a ring for as many steps as the arena has
 * blocks, for each list of each record.
 */
static void lists_that_lead_into_a_ring_are_no_longer_than_the_space(void **state)
{
	(void)state;
	struct corral_key key = orders_key("r", "s");
	struct inspect_thread row;
	struct inspect *inspect;
	struct yard yard;
	char why[256];
	uint64_t bytes = 0;
	bool used;

	yard_make(&yard, NULL);
	struct corral *corral = orders_come(&yard, NULL);
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	struct arena *arena = &corral->arena;
	uint32_t high = arena->header->threads_high;
	block_ref ring = arena->slots[0].current;
	arena_block(arena, ring)->next = ring;
	arena->header->threads_high = arena->max_threads;
	for (uint32_t number = high; number < arena->max_threads; number++)
		for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
			arena->threads[number].cache[class_no] = ring;
	assert_int_equal(inspect_open(yard.path, false, &inspect, why, sizeof(why)), 0);
	for (uint32_t i = 0; inspect_thread(inspect, i, &used, &row) == 0; i++)
		bytes += used ? row.cached_bytes : 0;
	inspect_close(inspect);
	assert_true(bytes > 0 && bytes <= arena->bytes);
	for (uint32_t number = high; number < arena->max_threads; number++)
		memset(arena->threads[number].cache, 0, sizeof(arena->threads[number].cache));
	arena->header->threads_high = high;
	corral_close(corral);
	yard_remove(&yard);
}

/* ------------------------------------------------------- walks of large arenas */

#define LARGE_BYTES (4ull << 30) /* what is walked for each record or class, takes minutes */

static void make_large(struct yard *yard, struct arena *arena)
{
	const struct arena_settings settings = { .arena_bytes = LARGE_BYTES,
						 .max_carts = 64,
						 .ttl_ns = 300000000000ull };

	yard_make(yard, &settings);
	assert_int_equal(arena_map(yard->dir_fd, 0, arena, NULL), 0);
}

static void pass_over(void *context, const char *line)
{
	(void)context;
	(void)line;
}

static int check_it(void *context)
{
	const struct yard *yard = context;
	struct inspect_totals totals;
	struct inspect *inspect;
	uint64_t faults;
	char why[256];
	bool quiet;

	must(inspect_open(yard->path, false, &inspect, why, sizeof(why)) == 0);
	must(inspect_totals(inspect, &totals) == 0);
	must(totals.free_bytes == totals.span_bytes);
	must(inspect_check(inspect, pass_over, NULL, &faults, &quiet, &totals) == 0);
	inspect_close(inspect);
	return faults > 0 ? 0 : 1; /* none of it is reserved */
}

/* Each of all records says that it was dissolving all spans of the arena. */
static void spans_that_all_dissolve_are_looked_at_once(void **state)
{
	(void)state;
	struct arena arena;
	struct yard yard;

	NEEDS_PROCESSES();
	make_large(&yard, &arena);
	for (uint32_t page = 0; page < arena.page_count; page++)
		arena.pages[page] = PAGE_WORD(0, 1) | PAGE_DOOMED;
	for (uint32_t number = 0; number < arena.max_threads; number++)
		arena.threads[number].intent = (struct intent){ .splice_kind = SPLICE_DISSOLVE };
	arena.header->threads_high = arena.max_threads;
	assert_int_equal(child_wait(child_start(check_it, &yard)), 0);
	arena_unmap(&arena);
	yard_remove(&yard);
}

static int scavenge_it(void *context)
{
	const struct yard *yard = context;
	struct actor *actor;

	struct corral *corral = yard_open(yard, 0);
	must(handle_actor(corral, &actor) == 0);
	(void)block_scavenge(actor);
	corral_close(corral);
	return 0;
}

/* The free blocks of each class lead into the same ring. */
static void free_blocks_in_a_ring_are_looked_at_once(void **state)
{
	(void)state;
	struct corral_key key = orders_key("r", "s");
	struct arena arena;
	struct yard yard;

	NEEDS_PROCESSES();
	make_large(&yard, &arena);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	corral_close(corral);
	block_ref ring = arena.slots[0].current;
	arena_block(&arena, ring)->next = ring;
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		arena.classes[class].head = ring;
	assert_int_equal(child_wait(child_start(scavenge_it, &yard)), 0);
	arena_unmap(&arena);
	yard_remove(&yard);
}

/* A thread that claims a record adds up the blocks that its last owner left in its cache. */
static void a_cache_that_is_a_ring_is_as_large_as_a_cache_may_be(void **state)
{
	(void)state;
	struct corral_key key = orders_key("r", "s");
	struct corral_head head;
	struct arena arena;
	struct yard yard;

	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	corral_close(corral);
	assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
	block_ref ring = arena.slots[0].current;
	arena_block(&arena, ring)->next = ring;
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		arena.threads[0].cache[class] = ring;
	corral = yard_open(&yard, 0);
	assert_int_equal(orders_head(corral, &key, &head), 0);
	uint64_t cached = arena.threads[0].cached_bytes;
	assert_true(cached > 0 && cached <= CACHE_BYTES_MAX + CLASS_LARGEST);
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		arena.threads[0].cache[class] = 0;
	corral_close(corral);
	arena_unmap(&arena);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_that_all_dissolve_are_looked_at_once),
		cmocka_unit_test(free_blocks_in_a_ring_are_looked_at_once),
		cmocka_unit_test(a_cache_that_is_a_ring_is_as_large_as_a_cache_may_be),
		cmocka_unit_test(lists_that_lead_into_a_ring_are_no_longer_than_the_space),
		cmocka_unit_test(agent_and_workers_survive_stray_writes),
		cmocka_unit_test(holes_are_damage_and_nothing_worse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
