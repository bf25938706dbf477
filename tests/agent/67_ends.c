/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 67_ends.c: how carts end is told once in a new arena: what a cursor had not acknowledged, and
 * what making the arena has ended. After a recovery, a rebuild, and into a larger arena.
 */
#include "journal_kit.h"

#include "rebuild.h"
#include "store/feed.h"

#define CURSOR "orders"
#define ENDS_MAX 16u

struct seen {
	uint32_t kind;
	char session[CORRAL_ID_MAX + 1];
	uint64_t number;
	uint64_t version;
	uint32_t size; /* of the content, which names this cart in this version */
};

static struct seen seen[ENDS_MAX];
static uint64_t first_version, out_version, last_version, over_version, read_version;

/* What the arena keeps of the ends from a number on. Returns how many. */
static uint32_t look(const struct corral *corral, uint64_t from)
{
	static uint8_t version[CORRAL_CART_MAX];
	struct feed_entry event;
	uint32_t count = 0;

	for (uint64_t at = from; count < ENDS_MAX; at = event.number + 1) {
		struct seen *one = &seen[count];
		if (feed_next_end(&corral->arena, at, &event, version, sizeof(version),
				  &one->size) < 0)
			break;
		one->kind = event.kind;
		one->number = event.number;
		one->version = event.version;
		memcpy(one->session, event.bytes + event.restaurant_size, event.session_size);
		one->session[event.session_size] = '\0';
		assert_int_equal(event.restaurant_size, 1);
		count++;
	}
	return count;
}

static void is_end(const struct seen *one, uint32_t kind, const char *session, uint64_t version)
{
	assert_int_equal(one->kind, kind);
	assert_string_equal(one->session, session);
	assert_int_equal(one->version, version);
	assert_true(one->size > 0);
}

/* How many events of this kind readers of the ring find. */
static uint32_t events(struct corral *corral, uint32_t kind)
{
	static struct corral_event all[64];
	const struct corral_feed_filter filter = { .kinds = kind };
	struct corral_feed *feed;
	size_t count = 0;
	uint32_t found = 0;

	assert_int_equal(corral_feed_open(corral, CORRAL_FEED_OLDEST, &filter, &feed), 0);
	if (corral_feed_next(feed, all, COUNT(all), 0, NULL, &count) == 0)
		for (size_t i = 0; i < count; i++)
			found += all[i].kind == kind;
	corral_feed_close(feed);
	return found;
}

static struct actor *actor_of(struct corral *corral)
{
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	return actor;
}

static uint64_t acked(const struct corral *corral)
{
	const struct feed_cursor *cursor = feed_cursor_find(&corral->arena, CURSOR);

	return cursor != NULL ? cursor->acked : 0;
}

static void begin_cursor(struct corral *corral)
{
	assert_int_equal(
		feed_cursor_put(actor_of(corral), CURSOR, corral->arena.header->feed_next, 1), 0);
}

static void drop(struct corral *corral, const char *session)
{
	const struct corral_key key = key_of(session);

	assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
}

static void read_it(struct corral *corral, const char *session, int expected)
{
	const struct corral_key key = key_of(session);
	struct corral_view view;

	int r = corral_read_begin(corral, &key, &view);
	assert_int_equal(r, expected);
	if (r == 0)
		assert_int_equal(corral_read_end(&view), 0);
}

static uint64_t add_one(struct corral *corral, const char *session)
{
	struct corral_result result;

	assert_int_equal(add(corral, session, NULL, &result), 0);
	return result.version;
}

/* Two carts whose time is up, of one of which a reader was told so, and one that lives. */
static void let_carts_age(struct corral *corral, int out)
{
	read_version = add_one(corral, "read");
	(void)add_one(corral, "over");
	over_version = add_one(corral, "over");
	clock_pass(60 * SECOND_NS);
	(void)add_one(corral, "left");
	read_it(corral, "out", out); /* it is not to end */
	clock_pass(43 * SECOND_NS);
	false_wall_ns += 103 * SECOND_NS; /* a cart is not older than its last change */
	read_it(corral, "read", -ENOENT);
}

/* Their ends were told once, with what was in them, in any order. */
static void are_told(struct corral *corral, uint32_t first)
{
	const bool swapped = strcmp(seen[first].session, "over") != 0;

	is_end(&seen[first + swapped], CORRAL_EVENT_EXPIRED, "over", over_version);
	is_end(&seen[first + !swapped], CORRAL_EVENT_EXPIRED, "read", read_version);
	assert_int_equal(events(corral, CORRAL_EVENT_EXPIRED), 2);
	read_it(corral, "over", -ENOENT);
	read_it(corral, "read", -ENOENT);
	read_it(corral, "left", 0);
}

/* ------------------------------------------------------------------- recovery */

static void a_recovery_tells_what_it_ends(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	no_ticks = true;
	pid_t pid = start_agent(3600000);
	struct corral *corral = yard_open(&yard, 0);
	let_carts_age(corral, -ENOENT);
	child_kill(pid);
	pid = start_agent(3600000); /* with our clock */
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	assert_int_equal(look(corral, 0), 0);
	lose_power(pid, corral);
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	assert_int_equal(look(corral, 0), 2);
	are_told(corral, 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral); /* now the journal says that they have ended */
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	assert_int_equal(look(corral, 0), 0);
	read_it(corral, "left", 0);
	corral_close(corral);
	stop_agent(pid);
}

