/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_life.c: see power_life.h.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic.h"
#include "power_history.h"
#include "power_life.h"
#include "power_trace.h"

struct agent_options power_options = { .size_bytes = ARENA_BYTES_MIN,
				       .max_carts = 64,
				       .ttl_ms = 24 * 3600 * 1000ull,
				       .journal_ms = 3600000, /* rounds run only on request */
				       .journal_bytes = 24 << 10,
				       .log_level = LOG_ERROR };

struct power_life power_life;

/*
 * The promise before each step of the agent. A sync counts as acknowledged from the moment when its
 * caller could see the ticket advance.
 */
static struct power_promise promise(void)
{
	if (power_life.corral != NULL) {
		const struct arena_header *h = power_life.corral->arena.header;
		if ((int32_t)(__atomic_load_n(&h->sync_done, __ATOMIC_ACQUIRE) -
			      power_life.asked) >= 0)
			power_life.synced_events = power_life.asked_events;
		if (power_life.busy && random_below(&power_life.random, 3) == 0)
			power_history_change(power_life.corral);
	}
	return (struct power_promise){ power_life.synced_events, power_history_events() };
}

struct agent *power_agent(const char *directory)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	assert_non_null(agent);
	power_options.location = directory;
	*agent = (struct agent){ .options = &power_options,
				 .dir_fd = -1,
				 .log_fd = -1,
				 .listen_fd = -1,
				 .signal_fd = -1 };
	return agent;
}

void power_come_alive(void)
{
	power_life.agent = power_agent(power_life.yard.path);
	assert_int_equal(agent_take_up(power_life.agent), EXIT_DONE);
	struct corral *corral = yard_open(&power_life.yard, 0);
	power_lock();
	power_history_begin_cursor(corral);
	power_life.corral = corral;
	power_life.asked = corral->arena.header->sync_requested;
	power_life.asked_events = power_life.synced_events;
	power_unlock();
}

void power_end_life(void)
{
	agent_give_up(power_life.agent);
	free(power_life.agent);
	power_life.agent = NULL;
	power_lock();
	struct corral *corral = power_life.corral;
	power_life.corral = NULL;
	power_unlock();
	corral_close(corral);
}

void power_change(uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		power_lock();
		power_history_change(power_life.corral);
		power_unlock();
	}
}

int power_ask_for_sync(void)
{
	power_lock();
	(void)promise();
	power_life.asked_events = power_history_events();
	power_life.asked = power_life.corral->arena.header->sync_requested + 1;
	power_unlock();
	return corral_sync(power_life.corral, -1, NULL);
}

/* Make some changes and sync, this many times. */
void power_live(uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++) {
		power_change(1 + random_below(&power_life.random, 4));
		assert_int_equal(power_ask_for_sync(), 0);
	}
}

void power_begin(void)
{
	if (!support_forks_with_threads())
		skip_because("a process forked from one with threads may make none here");
	memset(&power_life, 0, sizeof(power_life));
	power_life.random = support_seed();
	log_threshold = LOG_ERROR;
	power_history_begin(support_seed());
	yard_make_empty(&power_life.yard);
}

void power_begin_trace(void)
{
	power_trace_begin(power_life.yard.dir_fd, promise);
	power_life.busy = true;
}

/* Kill the agent after its next step of this kind. */
void power_die(enum power_kind kind)
{
	static struct agent *dead[16]; /* their threads have stopped for good */
	static uint32_t count;

	struct arena_header *h = power_life.corral->arena.header;
	power_lock();
	power_die_after = kind;
	power_unlock();
	(void)__atomic_add_fetch(&h->sync_requested, 1, __ATOMIC_SEQ_CST);
	futex_wake(&h->sync_requested, 1);
	assert_true(wait_until(__atomic_load_n(&power_die_after, __ATOMIC_ACQUIRE) == POWER_NOTHING,
			       SUPPORT_WAIT_MS));
	alive_drop(&power_life.agent->agent_life, ALIVE_AGENT_BYTE);
	assert_true(count < COUNT(dead));
	dead[count++] = power_life.agent;
	power_lock();
	struct corral *corral = power_life.corral;
	power_life.corral = NULL;
	power_unlock();
	corral_close(corral);
}

/* As after a power loss: the arena is gone, or of an earlier boot. */
void power_lose_arena(bool gone)
{
	static const uint8_t other_boot[16] = { 0x5a };

	if (gone) {
		assert_int_equal(unlinkat(power_life.yard.dir_fd, ARENA_FILE, 0), 0);
		assert_int_equal(fsync(power_life.yard.dir_fd), 0);
		return;
	}
	int fd = openat(power_life.yard.dir_fd, ARENA_FILE, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(
		pwrite(fd, other_boot, sizeof(other_boot), offsetof(struct arena_header, boot_id)),
		sizeof(other_boot));
	close(fd);
}
