/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c: an arena filled with carts of a known shape. See load.h.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cart/cart.h"
#include "load.h"
#include "progress.h"

#define ROOM_MIN (1ull << 30) /* of the arena, beside the carts: versions that wait to be freed */
#define RESTAURANTS 100u
#define STEPS_MIN 16384u
#define ZIPF_EXPONENT 0.99
#define ZIPF_SCATTER 2654435761ull

/* ------------------------------------------------------------------- keys */

void load_step_at(uint32_t cart, struct load_step *ret_step)
{
	char text[LOAD_KEY_BYTES + 1];
	uint64_t state = cart;

	memset(ret_step, 0, sizeof(*ret_step));
	snprintf(text, sizeof(text), "restaurant-%05ucall-%08x-%018llx", cart % RESTAURANTS, cart,
		 (unsigned long long)bench_random(&state));
	static_assert(LOAD_RESTAURANT_BYTES == 11 + 5 && LOAD_SESSION_BYTES == 5 + 8 + 1 + 18,
		      "as printed");
	memcpy(ret_step->key, text, LOAD_KEY_BYTES);
	ret_step->cart = cart;
}

uint32_t load_steps(const struct load *load, uint32_t max)
{
	uint32_t steps = STEPS_MIN;

	while (steps < max && steps < 4 * (uint64_t)load->carts)
		steps *= 2;
	return steps;
}

struct load_step *load_walk(const struct load *load, uint32_t count, uint64_t seed)
{
	struct load_step *steps = aligned_alloc(CACHE_LINE, (size_t)count * sizeof(*steps));

	for (uint32_t i = 0; steps != NULL && i < count; i++)
		load_step_at(bench_random_below(&seed, load->carts), &steps[i]);
	return steps;
}

/* The first rank whose share of all visits, summed up from the first, reaches this. */
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

struct load_step *load_walk_zipf(const struct load *load, uint32_t count, uint64_t seed)
{
	struct load_step *steps = aligned_alloc(CACHE_LINE, (size_t)count * sizeof(*steps));
	double *sums = malloc(load->carts * sizeof(*sums)), sum = 0;

	for (uint32_t i = 0; sums != NULL && i < load->carts; i++)
		sums[i] = sum += pow((double)i + 1, -ZIPF_EXPONENT);
	for (uint32_t i = 0; steps != NULL && sums != NULL && i < count; i++) {
		double wanted = sum * (double)(bench_random(&seed) >> 11) / (double)(1ull << 53);
		/*
		 * a prime greater than any number of carts: neighbours in rank are none in the
		 * arena
		 */
		load_step_at(
			(uint32_t)(rank_of(sums, load->carts, wanted) * ZIPF_SCATTER % load->carts),
			&steps[i]);
	}
	if (sums == NULL) {
		free(steps);
		steps = NULL;
	}
	free(sums);
	return steps;
}

struct load_step *load_shuffled(const struct load *load, uint64_t seed)
{
	struct load_step *steps = aligned_alloc(CACHE_LINE, (size_t)load->carts * sizeof(*steps));

	for (uint32_t i = 0; steps != NULL && i < load->carts; i++) {
		uint32_t other = bench_random_below(&seed, i + 1);

		steps[i] = steps[other];
		load_step_at(i, &steps[other]);
	}
	return steps;
}

/* ------------------------------------------------------------------ carts */

void load_item_at(uint32_t line, struct load_item *ret_item)
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

/* A cart of so many lines, the last one with notes of `padding` bytes; one malloc(), for free(). */
static struct corral_cart *make_cart(uint32_t lines, uint32_t padding)
{
	size_t lines_bytes = lines * sizeof(struct corral_cart_line),
	       items_bytes = lines * sizeof(struct load_item);
	struct corral_cart *cart = calloc(1, sizeof(*cart) + lines_bytes + items_bytes + padding);
	struct load_item *items;
	char *notes;

	if (cart == NULL)
		return NULL;
	cart->line_count = lines;
	cart->lines = (struct corral_cart_line *)(cart + 1);
	items = (struct load_item *)(cart->lines + lines);
	notes = (char *)(items + lines);
	memset(notes, 'n', padding);
	for (uint32_t i = 0; i < lines; i++) {
		load_item_at(i, &items[i]);
		cart->lines[i].item = items[i].item;
	}
	if (padding > 0)
		cart->lines[lines - 1].item.notes = (struct corral_text){ notes, padding };
	return cart;
}

static int put_cart(struct load *load, uint32_t number, const struct corral_cart *cart)
{
	struct corral_op only_new = { .if_version = 0 };
	struct load_step step;
	struct corral_key key;

	load_step_at(number, &step);
	key = load_key(&step);
	return corral_replace(load->corral, &key, cart, &only_new, NULL);
}

/* What a line takes in a stored cart; 0: it cannot be packed. */
static uint32_t line_bytes(const struct corral_item *item)
{
	char buffer[CORRAL_WORDS_MAX];
	struct cart_words words;

	return cart_pack_item(item, 0, buffer, sizeof(buffer), &words) == 0 ?
		       words.size + sizeof(struct cart_line) :
		       0;
}

