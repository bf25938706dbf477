/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 85_bit_flips.c: every single bit of a small arena's metadata, flipped one at a time.
 *
 * After each flip: check, attach, list, read every cart, add to an existing cart and to a missing
 * one, bury the dead, expire, reclaim, scavenge; detach. No call may crash, hang or run on for
 * ever; any answer is allowed. The test prints how many flips the check found, and how many had no
 * effect that it could see (a hint, a counter, a time, a lock of a live thread).
 *
 * Every single bit of a cart's version is flipped as well, under a handle that stays attached: the
 * calls that verify their answers must report it, and none may treat the cart as absent.
 *
 * CORRAL_FLIPS=all flips every bit; otherwise one in SAMPLE, beginning at a random one
 * (CORRAL_SEED).
 */
#include <unistd.h>

#include "api/handle.h"
#include "arena_image.h"
#include "memory/class.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/expire.h"
#include "store/repair.h"
#include "support.h"

#define SAMPLE 64u
#define HANGS_S 60 /* a flip that takes longer counts as a hang, and its process is killed */

static struct arena_image image;

static struct {
	uint32_t flips;
	uint32_t refused; /* at attach, with the reason */
	uint32_t found;   /* by the check */
	uint32_t harmless;
	uint32_t damaged; /* answers that were -EUCLEAN */
} counts;

static uint32_t step;
static uint64_t random_state;

/* -------------------------------------------------------------- after a flip */

static void ignore_finding(void *context, const char *line)
{
	(void)context;
	(void)line;
}

static uint64_t check_faults(void)
{
	char why[ARENA_WHY_BYTES] = "";
	struct inspect_totals totals;
	struct inspect *inspect;
	uint64_t faults;
	bool quiet;

	int r = inspect_open(image.directory, true, &inspect, why, sizeof(why));
	assert_true(r == 0 || r == -EPROTONOSUPPORT);
	if (r < 0)
		return 1;
	assert_int_equal(inspect_check(inspect, ignore_finding, NULL, &faults, &quiet, &totals), 0);
	inspect_close(inspect);
	return faults;
}

static int add_to(struct corral *corral, uint32_t number)
{
	struct corral_key key = arena_image_key(number);
	struct corral_item item = { .menu_item_id = { "flip", 4 },
				    .unit_price_cents = 100,
				    .quantity = 1 };
	int r = corral_add(corral, &key, &item, NULL, NULL);

	assert_true(r <= 0 && r > -4096);
	counts.damaged += r == -EUCLEAN;
	return r;
}

static int read_one(struct corral *corral, uint32_t number)
{
	struct corral_key key = arena_image_key(number);
	struct corral_cart *cart;
	int r = corral_get(corral, &key, &cart);

	assert_true(r == 0 || r == -ENOENT || r == -EUCLEAN);
	counts.damaged += r == -EUCLEAN;
	if (r == 0)
		corral_cart_free(cart);
	return r;
}

static void list_all(struct corral *corral)
{
	struct corral_entry rows[4];
	struct corral_list *list;
	size_t count = 1;
	uint32_t listed = 0;
	int r = corral_list_open(corral, NULL, &list);

	assert_int_equal(r, 0);
	for (uint32_t round = 0; r == 0 && round <= IMAGE_MAX_CARTS && count > 0; round++) {
		r = corral_list_next(list, rows, COUNT(rows), &count);
		assert_true(r == 0 || r == -EUCLEAN);
		listed += r == 0 ? (uint32_t)count : 0;
	}
	corral_list_close(list);
	if (r < 0)
		return;
	assert_int_equal(count, 0);
	assert_true(listed <= IMAGE_MAX_CARTS);
}

static void look_after(struct corral *corral)
{
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	(void)alive_bury_all(&corral->arena, &corral->share->life, repair_process);
	(void)expire_slots(actor, 0, IMAGE_MAX_CARTS);
	(void)block_reclaim_all(actor);
	(void)block_scavenge(actor);
	(void)block_trim(actor, 0, EXTENT_BYTES);
}

/* NULL: refused */
static struct corral *attach(void)
{
	struct corral *corral = NULL;
	int r = corral_open(image.directory, 0, &corral);

