/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.h: each change and each end of a cart is told as an event. See docs/feed.md.
 *
 * A writer prepares its event in the next entry of its own lane, before the cart's lock is taken
 * where that is possible; notes it in its intent, under the lock; and completes it behind the store
 * by which the change happens. The intent tells a repairer that an event was prepared, and the
 * store tells whether it counts. Nothing here waits, and no word is written that other writers
 * write.
 *
 * A sequencer (a reader, or the agent) gives the events of all lanes their numbers, under
 * feed_lock: it copies them into the ring, in the order of their stamps.
 *
 * A writer that is quicker than all sequencers overwrites its oldest entries. A sequencer finds
 * that, and numbers a gap in their place.
 */
#ifndef CORRAL_FEED_H
#define CORRAL_FEED_H

#include "arena/layout.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/feed_ends.h"
#include "sync/alive.h"

#define FEED_PER_CHANGE 2u              /* at most: an end, and the beginning of the next cart */
#define FEED_NONE (FEED_PER_CHANGE + 1) /* in actor->events: one that is not told; then two */

/* What a writer knows of its event. */
struct feed_about {
	uint32_t kind; /* one of CORRAL_EVENT_... */
	int64_t time_ms;
	const struct cart_head *head; /* the cart's numbers after it */
	const struct corral_key *key;
	struct corral_text op_id; /* may be empty */
	uint32_t step_count;      /* of the change */
};

/*
 * What header.feed says. FEED_TURNED_ON: events are written, but a reader was not told yet that
 * there were none before.
 */
enum { FEED_NEW, FEED_ON, FEED_TURNED_ON, FEED_OFF };

/* Are events written? Relaxed: a setting. */
static inline bool feed_on(const struct arena *arena)
{
	return load_relaxed(&arena->header->feed) - FEED_ON <= FEED_TURNED_ON - FEED_ON;
}

/* Where in a lane's block the entries begin; its bytes. */
#define FEED_LANE_ENTRIES_AT (CACHE_LINE + (uint32_t)sizeof(struct lane_latency))

static inline uint32_t feed_lane_bytes(const struct arena *arena)
{
	return FEED_LANE_ENTRIES_AT + (arena->lane_mask + 1) * FEED_ENTRY_BYTES;
}

/* How long the changes of a record took. NULL: it has no lane, or a damaged one. */
struct lane_latency *feed_latency(const struct arena *arena, const struct thread_record *record);

/*
 * We have become the record's owner: its latencies from now on are ours. A death in between leaves
 * a note of a generation that has passed, which is not read.
 */
void feed_note_latency(struct actor *actor);

/*
 * Before a change, with no lock held: see that the thread has a lane. If there is no memory for
 * one, or others hold the locks on the way to it for more than 10 ms, its events are counted and
 * lost, and that is tried again later.
 */
void feed_take_lane(struct actor *actor);

/*
 * The lane has ends that may have no number: see that this change does not overwrite them. If they
 * cannot be numbered, since a holder of feed_lock was stopped, the change will not be told.
 */
void feed_keep_ends(struct actor *actor);

static inline void feed_get_ready(struct actor *actor)
{
	const struct thread_record *record = actor->record;

	actor->events = 0;
	if (unlikely(record->lane == 0) && feed_on(actor->arena))
		feed_take_lane(actor);
	if (unlikely(record->lane_ends != 0))
		feed_keep_ends(actor);
	if (likely(actor->lane == record->lane && actor->entries != NULL)) {
		/* the entry is written right before a lock is taken, which waits for its lines */
		const struct feed_entry *entry =
			&actor->entries[record->lane_head & actor->arena->lane_mask];
		prefetch_to_write(&entry->number);
		prefetch_to_write(&entry->missed);
		prefetch_to_write(entry->bytes);
	}
}

/* Where the steps are in an entry, and how many of them it tells, by its sizes. */
static inline uint32_t feed_texts_bytes(const struct feed_entry *entry)
{
	return (uint32_t)align_up(
		(uint64_t)entry->restaurant_size + entry->session_size + entry->op_size, 8);
}

static inline const struct feed_step *feed_steps(const struct feed_entry *entry)
{
	return (const struct feed_step *)(const void *)(entry->bytes + feed_texts_bytes(entry));
}

static inline uint32_t feed_steps_told(const struct feed_entry *entry)
{
	const uint32_t room = sizeof(entry->bytes) - feed_texts_bytes(entry);

	return (uint32_t)min_u64(min_u64(entry->step_count, FEED_STEPS),
				 room / sizeof(struct feed_step));
}

/* Count a change that is not told; or free the copies of an attempt before. Is it told? */
bool feed_take_care(struct actor *actor, uint32_t place);

/* Is the change that is about to be made to be prepared as an event? */
static inline bool feed_wanted(struct actor *actor, uint32_t place)
{
	if (unlikely(!feed_on(actor->arena))) {
		actor->events = FEED_NONE;
		return false;
	}
	return (likely(!actor->lane_full && !feed_has_copies(actor->record)) ||
		feed_take_care(actor, place));
}

/*
 * Write the event of a change that is about to be made into the lane: the first of it, or the
 * second (`place` 0 or 1). May be done again; nothing is told yet. The caller writes the steps that
 * it tells and calls feed_prepared(). NULL: there is no lane; the event will be counted, and lost.
 */
struct feed_entry *feed_prepare(struct actor *actor, uint32_t place,
				const struct feed_about *about);

