/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 68_power_loss.c: the power fails at any moment of an agent's life, and any combination of
 * unsynced writes is lost.
 *
 * timeout: 300
 *
 * An agent with a journal runs in this process; its file operations are recorded (power_trace.h)
 * while carts change between any two of its system calls and corral_sync() is called. Then every
 * possible state of the disk (power_states.h) is built in a directory. There a new agent must
 * start, with the arena gone or as last synced. Every cart must be in its last acknowledged synced
 * state or a newer one that existed, and no cart whose end was synced may come back
 * (power_history.h).
 *
 * CORRAL_POWER=all: every state; otherwise a sample. CORRAL_POWER=NUMBER: one state in NUMBER.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal_file.h"
#include "power_disk.h"
#include "power_history.h"
#include "power_life.h"

#define STATE_SECONDS 20u /* a longer recovery counts as a hang */
#define SAMPLE 36u        /* one state in SAMPLE, in `make test` */
#define FILES 8u          /* number of files that a journal grows through */

static bool with_arena; /* also recover beside the arena as it was last synced */

/* ------------------------------------------------------------- the judgement */

static struct shared { /* shared with the recovering child */
	char state[4096];
	char fault[1024];
	struct power_totals totals;
	uint64_t recoveries;
} * shared;

static uint32_t stride(void)
{
	const char *wanted = getenv("CORRAL_POWER");

	if (wanted == NULL)
		return SAMPLE;
	return strcmp(wanted, "all") == 0 ? 1 : (uint32_t)max_u64(1, strtoull(wanted, NULL, 0));
}

/* In the child, where an assertion must not jump. */
static _Noreturn void red(const char *fault)
{
	snprintf(shared->fault, sizeof(shared->fault), "%s", fault);
	_exit(CHILD_FAILED);
}

/* True if something on the disk shows that versions had been given out. */
static bool is_known(int dir_fd)
{
	struct journal_reader reader;
	uint64_t *numbers = NULL;
	bool known = false;

	int journal_fd = journal_open_directory(dir_fd, false);
	int count = journal_fd >= 0 ? journal_list(journal_fd, &numbers) : 0;
	for (int i = 0; i < count && !known; i++) {
		known = journal_reader_open(journal_fd, numbers[i], &reader) == 0;
		if (known)
			journal_reader_close(&reader);
	}
	free(numbers);
	if (journal_fd >= 0)
		close(journal_fd);
	return known;
}

static void recover_and_judge(const struct power_state *state, bool arena)
{
	struct corral *corral;
	struct yard yard;

	yard_make_empty(&yard);
	power_disk_make(yard.dir_fd, arena);
	bool known = arena || is_known(yard.dir_fd);
	struct agent *agent = power_agent(yard.path);
	if (agent_take_up(agent) != EXIT_DONE)
		red("no agent can start");
	if (corral_open(yard.path, CORRAL_OBSERVE, &corral) != 0)
		red(corral_why());
	const char *fault = power_history_judge(corral, state->promise, known);
	if (fault != NULL)
		red(fault);
	corral_close(corral);
	agent_give_up(agent);
	free(agent);
	yard_remove(&yard);
	shared->recoveries++;
}

static void look(const struct power_state *state)
{
	alarm(STATE_SECONDS);
	power_state_describe(state, shared->state, sizeof(shared->state));
	recover_and_judge(state, false);
	if (with_arena)
		recover_and_judge(state, true);
}

static int judge(void *context)
{
	(void)context;
	power_no_sync = true;
	power_states(support_seed(), stride(), look, &shared->totals);
	return 0;
}

/* In a child: a child that does not report has crashed or hangs. */
static void judge_all(const char *scenario)
{
	int64_t start = support_now_ms();
	int status;

	power_trace_end();
	power_life.busy = false;
	memset(shared, 0, sizeof(*shared));
	pid_t pid = child_start(judge, NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: status %#x: %s: %s", scenario, (unsigned)status, shared->fault,
			 shared->state);
	print_message("power loss, %s: %u steps, %u events, %llu states of %llu considered, %llu "
		      "looked at, "
		      "%llu recoveries, %.1f seconds\n",
		      scenario, power_trace.count, power_history_events(),
		      (unsigned long long)shared->totals.states,
		      (unsigned long long)shared->totals.considered,
		      (unsigned long long)shared->totals.looked_at,
		      (unsigned long long)shared->recoveries,
		      (double)(support_now_ms() - start) / 1000);
	assert_true(shared->recoveries > 0);
	with_arena = false;
	power_trace_free();
	yard_remove(&power_life.yard);
}

/* ---------------------------------------------------------------- the tests */

static void the_power_goes_while_a_journal_grows_and_begins_anew(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_begin_trace();
	power_come_alive();
	for (uint32_t i = 0; power_life.corral->arena.header->journal_number < FILES; i++) {
		assert_true(i < 1000);
		power_live(1);
	}
	power_end_life();
	with_arena = true;
	judge_all("a life");
}

