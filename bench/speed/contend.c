/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contend.c: corral-bench contend: one cart is read over and over, once while nothing
 * else happens and once while another process changes that very cart without a pause; in turns.
 * Readers do not wait: what differs is that the cart's lines are in the other processor's cache
 * each time. What that costs by itself, the bare limit of the same work shows: a pointer, and what
 * it points to, in no key's table and protected by nothing, changed as often as Corral has changed
 * its cart in the round before.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/measure.h"
#include "peers/peer.h"

#define ROUNDS 10u

struct side { /* Corral, or the bare limit */
	const struct peer *peer;
	const char *idle_name, *changed_name;
	void *connection;
	struct histogram idle, changed;
	uint64_t changes, round_changes;
};

struct contend {
	struct peer_place place;
	struct dataset_step step;
	struct side sides[2];
	uint64_t sink;
};

/* A change each so many nanoseconds, or, when that takes longer, without a pause. */
static _Noreturn void change(const struct peer_place *place, const struct peer *peer,
			     uint64_t each_ns, int ready)
{
	uint64_t next = bench_now_ns();
	struct dataset_step step;
	struct dataset_item item;
	void *connection;

	dataset_step_at(0, &step);
	dataset_item_at(0, &item);
	int r = peer->open(place, &connection);
	if (r == 0)
		r = peer->add(connection, &step, &item);
	if (r < 0 || write(ready, "", 1) != 1)
		_exit(1);
	while (bench_signal == 0 && r == 0) {
		r = peer->add(connection, &step, &item);
		for (next += each_ns; bench_now_ns() < next && bench_signal == 0;)
			;
	}
	_exit(r == 0 ? 0 : 1);
}

/* Its pid, once it changes; or -errno. */
static pid_t begin_changes(const struct peer_place *place, const struct peer *peer,
			   uint64_t each_ns)
{
	int ends[2];
	char byte;

	if (pipe(ends) < 0)
		return -errno;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		change(place, peer, each_ns, ends[1]);
	}
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -ECHILD;
	}
	close(ends[0]);
	return pid;
}

static int read_for(struct contend *contend, const struct side *side, uint64_t ns,
		    struct histogram *times)
{
	uint64_t start = bench_now_ns(), before = start;
	int r = 0;

	while (before - start < ns && r == 0) {
		r = side->peer->get(side->connection, &contend->step, &contend->sink);
		measure_use(contend->sink);
		uint64_t now = bench_now_ns();
		histogram_add(times, now - before);
		before = now;
	}
	return r;
}

static int run_round(struct contend *contend, struct side *side, uint64_t ns, uint64_t each_ns)
{
	uint64_t before = 0, after = 0;
	int status;
	int r = read_for(contend, side, ns, &side->idle);

	if (r == 0)
		r = side->peer->version(side->connection, &contend->step, &before);
	pid_t pid = r == 0 ? begin_changes(&contend->place, side->peer, each_ns) : r;
	if (pid < 0)
		return (int)pid;
	r = read_for(contend, side, ns, &side->changed);
	if (r == 0 && waitpid(pid, &status, WNOHANG) == pid)
		return -ECHILD; /* it has ended by itself */
	kill(pid, SIGTERM); /* between two changes: the bare one has a lock that would survive it */
	waitpid(pid, &status, 0);
	if (r == 0)
		r = side->peer->version(side->connection, &contend->step, &after);
	side->round_changes = after - before;
	side->changes += after - before;
	return r;
}

static int run_rounds(struct contend *contend, uint64_t ns)
{
	struct side *corral = &contend->sides[0], *bare = &contend->sides[1];
	int r = 0;

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = run_round(contend, corral, ns, 0);
		if (r == 0)
			r = run_round(contend, bare, ns, ns / max_u64(1, corral->round_changes));
	}
	return r;
}

static int run_sides(struct contend *contend, uint64_t ns)
{
	int r = 0;

	for (uint32_t i = 0; i < 2 && r == 0; i++)
		r = contend->sides[i].peer->open(&contend->place, &contend->sides[i].connection);
	if (r == 0)
		r = run_rounds(contend, ns);
	for (uint32_t i = 0; i < 2; i++)
		if (contend->sides[i].connection != NULL)
			contend->sides[i].peer->close(contend->sides[i].connection);
	return r;
}

static double quotient(const struct histogram *times, const struct histogram *yardstick)
{
	return (double)histogram_quantile(times, 999) /
	       (double)max_u64(1, histogram_quantile(yardstick, 999));
}

static void print(const struct contend *contend, uint32_t carts)
{
	const struct side *corral = &contend->sides[0], *bare = &contend->sides[1];

	measure_print("contend", carts, "changes", "changes", (double)corral->changes, 0);
	measure_print("contend", carts, "bare_changes", "changes", (double)bare->changes, 0);
	for (uint32_t i = 0; i < 2; i++) {
		measure_print_quantiles("contend", carts, contend->sides[i].idle_name,
					&contend->sides[i].idle);
		measure_print_quantiles("contend", carts, contend->sides[i].changed_name,
					&contend->sides[i].changed);
	}
	measure_print("contend", carts, "p99.9_ratio", "x",
		      quotient(&corral->changed, &corral->idle), 2);
	measure_print("contend", carts, "bare_p99.9_ratio", "x",
		      quotient(&bare->changed, &bare->idle), 2);
	measure_print("contend", carts, "p99.9_to_bare", "x",
		      quotient(&corral->changed, &bare->changed), 2);
}

static enum bench_exit contend_one(const struct measure *measure, struct dataset *dataset)
{
	struct contend *contend = calloc(1, sizeof(*contend));
	pid_t none;

	if (contend == NULL)
		return BENCH_NO_ARENA;
	contend->place.dataset = dataset;
	dataset_step_at(0, &contend->step);
	contend->sides[0] = (struct side){ .peer = &peer_corral,
					   .idle_name = "idle",
					   .changed_name = "changed" };
	contend->sides[1] = (struct side){ .peer = &peer_bare,
					   .idle_name = "bare_idle",
					   .changed_name = "bare_changed" };
	int r = peer_bare.start(&contend->place, &none);
	if (r == 0) {
		r = run_sides(contend, measure->ms * 1000000ull / ROUNDS);
		peer_bare.stop(&contend->place);
	}
	if (r < 0)
		bench_say("it failed: %s", corral_strerror(r));
	else if (bench_signal == 0)
		print(contend, dataset->carts);
	free(contend);
	return r < 0 ? BENCH_WRONG : BENCH_DONE;
}

enum bench_exit contend_run(int argc, char **argv)
{
	struct measure measure = {
		.name = "contend", .counts = { 100 }, .count_count = 1, .bytes = 5120, .ms = 3000
	};

	return measure_run(&measure, 0, argc, argv, contend_one);
}
