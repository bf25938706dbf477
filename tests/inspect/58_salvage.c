/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_salvage.c: from an arena damaged anywhere, every undamaged cart comes whole into a new arena,
 * with exactly the acknowledged bytes.
 *
 * CORRAL_SALVAGES=number: this many random damages instead of 300.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/change.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "inspect/salvage.h"
#include "store/slot.h"

#define CARTS 40u
#define DROPPED 8u /* dropped ones among CARTS */
#define DAMAGE_MAX 64u

struct scene {
	struct yard yard;
	uint8_t *image;
	size_t image_size;
	struct original {
		struct corral_key key;
		char session[16];
		uint8_t bytes[4096];
		size_t size;
		size_t slot_at; /* offset in the file */
		size_t block_at;
		bool dropped;
	} carts[CARTS];
};

static void remember(struct scene *scene, struct corral *corral, uint32_t number)
{
	struct original *cart = &scene->carts[number];
	struct corral_view view;

	assert_int_equal(corral_read_begin(corral, &cart->key, &view), 0);
	assert_true(view.size <= sizeof(cart->bytes));
	memcpy(cart->bytes, view.bytes, view.size);
	cart->size = view.size;
	cart->block_at = (size_t)((const uint8_t *)view.bytes - corral->arena.base) -
			 sizeof(struct block_header);
	assert_int_equal(corral_read_end(&view), 0);
	for (uint32_t i = 0; i < corral->arena.max_carts; i++)
		if (corral->arena.slots[i].current == cart->block_at / BLOCK_UNIT)
			cart->slot_at =
				(size_t)((uint8_t *)&corral->arena.slots[i] - corral->arena.base);
}

static void fill(struct scene *scene, struct corral *corral)
{
	char item[16];

	for (uint32_t i = 0; i < CARTS; i++) {
		struct original *cart = &scene->carts[i];
		snprintf(cart->session, sizeof(cart->session), "session %u", i);
		cart->key = orders_key("restaurant", cart->session);
		for (uint32_t line = 0; line <= i % 7; line++) {
			snprintf(item, sizeof(item), "item %u", line);
			assert_int_equal(
				orders_add(corral, &cart->key, item, 100 + line, 1 + i, item, NULL),
				0);
		}
		cart->dropped = i % (CARTS / DROPPED) == 1;
		if (cart->dropped)
			assert_int_equal(corral_drop(corral, &cart->key, NULL, NULL), 0);
		if (i % 5 == 0)
			assert_int_equal(corral_checkout(corral, &cart->key, NULL, NULL), 0);
	}
	for (uint32_t i = 0; i < CARTS; i++)
		if (!scene->carts[i].dropped)
			remember(scene, corral, i);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct stat st;

	assert_non_null(scene);
	orders_yard(&scene->yard, 4u << 20, 64, 30 * 60 * 1000);
	struct corral *corral = yard_open(&scene->yard, 0);
	fill(scene, corral);
	corral_close(corral);
	int fd = openat(scene->yard.dir_fd, ARENA_FILE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	scene->image_size = (size_t)st.st_size;
	scene->image = malloc(scene->image_size);
	assert_non_null(scene->image);
	assert_int_equal(pread(fd, scene->image, scene->image_size, 0), scene->image_size);
	close(fd);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	yard_remove(&scene->yard);
	free(scene->image);
	free(scene);
	return 0;
}

static void write_image(const struct scene *scene, const uint8_t *image, size_t size)
{
	int fd = openat(scene->yard.dir_fd, ARENA_FILE, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, image, size, 0), size);
	close(fd);
}

/* ---------------------------------------------------------------- salvaging */

struct bring {
	struct corral *corral; /* of the new arena */
	uint32_t findings;
};

static int put(void *context, const void *cart, size_t size, uint64_t idle_ns)
{
	struct bring *bring = context;

	return change_put(bring->corral, cart, size, idle_ns);
}

static void count_finding(void *context, const char *line)
{
	struct bring *bring = context;

	(void)line;
	bring->findings++;
}

