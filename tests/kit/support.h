/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * support.h: what the tests of the layers above layout.h share: a directory with an arena in it and
 * no agent (struct yard), a process attached to it without the layers above alive.c (struct
 * member), bodies that run as threads or as processes (crew_run), children with a deadline, seeds.
 *
 * A body that runs outside the test's own thread uses must() instead of assert_...(), whose longjmp
 * would land in another thread's or process's stack.
 *
 * CORRAL_TEST_MODE=threads: only thread bodies run and process tests are skipped (ThreadSanitizer
 * does not follow processes). CORRAL_SEED=number: repeats a run as far as the scheduler lets it.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "arena/arena.h"
#include "corral.h"
#include "inspect/inspect.h"
#include "sync/alive.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SUPPORT_WAIT_MS 30000 /* no wait of a test is longer; a longer one counts as a hang */

/* ------------------------------------------------------------- randomness */

uint64_t support_seed(void); /* $CORRAL_SEED, else derived from the clock; printed once */
uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t bound);

/* ------------------------------------------------------------------- time */

int64_t support_now_ms(void);
void support_sleep_us(uint32_t us);

/* Wait until the condition holds; false when that takes longer than ms. */
#define wait_until(condition, ms)                                                                  \
	__extension__({                                                                            \
		const int64_t wait_end_ = support_now_ms() + (ms);                                 \
		bool wait_holds_ = false;                                                          \
		while (!(wait_holds_ = (condition)) && support_now_ms() < wait_end_)               \
			support_sleep_us(200);                                                     \
		wait_holds_;                                                                       \
	})

/* ------------------------------------------------------------------ bodies */

/* In a body: if the condition does not hold, print it, and end this child or thread as failed. */
#define must(condition) ((condition) ? (void)0 : support_give_up(__FILE__, __LINE__, #condition))
_Noreturn void support_give_up(const char *file, int line, const char *what);

extern __thread uint32_t
	*support_failures; /* a thread that gives up increments this; NULL: abort */

/* Until this test ends, cmocka catches no signal: its longjmp would land in another thread. */
void support_let_crash(void);

bool support_threads_only(void);
/*
 * Skip the test because the machine lacks an ability, and print which. (A missing package is no
 * reason: tools/deps.sh installs it.)
 */
#define skip_because(why)                                                                          \
	do {                                                                                       \
		print_message("skipped: %s\n", why);                                               \
		skip();                                                                            \
	} while (0)

/* First statement of a test that needs processes. */
#define NEEDS_PROCESSES()                                                                          \
	do {                                                                                       \
		if (support_threads_only())                                                        \
			skip_because("threads only (CORRAL_TEST_MODE)");                           \
	} while (0)

/*
 * Abilities that qemu-user lacks, each tried in a child: a limit of the address space holds; a
 * process forked from one with threads may make threads.
 */
bool support_limits_address_space(void);
bool support_forks_with_threads(void);

/*
 * True if fork wipes pages marked with MADV_WIPEONFORK, by which the library recognizes a child.
 * qemu-user accepts the madvise(2) call but does not wipe.
 */
bool support_fork_wipes(void);

#define NEEDS_WIPING_FORK()                                                                        \
	do {                                                                                       \
		NEEDS_PROCESSES();                                                                 \
		if (!support_fork_wipes())                                                         \
			skip_because("fork wipes no pages here, though madvise(2) promises it");   \
	} while (0)

/* Zeroed memory shared with children; it lasts until the program ends. */
void *support_shared(size_t bytes);

/* --------------------------------------------------------------- children */

#define CHILD_FAILED 99 /* exit code of a child that gave up */
#define CHILD_SKIPS 77

/* Fork; the child runs body(context) and exits with its return value. The child dies with us. */
pid_t child_start(int (*body)(void *context), void *context);
/*
 * Wait for the child: its exit code, or minus the signal that killed it. After too long a wait the
 * child is killed and the test fails.
 */
int child_wait(pid_t pid);
/*
 * In a child: from now on the system call of this number fails with this error; with 0 it does
 * nothing and returns success. Returns false where seccomp filters are not available (exit with
 * CHILD_SKIPS).
 */
bool support_filter_call(uint32_t number, uint32_t error);
bool support_filter_membarrier(uint32_t error);
/* True if support_filter_membarrier() would succeed; tried in a child. */
bool support_may_filter(void);
/* The path of a program of this build, which is beside the directory of the tests. */
void support_program(const char *name, char path[PATH_MAX]);
/* Send SIGKILL, and wait for its end. */
void child_kill(pid_t pid);
/* Send SIGSTOP, and wait until it has stopped. */
void child_stop(pid_t pid);

/* ------------------------------------------------------------------- yard */

struct yard { /* a directory that holds an arena and a lock file */
	char path[128];
	int dir_fd;
};

/* settings NULL: 8 MiB, 64 carts, a time to live of half an hour. */
void yard_make(struct yard *yard, const struct arena_settings *settings);
void yard_make_empty(struct yard *yard); /* no arena, no lock file */
void yard_remove(struct yard *yard);

/*
 * In a child: mount a file system of that size ("1M") over the yard's directory, in a new mount
 * namespace. Returns a new descriptor of the directory; -1: not allowed (exit with CHILD_SKIPS).
 */
int support_small_disk(const struct yard *yard, const char *size);

/* Open a handle; asserts that it works. */
struct corral *yard_open(const struct yard *yard, unsigned flags);

/* The first rows of a list: open, next, close. Returns what the first of them that fails returns.
 */
int support_list(struct corral *corral, const struct corral_text *restaurant_id,
		 struct corral_entry *ret_entries, size_t max, size_t *ret_count);

/*
 * Assert that every invariant holds and that every block and slot is in exactly one place; on
 * failure print the findings.
 */
void yard_check(const struct yard *yard, struct inspect_totals *ret_totals);

/* ----------------------------------------------------------------- member */

struct member { /* an attached process */
	struct arena arena;
	struct life life;
	bool can_membarrier;
	bool fenced;
};

extern bool support_no_membarrier; /* members that join act as if the kernel had no membarrier(2) */

/* 0 or -errno. */
int member_join(const struct yard *yard, struct member *ret_member);
/* Give the record back. */
void member_leave(struct member *member);
/* End as a killed process does: release the byte and leave everything in the arena as it is. */
void member_vanish(struct member *member);

/* In a forked child: close the inherited descriptors, or the parent would never be found dead. */
void member_disinherit(void);

/* A settled thread record of the member, with a patience of one second. 0 or -EUSERS. */
int member_actor(struct member *member, struct actor *ret_actor);
void member_dismiss(struct actor *actor);

/* ------------------------------------------------------------------- crew */

struct crewman {
	uint32_t number;
	struct member *member;
	struct actor *actor;
	void *shared;
	uint64_t random;
};

/*
 * Run `count` bodies at the same time, as threads of one member or as processes that are each a
 * member, and wait for them; the test fails when one of them fails. Yard NULL: no member, no actor.
 */
void crew_run(const struct yard *yard, bool processes, uint32_t count,
	      void (*body)(struct crewman *self), void *shared);

#endif
