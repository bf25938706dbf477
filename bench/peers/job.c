/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c: a team at work on a peer. See job.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness/measure.h"
#include "harness/pin.h"
#include "job.h"

const char *const peer_work_names[PEER_WORKS] = { "get", "add", "set" };

struct hand { /* a line of its own: others are at work beside it */
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
	return job->place->mode == TEAM_THREADS && job->peer->shared;
}

static int begin(void *context, uint32_t number, void **ret_state)
{
	const struct peer_job *job = context;
	struct hand *hand = aligned_alloc(CACHE_LINE, CACHE_LINE);
	int r = 0;

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

static int one(void *state)
{
	struct hand *hand = state;
	const struct peer_job *job = hand->job;
	const struct peer *peer = job->peer;
	const struct dataset_step *step = &job->steps[hand->at];

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

int peer_job_run(const struct peer_job *job, struct team_result *ret_result)
{
	struct team_plan plan = { .mode = job->place->mode,
				  .workers = job->place->workers,
				  .warm_ns = job->warm_ns,
				  .plain_ns = job->ns,
				  .timed_ns = job->ns,
				  .depth = (uint32_t)max_u64(1, job->peer->depth),
				  .context = (void *)(uintptr_t)job,
				  .begin = begin,
				  .one = one,
				  .end = end };
	int r = team_run(&plan, ret_result);

	if (r == 0)
		r = ret_result->err;
	return r < 0 || ret_result->plain_done > 0 ? r : -ETIME;
}
