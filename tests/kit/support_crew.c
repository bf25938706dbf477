/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * support_crew.c: processes attached to an arena, and bodies that run as threads or processes. See
 * support.h.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#include "base/atomic.h"
#include "memory/block.h"
#include "memory/retire.h"
#include "store/repair.h"
#include "sync/grace.h"

#define MEMBERS_MAX 64

bool support_no_membarrier;
static uint32_t *crew_failures;         /* shared with children */
static struct life *lives[MEMBERS_MAX]; /* of this process; a child must not keep them */

/* ----------------------------------------------------------------- member */

void member_disinherit(void)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		if (lives[i] != NULL)
			close(lives[i]->fd);
		lives[i] = NULL;
	}
}

int member_join(const struct yard *yard, struct member *ret_member)
{
	char why[ARENA_WHY_BYTES] = "";
	size_t seat = 0;

	int r = arena_map(yard->dir_fd, false, &ret_member->arena, why);
	if (r < 0)
		return r;
	r = alive_open(yard->dir_fd, false, &ret_member->life, why);
	if (r < 0) {
		arena_unmap(&ret_member->arena);
		return r;
	}
	ret_member->can_membarrier = !support_no_membarrier && grace_register();
	ret_member->fenced = !ret_member->can_membarrier;
	r = alive_claim(&ret_member->arena, &ret_member->life, repair_process,
			ret_member->fenced ? PROCESS_FENCED : 0, "");
	if (r < 0) {
		alive_close(&ret_member->life);
		arena_unmap(&ret_member->arena);
		return r;
	}
	while (seat < MEMBERS_MAX && lives[seat] != NULL)
		seat++;
	if (seat < MEMBERS_MAX)
		lives[seat] = &ret_member->life;
	return 0;
}

void member_vanish(struct member *member)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		if (lives[i] == &member->life)
			lives[i] = NULL;
	alive_close(&member->life);
	arena_unmap(&member->arena);
}

void member_leave(struct member *member)
{
	alive_give_back(&member->arena, &member->life);
	member_vanish(member);
}

static int claim_record(struct member *member)
{
	struct arena *arena = &member->arena;

	for (uint32_t number = 0; number < arena->max_threads; number++) {
		struct thread_record *record = &arena->threads[number];
		for (uint32_t high = load_acquire(&arena->header->threads_high);
		     load_relaxed(&record->owner) == 0 && high <= number;
		     high = load_acquire(&arena->header->threads_high))
			(void)cas_acq_rel(&arena->header->threads_high, high, number + 1);
		if (cas_acq_rel(&record->owner, 0, member->life.process + 1))
			return (int)number;
	}
	return -EUSERS;
}

int member_actor(struct member *member, struct actor *ret_actor)
{
	int number = claim_record(member);

	if (number < 0)
		return number;
	*ret_actor = (struct actor){ .arena = &member->arena,
				     .life = &member->life,
				     .record = &member->arena.threads[number],
				     .name = (uint32_t)number + 1,
				     .patience_ms = 1000,
				     .fenced = member->fenced,
				     .can_membarrier = member->can_membarrier,
				     .repair = repair_process };
	ret_actor->record->tid = (int32_t)syscall(SYS_gettid);
	ret_actor->record->nest = 0;
	block_settle(ret_actor);
	return 0;
}

void member_dismiss(struct actor *actor)
{
	struct thread_record *record = actor->record;

	grace_end(record);
	(void)block_reclaim(actor, record);
	block_flush(actor);
	note(&record->generation, record->generation + 1);
	store_release(&record->owner, 0);
}

/* ------------------------------------------------------------------- crew */

struct crew_seat {
	const struct yard *yard;
	struct member *member; /* of all threads */
	struct crewman man;
	void (*body)(struct crewman *self);
};

static void crew_work(struct crew_seat *seat)
{
	struct actor actor;

	if (seat->yard != NULL) {
		must(member_actor(seat->member, &actor) == 0);
		seat->man.member = seat->member;
		seat->man.actor = &actor;
	}
	seat->body(&seat->man);
	if (seat->yard != NULL)
		member_dismiss(&actor);
}

static void *crew_thread(void *context)
{
	support_failures = crew_failures;
	crew_work(context);
	return NULL;
}

static int crew_process(void *context)
{
	struct crew_seat *seat = context;
	struct member member;

	if (seat->yard != NULL) {
		must(member_join(seat->yard, &member) == 0);
		seat->member = &member;
	}
	crew_work(seat);
	if (seat->yard != NULL)
		member_leave(&member);
	return 0;
}

static void crew_threads(struct crew_seat *seats, uint32_t count)
{
	pthread_t threads[count];
	struct member member;
	struct timespec end;

	if (seats[0].yard != NULL)
		assert_int_equal(member_join(seats[0].yard, &member), 0);
	support_let_crash();
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 2 * SUPPORT_WAIT_MS / 1000;
	for (uint32_t i = 0; i < count; i++) {
		seats[i].member = &member;
		assert_int_equal(pthread_create(&threads[i], NULL, crew_thread, &seats[i]), 0);
	}
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pthread_timedjoin_np(threads[i], NULL, &end), 0);
	if (seats[0].yard != NULL)
		member_leave(&member);
}

static void crew_processes(struct crew_seat *seats, uint32_t count)
{
	pid_t pids[count];

	for (uint32_t i = 0; i < count; i++)
		pids[i] = child_start(crew_process, &seats[i]);
	for (uint32_t i = 0; i < count; i++)
		if (child_wait(pids[i]) != 0)
			++*crew_failures;
}

void crew_run(const struct yard *yard, bool processes, uint32_t count,
	      void (*body)(struct crewman *self), void *shared)
{
	struct crew_seat seats[count];

	if (crew_failures == NULL)
		crew_failures = support_shared(sizeof(*crew_failures));
	*crew_failures = 0;
	for (uint32_t i = 0; i < count; i++)
		seats[i] = (struct crew_seat){
			.yard = yard,
			.body = body,
			.man = { .number = i, .shared = shared, .random = support_seed() + i }
		};
	if (processes)
		crew_processes(seats, count);
	else
		crew_threads(seats, count);
	assert_int_equal(*crew_failures, 0);
}
