/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_oracle.c: see crash_oracle.h.
 */
#include <sys/prctl.h>

#include "api/handle.h"
#include "arena/stat.h"
#include "crash_oracle.h"
#include "store/slot.h"

struct cart_then { /* what a slot held at the beginning */
	uint64_t hash;
	uint64_t version; /* 0: nothing */
};

static struct cart_then beginning[CRASH_CARTS];
static struct thread_record threads_at_beginning[CRASH_THREADS];
static struct process_record processes_at_beginning[CRASH_PROCESSES];
static uint64_t key_version;

/* ------------------------------------------------------------------ a cart */

void crash_describe(struct corral *corral, struct crash_sight *sight)
{
	struct corral_cart *cart;
	int r = corral_get(corral, &crash_key, &cart);
	const size_t size = sizeof(sight->text);

	sight->version = 0;
	if (r < 0) {
		snprintf(sight->text, size, "%s", r == -ENOENT ? "none" : corral_strerror(r));
		return;
	}
	sight->version = cart->head.version;
	size_t at = (size_t)snprintf(sight->text, size, "%u %lld tax %u ttl %llu",
				     cart->head.status, (long long)cart->head.total_cents,
				     cart->head.tax_ppm, (unsigned long long)cart->head.ttl_ms);
	for (uint32_t i = 0; i < cart->line_count && at < size; i++)
		at += (size_t)snprintf(
			sight->text + at, size - at, " %u:%.*s*%u", cart->lines[i].line,
			(int)cart->lines[i].item.menu_item_id.size,
			cart->lines[i].item.menu_item_id.data, cart->lines[i].item.quantity);
	for (uint32_t i = 0; i < cart->adjustment_count && at < size; i++)
		at += (size_t)snprintf(sight->text + at, size - at, " %.*s=%lld",
				       (int)cart->adjustments[i].name.size,
				       cart->adjustments[i].name.data,
				       (long long)cart->adjustments[i].amount_cents);
	for (uint32_t i = 0; i < cart->attribute_count && at < size; i++)
		at += (size_t)snprintf(sight->text + at, size - at, " %.*s",
				       (int)cart->attributes[i].name.size,
				       cart->attributes[i].name.data);
	corral_cart_free(cart);
}

int crash_again(const struct crash_operation *operation, struct corral *corral)
{
	if (operation->kind >= CRASH_NO_CHANGE)
		return crash_add_coke(corral);
	int r = operation->again != NULL ? operation->again(corral) : operation->act(corral);

	return operation->kind == CRASH_DROPS && r == -ENOENT ? 0 : r;
}

void crash_expect(const struct crash_operation *operation, struct crash_expected *expected)
{
	const struct arena_settings settings = { .arena_bytes = ARENA_BYTES_MIN,
						 .max_carts = CRASH_CARTS,
						 .ttl_ns = CRASH_TTL_MS * 1000000 };
	const char *id = crash_op_id;
	struct yard yard;

	memset(expected, 0, sizeof(*expected));
	yard_make(&yard, &settings);
	struct corral *corral = yard_open(&yard, 0);
	operation->prepare(corral);
	crash_describe(corral, &expected->before);
	if (operation->kind < CRASH_NO_CHANGE)
		assert_int_equal(crash_again(operation, corral), 0);
	crash_describe(corral, &expected->after);
	assert_int_equal(crash_again(operation, corral), 0);
	crash_describe(corral, &expected->again);
	crash_op_id = "another operation";
	expected->two_ids = operation->kind == CRASH_CHANGES && crash_again(operation, corral) == 0;
	crash_op_id = id;
	crash_describe(corral, &expected->twice);
	corral_close(corral);
	yard_remove(&yard);
}

/* -------------------------------------------------------------- the arena's parts */

static const struct arena_header *header_of(const uint8_t *map)
{
	return (const struct arena_header *)(const void *)map;
}

static const struct slot *slots_of(const uint8_t *map)
{
	return (const struct slot *)(const void *)(map + header_of(map)->slots_at);
}

static const struct thread_record *threads_of(const uint8_t *map)
{
	return (const struct thread_record *)(const void *)(map + header_of(map)->threads_at);
}

static const struct process_record *processes_of(const uint8_t *map)
{
	return (const struct process_record *)(const void *)(map + header_of(map)->processes_at);
}

static uint64_t version_in(const uint8_t *map, const struct slot *slot)
{
	const struct block_header *block =
		(const struct block_header *)(const void *)(map +
							    (size_t)slot->current * BLOCK_UNIT);

	return slot->current == 0 ? 0 : ((const struct cart_head *)(block + 1))->version;
}

