/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 60_agent_feed.c: where agents switch the feed off and on, a reader is told of it: what happened
 * in between is a gap.
 */
#include "support.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/handle.h"
#include "store/feed.h"
#include "sync/lock.h"

#define LONG_MS 20000 /* every awaited event happens within this time, on any machine */

static const struct corral_key key = { { "r", 1 }, { "s", 1 } };
static struct yard yard;
static char program[PATH_MAX];

static int find_program(void **state)
{
	char self[PATH_MAX - 64];

	(void)state;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	snprintf(program, sizeof(program), "%s/../corral-agent", dirname(self));
	return 0;
}

static void agent(const char *arguments)
{
	char command[2 * PATH_MAX + 128];

	snprintf(command, sizeof(command), "timeout 60 %s --dir %s %s", program, yard.path,
		 arguments);
	assert_int_equal(system(command), 0);
}

/* One agent after the other; the second one with the feed on. */
static void replace_agent(void)
{
	agent("--stop");
	agent("--daemon --journal off");
}

static void change(struct corral *corral)
{
	assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, NULL), 0);
}

static struct corral_feed *begin_without_feed(struct corral **ret_corral)
{
	struct corral_feed *feed;

	yard_make_empty(&yard);
	agent("--daemon --journal off --size 16M --feed off");
	assert_int_equal(corral_open(yard.path, 0, ret_corral), 0);
	assert_int_equal(corral_feed_open(*ret_corral, CORRAL_FEED_NOW, NULL, &feed), 0);
	change(*ret_corral);
	return feed;
}

/* The next event, which is of this kind. */
static uint64_t expect(struct corral_feed *feed, uint32_t kind)
{
	struct corral_event event;
	size_t count = 0;

	assert_int_equal(corral_feed_next(feed, &event, 1, LONG_MS, NULL, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(event.kind, kind);
	return event.version;
}

static void end(struct corral *corral, struct corral_feed *feed)
{
	corral_feed_close(feed);
	corral_close(corral);
	agent("--stop");
	yard_remove(&yard);
}

/* Also to a reader that has seen no event, in an arena that has told none. */
static void what_happens_while_it_is_off_is_a_gap(void **state)
{
	struct corral_event event;
	struct corral *corral;
	size_t count;

	(void)state;
	NEEDS_PROCESSES();
	struct corral_feed *feed = begin_without_feed(&corral);
	assert_int_equal(corral_feed_next(feed, &event, 1, -1, NULL, &count), -EOPNOTSUPP);
	replace_agent();
	change(corral);
	(void)expect(feed, CORRAL_EVENT_GAP);
	assert_int_equal(expect(feed, CORRAL_EVENT_CHANGED), 2);
	end(corral, feed);
}

/* Holds the lock under which events get numbers, and is stopped. */
static void hold(void)
{
	struct corral *corral;
	struct actor *actor;

	must(corral_open(yard.path, 0, &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
	must(lock_take(actor, &actor->arena->header->feed_lock, LOCK_FEED) == 0);
	(void)raise(SIGSTOP);
	lock_drop(actor, &actor->arena->header->feed_lock, LOCK_FEED);
	corral_close(corral);
	_exit(0);
}

static void the_gap_is_told_however_late_it_gets_a_number(void **state)
{
	struct corral *corral;
	int status;

	(void)state;
	NEEDS_PROCESSES();
	struct corral_feed *feed = begin_without_feed(&corral);
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		hold();
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	replace_agent();
	change(corral);
	assert_true(wait_until(feed_on(&corral->arena), LONG_MS));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct arena_header *header = corral->arena.header;
	assert_true(wait_until(load_relaxed(&header->feed) == FEED_ON, LONG_MS));
	change(corral);
	/* the gap and the first change, in either order, and what came then */
	uint32_t gaps = 0;
	struct corral_event event;
	size_t count = 0;
	do {
		assert_int_equal(corral_feed_next(feed, &event, 1, LONG_MS, NULL, &count), 0);
		gaps += event.kind == CORRAL_EVENT_GAP;
	} while (event.version != 3);
	assert_int_equal(gaps, 1);
	end(corral, feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happens_while_it_is_off_is_a_gap),
		cmocka_unit_test(the_gap_is_told_however_late_it_gets_a_number),
	};

	return cmocka_run_group_tests(tests, find_program, NULL);
}
