/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c: workers that drive a peer. See job.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness/measure.h"
#include "harness/pin.h"
#include "job.h"

const char *const peer_work_names[PEER_WORKS] = { "get", "add", "set" };

struct hand { /* each has a cache line of its own, since its neighbours write too */
	const struct peer_job *job;
	void *connection;
	uint32_t at; /* the next step */
	uint64_t sink;
};

bool peer_does(const struct peer *peer, enum peer_work work)
{
	return work == PEER_GET ? peer->get != NULL :
	       work == PEER_ADD ? peer->add != NULL :
				  peer->set != NULL;
}

static bool is_shared(const struct peer_job *job)
{
	return job->place->mode == POOL_THREADS && job->peer->shared;
}

static int begin(void *context, struct pool_worker *me, uint32_t number, void **ret_state)
{
	const struct peer_job *job = context;
	struct hand *hand = aligned_alloc(CACHE_LINE, CACHE_LINE);
	int r = 0;

	(void)me;
	static_assert(sizeof(*hand) <= CACHE_LINE, "one line");
	if (hand == NULL)
		return -ENOMEM;
	pin_me(job->cpu);
	*hand = (struct hand){ .job = job,
			       .connection = job->connection,
			       .at = (uint32_t)((uint64_t)job->step_count * number /
						job->place->workers) };
	if (!is_shared(job)) {
		hand->connection = NULL;
		r = job->peer->open(job->place, &hand->connection);
	}
	if (r < 0) {
		if (hand->connection != NULL)
			job->peer->close(hand->connection);
		free(hand);
		return r;
	}
	*ret_state = hand;
	return 0;
}

static int one(void *state, uint32_t argument)
{
	struct hand *hand = state;
	const struct peer_job *job = hand->job;
	const struct peer *peer = job->peer;
	const struct dataset_step *step = &job->steps[hand->at];

	(void)argument;
	hand->at = (hand->at + (uint32_t)max_u64(1, peer->depth)) & (job->step_count - 1);
	if (job->work == PEER_ADD)
		return peer->add(hand->connection, step, job->item);
	if (job->work == PEER_SET)
		return peer->set(hand->connection, step, job->whole);
	int r = peer->get(hand->connection, step, &hand->sink);
	measure_use(hand->sink);
	return r;
}

static void end(void *state)
{
	struct hand *hand = state;

	if (!is_shared(hand->job))
		hand->job->peer->close(hand->connection);
	free(hand);
}

static int run_phases(const struct peer_job *job, struct pool *pool, struct peer_result *result)
{
	struct pool_window window;
	int r = pool_measure(pool, POOL_BATCHES, 0, job->warm_ns, &window);

	if (r == 0)
		r = pool_measure(pool, POOL_BATCHES, 0, job->ns, &result->batches);
	if (r == 0)
		r = pool_measure(pool, POOL_SINGLE_CALLS, 0, job->ns, &result->singles);
	int rested = pool_rest(pool, &window);
	result->done = pool_done(pool, 0);
	r = r < 0 ? r : rested;
	return r < 0 || result->batches.done > 0 ? r : -ETIME;
}

int peer_job_run(const struct peer_job *job, struct peer_result *ret_result)
{
	struct pool_plan plan = { .mode = job->place->mode,
				  .workers = job->place->workers,
				  .depth = job->peer->depth,
				  .context = (void *)(uintptr_t)job,
				  .begin = begin,
				  .one = one,
				  .end = end };
	struct pool pool;
	int r = pool_open(&pool, &plan);

	if (r < 0)
		return r;
	r = run_phases(job, &pool, ret_result);
	int closed = pool_close(&pool);
	return r < 0 ? r : closed;
}