/* A cursor, an end that it has acknowledged, and three that it has not. */
static void end_some(struct corral *corral)
{
	const struct corral_key out = key_of("out");

	begin_cursor(corral);
	(void)add_one(corral, "acked");
	drop(corral, "acked");
	first_version = add_one(corral, "first");
	drop(corral, "first");
	out_version = add_one(corral, "out") + 1;
	assert_int_equal(corral_checkout(corral, &out, NULL, NULL), 0);
	last_version = add_one(corral, "last");
	drop(corral, "last");
	while (feed_pending(&corral->arena))
		(void)feed_number(actor_of(corral), FEED_BATCH, NULL);
	assert_int_equal(look(corral, 0), 4);
	feed_cursor_ack(feed_cursor_find(&corral->arena, CURSOR), seen[0].number + 1);
}

static void are_told_again(const struct corral *corral)
{
	assert_true(acked(corral) != 0);
	assert_true(look(corral, acked(corral)) >= 3);
	is_end(&seen[0], CORRAL_EVENT_DROPPED, "first", first_version);
	is_end(&seen[1], CORRAL_EVENT_CHECKED_OUT, "out", out_version);
	is_end(&seen[2], CORRAL_EVENT_DROPPED, "last", last_version);
	assert_int_equal(seen[0].number, acked(corral));
}

static void a_power_loss_takes_no_end_from_a_cursor(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(3600000);
	struct corral *corral = yard_open(&yard, 0);
	end_some(corral);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	for (uint32_t loss = 0; loss < 3; loss++) { /* before and after they are written anew */
		uint64_t former = acked(corral);
		if (loss == 2)
			assert_int_equal(corral_sync(corral, -1, NULL), 0);
		lose_power(pid, corral);
		pid = start_agent(3600000);
		corral = yard_open(&yard, 0);
		are_told_again(corral);
		assert_int_equal(look(corral, 0), 3);
		assert_true(acked(corral) > former);
	}
	feed_cursor_ack(feed_cursor_find(&corral->arena, CURSOR), seen[1].number + 1);
	assert_int_equal(add(corral, "later", NULL, NULL), 0);
	drop(corral, "later");
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	assert_int_equal(look(corral, acked(corral)), 2);
	is_end(&seen[0], CORRAL_EVENT_DROPPED, "last", last_version);
	assert_string_equal(seen[1].session, "later");
	corral_close(corral);
	stop_agent(pid);
}

static void a_base_has_the_ends_that_a_cursor_needs(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(3600000);
	struct corral *corral = yard_open(&yard, 0);
	end_some(corral);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	corral_close(corral);
	stop_agent(pid);
	pid = start_agent(0); /* the next journal begins with a base, and the older files go */
	stop_agent(pid);
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	assert_true(corral->arena.header->journal_base > 1);
	lose_power(pid, corral);
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	are_told_again(corral);
	assert_int_equal(look(corral, 0), 3);
	corral_close(corral);
	stop_agent(pid);
}

static void a_cursor_that_was_removed_stays_so(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(3600000);
	struct corral *corral = yard_open(&yard, 0);
	end_some(corral);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	child_kill(pid); /* it is removed while no agent runs */
	assert_int_equal(feed_cursor_remove(actor_of(corral), CURSOR), 0);
	pid = start_agent(3600000);
	assert_int_equal(add(corral, "later", NULL, NULL), 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);
	pid = start_agent(3600000);
	corral = yard_open(&yard, 0);
	assert_int_equal(acked(corral), 0);
	assert_int_equal(look(corral, 0), 0);
	corral_close(corral);
	stop_agent(pid);
}

/* ----------------------------------------------------------- rebuild, resize */

static int run_alone(int (*run)(struct agent *agent))
{
	static struct agent agent;
	struct agent_options options = { .location = yard.path,
					 .size_bytes = 32 << 20,
					 .size_given = true };

	agent.options = &options;
	agent.dir_fd = agent.log_fd = agent.listen_fd = agent.signal_fd = -1;
	log_threshold = LOG_ERROR;
	must(freopen("/dev/null", "w", stdout) != NULL);
	return run(&agent);
}

static int repair(void *context)
{
	(void)context;
	return run_alone(mend_run);
}

static int resize(void *context)
{
	(void)context;
	return run_alone(resize_run);
}

static void make_anew(int (*body)(void *context), bool damage)
{
	no_ticks = true;
	pid_t pid = start_agent(0);
	struct corral *corral = yard_open(&yard, 0);
	end_some(corral);
	let_carts_age(corral, 0);
	if (damage)
		corral->arena.chains[0].head = 12345;
	corral_close(corral);
	stop_agent(pid);
	assert_int_equal(child_wait(child_start(body, NULL)), EXIT_DONE);
	no_ticks = damage; /* a larger arena has got "over", and this agent ends it */
	pid = start_agent(0);
	corral = yard_open(&yard, 0);
	are_told_again(corral);
	assert_true(wait_until(look(corral, 0) == 5, SUPPORT_WAIT_MS));
	are_told(corral, 3);
	corral_close(corral);
	stop_agent(pid);
}

static void a_rebuild_tells_them(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	make_anew(repair, true);
}

static void a_larger_arena_tells_them(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	make_anew(resize, false);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_recovery_tells_what_it_ends),
		CASE(a_power_loss_takes_no_end_from_a_cursor),
		CASE(a_base_has_the_ends_that_a_cursor_needs),
		CASE(a_cursor_that_was_removed_stays_so),
		CASE(a_rebuild_tells_them),
		CASE(a_larger_arena_tells_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
