/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 10_layout.c: the structures in layout.h have the shapes that its drawing and comments state. The
 * static_asserts in layout.h hold already, or this file would not compile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena/arena.h"
#include "arena/lease.h"
#include "base/base.h"
#include "corral.h"

struct claim {
	const char *what;
	size_t is;
	size_t should_be;
};

#define SIZE(type, bytes)                                                                          \
	{                                                                                          \
		"sizeof " #type, sizeof(struct type), (bytes)                                      \
	}
#define AT(type, member, at)                                                                       \
	{                                                                                          \
#type "." #member, offsetof(struct type, member), (at)                             \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check(const struct claim *claims, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (claims[i].is != claims[i].should_be)
			fail_msg("%s is %zu, not %zu", claims[i].what, claims[i].is,
				 claims[i].should_be);
	}
}

static void sizes_are_those_of_the_drawing(void **state)
{
	(void)state;
	const struct claim claims[] = {
		SIZE(arena_header, 8192), SIZE(process_record, 128),
		SIZE(size_class, 64),     SIZE(bucket, 24),
		SIZE(chain, 8),           SIZE(slot, 64),
		SIZE(intent, 64),         SIZE(retired, 64),
		SIZE(block_header, 16),   SIZE(cart_head, 144),
		SIZE(cart_line, 56),      SIZE(cart_op, 56),
	};

	check(claims, COUNT(claims));
	assert_int_equal(sizeof(struct thread_record) % CACHE_LINE, 0);
	assert_int_equal(sizeof(block_ref), 4);
	assert_int_equal(sizeof(slot_link), 4);
	assert_int_equal(sizeof(lock_word), 4);
}

static void groups_of_the_header_begin_their_cache_lines(void **state)
{
	(void)state;
	const struct claim claims[] = {
		AT(arena_header, magic, 0),
		AT(arena_header, layout_version, 8),
		AT(arena_header, byte_order, 12),
		AT(arena_header, fingerprint, 16),
		AT(arena_header, max_carts, 1 * CACHE_LINE),
		AT(arena_header, boot_id, 3 * CACHE_LINE),
		AT(arena_header, gp_phase, 4 * CACHE_LINE),
		AT(arena_header, gp_completed, 5 * CACHE_LINE),
		AT(arena_header, space_lock, 6 * CACHE_LINE),
		AT(arena_header, slots_lock, 7 * CACHE_LINE),
		AT(arena_header, births, 8 * CACHE_LINE),
	};

	check(claims, COUNT(claims));
}

/*
 * A reader copies gp_phase on every read, so no frequently written word may share its cache line.
 */
static void readers_words_share_no_line_with_writers(void **state)
{
	(void)state;
	assert_true(offsetof(struct arena_header, gp_completed) -
			    offsetof(struct arena_header, gp_phase) >=
		    CACHE_LINE);
	assert_int_equal(offsetof(struct thread_record, reader), 0);
	assert_int_equal(offsetof(struct thread_record, intent), CACHE_LINE);
	assert_int_equal(offsetof(struct thread_record, retired), 2 * CACHE_LINE);
	assert_int_equal(offsetof(struct thread_record, stalled_phase), 3 * CACHE_LINE);
	assert_int_equal(offsetof(struct thread_record, cache), 4 * CACHE_LINE);
}

/* An aligned word is loaded and stored in one piece; a word that crosses its alignment is not. */
static void shared_words_are_aligned(void **state)
{
	(void)state;
	const size_t words8[] = {
		offsetof(struct arena_header, clock_offset_ns),
		offsetof(struct arena_header, ttl_ns),
		offsetof(struct arena_header, heartbeat_ns),
		offsetof(struct arena_header, gp_phase),
		offsetof(struct arena_header, gp_completed),
		offsetof(struct arena_header, gp_fenced),
		offsetof(struct thread_record, reader),
		offsetof(struct thread_record, light_phase),
		offsetof(struct thread_record, stalled_phase),
		offsetof(struct thread_record, stat),
		offsetof(struct retired, cookie),
		offsetof(struct bucket, version_floor),
		offsetof(struct slot, hash),
		offsetof(struct slot, lease),
		offsetof(struct cart_head, version),
		offsetof(struct cart_line, unit_price_cents),
	};
	const size_t words4[] = {
		offsetof(struct arena_header, slots_lock),
		offsetof(struct arena_header, space_lock),
		offsetof(struct arena_header, births),
		offsetof(struct thread_record, owner),
		offsetof(struct slot, lock),
		offsetof(struct slot, change),
		offsetof(struct slot, current),
		offsetof(struct bucket, lock),
		offsetof(struct chain, head),
		offsetof(struct chain, hint),
		offsetof(struct size_class, lock),
		offsetof(struct retired, lock),
	};

	for (size_t i = 0; i < COUNT(words8); i++)
		assert_int_equal(words8[i] % 8, 0);
	for (size_t i = 0; i < COUNT(words4); i++)
		assert_int_equal(words4[i] % 4, 0);
}

