/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.c: see feed.h.
 *
 * Numbering one event takes three stores that others see, in this order: the ring's entry gets its
 * number; feed_next moves past it, which is the moment that counts; the lane's tail moves past the
 * entry. A death before the second leaves nothing but a place in the ring that is written anew. A
 * death before the third leaves an event that is numbered and still in its lane: the ring's last
 * entry names its place in the lane, so the next holder of feed_lock, or a repairer, moves the tail
 * (feed_finish()).
 *
 * Order. Events are numbered by their stamps. A writer completes its event before it drops the
 * cart's lock, and the next writer of that cart takes the lock before it completes the next event,
 * with a greater stamp. So a sequencer that has loaded a lane's head (acquire [F1]), and with it an
 * event, finds all events of that cart before it, if it loads the heads of the other lanes
 * afterwards. It loads all heads twice: what it saw in the first pass may be numbered, in the order
 * of the stamps, as far as no smaller stamp was seen in the second pass. Lost events do not matter:
 * the stamps of those that are left still tell.
 *
 * It ends: the entries of a call are counted, each pass is as long as the lanes were when it began,
 * and after some passes in which writers were quicker each time it is left for the next call.
 */
#include <limits.h>
#include <string.h>

#include "memory/allocate.h"
#include "memory/block.h"
#include "store/feed.h"
#include "sync/lock.h"

#define IDLE_MAX 16u            /* passes that each found a still smaller stamp */
#define BATCHES_MAX 16u         /* a writer's, before its change is not told */
#define LANE_WAIT_NS 10000000ll /* for all locks on the way to a lane */
#define LANE_PAUSE_NS 1000000ll

/* ------------------------------------------------------------------ writers */

/* The block of a lane; NULL: there is none, or its reference is damaged. */
static uint8_t *lane_block(const struct arena *arena, block_ref lane)
{
	if (lane == 0 || !arena_block_inside(arena, lane) ||
	    (uint64_t)(arena->space_end - lane) * BLOCK_UNIT < feed_lane_bytes(arena))
		return NULL;
	struct block_header *block = arena_block(arena, lane);

	/* where memory is short, a larger block was given */
	if (block->magic != BLOCK_MAGIC || block->class_no < class_of(feed_lane_bytes(arena)))
		return NULL;
	return (uint8_t *)block;
}

/* The entries of a lane, or NULL. */
static struct feed_entry *lane_entries(const struct arena *arena, block_ref lane)
{
	uint8_t *block = lane_block(arena, lane);

	return block != NULL ? (struct feed_entry *)(void *)(block + FEED_LANE_ENTRIES_AT) : NULL;
}

/* One of them; NULL as above. */
static struct feed_entry *lane_entry(const struct arena *arena, block_ref lane, uint64_t index)
{
	struct feed_entry *entries = lane_entries(arena, lane);

	return entries != NULL ? &entries[index & arena->lane_mask] : NULL;
}

/* The same of our own lane, which is looked at only when it is another one. */
static struct feed_entry *own_entry(struct actor *actor, uint64_t index)
{
	const block_ref lane = actor->record->lane;

	if (unlikely(actor->lane != lane)) {
		actor->lane = lane;
		actor->entries = lane_entries(actor->arena, lane);
	}
	return actor->entries != NULL ? &actor->entries[index & actor->arena->lane_mask] : NULL;
}

struct lane_latency *feed_latency(const struct arena *arena, const struct thread_record *record)
{
	uint8_t *block = lane_block(arena, load_acquire(&record->lane)); /* pairs [F1] */

	return block != NULL ? (struct lane_latency *)(void *)(block + CACHE_LINE) : NULL;
}

void feed_note_latency(struct actor *actor)
{
	struct lane_latency *latency = feed_latency(actor->arena, actor->record);

	if (latency == NULL)
		return;
	/* relaxed: a reader looks at noted_of and at the record's generation before and after */
	store_relaxed(&latency->noted_total_ns, latency->total_ns);
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS; i++)
		store_relaxed(&latency->noted[i], latency->changes[i]);
	/* release: one that reads this reads what was noted. pairs inspect_latency_of() */
	store_release(&latency->noted_of, (uint64_t)actor->record->generation + 1);
}

