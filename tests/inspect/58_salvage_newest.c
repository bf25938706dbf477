/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_salvage_newest.c: from an arena damaged anywhere, each cart comes back in its last
 * acknowledged version, or is missing and reported. No dropped cart comes back.
 *
 * The carts have been changed many times, so the arena is full of their older versions, all sound:
 * free, cached, retired, and in blocks that other carts used before.
 *
 * CORRAL_SALVAGES=number: this many random flips instead of 600; from 10000 on, also every cut and
 * every page instead of a sample.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "cart/cart.h"
#include "inspect/salvage.h"
#include "store/slot.h"

#define CARTS 12u
#define DROPPED 3u /* the last ones */
#define CHANGES 40u
#define CHANGES_OF_ONE 300u
#define PAGE 4096u
#define FLIPS 600
#define WHOLE 10000
#define CUT_STEP 128u

static struct scene {
	struct yard yard;
	int fd; /* of the arena's file */
	uint8_t *image;
	size_t image_size;
	size_t space_at;
	size_t end; /* end of the nonzero bytes */
	struct corral_key keys[CARTS];
	char sessions[CARTS][16];
	uint64_t versions[CARTS]; /* acknowledged; 0: dropped */
	size_t slot_at[CARTS];
	size_t block_at[CARTS];
} scene;

static struct {
	uint64_t versions[CARTS]; /* as salvaged */
	uint32_t lines;
	uint32_t tries, whole, named; /* of all salvages so far: nothing was lost; something was
					 lost and reported */
} seen;

/* --------------------------------------------------------------------- scene */

static void change(struct corral *corral, uint32_t cart, uint32_t number)
{
	char item[16];

	snprintf(item, sizeof(item), "item %u", number % 9);
	assert_int_equal(orders_add(corral, &scene.keys[cart], item, 100 + number, 1, NULL, NULL),
			 0);
}

static void find_places(const struct corral *corral, uint32_t cart)
{
	const struct arena *arena = &corral->arena;
	uint64_t hash = slot_hash(arena, &scene.keys[cart]);

	for (uint32_t i = 0; i < arena->max_carts; i++) {
		const struct slot *slot = &arena->slots[i];
		if (slot->hash != hash || slot->current == 0)
			continue;
		scene.slot_at[cart] = (size_t)((const uint8_t *)slot - arena->base);
		scene.block_at[cart] = (size_t)slot->current * BLOCK_UNIT;
	}
	assert_true(scene.block_at[cart] != 0);
}

/* Older versions of one cart that was changed often are everywhere. */
static bool one_alone;

static void fill(struct corral *corral)
{
	struct corral_head head;

	for (uint32_t cart = 0; cart < CARTS; cart++) {
		snprintf(scene.sessions[cart], sizeof(scene.sessions[0]), "session %u", cart);
		scene.keys[cart] = orders_key("restaurant", scene.sessions[cart]);
	}
	for (uint32_t number = 0; number < (one_alone ? CHANGES_OF_ONE : CHANGES); number++)
		for (uint32_t cart = 0; cart < (one_alone ? 1 : CARTS); cart++)
			change(corral, cart, one_alone ? 0 : number + cart);
	for (uint32_t cart = CARTS - DROPPED; cart < CARTS && !one_alone; cart++)
		assert_int_equal(corral_drop(corral, &scene.keys[cart], NULL, NULL), 0);
	for (uint32_t cart = 0; cart < (one_alone ? 1 : CARTS - DROPPED); cart++) {
		if (!one_alone)
			change(corral, cart, 1);
		assert_int_equal(orders_head(corral, &scene.keys[cart], &head), 0);
		scene.versions[cart] = head.version;
		find_places(corral, cart);
	}
	scene.space_at = corral->arena.space_at;
}