static void magic_reads_as_text_and_shows_mangled_line_ends(void **state)
{
	(void)state;
	const uint64_t magic = LAYOUT_MAGIC;

	assert_memory_equal(&magic, "CORAL\r\x1a\n", 8);
}

static void lock_word_has_room_for_every_thread(void **state)
{
	(void)state;
	assert_int_equal(LOCK_WAITERS & LOCK_HOLDER, 0);
	assert_true(MAX_THREADS + 1 <= LOCK_HOLDER);
	assert_true(MAX_PROCESSES <= MAX_THREADS);
}

static void page_word_gives_back_what_it_was_made_of(void **state)
{
	(void)state;
	for (uint32_t class_no = 0; class_no < MAX_CLASSES; class_no++) {
		for (uint32_t pages = 1; pages <= 0xffff; pages += 97) {
			const uint32_t word = PAGE_WORD(class_no, pages);

			assert_int_not_equal(word, 0);
			assert_int_equal(PAGE_SPAN_CLASS(word), class_no);
			assert_int_equal(PAGE_SPAN_PAGES(word), pages);
		}
	}
}

static void block_reference_reaches_the_end_of_the_largest_arena(void **state)
{
	(void)state;
	assert_true(ARENA_BYTES_MAX / BLOCK_UNIT <= UINT32_MAX);
	assert_true(ARENA_CARTS_MAX < UINT32_MAX);
	assert_int_equal(PAGE_BYTES % BLOCK_UNIT, 0);
	assert_int_equal(HEADER_BYTES % CACHE_LINE, 0);
}

static void largest_block_holds_the_largest_cart(void **state)
{
	(void)state;
	assert_true(CLASS_LARGEST >= CORRAL_CART_MAX + sizeof(struct block_header));
	assert_int_equal(CLASS_LARGEST % BLOCK_UNIT, 0);
	assert_int_equal(CLASS_SMALLEST % BLOCK_UNIT, 0);
	assert_true(CLASS_SMALLEST >= sizeof(struct block_header) + sizeof(struct cart_head));
}

/* A cart follows its block's header, so 8-aligned parts stay 8-aligned. */
static void parts_of_a_cart_keep_8_byte_alignment(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct block_header) % 8, 0);
	assert_int_equal(sizeof(struct cart_head) % 8, 0);
	assert_int_equal(sizeof(struct cart_op) % 8, 0);
	assert_int_equal(sizeof(struct cart_line) % 8, 0);
}

/* Padding that is never written would make equal carts differ and leak earlier contents. */
static void cart_structs_have_no_padding(void **state)
{
	(void)state;
	const size_t line = 4 + 4 + 8 + 8 + 16 + 8 + 4 + 4;
	const size_t op = 16 + 8 + 8 + 8 + 8 + 4 + 4;
	const size_t head =
		8 + 4 + 2 + 1 + 1 + 8 + 3 * 8 + 4 * 4 + 2 * 8 + 2 * 8 + 2 * 8 + 8 + 5 * 4 + 2 * 2;

	assert_int_equal(sizeof(struct cart_line), line);
	assert_int_equal(sizeof(struct cart_op), op);
	assert_int_equal(sizeof(struct cart_head), head);
}

static void align_up_rounds_to_the_next_multiple(void **state)
{
	(void)state;
	assert_int_equal(align_up(0, 64), 0);
	assert_int_equal(align_up(1, 64), 64);
	assert_int_equal(align_up(64, 64), 64);
	assert_int_equal(align_up(65, 64), 128);
	assert_int_equal(align_up((1ull << 40) + 1, 4096), (1ull << 40) + 4096);
}