/*
 * A block for a lane into the hand, on behalf of a change that happens also without one: the wait
 * for locks is short, and the change's own patience begins behind it. The longer it took in vain,
 * the later the thread asks again, so that it spends at most a fifth of its time on that, and a
 * 65th in a full arena.
 */
static bool lane_alloc(struct actor *actor)
{
	const int64_t begun_ns = clock_now_ns(), give_up_ns = actor->give_up_ns;
	int64_t wait_ns = load_relaxed(&actor->patience_ms) * 1000000ll; /* relaxed: a setting */

	if (begun_ns < actor->lane_again_ns)
		return false;
	wait_ns = begun_ns + (wait_ns < LANE_WAIT_NS ? wait_ns : LANE_WAIT_NS);
	actor->give_up_ns = give_up_ns != 0 && give_up_ns < wait_ns ? give_up_ns : wait_ns;
	int r = block_alloc(actor, feed_lane_bytes(actor->arena));
	actor->give_up_ns = give_up_ns;
	const int64_t now_ns = clock_now_ns();
	actor->lane_again_ns =
		now_ns + LANE_PAUSE_NS + (now_ns - begun_ns) * (r == -EBUSY ? 4 : 64);
	return r == 0;
}

/* The block goes from the hand to the lane with one store; the heir of a death in between sees it
 * in both, and leaves it to the lane (block_settle()). */
void feed_take_lane(struct actor *actor)
{
	struct thread_record *record = actor->record;
	const uint32_t bytes = feed_lane_bytes(actor->arena);

	if (record->intent.hand != 0 || !lane_alloc(actor))
		return;
	block_ref hand = record->intent.hand;
	if (!arena_block_inside(actor->arena, hand) ||
	    (uint64_t)(actor->arena->space_end - hand) * BLOCK_UNIT < bytes) {
		note(&record->intent.hand, 0); /* damaged */
		return;
	}
	memset((uint8_t *)arena_block(actor->arena, hand) + CACHE_LINE, 0, bytes - CACHE_LINE);
	store_release(&record->lane, hand); /* zeroes first. pairs [F1] */
	note(&record->intent.hand, 0);
	feed_note_latency(actor);
}

struct feed_entry *feed_prepare(struct actor *actor, uint32_t place, const struct feed_about *about)
{
	const struct arena *arena = actor->arena;
	const struct cart_head *head = about->head;
	const size_t restaurant_size = about->key->restaurant_id.size;
	const size_t session_size = about->key->session_id.size;
	const size_t op_size = about->op_id.size;
	struct feed_entry *entry = own_entry(actor, actor->record->lane_head + place);

	actor->events = place + 1;
	if (unlikely(entry == NULL || restaurant_size > CORRAL_ID_MAX ||
		     session_size > CORRAL_ID_MAX || op_size > CORRAL_ID_MAX))
		return NULL;              /* there is no lane, or the cart is damaged */
	store_relaxed(&entry->number, 0); /* relaxed: ordered by the fence */
	fence_stores();                   /* before the entry changes. pairs [F2] */
	entry->version = head->version;
	entry->time_ms = about->time_ms;
	entry->subtotal_cents = head->subtotal_cents;
	entry->tax_cents = head->tax_cents;
	entry->total_cents = head->total_cents;
	entry->item_count = head->item_count;
	entry->line_count = head->line_count;
	entry->missed = 0;
	const struct process_record *process = &arena->processes[actor->life->process];
	entry->pid = process->pid;
	entry->process = (uint16_t)actor->life->process;
	entry->step_count = (uint16_t)about->step_count;
	entry->currency = head->currency;
	entry->currency_digits = head->currency_digits;
	entry->status = head->status;
	entry->kind = (uint8_t)about->kind;
	entry->restaurant_size = (uint8_t)restaurant_size;
	entry->session_size = (uint8_t)session_size;
	entry->op_size = (uint8_t)op_size;
	alive_name(process, entry->label);
	memcpy(entry->bytes, about->key->restaurant_id.data, restaurant_size);
	memcpy(entry->bytes + restaurant_size, about->key->session_id.data, session_size);
	if (op_size > 0)
		memcpy(entry->bytes + restaurant_size + session_size, about->op_id.data, op_size);
	return entry;
}

