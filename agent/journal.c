/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c: the thread that writes the journal; the format is in journal_file.h.
 *
 * A round: take the dirty bits and note them as drained; behind a fence [J1], write each slot's
 * newest version, read in a read-side section without its lock; write the ends that have happened
 * by then, and the cursors (journal_ends.c); sync once; clear the drained bits, and answer all
 * requests for a sync that were made before the round. A death in between leaves drained bits,
 * which the next agent makes dirty again.
 *
 * A file begins with a base: besides dirty slots, each round writes a part of all slots, until
 * every slot has been written. Then a BASE record says so, and older files are removed. When a file
 * has outgrown its base, the next one begins. Changes never stop for this.
 *
 * If the disk fails: what was drained is made dirty again, the file is given up for good (a failed
 * sync is never retried as if it had worked), and a new one with its own base is begun, after
 * pauses that grow. Until that base is synced, journal_error says that nothing new is durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "journal.h"
#include "journal_match.h"
#include "journal_write.h"
#include "store/feed_ends.h"
#include "undumped.h"

#define BASE_PAUSE_MS 10 /* while a base is being written */
/*
 * After a file could not be written, a new one is tried after a pause, which doubles up to this
 * many times: each try costs a base, and a full disk mostly stays full for a while.
 */
#define TROUBLE_PAUSE_MS 500u
#define TROUBLE_PAUSE_DOUBLINGS 4u
#define FILES_MAX 100   /* an agent that finds more begins a base, which removes them */
#define CLOCK_MS 10000  /* how often the clock is written in quiet times, without a sync */
#define GATHER_NS 30000 /* plus the timer's slack */
#define GATHER_TRIES 8u

/* ------------------------------------------------------------------- rounds */

static void base_is_over(struct journal *j)
{
	struct arena_header *h = j->actor->arena->header;

	j->base_pending = false;
	journal_end_carrying(j);
	j->failures = 0;
	j->base_bytes = j->after_base;
	j->after_base = 0;
	journal_remove_older(j);
	if (j->agent->recovered && load_relaxed(&h->journal_base) == 0)
		log_line(LOG_INFO, "the journal has a base of its own: a power loss costs no more "
				   "than usual again");
	store_relaxed(&h->journal_base, (uint32_t)j->number);
	if (load_relaxed(&h->journal_error) != 0) {
		log_line(LOG_INFO, "the journal is whole again: changes are durable");
		store_relaxed(&h->journal_error, 0);
		store_relaxed(&h->journal_since_ms, 0);
	}
}

/* From now on this file does not count. */
static void give_up_file(struct journal *j, int error)
{
	struct arena_header *h = j->actor->arena->header;

	char name[JOURNAL_NAME_BYTES];

	journal_undrain(j->actor->arena);
	if (j->fd >= 0) {
		/*
		 * data that could not be synced may stay in the page cache, where a recovery in
		 * this boot would take it for valid
		 */
		(void)!ftruncate(j->fd, (off_t)j->synced_offset);
		close(j->fd);
		journal_name(j->number, name);
		/* else each try would leave a file behind on a full disk */
		if (j->synced_offset == 0)
			(void)unlinkat(j->dir_fd, name, 0);
	}
	j->fd = -1;
	j->fill = 0;
	j->failures++;
	if (load_relaxed(&h->journal_error) == 0) {
		log_line(LOG_ERROR,
			 "the journal cannot be written: %s: changes are not durable until it can "
			 "be",
			 strerror(-error));
		store_relaxed(&h->journal_since_ms, arena_wall_ms());
	}
	store_relaxed(&h->journal_error, error);
	futex_wake(&h->sync_done, INT_MAX); /* waiters check the error */
}

