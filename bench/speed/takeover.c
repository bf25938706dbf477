/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takeover.c: corral-bench takeover: how long the next writer waits for a cart whose lock was held
 * by a process that is killed. No agent runs: the waiter does the repair itself.
 *
 * Each round forks a holder that takes the cart's lock, says so, and does nothing more; the
 * benchmark kills it and changes the cart at once. For comparison, in every other round the holder
 * holds no lock, and dies too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/handle.h"
#include "harness/child.h"
#include "harness/dataset.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define ROUNDS_MAX 1000000u
#define CART_BYTES 5120u

struct takeover {
	struct dataset dataset;
	struct corral_key key;
	struct dataset_item item;
	uint32_t rounds;
	const char *directory;
	struct histogram held, idle;
};

struct holder {
	const struct takeover *takeover;
	bool lock;
	int say_fd;
};

/*
 * Runs in the child, which attaches as a process of its own: hold the lock, or hold nothing, until
 * killed.
 */
static int hold(void *context)
{
	const struct holder *holder = context;
	const struct takeover *takeover = holder->takeover;
	struct corral *corral = takeover->dataset.corral;
	struct found found = { 0 };
	struct actor *actor;
	bool well = handle_actor(corral, &actor) == 0;

	if (well) {
		grace_enter(actor);
		well = slot_find(&corral->arena, slot_hash(&corral->arena, &takeover->key),
				 &takeover->key, &found) == 0;
		grace_leave(actor);
	}
	if (well && holder->lock) {
		slot_want(actor, NULL, found.slot);
		well = lock_take(actor, &found.slot->lock, LOCK_SLOT) == 0;
	}
	if (!well || write(holder->say_fd, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

/* Start and kill a holder. Returns the nanoseconds that the change took afterwards. */
static int one_round(struct takeover *takeover, bool lock, struct histogram *times)
{
	int ends[2];
	char byte;

	if (pipe(ends) < 0)
		return -errno;
	struct holder holder = { .takeover = takeover, .lock = lock, .say_fd = ends[1] };
	pid_t pid = child_fork(hold, &holder);
	close(ends[1]);
	int r = pid < 0 ? (int)pid : read(ends[0], &byte, 1) == 1 ? 0 : -EIO;
	if (r == 0) {
		kill(pid, SIGKILL);
		uint64_t start = bench_now_ns();
		r = corral_set_quantity(takeover->dataset.corral, &takeover->key, 1, 1, NULL, NULL);
		histogram_add(times, bench_now_ns() - start);
	}
	close(ends[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}

static void print(const char *what, const struct histogram *times)
{
	static const struct {
		const char *name;
		uint32_t per_mille;
	} figures[] = { { "p50", 500 }, { "p99", 990 }, { "p99.9", 999 } };

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		printf("takeover.%s_%s_us %.1f us\n", what, figures[i].name,
		       (double)histogram_quantile(times, figures[i].per_mille) / 1000);
	printf("takeover.%s_max_us %.1f us\n", what, (double)times->max / 1000);
}

static enum bench_exit measure(struct takeover *takeover)
{
	struct dataset_step step;
	int r = 0;

	dataset_step_at(0, &step);
	takeover->key = dataset_key(&step);
	sandbox_stop_agent(&takeover->dataset.sandbox);
	bench_print_machine(stdout);
	for (uint32_t i = 0; i < takeover->rounds && r == 0 && bench_signal == 0; i++) {
		r = one_round(takeover, true, &takeover->held);
		if (r == 0)
			r = one_round(takeover, false, &takeover->idle);
	}
	if (r < 0) {
		bench_say("the change after a death: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	printf("takeover.rounds %llu rounds\n", (unsigned long long)takeover->held.total);
	print("held", &takeover->held);
	print("not_held", &takeover->idle);
	memory_print_arena("takeover", &takeover->dataset);
	return BENCH_DONE;
}

enum bench_exit takeover_run(int argc, char **argv)
{
	static struct takeover takeover = { .rounds = 1000 };
	const struct option_row rows[] = {
		OPTION(NUMBER, "rounds", "N", number = &takeover.rounds, "so many deaths",
		       BOUNDS(1, ROUNDS_MAX)),
		OPTION_DIR(&takeover.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	bench_catch_signals();
	result = dataset_open(&takeover.dataset, takeover.directory, 1, CART_BYTES);
	if (result == BENCH_DONE) {
		result = measure(&takeover);
		dataset_close(&takeover.dataset);
	}
	bench_die_of_signal();
	return result;
}
