/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.c (floor 6): corral-bench peers: Corral beside what people keep carts in today. The same carts,
 * the same work, workers as many, in turns within one run. See peer.h.
 *
 *   get   find a cart by its key, and read its version
 *   add   raise the quantity of an item that it has, so that no other change is lost: counted afterwards
 *
 * All peers stand ready at once; each round goes through them. A figure is the median of the rounds; a ratio, the
 * median of the rounds' ratios to Corral.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "measure.h"
#include "peer_cart.h"
#include "peer_job.h"
#include "peers.h"
#include "progress.h"

#define PEERS_MAX 16u
#define STEPS_MAX (1u << 18)
#define STEPS_EXTRA 128u      /* behind the last: a pipeline looks ahead */
#define SYNC_CARTS_MAX 20000u /* more take too long to fill where each is synced */

struct row { /* of one peer */
	const struct peer *peer;
	pid_t server;
	void *connection; /* ours */
	uint64_t bytes;   /* that its carts take, once they are all there */
	uint64_t added;   /* acknowledged */
	double ns[PEER_WORKS][PEERS_ROUNDS_MAX];
	double cpu[PEER_WORKS][PEERS_ROUNDS_MAX];
	struct histogram times[PEER_WORKS];
};

struct run {
	const struct peers_settings *settings;
	struct load load;
	struct peer_place place;
	struct load_step *steps;
	uint32_t step_count; /* a power of two */
	struct load_item item;
	struct row rows[PEERS_MAX];
	uint32_t row_count;
	int64_t lost; /* adds that were acknowledged and are not there; negative: there are more */
};

/* ------------------------------------------------------------------- turns */

