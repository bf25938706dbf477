/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.c: corral-bench peers: Corral compared with the programs in which people keep carts today.
 * All do the same work on the same carts with the same number of workers, in turns within one run.
 * See peer.h.
 *
 *   get   find a cart by its key, and read its version
 *   add   raise the quantity of an item that it has, so that no other change is lost; the adds are
 *         counted afterwards
 *   set   replace it by a whole cart
 *
 * All peers run at the same time, and each round measures them one after the other. A figure is the
 * median of the rounds; a ratio is the median of the rounds' ratios to Corral.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/figures.h"
#include "harness/measure.h"
#include "harness/pin.h"
#include "harness/progress.h"
#include "peers.h"

#define STEPS_MAX (1u << 18)
#define STEPS_EXTRA 128u      /* after the last step, since a pipeline reads ahead */
#define SYNC_CARTS_MAX 20000u /* more take too long to fill into a store that syncs each */

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
	if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				   &user, &system) != 2)
		return 0;
	return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Measure one peer's turn in a round. */
static bool take_turn(const struct peers *run, struct peers_row *row, enum peer_work work,
		      uint32_t round)
{
	const struct peers_settings *settings = run->settings;
	uint64_t ns = settings->ms * 1000000ull / (settings->rounds * 2);
	struct peer_job job = { .peer = row->peer,
				.place = &run->place,
				.work = work,
				.connection = row->connection,
				.steps = run->steps,
				.step_count = run->step_count,
				.item = &run->item,
				.whole = &run->whole,
				.cpu = peers_has_server(row) ? run->worker_cpu : PIN_NONE,
				.warm_ns = ns / 5,
				.ns = ns };
	struct peer_result result;
	uint64_t cpu = server_cpu_ns(row->server), start = bench_now_ns();
	int r = peer_job_run(&job, &result);

	if (bench_signal != 0)
		return false;
	if (r < 0) {
		bench_say("%s, %s: %s", row->peer->name, peer_work_names[work],
			  r == -ETIME ? "nothing was done" : strerror(-r));
		return false;
	}
	/* a server's CPU clock is too coarse for a phase: take a share of all phases
	 */
	double whole = (double)(bench_now_ns() - start);
	double server = (double)(server_cpu_ns(row->server) - cpu) * (double)ns / whole;
	row->ns[work][round] = 1e9 / result.batches.per_second * settings->workers;
	row->cpu[work][round] =
		((double)result.batches.cpu_ns + (peers_has_server(row) ? server : 0)) /
		(double)result.batches.done;
	histogram_merge(&row->times[work], &result.singles.ones);
	if (work == PEER_ADD)
		row->added += result.done;
	return true;
}

/* ------------------------------------------------------------------- carts */

/* The sum of all carts' versions. */
static int count_versions(const struct peers *run, const struct peers_row *row, uint64_t *ret_sum)
{
	*ret_sum = 0;
	for (uint32_t i = 0; row->peer->version != NULL && i < run->dataset.carts; i++) {
		struct dataset_step step;
		uint64_t version = 0;
		dataset_step_at(i, &step);
		int r = row->peer->version(row->connection, &step, &version);
		if (r < 0)
			return r;
		*ret_sum += version;
	}
	return 0;
}

static int fill(struct peers *run, struct peers_row *row)
{
	int r = 0;

	if (row->peer->put == NULL)
		return 0;
	for (uint32_t i = 0; i < run->dataset.carts && r == 0 && bench_signal == 0; i++) {
		struct dataset_step step;
		dataset_step_at(i, &step);
		r = row->peer->put(row->connection, &step, run->whole.bytes, run->whole.size);
		progress_show(i, run->dataset.carts, row->peer->name);
	}
	progress_clear();
	uint64_t sum;
	return r < 0 ? r : count_versions(run, row, &sum); /* and all carts exist */
}

/* Some peers' rows share a server and its carts, so each row counts its own adds only. */
static bool add_and_count(struct peers *run, struct peers_row *row, uint32_t round)
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

/* Measure set, and check that all carts are there afterwards. */
static bool set_and_look(struct peers *run, struct peers_row *row, uint32_t round)
{
	uint64_t sum;

	if (!take_turn(run, row, PEER_SET, round))
		return false;
	int r = count_versions(run, row, &sum);
	if (r < 0)
		bench_say("%s: carts that were set cannot be read: %s", row->peer->name,
			  strerror(-r));
	return r == 0;
}

/* Start and fill a peer. One that cannot be used is named in a message, and left out. */
static bool come_ready(struct peers *run, const struct peer *peer)
{
	struct peers_row *row = &run->rows[run->row_count];
	const char *why = peer->missing();

	if (why == NULL && peer == &peer_lmdb_sync && run->dataset.carts > SYNC_CARTS_MAX)
		why = "filled with a sync for each cart: too many";
	if (why != NULL) {
		figures_note("skipped: %s: %s", peer->name, why);
		return true;
	}
	*row = (struct peers_row){ .peer = peer };
	int r = peer->start(&run->place, &row->server);
	if (r < 0) {
		bench_say("%s cannot be started: %s", peer->name, strerror(-r));
		return false;
	}
	run->row_count++;
	peers_tell(run, row);
	r = peer->open(&run->place, &row->connection);
	if (r == 0)
		r = fill(run, row);
	if (r < 0)
		bench_say("%s cannot be filled: %s", peer->name, strerror(-r));
	else
		row->bytes = peer->memory(&run->place);
	return r == 0;
}

