/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.c: corral-bench replay: real orders, added by real processes that come and go.
 *
 * Worker processes (supervisor.h) add the lines of the file. Each of them is replaced again and
 * again, half of the time by SIGKILL, while the agent is killed and started. Then every cart is
 * compared with the file (verify.h). The last line of standard output is the result.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness/options.h"
#include "replay.h"
#include "supervisor.h"
#include "verify.h"

#define WORKERS 4
#define ARENA_BYTES (64ull << 20)
#define LINE_BYTES 2048u /* arena bytes for each line of the file, which is generous */
#define CARTS_MIN 4096u

struct replay_options {
	const char *file;
	const char *directory;
	const char *restaurant;
	bool keep;
	struct supervisor_settings supervisor;
};

static enum bench_exit take_options(int argc, char **argv, struct replay_options *replay,
				    bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(NUMBER, "workers", "N", number = &replay->supervisor.workers,
		       "worker processes", BOUNDS(1, SUPERVISOR_WORKERS_MAX)),
		OPTION(NUMBER, "deploys", "K", number = &replay->supervisor.deploys,
		       "replace each worker K times, half of them by SIGKILL",
		       BOUNDS(0, SUPERVISOR_EVENTS_MAX)),
		OPTION(NUMBER, "agent-restarts", "K", number = &replay->supervisor.agent_restarts,
		       "kill the agent K times, and start it again",
		       BOUNDS(0, SUPERVISOR_EVENTS_MAX)),
		OPTION_SEED(&replay->supervisor.seed),
		OPTION(WORD, "restaurant", "ID", word = &replay->restaurant,
		       "restaurant of the carts (default replay-PID)"),
		OPTION(FLAG, "keep", NULL, flag = &replay->keep,
		       "leave the carts in place (only with --dir)"),
		OPTION_DIR(&replay->directory),
	};
	const struct option_row file = OPTION(WORD, "FILE", NULL, word = &replay->file, NULL);
	struct options options = { .rows = rows,
				   .count = sizeof(rows) / sizeof(rows[0]),
				   .operands = &file,
				   .operand_count = 1,
				   .operands_min = 1 };
	enum bench_exit result = bench_take(&options, argc, argv, ret_go);

	if (!*ret_go)
		return result;
	*ret_go = false;
	if (replay->keep && replay->directory == NULL)
		return bench_usage("--keep needs --dir: a temporary directory does not stay");
	if (strlen(replay->restaurant) > CORRAL_ID_MAX)
		return bench_usage("--restaurant: an id has 1 to %d bytes", CORRAL_ID_MAX);
	*ret_go = true;
	return BENCH_DONE;
}

/* Refuse an arena that still has carts of an earlier replay. */
static enum bench_exit look_around(const struct sandbox *sandbox, const char *restaurant)
{
	struct corral_text text = corral_text(restaurant);
	struct corral_list *list = NULL;
	struct corral_entry row;
	struct corral *corral;
	size_t count = 0;
	int r = corral_open(sandbox->directory, CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &corral);