	assert_true(r <= 0 && (r == 0 || corral_why()[0] != '\0'));
	if (r == 0)
		assert_int_equal(corral_set_patience(corral, 0), 0);
	return corral;
}

static void flip(uint8_t *byte, uint32_t bit)
{
	alarm(HANGS_S);
	arena_image_restore(&image);
	*byte ^= (uint8_t)(1u << bit);
	counts.flips++;
}

static void live_with(void)
{
	uint64_t faults = check_faults();
	struct corral *corral = attach();

	counts.found += faults > 0;
	counts.refused += corral == NULL;
	counts.harmless += faults == 0 && corral != NULL;
	if (corral == NULL)
		return;
	list_all(corral);
	for (uint32_t number = 0; number < IMAGE_KEYS; number++)
		(void)read_one(corral, number);
	(void)add_to(corral, 1);
	(void)add_to(corral, IMAGE_LOCKED);
	(void)add_to(corral, IMAGE_CARTS);
	look_after(corral);
	(void)add_to(corral, IMAGE_CARTS + 1);
	corral_close(corral);
	(void)check_faults();
}

/* -------------------------------------------------------------------- where */

/* Flip all bits of a piece, or every step-th. */
static void flip_all(void *piece, size_t size)
{
	for (size_t bit = random_below(&random_state, step); bit < 8 * size; bit += step) {
		flip((uint8_t *)piece + bit / 8, bit % 8);
		live_with();
	}
}

static void begin_piece(void)
{
	memset(&counts, 0, sizeof(counts));
}

static void end_piece(const char *name)
{
	alarm(0);
	print_message("%s: %u flips, one in %u: %u found by check, %u refused at attach, %u "
		      "harmless; %u answers of "
		      "-EUCLEAN\n",
		      name, counts.flips, step, counts.found, counts.refused, counts.harmless,
		      counts.damaged);
	assert_true(counts.flips > 0);
}

static void flips_in_the_header(void **state)
{
	(void)state;
	begin_piece();
	flip_all(image.arena.header, offsetof(struct arena_header, reserved_tail));
	end_piece("header");
	assert_true(counts.refused > 0);
}

static void flips_in_the_records_of_processes_and_threads(void **state)
{
	(void)state;
	begin_piece();
	flip_all(image.arena.processes, 3 * sizeof(struct process_record));
	for (uint32_t number = 0; number < 3; number++)
		flip_all(&image.arena.threads[number], sizeof(struct thread_record));
	end_piece("records");
}

static void flips_in_the_size_classes_and_the_page_table(void **state)
{
	(void)state;
	begin_piece();
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		flip_all(&image.arena.classes[class_no], offsetof(struct size_class, reserved));
	flip_all(image.arena.pages, image.arena.page_count * sizeof(uint32_t));
	end_piece("classes and pages");
	assert_true(counts.found > 0);
}

static void flips_in_buckets_and_slots(void **state)
{
	(void)state;
	begin_piece();
	flip_all(image.arena.dirty, sizeof(uint64_t));
	flip_all(image.arena.chains, (image.arena.bucket_mask + 1) * sizeof(struct chain));
	flip_all(image.arena.buckets, (image.arena.bucket_mask + 1) * sizeof(struct bucket));
	flip_all(image.arena.slots, IMAGE_MAX_CARTS * sizeof(struct slot));
	end_piece("buckets and slots");
	assert_true(counts.found > 0);
}

/* In every block of the existing spans, in use or not. */
static void flips_in_the_headers_of_blocks(void **state)
{
	const struct arena *arena = &image.arena;

	(void)state;
	begin_piece();
	arena_image_restore(&image);
	for (uint32_t page = 0; page < arena->page_count; page++) {
		uint32_t word = arena->pages[page]; /* as in the image: the last flip is undone */
		block_ref ref = arena->space_first + page * (PAGE_BYTES / BLOCK_UNIT);
		if (word == 0)
			continue;
		uint32_t units = class_bytes(PAGE_SPAN_CLASS(word)) / BLOCK_UNIT;
		for (uint32_t i = 0; i < class_span_blocks(PAGE_SPAN_CLASS(word));
		     i++, ref += units)
			if (arena_block(arena, ref)->magic == BLOCK_MAGIC)
				flip_all(arena_block(arena, ref), sizeof(struct block_header));
		arena_image_restore(&image);
	}
	end_piece("headers of blocks");
	assert_true(counts.found > 0);
}

