/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * adders.c: worker processes that add items. See adders.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "adders.h"
#include "base/atomic.h"
#include "harness/measure.h"

#define STEPS_MAX (1u << 18)
#define TRIAL_CALLS 500u
#define TRIALS 5u

struct adder {
	const struct adders *adders;
	struct pool_worker *me;
	struct dataset_item item;
	uint32_t at;
	uint64_t spins; /* turns of an empty loop that take as long as a call */
};

/* ------------------------------------------------------------------ worker */

static int add_one(void *state, uint32_t dataset)
{
	struct adder *adder = state;
	struct corral *corral = adder->adders->datasets[dataset]->corral;
	struct corral_key key = dataset_key(&adder->adders->steps[adder->at]);

	adder->at = (adder->at + 1) & (adder->adders->step_count - 1);
	int r = corral_add(corral, &key, &adder->item.item, NULL, NULL);
	if (r == -ERANGE) /* its quantity is at the limit */
		r = corral_set_quantity(corral, &key, 1, 1, NULL, NULL);
	return r;
}

static int sync_it(void *state, uint32_t dataset)
{
	return corral_sync(((struct adder *)state)->adders->datasets[dataset]->corral, -1, NULL);
}

static void spin(uint64_t spins)
{
	for (uint64_t i = 0; i < spins; i++)
		spin_pause();
}

static int do_nothing(void *state, uint32_t dataset)
{
	(void)dataset;
	spin(((struct adder *)state)->spins);
	return 0;
}

/* Find the turns of an empty loop that take as long as a call: the median of some trials. */
static int calibrate(struct adder *adder)
{
	double ratios[TRIALS];

	for (uint32_t trial = 0; trial < TRIALS; trial++) {
		uint64_t start = bench_now_ns();

		for (uint32_t i = 0; i < TRIAL_CALLS; i++) {
			int r = add_one(adder, 0);

			if (r < 0)
				return r;
			adder->me->done[0]++;
		}
		uint64_t middle = bench_now_ns();
		spin(TRIAL_CALLS * 10ull);
		ratios[trial] =
			(double)(middle - start) * 10 / (double)(bench_now_ns() - middle + 1);
	}
	adder->spins = (uint64_t)measure_median(ratios, TRIALS) + 1;
	return 0;
}

static int begin(void *context, struct pool_worker *me, uint32_t number, void **ret_state)
{
	const struct adders *adders = context;
	struct adder *adder = calloc(1, sizeof(*adder));

	if (adder == NULL)
		return -ENOMEM;
	*ret_state = adder;
	adder->adders = adders;
	adder->me = me;
	adder->at = adders->step_count / adders->workers * number;
	dataset_item_at(0, &adder->item);
	return adders->then == ADDERS_NOTHING ? calibrate(adder) : 0;
}

static void end(void *state)
{
	struct adder *adder = state;

	for (uint32_t i = 0; i < POOL_ARGUMENTS && adder->adders->datasets[i] != NULL; i++)
		corral_close(adder->adders->datasets[i]->corral);
	free(adder);
}

/* ------------------------------------------------------------------ parent */

static enum bench_exit result_of(int r)
{
	if (r == 0)
		return BENCH_DONE;
	if (bench_signal == 0)
		bench_say("the workers failed: %s", corral_strerror(r));
	return BENCH_WRONG;
}

enum bench_exit adders_open(struct adders *adders, const struct dataset *const *datasets,
			    uint32_t dataset_count, uint32_t workers, enum adders_then then)
{
	assert(dataset_count <= POOL_ARGUMENTS);
	*adders = (struct adders){ .then = then, .workers = workers };
	for (uint32_t i = 0; i < dataset_count; i++)
		adders->datasets[i] = datasets[i];
	adders->step_count = dataset_steps(datasets[0], STEPS_MAX);
	adders->steps = dataset_walk(datasets[0], adders->step_count, 1);
	adders->plan = (struct pool_plan){ .workers = workers,
					   .context = adders,
					   .begin = begin,
					   .one = add_one,
					   .then = then == ADDERS_SYNC    ? sync_it :
						   then == ADDERS_NOTHING ? do_nothing :
									    NULL,
					   .end = end };
	int r = adders->steps == NULL ? -ENOMEM : pool_open(&adders->pool, &adders->plan);
	if (r < 0)
		free(adders->steps);
	return result_of(r);
}

void adders_begin(struct adders *adders, uint32_t dataset, uint64_t warm_ns)
{
	pool_start(&adders->pool, POOL_BATCHES, dataset);
	pool_sleep(warm_ns);
	pool_start(&adders->pool, POOL_SINGLE_CALLS, dataset);
}

enum bench_exit adders_finish(struct adders *adders, struct pool_window *ret_window)
{
	return result_of(pool_rest(&adders->pool, ret_window));
}

enum bench_exit adders_count(const struct adders *adders, uint32_t dataset, const char *prefix,
			     uint64_t versions)
{
	uint64_t now = 0, changes = pool_done(&adders->pool, dataset);
	int r = dataset_versions(adders->datasets[dataset], &now);

	if (r < 0) {
		bench_say("a cart cannot be read: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	printf("%schanges %llu changes\n", prefix, (unsigned long long)changes);
	printf("%snew_versions %llu versions\n", prefix, (unsigned long long)(now - versions));
	if (now - versions == changes)
		return BENCH_DONE;
	bench_say("not each change that was acknowledged is in the carts, or others are");
	return BENCH_WRONG;
}

enum bench_exit adders_close(struct adders *adders)
{
	enum bench_exit result = result_of(pool_close(&adders->pool));

	free(adders->steps);
	return result;
}
