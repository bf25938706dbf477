/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c: inspect_check().
 *
 * Every block can be accounted for only if the arena did not change meanwhile: so a fingerprint of
 * all list heads, intents and counters is taken before and after the walk. If the arena never stays
 * still, the carts and the structures are verified all the same, and only the accounting is left
 * out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "inspect/walk.h"

#define STILL_TRIES 5

/* A fingerprint of everything that moves when blocks move. */
static uint64_t still_mark(const struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	uint32_t threads =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	const struct arena_header *h = arena->header;
	uint64_t mark = XXH3_64bits(arena->classes, sizeof(struct size_class) * CLASS_COUNT);

	for (uint32_t number = 0; number < threads; number++) {
		const struct thread_record *record = &arena->threads[number];
		mark = XXH3_64bits_withSeed(&record->intent, sizeof(record->intent), mark);
		mark = XXH3_64bits_withSeed(&record->retired, sizeof(record->retired), mark);
		mark = XXH3_64bits_withSeed(record->cache, sizeof(record->cache), mark);
		mark = XXH3_64bits_withSeed(record->stat, sizeof(record->stat), mark);
		mark = XXH3_64bits_withSeed(&record->lane_head, sizeof(uint64_t), mark);
		mark = XXH3_64bits_withSeed(&record->lane_tail, sizeof(uint64_t), mark);
	}
	const uint64_t ends[] = { load_acquire(&h->feed_next), load_acquire(&h->ends_first) };
	mark = XXH3_64bits_withSeed(ends, sizeof(ends), mark);
	return XXH3_64bits_withSeed(arena->pages, arena->page_count * sizeof(uint32_t), mark);
}

struct kept { /* findings, kept until it is known that the arena did not change */
	char *text;
	size_t size;
	FILE *stream;
};

static void keep_finding(void *context, const char *line)
{
	fprintf(((struct kept *)context)->stream, "%s\n", line);
}

/* Check those numbers in the header that other code relies on. */
static void check_header(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	const struct arena_header *h = arena->header;
	const struct {
		const char *name;
		uint32_t value;
		uint32_t most;
	} numbers[] = { { "reserved_pages", h->reserved_pages, arena->page_count },
			{ "page_hint", h->page_hint, arena->page_count },
			{ "slots_used_high", h->slots_used_high, arena->max_carts },
			{ "threads_high", h->threads_high, arena->max_threads },
			{ "processes_high", h->processes_high, arena->max_processes } };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value > numbers[i].most)
			walk_tell(inspect, "header: %s is %u, at most %u is possible",
				  numbers[i].name, numbers[i].value, numbers[i].most);
	if (h->gp_completed > h->gp_phase || h->gp_phase > h->gp_completed + 1)
		walk_tell(inspect, "header: grace-period phase %llu, completed %llu: impossible",
			  (unsigned long long)h->gp_phase, (unsigned long long)h->gp_completed);
	if (h->gp_fenced > h->gp_phase)
		walk_tell(inspect, "header: grace-period phase %llu, fenced %llu: impossible",
			  (unsigned long long)h->gp_phase, (unsigned long long)h->gp_fenced);
}

/* Every lock must be held by a record that exists and has an owner. */
static int check_locks(struct inspect *inspect)
{
	struct inspect_lock rows[64];
	size_t count = 0;
	int r = inspect_locks(inspect, rows, sizeof(rows) / sizeof(rows[0]), &count);

	for (size_t i = 0; i < count; i++) {
		if (rows[i].thread >= inspect->arena.max_threads)
			walk_tell(inspect, "%s lock %u: its holder %u is no thread record",
				  rows[i].kind, rows[i].number, rows[i].thread);
		else if (rows[i].process == UINT32_MAX && inspect->accounting)
			walk_tell(inspect,
				  "%s lock %u: held by thread record %u, which has no owner",
				  rows[i].kind, rows[i].number, rows[i].thread);
	}
	return r;
}

/* One walk. *ret_still: nothing moved meanwhile. */
static int check_once(struct inspect *inspect, bool accounting, struct kept *kept, bool *ret_still)
{
	uint64_t before = still_mark(inspect);

	kept->stream = open_memstream(&kept->text, &kept->size);
	if (kept->stream == NULL)
		return -ENOMEM;
	inspect->finding = keep_finding;
	inspect->context = kept;
	int r = walk_and_sum(inspect, true, accounting);
	if (r == 0) {
		check_header(inspect);
		r = check_locks(inspect);
	}
	fclose(kept->stream);
	*ret_still = still_mark(inspect) == before;
	return r;
}

static void hand_on(const struct kept *kept, void (*finding)(void *context, const char *line),
		    void *context)
{
	char *save = NULL;

	for (char *line = strtok_r(kept->text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		finding(context, line);
}

int inspect_check(struct inspect *inspect, void (*finding)(void *context, const char *line),
		  void *context, uint64_t *ret_faults, bool *ret_quiet,
		  struct inspect_totals *ret_totals)
{
	bool still = false;
	int r = 0;

	if (!inspect->readable) {
		finding(context, inspect->header_fault);
		memset(ret_totals, 0, sizeof(*ret_totals));
		*ret_faults = 1;
		*ret_quiet = false;
		return 0;
	}
	for (int tries = 0; tries <= STILL_TRIES && !still && r == 0; tries++) {
		struct kept kept = { 0 };
		bool last = tries == STILL_TRIES;
		r = check_once(inspect, !last, &kept, &still);
		if (r == 0 && (still || last)) {
			hand_on(&kept, finding, context);
			*ret_quiet = still && !last;
		}
		free(kept.text);
	}
	if (r < 0)
		return r;
	*ret_faults = inspect->faults;
	*ret_totals = inspect->totals;
	return 0;
}
