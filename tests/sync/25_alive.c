/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 25_alive.c: the kernel knows which processes are alive: a killed process's byte is free, and no
 * live process (starting, stopped, or sharing a process with another handle) is taken for dead.
 * (25_alive_fork.c: children.)
 */
#include "support.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "store/repair.h"

/* A child that joins, reports its record's number, and stays. */
struct stayer {
	struct yard yard;
	uint32_t number; /* plus one; 0: not known yet */
};

static int join_and_stay(void *context)
{
	struct stayer *stayer = context;
	struct member member;

	must(member_join(&stayer->yard, &member) == 0);
	store_release(&stayer->number, member.life.process + 1);
	for (;;)
		pause();
}

static pid_t start_stayer(const struct yard *yard, uint32_t *ret_number)
{
	struct stayer *stayer = support_shared(sizeof(*stayer));

	stayer->yard = *yard;
	pid_t pid = child_start(join_and_stay, stayer);
	assert_true(wait_until(load_acquire(&stayer->number) != 0, SUPPORT_WAIT_MS));
	*ret_number = stayer->number - 1;
	return pid;
}

/* -------------------------------------------------------------- the byte */

static void byte_is_free_after_its_holder_was_killed(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct yard yard;
	struct member us;
	uint32_t number;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	for (uint32_t round = 0; round < 20; round++) {
		pid_t pid = start_stayer(&yard, &number);
		assert_true(alive_test(us.life.fd, ALIVE_BYTE(number)));
		assert_false(alive_take(&us.life, ALIVE_BYTE(number)));
		child_kill(pid);
		assert_true(
			wait_until(!alive_test(us.life.fd, ALIVE_BYTE(number)), SUPPORT_WAIT_MS));
		assert_true(alive_take(&us.life, ALIVE_BYTE(number)));
		alive_drop(&us.life, ALIVE_BYTE(number));
	}
	member_leave(&us);
	yard_remove(&yard);
}

static void stopped_process_is_alive(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct yard yard;
	struct member us;
	uint32_t number;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	pid_t pid = start_stayer(&yard, &number);
	child_stop(pid);
	assert_int_equal(alive_bury_all(&us.arena, &us.life, repair_process), 0);
	assert_true(alive_test(us.life.fd, ALIVE_BYTE(number)));
	child_kill(pid);
	assert_true(wait_until(alive_bury_all(&us.arena, &us.life, repair_process) == 1,
			       SUPPORT_WAIT_MS));
	assert_int_equal(us.arena.processes[number].state, PROCESS_FREE);
	member_leave(&us);
	yard_remove(&yard);
}

static void two_handles_of_a_process_exclude_each_other(void **state)
{
	(void)state;
	struct member one, two;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &one), 0);
	assert_int_equal(member_join(&yard, &two), 0);
	assert_int_not_equal(one.life.process, two.life.process);
	assert_false(alive_take(&one.life, ALIVE_BYTE(two.life.process)));
	assert_false(alive_take(&two.life, ALIVE_BYTE(one.life.process)));
	assert_true(alive_test(one.life.fd, ALIVE_BYTE(two.life.process)));
	assert_false(alive_test(
		one.life.fd,
		ALIVE_BYTE(one.life.process))); /* held by another handle, not by this one */
	assert_int_equal(alive_bury_all(&one.arena, &one.life, repair_process), 0);
	assert_int_equal(alive_bury_all(&two.arena, &two.life, repair_process), 0);
	uint32_t number = two.life.process;
	member_leave(&two);
	assert_int_equal(one.arena.processes[number].state, PROCESS_FREE);
	assert_false(alive_test(one.life.fd, ALIVE_BYTE(number)));
	member_leave(&one);
	yard_remove(&yard);
}

/* ----------------------------------------------------------------- records */

static void dead_records_are_reused_first_and_with_a_new_generation(void **state)
{
	(void)state;
	struct member members[8], next;
	struct yard yard;

	yard_make(&yard, NULL);
	for (uint32_t i = 0; i < COUNT(members); i++) {
		assert_int_equal(member_join(&yard, &members[i]), 0);
		assert_int_equal(members[i].life.process, i);
	}
	uint32_t generation = members[0].arena.processes[5].generation;
	member_leave(&members[2]); /* free, and a lower number */
	member_vanish(&members[5]);
	assert_int_equal(member_join(&yard, &next), 0);
	assert_int_equal(next.life.process, 5);
	assert_int_equal(members[0].arena.processes[5].state, PROCESS_USED);
	assert_true(members[0].arena.processes[5].generation > generation);
	assert_int_equal(members[0].arena.processes[5].pid, getpid());
	member_leave(&next);
	for (uint32_t i = 0; i < COUNT(members); i++)
		if (i != 2 && i != 5)
			member_leave(&members[i]);
	yard_remove(&yard);
}

