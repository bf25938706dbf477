/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block_trim.c: unused disk space goes back to the file system. Space in use stays, even in a
 * damaged arena; returned space can be reserved again; a death at any point costs nothing.
 */
#include "block_kit.h"
#include "crash_kit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "sync/grace.h"
#include "sync/lock.h"

#define LARGE 100000u
#define SPARE_BYTES ((uint64_t)SPAN_PAGES_MAX * PAGE_BYTES) /* kept for closing orders */
#define ALL (UINT64_MAX / 2 / EXTENT_BYTES * EXTENT_BYTES)

static const struct arena_settings roomy = { .arena_bytes = 24u << 20,
					     .max_carts = 64,
					     .ttl_ns = 1800000000000ull };

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	yard_make(&fixture->yard, &roomy);
	assert_int_equal(member_join(&fixture->yard, &fixture->us), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->one), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->two), 0);
	*state = fixture;
	return 0;
}

static uint64_t disk_bytes(const struct arena *arena)
{
	struct stat status;

	must(fstat(arena->fd, &status) == 0);
	return (uint64_t)status.st_blocks * 512;
}

static uint64_t reserved_bytes(const struct arena *arena)
{
	return (uint64_t)arena->header->reserved_pages * PAGE_BYTES;
}

/* Use the whole arena once; `kept` is not given back. */
static void use_up(struct actor *actor, block_ref kept)
{
	static block_ref refs[512];
	uint32_t count = kit_take_all(actor, LARGE, refs, COUNT(refs));

	for (uint32_t i = 0; i < count; i++) {
		kit_fill(actor->arena, refs[i], refs[i]); /* gives no SIGBUS */
		if (refs[i] != kept)
			kit_give(actor, refs[i]);
	}
	block_flush(actor);
	(void)block_scavenge(actor);
}

static void unused_space_is_given_back_and_can_be_reserved_again(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	uint64_t before = disk_bytes(arena), bytes = 0;
	int64_t part;

	for (int round = 0; round < 3; round++, bytes = 0) {
		use_up(&fixture->one, 0);
		uint64_t full = disk_bytes(arena), reserved = reserved_bytes(arena);
		assert_true(full >= before + 8 * EXTENT_BYTES);
		while ((part = block_trim(&fixture->one, 0, 2 * EXTENT_BYTES)) > 0) {
			assert_true(part <= (int64_t)(2 * EXTENT_BYTES));
			bytes += (uint64_t)part;
			assert_int_equal(reserved_bytes(arena), reserved - bytes);
			assert_int_equal((arena->space_at + reserved_bytes(arena)) % EXTENT_BYTES,
					 0);
		}
		assert_true(bytes >= 8 * EXTENT_BYTES);
		assert_true(disk_bytes(arena) <= full - bytes);
		assert_true(disk_bytes(arena) <= before + EXTENT_BYTES);
	}
}

static void too_little_space_to_be_worth_it_stays(void **state)
{
	struct fixture *fixture = *state;
	uint32_t reserved;

	use_up(&fixture->one, 0);
	reserved = fixture->us.arena.header->reserved_pages;
	assert_int_equal(block_trim(&fixture->one, 24u << 20, ALL), 0);
	assert_int_equal(fixture->us.arena.header->reserved_pages, reserved);
	assert_true(block_trim(&fixture->one, 16u << 20, ALL) >= (int64_t)(8 * EXTENT_BYTES));
	assert_int_equal(block_trim(&fixture->one, 0, ALL), 0);
}

static void space_in_use_stays(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	block_ref refs[512];
	uint32_t count = kit_take_all(&fixture->one, LARGE, refs, COUNT(refs));
	block_ref live = 0;

	/*
	 * a block whose end needs one more extent than its first page: the spare pages follow its
	 * end
	 */
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)refs[i] * BLOCK_UNIT;
		uint64_t first = align_up(at + PAGE_BYTES + SPARE_BYTES, EXTENT_BYTES);
		if (live == 0 && align_up(at + LARGE + SPARE_BYTES, EXTENT_BYTES) != first)
			live = refs[i];
	}
	assert_int_not_equal(live, 0);
	for (uint32_t i = 0; i < count; i++)
		if (refs[i] != live)
			kit_give(&fixture->one, refs[i]);
	block_flush(&fixture->one);
	(void)block_scavenge(&fixture->one);
	kit_fill(arena, live, 77);
	uint64_t end = ((uint64_t)live - arena->space_first) * BLOCK_UNIT + LARGE;
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
	assert_true(reserved_bytes(arena) >= end + SPARE_BYTES &&
		    reserved_bytes(arena) < end + SPARE_BYTES + 2 * EXTENT_BYTES);
	assert_int_equal(block_trim(&fixture->one, 0, ALL), 0);
	assert_true(kit_is_filled(arena, live, 77));
	use_up(&fixture->one, 0);
	assert_true(kit_is_filled(arena, live, 77));
	kit_give(&fixture->one, live);
}

/* The page table says the place is empty, a slot says it is not: it must stay for salvage. */
static void a_version_that_the_page_table_does_not_know_stays(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	uint32_t reserved, high = arena->header->slots_used_high;

	use_up(&fixture->one, 0);
	reserved = arena->header->reserved_pages;
	arena->header->slots_used_high = 2;
	arena->slots[1].current = arena->space_first + (reserved - 1) * (PAGE_BYTES / BLOCK_UNIT);
	assert_int_equal(block_trim(&fixture->one, 0, ALL), 0);
	assert_int_equal(arena->header->reserved_pages, reserved);
	arena->slots[1].current = 0;
	arena->header->slots_used_high = high;
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
}

