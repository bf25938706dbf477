/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.c (floor 6): corral-bench replay: real orders through real processes that come and go.
 *
 * The file goes through a crew of worker processes (crew.h), each of which is replaced again and
 * again, half of the time by SIGKILL, while the agent is killed and started. Then every cart is
 * compared with the file (verify.h). The last line of standard output is the result.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "verify.h"

#define WORKERS 4
#define ARENA_BYTES (64ull << 20)
#define LINE_BYTES 2048u /* of the arena, for each line of the file: generous */
#define CARTS_MIN 4096u

struct options {
	const char *file;
	const char *directory;
	const char *restaurant;
	bool keep;
	struct crew_settings crew;
};

enum {
	OPTION_WORKERS = 1,
	OPTION_DEPLOYS,
	OPTION_RESTARTS,
	OPTION_SEED,
	OPTION_DIR,
	OPTION_RESTAURANT,
	OPTION_KEEP,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "deploys", required_argument, NULL, OPTION_DEPLOYS },
	{ "agent-restarts", required_argument, NULL, OPTION_RESTARTS },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "restaurant", required_argument, NULL, OPTION_RESTAURANT },
	{ "keep", no_argument, NULL, OPTION_KEEP },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool take_count(const char *option, uint64_t min, uint64_t max, uint32_t *ret_count)
{
	uint64_t value;

	if (!bench_number(option, optarg, min, max, &value))
		return false;
	*ret_count = (uint32_t)value;
	return true;
}

/* One option; false: it is wrong. */
static bool take_option(int option, struct options *options)
{
	switch (option) {
	case OPTION_WORKERS:
		return take_count("workers", 1, CREW_WORKERS_MAX, &options->crew.workers);
	case OPTION_DEPLOYS:
		return take_count("deploys", 0, CREW_EVENTS_MAX, &options->crew.deploys);
	case OPTION_RESTARTS:
		return take_count("agent-restarts", 0, CREW_EVENTS_MAX, &options->crew.agent_restarts);
	case OPTION_SEED:
		return bench_number("seed", optarg, 0, UINT64_MAX, &options->crew.seed);
	case OPTION_DIR:
		options->directory = optarg;
		return true;
	case OPTION_RESTAURANT:
		options->restaurant = optarg;
		return optarg[0] != '\0' && strlen(optarg) <= CORRAL_ID_MAX;
	case OPTION_KEEP:
		options->keep = true;
		return true;
	default:
		return false;
	}
}

/* BENCH_DONE and a file; or a file of NULL: help was asked for. */
static enum bench_exit take_options(int argc, char **argv, struct options *options)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			bench_help("replay");
			options->file = NULL;
			return BENCH_DONE;
		}
		if (!take_option(option, options))
			return bench_usage("replay", "wrong arguments");
	}
	if (optind + 1 != argc)
		return bench_usage("replay", "%s", optind < argc ? "more than one file" : "which file?");
	if (options->keep && options->directory == NULL)
		return bench_usage("replay", "--keep needs --dir: a temporary directory does not stay");
	options->file = argv[optind];
	return BENCH_DONE;
}

/* No cart of an earlier replay may be in our way. */
static enum bench_exit look_around(const struct stage *stage, const char *restaurant)
{
	struct corral_text text = corral_text(restaurant);
	struct corral_entry row;
	struct corral *corral;
	uint64_t cursor = 0;
	size_t count = 0;
	int err = corral_open(stage->directory, CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &corral);

	if (err < 0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	err = corral_list(corral, &text, &cursor, &row, 1, &count);
	corral_close(corral);
	if (err < 0) {
		bench_say("cannot list the carts: %s", corral_strerror(err));
		return BENCH_NO_ARENA;
	}
	if (count > 0) {
		bench_say("restaurant %s has carts already; name another one with --restaurant", restaurant);
		return BENCH_USAGE;
	}
	return BENCH_DONE;
}

/* Take our carts out of an arena that stays. */
static void drop_carts(struct corral *corral, struct corral_text restaurant, const struct orders *orders)
{
	for (uint32_t i = 0; i < orders->order_count; i++) {
		struct corral_key key = { restaurant, orders->orders[i].id };
		int err = corral_drop(corral, &key, NULL, NULL);

		if (err < 0 && err != -ENOENT)
			bench_say("cannot drop the cart of order %.*s: %s", (int)key.session_id.size,
				  key.session_id.data, corral_strerror(err));
	}
}

static enum bench_exit read_back(const struct options *options, const struct stage *stage, struct verdict *verdict)
{
	struct corral_text restaurant = corral_text(options->restaurant);
	enum bench_exit result = BENCH_WRONG;
	struct corral *corral;