static void a_full_table_of_live_records_has_its_own_error_until_one_dies(void **state)
{
	(void)state;
	struct member us;
	struct life lives[MAX_PROCESSES - 1], more;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	for (uint32_t i = 0; i < COUNT(lives); i++) {
		if (alive_open(yard.dir_fd, false, &lives[i], NULL) == -EMFILE)
			skip_because("the limit of open files is too low");
		assert_int_equal(alive_claim(&us.arena, &lives[i], repair_process, 0, ""), 0);
		assert_int_equal(lives[i].process, i + 1);
	}
	assert_int_equal(alive_open(yard.dir_fd, false, &more, NULL), 0);
	assert_int_equal(alive_claim(&us.arena, &more, repair_process, 0, ""), -EUSERS);
	assert_int_equal(alive_claim(&us.arena, &more, repair_process, 0, ""), -EUSERS);
	uint32_t generation = us.arena.processes[701].generation;
	alive_close(&lives[700]);
	assert_int_equal(alive_claim(&us.arena, &more, repair_process, 0, ""), 0);
	assert_int_equal(more.process, 701);
	assert_true(us.arena.processes[701].generation > generation);
	lives[700] = more;
	for (uint32_t i = 0; i < COUNT(lives); i++) {
		alive_give_back(&us.arena, &lives[i]);
		alive_close(&lives[i]);
	}
	assert_int_equal(us.arena.header->processes_high, MAX_PROCESSES);
	member_leave(&us);
	yard_remove(&yard);
}

static void a_process_that_is_starting_is_not_taken_for_dead(void **state)
{
	(void)state;
	struct member us, starting;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_join(&yard, &starting), 0);
	uint32_t number = starting.life.process;
	struct process_record *record = &us.arena.processes[number];
	alive_give_back(&us.arena, &starting.life);
	/* its byte is taken, its record not written yet */
	assert_true(alive_take(&starting.life, ALIVE_BYTE(number)));
	assert_int_equal(alive_bury_all(&us.arena, &us.life, repair_process), 0);
	record->state = PROCESS_USED;
	us.arena.threads[0].owner = number + 1;
	us.arena.header->threads_high = 1;
	assert_int_equal(alive_bury_all(&us.arena, &us.life, repair_process), 0);
	struct actor actor;
	assert_int_equal(member_actor(&us, &actor), 0);
	assert_false(alive_bury_if_dead(&actor, 1));
	assert_int_equal(us.arena.threads[0].owner, number + 1);
	/* it dies before the record is written */
	alive_drop(&starting.life, ALIVE_BYTE(number));
	assert_true(alive_bury_if_dead(&actor, 1));
	assert_int_equal(us.arena.threads[0].owner, 0);
	assert_int_equal(record->state, PROCESS_FREE);
	assert_true(alive_bury_if_dead(&actor, 1)); /* an unused number counts as buried */
	assert_false(alive_bury_if_dead(&actor, actor.name)); /* a thread never buries itself */
	assert_false(alive_bury_if_dead(&actor, 0));          /* words that no lock has */
	assert_false(alive_bury_if_dead(&actor, MAX_THREADS + 1));
	assert_false(alive_bury_if_dead(&actor, LOCK_HOLDER));
	us.arena.threads[0].owner = MAX_PROCESSES + 1;
	assert_false(alive_bury_if_dead(&actor, 1));
	us.arena.threads[0].owner = 0;
	member_dismiss(&actor);
	member_vanish(&starting);
	member_leave(&us);
	yard_remove(&yard);
}

/* ---------------------------------------------------------- many at a time */

#define COMERS 6
#define COMINGS 150

struct traffic {
	struct yard yard;
	uint32_t owners[MAX_PROCESSES]; /* the member that believes it owns the record */
	uint32_t done;
	uint32_t repairs;
};

static struct traffic *traffic;

static void count_repair(struct arena *arena, uint32_t process)
{
	(void)arena;
	(void)process;
	fetch_add_relaxed(&traffic->repairs, 1u);
}

static void come_and_go(struct crewman *self)
{
	struct arena arena;
	struct life life;

	must(arena_map(traffic->yard.dir_fd, false, &arena, NULL) == 0);
	must(alive_open(traffic->yard.dir_fd, false, &life, NULL) == 0);
	for (uint32_t i = 0; i < COMINGS; i++) {
		if (self->number == 0) {
			must(alive_bury_all(&arena, &life, count_repair) == 0);
			continue;
		}
		must(alive_claim(&arena, &life, count_repair, 0, "") == 0);
		must(swap_acq_rel(&traffic->owners[life.process], self->number) == 0);
		if (random_below(&self->random, 4) == 0)
			sched_yield();
		must(swap_acq_rel(&traffic->owners[life.process], 0) == self->number);
		alive_give_back(&arena, &life);
	}
	alive_close(&life);
	arena_unmap(&arena);
}