/* Every bit is covered, and no other cart is affected. */
static void a_flip_in_a_cart_is_found_and_costs_no_other_cart(void **state)
{
	(void)state;
	begin_piece();
	for (uint32_t cart = 0; cart < IMAGE_CARTS; cart++) {
		const struct image_cart *of = &image.carts[cart];
		for (uint32_t bit = random_below(&random_state, 4 * step); bit < 8 * of->size;
		     bit += 4 * step) {
			flip(of->bytes + bit / 8, bit % 8);
			assert_true(check_faults() > 0);
			counts.found++;
			struct corral *corral = attach();
			assert_non_null(corral);
			for (uint32_t other = 0; other < IMAGE_CARTS; other++) {
				bool special = other == IMAGE_OVER ||
					       other == 5; /* expired; checked out */
				int r = read_one(corral, other);
				if (other == cart)
					continue;
				assert_int_equal(r, other == IMAGE_OVER ? -ENOENT : 0);
				r = special ? 0 : add_to(corral, other);
				if (r < 0)
					fail_msg("cart %u, bit %u: adding to cart %u: %s", cart,
						 bit, other, corral_strerror(r));
			}
			list_all(corral);
			corral_close(corral);
		}
	}
	end_piece("carts");
	assert_int_equal(counts.found, counts.flips);
}

/* ------------------------------------------- answers about a version with a flipped bit */

#define NOT_ITS_VERSION 999999u

struct flipped {
	struct corral *corral;
	struct corral_key key;
	const struct image_cart *cart;
	struct corral_entry row; /* as a list shows the sound cart */
	uint32_t bit;
};

/* Find this cart's row in a list; false when there is none. */
static bool find_row(const struct flipped *f, struct corral_entry *ret_row)
{
	struct corral_entry rows[IMAGE_MAX_CARTS];
	size_t count = 0;

	assert_int_equal(support_list(f->corral, NULL, rows, COUNT(rows), &count), 0);
	for (size_t i = 0; i < count; i++) {
		if (strlen(rows[i].restaurant_id) != f->key.restaurant_id.size ||
		    memcmp(rows[i].restaurant_id, f->key.restaurant_id.data,
			   f->key.restaurant_id.size) != 0 ||
		    strlen(rows[i].session_id) != f->key.session_id.size ||
		    memcmp(rows[i].session_id, f->key.session_id.data, f->key.session_id.size) != 0)
			continue;
		*ret_row = rows[i];
		return true;
	}
	return false;
}

static void expect(const struct flipped *f, int answer, const char *call)
{
	if (answer != -EUCLEAN)
		fail_msg("bit %u of a version of %u bytes: %s answers %d", f->bit, f->cart->size,
			 call, answer);
}

static void reads_say_that_it_is_damaged(const struct flipped *f)
{
	static uint8_t buffer[CORRAL_CART_MAX];
	struct corral_flat flat = { .numbers = NULL };
	struct corral_view view;
	struct corral_cart *cart;
	struct corral_entry row;
	uint64_t version = 0;
	size_t size;

	expect(f, corral_get(f->corral, &f->key, &cart), "corral_get()");
	expect(f, corral_read_flat(f->corral, &f->key, &flat), "corral_read_flat()");
	int r = corral_read_begin(f->corral, &f->key, &view);
	if (r == 0) {
		r = corral_view_verify(&view);
		assert_int_equal(corral_read_end(&view), 0);
	}
	expect(f, r, "corral_view_verify() of a view");
	r = corral_read_copy(f->corral, &f->key, buffer, sizeof(buffer), &size, &view);
	expect(f, r == 0 ? corral_view_verify(&view) : r, "corral_view_verify() of a copy");
	r = corral_wait(f->corral, &f->key, 0, 0, NULL, &version);
	if (r != 0 || version != f->row.head.version)
		expect(f, r, "corral_wait()");
	if (find_row(f, &row))
		assert_memory_equal(&row.head, &f->row.head, sizeof(row.head));
}

