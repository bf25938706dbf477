/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate_life.c: makes a directory with a past: three agents, the last of them killed, each with a
 * worker that makes, changes and drops carts and waits until this is on disk. Then each key's last
 * version is looked up in the arena and in the journal: these are the copies that a mutation may
 * spare.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutate.h"

#include "arena/arena.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "journal_file.h"

#define AGENTS 3u
#define CHANGES 60u

struct work { /* of the worker, in a child */
	const char *directory;
	uint64_t random;
	struct said *said; /* shared with us */
	bool last;
};

/* ------------------------------------------------------------------- carts */

struct corral_key life_key(const struct said *said)
{
	return (struct corral_key){ corral_text("r"), corral_text(said->session) };
}

static uint64_t digest_text(uint64_t sum, struct corral_text text)
{
	return XXH3_64bits_withSeed(text.data, text.size, sum + text.size);
}

static uint64_t digest_line(uint64_t sum, const struct corral_cart_line *line)
{
	const int64_t numbers[] = { line->line, line->item.quantity, line->total_cents,
				    line->item.unit_price_cents };

	sum = XXH3_64bits_withSeed(numbers, sizeof(numbers), sum);
	sum = digest_text(sum, line->item.menu_item_id);
	sum = digest_text(sum, line->item.name);
	return digest_text(sum, line->item.notes);
}

uint64_t life_digest(const struct corral_cart *cart)
{
	const struct corral_head *head = &cart->head;
	const int64_t numbers[] = { head->subtotal_cents, head->tax_cents,  head->total_cents,
				    head->tax_ppm,        head->item_count, head->status };
	uint64_t sum = XXH3_64bits(numbers, sizeof(numbers));

	for (uint32_t i = 0; i < cart->line_count; i++)
		sum = digest_line(sum, &cart->lines[i]);
	for (uint32_t i = 0; i < cart->attribute_count; i++)
		sum = digest_text(digest_text(sum, cart->attributes[i].name),
				  cart->attributes[i].value);
	return sum;
}

static void add(struct corral *corral, const struct corral_key *key, uint64_t *random)
{
	static char notes[3000];
	uint32_t number = mutate_below(random, 40);
	char name[32];

	memset(notes, 'n', sizeof(notes));
	snprintf(name, sizeof(name), "item-%u", number);
	const struct corral_item item = { .menu_item_id = corral_text(name),
					  .name = corral_text("Item"),
					  .notes = { notes,
						     mutate_below(random, 4) == 0 ?
							     mutate_below(random, sizeof(notes)) :
							     mutate_below(random, 30) },
					  .unit_price_cents = mutate_below(random, 5000),
					  .quantity = 1 + mutate_below(random, 3) };
	(void)corral_add(corral, key, &item, NULL, NULL);
}

void life_change(struct corral *corral, uint64_t *random)
{
	const struct corral_text name = corral_text("table"), value = corral_text("7 by the door");
	struct said said;

	snprintf(said.session, sizeof(said.session), "s%u", mutate_below(random, CARTS_MAX));
	struct corral_key key = life_key(&said);
	switch (mutate_below(random, 16)) {
	case 0:
		(void)corral_drop(corral, &key, NULL, NULL);
		break;
	case 1:
		(void)corral_set_tax(corral, &key, mutate_below(random, 200000), NULL, NULL);
		break;
	case 2:
		(void)corral_set_attribute(corral, &key, &name, &value, NULL, NULL);
		break;
	case 3:
		(void)corral_remove(corral, &key, 1 + mutate_below(random, 3), NULL, NULL);
		break;
	case 4:
		if (mutate_below(random, 4) == 0)
			(void)corral_checkout(corral, &key, NULL, NULL);
		break;
	default:
		add(corral, &key, random);
		break;
	}
}

static void note(struct corral *corral, struct said *said)
{
	struct corral_key key = life_key(said);
	struct corral_cart *cart;
	int r = corral_get(corral, &key, &cart);

	must(r == 0 || r == -ENOENT);
	said->there = r == 0;
	if (r == 0) {
		said->digest = life_digest(cart);
		said->version = cart->head.version;
		corral_cart_free(cart);
	}
}

static void work(void *context)
{
	struct work *work = context;
	struct corral *corral;

	must(corral_open(work->directory, 0, &corral) == 0);
	for (uint32_t i = 0; i < CHANGES; i++) {
		life_change(corral, &work->random);
		if (mutate_below(&work->random, 8) == 0)
			must(corral_sync(corral, -1, NULL) == 0);
	}
	must(corral_sync(corral, -1, NULL) == 0);
	for (uint32_t i = 0; i < CARTS_MAX; i++)
		note(corral, &work->said[i]);
	corral_close(corral);
}

/* ------------------------------------------------------------------- copies */

static struct said *said_of(struct life *life, const void *cart, size_t size)
{
	struct corral_key key;

	if (cart_get_key(cart, size, &key) < 0)
		return NULL;
	for (uint32_t i = 0; i < CARTS_MAX; i++)
		if (strlen(life->said[i].session) == key.session_id.size &&
		    memcmp(life->said[i].session, key.session_id.data, key.session_id.size) == 0)
			return &life->said[i];
	return NULL;
}

static bool is_version(const struct said *said, const void *bytes, size_t size)
{
	struct corral_cart *cart;

	if (!said->there || cart_decode(bytes, size, true, &cart) < 0)
		return false;
	bool same = cart->head.version == said->version && life_digest(cart) == said->digest;
	corral_cart_free(cart);
	return same;
}