/* ------------------------------------------------------------------- rounds */

static bool measure_all(struct peers *run)
{
	uint32_t rounds = run->settings->rounds;

	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < run->row_count; i++) {
			struct peers_row *row = &run->rows[i];
			if (bench_signal != 0)
				return false;
			progress_show(round * run->row_count + i, rounds * run->row_count,
				      row->peer->name);
			if (row->peer->get != NULL && !take_turn(run, row, PEER_GET, round))
				return false;
			if (row->peer->add != NULL && !add_and_count(run, row, round))
				return false;
			if (row->peer->set != NULL && !set_and_look(run, row, round))
				return false;
		}
	}
	progress_clear();
	peers_print(run);
	return run->lost == 0;
}

/* -------------------------------------------------------------------- sandbox */

static bool make_place(struct peers *run)
{
	struct peer_place *place = &run->place;

	place->dataset = &run->dataset;
	place->bytes = (uint64_t)run->dataset.carts * (run->dataset.cart_bytes + 256);
	place->workers = run->settings->workers;
	place->mode = run->settings->threads ? POOL_THREADS : POOL_PROCESSES;
	return peer_make_directory(place);
}

static void end_peers(struct peers *run)
{
	for (uint32_t i = 0; i < run->row_count; i++) {
		if (run->rows[i].connection != NULL)
			run->rows[i].peer->close(run->rows[i].connection);
		run->rows[i].peer->stop(&run->place);
	}
	sandbox_remove_directory(run->place.directory);
}

/* Make a whole copy of the first cart. */
static bool make_whole(struct peers *run)
{
	struct dataset_step step;

	dataset_step_at(0, &step);
	struct corral_key key = dataset_key(&step);
	peer_cart_make(run->dataset.lines, run->dataset.cart_bytes, &run->bytes);
	int r = corral_get(run->dataset.corral, &key, &run->cart);
	if (r < 0)
		bench_say("cannot read a cart: %s", corral_strerror(r));
	run->whole = (struct peer_whole){ .bytes = run->bytes.data,
					  .size = run->bytes.size,
					  .cart = run->cart };
	return r == 0;
}

/*
 * A server and a single worker get a CPU each; with more workers the kernel's own placement is
 * better.
 */
static void choose_cpus(struct peers *run)
{
	run->place.server_cpu = run->worker_cpu = PIN_NONE;
	if (!run->settings->no_pin && run->settings->workers == 1)
		(void)pin_two(&run->place.server_cpu, &run->worker_cpu);
}

static bool make_steps(struct peers *run)
{
	run->step_count = dataset_steps(&run->dataset, STEPS_MAX);
	run->steps = run->settings->zipf ?
			     dataset_walk_zipf(&run->dataset, run->step_count + STEPS_EXTRA, 1) :
			     dataset_walk(&run->dataset, run->step_count + STEPS_EXTRA, 1);
	dataset_item_at(0, &run->item);
	return run->steps != NULL;
}

static enum bench_exit run_peers(const struct peers_settings *settings)
{
	struct peers *run = calloc(1, sizeof(*run));
	enum bench_exit result;

	if (run == NULL)
		return BENCH_NO_ARENA;
	run->settings = settings;
	result = dataset_open(&run->dataset, settings->directory, settings->carts, settings->bytes);
	if (result != BENCH_DONE) {
		free(run);
		return result;
	}
	result = BENCH_WRONG;
	msgpack_sbuffer_init(&run->bytes);
	if (make_place(run)) {
		choose_cpus(run);
		bool good = make_steps(run) && make_whole(run);
		for (uint32_t i = 0; i < peer_count && good && bench_signal == 0; i++)
			if (peers_is_wanted(settings->only, peers[i]->name))
				good = come_ready(run, peers[i]);
		if (good && bench_signal == 0 && measure_all(run))
			result = BENCH_DONE;
		end_peers(run);
	}
	free(run->steps);
	corral_cart_free(run->cart);
	msgpack_sbuffer_destroy(&run->bytes);
	dataset_close(&run->dataset);
	free(run);
	return result;
}

enum bench_exit peers_run(int argc, char **argv)
{
	struct peers_settings settings = {
		.carts = 10000, .bytes = 5120, .workers = 1, .ms = 2000, .rounds = 5
	};
	bool go;
	enum bench_exit result = peers_options(argc, argv, &settings, &go);

	if (!go)
		return result;
	bench_catch_signals();
	figures_begin("peers", settings.json);
	result = run_peers(&settings);
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}