static int make_scene(void **state)
{
	struct stat st;

	(void)state;
	orders_yard(&scene.yard, 4u << 20, 128, 30 * 60 * 1000);
	struct corral *corral = yard_open(&scene.yard, 0);
	fill(corral);
	corral_close(corral);
	scene.fd = openat(scene.yard.dir_fd, ARENA_FILE, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(scene.fd, &st), 0);
	scene.image_size = (size_t)st.st_size;
	scene.image = malloc(scene.image_size);
	assert_non_null(scene.image);
	assert_int_equal(pread(scene.fd, scene.image, scene.image_size, 0), scene.image_size);
	for (scene.end = scene.image_size; scene.end > 0 && scene.image[scene.end - 1] == 0;)
		scene.end--;
	return 0;
}

static int remove_scene(void **state)
{
	(void)state;
	close(scene.fd);
	free(scene.image);
	yard_remove(&scene.yard);
	memset(&scene, 0, sizeof(scene));
	return 0;
}

static int make_scene_of_one(void **state)
{
	one_alone = true;
	return make_scene(state);
}

static void restore(size_t at, size_t size)
{
	assert_int_equal(pwrite(scene.fd, scene.image + at, size, (off_t)at), size);
}

/* -------------------------------------------------------------------- salvage */

static int take(void *context, const void *cart, size_t size, uint64_t idle_ns)
{
	struct corral_key key;

	(void)context;
	(void)idle_ns;
	assert_int_equal(cart_validate(cart, size), 0);
	assert_int_equal(cart_get_key(cart, size, &key), 0);
	for (uint32_t i = 0; i < CARTS; i++) {
		if (key.session_id.size != scene.keys[i].session_id.size ||
		    memcmp(key.session_id.data, scene.sessions[i], key.session_id.size) != 0)
			continue;
		uint64_t version = ((const struct cart_head *)cart)->version;
		if (version <= seen.versions[i])
			return 1;
		seen.versions[i] = version;
		return 0;
	}
	fail_msg("a cart that never was");
	return 0;
}

static void count_line(void *context, const char *line)
{
	(void)context;
	(void)line;
	seen.lines++;
}

/* named: a missing cart must be reported. */
static void assert_newest_or_told(bool named, const char *damage, size_t at)
{
	struct salvage_totals totals;
	struct salvage *salvage;
	char why[REASON_BYTES];
	uint32_t missing = 0;

	memset(seen.versions, 0, sizeof(seen.versions));
	seen.lines = 0;
	seen.tries++;
	if (salvage_open(scene.yard.dir_fd, &salvage, why) < 0)
		return; /* not even its geometry is known: that is reported, and nothing is salvaged
			 */
	assert_int_equal(salvage_carts(salvage, NULL, take, count_line, NULL, &totals), 0);
	salvage_close(salvage);
	for (uint32_t i = 0; i < CARTS; i++) {
		if (seen.versions[i] != 0 && seen.versions[i] != scene.versions[i])
			fail_msg("%s at %zu: cart %u comes in version %llu, not in %llu", damage,
				 at, i, (unsigned long long)seen.versions[i],
				 (unsigned long long)scene.versions[i]);
		missing += seen.versions[i] == 0 && scene.versions[i] != 0;
	}
	seen.whole += missing == 0;
	seen.named += missing > 0 && totals.damaged > 0;
	if (named && missing > 0 && (totals.damaged == 0 || seen.lines == 0))
		fail_msg("%s at %zu: %u carts are missing, and that is not reported", damage, at,
			 missing);
	assert_int_equal(totals.older, 0);
}

static void say_counts(void)
{
	print_message("%u damages: %u cost nothing, %u were told to cost something\n", seen.tries,
		      seen.whole, seen.named);
	seen.tries = seen.whole = seen.named = 0;
}

static long wanted(void)
{
	const char *text = getenv("CORRAL_SALVAGES");

	return text != NULL ? atol(text) : FLIPS;
}

/* --------------------------------------------------------------------- claims */

static void without_damage_all_carts_come(void **state)
{
	(void)state;
	assert_newest_or_told(true, "nothing", 0);
	assert_int_equal(seen.whole, 1);
	say_counts();
}