bool feed_take_care(struct actor *actor, uint32_t place)
{
	if (actor->lane_full) {
		actor->events = place == 0 ? FEED_NONE : FEED_NONE + 1;
		return false;
	}
	if (place == 0)
		feed_copies_free(actor);
	return true;
}

/*
 * Counted behind the change, and before the next one of the cart can be told: a reader that lists
 * the carts when it is told the gap finds it. After a death in here some are counted twice.
 */
void feed_complete_rest(struct arena *arena, struct thread_record *record, uint32_t noted)
{
	const uint32_t events = (noted - (uint32_t)record->lane_head) & ~EVENT_FLAGS;

	if ((noted & EVENT_UNTOLD) != 0) {
		/* relaxed: the sequencer finds it behind later ones */
		(void)fetch_add_relaxed(&arena->header->feed_untold, (uint64_t)events);
		return;
	}
	note(&record->intent.copies[0], 0); /* the lane's entries own them */
	note(&record->intent.copies[1], 0);
}

void feed_keep_version(struct actor *actor, uint32_t place, const void *version, uint32_t size)
{
	struct thread_record *record = actor->record;
	struct feed_entry *entry = own_entry(actor, record->lane_head + place);

	if (entry == NULL || load_relaxed(&entry->number) != record->lane_head + place + 1)
		return; /* it is lost */
	note(&record->lane_ends, record->lane_head + place + 1);
	entry->copy = feed_copy_make(actor, place, entry, version, size);
}

/* Would the next change overwrite an end that has no number? */
static bool laps_end(struct actor *actor)
{
	const struct thread_record *record = actor->record;
	const uint64_t room = actor->arena->lane_mask + 1;
	const uint64_t tail = load_acquire(&record->lane_tail); /* its copy is taken. pairs [F4] */

	for (uint32_t place = 0; place < FEED_PER_CHANGE; place++) {
		const uint64_t index = record->lane_head + place;
		const struct feed_entry *entry = own_entry(actor, index);
		if (entry != NULL && index >= room && index - room >= tail &&
		    (entry->kind & FEED_ENDS) != 0)
			return true;
	}
	return false;
}

void feed_keep_ends(struct actor *actor)
{
	struct thread_record *record = actor->record;
	bool left = true;

	actor->lane_full = false;
	if (load_acquire(&record->lane_tail) >= record->lane_ends) {
		note(&record->lane_ends, 0);
		return;
	}
	for (uint32_t batch = 0; batch < BATCHES_MAX && left && laps_end(actor); batch++)
		if (!feed_number(actor, FEED_BATCH, &left))
			break;
	actor->lane_full = laps_end(actor);
}

void feed_note(struct actor *actor, uint64_t before)
{
	struct thread_record *record = actor->record;
	const uint32_t count = actor->events;
	uint64_t stamp = max_u64(before, record->lane_stamp);

	if (count == 0)
		return;
	actor->events = 0;
	if (unlikely(count >= FEED_NONE)) {
		if (feed_on(actor->arena)) /* since then */
			note(&record->intent.event,
			     (((uint32_t)record->lane_head + count - FEED_PER_CHANGE) &
			      ~EVENT_FLAGS) |
				     EVENT_NOTED | EVENT_UNTOLD);
		return;
	}
	for (uint32_t place = 0; place < count; place++) {
		struct feed_entry *entry = own_entry(actor, record->lane_head + place);
		stamp++;
		if (entry != NULL)
			store_relaxed(&entry->stamp, stamp); /* relaxed: told by the head [F1] */
	}
	note(&record->lane_stamp, stamp);
	note(&record->intent.event, (((uint32_t)record->lane_head + count) & ~EVENT_FLAGS) |
					    EVENT_NOTED |
					    (unlikely(feed_has_copies(record)) ? EVENT_COPIES : 0));
}

