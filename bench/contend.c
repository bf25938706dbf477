/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contend.c (floor 6): corral-bench contend: one cart is read over and over, once while nothing else happens and once while another
 * process changes that very cart without a pause; in turns. Readers do not wait: what differs is that the cart's lines are in
 * the other processor's cache each time.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "peer.h"

#define ROUNDS 10u

struct contend {
	struct peer_place place;
	void *connection;
	struct load_step step;
	struct histogram idle, busy;
	uint64_t sink;
};

static _Noreturn void change_without_pause(const struct peer_place *place, int ready)
{
	struct load_step step;
	struct load_item item;
	void *connection;

	load_step_at(0, &step);
	load_item_at(0, &item);
	int r = peer_corral.open(place, &connection);
	if (r == 0)
		r = peer_corral.add(connection, &step, &item);
	if (r < 0 || write(ready, "", 1) != 1)
		_exit(1);
	while (peer_corral.add(connection, &step, &item) == 0)
		;
	_exit(1);
}

/* Its pid, once it changes; or -errno. */
static pid_t begin_changes(const struct contend *contend)
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
		change_without_pause(&contend->place, ends[1]);
	}
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -ECHILD;
	}
	close(ends[0]);
	return pid;
}

static int read_for(struct contend *contend, uint64_t ns, struct histogram *times)
{
	uint64_t start = bench_now_ns(), before = start;
	int r = 0;

	while (before - start < ns && r == 0) {
		r = peer_corral.get(contend->connection, &contend->step, &contend->sink);
		measure_use(contend->sink);
		uint64_t now = bench_now_ns();
		histogram_add(times, now - before);
		before = now;
	}
	return r;
}

static int run_rounds(struct contend *contend, uint64_t ns)
{
	int r = 0, status;

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = read_for(contend, ns, &contend->idle);
		pid_t pid = r == 0 ? begin_changes(contend) : r;
		if (pid < 0)
			return (int)pid;
		r = read_for(contend, ns, &contend->busy);
		if (r == 0 && waitpid(pid, &status, WNOHANG) == pid)
			return -ECHILD; /* it has ended by itself */
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return r;
}

static enum bench_exit contend_one(const struct measure *measure, struct load *load)
{
	struct contend *contend = calloc(1, sizeof(*contend));
	uint64_t before = 0, after = 0;

	if (contend == NULL)
		return BENCH_NO_ARENA;
	contend->place.load = load;
	load_step_at(0, &contend->step);
	int r = peer_corral.open(&contend->place, &contend->connection);
	if (r == 0)
		r = peer_corral.version(contend->connection, &contend->step, &before);
	if (r == 0)
		r = run_rounds(contend, measure->seconds * 1000000000ull / ROUNDS);
	if (r == 0)
		r = peer_corral.version(contend->connection, &contend->step, &after);
	if (r < 0) {
		bench_say("it failed: %s", corral_strerror(r));
	} else if (bench_signal == 0) {
		measure_print("contend", load->carts, "changes", "changes", (double)(after - before), 0);
		measure_print_quantiles("contend", load->carts, "idle", &contend->idle);
		measure_print_quantiles("contend", load->carts, "changed", &contend->busy);
		measure_print("contend", load->carts, "p99.9_ratio", "x",
			      (double)histogram_quantile(&contend->busy, 999) /
				      (double)max_u64(1, histogram_quantile(&contend->idle, 999)),
			      2);
	}
	if (contend->connection != NULL)
		peer_corral.close(contend->connection);
	free(contend);
	return r < 0 ? BENCH_WRONG : BENCH_DONE;
}

enum bench_exit contend_run(int argc, char **argv)
{
	struct measure measure = {
		.name = "contend", .counts = { 100 }, .count_count = 1, .bytes = 5120, .seconds = 4
	};

	return measure_run(&measure, 0, argc, argv, contend_one);
}