static void no_older_cart_comes_from_a_file_cut_anywhere(void **state)
{
	uint64_t random = support_seed();
	uint32_t step = wanted() >= WHOLE || one_alone ? 1 : 16;

	(void)state;
	for (size_t at = scene.space_at + CUT_STEP * random_below(&random, step);
	     at < scene.end + CUT_STEP; at += (size_t)CUT_STEP * step) {
		assert_int_equal(ftruncate(scene.fd, (off_t)at), 0);
		assert_newest_or_told(true, "cut", at);
		assert_int_equal(ftruncate(scene.fd, (off_t)scene.image_size), 0);
		restore(at, scene.end > at ? scene.end - at : 0);
	}
	say_counts();
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void no_older_cart_comes_from_a_page_of_zeroes(void **state)
{
	static const uint8_t zeroes[PAGE];

	(void)state;
	for (size_t at = 0; at < scene.end; at += PAGE) {
		if (is_zero(scene.image + at, PAGE))
			continue;
		assert_int_equal(pwrite(scene.fd, zeroes, PAGE, (off_t)at), PAGE);
		assert_newest_or_told(true, "page", at);
		restore(at, PAGE);
	}
	say_counts();
}

/* Small regions are hit as often as large ones. */
static size_t somewhere(uint64_t *random)
{
	const struct arena_header *h = (const struct arena_header *)(const void *)scene.image;
	uint32_t cart = random_below(random, CARTS - DROPPED);
	const size_t ranges[][2] = {
		{ 0, HEADER_BYTES },
		{ h->threads_at, h->threads_at + 4 * sizeof(struct thread_record) },
		{ h->classes_at, h->dirty_at },
		{ h->chains_at, h->slots_at },
		{ h->pages_at, h->space_at },
		{ h->space_at, scene.end },
		{ h->space_at, scene.end },
		{ scene.slot_at[cart], scene.slot_at[cart] + sizeof(struct slot) },
		{ scene.block_at[cart], scene.block_at[cart] + sizeof(struct block_header) },
		{ scene.block_at[cart], scene.block_at[cart] + 512 },
	};
	uint32_t which = random_below(random, COUNT(ranges));

	return ranges[which][0] +
	       random_below(random, (uint32_t)(ranges[which][1] - ranges[which][0]));
}

static size_t flip(uint64_t *random)
{
	size_t at = somewhere(random);
	uint8_t byte = (uint8_t)(scene.image[at] ^ (1u << random_below(random, 8)));

	assert_int_equal(pwrite(scene.fd, &byte, 1, (off_t)at), 1);
	return at;
}

static void no_older_cart_comes_from_a_flipped_bit(void **state)
{
	uint64_t random = support_seed();

	(void)state;
	for (long i = wanted(); i > 0; i--) {
		size_t at = flip(&random);
		assert_newest_or_told(true, "flip", at);
		restore(at, 1);
	}
	say_counts();
}

/* If both witnesses of a cart are gone its loss goes unnoticed; but no older version comes back. */
static void no_older_cart_comes_from_two_damages(void **state)
{
	uint64_t random = support_seed();
	uint8_t noise[2 * PAGE];

	(void)state;
	for (long i = wanted() / 2; i > 0; i--) {
		size_t from = somewhere(&random);
		size_t size = 1 + random_below(&random, sizeof(noise));
		if (from < HEADER_BYTES)
			from = scene.space_at;
		for (size_t k = 0; k < size; k++)
			noise[k] = i % 2 == 0 ? 0 : (uint8_t)random_next(&random);
		assert_int_equal(pwrite(scene.fd, noise, size, (off_t)from), size);
		size_t at = flip(&random);
		assert_newest_or_told(false, "a flip and more", at);
		restore(from, size);
		restore(at, 1);
	}
	say_counts();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_damage_all_carts_come),
		cmocka_unit_test(no_older_cart_comes_from_a_file_cut_anywhere),
		cmocka_unit_test(no_older_cart_comes_from_a_page_of_zeroes),
		cmocka_unit_test(no_older_cart_comes_from_a_flipped_bit),
		cmocka_unit_test(no_older_cart_comes_from_two_damages),
	};

	const struct CMUnitTest of_one[] = {
		cmocka_unit_test(without_damage_all_carts_come),
		cmocka_unit_test(no_older_cart_comes_from_a_file_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, make_scene, remove_scene) +
	       cmocka_run_group_tests(of_one, make_scene_of_one, remove_scene);
}