/* Salvage into a new arena. False: the geometry cannot be determined. */
static bool bring_over(const struct scene *scene, struct yard *ret_new,
		       struct salvage_totals *ret_totals)
{
	struct arena_settings settings;
	struct salvage *salvage;
	struct bring bring = { 0 };
	char why[REASON_BYTES];

	if (salvage_open(scene->yard.dir_fd, &salvage, why) < 0)
		return false;
	salvage_settings(salvage, &settings);
	yard_make(ret_new, &settings);
	bring.corral = yard_open(ret_new, 0);
	assert_int_equal(salvage_carts(salvage, NULL, put, count_finding, &bring, ret_totals), 0);
	salvage_floors(salvage, &bring.corral->arena);
	assert_int_equal(bring.findings, ret_totals->damaged + ret_totals->again);
	corral_close(bring.corral);
	salvage_close(salvage);
	return true;
}

static bool overlaps(size_t at, size_t size, size_t other_at, size_t other_size)
{
	return at < other_at + other_size && other_at < at + size;
}

/*
 * Assert that every cart outside the damage is unchanged, and that no damaged cart came back
 * altered.
 */
static void assert_sound_carts(const struct scene *scene, const struct yard *yard, size_t at,
			       size_t size)
{
	struct corral *corral = yard_open(yard, CORRAL_OBSERVE);

	for (uint32_t i = 0; i < CARTS; i++) {
		const struct original *cart = &scene->carts[i];
		struct corral_view view;
		uint8_t bytes[4096];
		size_t read_size;
		int r = corral_read_copy(corral, &cart->key, bytes, sizeof(bytes), &read_size,
					 &view);
		bool hit = overlaps(at, size, cart->slot_at, sizeof(struct slot)) ||
			   overlaps(at, size, cart->block_at,
				    sizeof(struct block_header) + cart->size);
		if (cart->dropped ? r != -ENOENT : r != 0 && !(hit && r == -ENOENT))
			fail_msg("damage at %zu, %zu bytes: cart %u: %s", at, size, i,
				 corral_strerror(r));
		if (r == 0 &&
		    (read_size != cart->size || memcmp(bytes, cart->bytes, read_size) != 0))
			fail_msg("damage at %zu, %zu bytes: cart %u is another", at, size, i);
	}
	corral_close(corral);
	yard_check(yard, NULL);
}

static void all_carts_of_a_sound_arena_come_over(void **state)
{
	struct scene *scene = *state;
	struct salvage_totals totals;
	struct yard yard;

	assert_true(bring_over(scene, &yard, &totals));
	assert_int_equal(totals.kept, CARTS - DROPPED);
	assert_int_equal(totals.damaged + totals.again + totals.ended, 0);
	assert_sound_carts(scene, &yard, 0, 0);
	yard_remove(&yard);
}

/* The new arena continues the old one: operation ids, lines that merge, versions that grow. */
static void the_new_arena_remembers_operations_and_versions(void **state)
{
	struct scene *scene = *state;
	const struct original *cart = &scene->carts[3], *dropped = &scene->carts[1];
	struct corral_result result;
	struct salvage_totals totals;
	struct corral_head head;
	struct yard yard;

	assert_true(bring_over(scene, &yard, &totals));
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(orders_head(corral, &cart->key, &head), 0);
	assert_int_equal(orders_add(corral, &cart->key, "item 0", 100, 4, "item 0", &result), 0);
	assert_int_equal(result.applied, 0); /* the operation had been applied */
	assert_int_equal(orders_add(corral, &cart->key, "item 1", 101, 5, NULL, &result), 0);
	assert_int_equal(result.line, 2); /* merged */
	assert_int_equal(result.version, head.version + 1);
	assert_int_equal(orders_add(corral, &dropped->key, "item", 1, 1, NULL, &result), 0);
	assert_true(result.version > 2); /* beyond the version of the dropped cart */
	corral_close(corral);
	yard_remove(&yard);
}