/* CPU time of a server, in ns. */
static uint64_t server_cpu_ns(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	const char *rest = strrchr(text, ')');
	if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* One peer's turn. */
static bool take_turn(const struct run *run, struct row *row, enum peer_work work, uint32_t round)
{
	const struct peers_settings *settings = run->settings;
	uint64_t ns = settings->seconds * 1000000000ull / (settings->rounds * 2);
	struct peer_job job = { .peer = row->peer,
				.place = &run->place,
				.work = work,
				.connection = row->connection,
				.steps = run->steps,
				.step_count = run->step_count,
				.item = &run->item,
				.warm_ns = ns / 5,
				.ns = ns };
	struct team_result result;
	uint64_t cpu = server_cpu_ns(row->server), start = bench_now_ns();
	int r = peer_job_run(&job, &result);

	if (bench_signal != 0)
		return false;
	if (r < 0) {
		bench_say("%s, %s: %s", row->peer->name, peer_work_names[work],
			  r == -ETIME ? "nothing was done" : strerror(-r));
		return false;
	}
	/* a server's clock ticks too slowly for one phase: its share of all of them */
	double whole = (double)(bench_now_ns() - start);
	double server = (double)(server_cpu_ns(row->server) - cpu) * (double)ns / whole;
	row->ns[work][round] = 1e9 / result.per_second * settings->workers;
	row->cpu[work][round] =
		((double)result.cpu_ns + (row->peer->put == NULL ? 0 : server)) / (double)result.plain_done;
	histogram_merge(&row->times[work], &result.times);
	if (work == PEER_ADD)
		row->added += result.done;
	return true;
}

/* ------------------------------------------------------------------- carts */

/* The sum of all carts' versions. */
static int count_versions(const struct run *run, const struct row *row, uint64_t *ret_sum)
{
	*ret_sum = 0;
	for (uint32_t i = 0; row->peer->version != NULL && i < run->load.carts; i++) {
		struct load_step step;
		uint64_t version = 0;
		load_step_at(i, &step);
		int r = row->peer->version(row->connection, &step, &version);
		if (r < 0)
			return r;
		*ret_sum += version;
	}
	return 0;
}

static int fill(struct run *run, struct row *row)
{
	msgpack_sbuffer cart;
	int r = 0;

	if (row->peer->put == NULL)
		return 0;
	msgpack_sbuffer_init(&cart);
	peer_cart_make(run->load.lines, run->load.cart_bytes, &cart);
	for (uint32_t i = 0; i < run->load.carts && r == 0 && bench_signal == 0; i++) {
		struct load_step step;
		load_step_at(i, &step);
		r = row->peer->put(row->connection, &step, cart.data, cart.size);
		progress_show(i, run->load.carts, row->peer->name);
	}
	progress_clear();
	msgpack_sbuffer_destroy(&cart);
	uint64_t sum;
	return r < 0 ? r : count_versions(run, row, &sum); /* and all are there */
}

/* Some peers' rows share a server and its carts: what is counted is one row's own adds. */
static bool add_and_count(struct run *run, struct row *row, uint32_t round)
{
	uint64_t before = 0, after = 0;

	row->added = 0;
	int r = count_versions(run, row, &before);
	if (r == 0 && !take_turn(run, row, PEER_ADD, round))
		return false;
	if (r == 0)
		r = count_versions(run, row, &after);
	if (r < 0)
		bench_say("%s: cannot count: %s", row->peer->name, strerror(-r));
	else if (after - before != row->added)
		bench_say("%s: %llu adds were acknowledged, %llu are there", row->peer->name,
			  (unsigned long long)row->added, (unsigned long long)(after - before));
	run->lost += (int64_t)(row->added - (after - before));
	return r == 0;
}

/* A peer that cannot be used is said so, and left out. */
static bool come_ready(struct run *run, const struct peer *peer)
{
	struct row *row = &run->rows[run->row_count];
	const char *why = peer->missing();

	if (why == NULL && peer == &peer_lmdb_sync && run->load.carts > SYNC_CARTS_MAX)
		why = "filled with a sync for each cart: too many";
	if (why != NULL) {
		printf("skipped: %s: %s\n", peer->name, why);
		return true;
	}
	*row = (struct row){ .peer = peer };
	int r = peer->start(&run->place, &row->server);
	if (r < 0) {
		bench_say("%s cannot be started: %s", peer->name, strerror(-r));
		return false;
	}
	run->row_count++;
	r = peer->open(&run->place, &row->connection);
	if (r == 0)
		r = fill(run, row);
	if (r < 0)
		bench_say("%s cannot be filled: %s", peer->name, strerror(-r));
	else
		row->bytes = peer->memory(&run->place);
	return r == 0;
}

/* ------------------------------------------------------------------ figures */

static double median_of(const double *values, uint32_t count)
{
	struct rounds rounds = { .count = count };

	memcpy(rounds.ns, values, count * sizeof(*values));
	return rounds_median(&rounds);
}

static double median_ratio_of(const double *values, const double *base, uint32_t count)
{
	struct rounds above = { .count = count }, below = { .count = count };

	memcpy(above.ns, values, count * sizeof(*values));
	memcpy(below.ns, base, count * sizeof(*base));
	return rounds_median_ratio(&above, &below);
}

/* Figures of threads have names of their own. */
static const char *mode_suffix(const struct run *run)
{
	return run->place.mode == TEAM_THREADS ? "_threads" : "";
}

static void print_row(const struct run *run, const struct row *row, enum peer_work work)
{
	uint32_t rounds = run->settings->rounds;
	char name[96];

	snprintf(name, sizeof(name), "peers.carts_%u.%s%s%s.%s", run->load.carts, peer_work_names[work],
		 run->settings->zipf ? "_zipf" : "", mode_suffix(run), row->peer->name);
	double ns = median_of(row->ns[work], rounds);
	figure("ns", ns, ns < 1000 ? 1 : 0, "%s.ns", name);
	figure("1/s", 1e9 / ns * run->settings->workers, 0, "%s.per_second", name);
	figure("ns", median_of(row->cpu[work], rounds), 0, "%s.cpu_ns", name);
	if (row->peer->depth > 1)
		return; /* a batch's time is none of an operation's */
	figure_quantiles(&row->times[work], name);
	if (row != &run->rows[0] && run->rows[0].peer == &peer_corral)
		figure("x", median_ratio_of(row->ns[work], run->rows[0].ns[work], rounds), 1, "%s.times_corral", name);
}

/* Of each store once: peers that share one follow one another. */
static void print_memory(const struct run *run)
{
	const char *last = "";

	for (uint32_t i = 0; i < run->row_count; i++) {
		const struct row *row = &run->rows[i];
		if (strcmp(row->peer->store, last) != 0 && row->bytes > 0)
			figure("bytes", (double)row->bytes, 0, "peers.carts_%u.memory.%s", run->load.carts,
			       row->peer->store);
		last = row->peer->store;
	}
}

static bool measure_all(struct run *run)
{
	uint32_t rounds = run->settings->rounds;

	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < run->row_count; i++) {
			struct row *row = &run->rows[i];
			if (bench_signal != 0)
				return false;
			progress_show(round * run->row_count + i, rounds * run->row_count, row->peer->name);
			if (row->peer->get != NULL && !take_turn(run, row, PEER_GET, round))
				return false;
			if (row->peer->add != NULL && !add_and_count(run, row, round))
				return false;
		}
	}
	progress_clear();
	for (enum peer_work work = PEER_GET; work < PEER_WORKS; work++)
		for (uint32_t i = 0; i < run->row_count; i++)
			if (peer_does(run->rows[i].peer, work))
				print_row(run, &run->rows[i], work);
	print_memory(run);
	figure("adds", (double)run->lost, 0, "peers.carts_%u.lost%s", run->load.carts, mode_suffix(run));
	return run->lost == 0;
}

