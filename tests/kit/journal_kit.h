/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_kit.h: an agent with a journal, in its own process, that a test may kill or cut from
 * power; and helpers for carts.
 */
#ifndef JOURNAL_KIT_H
#define JOURNAL_KIT_H

#include <fcntl.h>
#include <sys/stat.h>

#include "false_clock.h"

#include "agent.h"
#include "api/handle.h"
#include "base/atomic.h"

#define SECOND_NS 1000000000ll
#define TTL_MS 100000

static struct yard yard;
static bool changes_wait;  /* agents started from now on make changes wait for the disk */
static bool no_membarrier; /* agents started from now on have no membarrier */
static bool no_ticks;      /* agents started from now on end no cart */

/* ------------------------------------------------------------------- agent */

static struct {
	uint32_t ready; /* 1: it serves, 2: its start was refused */
	uint32_t stop;
} * shared;

static inline int be_agent(void *context)
{
	static struct agent agent;
	const uint64_t *journal_ms = context;
	struct agent_options options = { .location = yard.path,
					 .size_bytes = 16 << 20,
					 .max_carts = 64,
					 .ttl_ms = TTL_MS,
					 .journal_ms = *journal_ms,
					 .journal_sync = changes_wait,
					 .journal_bytes = 16 << 20 };

	if (no_membarrier && !support_filter_membarrier(EPERM))
		return CHILD_SKIPS;
	agent.options = &options;
	agent.dir_fd = agent.log_fd = agent.listen_fd = agent.signal_fd = -1;
	log_threshold = LOG_ERROR;
	int code = agent_take_up(&agent);
	store_release(&shared->ready, code == EXIT_DONE ? 1u : 2u);
	while (code == EXIT_DONE && load_acquire(&shared->stop) == 0) {
		if (!no_ticks)
			agent_tick(&agent);
		support_sleep_us(2000);
	}
	if (code == EXIT_DONE)
		agent_give_up(&agent);
	return code;
}

static inline pid_t start_agent(uint64_t journal_ms)
{
	static uint64_t ms;

	ms = journal_ms;
	*shared = (__typeof__(*shared)){ 0 };
	pid_t pid = child_start(be_agent, &ms);
	assert_true(wait_until(load_acquire(&shared->ready) != 0, SUPPORT_WAIT_MS));
	assert_int_equal(shared->ready, 1);
	return pid;
}

static inline void stop_agent(pid_t pid)
{
	store_release(&shared->stop, 1u);
	assert_int_equal(child_wait(pid), EXIT_DONE);
}

/* Lose power: the agent dies, the memory is gone, the clock restarts at another value. */
static inline void lose_power(pid_t pid, struct corral *corral)
{
	child_kill(pid);
	corral_close(corral);
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_FILE, 0), 0);
	clock_pass(1000000 * SECOND_NS);
}

static inline int set_up(void **state)
{
	(void)state;
	yard_make_empty(&yard);
	changes_wait = no_membarrier = no_ticks = false;
	shared = support_shared(sizeof(*shared));
	clock_freeze();
	return 0;
}

static inline int tear_down(void **state)
{
	char command[512];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s/journal' '%s'/arena.damaged.*", yard.path,
		 yard.path);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of ours */
	yard_remove(&yard);
	return 0;
}

/* ------------------------------------------------------------------- carts */

static inline struct corral_key key_of(const char *session)
{
	return (struct corral_key){ { "r", 1 }, { session, strlen(session) } };
}

static inline int add(struct corral *corral, const char *session, const char *op_id,
		      struct corral_result *ret_result)
{
	const struct corral_key key = key_of(session);
	const struct corral_item item = { .menu_item_id = { "i", 1 },
					  .name = { "Item", 4 },
					  .unit_price_cents = 250,
					  .quantity = 1 };
	struct corral_op op = { 0 };

	if (op_id != NULL)
		op.id = (struct corral_text){ op_id, strlen(op_id) };
	return corral_add(corral, &key, &item, op_id != NULL ? &op : NULL, ret_result);
}

#endif
