/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dataset.c: an arena filled with carts of a known shape. See dataset.h.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cart/cart.h"
#include "dataset.h"
#include "progress.h"

#define ROOM_MIN (1ull << 30) /* beyond the carts: for versions that wait to be freed */
#define RESTAURANTS 100u
#define STEPS_MIN 16384u
#define ZIPF_EXPONENT 0.99
#define ZIPF_SCATTER 2654435761ull

/* ------------------------------------------------------------------- keys */

void dataset_step_at(uint32_t cart, struct dataset_step *ret_step)
{
	char text[DATASET_KEY_BYTES + 1];
	uint64_t state = cart;

	memset(ret_step, 0, sizeof(*ret_step));
	snprintf(text, sizeof(text), "restaurant-%05ucall-%08x-%018llx", cart % RESTAURANTS, cart,
		 (unsigned long long)bench_random(&state));
	static_assert(DATASET_RESTAURANT_BYTES == 11 + 5 && DATASET_SESSION_BYTES == 5 + 8 + 1 + 18,
		      "as printed");
	memcpy(ret_step->key, text, DATASET_KEY_BYTES);
	ret_step->cart = cart;
}

uint32_t dataset_steps(const struct dataset *dataset, uint32_t max)
{
	uint32_t steps = STEPS_MIN;

	while (steps < max && steps < 4 * (uint64_t)dataset->carts)
		steps *= 2;
	return steps;
}

struct dataset_step *dataset_walk(const struct dataset *dataset, uint32_t count, uint64_t seed)
{
	struct dataset_step *steps = aligned_alloc(CACHE_LINE, (size_t)count * sizeof(*steps));

	for (uint32_t i = 0; steps != NULL && i < count; i++)
		dataset_step_at(bench_random_below(&seed, dataset->carts), &steps[i]);
	return steps;
}

