/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.c: the calls of the feed. Positions are numbers, so a reader that dies leaves nothing.
 *
 * A reader that has come to the end numbers what the lanes have (store/feed.h); if there is nothing
 * it sleeps on one word of the header, which all readers share. It sets the lowest bit and then
 * looks at the lanes once more, and a writer completes its event and then looks at the bit [F3]:
 * if it is set, it adds one to the word and wakes. So no wake-up is lost. The word is not set for
 * 50 us after a wake-up; until then readers nap. So writers wake sleepers at most every 50 us,
 * whatever the number of readers. What a death swallows is found after 100 ms.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/cancel.h"
#include "api/handle.h"
#include "api/look.h"
#include "store/feed.h"
#include "sync/lock.h"

#define LOOK_NS 100000000ll
#define WAKE_NS 50000ll
#define BLIND_NS 10000000ll /* how often a handle looks that may write nothing */
#define BURST 8u            /* events in BURST_NS: writers are at it all the time */
#define BURST_NS 20000ll
#define LOOKS 8u /* at lanes that another process numbers, before one sleeps all the same */

struct corral_feed {
	struct corral *corral;
	uint64_t at;      /* the number to be read next */
	int64_t burst_ns; /* CLOCK_MONOTONIC */
	uint64_t burst;   /* events since then */
	uint32_t kinds;
	uint32_t restaurant_size; /* 0: any */
	uint32_t session_size;
	char restaurant[CORRAL_ID_MAX];
	char session[CORRAL_ID_MAX];
	char cursor[CURSOR_NAME_BYTES]; /* "": it is none */
	struct feed_entry entry;
	void *version; /* what the view of corral_feed_cart() shows */
};

static int take_filter(const struct corral_text *text, char id[CORRAL_ID_MAX], uint32_t *ret_size)
{
	if (text == NULL)
		return 0;
	if (text->data == NULL || text->size == 0)
		return -EINVAL;
	if (text->size > CORRAL_ID_MAX)
		return -ENAMETOOLONG;
	memcpy(id, text->data, text->size);
	*ret_size = (uint32_t)text->size;
	return 0;
}

/* Are ends all that is wanted? */
static bool wants_ends(const struct corral_feed *feed)
{
	return feed->kinds != 0 && (feed->kinds & ~FEED_ENDS) == 0;
}

/* 0, or -EINTR. */
static int nap(int64_t ns)
{
	const struct timespec time = { .tv_nsec = ns };

	/* by number: glibc's nanosleep is a cancellation point */
	return syscall(SYS_nanosleep, &time, NULL) < 0 ? -EINTR : 0;
}

/* Number what the lanes have. Nothing, for a handle that may write nothing. */
static int number(struct corral *corral)
{
	struct actor *actor;

	if (unlikely(corral->unregistered))
		return 0;
	int r = handle_actor(corral, &actor);
	/* not from a signal handler in the middle of a change: ends that are let go are freed */
	if (r == 0 && !actor->in_change)
		(void)feed_number(actor, FEED_BATCH, NULL);
	return r;
}

/* All that has happened already, also if another process is at it: it is given a while for that. */
static int number_all(struct corral *corral)
{
	const int64_t give_up_ns = clock_now_ns() + LOOK_NS;
	struct actor *actor;
	bool left = true;

	if (unlikely(corral->unregistered))
		return 0;
	int r = handle_actor(corral, &actor);
	while (r == 0 && !actor->in_change && left && clock_now_ns() < give_up_ns)
		if (!feed_number(actor, FEED_BATCH, &left)) {
			left = true;
			nap(WAKE_NS);
		}
	return r;
}

/* Where a reader begins that wants the oldest there is. */
static uint64_t oldest_for(struct corral_feed *feed)
{
	const struct arena *arena = &feed->corral->arena;
	uint32_t size;

	return wants_ends(feed) && feed_find_end(arena, 0, &feed->entry, &size) == 0 ?
		       min_u64(feed->entry.number, feed_oldest(arena)) :
		       feed_oldest(arena);
}