static void idle_time_goes_on(void **state)
{
	struct scene *scene = *state;
	const struct original *cart = &scene->carts[0];
	struct slot *slot = (struct slot *)(void *)(scene->image + cart->slot_at);
	struct salvage_totals totals;
	struct corral_view view;
	struct yard yard;

	int64_t touched_ns = lease_touched_ns(slot->lease);
	struct cart_head *head = (struct cart_head *)(void *)(scene->image + cart->block_at +
							      sizeof(struct block_header));
	head->updated_ms -=
		20 * 60 * 1000; /* else its last change would contradict the slot's lease */
	head->sum = 0;
	slot->lease = lease_of(touched_ns - 20ll * 60 * 1000000000, 0);
	write_image(scene, scene->image, scene->image_size);
	assert_true(bring_over(scene, &yard, &totals));
	assert_int_equal(totals.damaged, 1); /* the checksum */
	yard_remove(&yard);

	struct original *other = &scene->carts[2];
	slot = (struct slot *)(void *)(scene->image + other->slot_at);
	/* damage: a time before its last change */
	slot->lease = lease_of(touched_ns - 40ll * 60 * 1000000000, 0);
	write_image(scene, scene->image, scene->image_size);
	assert_true(bring_over(scene, &yard, &totals));
	struct corral *corral = yard_open(&yard, CORRAL_OBSERVE);
	assert_int_equal(corral_read_begin(corral, &other->key, &view), 0);
	assert_true(corral_view_expires_ms(&view) - arena_wall_ms() > 29 * 60 * 1000);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(corral);
	yard_remove(&yard);
}

static void a_lost_reference_is_found_again(void **state)
{
	struct scene *scene = *state;
	struct salvage_totals totals;
	struct yard yard;

	for (uint32_t i = 0; i < 4; i++) {
		struct slot *slot =
			(struct slot *)(void *)(scene->image + scene->carts[2 + i * 5].slot_at);
		slot->current = i == 0 ? 7 : i == 1 ? UINT32_MAX : slot->current + i;
	}
	write_image(scene, scene->image, scene->image_size);
	assert_true(bring_over(scene, &yard, &totals));
	assert_int_equal(totals.again, 4);
	assert_int_equal(totals.kept, CARTS - DROPPED);
	assert_sound_carts(scene, &yard, 0, 0);
	yard_remove(&yard);
}

static void a_damaged_header_is_reconstructed(void **state)
{
	struct scene *scene = *state;
	struct salvage_totals totals;
	struct yard yard;

	memset(scene->image, 0xa5, offsetof(struct arena_header, max_carts));
	struct arena_header *h = (struct arena_header *)(void *)scene->image;
	h->hash_seed ^= 1;
	h->slots_at = h->buckets_at = h->bucket_count = 0;
	memset(&h->boot_id, 0, 9 * CACHE_LINE);
	write_image(scene, scene->image, scene->image_size);
	assert_true(bring_over(scene, &yard, &totals));
	assert_int_equal(totals.kept, CARTS - DROPPED);
	yard_remove(&yard);
}

/* The rest of the header implies the right number. */
static void a_wrong_number_of_carts_is_corrected(void **state)
{
	struct scene *scene = *state;
	struct arena_header *h = (struct arena_header *)(void *)scene->image;
	const uint32_t right = h->max_carts;
	const uint32_t wrong[] = { 0,         1,   right - 1, right + 1,  right / 2,
				   2 * right, 255, 4096,      0x10000000, UINT32_MAX };

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct salvage_totals totals;
		struct yard yard;
		h->max_carts = wrong[i];
		write_image(scene, scene->image, scene->image_size);
		assert_true(bring_over(scene, &yard, &totals));
		assert_int_equal(totals.kept, CARTS - DROPPED);
		assert_sound_carts(scene, &yard, 0, 0);
		yard_remove(&yard);
	}
}