static void deadline_is_within_a_64th_and_a_tick(void **state)
{
	(void)state;
	const uint64_t ttls_ns[] = { CORRAL_TTL_MS_MIN * 1000000ull, 1800ull * 1000000000,
				     CORRAL_TTL_MS_MAX * 1000000 };

	for (size_t i = 0; i < COUNT(ttls_ns); i++) {
		const int64_t ttl = (int64_t)ttls_ns[i];
		const int64_t grain = ttl_grain_ns(ttls_ns[i]);
		/* the last activity may be a grain and a tick newer than the stored time */
		const int64_t newest = 1000 + grain + CLOCK_TICK_NS;

		assert_true(deadline_ns(1000, ttls_ns[i]) >= newest + ttl);
		assert_true(deadline_ns(1000, ttls_ns[i]) <= 1000 + ttl + ttl / 64 + CLOCK_TICK_NS);
	}
}

/* A lease lasts at least the time to live, and at most 1/64 of it and a clock tick longer. */
static void a_lease_keeps_its_times(void **state)
{
	(void)state;
	const uint64_t standard = 1800ull * 1000000000;
	const int64_t touches_ns[] = {
		-1800ll * 1000000000, -1, 0, 1, LEASE_UNIT_NS - 1, 1ll << 58
	};
	uint64_t ttl_ms = CORRAL_TTL_MS_MIN;

	for (uint32_t i = 0; ttl_ms <= CORRAL_TTL_MS_MAX; i++, ttl_ms += ttl_ms / 50 + i % 7) {
		int64_t touched = touches_ns[i % COUNT(touches_ns)];
		int64_t ttl = (int64_t)ttl_ms * 1000000;
		uint64_t lease = lease_of(touched, lease_ttl_code((uint64_t)ttl));
		assert_true(lease_runs(lease));
		assert_true(lease_touched_ns(lease) <= touched);
		assert_true(lease_touched_ns(lease) > touched - LEASE_UNIT_NS);
		int64_t deadline = lease_deadline_ns(lease, standard);
		assert_true(deadline >=
			    touched + ttl + ttl_grain_ns((uint64_t)ttl) + CLOCK_TICK_NS);
		assert_true(deadline <= touched + ttl + ttl / 64 + CLOCK_TICK_NS);
		assert_true(lease_touched(lease, touched - LEASE_UNIT_NS) == lease);
		assert_true(lease_touched_ns(lease_touched(lease, touched + LEASE_UNIT_NS)) ==
			    lease_touched_ns(lease) + LEASE_UNIT_NS);
	}
	assert_int_equal(lease_ttl_code(0), 0);
	assert_true(lease_ttl_ns(lease_of(5, 0), standard) == standard);
	assert_true(lease_ttl_code(UINT64_MAX) <= LEASE_TTL_MASK);
	assert_false(lease_runs(LEASE_OVER));
	assert_false(lease_runs(LEASE_ENDED));
	assert_true(lease_runs(lease_of(INT64_MIN, 0)));
	assert_true(lease_of(INT64_MAX, 0) > lease_of(1ll << 58, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_keeps_its_times),
		cmocka_unit_test(sizes_are_those_of_the_drawing),
		cmocka_unit_test(groups_of_the_header_begin_their_cache_lines),
		cmocka_unit_test(readers_words_share_no_line_with_writers),
		cmocka_unit_test(shared_words_are_aligned),
		cmocka_unit_test(magic_reads_as_text_and_shows_mangled_line_ends),
		cmocka_unit_test(lock_word_has_room_for_every_thread),
		cmocka_unit_test(page_word_gives_back_what_it_was_made_of),
		cmocka_unit_test(block_reference_reaches_the_end_of_the_largest_arena),
		cmocka_unit_test(largest_block_holds_the_largest_cart),
		cmocka_unit_test(parts_of_a_cart_keep_8_byte_alignment),
		cmocka_unit_test(cart_structs_have_no_padding),
		cmocka_unit_test(align_up_rounds_to_the_next_multiple),
		cmocka_unit_test(deadline_is_within_a_64th_and_a_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
