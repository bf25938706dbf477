/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * baseline.c: a plain hash map with the arena's shape. See baseline.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "baseline.h"
#include "memory/class.h"

#define SEED 0x636f7272616cu

/* Allocate memory, in huge pages if the kernel has them, as the arena does. */
static void *allocate_huge(size_t bytes)
{
	void *memory = aligned_alloc(EXTENT_BYTES, align_up(bytes, EXTENT_BYTES));

	if (memory != NULL)
		(void)madvise(memory, align_up(bytes, EXTENT_BYTES), MADV_HUGEPAGE);
	return memory;
}

static bool allocate(struct baseline *baseline, const struct dataset *dataset)
{
	uint32_t buckets = 1;

	while (buckets < dataset->carts)
		buckets *= 2;
	/* every cart has the bytes of the first one (notes are padded to fit) */
	baseline->stride =
		class_bytes(class_of(dataset->cart_bytes + (uint32_t)sizeof(struct block_header)));
	baseline->value_bytes = baseline->stride * dataset->carts;
	baseline->mask = buckets - 1;
	baseline->seed = SEED;
	baseline->buckets = allocate_huge(buckets * sizeof(*baseline->buckets));
	baseline->nodes = allocate_huge(dataset->carts * sizeof(*baseline->nodes));
	baseline->values = allocate_huge(baseline->value_bytes);
	return baseline->buckets != NULL && baseline->nodes != NULL && baseline->values != NULL;
}

static int copy_cart(struct baseline *baseline, struct dataset *dataset, uint32_t cart)
{
	struct baseline_node *node = &baseline->nodes[cart];
	struct baseline_bucket *bucket;
	struct corral_view view;
	struct dataset_step step;
	struct corral_key key;
	uint32_t size;
	int r;

	dataset_step_at(cart, &step);
	key = dataset_key(&step);
	r = corral_read_begin(dataset->corral, &key, &view);
	if (r < 0)
		return r;
	node->at = cart * baseline->stride + sizeof(struct block_header);
	size = ((const struct cart_head *)view.bytes)->size;
	if (size > baseline->stride - sizeof(struct block_header))
		r = -E2BIG;
	else
		memcpy(baseline->values + node->at, view.bytes, size);
	corral_read_end(&view);
	node->hash = baseline_hash(baseline, &key);
	bucket = &baseline->buckets[node->hash & baseline->mask];
	node->next = bucket->head;
	bucket->head = cart + 1;
	return r;
}

int baseline_make(struct baseline *baseline, struct dataset *dataset)
{
	int r = 0;

	memset(baseline, 0, sizeof(*baseline));
	if (!allocate(baseline, dataset)) {
		baseline_free(baseline);
		return -ENOMEM;
	}
	memset(baseline->buckets, 0, ((size_t)baseline->mask + 1) * sizeof(*baseline->buckets));
	for (uint32_t i = 0; i < dataset->carts && r == 0; i++)
		r = copy_cart(baseline, dataset, i);
	if (r < 0)
		baseline_free(baseline);
	return r;
}

void baseline_free(struct baseline *baseline)
{
	free(baseline->buckets);
	free(baseline->nodes);
	free(baseline->values);
	memset(baseline, 0, sizeof(*baseline));
}