/* True if the bit is in the head, the key or the attributes: every change relies on those. */
static bool in_front(const struct flipped *f)
{
	const struct cart_head *head = (const struct cart_head *)(const void *)f->cart->bytes;
	size_t ids = head->restaurant_size + head->session_size; /* of a sound version */

	return f->bit / 8 < sizeof(*head) + align_up(ids, 8) + align_up(head->attributes_size, 8);
}

static void changes_do_not_make_another_cart(const struct flipped *f, bool front)
{
	struct corral_op op = { .if_version = NOT_ITS_VERSION };

	int r = corral_set_tax(f->corral, &f->key, 82500, &op, NULL);
	if (front || r != -ECANCELED)
		expect(f, r, "a change with if_version");
	if (!front)
		return;
	expect(f, corral_set_tax(f->corral, &f->key, 82500, NULL, NULL), "a change");
	expect(f, corral_drop(f->corral, &f->key, NULL, NULL), "corral_drop()");
}

static void flip_each_bit_of(struct corral *corral, uint32_t number)
{
	struct flipped f = { .corral = corral,
			     .key = arena_image_key(number),
			     .cart = &image.carts[number] };
	uint32_t carts = image.arena.header->carts_live;

	assert_true(find_row(&f, &f.row));
	for (f.bit = 0; f.bit < 8 * f.cart->size; f.bit++) {
		uint8_t *byte = f.cart->bytes + f.bit / 8;
		bool front = in_front(&f);

		*byte ^= (uint8_t)(1u << f.bit % 8);
		counts.flips++;
		reads_say_that_it_is_damaged(&f);
		if (number != IMAGE_LOCKED)
			changes_do_not_make_another_cart(&f, front);
		*byte ^= (uint8_t)(1u << f.bit % 8);
		assert_int_equal(image.arena.header->carts_live, carts);
	}
}

static void no_answer_about_a_version_with_a_flipped_bit_is_wrong(void **state)
{
	(void)state;
	begin_piece();
	alarm(HANGS_S * 10);
	arena_image_restore(&image);
	struct corral *corral = attach();
	assert_non_null(corral);
	for (uint32_t number = 0; number < IMAGE_CARTS; number++)
		if (number != IMAGE_OVER)
			flip_each_bit_of(corral, number);
	corral_close(corral);
	alarm(0);
	print_message("answers: %u flips, each bit of seven versions\n", counts.flips);
}

/* A list of free blocks leads to a live block: it is not reused, and the list is dropped. */
static void a_free_block_that_is_the_live_version_is_refused(void **state)
{
	struct corral_key key = arena_image_key(0);
	struct actor *actor;

	(void)state;
	arena_image_restore(&image);
	struct corral *corral = attach();
	assert_non_null(corral);
	assert_int_equal(handle_actor(corral, &actor), 0);
	block_ref live = image.carts[0].ref;
	actor->record->cache[arena_block(&image.arena, live)->class_no] = live;
	assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, NULL), -EUCLEAN);
	assert_int_equal(image.carts[0].slot->current, live);
	assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, NULL), 0);
	assert_int_not_equal(image.carts[0].slot->current, live);
	corral_close(corral);
}

/* -------------------------------------------------------------------- main */

static int set_up(void **state)
{
	const char *wanted = getenv("CORRAL_FLIPS");

	(void)state;
	arena_image_make(&image);
	random_state = support_seed();
	step = wanted != NULL && strcmp(wanted, "all") == 0 ? 1 : SAMPLE;
	return 0;
}

static void nothing_flipped_is_sound(void **state)
{
	(void)state;
	arena_image_restore(&image);
	assert_int_equal(check_faults(), 0);
	live_with();
	assert_int_equal(check_faults(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_flipped_is_sound),
		cmocka_unit_test(flips_in_the_header),
		cmocka_unit_test(flips_in_the_records_of_processes_and_threads),
		cmocka_unit_test(flips_in_the_size_classes_and_the_page_table),
		cmocka_unit_test(flips_in_buckets_and_slots),
		cmocka_unit_test(flips_in_the_headers_of_blocks),
		cmocka_unit_test(a_flip_in_a_cart_is_found_and_costs_no_other_cart),
		cmocka_unit_test(no_answer_about_a_version_with_a_flipped_bit_is_wrong),
		cmocka_unit_test(a_free_block_that_is_the_live_version_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