	if (r < 0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	r = corral_list_open(corral, &text, &list);
	if (r == 0)
		r = corral_list_next(list, &row, 1, &count);
	corral_list_close(list);
	corral_close(corral);
	if (r < 0) {
		bench_say("cannot list the carts: %s", corral_strerror(r));
		return BENCH_NO_ARENA;
	}
	if (count > 0) {
		bench_say("restaurant %s has carts already; name another one with --restaurant",
			  restaurant);
		return BENCH_USAGE;
	}
	return BENCH_DONE;
}

/* Remove our carts from an arena that stays. */
static void drop_carts(struct corral *corral, struct corral_text restaurant,
		       const struct orders *orders)
{
	for (uint32_t i = 0; i < orders->order_count; i++) {
		struct corral_key key = { restaurant, orders->orders[i].id };
		int r = corral_drop(corral, &key, NULL, NULL);

		if (r < 0 && r != -ENOENT)
			bench_say("cannot drop the cart of order %.*s: %s",
				  (int)key.session_id.size, key.session_id.data,
				  corral_strerror(r));
	}
}

static enum bench_exit read_back(const struct replay_options *options,
				 const struct sandbox *sandbox, struct verdict *verdict)
{
	struct corral_text restaurant = corral_text(options->restaurant);
	enum bench_exit result = BENCH_WRONG;
	struct corral *corral;

	if (corral_open(sandbox->directory, CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &corral) < 0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	if (bench_signal == 0)
		result = verify_carts(corral, restaurant, options->supervisor.orders, verdict);
	if (!options->keep && !sandbox->temporary)
		drop_carts(corral, restaurant, options->supervisor.orders);
	corral_close(corral);
	return result;
}

static void print_events(const struct replay_options *options,
			 const struct supervisor_outcome *outcome, uint64_t took_ns)
{
	printf("seed=%llu workers=%u deploys=%u (killed %u) agent_kills=%u\n",
	       (unsigned long long)options->supervisor.seed, options->supervisor.workers,
	       outcome->deploys, outcome->killed, outcome->agent_kills);
	printf("acknowledged=%u failed=%u seconds=%llu.%02llu\n", outcome->acknowledged,
	       outcome->failed, (unsigned long long)(took_ns / 1000000000),
	       (unsigned long long)(took_ns / 10000000 % 100));
	printf("sent_again=%u (%u had counted already)\n", outcome->resent, outcome->repeated);
}

static void print_us(const char *name, uint64_t ns)
{
	printf(" %s=%llu.%llu", name, (unsigned long long)(ns / 1000),
	       (unsigned long long)(ns / 100 % 10));
}

static void print_result(const struct verdict *verdict, const struct histogram *adds)
{
	printf("orders=%u lines=%u items=%llu revenue_cents=%lld lost=%u wrong=%u", verdict->orders,
	       verdict->lines, (unsigned long long)verdict->items,
	       (long long)verdict->revenue_cents, verdict->lost, verdict->wrong);
	print_us("p50_us", histogram_quantile(adds, 500));
	print_us("p99_us", histogram_quantile(adds, 990));
	print_us("max_us", adds->max);
	putchar('\n');
}

static enum bench_exit play(struct replay_options *options, struct sandbox *sandbox)
{
	static struct supervisor_outcome outcome; /* static, since it is large */
	struct verdict verdict;
	uint64_t start = bench_now_ns();
	enum bench_exit result, checked;

	result = look_around(sandbox, options->restaurant);
	if (result != BENCH_DONE)
		return result;
	options->supervisor.sandbox = sandbox;
	options->supervisor.restaurant = options->restaurant;
	result = supervisor_run(&options->supervisor, &outcome);
	if (result == BENCH_DONE)
		result = sandbox_await_agent(sandbox);
	if (bench_signal == 0)
		print_events(options, &outcome, bench_now_ns() - start);
	checked = read_back(options, sandbox, &verdict);
	if (checked != BENCH_DONE || bench_signal != 0)
		return checked;
	print_result(&verdict, &outcome.adds);
	if (result == BENCH_DONE && (verdict.lost > 0 || verdict.wrong > 0))
		result = BENCH_WRONG;
	return result;
}

enum bench_exit replay_run(int argc, char **argv)
{
	struct replay_options options = { .supervisor = { .workers = WORKERS,
							  .seed = bench_now_ns() } };
	char restaurant[32];
	struct orders orders;
	struct sandbox sandbox;
	enum bench_exit result;
	uint32_t carts;
	bool go;

	snprintf(restaurant, sizeof(restaurant), "replay-%d", (int)getpid());
	options.restaurant = restaurant;
	result = take_options(argc, argv, &options, &go);
	if (!go)
		return result;
	result = orders_read(options.file, &orders);
	if (result != BENCH_DONE)
		return result;
	options.supervisor.orders = &orders;
	carts = orders.order_count * 2 > CARTS_MIN ? orders.order_count * 2 : CARTS_MIN;
	bench_catch_signals();
	result = sandbox_open(&sandbox, options.directory,
			      ARENA_BYTES + (uint64_t)orders.line_count * LINE_BYTES, carts,
			      options.supervisor.agent_restarts > 0);
	if (result == BENCH_DONE) {
		result = play(&options, &sandbox);
		sandbox_close(&sandbox);
	}
	orders_free(&orders);
	bench_die_of_signal();
	return result;
}