static void the_carts_left_in_a_truncated_file_come_over(void **state)
{
	struct scene *scene = *state;
	struct salvage_totals totals;
	struct yard yard;
	size_t end = 0;

	for (uint32_t i = 0; i < CARTS; i++)
		if (!scene->carts[i].dropped && scene->carts[i].block_at + 4096 > end)
			end = scene->carts[i].block_at + 4096;
	write_image(scene, scene->image, end);
	assert_true(bring_over(scene, &yard, &totals));
	assert_int_equal(totals.kept, CARTS - DROPPED);
	yard_remove(&yard);
	write_image(scene, scene->image, scene->carts[CARTS / 2].block_at + 100);
	assert_true(bring_over(scene, &yard, &totals));
	assert_true(totals.kept >= 4 && totals.kept < CARTS - DROPPED);
	yard_remove(&yard);
	write_image(scene, scene->image, 100);
	assert_false(bring_over(scene, &yard, &totals));
}

/* Choose each region in turn, so that small ones are hit as often as large ones. */
static size_t somewhere(const struct scene *scene, uint64_t *random)
{
	const struct arena_header *h = (const struct arena_header *)(const void *)scene->image;
	const struct original *cart = &scene->carts[random_below(random, CARTS)];
	const size_t ranges[][2] = { { 0, HEADER_BYTES },
				     { h->processes_at, h->threads_at },
				     { h->threads_at, h->classes_at },
				     { h->classes_at, h->dirty_at },
				     { h->buckets_at, h->slots_at },
				     { h->slots_at, h->pages_at },
				     { h->pages_at, h->space_at },
				     { h->space_at, h->space_at + 8 * PAGE_BYTES },
				     { cart->slot_at, cart->slot_at + sizeof(struct slot) },
				     { cart->block_at, cart->block_at + 64 + cart->size } };
	uint32_t which = random_below(random, COUNT(ranges));
	if (ranges[which][0] == 0 && which != 0)
		which = 7; /* a dropped cart has no place */
	return ranges[which][0] +
	       random_below(random, (uint32_t)(ranges[which][1] - ranges[which][0]));
}

static void all_undamaged_carts_come_over_after_any_damage(void **state)
{
	struct scene *scene = *state;
	const char *wanted = getenv("CORRAL_SALVAGES");
	uint64_t random = support_seed();
	uint8_t *image = malloc(scene->image_size);
	uint32_t hopeless = 0;

	assert_non_null(image);
	for (long i = wanted != NULL ? atol(wanted) : 300; i > 0; i--) {
		struct salvage_totals totals;
		struct yard yard;
		size_t at = somewhere(scene, &random);
		size_t size =
			random_below(&random, 2) == 0 ? 1 : 1 + random_below(&random, DAMAGE_MAX);
		memcpy(image, scene->image, scene->image_size);
		for (size_t k = 0; k < size; k++)
			image[at + k] =
				(uint8_t)(size == 1 ? image[at] ^ (1u << random_below(&random, 8)) :
						      random_next(&random));
		write_image(scene, image, scene->image_size);
		if (!bring_over(scene, &yard, &totals)) {
			hopeless++;
			/* the header's number of carts: without it there is no geometry */
			assert_true(at < offsetof(struct arena_header, max_carts) + 4 &&
				    at + size > 24);
			continue;
		}
		if (totals.kept > 0 || at >= HEADER_BYTES) /* else the header may have another
							      possible number of carts */
			assert_sound_carts(scene, &yard, at, size);
		yard_remove(&yard);
	}
	print_message("%u headers were hopeless\n", hopeless);
	free(image);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(all_carts_of_a_sound_arena_come_over),
		CASE(the_new_arena_remembers_operations_and_versions),
		CASE(idle_time_goes_on),
		CASE(a_lost_reference_is_found_again),
		CASE(a_damaged_header_is_reconstructed),
		CASE(a_wrong_number_of_carts_is_corrected),
		CASE(the_carts_left_in_a_truncated_file_come_over),
		CASE(all_undamaged_carts_come_over_after_any_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
