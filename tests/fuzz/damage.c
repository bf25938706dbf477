/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damage.c: see damage.h. A step names a region (a kind of object in the arena), the object's
 * index, a word in it, and the change to the word: a number, a flipped bit, or a number that is
 * meaningful in some field.
 */
#include <string.h>

#include "damage.h"

#include "memory/class.h"

#define REGIONS 14

struct region {
	uint8_t *bytes;
	size_t size;
};

#define REGION(first, count, element)                                                              \
	((struct region){ (uint8_t *)(first), (size_t)(count) * sizeof(element) })

static struct region cart_region(const struct arena_image *image, const struct step *step,
				 struct damage *damage)
{
	uint32_t cart = step->index % IMAGE_CARTS;

	damage->carts |= 1u << cart;
	return (struct region){ image->carts[cart].bytes, image->carts[cart].size };
}

static struct region find_region(const struct arena_image *image, const struct step *step,
				 struct damage *damage)
{
	const struct arena *arena = &image->arena;
	uint32_t units = arena->space_end - arena->space_first;

	switch (step->region % REGIONS) {
	case 0:
		return cart_region(image, step, damage);
	case 1: /* its changing fields */
		return REGION(arena->base + offsetof(struct arena_header, boot_id), 6 * CACHE_LINE,
			      uint8_t);
	case 2: /* the whole of it */
		return REGION(arena->header, HEADER_BYTES, uint8_t);
	case 3:
		return REGION(&arena->processes[step->index % 4], 1, struct process_record);
	case 4:
		return REGION(&arena->threads[step->index % 4],
			      offsetof(struct thread_record, cache), uint8_t);
	case 5:
		return REGION(arena->threads[step->index % 4].cache, 1, arena->threads[0].cache);
	case 6:
		return REGION(&arena->classes[step->index % CLASS_COUNT], 1, struct size_class);
	case 7:
		if (step->index % 2 == 0)
			return REGION(&arena->chains[step->index / 2 % (arena->bucket_mask + 1)], 1,
				      struct chain);
		return REGION(&arena->buckets[step->index / 2 % (arena->bucket_mask + 1)], 1,
			      struct bucket);
	case 8:
		return REGION(&arena->slots[step->index % arena->max_carts], 1, struct slot);
	case 9:
		return REGION(arena->pages, arena->page_count, uint32_t);
	case 10: /* the header of a block, or of the bytes where one would be */
		return REGION(arena_block(arena, arena->space_first + step->index % units), 1,
			      struct block_header);
	case 11:
		return REGION(image->carts[step->index % IMAGE_CARTS].bytes -
				      sizeof(struct block_header),
			      1, struct block_header);
	case 12:
		return REGION(image->carts[step->index % IMAGE_CARTS].slot, 1, struct slot);
	default:
		return REGION(arena->base + (uint64_t)step->index * 64 % arena->bytes, 1,
			      struct slot);
	}
}

/* A number that is meaningful in some field. */
static uint32_t meaningful(const struct arena_image *image, uint32_t value)
{
	const struct arena *arena = &image->arena;
	uint32_t number = value >> 4;

	switch (value % 16) {
	case 0:
		return image->carts[number % IMAGE_CARTS].ref;
	case 1:
		return arena_slot_link(arena, image->carts[number % IMAGE_CARTS].slot);
	case 2:
		return number % 5; /* a record or a process, plus one */
	case 3:
		return (number % 5) | LOCK_WAITERS;
	case 4:
		return arena->space_end - number % 8;
	case 5:
		return arena->space_first + number % 256;
	case 6:
		return number % (arena->max_carts + 3);
	case 7:
		return arena->max_threads + number % 3;
	case 8:
		return arena->max_processes + number % 3;
	case 9:
		return arena->page_count - number % 4 + 1;
	case 10:
		return number % 6; /* a value of an enum */
	case 11:
		return PAGE_WORD(number % CLASS_COUNT, class_span_pages(number % CLASS_COUNT));
	case 12:
		return arena->threads[image->dead_thread].intent.hand;
	case 13:
		return arena->threads[number % 3].retired.open;
	case 14:
		return arena->classes[number % CLASS_COUNT].head;
	default:
		return UINT32_MAX - number % 3;
	}
}

void damage_do(const struct arena_image *image, const struct step *step, struct damage *damage)
{
	const struct region region = find_region(image, step, damage);
	uint32_t words = (uint32_t)(region.size / sizeof(uint32_t));
	uint8_t *at = region.bytes + (size_t)(step->at % words) * sizeof(uint32_t);
	int64_t wide = (int32_t)step->value;
	uint32_t word;

	damage->elsewhere |= step->region % REGIONS != 0;
	memcpy(&word, at, sizeof(word));
	switch (step->code % 8) {
	case 0:
		word = step->value;
		break;
	case 1:
		word ^= 1u << step->value % 32;
		break;
	case 2:
		word += step->value;
		break;
	case 3:
	case 4:
		word = meaningful(image, step->value);
		break;
	case 5: /* a time, or a large number */
		wide = step->value % 2 != 0 ? (int64_t)((uint64_t)wide << 32) :
					      ns_add(image->now_ns, (uint64_t)wide * 100000000);
		__attribute__((fallthrough));
	case 6: /* 64 bits wide */
		if ((step->at % words) + 1 < words)
			memcpy(at, &wide, sizeof(wide));
		return;
	default: /* make the checksums fit the damage */
		if (step->value % 2 != 0)
			arena_image_seal_header(image);
		else
			arena_image_seal_cart(image, step->index);
		return;
	}
	memcpy(at, &word, sizeof(word));
}