static int make_feed(struct corral *corral, const struct corral_feed_filter *filter,
		     struct corral_feed **ret_feed)
{
	if (corral->remote != NULL)
		return -EOPNOTSUPP; /* an engine keeps no events */
	struct corral_feed *feed = calloc(1, sizeof(*feed));
	int r = feed != NULL ? 0 : -ENOMEM;

	if (r == 0 && filter != NULL) {
		feed->kinds = filter->kinds;
		r = take_filter(filter->restaurant_id, feed->restaurant, &feed->restaurant_size);
		if (r == 0)
			r = take_filter(filter->session_id, feed->session, &feed->session_size);
	}
	if (r < 0) {
		free(feed);
		return r;
	}
	feed->corral = corral;
	*ret_feed = feed;
	return 0;
}

int corral_feed_open(struct corral *corral, uint64_t from, const struct corral_feed_filter *filter,
		     struct corral_feed **ret_feed)
{
	struct corral_feed *feed;
	int r = make_feed(corral, filter, &feed);

	if (r < 0)
		return r;
	if (from == CORRAL_FEED_NOW)
		r = number_all(corral); /* what has happened already is behind us */
	if (r < 0) {
		free(feed);
		return r;
	}
	feed->at = from == CORRAL_FEED_OLDEST ? oldest_for(feed) :
		   from == CORRAL_FEED_NOW    ? feed_next(&corral->arena) :
						from;
	*ret_feed = feed;
	return 0;
}

/* ----------------------------------------------------------------- cursors */

static int take_name(struct corral_text name, char ret_name[CURSOR_NAME_BYTES])
{
	if (name.size == 0 || name.size > CORRAL_CURSOR_MAX || name.data == NULL ||
	    memchr(name.data, 0, name.size) != NULL)
		return -EINVAL;
	memcpy(ret_name, name.data, name.size);
	ret_name[name.size] = '\0';
	return feed_cursor_name(ret_name) ? 0 : -EINVAL;
}

/* The actor of a handle that may write. */
static int writer(struct corral *corral, struct actor **ret_actor)
{
	if (corral->remote != NULL)
		return -EOPNOTSUPP;
	if (corral->unregistered || (corral->flags & CORRAL_READ_ONLY) != 0)
		return -EROFS;
	return handle_actor(corral, ret_actor);
}

int corral_feed_open_cursor(struct corral *corral, struct corral_text name,
			    const struct corral_feed_filter *filter, struct corral_feed **ret_feed)
{
	struct corral_feed *feed;
	struct actor *actor;
	int r = writer(corral, &actor);

	if (r == 0)
		r = make_feed(corral, filter, &feed);
	if (r < 0)
		return r;
	r = take_name(name, feed->cursor);
	if (r == 0 && feed_cursor_find(&corral->arena, feed->cursor) == NULL)
		r = number_all(corral); /* a new one begins now */
	if (r == 0)
		r = feed_cursor_open(actor, feed->cursor, &feed->at);
	if (r < 0) {
		free(feed);
		return r;
	}
	*ret_feed = feed;
	return 0;
}

int corral_feed_ack(struct corral_feed *feed, uint64_t number)
{
	struct corral *corral = feed->corral;
	struct actor *actor;
	int r = writer(corral, &actor);

	if (r < 0)
		return r;
	if (feed->cursor[0] == '\0' || number >= feed_next(&corral->arena))
		return -EINVAL;
	struct feed_cursor *cursor = feed_cursor_find(&corral->arena, feed->cursor);
	if (cursor == NULL)
		return -ENOENT;
	feed_cursor_ack(cursor, number + 1);
	return handle_verdict(corral, 0);
}

int corral_cursors(struct corral *corral, struct corral_cursor *ret_cursors, size_t max,
		   size_t *ret_count)
{
	size_t count = 0;

	if (corral->remote != NULL)
		return -EOPNOTSUPP;
	int r = number(corral); /* what has happened already counts */
	for (uint32_t i = 0; i < FEED_CURSORS && count < max; i++)
		count += feed_cursor_show(&corral->arena, i, &ret_cursors[count]);
	*ret_count = count;
	return handle_verdict(corral, r);
}