void feed_wake_sleepers(struct arena *arena)
{
	uint32_t *sleepers = &arena->header->feed_sleepers;
	/* relaxed: compared again */
	const uint32_t seen = load_relaxed(sleepers);

	/*
	 * One more: the bit is cleared, and a reader that is about to sleep finds another value,
	 * though a second one may have set the bit again.
	 */
	if ((seen & 1) != 0 && cas_acq_rel(sleepers, seen, seen + 1))
		futex_wake(sleepers, INT_MAX);
}

/* ------------------------------------------------------------- the sequencer */

/* Move the tail past the event that was numbered last, if its sequencer died before it did. */
static void feed_finish(struct arena *arena)
{
	const struct arena_header *h = arena->header;
	const uint64_t number = h->feed_next - 1;
	const struct feed_entry *last = &arena->feed[number & arena->feed_mask];

	feed_ends_finish(arena);
	if (number < h->feed_first || last->number != number || last->stamp == 0 ||
	    FEED_MARK_THREAD(last->stamp) >= arena->max_threads)
		return;
	struct thread_record *record = &arena->threads[FEED_MARK_THREAD(last->stamp)];
	const uint64_t index = FEED_MARK_INDEX(last->stamp);
	if (record->lane_tail <= index && index < load_acquire(&record->lane_head)) /* pairs [F1] */
		store_release(&record->lane_tail, index + 1);
}

/* Number an event. mark: the last entry of its lane that it stands for; 0: none. */
static void append(struct arena *arena, struct feed_entry *event, uint64_t mark, bool gap_has_ends)
{
	struct arena_header *h = arena->header;
	const uint64_t number = h->feed_next;
	struct feed_entry *to = &arena->feed[number & arena->feed_mask];
	const uint32_t fixed = sizeof(event->number);
	const uint32_t used = feed_used(event);
	const bool may_be_end = event->kind == CORRAL_EVENT_GAP ?
					gap_has_ends :
					event->kind != CORRAL_EVENT_CHANGED;

	event->stamp = mark;
	if (may_be_end)
		feed_ends_put(arena, event);
	store_relaxed(&to->number, 0); /* relaxed: ordered by the fence */
	fence_stores();                /* before the entry changes. pairs [F2] */
	memcpy((uint8_t *)to + fixed, (const uint8_t *)event + fixed, used - fixed);
	store_release(&to->number, number);       /* the entry first. pairs [F2] */
	store_release(&h->feed_next, number + 1); /* it is numbered from here on. pairs [F4] */
	if (mark != 0) {
		struct thread_record *record = &arena->threads[FEED_MARK_THREAD(mark)];
		fence_compiler(); /* a repairer finishes it */
		store_release(&record->lane_tail, FEED_MARK_INDEX(mark) + 1);
	}
}

/* ends: some of what was lost may have been ends. */
static void append_gap(struct arena *arena, uint64_t missed, uint64_t mark, bool ends)
{
	uint64_t *lost = &arena->header->feed_lost;
	struct feed_entry gap;

	store_relaxed(lost, *lost + missed); /* relaxed: for people. A death may leave it off */

	memset(&gap, 0, sizeof(gap));
	gap.kind = CORRAL_EVENT_GAP;
	gap.time_ms = arena_wall_ms();
	gap.missed = missed;
	append(arena, &gap, mark, ends);
}