/* A cart of so many bytes, or hardly fewer: as many lines as fit, the rest is notes. */
static struct corral_cart *fit_cart(struct load *load, uint32_t bytes)
{
	uint32_t used = sizeof(struct cart_head) + LOAD_KEY_BYTES, more, want;
	struct corral_cart *cart;
	struct load_item item;

	for (load->lines = 0; load->lines < CORRAL_LINES_MAX - 1; load->lines++) {
		load_item_at(load->lines, &item);
		more = line_bytes(&item.item);
		if (more == 0 || (load->lines > 0 && used + more > bytes))
			break;
		used += more;
	}
	cart = make_cart(load->lines, bytes > used ? bytes - used : 0);
	if (cart == NULL || bytes <= used)
		return cart;
	/* the notes have some bytes of their own about them: take these off */
	load_item_at(load->lines - 1, &item);
	want = line_bytes(&item.item) + bytes - used;
	more = line_bytes(&cart->lines[load->lines - 1].item);
	if (more > want)
		cart->lines[load->lines - 1].item.notes.size -= min_u64(more - want, bytes - used);
	return cart;
}

/* How many bytes the first cart has, as stored. */
static int size_of_first(struct load *load, uint32_t *ret_bytes)
{
	struct load_step step;
	struct corral_view view;
	struct corral_key key;
	int err;

	load_step_at(0, &step);
	key = load_key(&step);
	err = corral_read_begin(load->corral, &key, &view);
	if (err < 0)
		return err;
	*ret_bytes = ((const struct cart_head *)view.bytes)->size;
	return corral_read_end(&view);
}

static int drop_cart(struct load *load, uint32_t number)
{
	struct load_step step;
	struct corral_key key;

	load_step_at(number, &step);
	key = load_key(&step);
	return corral_drop(load->corral, &key, NULL, NULL);
}

static enum bench_exit fill(struct load *load, uint32_t bytes)
{
	struct corral_cart *cart = fit_cart(load, bytes);
	int err = cart == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; err == 0 && i < load->carts && bench_signal == 0; i++) {
		err = put_cart(load, i, cart);
		progress_show(i, load->carts, "carts loaded");
	}
	progress_clear();
	free(cart);
	if (err == 0)
		err = size_of_first(load, &load->cart_bytes);
	if (err < 0 && bench_signal == 0)
		bench_say("cannot fill the arena: %s", corral_strerror(err));
	return err < 0 ? BENCH_NO_ARENA : BENCH_DONE;
}

/* Room for the carts, and as much again as a quarter of them. */
static uint64_t room_for(uint32_t carts, uint32_t bytes)
{
	uint64_t all = (uint64_t)carts * (bytes + bytes / 8 + 1024);

	return all + all / 4 + ROOM_MIN;
}

static uint32_t slots_for(uint32_t carts)
{
	return carts + carts / 8 + 1024;
}

static enum bench_exit begin(struct load *load, uint32_t carts, uint32_t bytes)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	memset(load, 0, sizeof(*load));
	load->carts = carts;
	if ((uint64_t)carts * (bytes + bytes / 8 + 1024) * 3 <= memory)
		return BENCH_DONE;
	bench_say("%u carts of %u bytes are too many for this machine's memory", carts, bytes);
	return BENCH_USAGE;
}

/* The sandbox is ready. */
static enum bench_exit attach(struct load *load, uint32_t bytes)
{
	enum bench_exit result;

	if (corral_open(load->sandbox.directory, CORRAL_CATCH_SIGBUS, &load->corral) < 0) {
		bench_say("%s", corral_why());
		result = BENCH_NO_ARENA;
	} else {
		result = fill(load, bytes);
	}
	if (result != BENCH_DONE)
		load_close(load);
	return result;
}

enum bench_exit load_open(struct load *load, const char *directory, uint32_t carts, uint32_t bytes)
{
	enum bench_exit result = begin(load, carts, bytes);

	if (result == BENCH_DONE)
		result = sandbox_open(&load->sandbox, directory, room_for(carts, bytes),
				      slots_for(carts), false);
	return result == BENCH_DONE ? attach(load, bytes) : result;
}

enum bench_exit load_open_on_disk(struct load *load, const char *parent, uint32_t carts,
				  uint32_t bytes, uint32_t journal_ms)
{
	enum bench_exit result = begin(load, carts, bytes);

	if (result == BENCH_DONE)
		result = sandbox_open_on_disk(&load->sandbox, parent, room_for(carts, bytes),
					      slots_for(carts), journal_ms);
	return result == BENCH_DONE ? attach(load, bytes) : result;
}

int load_versions(const struct load *load, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < load->carts; i++) {
		struct load_step step;
		struct corral_view view;
		struct corral_key key;
		int r;

		load_step_at(i, &step);
		key = load_key(&step);
		r = corral_read_begin(load->corral, &key, &view);
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

void load_close(struct load *load)
{
	for (uint32_t i = 0; !load->sandbox.temporary && load->corral != NULL && i < load->carts;
	     i++)
		(void)drop_cart(load, i); /* those that are there */
	corral_close(load->corral);
	load->corral = NULL;
	sandbox_close(&load->sandbox);
}