int corral_cursor_remove(struct corral *corral, struct corral_text name)
{
	char string[CURSOR_NAME_BYTES];
	struct actor *actor;
	int r = writer(corral, &actor);

	if (r == 0)
		r = take_name(name, string);
	return r == 0 ? feed_cursor_remove(actor, string) : r;
}

void corral_feed_close(struct corral_feed *feed)
{
	if (feed != NULL)
		free(feed->version);
	free(feed);
}

uint64_t corral_feed_position(const struct corral_feed *feed)
{
	return feed->at;
}

/* ------------------------------------------------------------------ events */

static uint32_t public_kind(uint32_t kind)
{
	static const uint8_t kinds[] = {
		[CART_ADD] = CORRAL_STEP_ADD,
		[CART_SET_QUANTITY] = CORRAL_STEP_SET_QUANTITY,
		[CART_REMOVE] = CORRAL_STEP_REMOVE,
		[CART_CLEAR] = CORRAL_STEP_CLEAR,
		[CART_SET_TAX] = CORRAL_STEP_SET_TAX,
		[CART_SET_ATTRIBUTE] = CORRAL_STEP_SET_ATTRIBUTE,
		[CART_SET_TTL] = CORRAL_STEP_SET_TTL,
		[CART_CHECKOUT] = CORRAL_STEP_CHECKOUT,
		[CART_REPLACE] = CORRAL_STEP_REPLACE,
		[CART_PUT] = CORRAL_STEP_RESTORE,
		[CART_CHANGE_QUANTITY] = CORRAL_STEP_CHANGE_QUANTITY,
		[CART_SET_ADJUSTMENT] = CORRAL_STEP_SET_ADJUSTMENT,
		[CART_REMOVE_ADJUSTMENT] = CORRAL_STEP_REMOVE_ADJUSTMENT,
		[CART_SET_PRICING] = CORRAL_STEP_SET_PRICING,
		[CART_SET_CURRENCY] = CORRAL_STEP_SET_CURRENCY,
		[CART_SET_LINE_TAX] = CORRAL_STEP_SET_LINE_TAX,
	};

	return kind < sizeof(kinds) ? kinds[kind] : 0;
}

static const uint8_t *take_text(char *to, const uint8_t *from, uint32_t size)
{
	memcpy(to, from, size);
	to[size] = '\0';
	return from + size;
}

static void tell(const struct feed_entry *entry, struct corral_event *event)
{
	const uint32_t currency = entry->currency | (uint32_t)entry->currency_digits << 16;
	const struct feed_step *steps = feed_steps(entry);

	event->number = event->from = event->to = entry->number;
	event->kind = entry->kind;
	event->status = entry->status;
	event->missed = entry->kind == CORRAL_EVENT_GAP ? entry->missed : 0;
	event->content = (entry->kind & FEED_ENDS) != 0 && entry->copy != 0;
	event->time_ms = entry->time_ms;
	event->version = entry->version;
	event->subtotal_cents = entry->subtotal_cents;
	event->tax_cents = entry->tax_cents;
	event->total_cents = entry->total_cents;
	event->item_count = entry->item_count;
	event->line_count = entry->line_count;
	event->pid = entry->pid;
	event->step_count = entry->step_count;
	event->steps_told = feed_steps_told(entry);
	cart_currency_code(cart_currency_valid(currency) ? currency : 0, event->currency,
			   &event->currency_digits);
	memcpy(event->label, entry->label, sizeof(event->label));
	event->label[sizeof(event->label) - 1] = '\0';
	const uint8_t *at = take_text(event->restaurant_id, entry->bytes, entry->restaurant_size);
	at = take_text(event->session_id, at, entry->session_size);
	(void)take_text(event->op_id, at, entry->op_size);
	for (uint32_t i = 0; i < event->steps_told; i++)
		event->steps[i] = (struct corral_event_step){ .kind = public_kind(steps[i].kind),
							      .line = steps[i].line,
							      .amount = steps[i].amount };
}

/* A gap that this reader has, for it was too slow, or was away for a while. */
static void tell_gap(uint64_t from, uint64_t to, uint64_t missed, struct corral_event *event)
{
	memset(event, 0, sizeof(*event));
	event->kind = CORRAL_EVENT_GAP;
	event->number = event->to = to;
	event->from = from;
	event->missed = missed;
	event->time_ms = arena_wall_ms();
}