void crash_begin(struct crash_stage *stage)
{
	const struct arena_header *h = header_of(stage->map);
	struct arena arena = { .hash_seed = h->hash_seed };
	const uint64_t hash = slot_hash(&arena, &crash_key);

	memset(stage->map + h->dirty_at, 0, CRASH_CARTS / 8);
	memcpy(threads_at_beginning, threads_of(stage->map), sizeof(threads_at_beginning));
	memcpy(processes_at_beginning, processes_of(stage->map), sizeof(processes_at_beginning));
	key_version = 0;
	for (uint32_t i = 0; i < CRASH_CARTS; i++) {
		const struct slot *slot = &slots_of(stage->map)[i];
		beginning[i] = (struct cart_then){ slot->hash, version_in(stage->map, slot) };
		if (slot->hash == hash && slot->current != 0)
			key_version = beginning[i].version;
	}
}

uint64_t crash_version_at_beginning(void)
{
	return key_version;
}

const char *crash_check_dirty(const struct crash_stage *stage)
{
	const uint8_t *map = stage->other_map;
	const uint64_t *dirty = (const uint64_t *)(const void *)(map + header_of(map)->dirty_at);

	for (uint32_t i = 0; i < CRASH_CARTS; i++) {
		const struct slot *slot = &slots_of(map)[i];
		uint64_t version = version_in(map, slot);
		if (version == beginning[i].version &&
		    (version == 0 || slot->hash == beginning[i].hash))
			continue;
		if ((dirty[i / 64] >> i % 64 & 1) == 0)
			return "a slot whose cart changed is not marked dirty";
		if (version != 0 && slot->hash == beginning[i].hash &&
		    version < beginning[i].version)
			return "a cart's version went back";
	}
	return NULL;
}

/* ------------------------------------------------------------------ the dead */

/*
 * The fields that only the record's owner writes. (Others may work on its retired lists and note
 * how long they have waited for it.)
 */
static bool same_hand(const struct thread_record *a, const struct thread_record *b)
{
	return memcmp(a, b, offsetof(struct thread_record, intent)) == 0 &&
	       memcmp(&a->intent, &b->intent, sizeof(a->intent)) == 0 &&
	       memcmp(a->cache, b->cache, sizeof(a->cache)) == 0;
}

const char *crash_check_parent(const struct crash_stage *stage)
{
	const uint8_t *now = stage->now.bytes;

	for (uint32_t i = 0; i < CRASH_THREADS; i++)
		if (threads_at_beginning[i].owner == 1 &&
		    !same_hand(&threads_at_beginning[i], &threads_of(now)[i]))
			return "a forked child wrote its parent's thread record";
	return memcmp(&processes_at_beginning[0], processes_of(now),
		      sizeof(struct process_record)) == 0 ?
		       NULL :
		       "a forked child wrote its parent's process record";
}

static const char *check_thread(const struct thread_record *then, const struct thread_record *now,
				uint32_t living, uint32_t untouched)
{
	uint32_t owner = now->owner; /* process plus one */
	uint32_t dead = then->owner;

	if (dead != 0 && (untouched >> (dead - 1) & 1) != 0)
		return same_hand(then, now) ? NULL :
					      "another process wrote a living process's record";
	if (owner > 32 || (owner != 0 && (living >> (owner - 1) & 1) == 0))
		return "a thread record belongs to a dead process";
	if (now->reader != 0)
		return "a reader's word of a dead process is left";
	if (dead == 0)
		return NULL;
	if (now->stat[STAT_repaired] != then->stat[STAT_repaired] + 1)
		return "a dead thread's record was not repaired exactly once";
	return now->generation > then->generation ? NULL :
						    "a freed thread record has its old generation";
}

/* Does the record have a whole name, that of the program or a label? */
static bool is_named(const struct process_record *record)
{
	char program[16] = "", name[PROCESS_NAME_BYTES];

	alive_name(record, name);
	(void)prctl(PR_GET_NAME, program);
	return strcmp(name, CRASH_LABEL) == 0 || strcmp(name, program) == 0;
}

const char *crash_check_buried(const struct crash_stage *stage, uint32_t living, uint32_t untouched)
{
	const uint8_t *then = stage->now.bytes;
	const uint8_t *now = stage->other_map;
	const char *fault = NULL;

	for (uint32_t i = 0; i < CRASH_THREADS && fault == NULL; i++)
		fault = check_thread(&threads_of(then)[i], &threads_of(now)[i], living, untouched);
	for (uint32_t i = 0; i < CRASH_PROCESSES && fault == NULL; i++) {
		const struct process_record *p = &processes_of(now)[i];
		const struct process_record *before = &processes_of(then)[i];
		if ((untouched >> i & 1) != 0) {
			if (memcmp(p, before, sizeof(*p)) != 0)
				fault = "another process wrote a living process's record";
			continue;
		}
		if (before->state != PROCESS_FREE && !is_named(before))
			fault = "a process record is in use before it has a name";
		else if (p->state != PROCESS_FREE && (living >> i & 1) == 0)
			fault = "a dead process's record is not freed";
		else if (before->state != PROCESS_FREE && p->generation <= before->generation)
			fault = "a freed process record has its old generation";
	}
	return fault;
}
