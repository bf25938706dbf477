/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel.c: see cancel.h.
 *
 * Two words are slept on at once with futex_waitv (Linux 5.16). If the kernel lacks it, or a
 * sandbox refuses it, the sleep is on the arena's word alone and ends after 100 ms, so that a
 * cancel is noticed by then. A refusal is not remembered: a filter may apply to one thread only.
 *
 * No wake-up is lost: the kernel compares both words with what the caller has seen before it puts
 * the thread to sleep, and corral_cancel() stores before it wakes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/cancel.h"
#include "corral.h"

#define LOOK_NS 100000000ll /* how often a cancel word is looked at that cannot be slept on */
#define SECOND_NS 1000000000ll

void corral_cancel(uint32_t *cancel)
{
	store_release(cancel, 1u);
	futex_wake(cancel, INT_MAX);
}

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
}

static int sleep_on_one(uint32_t *word, uint32_t seen, int64_t wait_ns)
{
	const struct timespec timeout = time_of(wait_ns);

	return futex_sleep(word, seen, &timeout);
}

#ifdef SYS_futex_waitv
/* -ENOSYS: it cannot be done so here. */
static int sleep_on_both(uint32_t *word, uint32_t seen, uint32_t *cancel, int64_t wait_ns)
{
	struct futex_waitv words[] = {
		{ .val = seen, .uaddr = (uintptr_t)word, .flags = FUTEX_32 },
		{ .val = 0, .uaddr = (uintptr_t)cancel, .flags = FUTEX_32 },
	};
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until = time_of(until.tv_sec * SECOND_NS + until.tv_nsec + wait_ns);
	if (syscall(SYS_futex_waitv, words, 2, 0, &until, CLOCK_MONOTONIC) >= 0 || errno == EAGAIN)
		return 0;
	return errno == ETIMEDOUT || errno == EINTR ? -errno : -ENOSYS;
}
#else
static int sleep_on_both(uint32_t *word, uint32_t seen, uint32_t *cancel, int64_t wait_ns)
{
	(void)word;
	(void)seen;
	(void)cancel;
	(void)wait_ns;
	return -ENOSYS;
}
#endif

int cancel_sleep(uint32_t *word, uint32_t seen, uint32_t *cancel, int64_t wait_ns)
{
	int r = cancel != NULL ? sleep_on_both(word, seen, cancel, wait_ns) :
				 sleep_on_one(word, seen, wait_ns);

	if (r != -ENOSYS || cancel == NULL)
		return r;
	return sleep_on_one(word, seen, wait_ns < LOOK_NS ? wait_ns : LOOK_NS);
}
