/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.c: the usual way to keep carts without a store: a hash map in memory with a mutex for each
 * cart. The carts are plain structs, changed in place. This is the least that excludes other
 * writers, and it survives no death.
 *
 * The map lies in memory that the workers inherit. The mutexes are process-shared if workers are
 * processes, so that these can do what threads do in a service of one process.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "peer.h"

#define LINES_MAX 64u

struct map_line {
	char id[DATASET_TEXT_BYTES];
	int64_t price;
	int64_t modifier_price;
	uint32_t quantity;
	uint32_t modifiers;
};

struct map_cart {
	pthread_mutex_t mutex;
	char key[DATASET_KEY_BYTES];
	uint64_t version;
	int64_t total;
	uint32_t line_count;
	uint32_t next; /* cart plus one, in the bucket's chain */
	struct map_line lines[LINES_MAX];
};

static struct map {
	uint32_t *buckets;
	struct map_cart *carts;
	uint32_t mask;
	uint32_t count;
	struct map_cart whole; /* for set() */
} map;

static const char *missing(void)
{
	return NULL;
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static uint64_t hash_of(const char *key)
{
	return XXH3_64bits(key, DATASET_KEY_BYTES);
}

static void fill(struct map_cart *cart, uint32_t number, const struct peer_place *place)
{
	const struct dataset *dataset = place->dataset;
	pthread_mutexattr_t attributes;
	struct dataset_step step;
	struct dataset_item item;

	pthread_mutexattr_init(&attributes);
	if (place->mode == POOL_PROCESSES)
		pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&cart->mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	dataset_step_at(number, &step);
	memcpy(cart->key, step.key, sizeof(cart->key));
	cart->version = 1;
	cart->line_count = dataset->lines < LINES_MAX ? dataset->lines : LINES_MAX;
	for (uint32_t i = 0; i < cart->line_count; i++) {
		dataset_item_at(i, &item);
		struct map_line *line = &cart->lines[i];
		memcpy(line->id, item.id, sizeof(line->id));
		line->price = item.item.unit_price_cents;
		line->modifier_price = item.modifier.price_cents;
		line->quantity = item.item.quantity;
		line->modifiers = item.item.modifier_count;
		cart->total += line->quantity *
			       (line->price + (line->modifiers > 0 ? line->modifier_price : 0));
	}
	uint32_t *bucket = &map.buckets[hash_of(cart->key) & map.mask];
	cart->next = *bucket;
	*bucket = number + 1;
}

static void stop(const struct peer_place *place)
{
	(void)place;
	if (map.buckets != NULL)
		munmap(map.buckets, ((size_t)map.mask + 1) * sizeof(*map.buckets));
	if (map.carts != NULL)
		munmap(map.carts, map.count * sizeof(*map.carts));
	memset(&map, 0, sizeof(map));
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	uint32_t buckets = 1;

	*ret_pid = 0;
	map.count = place->dataset->carts;
	while (buckets < map.count)
		buckets *= 2;
	map.mask = buckets - 1;
	map.buckets = shared(buckets * sizeof(*map.buckets));
	map.carts = shared(map.count * sizeof(*map.carts));
	if (map.buckets == NULL || map.carts == NULL) {
		stop(place);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < map.count; i++)
		fill(&map.carts[i], i, place);
	if (map.count > 0)
		map.whole = map.carts[0];
	return 0;
}

static int open_map(const struct peer_place *place, void **ret_connection)
{
	(void)place;
	*ret_connection = &map;
	return 0;
}

static void close_map(void *connection)
{
	(void)connection;
}

/* Find the cart and lock it; NULL: there is none. */
static struct map_cart *lock_cart(const struct dataset_step *step)
{
	for (uint32_t link = map.buckets[hash_of(step->key) & map.mask]; link != 0;) {
		struct map_cart *cart = &map.carts[link - 1];
		if (memcmp(cart->key, step->key, DATASET_KEY_BYTES) == 0) {
			pthread_mutex_lock(&cart->mutex);
			return cart;
		}
		link = cart->next;
	}
	return NULL;
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct map_cart *cart = lock_cart(step);

	(void)connection;
	if (cart == NULL)
		return -ENOENT;
	*sink += cart->version + (uint64_t)cart->total;
	pthread_mutex_unlock(&cart->mutex);
	return 0;
}

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct map_cart *cart = lock_cart(step);
	int64_t total = 0;
	bool found = false;

	(void)connection;
	if (cart == NULL)
		return -ENOENT;
	for (uint32_t i = 0; i < cart->line_count; i++) {
		struct map_line *line = &cart->lines[i];
		if (!found && strcmp(line->id, item->id) == 0 &&
		    line->modifiers == item->item.modifier_count) {
			line->quantity += item->item.quantity;
			found = true;
		}
		total += line->quantity *
			 (line->price + (line->modifiers > 0 ? line->modifier_price : 0));
	}
	cart->total = total;
	cart->version++;
	pthread_mutex_unlock(&cart->mutex);
	return found ? 0 : -ENXIO;
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	struct map_cart *cart = lock_cart(step);

	(void)connection;
	if (cart == NULL)
		return -ENOENT;
	*ret_version = cart->version;
	pthread_mutex_unlock(&cart->mutex);
	return 0;
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	struct map_cart *cart = lock_cart(step);

	(void)connection;
	(void)whole; /* map.whole is the same cart in the map's form */
	if (cart == NULL)
		return -ENOENT;
	cart->line_count = map.whole.line_count;
	cart->total = map.whole.total;
	memcpy(cart->lines, map.whole.lines, map.whole.line_count * sizeof(cart->lines[0]));
	cart->version++;
	pthread_mutex_unlock(&cart->mutex);
	return 0;
}

static void tell(const struct peer_place *place, FILE *stream)
{
	fprintf(stream, "%s mutexes, structs of %zu bytes",
		place->mode == POOL_PROCESSES ? "process-shared" : "private",
		sizeof(struct map_cart));
}

static uint64_t memory(const struct peer_place *place)
{
	(void)place;
	return ((uint64_t)map.mask + 1) * sizeof(*map.buckets) +
	       (uint64_t)map.count * sizeof(*map.carts);
}

const struct peer peer_map = {
	.name = "map",
	.store = "map",
	.about = "a hash map with a mutex for each cart, changed in place; survives nothing",
	.missing = missing,
	.start = start,
	.stop = stop,
	.open = open_map,
	.close = close_map,
	.shared = true,
	.get = get,
	.add = add,
	.set = set,
	.version = version,
	.tell = tell,
	.memory = memory
};