	if (corral_open(stage->directory, CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &corral) < 0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	if (bench_signal == 0)
		result = verify_carts(corral, restaurant, options->crew.orders, verdict);
	if (!options->keep && !stage->temporary)
		drop_carts(corral, restaurant, options->crew.orders);
	corral_close(corral);
	return result;
}

static void print_events(const struct options *options, const struct crew_outcome *outcome, uint64_t took_ns)
{
	printf("seed=%llu workers=%u deploys=%u (killed %u) agent_kills=%u\n", (unsigned long long)options->crew.seed,
	       options->crew.workers, outcome->deploys, outcome->killed, outcome->agent_kills);
	printf("acknowledged=%u failed=%u seconds=%llu.%02llu\n", outcome->acknowledged, outcome->failed,
	       (unsigned long long)(took_ns / 1000000000), (unsigned long long)(took_ns / 10000000 % 100));
	printf("sent_again=%u (%u had counted already)\n", outcome->resent, outcome->repeated);
}

static void print_us(const char *name, uint64_t ns)
{
	printf(" %s=%llu.%llu", name, (unsigned long long)(ns / 1000), (unsigned long long)(ns / 100 % 10));
}

static void print_result(const struct verdict *verdict, const struct histogram *adds)
{
	printf("orders=%u lines=%u items=%llu revenue_cents=%lld lost=%u wrong=%u", verdict->orders, verdict->lines,
	       (unsigned long long)verdict->items, (long long)verdict->revenue_cents, verdict->lost, verdict->wrong);
	print_us("p50_us", histogram_quantile(adds, 500));
	print_us("p99_us", histogram_quantile(adds, 990));
	print_us("max_us", adds->max);
	putchar('\n');
}

static enum bench_exit play(struct options *options, struct stage *stage)
{
	static struct crew_outcome outcome; /* large */
	struct verdict verdict;
	uint64_t start = bench_now_ns();
	enum bench_exit result, checked;

	result = look_around(stage, options->restaurant);
	if (result != BENCH_DONE)
		return result;
	options->crew.stage = stage;
	options->crew.restaurant = options->restaurant;
	result = crew_run(&options->crew, &outcome);
	if (result == BENCH_DONE)
		result = stage_await_agent(stage);
	if (bench_signal == 0)
		print_events(options, &outcome, bench_now_ns() - start);
	checked = read_back(options, stage, &verdict);
	if (checked != BENCH_DONE || bench_signal != 0)
		return checked;
	print_result(&verdict, &outcome.adds);
	if (result == BENCH_DONE && (verdict.lost > 0 || verdict.wrong > 0))
		result = BENCH_WRONG;
	return result;
}

enum bench_exit replay_run(int argc, char **argv)
{
	struct options options = { .crew = { .workers = WORKERS, .seed = bench_now_ns() } };
	char restaurant[32];
	struct orders orders;
	struct stage stage;
	enum bench_exit result;
	uint32_t carts;

	snprintf(restaurant, sizeof(restaurant), "replay-%d", (int)getpid());
	options.restaurant = restaurant;
	result = take_options(argc, argv, &options);
	if (result != BENCH_DONE || options.file == NULL)
		return result;
	result = orders_read(options.file, &orders);
	if (result != BENCH_DONE)
		return result;
	options.crew.orders = &orders;
	carts = orders.order_count * 2 > CARTS_MIN ? orders.order_count * 2 : CARTS_MIN;
	bench_catch_signals();
	result = stage_open(&stage, options.directory, ARENA_BYTES + (uint64_t)orders.line_count * LINE_BYTES, carts,
			    options.crew.agent_restarts > 0);
	if (result == BENCH_DONE) {
		result = play(&options, &stage);
		stage_close(&stage);
	}
	orders_free(&orders);
	bench_die_of_signal();
	return result;
}