static void add_copy(struct said *said, uint64_t number, uint64_t from, uint64_t to)
{
	if (said->copy_count < COPIES_MAX)
		said->copies[said->copy_count++] = (struct copy){ number, from, to };
}

static void find_in_arena(struct life *life, int dir_fd)
{
	char why[ARENA_WHY_BYTES] = "";
	struct arena arena;

	must(arena_map(dir_fd, ARENA_ANY_BOOT, &arena, why) == 0);
	life->header = *arena.header;
	for (uint32_t i = 0; i < arena.max_carts; i++) {
		const struct slot *slot = &arena.slots[i];
		if (slot->current == 0)
			continue;
		const struct block_header *block = arena_block(&arena, slot->current);
		uint64_t at = (uint64_t)slot->current * BLOCK_UNIT;
		uint32_t size = ((const struct cart_head *)(const void *)(block + 1))->size;
		struct said *said = said_of(life, block + 1, size);
		must(said != NULL && is_version(said, block + 1, size));
		said->slot_at = (uint64_t)((const uint8_t *)slot - arena.base);
		add_copy(said, ARENA_NUMBER, at, at + sizeof(*block) + size);
	}
	arena_unmap(&arena);
}

static void find_in_file(struct life *life, struct journal_reader *reader, uint64_t number,
			 struct said *by_slot[64])
{
	struct at *round = &life->rounds[life->file_count - 1];
	struct journal_record record;
	const void *payload;
	uint64_t offset;

	life->record_count = 0;
	*round = (struct at){ .from = reader->offset, .to = UINT64_MAX };
	while (journal_reader_next(reader, &record, &payload, &offset) == 0) {
		if (round->to != UINT64_MAX)
			*round = (struct at){ .from = offset, .to = UINT64_MAX };
		if (record.kind == JOURNAL_CLOCK)
			round->to = offset;
		uint64_t end = offset + journal_record_bytes(record.size);
		must(life->record_count < RECORDS_MAX);
		life->records[life->record_count++] =
			(struct at){ offset, end, record.kind == JOURNAL_CLOCK };
		struct said *said = NULL;
		if (record.slot >= 64)
			continue;
		if (record.kind == JOURNAL_CART) {
			said = said_of(life, payload, record.size);
			/* a slot that it left says so later, perhaps in the same round */
			for (uint32_t i = 0; i < 64; i++)
				by_slot[i] = by_slot[i] == said ? NULL : by_slot[i];
			by_slot[record.slot] = said;
			if (said != NULL && !said->there)
				said->copy_count = 0; /* earlier carts of the key do not matter */
			if (said != NULL &&
			    (!said->there || is_version(said, payload, record.size)))
				add_copy(said, number, offset, end);
		} else if (record.kind == JOURNAL_EMPTY) {
			said = by_slot[record.slot];
			if (said != NULL && !said->there && said->copy_count == 1)
				add_copy(said, number, offset, end);
		}
	}
}

static void find_in_journal(struct life *life, int dir_fd)
{
	struct said *by_slot[64] = { NULL };
	uint64_t *numbers = NULL;
	int fd = journal_open_directory(dir_fd, false);

	must(fd >= 0);
	int count = journal_list(fd, &numbers);
	must(count > 0);
	for (int i = 0; i < count && (uint32_t)i < FILES_MAX; i++) {
		struct journal_reader reader;
		life->files[life->file_count++] = numbers[i];
		if (journal_reader_open(fd, numbers[i], &reader) < 0)
			continue;
		find_in_file(life, &reader, numbers[i], by_slot);
		journal_reader_close(&reader);
	}
	free(numbers);
	close(fd);
}

static void find_copies(struct life *life)
{
	int dir_fd = open(life->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(dir_fd >= 0);
	find_in_arena(life, dir_fd);
	find_in_journal(life, dir_fd);
	close(dir_fd);
	for (uint32_t i = 0; i < CARTS_MAX; i++)
		must(!life->said[i].there || life->said[i].copy_count >= 2);
}

/* --------------------------------------------------------------------- all */

void life_make(struct life *life, const char *directory, uint64_t seed)
{
	struct run run = { .directory = life->directory };
	struct work work_of = { .directory = life->directory, .random = seed };
	const char *const snapshot[] = { "--dir", life->directory, "snapshot", life->snapshot,
					 NULL };

	memset(life, 0, sizeof(*life));
	must(snprintf(life->directory, PATH_MAX, "%s", directory) < PATH_MAX);
	must(snprintf(life->snapshot, PATH_MAX, "%s.snapshot", directory) < PATH_MAX);
	must(snprintf(run.log, PATH_MAX, "%s.log", directory) < PATH_MAX);
	files_remove(life->snapshot);
	files_remove(run.log);
	files_remove(directory);
	work_of.said = life->said; /* in shared memory */
	for (uint32_t i = 0; i < CARTS_MAX; i++)
		snprintf(life->said[i].session, sizeof(life->said[i].session), "s%u", i);
	for (uint32_t i = 0; i < AGENTS; i++) {
		pid_t pid =
			run_agent(&run, mutate_below(&work_of.random, 2) == 0 ? "sync" : "20ms");
		must(pid > 0);
		must(run_child(&run, "a worker", work, &work_of) == 0);
		if (i + 1 == AGENTS)
			must(run_program(&run, "corral", snapshot) == 0);
		run_agent_stop(&run, pid, i + 1 < AGENTS);
		work_of.random = seed + i + 1;
	}
	must(run.fault[0] == '\0');
	find_copies(life);
}