static void the_power_goes_when_an_agent_goes_on_where_the_last_one_ended(void **state)
{
	uint64_t journal_ms = power_options.journal_ms;

	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_begin_trace();
	power_options.journal_ms = 0;
	power_come_alive();
	power_end_life();
	power_options.journal_ms = journal_ms;
	/* as if an agent had been killed at once */
	assert_int_equal(mkdirat(power_life.yard.dir_fd, "journal", 0700), 0);
	for (uint32_t i = 0; i < 4; i++) {
		power_come_alive();
		power_live(4);
		power_change(2);
		power_end_life();
	}
	power_come_alive();
	power_live(20); /* the journal begins anew, and all earlier files are removed together */
	power_end_life();
	judge_all("agents one after the other");
}

static void the_power_goes_after_agents_were_killed(void **state)
{
	static const enum power_kind kinds[] = { POWER_WRITE, POWER_SYNC };

	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_begin_trace();
	for (uint32_t i = 0; i < 6; i++) {
		power_come_alive();
		power_live(3);
		power_change(3);
		power_die(kinds[i % 2]);
	}
	power_come_alive();
	power_live(16);
	power_end_life();
	judge_all("agents that were killed");
}

static void the_power_goes_in_quiet_times(void **state)
{
	uint64_t journal_ms = power_options.journal_ms;

	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_options.journal_ms = 2;
	power_begin_trace();
	power_come_alive();
	for (uint32_t i = 0; i < 8; i++) {
		power_live(1);
		power_life.busy = false;
		for (uint32_t clocks = 0; clocks < 3; clocks++) {
			uint32_t before = power_trace.count;
			power_lock();
			power_wall_offset_ms += 60000;
			power_unlock();
			(void)wait_until(__atomic_load_n(&power_trace.count, __ATOMIC_ACQUIRE) >
						 before,
					 SUPPORT_WAIT_MS);
		}
		power_life.busy = true;
	}
	power_end_life();
	power_options.journal_ms = journal_ms;
	judge_all("quiet times");
}

static void the_power_goes_when_carts_are_older_than_the_journal(void **state)
{
	uint64_t journal_ms = power_options.journal_ms;

	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_options.journal_ms = 0;
	power_come_alive();
	power_change(200);
	power_end_life();
	power_options.journal_ms = journal_ms;
	power_begin_trace();
	power_come_alive();
	power_live(6);
	power_end_life();
	judge_all("a journal over carts that are there");
}

static void the_power_goes_when_the_journal_was_taken_away(void **state)
{
	char command[160];

	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_come_alive();
	power_change(200);
	assert_int_equal(power_ask_for_sync(), 0);
	power_end_life();
	snprintf(command, sizeof(command), "rm -r %.120s/journal", power_life.yard.path);
	assert_int_equal(system(command), 0);
	power_begin_trace();
	power_come_alive();
	power_live(6);
	power_end_life();
	judge_all("a journal that was taken away");
}

static void recover_traced(bool gone)
{
	power_begin();
	power_begin_trace();
	power_come_alive();
	power_live(6);
	power_life.busy = false; /* else a change may come after the last round of the stop */
	power_end_life();
	power_life.busy = true;
	power_lose_arena(gone);
	power_life.synced_events = power_history_events();
	power_come_alive();
	power_live(6);
	power_end_life();
	with_arena = true;
	judge_all(gone ? "a recovery with no arena" :
			 "a recovery with an arena of an earlier boot");
}

static void the_power_goes_again_while_an_agent_recovers(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	recover_traced(true);
	recover_traced(false);
}

static void the_power_goes_after_a_sync_has_failed(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	power_begin();
	power_begin_trace();
	power_come_alive();
	for (uint32_t i = 0; i < 4; i++) {
		power_live(4);
		power_change(1);
		power_lock();
		power_fail_sync = true;
		power_unlock();
		assert_int_equal(power_ask_for_sync(), -EIO);
		int r = -EIO; /* the agent tries a new file twice a second */
		for (int tries = 0;
		     tries < SUPPORT_WAIT_MS / 100 && (r = power_ask_for_sync()) != 0; tries++)
			support_sleep_us(100000);
		assert_int_equal(r, 0);
	}
	power_end_life();
	judge_all("a disk that fails");
}

static int share(void **state)
{
	(void)state;
	shared = support_shared(sizeof(*shared));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_power_goes_while_a_journal_grows_and_begins_anew),
		cmocka_unit_test(the_power_goes_when_an_agent_goes_on_where_the_last_one_ended),
		cmocka_unit_test(the_power_goes_after_agents_were_killed),
		cmocka_unit_test(the_power_goes_in_quiet_times),
		cmocka_unit_test(the_power_goes_when_carts_are_older_than_the_journal),
		cmocka_unit_test(the_power_goes_when_the_journal_was_taken_away),
		cmocka_unit_test(the_power_goes_again_while_an_agent_recovers),
		cmocka_unit_test(the_power_goes_after_a_sync_has_failed),
	};

	return cmocka_run_group_tests(tests, share, NULL);
}