/* Changes that could not be told: after a look at the lanes, so that it comes before theirs. */
static void tell_untold(struct arena *arena)
{
	uint64_t *untold = &arena->header->feed_untold;

	/* relaxed: a change that was told later shows it, too [F1] */
	const uint64_t missed = load_relaxed(untold);

	if (likely(missed == 0))
		return;
	append_gap(arena, missed, 0, true);
	(void)fetch_sub_relaxed(untold, missed); /* a death before it tells them twice */
}

void feed_tidy(struct actor *actor)
{
	feed_finish(actor->arena);
	feed_ends_trim(actor);
}

void feed_append(struct arena *arena, struct feed_entry *event)
{
	append(arena, event, 0, false);
}

bool feed_lane_copy(const struct arena *arena, uint32_t thread, uint64_t index, block_ref *ret_copy)
{
	const uint64_t last = arena->header->feed_next - 1;
	const struct thread_record *record = &arena->threads[thread];
	const struct feed_entry *numbered = &arena->feed[last & arena->feed_mask];
	const struct feed_entry *entry = lane_entry(arena, record->lane, index);

	if (entry == NULL || entry->number != index + 1 || (entry->kind & FEED_ENDS) == 0 ||
	    entry->copy == 0)
		return false;
	*ret_copy = (block_ref)entry->copy;
	/* the sequencer may have died between its number and lane_tail */
	return last < arena->header->feed_first || numbered->number != last ||
	       numbered->stamp != FEED_MARK(thread, index);
}