/* A bit of the last span's word has flipped: nothing is given back. */
static void space_missing_from_a_damaged_page_table_stays(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	block_ref live;

	use_up(&fixture->one, 0);
	assert_int_equal(kit_take(&fixture->one, 1000000, &live), 0);
	uint32_t *word = &arena->pages[(live - arena->space_first) / (PAGE_BYTES / BLOCK_UNIT)];
	uint32_t whole = *word;
	assert_int_not_equal(whole, 0);
	for (uint32_t bit = 0; bit < 32; bit++) {
		*word = whole ^ 1u << bit;
		if ((*word & PAGE_DOOMED) == 0) /* (PAGE_DOOMED does not affect the place) */
			assert_int_equal(block_trim(&fixture->one, 0, ALL), 0);
	}
	*word = whole;
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
	kit_give(&fixture->one, live);
}

/* The reader may see any bytes, but on a full disk a hole would give SIGBUS. */
static void space_that_a_revoked_view_may_read_stays(void **state)
{
	struct fixture *fixture = *state;

	use_up(&fixture->one, 0);
	grace_enter(&fixture->two);
	fixture->two.record->revoked = fixture->two.record->reader;
	assert_int_equal(block_trim(&fixture->one, 0, ALL), -EBUSY);
	grace_leave(&fixture->two);
	fixture->two.record->revoked = 0;
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
}

static void a_thread_that_takes_pages_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	lock_word *lock = &fixture->us.arena.header->space_lock;

	use_up(&fixture->one, 0);
	assert_int_equal(lock_take(&fixture->two, lock, LOCK_SPACE), 0);
	assert_int_equal(block_trim(&fixture->one, 0, ALL), -EBUSY);
	lock_drop(&fixture->two, lock, LOCK_SPACE);
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
}

/* As after a power loss that kept the hole and lost the header's page. */
static void a_hole_that_the_header_does_not_know_is_filled(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;

	use_up(&fixture->one, 0);
	uint64_t full = disk_bytes(arena);
	uint32_t reserved = arena->header->reserved_pages;
	assert_true(block_trim(&fixture->one, 0, ALL) > 0);
	arena->header->reserved_pages = reserved;
	assert_true(disk_bytes(arena) < full);
	assert_int_equal(arena_reserve_again(arena), 0);
	assert_true(disk_bytes(arena) >= full);
}

/* ------------------------------------------------------------------ deaths */

static struct crash_stage stage;

static void *prepare_victim(const char *directory)
{
	static struct member us;
	static struct actor one;
	struct yard yard;

	snprintf(yard.path, sizeof(yard.path), "%s", directory);
	yard.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(member_join(&yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	use_up(&one, 0);
	return &one;
}

static void trim_twice(void *actor)
{
	must(block_trim(actor, 0, EXTENT_BYTES) > 0);
	must(block_trim(actor, 0, EXTENT_BYTES) > 0);
}

static void look_at_state(struct crash_stage *unused, uint64_t state, void *context)
{
	struct member new;
	struct actor actor;

	(void)unused;
	(void)state;
	(void)context;
	crash_to_other(&stage);
	yard_check(&stage.other, NULL);
	assert_int_equal(member_join(&stage.other, &new), 0);
	(void)alive_bury_all(&new.arena, &new.life, repair_process);
	yard_check(&stage.other, NULL);
	assert_int_equal(member_actor(&new, &actor), 0);
	use_up(&actor, 0);
	kit_base_line(&actor);
	member_dismiss(&actor);
	member_leave(&new);
	yard_check(&stage.other, NULL);
}

static void death_anywhere_in_giving_back_breaks_no_invariant(void **state)
{
	const struct crash_plan plan = { prepare_victim, trim_twice, NULL };

	(void)state;
	NEEDS_PROCESSES();
	crash_stage_make(&stage, 10u << 20, 64);
	crash_stage_reset(&stage, NULL);
	bool traced = crash_run(&stage, &plan, look_at_state, NULL);
	print_message("%llu instructions, %llu states\n", (unsigned long long)stage.instructions,
		      (unsigned long long)stage.states);
	uint64_t states = stage.states;
	crash_stage_remove(&stage);
	if (!traced)
		skip_because("ptrace(2) is not allowed here");
	assert_true(states >= 4); /* locked, reserved no more, given back, unlocked */
}

#define with_room(test) cmocka_unit_test_setup_teardown(test, set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_room(unused_space_is_given_back_and_can_be_reserved_again),
		with_room(too_little_space_to_be_worth_it_stays),
		with_room(space_in_use_stays),
		with_room(a_version_that_the_page_table_does_not_know_stays),
		with_room(space_missing_from_a_damaged_page_table_stays),
		with_room(space_that_a_revoked_view_may_read_stays),
		with_room(a_thread_that_takes_pages_is_not_waited_for),
		with_room(a_hole_that_the_header_does_not_know_is_filled),
		cmocka_unit_test(death_anywhere_in_giving_back_breaks_no_invariant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