/* The first rank at which the cumulative share of all visits reaches `wanted`. */
static uint32_t rank_of(const double *sums, uint32_t count, double wanted)
{
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (sums[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct dataset_step *dataset_walk_zipf(const struct dataset *dataset, uint32_t count, uint64_t seed)
{
	struct dataset_step *steps = aligned_alloc(CACHE_LINE, (size_t)count * sizeof(*steps));
	double *sums = malloc(dataset->carts * sizeof(*sums)), sum = 0;

	for (uint32_t i = 0; sums != NULL && i < dataset->carts; i++)
		sums[i] = sum += pow((double)i + 1, -ZIPF_EXPONENT);
	for (uint32_t i = 0; steps != NULL && sums != NULL && i < count; i++) {
		double wanted = sum * (double)(bench_random(&seed) >> 11) / (double)(1ull << 53);
		/*
		 * The factor is a prime greater than any number of carts, so carts of neighbouring
		 * ranks are not neighbours in the arena.
		 */
		dataset_step_at((uint32_t)(rank_of(sums, dataset->carts, wanted) * ZIPF_SCATTER %
					   dataset->carts),
				&steps[i]);
	}
	if (sums == NULL) {
		free(steps);
		steps = NULL;
	}
	free(sums);
	return steps;
}

struct dataset_step *dataset_shuffled(const struct dataset *dataset, uint64_t seed)
{
	struct dataset_step *steps =
		aligned_alloc(CACHE_LINE, (size_t)dataset->carts * sizeof(*steps));

	for (uint32_t i = 0; steps != NULL && i < dataset->carts; i++) {
		uint32_t other = bench_random_below(&seed, i + 1);

		steps[i] = steps[other];
		dataset_step_at(i, &steps[other]);
	}
	return steps;
}

/* ------------------------------------------------------------------ carts */

void dataset_item_at(uint32_t line, struct dataset_item *ret_item)
{
	memset(ret_item, 0, sizeof(*ret_item));
	snprintf(ret_item->id, sizeof(ret_item->id), "item-%04u", line);
	snprintf(ret_item->name, sizeof(ret_item->name), "House dish %04u", line);
	snprintf(ret_item->modifier_name, sizeof(ret_item->modifier_name), "extra cheese");
	ret_item->modifier = (struct corral_modifier){ corral_text(ret_item->modifier_name), 75 };
	ret_item->item = (struct corral_item){ .menu_item_id = corral_text(ret_item->id),
					       .name = corral_text(ret_item->name),
					       .unit_price_cents = 199 + 25 * (int64_t)line,
					       .quantity = 1 + line % 3,
					       .modifier_count = line % 2,
					       .modifiers = &ret_item->modifier };
}

/*
 * A cart of `lines` lines, the last one with `padding` bytes of notes. It is one malloc() block,
 * which the caller frees.
 */
static struct corral_cart *make_cart(uint32_t lines, uint32_t padding)
{
	size_t lines_bytes = lines * sizeof(struct corral_cart_line),
	       items_bytes = lines * sizeof(struct dataset_item);
	struct corral_cart *cart = calloc(1, sizeof(*cart) + lines_bytes + items_bytes + padding);
	struct dataset_item *items;
	char *notes;

	if (cart == NULL)
		return NULL;
	cart->line_count = lines;
	cart->lines = (struct corral_cart_line *)(cart + 1);
	items = (struct dataset_item *)(cart->lines + lines);
	notes = (char *)(items + lines);
	memset(notes, 'n', padding);
	for (uint32_t i = 0; i < lines; i++) {
		dataset_item_at(i, &items[i]);
		cart->lines[i].item = items[i].item;
	}
	if (padding > 0)
		cart->lines[lines - 1].item.notes = (struct corral_text){ notes, padding };
	return cart;
}

static int put_cart(struct dataset *dataset, uint32_t number, const struct corral_cart *cart)
{
	struct corral_op only_new = { .if_version = 0 };
	struct dataset_step step;
	struct corral_key key;

	dataset_step_at(number, &step);
	key = dataset_key(&step);
	return corral_replace(dataset->corral, &key, cart, &only_new, NULL);
}

/* The bytes that a line takes in a stored cart; 0: it cannot be packed. */
static uint32_t line_bytes(const struct corral_item *item)
{
	char buffer[CORRAL_WORDS_MAX];
	struct cart_words words;

	return cart_pack_item(item, 0, buffer, sizeof(buffer), &words) == 0 ?
		       words.size + sizeof(struct cart_line) :
		       0;
}

/* A cart of `bytes` bytes, or slightly fewer: as many lines as fit, and notes for the rest. */
static struct corral_cart *fit_cart(struct dataset *dataset, uint32_t bytes)
{
	uint32_t used = sizeof(struct cart_head) + DATASET_KEY_BYTES, more, want;
	struct corral_cart *cart;
	struct dataset_item item;

	for (dataset->lines = 0; dataset->lines < CORRAL_LINES_MAX - 1; dataset->lines++) {
		dataset_item_at(dataset->lines, &item);
		more = line_bytes(&item.item);
		if (more == 0 || (dataset->lines > 0 && used + more > bytes))
			break;
		used += more;
	}
	cart = make_cart(dataset->lines, bytes > used ? bytes - used : 0);
	if (cart == NULL || bytes <= used)
		return cart;
	/* notes carry some bytes of overhead: subtract these */
	dataset_item_at(dataset->lines - 1, &item);
	want = line_bytes(&item.item) + bytes - used;
	more = line_bytes(&cart->lines[dataset->lines - 1].item);
	if (more > want)
		cart->lines[dataset->lines - 1].item.notes.size -=
			min_u64(more - want, bytes - used);
	return cart;
}

/* The stored size of the first cart. */
static int size_of_first(struct dataset *dataset, uint32_t *ret_bytes)
{
	struct dataset_step step;
	struct corral_view view;
	struct corral_key key;
	int r;

	dataset_step_at(0, &step);
	key = dataset_key(&step);
	r = corral_read_begin(dataset->corral, &key, &view);
	if (r < 0)
		return r;
	*ret_bytes = ((const struct cart_head *)view.bytes)->size;
	return corral_read_end(&view);
}

static int drop_cart(struct dataset *dataset, uint32_t number)
{
	struct dataset_step step;
	struct corral_key key;

	dataset_step_at(number, &step);
	key = dataset_key(&step);
	return corral_drop(dataset->corral, &key, NULL, NULL);
}

static enum bench_exit fill(struct dataset *dataset, uint32_t bytes)
{
	struct corral_cart *cart = fit_cart(dataset, bytes);
	int r = cart == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < dataset->carts && bench_signal == 0; i++) {
		r = put_cart(dataset, i, cart);
		progress_show(i, dataset->carts, "carts loaded");
	}
	progress_clear();
	free(cart);
	if (r == 0)
		r = size_of_first(dataset, &dataset->cart_bytes);
	if (r < 0 && bench_signal == 0)
		bench_say("cannot fill the arena: %s", corral_strerror(r));
	return r < 0 ? BENCH_NO_ARENA : BENCH_DONE;
}

/* Room for the carts, plus a quarter. */
static uint64_t room_for(uint32_t carts, uint32_t bytes)
{
	uint64_t all = (uint64_t)carts * (bytes + bytes / 8 + 1024);

	return all + all / 4 + ROOM_MIN;
}

static uint32_t slots_for(uint32_t carts)
{
	return carts + carts / 8 + 1024;
}

static enum bench_exit begin(struct dataset *dataset, uint32_t carts, uint32_t bytes)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	memset(dataset, 0, sizeof(*dataset));
	dataset->carts = carts;
	if ((uint64_t)carts * (bytes + bytes / 8 + 1024) * 3 <= memory)
		return BENCH_DONE;
	bench_say("%u carts of %u bytes are too many for this machine's memory", carts, bytes);
	return BENCH_USAGE;
}

/* Attach to the arena of a sandbox that is ready, and fill it. */
static enum bench_exit attach(struct dataset *dataset, uint32_t bytes)
{
	enum bench_exit result;

	if (corral_open(dataset->sandbox.directory, CORRAL_CATCH_SIGBUS, &dataset->corral) < 0) {
		bench_say("%s", corral_why());
		result = BENCH_NO_ARENA;
	} else {
		result = fill(dataset, bytes);
	}
	if (result != BENCH_DONE)
		dataset_close(dataset);
	return result;
}

enum bench_exit dataset_open(struct dataset *dataset, const char *directory, uint32_t carts,
			     uint32_t bytes)
{
	enum bench_exit result = begin(dataset, carts, bytes);

	if (result == BENCH_DONE)
		result = sandbox_open(&dataset->sandbox, directory, room_for(carts, bytes),
				      slots_for(carts), false);
	return result == BENCH_DONE ? attach(dataset, bytes) : result;
}

enum bench_exit dataset_open_on_disk(struct dataset *dataset, const char *parent, uint32_t carts,
				     uint32_t bytes, uint32_t journal_ms)
{
	enum bench_exit result = begin(dataset, carts, bytes);

	if (result == BENCH_DONE)
		result = sandbox_open_on_disk(&dataset->sandbox, parent, room_for(carts, bytes),
					      slots_for(carts), journal_ms);
	return result == BENCH_DONE ? attach(dataset, bytes) : result;
}

int dataset_versions(const struct dataset *dataset, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < dataset->carts; i++) {
		struct dataset_step step;
		struct corral_view view;
		struct corral_key key;
		int r;

		dataset_step_at(i, &step);
		key = dataset_key(&step);
		r = corral_read_begin(dataset->corral, &key, &view);
		if (r == 0) {
			sum += ((const struct cart_head *)view.bytes)->version;
			r = corral_read_end(&view);
		}
		if (r < 0)
			return r;
	}
	*ret_sum = sum;
	return 0;
}

void dataset_close(struct dataset *dataset)
{
	for (uint32_t i = 0;
	     !dataset->sandbox.temporary && dataset->corral != NULL && i < dataset->carts; i++)
		(void)drop_cart(dataset, i); /* those that exist */
	corral_close(dataset->corral);
	dataset->corral = NULL;
	sandbox_close(&dataset->sandbox);
}