static bool is_wanted(const struct corral_feed *feed, const struct feed_entry *entry)
{
	if (entry->kind == CORRAL_EVENT_GAP)
		return true;
	return (feed->kinds == 0 || (feed->kinds & entry->kind) != 0) &&
	       (feed->restaurant_size == 0 ||
		(feed->restaurant_size == entry->restaurant_size &&
		 memcmp(feed->restaurant, entry->bytes, feed->restaurant_size) == 0)) &&
	       (feed->session_size == 0 ||
		(feed->session_size == entry->session_size &&
		 memcmp(feed->session, entry->bytes + entry->restaurant_size, feed->session_size) ==
			 0));
}

/*
 * What comes next for a reader that is behind the ring, where only ends are kept. GAP: the events
 * from feed->at up to the one before *ret_until were missed. END: the next event is feed->entry.
 * NOTHING: nothing was missed up to where the ring begins, or where the next end is.
 */
enum behind { BEHIND_GAP, BEHIND_END, BEHIND_NOTHING };

static enum behind look_behind(struct corral_feed *feed, uint64_t oldest, uint64_t *ret_until)
{
	const struct arena *arena = &feed->corral->arena;
	uint32_t size;
	const bool kept = feed_find_end(arena, feed->at, &feed->entry, &size) == 0 &&
			  feed->entry.number < oldest;

	*ret_until = kept ? feed->entry.number : oldest;
	if (wants_ends(feed)) /* a gap is only where ends were let go */
		*ret_until = min_u64(*ret_until, load_acquire(&arena->header->ends_from));
	if (feed->at < *ret_until)
		return BEHIND_GAP;
	if (kept && size == 0 && (feed->entry.kind & FEED_ENDS) != 0)
		feed->entry.copy = 0;
	feed->at = kept ? feed->entry.number : oldest;
	return kept ? BEHIND_END : BEHIND_NOTHING;
}

/* An epoch's numbers follow one another; those of two epochs do not. */
static uint64_t numbers_between(uint64_t from, uint64_t until)
{
	return (from - 1) >> FEED_EPOCH_BITS == (until - 1) >> FEED_EPOCH_BITS ? until - from : 0;
}

/* Go on towards the ring. How many events there are at `ret_event`: 0 or 1. */
static size_t catch_up(struct corral_feed *feed, uint64_t oldest, struct corral_event *ret_event)
{
	uint64_t until;

	switch (look_behind(feed, oldest, &until)) {
	case BEHIND_GAP:
		tell_gap(feed->at, until - 1, numbers_between(feed->at, until), ret_event);
		feed->at = until;
		return 1;
	case BEHIND_END:
		feed->at++;
		if (!is_wanted(feed, &feed->entry))
			return 0;
		tell(&feed->entry, ret_event);
		return 1;
	default:
		return 0;
	}
}

/* A number of another arena: how many events there were in between is not known. */
static void begin_anew(struct corral_feed *feed, uint64_t oldest, struct corral_event *ret_event)
{
	tell_gap(feed->at, max_u64(feed->at, oldest - 1), 0, ret_event);
	feed->at = oldest;
}

/* The events up to the present end. */
static size_t collect(struct corral_feed *feed, struct corral_event *events, size_t max)
{
	const struct arena *arena = &feed->corral->arena;
	const uint64_t next = feed_next(arena);
	size_t count = 0;

	while (count < max && feed->at != next) {
		const uint64_t oldest = feed_oldest(arena);
		if (feed->at < oldest) {
			count += catch_up(feed, oldest, &events[count]);
		} else if (feed->at > next) {
			begin_anew(feed, oldest, &events[count++]);
		} else if (feed_read(arena, feed->at, &feed->entry)) {
			feed->at++;
			if (is_wanted(feed, &feed->entry))
				tell(&feed->entry, &events[count++]);
		} else if (feed->at >= feed_oldest(arena)) {
			tell_gap(feed->at, feed->at, 1, &events[count++]); /* damaged */
			feed->at++;
		}
	}
	return count;
}