/* Is the file still where recovery will look for it, and does it have the size that we wrote? */
static int check_place(const struct journal *j)
{
	struct stat ours, there, dir;
	char name[JOURNAL_NAME_BYTES];

	journal_name(j->number, name);
	if (fstat(j->fd, &ours) < 0 || fstat(j->dir_fd, &dir) < 0)
		return -errno;
	bool same =
		fstatat(j->agent->dir_fd, JOURNAL_DIRECTORY, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		there.st_ino == dir.st_ino;
	same = same && fstatat(j->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       there.st_ino == ours.st_ino;
	if (!same) {
		log_line(LOG_ERROR, "somebody has taken the journal's file or directory away");
		return -EIO;
	}
	if ((uint64_t)ours.st_size != j->offset) {
		log_line(LOG_ERROR,
			 "somebody has changed the journal's file %s: it has %llu bytes instead of "
			 "%llu",
			 name, (unsigned long long)ours.st_size, (unsigned long long)j->offset);
		return -EIO;
	}
	return 0;
}

static bool is_outgrown(const struct journal *j)
{
	return !j->base_pending &&
	       j->after_base > max_u64(j->agent->options->journal_bytes, 2 * j->base_bytes);
}

static int sync_header(struct arena_header *h)
{
	return msync(h, sizeof(*h), MS_SYNC) == 0 ? 0 : -errno;
}

static int write_round(struct journal *j, bool asked)
{
	struct arena *arena = j->actor->arena;
	bool some = false, over = false;
	int64_t began_ms = arena_wall_ms();
	int r = j->fd >= 0 ? check_place(j) : 0;

	if (r == 0 && !j->header_synced) {
		r = sync_header(arena->header);
		j->header_synced = r == 0;
	}
	if (r == 0 && (j->fd < 0 || is_outgrown(j)))
		r = journal_begin_file(j, true);
	if (r == 0)
		r = journal_drain(j, &some);
	if (r == 0 && j->base_pending)
		r = journal_base_slots(j, &over);
	if (r == 0)
		r = journal_put_ends(j, &some);
	if (r == 0 && over)
		r = journal_put_base(j);
	bool due = arena_wall_ms() - j->clock_ms >= CLOCK_MS || arena_wall_ms() < j->clock_ms;
	bool sync = some || asked || over || j->base_pending;
	if (r == 0 && (sync || due)) {
		/*
		 * relaxed: if we read a slot's present cart, we also see how far the cart before it
		 * had got
		 */
		uint64_t ended = load_relaxed(&arena->header->ended_version);
		r = journal_append(j, JOURNAL_CLOCK, 0, arena_now_ns(arena), &ended, sizeof(ended));
		j->clock_ms = arena_wall_ms();
	}
	if (r == 0)
		r = journal_flush(j);
	if (r == 0 && sync)
		r = journal_sync(j);
	if (r == 0 && over)
		r = journal_prove_base(j);
	if (r == 0 && arena_withdrawn(arena))
		r = -ESTALE;
	if (r < 0)
		return r;
	journal_forget_drained(arena);
	if (sync)
		feed_ends_journaled(arena, j->ends_to);
	if (sync)
		(void)fetch_add_relaxed(&arena->header->journal_syncs, 1u);
	if (sync) {
		j->synced_offset = j->offset;
		store_relaxed(&arena->header->journal_bytes, j->offset);
	}
	if (over)
		base_is_over(j);
	if (!j->base_pending)
		store_relaxed(&arena->header->journal_synced_ms, began_ms);
	return 0;
}

static void round_of(struct journal *j)
{
	struct arena_header *h = j->actor->arena->header;
	/* acquire: what was marked before the request is seen below */
	uint32_t requested = load_acquire(&h->sync_requested);
	uint32_t done = load_relaxed(&h->sync_done); /* relaxed: only we write it */

	int r = write_round(j, requested != done);
	if (r == -ESTALE)
		return; /* the arena was withdrawn; the journal stays as it is */
	if (r < 0) {
		give_up_file(j, r);
		return;
	}
	/* without a whole base of this lineage recovery would not use the file */
	if (requested != done && load_relaxed(&h->journal_error) == 0 &&
	    load_relaxed(&h->journal_base) != 0) {
		j->served = requested - done;
		store_release(&h->sync_done, requested);
		futex_wake(&h->sync_done, INT_MAX);
	}
}

static uint64_t trouble_pause_ms(const struct journal *j)
{
	uint64_t doublings = j->failures > 0 ? j->failures - 1 : 0;

	return TROUBLE_PAUSE_MS << min_u64(doublings, TROUBLE_PAUSE_DOUBLINGS);
}

static void wait_for_work(struct journal *j)
{
	struct arena_header *h = j->actor->arena->header;
	uint64_t ms = j->fd < 0       ? trouble_pause_ms(j) :
		      j->base_pending ? BASE_PAUSE_MS :
					j->agent->options->journal_ms;
	struct timespec timeout = { .tv_sec = (time_t)(ms / 1000),
				    .tv_nsec = (long)(ms % 1000) * 1000000 };
	uint32_t done = load_relaxed(&h->sync_done);

	/* requests meanwhile get the error, and do not make us try more often */
	if (j->fd < 0) {
		(void)futex_sleep(&j->stop, 0, &timeout);
		return;
	}
	/* the callers got the error, so their requests must not wake us */
	if (load_relaxed(&h->journal_error) != 0)
		done = load_relaxed(&h->sync_requested);
	(void)futex_sleep(&h->sync_requested, done, &timeout);
}

/*
 * Callers that were served together by one sync ask again together, a moment apart. So wait for as
 * many requests as last time, but for less than a sync takes; otherwise the first caller would get
 * a sync of its own, and all the others another one.
 */
static void gather(const struct journal *j)
{
	const struct timespec pause = { .tv_nsec = GATHER_NS };
	struct arena_header *h = j->actor->arena->header;
	uint32_t done = load_relaxed(&h->sync_done);

	for (uint32_t i = 0; i < GATHER_TRIES; i++) {
		uint32_t asked = load_relaxed(&h->sync_requested) - done;
		if (asked == 0 || asked >= j->served)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

static void *journal_thread(void *context)
{
	struct journal *j = context;

	while (load_acquire(&j->stop) == 0) {
		wait_for_work(j);
		gather(j);
		if (!arena_withdrawn(j->actor->arena))
			round_of(j);
	}
	return NULL;
}

/* ----------------------------------------------------------- start and stop */

/* Measure the base, and what was written since. */
static void measure(struct journal *j, const uint64_t *numbers, int count)
{
	char name[JOURNAL_NAME_BYTES];
	struct stat st;

	for (int i = 0; i < count; i++) {
		journal_name(numbers[i], name);
		if (fstatat(j->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (numbers[i] == j->agent->actor->arena->header->journal_base)
			j->base_bytes = (uint64_t)st.st_size;
		else
			j->after_base += (uint64_t)st.st_size;
	}
}

static int open_journal(struct journal *j, char *why)
{
	struct arena *arena = j->agent->actor->arena;
	uint64_t *numbers = NULL;

	j->fd = j->dir_fd = -1;
	j->actor = j->agent->actor; /* until the thread runs with its own */
	j->buffer = undumped_alloc(JOURNAL_BUFFER_BYTES);
	j->marks = calloc(arena->max_carts, sizeof(*j->marks));
	if (j->buffer == NULL || j->marks == NULL)
		return reason_set(why, -ENOMEM, "no memory for the journal");
	j->dir_fd = journal_open_directory(j->agent->dir_fd, true);
	int r = j->dir_fd;
	int count = r >= 0 ? journal_list(j->dir_fd, &numbers) : r;
	journal_undrain(arena); /* what the last agent had drained but not written */
	bool on = count >= 0 && journal_match(j->agent, j->dir_fd) && count <= FILES_MAX;
	if (on)
		measure(j, numbers, count);
	else
		/* nothing counts until there is one */
		store_relaxed(&arena->header->journal_base, 0);
	r = count < 0 ? count : journal_begin_file(j, !on);
	/*
	 * After a time without a journal, a recovery would take the old files as the newest state,
	 * though the arena may have changed much since. So they are removed, and the arena stands
	 * alone until there is a base.
	 */
	if (!on && arena->header->journal == JOURNAL_MODE_OFF && fsync(arena->fd) == 0)
		journal_remove_older(j);
	free(numbers);
	if (r < 0)
		give_up_file(j, r); /* the agent serves without it, and tries again */
	return 0;
}

static void close_journal(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	if (j->dir_fd >= 0)
		close(j->dir_fd);
	free(j->buffer);
	free(j->marks);
	journal_end_carrying(j);
	free(j);
}

/* The thread acts with a thread record of its own. */
static void *thread_begins(void *context)
{
	struct journal *j = context;

	if (handle_actor(j->agent->corral, &j->actor) < 0) {
		log_line(LOG_ERROR, "no thread record for the journal: nothing becomes durable");
		store_relaxed(&j->agent->actor->arena->header->journal_error, -EUSERS);
		return NULL;
	}
	return journal_thread(j);
}

/* Signals go to the main thread, except those that the thread itself causes. */
static int begin_thread(struct journal *j)
{
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&j->thread, NULL, thread_begins, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/*
 * After a power loss, the arena's header decides whether the journal takes precedence over the
 * arena. So the header must say so on disk before any change is acknowledged.
 */
static int set_journal(struct arena_header *h, uint32_t mode, uint64_t interval_ms)
{
	store_relaxed(&h->journal_ms, (uint32_t)interval_ms);
	store_relaxed(&h->journal, mode);
	futex_wake(&h->sync_done, INT_MAX); /* waiters for an agent check whether to give up */
	return sync_header(h);
}

/*
 * From now on no journal takes precedence over the arena. Until now one may have done so, and then
 * the arena may never have been synced. A failure to sync is no reason not to serve.
 */
static void keep_none(struct arena *arena)
{
	struct arena_header *h = arena->header;
	const char *what = "arena";

	store_relaxed(&h->journal_base, 0u); /* the next journal begins with a base */
	store_relaxed(&h->journal_nonce, 0u);
	int r = h->journal != 0 && fsync(arena->fd) < 0 ? -errno : 0;
	if (r == 0) {
		r = set_journal(h, JOURNAL_MODE_OFF, 0);
		what = "arena's header";
	}
	store_relaxed(&h->journal, JOURNAL_MODE_OFF);
	if (r < 0)
		log_line(LOG_WARNING,
			 "cannot sync the %s (%s): after a power loss the carts may be those of "
			 "the former journal",
			 what, strerror(-r));
}

int journal_start(struct agent *agent, char *why)
{
	struct arena_header *h = agent->actor->arena->header;

	if (agent->options->journal_ms == 0) {
		keep_none(agent->actor->arena);
		return 0;
	}
	struct journal *j = calloc(1, sizeof(*j));
	if (j == NULL)
		return reason_set(why, -ENOMEM, "no memory for the journal");
	j->agent = agent;
	int r = open_journal(j, why);
	if (r == 0) {
		int synced = set_journal(
			h, agent->options->journal_sync ? JOURNAL_MODE_SYNC : JOURNAL_MODE_TIME,
			agent->options->journal_ms);
		j->header_synced = synced == 0;
		if (synced < 0)
			give_up_file(j, synced); /* nothing is durable until this is */
	}
	if (r == 0 && (r = begin_thread(j)) < 0)
		reason_system(why, r, "cannot begin the journal's thread");
	if (r < 0) {
		close_journal(j);
		return r;
	}
	agent->journal = j;
	return 0;
}

void journal_stop(struct agent *agent)
{
	struct journal *j = agent->journal;

	if (j == NULL)
		return;
	store_release(&j->stop, 1u);
	futex_wake(&j->stop, INT_MAX);
	/* a request like any other, to wake the thread */
	(void)fetch_add_relaxed(&agent->actor->arena->header->sync_requested, 1u);
	futex_wake(&agent->actor->arena->header->sync_requested, INT_MAX);
	pthread_join(j->thread, NULL);
	j->actor = agent->actor;
	if (!arena_withdrawn(agent->actor->arena))
		round_of(j);
	agent->journal = NULL;
	close_journal(j);
}