static void records_that_come_and_go_have_one_owner(bool processes)
{
	traffic = support_shared(sizeof(*traffic));
	yard_make(&traffic->yard, NULL);
	crew_run(NULL, processes, COMERS, come_and_go, NULL);
	assert_int_equal(traffic->repairs, 0); /* no process died */
	yard_remove(&traffic->yard);
}

static void records_that_threads_claim_have_one_owner(void **state)
{
	(void)state;
	records_that_come_and_go_have_one_owner(false);
}

static void records_that_processes_claim_have_one_owner(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	records_that_come_and_go_have_one_owner(true);
}

static void bury_the_same(struct crewman *self)
{
	struct life life;

	must(alive_open(traffic->yard.dir_fd, false, &life, NULL) == 0);
	(void)fetch_add_relaxed(&traffic->done, 1u);
	while (load_acquire(&traffic->done) < COMERS)
		;
	(void)alive_bury_all(self->shared, &life, count_repair);
	alive_close(&life);
}

static void the_dead_are_buried_once_by_however_many_processes(void **state)
{
	(void)state;
	struct member us, dead;

	traffic = support_shared(sizeof(*traffic));
	yard_make(&traffic->yard, NULL);
	assert_int_equal(member_join(&traffic->yard, &us), 0);
	for (uint32_t round = 1; round <= 20; round++) {
		assert_int_equal(member_join(&traffic->yard, &dead), 0);
		member_vanish(&dead);
		traffic->done = 0;
		crew_run(NULL, false, COMERS, bury_the_same, &us.arena);
		assert_int_equal(traffic->repairs, round);
	}
	member_leave(&us);
	yard_remove(&traffic->yard);
}

static void die_in_repair(struct arena *arena, uint32_t process)
{
	(void)arena;
	(void)process;
	raise(SIGKILL);
}

static int bury_and_die(void *context)
{
	struct member member;

	(void)context;
	must(member_join(&traffic->yard, &member) ==
	     0); /* (repairs the dead member, so two handles again) */
	(void)alive_bury_all(&member.arena, &member.life, die_in_repair);
	return CHILD_FAILED;
}

static void dead_repairer_is_taken_over(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us, dead, spare;

	traffic = support_shared(sizeof(*traffic));
	yard_make(&traffic->yard, NULL);
	assert_int_equal(member_join(&traffic->yard, &us), 0);
	assert_int_equal(member_join(&traffic->yard, &spare), 0);
	assert_int_equal(member_join(&traffic->yard, &dead), 0);
	member_vanish(&spare); /* the child will take its record */
	member_vanish(&dead);
	assert_int_equal(child_wait(child_start(bury_and_die, NULL)), -SIGKILL);
	uint32_t buried = 0;
	assert_true(wait_until((buried += alive_bury_all(&us.arena, &us.life, count_repair)) == 2,
			       SUPPORT_WAIT_MS));
	assert_int_equal(traffic->repairs, 2);
	member_leave(&us);
	yard_remove(&traffic->yard);
}

/* ------------------------------------------------------- where there are no locks */

struct sandbox {
	struct yard yard;
	uint32_t error; /* error that OFD locks return; 0: pretend that they were taken */
};

static int attach_without_locks(void *context)
{
	const struct sandbox *sandbox = context;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | sandbox->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(code), .filter = code };
	struct corral *corral;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return CHILD_SKIPS;
	must(corral_open(sandbox->yard.path, 0, &corral) == -ENOLCK);
	must(strstr(corral_why(), "F_OFD_SETLK") != NULL);
	return 0;
}

static void attaching_reports_locks_that_do_not_work(void **state)
{
	static const uint32_t errors[] = { EINVAL, ENOSYS, EPERM, 0 };

	(void)state;
	NEEDS_PROCESSES();
	struct sandbox *sandbox = support_shared(sizeof(*sandbox));
	yard_make(&sandbox->yard, NULL);
	int code = 0;
	for (size_t i = 0; i < COUNT(errors) && code == 0; i++) {
		sandbox->error = errors[i];
		code = child_wait(child_start(attach_without_locks, sandbox));
	}
	yard_check(&sandbox->yard, NULL);
	yard_remove(&sandbox->yard);
	if (code == CHILD_SKIPS)
		skip_because("the process may not forbid itself locks of open files");
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_is_free_after_its_holder_was_killed),
		cmocka_unit_test(stopped_process_is_alive),
		cmocka_unit_test(two_handles_of_a_process_exclude_each_other),
		cmocka_unit_test(dead_records_are_reused_first_and_with_a_new_generation),
		cmocka_unit_test(a_full_table_of_live_records_has_its_own_error_until_one_dies),
		cmocka_unit_test(a_process_that_is_starting_is_not_taken_for_dead),
		cmocka_unit_test(records_that_threads_claim_have_one_owner),
		cmocka_unit_test(records_that_processes_claim_have_one_owner),
		cmocka_unit_test(the_dead_are_buried_once_by_however_many_processes),
		cmocka_unit_test(dead_repairer_is_taken_over),
		cmocka_unit_test(attaching_reports_locks_that_do_not_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