/* ------------------------------------------------------------ last versions */

/* Into memory of our own. 0; -ENOENT, -ESTALE, -ENOMEM; -EAGAIN: it was let go meanwhile. */
static int copy_version(struct corral_feed *feed, uint64_t number, uint32_t *ret_size)
{
	const struct arena *arena = &feed->corral->arena;
	uint32_t size = 0;
	int r = feed_find_end(arena, number, &feed->entry, &size);

	if (r < 0 || feed->entry.number != number)
		return number < load_acquire(&arena->header->ends_from) ? -ESTALE : -ENOENT;
	if (size == 0)
		return -ENOENT;
	const uint32_t room = (uint32_t)align_up(size, 8);
	free(feed->version);
	feed->version = malloc(room);
	if (feed->version == NULL)
		return -ENOMEM;
	r = feed_next_end(arena, number, &feed->entry, feed->version, room, ret_size);
	if (r < 0 || feed->entry.number != number)
		return -EAGAIN;
	return *ret_size > 0 ? 0 : -EUCLEAN;
}

int corral_feed_cart(struct corral_feed *feed, uint64_t number, struct corral_view *ret_view)
{
	uint32_t size = 0;
	int r;

	do /* then the next look says so */
		r = copy_version(feed, number, &size);
	while (r == -EAGAIN);
	r = handle_verdict(feed->corral, r);
	if (r == 0)
		*ret_view = (struct corral_view){
			.version = feed->entry.version,
			.bytes = feed->version,
			.size = size,
			.deadline_ns = (int64_t)((uint64_t)feed->entry.time_ms * 1000000),
			.of.usual_ttl_ms = handle_usual_ttl_ms(feed->corral),
		};
	return r;
}

/* ----------------------------------------------------------------- waiting */

/*
 * -EAGAIN: nothing is there, and the next event wakes a thread that sleeps on the header's word
 * while it has the value *ret_seen. 0: look again, after a nap of at most left_ns.
 */
static int announce(const struct corral_feed *feed, int64_t left_ns, uint32_t *ret_seen)
{
	const struct arena *arena = &feed->corral->arena;
	struct arena_header *h = arena->header;
	/* relaxed: a hint, that a clock in the future does not stop */
	const int64_t since_ns = clock_now_ns() - load_relaxed(&h->feed_woken_ns);

	if (since_ns >= 0 && since_ns < WAKE_NS) {
		(void)nap((int64_t)min_u64((uint64_t)(WAKE_NS - since_ns), (uint64_t)left_ns));
		return 0;
	}
	*ret_seen = fetch_or_acq_rel(&h->feed_sleepers, 1u) | 1;
	fence_full(); /* before the look. pairs [F3] */
	if (feed_next(arena) != feed->at)
		return 0;
	if (!feed_pending(arena))
		return -EAGAIN;
	if (load_relaxed(&h->feed_lock) != 0) /* another process numbers it, else we do at once */
		(void)nap(WAKE_NS);
	return 0;
}

/* Sleep until there may be an event, for at most left_ns. 0, -ETIMEDOUT, -EINTR. */
static int wait_for_event(const struct corral_feed *feed, uint32_t *cancel, int64_t left_ns)
{
	struct arena_header *h = feed->corral->arena.header;
	uint32_t seen;

	if (feed->corral->unregistered)
		return nap((int64_t)min_u64(BLIND_NS, (uint64_t)left_ns));
	if (announce(feed, left_ns, &seen) == 0)
		return 0;
	int r = cancel_sleep(&h->feed_sleepers, seen, cancel,
			     (int64_t)min_u64(LOOK_NS, (uint64_t)left_ns));
	if (r == 0)
		store_relaxed(&h->feed_woken_ns, clock_now_ns());
	return r;
}