/* -------------------------------------------------------------------- stage */

/* A short path, for sockets; in memory, if there is room. */
static bool make_place(struct run *run)
{
	struct peer_place *place = &run->place;
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	place->load = &run->load;
	place->bytes = (uint64_t)run->load.carts * (run->load.cart_bytes + 256);
	place->workers = run->settings->workers;
	place->mode = run->settings->threads ? TEAM_THREADS : TEAM_PROCESSES;
	snprintf(place->directory, sizeof(place->directory), "%s/corral-peers.XXXXXX", parent);
	if (mkdtemp(place->directory) != NULL)
		return true;
	bench_say("cannot make a directory in %s: %s", parent, strerror(errno));
	return false;
}

static void end_peers(struct run *run)
{
	for (uint32_t i = 0; i < run->row_count; i++) {
		if (run->rows[i].connection != NULL)
			run->rows[i].peer->close(run->rows[i].connection);
		run->rows[i].peer->stop(&run->place);
	}
	stage_remove_directory(run->place.directory);
}

static bool make_steps(struct run *run)
{
	run->step_count = load_steps(&run->load, STEPS_MAX);
	run->steps = run->settings->zipf ? load_walk_zipf(&run->load, run->step_count + STEPS_EXTRA, 1) :
					   load_walk(&run->load, run->step_count + STEPS_EXTRA, 1);
	load_item_at(0, &run->item);
	return run->steps != NULL;
}

static enum bench_exit run_peers(const struct peers_settings *settings)
{
	struct run *run = calloc(1, sizeof(*run));
	enum bench_exit result;

	if (run == NULL)
		return BENCH_NO_ARENA;
	run->settings = settings;
	result = load_open(&run->load, settings->directory, settings->carts, settings->bytes);
	if (result != BENCH_DONE) {
		free(run);
		return result;
	}
	result = BENCH_WRONG;
	if (make_place(run)) {
		bool good = make_steps(run);
		for (uint32_t i = 0; i < peer_count && good && bench_signal == 0; i++)
			if (peers_is_wanted(settings->only, peers[i]->name))
				good = come_ready(run, peers[i]);
		if (good && bench_signal == 0 && measure_all(run))
			result = BENCH_DONE;
		end_peers(run);
	}
	free(run->steps);
	load_close(&run->load);
	free(run);
	return result;
}

enum bench_exit peers_run(int argc, char **argv)
{
	struct peers_settings settings = { .carts = 10000, .bytes = 5120, .workers = 1, .seconds = 2, .rounds = 5 };
	enum bench_exit result = peers_options(argc, argv, &settings);

	if (result != BENCH_DONE || settings.help)
		return result;
	bench_catch_signals();
	figures_begin("peers", settings.json);
	result = run_peers(&settings);
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}