static uint32_t lanes(const struct arena *arena)
{
	return (uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
}

/* A lane that is being numbered. */
struct view {
	uint64_t at;    /* the next entry */
	uint64_t end;   /* its head in the first pass */
	uint64_t stamp; /* of the next entry */
	uint32_t thread;
};

#define VIEWS 64u /* lanes at a time */

struct merge {
	struct view views[VIEWS]; /* by stamp, the smallest first */
	uint32_t count;
	uint64_t limit;                  /* greater stamps have to wait */
	uint64_t seen[MAX_THREADS / 64]; /* a bit for each lane that is in `views` */
};

/* The stamp of an entry; false: it was overwritten. */
static bool peek(const struct arena *arena, uint32_t thread, uint64_t at, uint64_t *ret_stamp)
{
	const struct feed_entry *entry =
		lane_entry(arena, load_acquire(&arena->threads[thread].lane), at);

	if (entry == NULL || load_acquire(&entry->number) != at + 1) /* pairs [F2] */
		return false;
	*ret_stamp = load_relaxed(&entry->stamp);
	fence_loads(); /* pairs [F2] */
	return load_relaxed(&entry->number) == at + 1;
}

/*
 * Move a view on to an entry that is still there. What was lost before it is told at once: what
 * comes after the lost events, in any lane, has greater stamps and is numbered later.
 */
static void find_next(struct arena *arena, struct view *view)
{
	const struct thread_record *record = &arena->threads[view->thread];
	const uint64_t room = load_relaxed(&record->lane) != 0 ? arena->lane_mask + 1 : 0;
	const uint64_t from = view->at;

	for (; view->at < view->end; view->at++) {
		const uint64_t head = load_acquire(&record->lane_head); /* pairs [F1] */
		if (head - view->at > room)
			view->at += min_u64(head - view->at - room, view->end - view->at);
		if (view->at == view->end || peek(arena, view->thread, view->at, &view->stamp))
			break;
	}
	if (view->at > from)
		/* no writer overwrites an end; a thread without a lane may have told some */
		append_gap(arena, view->at - from, FEED_MARK(view->thread, view->at - 1),
			   room == 0);
}

static void put_view(struct merge *merge, const struct view *view)
{
	uint32_t at = merge->count;

	/*
	 * The one with the greatest stamp waits for the next time, and with it what has a greater
	 * one. Equal ones do not: of two changes with one stamp neither came before the other.
	 */
	if (merge->count == VIEWS) {
		struct view *last = &merge->views[--at];
		merge->limit = min_u64(merge->limit, max_u64(last->stamp, view->stamp));
		if (view->stamp >= last->stamp)
			return;
		merge->count--;
	}
	for (; at > 0 && merge->views[at - 1].stamp > view->stamp; at--)
		merge->views[at] = merge->views[at - 1];
	merge->views[at] = *view;
	merge->count++;
}

/* Is there anything to number? Counts that are damaged are told as a gap, and made whole. */
static bool begin_view(struct arena *arena, uint32_t thread, struct view *ret_view)
{
	struct thread_record *record = &arena->threads[thread];
	const uint64_t head = load_acquire(&record->lane_head); /* pairs [F1] */

	*ret_view = (struct view){ .thread = thread, .at = record->lane_tail, .end = head };
	if (likely(record->lane_tail <= head && head < FEED_INDEX_END))
		return record->lane_tail < head;
	if (record->lane_tail != head) {
		append_gap(arena, 0, 0, true);
		store_release(&record->lane_tail, head);
	}
	return false;
}

/* The first pass: the lanes that have events. */
static void see_lanes(struct arena *arena, struct merge *merge)
{
	const uint32_t high = lanes(arena);
	struct view view;

	merge->count = 0;
	merge->limit = UINT64_MAX;
	for (uint32_t thread = 0; thread < high; thread++) {
		if (!begin_view(arena, thread, &view))
			continue;
		find_next(arena, &view);
		if (view.at < view.end)
			put_view(merge, &view);
	}
	memset(merge->seen, 0, sizeof(merge->seen));
	for (uint32_t i = 0; i < merge->count; i++)
		merge->seen[merge->views[i].thread / 64] |= 1ull << merge->views[i].thread % 64;
}

/*
 * The second pass: the smallest stamp that was told since the first one. A lane that was lapped
 * since tells none, so all has to wait; of a lane that has nothing else the loss is told at once.
 */
static void see_lanes_again(struct arena *arena, struct merge *merge)
{
	const uint32_t high = lanes(arena);
	struct view view;

	for (uint32_t thread = 0; thread < high; thread++) {
		if ((merge->seen[thread / 64] & 1ull << thread % 64) != 0 ||
		    !begin_view(arena, thread, &view))
			continue;
		find_next(arena, &view);
		if (view.at < view.end)
			merge->limit = min_u64(merge->limit, view.stamp);
	}
	for (uint32_t i = 0; i < merge->count; i++) {
		const struct view *seen = &merge->views[i];
		uint64_t stamp = 0;
		if (load_acquire(&arena->threads[seen->thread].lane_head) <= seen->end)
			continue; /* pairs [F1] */
		(void)peek(arena, seen->thread, seen->end, &stamp);
		merge->limit = min_u64(merge->limit, stamp);
	}
}

/* Number the next entry of a view. */
static void number_next(struct arena *arena, struct view *view)
{
	const struct thread_record *record = &arena->threads[view->thread];
	const struct feed_entry *entry = lane_entry(arena, load_acquire(&record->lane), view->at);
	struct feed_entry event;

	if (entry != NULL && feed_copy_event(&event, entry, view->at + 1))
		append(arena, &event, FEED_MARK(view->thread, view->at), false);
	else /* overwritten since, or damaged */
		append_gap(arena, 1, FEED_MARK(view->thread, view->at), false);
	view->at++;
	find_next(arena, view);
}

/* Number what may be numbered, the smallest stamps first. */
static void number_views(struct arena *arena, struct merge *merge, uint32_t *left)
{
	while (merge->count > 0 && *left > 0) {
		struct view view = merge->views[0];
		const uint64_t next = merge->count > 1 ? merge->views[1].stamp : UINT64_MAX;

		if (view.stamp > merge->limit || !feed_ends_room(arena))
			return;
		do {
			number_next(arena, &view);
			--*left;
		} while (view.at<view.end && * left> 0 &&
			 view.stamp <= min_u64(next, merge->limit) && feed_ends_room(arena));
		merge->count--;
		memmove(&merge->views[0], &merge->views[1], merge->count * sizeof(merge->views[0]));
		if (view.at < view.end)
			put_view(merge, &view);
	}
}

bool feed_number(struct actor *actor, uint32_t most, bool *ret_left)
{
	struct arena *arena = actor->arena;
	uint32_t left = most;
	struct merge merge;

	if (ret_left != NULL)
		*ret_left = false;
	if (actor->record->intent.hand != 0 ||
	    !lock_try(actor, &arena->header->feed_lock, LOCK_FEED))
		return false;
	feed_finish(arena);
	for (uint32_t idle = 0; left > 0 && idle < IDLE_MAX;) {
		const uint32_t before = left;
		feed_ends_trim(actor);
		see_lanes(arena, &merge);
		tell_untold(arena);
		if (merge.count == 0)
			break;
		see_lanes_again(arena, &merge);
		number_views(arena, &merge, &left);
		idle = left == before ? idle + 1 : 0;
	}
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	if (ret_left != NULL)
		*ret_left = left == 0;
	return true;
}

static bool is_pending(const struct thread_record *record)
{
	/* relaxed: a first look; the holder of feed_lock looks again */
	return load_relaxed(&record->lane_head) != load_relaxed(&record->lane_tail);
}

bool feed_number_gap(struct actor *actor, uint64_t missed)
{
	struct arena *arena = actor->arena;

	if (!lock_try(actor, &arena->header->feed_lock, LOCK_FEED))
		return false;
	feed_finish(arena);
	append_gap(arena, missed, 0, true);
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return true;
}

bool feed_is_end_noted(const struct arena *arena, const struct thread_record *record,
		       uint32_t noted)
{
	const uint64_t head = load_acquire(&record->lane_head); /* pairs [F1] */
	const uint32_t more = (noted - (uint32_t)head) & ~EVENT_FLAGS;

	if ((noted & EVENT_NOTED) == 0 || more - 1 >= FEED_PER_CHANGE)
		return false;
	for (uint64_t index = head; index < head + more; index++) {
		const struct feed_entry *entry =
			lane_entry(arena, load_acquire(&record->lane), index); /* pairs [F1] */
		if (entry != NULL && (entry->kind & FEED_ENDS) != 0)
			return true;
	}
	return false;
}

bool feed_pending(const struct arena *arena)
{
	const uint32_t high = lanes(arena);

	for (uint32_t thread = 0; thread < high; thread++)
		if (is_pending(&arena->threads[thread]))
			return true;
	return false;
}

/* Ends stay in the lane, and what comes behind them. */
static void give_up_changes(struct arena *arena, uint32_t thread)
{
	struct thread_record *record = &arena->threads[thread];
	const uint64_t room = arena->lane_mask + 1;

	if (record->lane_head - record->lane_tail > room)
		record->lane_tail = record->lane_head - min_u64(record->lane_head, room);
	for (; record->lane_tail < record->lane_head; record->lane_tail++) {
		const struct feed_entry *entry = lane_entry(arena, record->lane, record->lane_tail);
		if (entry != NULL && entry->number == record->lane_tail + 1 &&
		    (entry->kind & FEED_ENDS) != 0)
			return;
	}
}

void feed_begin_epoch(struct arena *arena)
{
	struct arena_header *h = arena->header;
	const uint64_t begin = arena_feed_begin(load_relaxed(&h->version_epoch));

	feed_finish(arena); /* while it can tell which event was numbered last */
	for (uint32_t thread = 0; thread < arena->max_threads; thread++)
		give_up_changes(arena, thread);
	h->feed_next = max_u64(h->feed_next, begin);
	h->feed_first = h->feed_next;
}

void feed_repair(struct arena *arena, struct intent *intent, uint32_t name)
{
	if (!lock_held_by(&arena->header->feed_lock, name))
		return;
	feed_finish(arena);
	feed_ends_repair(arena, intent);
	lock_release_of(&arena->header->feed_lock, name);
}