/* Go on behind events that are not wanted. 0: there is one that is, or a gap; -EAGAIN: the end. */
static int pass_unwanted(struct corral_feed *feed)
{
	const struct arena *arena = &feed->corral->arena;

	while (feed->at != feed_next(arena)) {
		const uint64_t oldest = feed_oldest(arena);
		uint64_t until;
		if (feed->at < oldest) {
			enum behind next = look_behind(feed, oldest, &until);
			if (next == BEHIND_NOTHING)
				continue;
			if (next == BEHIND_GAP || is_wanted(feed, &feed->entry))
				return 0;
		} else if (!feed_read(arena, feed->at, &feed->entry) ||
			   is_wanted(feed, &feed->entry))
			return 0;
		feed->at++;
	}
	return -EAGAIN;
}

static int pass_or_number(struct corral_feed *feed)
{
	int r = pass_unwanted(feed);

	if (r != -EAGAIN)
		return r;
	r = number(feed->corral);
	return r < 0 ? r : pass_unwanted(feed);
}

int look_at_feed(struct corral_feed *feed, uint64_t *ticket, uint32_t **ret_word,
		 uint32_t *ret_seen)
{
	struct corral *corral = feed->corral;
	struct arena_header *h = corral->arena.header;
	uint32_t looks = LOOKS;

	/* relaxed: another value says that a writer has woken all sleepers since the last look */
	if (*ticket != 0 && (load_relaxed(&h->feed_sleepers) | 1) != (uint32_t)*ticket)
		store_relaxed(&h->feed_woken_ns, clock_now_ns());
	*ret_word = corral->unregistered ? NULL : &h->feed_sleepers;
	*ret_seen = load_relaxed(&h->feed_sleepers); /* as above */
	for (;;) {
		int r = handle_verdict(corral, pass_or_number(feed));
		if (r != -EAGAIN)
			return r;
		if (!feed_on(&corral->arena))
			return -EOPNOTSUPP;
		if (corral->unregistered)
			return -EAGAIN;
		if (announce(feed, WAKE_NS, ret_seen) == -EAGAIN || --looks == 0)
			break;
	}
	*ticket = 1ull << 32 | *ret_seen;
	return -EAGAIN;
}

/*
 * A look at the lanes takes their cache lines from the writers, which fetch them back at their next
 * change. So a reader that has had many events in a short while waits for the end of that while
 * before it looks again: by then each writer has made several changes.
 */
static void pace(struct corral_feed *feed)
{
	int64_t now_ns = clock_now_ns();

	while (feed->burst >= BURST && now_ns - feed->burst_ns >= 0 &&
	       now_ns - feed->burst_ns < BURST_NS) {
		spin_pause();
		now_ns = clock_now_ns();
	}
	if (now_ns - feed->burst_ns < 0 || now_ns - feed->burst_ns >= BURST_NS) {
		feed->burst_ns = now_ns;
		feed->burst = 0;
	}
}

static int collect_or_number(struct corral_feed *feed, struct corral_event *events, size_t max,
			     size_t *ret_count)
{
	*ret_count = collect(feed, events, max);
	if (*ret_count > 0)
		return 0;
	pace(feed);
	int r = number(feed->corral);
	if (r == 0)
		*ret_count = collect(feed, events, max);
	feed->burst += *ret_count;
	return r;
}

int corral_feed_next(struct corral_feed *feed, struct corral_event *ret_events, size_t max,
		     int timeout_ms, uint32_t *cancel, size_t *ret_count)
{
	struct corral *corral = feed->corral;
	const int64_t give_up_ns =
		timeout_ms < 0 ? INT64_MAX : clock_now_ns() + timeout_ms * 1000000ll;
	size_t count = 0;

	if (max == 0)
		return -EINVAL;
	for (;;) {
		int r = handle_verdict(corral, collect_or_number(feed, ret_events, max, &count));
		if (r < 0)
			return r;
		if (count > 0)
			break;
		if (cancel_wanted(cancel))
			return -ECANCELED;
		const int64_t left_ns = give_up_ns - clock_now_ns();
		if (left_ns <= 0)
			return feed_on(&corral->arena) ? -ETIMEDOUT : -EOPNOTSUPP;
		if (!feed_on(&corral->arena))
			return -EOPNOTSUPP;
		if (wait_for_event(feed, cancel, left_ns) == -EINTR)
			return -EINTR;
	}
	*ret_count = count;
	return 0;
}