static inline void feed_prepared(const struct actor *actor, uint32_t place,
				 struct feed_entry *entry)
{
	/* the entry first. pairs [F2] */
	store_release(&entry->number, actor->record->lane_head + place + 1);
}

/* The event that was prepared is an end: keep the cart's last version with it. */
void feed_keep_version(struct actor *actor, uint32_t place, const void *version, uint32_t size);

/* There will be no such change. */
static inline void feed_forget(struct actor *actor)
{
	actor->events = 0;
}

/*
 * Under the cart's lock, before the store by which the change happens: note what was prepared, if
 * anything was; or that an event is lost, which was not prepared before the feed was switched on.
 * before: the stamp of the event that comes before it.
 */
void feed_note(struct actor *actor, uint64_t before);

/* What is rarely left then: copies, or events that are counted instead. */
void feed_complete_rest(struct arena *arena, struct thread_record *record, uint32_t noted);

/*
 * Under the cart's lock, behind that store: tell what was noted, once. `last` and `also` (may be
 * NULL) become the stamp of the last event. By the thread itself, or its repairer.
 */
static inline void feed_complete(struct arena *arena, struct thread_record *record, uint64_t *last,
				 uint64_t *also)
{
	const uint32_t noted = load_relaxed(&record->intent.event);
	const uint64_t head = record->lane_head;

	if (noted == 0)
		return;
	const uint32_t more = (noted - (uint32_t)head) & ~EVENT_FLAGS;
	/* else it was told before a death */
	if (likely(more - 1 < FEED_PER_CHANGE && (noted & EVENT_UNTOLD) == 0)) {
		note(last, record->lane_stamp);
		if (also != NULL)
			note(also, record->lane_stamp);
		/* the entries, and what the next writer of the cart finds. pairs [F1] */
		store_release(&record->lane_head, head + more);
	}
	if (unlikely((noted & (EVENT_COPIES | EVENT_UNTOLD)) != 0))
		feed_complete_rest(arena, record, noted);
	store_release(&record->intent.event, 0u); /* the head first. pairs [F7] */
}

/* The change did not happen. */
static inline void feed_void(struct thread_record *record)
{
	note(&record->intent.event, 0);
}

void feed_wake_sleepers(struct arena *arena);

/*
 * After a change that was told, with no lock held, and a full fence behind feed_complete(): wake
 * the readers that sleep.
 */
static inline void feed_wake(struct arena *arena)
{
	if (unlikely((load_relaxed(&arena->header->feed_sleepers) & 1) != 0)) /* pairs [F3] */
		feed_wake_sleepers(arena);
}

/* ------------------------------------------------------------------ readers */

#define FEED_BATCH 4096u /* a few milliseconds' work */

/*
 * Number events, at most about so many at a time. False: another process is at it. With no lock
 * held. *ret_left, which may be NULL: there are more.
 */
bool feed_number(struct actor *actor, uint32_t most, bool *ret_left);

/*
 * Does what an intent's `event` is, or was, note an end that has not been told yet? For a caller
 * that waits until it is: the word is 0, or another one, then [F7].
 */
bool feed_is_end_noted(const struct arena *arena, const struct thread_record *record,
		       uint32_t noted);

/* Is there an event without a number? */
bool feed_pending(const struct arena *arena);

/*
 * Number a gap: events were lost that no lane has. False: another process numbers events.
 */
bool feed_number_gap(struct actor *actor, uint64_t missed);

/* The oldest number that can be read, and the one that the next event gets. */
uint64_t feed_oldest(const struct arena *arena);
uint64_t feed_next(const struct arena *arena);

/*
 * Copy a numbered event; its sizes are checked. False: it is not there any more.
 */
bool feed_read(const struct arena *arena, uint64_t number, struct feed_entry *ret_event);

/*
 * In an arena that only we use: events without a number are given up, and the next numbers are
 * those of the present epoch of versions.
 */
void feed_begin_epoch(struct arena *arena);

/* Finish or undo what a dead sequencer has left, and free its lock. */
void feed_repair(struct arena *arena, struct intent *intent, uint32_t name);

/* ------------------------------------------------- the parts of this layer */

/* As many bytes of an event as are used. */
uint32_t feed_used(const struct feed_entry *event);

/* Are the sizes of its texts possible? (The bytes were copied once, and may be damaged.) */
bool feed_is_sound(const struct feed_entry *event);

/*
 * Words of a place that may be written anew meanwhile: the caller looks at it again afterwards. A
 * rest of less than a word is left out.
 */
void feed_copy_words(void *to, const void *from, uint32_t bytes);

/*
 * Copy what is at a place if it is what `number` says, and stays that. *to is a copy of our own,
 * whose sizes are checked.
 */
bool feed_copy_event(struct feed_entry *to, const struct feed_entry *from, uint64_t number);

/* Under feed_lock: finish what a dead holder began, and let go what has to go. */
void feed_tidy(struct actor *actor);

/* Under feed_lock, behind feed_tidy(): number an event that is in no lane. */
void feed_append(struct arena *arena, struct feed_entry *event);

/*
 * Does the entry at this index of a lane own the copy that it names? Under feed_lock, or in an
 * arena that is still. *ret_copy: the reference.
 */
bool feed_lane_copy(const struct arena *arena, uint32_t thread, uint64_t index,
		    block_ref *ret_copy);

#endif
