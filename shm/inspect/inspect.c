/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect.c: see inspect.h: opening the arena for reading, and the rows. The check is in check.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "arena/filesystem.h"
#include "arena/sigbus.h"
#include "base/atomic.h"
#include "inspect/walk.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "store/slot.h"
#include "sync/alive.h"
#include "sync/death_log.h"
#include "sync/grace.h"
#include "sync/lock.h"

/* ----------------------------------------------------------- open and close */

static void open_in(int dir_fd, struct inspect *inspect)
{
	inspect->arena.fd =
		descriptor_open(dir_fd, ARENA_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	int error = errno;
	inspect->lock_fd =
		descriptor_open(dir_fd, ARENA_LOCK_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	errno = error;
}

static int open_path(const char *path, struct inspect *inspect, char *why)
{
	struct stat st;
	int dir_fd;

	if (stat(path, &st) < 0)
		return reason_system(why, -errno, "%s: cannot look at it", path);
	if (!S_ISDIR(st.st_mode)) {
		inspect->arena.fd = descriptor_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
		return 0;
	}
	int r = arena_open_directory(path, &dir_fd, why);
	if (r < 0)
		return r;
	open_in(dir_fd, inspect);
	int error = errno;
	close(dir_fd);
	errno = error;
	return 0;
}

/* dir_fd: the directory, if the caller has it open and trusts it; else -1. */
static int open_files(const char *path, int dir_fd, struct inspect *inspect, char *why)
{
	struct stat st;
	int r = 0;

	if (dir_fd < 0)
		r = open_path(path, inspect, why);
	else
		open_in(dir_fd, inspect);
	if (r < 0)
		return r;
	if (inspect->arena.fd < 0 && errno == ENOENT)
		return reason_set(why, -ENOENT,
				  "%s: there is no arena: start corral-agent, which creates it",
				  path);
	if (inspect->arena.fd < 0)
		return reason_system(why, -errno, "%s: cannot open the arena", path);
	if (fstat(inspect->arena.fd, &st) < 0 || !S_ISREG(st.st_mode))
		return reason_set(why, -EPROTO, "%s: the arena is not a regular file", path);
	inspect->file_bytes = (uint64_t)st.st_size;
	inspect->disk_bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

static int map_file(const char *path, bool lenient, struct inspect *inspect, char *why)
{
	if (inspect->file_bytes < HEADER_BYTES)
		return reason_set(why, -EPROTO,
				  "%s: the file has %llu bytes: too short for an arena", path,
				  (unsigned long long)inspect->file_bytes);
	inspect->arena.bytes = inspect->file_bytes;
	inspect->arena.base =
		mmap(NULL, inspect->file_bytes, PROT_READ, MAP_SHARED, inspect->arena.fd, 0);
	if (inspect->arena.base == MAP_FAILED) {
		inspect->arena.base = NULL;
		return reason_system(why, -errno, "%s: cannot map the arena", path);
	}
	/* if there is no place for it, go on without the handler */
	inspect->arena.watched = sigbus_watch(inspect->arena.base, inspect->file_bytes) == 0;
	inspect->arena.header = (struct arena_header *)(void *)inspect->arena.base;
	int r = arena_validate(&inspect->arena, inspect->file_bytes, inspect->header_fault);
	inspect->readable = r == 0;
	inspect->list_bytes = (uint64_t)inspect->arena.page_count * PAGE_BYTES;
	if (r < 0 && (!lenient || r == -EPROTONOSUPPORT))
		return reason_set(why, r, "%s: %s", path, inspect->header_fault);
	return 0;
}

int inspect_open_at(int dir_fd, const char *path, bool lenient, struct inspect **ret_inspect,
		    char *why, size_t why_size)
{
	char text[REASON_BYTES] = "";
	struct inspect *inspect = calloc(1, sizeof(*inspect));

	if (inspect == NULL)
		return -ENOMEM;
	inspect->arena.fd = inspect->arena.dir_fd = inspect->lock_fd = -1;
	int r = open_files(path, dir_fd, inspect, text);
	if (r == 0)
		r = map_file(path, lenient, inspect, text);
	if (r < 0) {
		snprintf(why, why_size, "%s", text);
		inspect_close(inspect);
		return r;
	}
	*ret_inspect = inspect;
	return 0;
}

int inspect_open(const char *path, bool lenient, struct inspect **ret_inspect, char *why,
		 size_t why_size)
{
	return inspect_open_at(-1, path, lenient, ret_inspect, why, why_size);
}

void inspect_close(struct inspect *inspect)
{
	if (inspect == NULL)
		return;
	walk_forget(inspect);
	if (inspect->arena.watched)
		sigbus_forget(inspect->arena.base);
	if (inspect->arena.base != NULL)
		munmap(inspect->arena.base, inspect->file_bytes);
	if (inspect->arena.fd >= 0)
		close(inspect->arena.fd);
	if (inspect->lock_fd >= 0)
		close(inspect->lock_fd);
	free(inspect);
}

const struct arena_header *inspect_header(const struct inspect *inspect)
{
	return inspect->arena.header;
}

/* ------------------------------------------------------------------ totals */

static int count_locks(struct inspect *inspect, uint32_t *ret_count)
{
	struct inspect_lock rows[64];
	size_t count = 0;
	int r = inspect_locks(inspect, rows, sizeof(rows) / sizeof(rows[0]), &count);

	*ret_count = (uint32_t)count;
	return r;
}

int walk_and_sum(struct inspect *inspect, bool verify, bool accounting)
{
	int r = walk_arena(inspect, verify, accounting);

	if (r < 0)
		return r;
	inspect->totals.file_bytes = inspect->file_bytes;
	inspect->totals.disk_bytes = inspect->disk_bytes;
	inspect->totals.fixed_bytes = inspect->arena.space_at;
	return count_locks(inspect, &inspect->totals.locks_held);
}

int inspect_totals(struct inspect *inspect, struct inspect_totals *ret_totals)
{
	if (!inspect->readable)
		return -EPROTO;
	inspect->finding = NULL;
	int r = walk_and_sum(inspect, false, false);
	if (r == 0)
		*ret_totals = inspect->totals;
	return r;
}

static bool is_held(const lock_word *lock)
{
	return (load_relaxed(lock) & LOCK_HOLDER) != 0;
}

/*
 * The locks that living and dead threads hold. Each notes the slot and the bucket it wants
 * beforehand, so nothing else has to be looked at.
 */
static uint32_t count_held(const struct arena *arena)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	uint32_t count = (uint32_t)(is_held(&arena->header->space_lock) +
				    is_held(&arena->header->slots_lock) +
				    is_held(&arena->header->feed_lock));

	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		count += is_held(&arena->classes[class].lock);
	for (uint32_t number = 0; number < high; number++) {
		const struct thread_record *record = &arena->threads[number];
		const struct slot *slot = arena_slot(arena, load_relaxed(&record->intent.slot));
		uint32_t bucket = load_relaxed(&record->intent.bucket) - 1;
		count += is_held(&record->retired.lock);
		count += slot != NULL && lock_held_by(&slot->lock, number + 1);
		count += bucket <= arena->bucket_mask &&
			 lock_held_by(&arena->buckets[bucket].lock, number + 1);
	}
	return count;
}

/* The loads here are relaxed: the figures are only shown. */
static void sum_memory(const struct arena *arena, struct inspect_totals *totals)
{
	const struct arena_header *h = arena->header;
	uint32_t high = (uint32_t)min_u64(load_relaxed(&h->threads_high), arena->max_threads);
	uint64_t span =
		(uint64_t)min_u64(load_relaxed(&h->pages_used), arena->page_count) * PAGE_BYTES;
	uint64_t left = span;

	totals->span_bytes = span;
	for (uint32_t number = 0; number < high; number++) {
		const struct thread_record *record = &arena->threads[number];
		totals->cached_bytes += min_u64(load_relaxed(&record->cached_bytes), span);
		if (load_relaxed(&record->lane) != 0)
			totals->lane_bytes += class_bytes(class_of(feed_lane_bytes(arena)));
		totals->retired_bytes += min_u64(load_relaxed(&record->retired.open_bytes), span);
		if (load_relaxed(&record->retired.waiting) != 0)
			totals->retired_bytes +=
				min_u64(load_relaxed(&record->retired.waiting_bytes), span);
	}
	/* counted at different times, and left off by deaths: the sum must not exceed the space */
	left -= totals->cached_bytes = min_u64(totals->cached_bytes, left);
	left -= totals->retired_bytes = min_u64(totals->retired_bytes, left);
	left -= totals->lane_bytes = min_u64(totals->lane_bytes, left);
	left -= totals->ends_bytes = min_u64(load_relaxed(&h->ends_bytes), left);
	left -= totals->live_bytes = min_u64(load_relaxed(&h->live_bytes), left);
	totals->free_bytes = left;
	totals->cart_bytes = min_u64(load_relaxed(&h->cart_bytes), totals->live_bytes);
}

/* A counter that a death has left below zero is zero. */
static uint32_t count_of(const struct arena *arena, const uint32_t *counter)
{
	uint32_t count = load_relaxed(counter);

	return count <= arena->max_carts ? count : 0;
}

static void sum_carts(const struct arena *arena, struct inspect_totals *totals)
{
	const struct arena_header *h = arena->header;
	uint32_t left = count_of(arena, &h->carts_live);

	totals->slots_used = left;
	totals->carts_damaged = count_of(arena, &h->carts_damaged);
	left -= totals->carts_ending = (uint32_t)min_u64(count_of(arena, &h->carts_ending), left);
	left -= totals->carts_checked_out =
		(uint32_t)min_u64(count_of(arena, &h->carts_checked_out), left);
	totals->carts_open = left;
}

int inspect_summary(struct inspect *inspect, struct inspect_totals *ret_totals)
{
	const struct arena *arena = &inspect->arena;

	if (!inspect->readable)
		return -EPROTO;
	inspect->totals = (struct inspect_totals){ .file_bytes = inspect->file_bytes,
						   .disk_bytes = inspect->disk_bytes,
						   .fixed_bytes = arena->space_at,
						   .locks_held = count_held(arena) };
	sum_memory(arena, &inspect->totals);
	sum_carts(arena, &inspect->totals);
	walk_count_people(inspect);
	*ret_totals = inspect->totals;
	return 0;
}

bool inspect_copies_on_write(const struct inspect *inspect)
{
	return filesystem_copies(inspect->arena.fd);
}

bool inspect_agent_lives(const struct inspect *inspect)
{
	return inspect->lock_fd >= 0 && alive_test(inspect->lock_fd, ALIVE_AGENT_BYTE);
}

void inspect_counters(const struct inspect *inspect, uint64_t ret_sums[STAT_SLOTS])
{
	const struct arena *arena = &inspect->arena;

	memset(ret_sums, 0, STAT_SLOTS * sizeof(*ret_sums));
	if (!inspect->readable)
		return;
	uint32_t high =
		(uint32_t)min_u64(load_relaxed(&arena->header->threads_high), arena->max_threads);
	for (uint32_t number = 0; number < high; number++)
		for (uint32_t index = 0; index < STAT_SLOTS; index++)
			/* relaxed: a counter */
			ret_sums[index] += load_relaxed(&arena->threads[number].stat[index]);
}

static uint64_t more_than(uint64_t now, uint64_t noted)
{
	return now > noted ? now - noted : 0;
}

/* Add up a lane. noted: without what its owner found there. Relaxed: counters. */
static void add_latency(struct corral_latency *sum, const struct lane_latency *of, bool noted)
{
	sum->total_ns += more_than(load_relaxed(&of->total_ns),
				   noted ? load_relaxed(&of->noted_total_ns) : 0);
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS; i++) {
		const uint64_t changes = more_than(load_relaxed(&of->changes[i]),
						   noted ? load_relaxed(&of->noted[i]) : 0);
		sum->counts[i] += changes;
		sum->changes += changes;
	}
}

/* Add the latencies of a lane's present owner, if it has noted what it found there. */
static void add_own_latency(struct corral_latency *sum, const struct thread_record *record,
			    const struct lane_latency *of)
{
	const struct corral_latency before = *sum;
	const uint64_t name = (uint64_t)load_acquire(&record->generation) + 1;

	/* acquire: what was noted. pairs feed_note_latency() */
	if (load_acquire(&of->noted_of) != name)
		return;
	add_latency(sum, of, true);
	fence_loads();
	if ((uint64_t)load_relaxed(&record->generation) + 1 != name)
		*sum = before; /* another thread has it now */
}

void inspect_latency(const struct inspect *inspect, struct corral_latency *ret_latency)
{
	inspect_latency_of(inspect, UINT32_MAX, ret_latency);
}

void inspect_latency_of(const struct inspect *inspect, uint32_t process,
			struct corral_latency *ret_latency)
{
	const struct arena *arena = &inspect->arena;

	memset(ret_latency, 0, sizeof(*ret_latency));
	if (!inspect->readable)
		return;
	const uint32_t high =
		(uint32_t)min_u64(load_relaxed(&arena->header->threads_high), arena->max_threads);
	for (uint32_t number = 0; number < high; number++) {
		const struct thread_record *record = &arena->threads[number];
		const struct lane_latency *of;

		if (process != UINT32_MAX && load_acquire(&record->owner) != process + 1)
			continue;
		of = feed_latency(arena, record);
		if (of != NULL && process != UINT32_MAX)
			add_own_latency(ret_latency, record, of);
		else if (of != NULL)
			add_latency(ret_latency, of, false);
	}
}

/* -------------------------------------------------------------------- rows */

int inspect_process(struct inspect *inspect, uint32_t index, bool *ret_used,
		    struct inspect_process *ret_row)
{
	const struct arena *arena = &inspect->arena;

	if (!inspect->readable ||
	    index >= min_u64(arena->header->processes_high, arena->max_processes))
		return -ENXIO;
	const struct process_record *record = &arena->processes[index];
	bool alive = inspect->lock_fd >= 0 && alive_test(inspect->lock_fd, ALIVE_BYTE(index));
	*ret_used = record->state != PROCESS_FREE;
	if (!*ret_used)
		return 0;
	*ret_row = (struct inspect_process){ .number = index,
					     .alive = alive,
					     .agent = (record->flags & PROCESS_AGENT) != 0,
					     .fenced = (record->flags & PROCESS_FENCED) != 0,
					     .pid = record->pid,
					     .started_ms = record->started_ms };
	alive_name(record, ret_row->program);
	uint32_t high = (uint32_t)min_u64(arena->header->threads_high, arena->max_threads);
	for (uint32_t number = 0; number < high; number++)
		ret_row->threads += arena->threads[number].owner == index + 1;
	return 0;
}

/*
 * The sum over a list, out of a budget: all lists of all records together cannot exceed the space.
 * In a maliciously written arena, each of many lists may lead into the same ring.
 */
static uint64_t list_bytes(struct inspect *inspect, block_ref first)
{
	const struct arena *arena = &inspect->arena;
	uint64_t bytes = 0;

	for (const struct block_header *block; first != 0; first = block->next) {
		block = block_at(arena, first);
		uint64_t size = block != NULL ? class_bytes(block->class_no) : 0;
		if (size == 0 || size > inspect->list_bytes)
			break;
		inspect->list_bytes -= size;
		bytes += size;
	}
	return bytes;
}

static void describe(const struct thread_record *record, char *text, size_t size)
{
	const struct intent *intent = &record->intent;

	text[0] = '\0';
	if (intent->hand != 0 && intent->slot != 0)
		snprintf(text, size, "builds block 0x%x for slot %u", intent->hand,
			 intent->slot - 1);
	else if (intent->hand != 0)
		snprintf(text, size, "has block 0x%x in hand", intent->hand);
	else if (intent->old != 0)
		snprintf(text, size, "is to retire block 0x%x", intent->old);
	else if (intent->splice_kind != SPLICE_NONE)
		snprintf(text, size, "moves blocks of class %u", intent->splice_class);
}

int inspect_thread(struct inspect *inspect, uint32_t index, bool *ret_used,
		   struct inspect_thread *ret_row)
{
	const struct arena *arena = &inspect->arena;

	if (!inspect->readable || index >= min_u64(arena->header->threads_high, arena->max_threads))
		return -ENXIO;
	const struct thread_record *record = &arena->threads[index];
	uint64_t reader = load_relaxed(&record->reader);
	uint64_t phase = load_relaxed(&arena->header->gp_phase);
	*ret_used = record->owner != 0 || block_has_leftovers(record);
	if (!*ret_used)
		return 0;
	*ret_row = (struct inspect_thread){
		.number = index,
		.process = record->owner != 0 ? record->owner - 1 : UINT32_MAX,
		.tid = record->tid,
		.nest = reader != 0 ? (uint32_t)max_u64(1, record->nest) : 0,
		.phases_behind = reader != 0 && phase > reader ? phase - reader : 0
	};
	if (ret_row->process < arena->max_processes) {
		const struct process_record *process = &arena->processes[ret_row->process];
		ret_row->pid = process->pid;
		alive_name(process, ret_row->program);
	}
	if (index == 0)
		inspect->list_bytes = (uint64_t)arena->page_count * PAGE_BYTES;
	ret_row->stalled_ms = grace_stalled_ms(arena, record);
	ret_row->revoked = reader != 0 && reader <= load_relaxed(&record->revoked);
	if (ret_row->phases_behind > 0 && !ret_row->revoked)
		ret_row->held_back_bytes = block_held_back(arena, reader);
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		ret_row->cached_bytes += list_bytes(inspect, record->cache[class_no]);
	ret_row->retired_bytes = list_bytes(inspect, record->retired.open) +
				 list_bytes(inspect, record->retired.waiting) +
				 list_bytes(inspect, record->retired.ready) +
				 list_bytes(inspect, record->retired.deferred);
	describe(record, ret_row->doing, sizeof(ret_row->doing));
	return 0;
}

int inspect_class(struct inspect *inspect, uint32_t index, bool *ret_used,
		  struct inspect_class *ret_row)
{
	if (!inspect->readable || index >= CLASS_COUNT)
		return -ENXIO;
	if (inspect->counts == NULL) {
		inspect->finding = NULL;
		int r = walk_and_sum(inspect, false, false);
		if (r < 0)
			return r;
	}
	const uint32_t *counts = &inspect->counts[index * PLACE_COUNT];
	*ret_used = inspect->spans[index] != 0;
	*ret_row =
		(struct inspect_class){ .block_bytes = class_bytes(index),
					.spans = inspect->spans[index],
					.blocks = inspect->spans[index] * class_span_blocks(index),
					.live = counts[PLACE_LIVE],
					.free = counts[PLACE_FREE] + counts[PLACE_NEVER_USED],
					.cached = counts[PLACE_CACHED],
					.retired = counts[PLACE_RETIRED] };
	return 0;
}

int inspect_deaths(struct inspect *inspect, struct death *ret_rows, size_t max, size_t *ret_count)
{
	if (!inspect->readable)
		return -EPROTO;
	uint64_t end = death_log_count(&inspect->arena);
	size_t count = 0;
	for (uint64_t number = end > DEATHS_KEPT ? end - DEATHS_KEPT : 0;
	     number < end && count < max; number++)
		count += death_log_read(&inspect->arena, number + 1, &ret_rows[count]);
	*ret_count = count;
	return 0;
}

struct lock_rows {
	struct inspect *inspect;
	struct inspect_lock *rows;
	size_t max;
	size_t count;
};

static void add_lock(struct lock_rows *to, const char *kind, uint32_t number, const lock_word *lock)
{
	const struct arena *arena = &to->inspect->arena;
	uint32_t word = load_relaxed(lock);

	if ((word & LOCK_HOLDER) == 0 || to->count >= to->max)
		return;
	struct inspect_lock row = { .kind = kind,
				    .number = number,
				    .thread = (word & LOCK_HOLDER) - 1,
				    .process = UINT32_MAX,
				    .held_ms = -1,
				    .waiters = (word & LOCK_WAITERS) != 0 };
	if (row.thread < arena->max_threads) {
		const struct thread_record *record = &arena->threads[row.thread];
		row.alive = walk_owner_alive(to->inspect, record);
		if (record->owner - 1 < arena->max_processes) {
			row.process = record->owner - 1;
			row.pid = arena->processes[row.process].pid;
		}
		int64_t since_ns = load_relaxed(&record->intent.since_ns);
		if (since_ns != 0)
			row.held_ms = ns_since(arena_now_ns(arena), since_ns) / 1000000;
	}
	to->rows[to->count++] = row;
}

/* All but those of buckets and slots. */
static void add_few_locks(struct lock_rows *to)
{
	const struct arena *arena = &to->inspect->arena;

	add_lock(to, "space", 0, &arena->header->space_lock);
	add_lock(to, "feed", 0, &arena->header->feed_lock);
	add_lock(to, "slots", 0, &arena->header->slots_lock);
	for (uint32_t i = 0; i < CLASS_COUNT; i++)
		add_lock(to, "class", i, &arena->classes[i].lock);
	for (uint32_t i = 0; i < min_u64(arena->header->threads_high, arena->max_threads); i++)
		add_lock(to, "lists", i, &arena->threads[i].retired.lock);
}

int inspect_locks_noted(struct inspect *inspect, struct inspect_lock *ret_rows, size_t max,
			size_t *ret_count)
{
	const struct arena *arena = &inspect->arena;
	struct lock_rows to = { inspect, ret_rows, max, 0 };

	if (!inspect->readable)
		return -EPROTO;
	add_few_locks(&to);
	for (uint32_t i = 0; i < min_u64(arena->header->threads_high, arena->max_threads); i++) {
		const struct intent *intent = &arena->threads[i].intent;
		const uint32_t slot = load_relaxed(&intent->slot) - 1;
		const uint32_t bucket = load_relaxed(&intent->bucket) - 1;

		if (bucket <= arena->bucket_mask &&
		    lock_held_by(&arena->buckets[bucket].lock, i + 1))
			add_lock(&to, "bucket", bucket, &arena->buckets[bucket].lock);
		if (slot < arena->max_carts && lock_held_by(&arena->slots[slot].lock, i + 1))
			add_lock(&to, "slot", slot, &arena->slots[slot].lock);
	}
	*ret_count = to.count;
	return 0;
}

/* The loads here are relaxed: the figures are only shown. */
void inspect_feed(struct inspect *inspect, struct inspect_feed *ret_feed)
{
	const struct arena *arena = &inspect->arena;
	const struct arena_header *h = arena->header;
	const uint32_t high = (uint32_t)min_u64(load_relaxed(&h->threads_high), arena->max_threads);
	uint32_t lanes = 0;

	for (uint32_t number = 0; number < high; number++)
		lanes += load_relaxed(&arena->threads[number].lane) != 0;
	*ret_feed = (struct inspect_feed){ .on = feed_on(arena),
					   .oldest = feed_oldest(arena),
					   .next = feed_next(arena),
					   .room = arena->feed_mask + 1,
					   .lost = load_relaxed(&h->feed_lost),
					   .lanes = lanes,
					   .lane_room = arena->lane_mask + 1,
					   .ends = feed_ends_since(arena, 0),
					   .ends_room = arena->ends_mask + 1,
					   .ends_lost = load_relaxed(&h->ends_lost),
					   .ends_lost_ms = load_relaxed(&h->ends_lost_ms) };
	for (uint32_t i = 0; i < FEED_CURSORS; i++)
		ret_feed->cursors +=
			inspect_cursor(inspect, i, &(struct corral_cursor){ .next = 0 });
}

bool inspect_cursor(struct inspect *inspect, uint32_t index, struct corral_cursor *ret_cursor)
{
	return feed_cursor_show(&inspect->arena, index, ret_cursor);
}

int inspect_locks(struct inspect *inspect, struct inspect_lock *ret_rows, size_t max,
		  size_t *ret_count)
{
	const struct arena *arena = &inspect->arena;
	struct lock_rows to = { inspect, ret_rows, max, 0 };

	if (!inspect->readable)
		return -EPROTO;
	add_few_locks(&to);
	for (uint32_t i = 0; i <= arena->bucket_mask; i++)
		add_lock(&to, "bucket", i, &arena->buckets[i].lock);
	for (uint32_t i = 0; i < min_u64(arena->header->slots_used_high, arena->max_carts); i++)
		add_lock(&to, "slot", i, &arena->slots[i].lock);
	*ret_count = to.count;
	return 0;
}

int inspect_slot(struct inspect *inspect, uint32_t index, bool *ret_used,
		 struct inspect_slot *ret_row)
{
	const struct arena *arena = &inspect->arena;

	if (!inspect->readable ||
	    index >= min_u64(arena->header->slots_used_high, arena->max_carts))
		return -ENXIO;
	const struct slot *slot = &arena->slots[index];
	block_ref current = load_acquire(&slot->current); /* pairs [S1] */
	const struct block_header *block = block_at(arena, current);
	*ret_used = current != 0 && block != NULL;
	if (!*ret_used)
		return 0;
	uint64_t lease = load_relaxed(&slot->lease);
	*ret_row = (struct inspect_slot){ .number = index,
					  .bytes = block + 1,
					  .size = class_bytes(block->class_no) - sizeof(*block),
					  .ended = !lease_runs(lease) };
	ret_row->deadline_ns = ret_row->ended ? 0 : slot_deadline_ns(arena, lease);
	return 0;
}
