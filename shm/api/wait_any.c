/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait_any.c: corral_wait_any(): one thread waits for many carts, for events, and for the
 * disk, at once.
 *
 * Each round looks at all of them, and sleeps on the words that the looks have returned. No wake-up
 * is lost: the kernel compares each word with what was seen before it puts the thread to sleep. It
 * takes 128 words; changes of further words, and a cart's end by inactivity, which changes no word,
 * are seen by the next round, a tenth of a second later at most. Without futex_waitv (Linux 5.16),
 * the thread sleeps on the cancel word only, and looks a hundred times a second.
 *
 * Carts on servers have no word: a connection tells of their changes. If there is nothing else to
 * wait for, the thread sleeps until it does; else it asks the connection in each round.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/cancel.h"
#include "api/look.h"
#include "api/remote.h"
#include "sync/lock.h"

#define ROUND_NS 100000000ll
#define BLIND_ROUND_NS 10000000ll
#define WORDS_MAX 128u
#define SECOND_NS 1000000000ll

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* the number on all architectures */
#define FUTEX_32 2
struct futex_waitv {
	uint64_t val;
	uint64_t uaddr;
	uint32_t flags;
	uint32_t reserved;
};
#endif

struct words {
	struct futex_waitv list[WORDS_MAX];
	unsigned count;
	bool others; /* something is awaited that is no cart on a server */
};

static void add_word(struct words *words, const uint32_t *word, uint32_t seen)
{
	if (word == NULL || words->count == WORDS_MAX)
		return;
	words->list[words->count++] = (struct futex_waitv){
		.val = seen,
		.uaddr = (uintptr_t)word,
		.flags = FUTEX_32,
	};
}

static int look(struct corral_awaited *awaited, bool slept, uint32_t **word, uint32_t *seen)
{
	if (awaited->feed != NULL)
		return look_at_feed(awaited->feed, &awaited->ticket, word, seen);
	if (awaited->key.restaurant_id.size == 0 && awaited->key.session_id.size == 0)
		return look_at_disk(awaited->corral, &awaited->ticket, slept, word, seen);
	return look_at_cart(awaited->corral, &awaited->key, awaited->past_version, word, seen,
			    &awaited->version);
}

/* Look at all that are not decided. Is one decided now? */
static bool look_at_all(struct corral_awaited *const *awaited, uint32_t count, bool slept,
			struct words *words, struct remote_waits *waits)
{
	bool decided = false;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t *word = NULL;
		uint32_t seen = 0;
		if (awaited[i]->result != -EAGAIN || remote_waits_skip(waits, i))
			continue;
		words->others |= !remote_is_awaited(awaited[i]);
		remote_waits_looked(waits, i);
		awaited[i]->result = look(awaited[i], slept, &word, &seen);
		if (awaited[i]->result == -EAGAIN)
			add_word(words, word, seen);
		else
			decided = true;
	}
	return decided;
}

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
}

/* Sleep until a word changes, at most until then. 0, -EINTR, or -ETIMEDOUT. */
static int sleep_on(const struct words *words, uint32_t *cancel, int64_t until_ns)
{
	struct timespec until = time_of(until_ns);
	int64_t blind_ns;

	if (words->count > 0) {
		if (syscall(SYS_futex_waitv, words->list, words->count, 0, &until,
			    CLOCK_MONOTONIC) >= 0 ||
		    errno == EAGAIN)
			return 0;
		if (errno == EINTR || errno == ETIMEDOUT)
			return -errno;
	}
	blind_ns = until_ns - clock_now_ns();
	blind_ns = blind_ns < BLIND_ROUND_NS ? blind_ns : BLIND_ROUND_NS;
	until = time_of(blind_ns > 0 ? blind_ns : 0);
	if (cancel != NULL)
		return futex_sleep(cancel, 0, &until);
	/* by number: glibc's nanosleep is a cancellation point */
	return syscall(SYS_nanosleep, &until, NULL) < 0 ? -errno : -ETIMEDOUT;
}

static int sleep_until_told(const struct words *words, struct remote_waits *waits,
			    struct corral_awaited *const *awaited, uint32_t count, uint32_t *cancel,
			    int64_t give_up_ns)
{
	const int64_t round_ns = clock_now_ns() + ROUND_NS;
	int r = remote_waits_sleep(waits, awaited, count, words->others ? 0 : give_up_ns, cancel);

	if (r == 0 || r == -EINTR || (r == -ETIMEDOUT && !words->others && waits->watch_count == 1))
		return r;
	return sleep_on(words, cancel, round_ns < give_up_ns ? round_ns : give_up_ns);
}

static int wait_any(struct corral_awaited *const *awaited, uint32_t count, int timeout_ms,
		    uint32_t *cancel, struct remote_waits *waits)
{
	int64_t give_up = timeout_ms < 0 ? INT64_MAX : clock_now_ns() + timeout_ms * 1000000ll;
	bool slept = false;

	for (;;) {
		struct words words = { .count = 0 };
		add_word(&words, cancel, 0);
		if (look_at_all(awaited, count, slept, &words, waits))
			return 0;
		if (cancel_wanted(cancel))
			return -ECANCELED;
		if (clock_now_ns() >= give_up)
			return -ETIMEDOUT;
		int r = sleep_until_told(&words, waits, awaited, count, cancel, give_up);
		if (r == -EINTR)
			return r;
		slept = r == -ETIMEDOUT;
	}
}

int corral_wait_any(struct corral_awaited *const *awaited, uint32_t count, int timeout_ms,
		    uint32_t *cancel)
{
	struct remote_waits waits = { .begun = false };
	int r = wait_any(awaited, count, timeout_ms, cancel, &waits);

	remote_waits_end(&waits);
	return r;
}
