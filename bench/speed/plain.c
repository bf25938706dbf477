/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain.c: a plain hash map with the arena's shape. See plain.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "memory/class.h"
#include "plain.h"

#define SEED 0x636f7272616cu

/* In huge pages, as the arena's, if the kernel has them. */
static void *allocate_huge(size_t bytes)
{
	void *memory = aligned_alloc(EXTENT_BYTES, align_up(bytes, EXTENT_BYTES));

	if (memory != NULL)
		(void)madvise(memory, align_up(bytes, EXTENT_BYTES), MADV_HUGEPAGE);
	return memory;
}

static bool allocate(struct plain *plain, const struct dataset *dataset)
{
	uint32_t buckets = 1;

	while (buckets < dataset->carts)
		buckets *= 2;
	/* every cart has the bytes of the first one (notes are padded to fit) */
	plain->stride =
		class_bytes(class_of(dataset->cart_bytes + (uint32_t)sizeof(struct block_header)));
	plain->value_bytes = plain->stride * dataset->carts;
	plain->mask = buckets - 1;
	plain->seed = SEED;
	plain->buckets = allocate_huge(buckets * sizeof(*plain->buckets));
	plain->nodes = allocate_huge(dataset->carts * sizeof(*plain->nodes));
	plain->values = allocate_huge(plain->value_bytes);
	return plain->buckets != NULL && plain->nodes != NULL && plain->values != NULL;
}

static int copy_cart(struct plain *plain, struct dataset *dataset, uint32_t cart)
{
	struct plain_node *node = &plain->nodes[cart];
	struct plain_bucket *bucket;
	struct corral_view view;
	struct dataset_step step;
	struct corral_key key;
	uint32_t size;
	int err;

	dataset_step_at(cart, &step);
	key = dataset_key(&step);
	err = corral_read_begin(dataset->corral, &key, &view);
	if (err < 0)
		return err;
	node->at = cart * plain->stride + sizeof(struct block_header);
	size = ((const struct cart_head *)view.bytes)->size;
	if (size > plain->stride - sizeof(struct block_header))
		err = -E2BIG;
	else
		memcpy(plain->values + node->at, view.bytes, size);
	corral_read_end(&view);
	node->hash = plain_hash(plain, &key);
	bucket = &plain->buckets[node->hash & plain->mask];
	node->next = bucket->head;
	bucket->head = cart + 1;
	return err;
}

int plain_make(struct plain *plain, struct dataset *dataset)
{
	int err = 0;

	memset(plain, 0, sizeof(*plain));
	if (!allocate(plain, dataset)) {
		plain_free(plain);
		return -ENOMEM;
	}
	memset(plain->buckets, 0, ((size_t)plain->mask + 1) * sizeof(*plain->buckets));
	for (uint32_t i = 0; i < dataset->carts && err == 0; i++)
		err = copy_cart(plain, dataset, i);
	if (err < 0)
		plain_free(plain);
	return err;
}

void plain_free(struct plain *plain)
{
	free(plain->buckets);
	free(plain->nodes);
	free(plain->values);
	memset(plain, 0, sizeof(*plain));
}
