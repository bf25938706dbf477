/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 81_crash_files.c: an agent dies at every system call of its life, from its first instruction to
 * its stop.
 *
 * An agent changes files only by system calls: so a real one is traced (ptrace), and between any
 * two of them the directory is examined: names, types, modes, bytes. Each new state is copied to
 * another directory, where no process runs, and there:
 * a worker      attaches, or is told that there is no arena yet: it never sees half of one
 * a new agent   starts, with all leftovers of the dead one; then the arena is sound, nothing
 *               temporary is left, and a worker can make a cart
 * two agents    start at the same time: one of them has the directory, the other one says so
 * No file is ever accessible to others than owner and group. For the arena's memory see
 * 80_crash_matrix.c; for the journal's files 67_journal.sh and 68_power_loss.c.
 *
 * CORRAL_CRASH=all: one and two agents start in each state; otherwise in turns.
 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash_cell.h"
#include "crash_directory.h"

#define STATES_MAX 512u
#define STOPS_MAX 100000u

static char agent_path[PATH_MAX];
static const struct corral_key key = { { "r", 1 }, { "s", 1 } };

/* ------------------------------------------------------------------ agents */

static _Noreturn void be_agent(const char *directory, const char *option)
{
	int null = open("/dev/null", O_WRONLY);

	(void)dup2(null, STDERR_FILENO);
	execl(agent_path, agent_path, "--dir", directory, "--size", "4M", "--max-carts", "64",
	      "--journal", "off", option, (char *)NULL);
	_exit(127);
}

static pid_t start_agent(const char *directory, const char *option)
{
	fflush(NULL);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		be_agent(directory, option);
	return pid;
}

static int exit_code(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ------------------------------------------------------------------- a cell */

static const char *scenario; /* for messages */
static uint64_t cells;
static uint32_t set_aside_expected; /* arenas under another name at the end */
static bool cart_expected;          /* a cart was in it when the agent started */

static void make_a_cart(const char *directory)
{
	struct corral *corral;
	struct corral_result result;

	if (corral_open(directory, 0, &corral) != 0)
		fail_msg("%s: %s", scenario, corral_why());
	assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, &result), 0);
	if ((result.version > 1) != cart_expected)
		fail_msg("%s: the cart %s", scenario,
			 cart_expected ? "is gone" : "was there before");
	corral_close(corral);
}

/* Assert that the directory has the expected names and no others. */
static void check_names(const char *directory)
{
	static const char *const known[] = { ".", "..", ARENA_FILE, ARENA_LOCK_FILE, "agent.log" };
	uint32_t aside = 0;

	DIR *dir = opendir(directory);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		bool good = false;
		for (size_t i = 0; i < COUNT(known); i++)
			good |= strcmp(entry->d_name, known[i]) == 0;
		if (strncmp(entry->d_name, "arena.damaged.", 14) == 0)
			aside++;
		else if (!good)
			fail_msg("%s: %s is left over", scenario, entry->d_name);
	}
	closedir(dir);
	assert_int_equal(aside, set_aside_expected);
}

/* Check the arena after an agent has run and was stopped. */
static void check_arena(const char *directory)
{
	struct yard yard;
	struct inspect_totals totals;

	snprintf(yard.path, sizeof(yard.path), "%s", directory);
	check_names(directory);
	yard_check(&yard, &totals);
	assert_int_equal(totals.carts_open, cart_expected);
	make_a_cart(directory);
}

static void a_new_agent_starts(const char *directory)
{
	assert_int_equal(exit_code(start_agent(directory, "--daemon")), 0);
	assert_int_equal(exit_code(start_agent(directory, "--stop")), 0);
	check_arena(directory);
}

static void two_agents_start(const char *directory)
{
	pid_t one = start_agent(directory, "--daemon");
	pid_t other = start_agent(directory, "--daemon");
	int codes[2] = { exit_code(one), exit_code(other) };

	if (codes[0] + codes[1] != 1 || codes[0] * codes[1] != 0)
		fail_msg("%s: of two agents one exits with %d, the other with %d", scenario,
			 codes[0], codes[1]);
	assert_int_equal(exit_code(start_agent(directory, "--stop")), 0);
	check_arena(directory);
}

static void a_worker_attaches(const char *directory)
{
	struct corral *corral;
	struct yard yard;

	int r = corral_open(directory, 0, &corral);
	if (r == -ENOENT || r == -ESTALE) /* there is no arena yet, or it is of an earlier boot */
		return;
	if (r != 0)
		fail_msg("%s: %s", scenario, corral_why());
	corral_close(corral);
	snprintf(yard.path, sizeof(yard.path), "%s", directory);
	yard_check(&yard, NULL);
	make_a_cart(directory);
}

static void cell(const char *state, void (*arrive)(const char *directory))
{
	struct yard yard;
	char copy[sizeof(yard.path) + 8];

	yard_make_empty(&yard);
	snprintf(copy, sizeof(copy), "%.100s/dir", yard.path);
	crash_directory_copy(state, copy);
	arrive(copy);
	yard_remove(&yard);
	cells++;
}

/* ------------------------------------------------------------------ tracing */

struct watch {
	char directory[128];
	uint64_t seen[STATES_MAX];
	uint32_t states;
	uint64_t stops;
};

static void look(struct watch *watch)
{
	uint64_t hash = crash_directory_hash(watch->directory);

	for (uint32_t i = 0; i < watch->states; i++)
		if (watch->seen[i] == hash)
			return;
	assert_true(watch->states < STATES_MAX);
	watch->seen[watch->states++] = hash;
	cell(watch->directory, a_worker_attaches);
	if (crash_whole() || watch->states % 2 == 0)
		cell(watch->directory, a_new_agent_starts);
	if (crash_whole() || watch->states % 2 == 1)
		cell(watch->directory, two_agents_start);
}

/* True once its first round is over and it is about to listen. */
static bool is_ready(const struct watch *watch)
{
	char name[sizeof(watch->directory) + 16];
	struct arena_header header;

	snprintf(name, sizeof(name), "%.127s/agent.sock", watch->directory);
	if (access(name, F_OK) < 0)
		return false;
	snprintf(name, sizeof(name), "%.127s/arena", watch->directory);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &header, sizeof(header)), sizeof(header));
	close(fd);
	return header.heartbeat_ns != 0 && header.gp_phase > 0;
}

/*
 * Trace the agent from exec to exit and stop it when it is ready. False: ptrace is not allowed
 * here.
 */
static bool trace_agent(struct watch *watch)
{
	bool told = false;
	int status;

	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		(void)setenv("ASAN_OPTIONS", "detect_leaks=0",
			     1); /* it cannot while it is traced, and its exit code says so */
		be_agent(watch->directory, "--log-level=error");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return false;
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (; WIFSTOPPED(status) && watch->stops < STOPS_MAX; watch->stops++) {
		look(watch);
		if (!told && (told = is_ready(watch)))
			kill(pid, SIGTERM);
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void trace_and_tell(struct watch *watch)
{
	if (!trace_agent(watch))
		skip_because("ptrace(2) is not allowed here");
	print_message("%s: %llu stops, %u states, %llu cells\n", scenario,
		      (unsigned long long)watch->stops, watch->states, (unsigned long long)cells);
	assert_true(watch->states > 10);
}

/* --------------------------------------------------------------- the tests */

/* Name a directory for the agent; it does not exist yet. */
static void prepare(struct watch *watch, struct yard *yard, const char *name)
{
	memset(watch, 0, sizeof(*watch));
	yard_make_empty(yard);
	snprintf(watch->directory, sizeof(watch->directory), "%.110s/dir", yard->path);
	scenario = name;
	cells = 0;
	set_aside_expected = 0;
	cart_expected = false;
}

/* Make an arena of another boot with a cart in it; `damaged`: with an invalid free list. */
static void prepare_old_arena(const struct watch *watch, bool damaged)
{
	struct arena arena;
	char why[ARENA_WHY_BYTES];
	int dir_fd;

	assert_int_equal(exit_code(start_agent(watch->directory, "--daemon")), 0);
	assert_int_equal(exit_code(start_agent(watch->directory, "--stop")), 0);
	make_a_cart(watch->directory);
	assert_int_equal(arena_open_directory(watch->directory, &dir_fd, why), 0);
	assert_int_equal(arena_map(dir_fd, ARENA_ANY_BOOT, &arena, why), 0);
	memset(arena.header->boot_id, 0x5a, sizeof(arena.header->boot_id));
	if (damaged)
		arena.classes[0].head = 7;
	arena_unmap(&arena);
	close(dir_fd);
}

static void death_in_creation_leaves_none_or_a_whole_arena(void **state)
{
	struct watch watch;
	struct yard yard;

	(void)state;
	NEEDS_PROCESSES();
	prepare(&watch, &yard, "creation");
	trace_and_tell(&watch);
	check_arena(watch.directory);
	yard_remove(&yard);
}

static void death_in_taking_up_an_older_arena_keeps_its_carts(void **state)
{
	struct watch watch;
	struct yard yard;

	(void)state;
	NEEDS_PROCESSES();
	prepare(&watch, &yard, "an arena of an earlier boot");
	prepare_old_arena(&watch, false);
	cart_expected = true;
	trace_and_tell(&watch);
	check_arena(watch.directory);
	yard_remove(&yard);
}

static void death_in_rebuilding_a_damaged_arena_keeps_its_carts(void **state)
{
	struct watch watch;
	struct yard yard;

	(void)state;
	NEEDS_PROCESSES();
	prepare(&watch, &yard, "a damaged arena of an earlier boot");
	prepare_old_arena(&watch, true);
	set_aside_expected = 1;
	cart_expected = true;
	trace_and_tell(&watch);
	check_arena(watch.directory);
	yard_remove(&yard);
}

static int find_agent(void **state)
{
	(void)state;
	support_program("corral-agent", agent_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(death_in_creation_leaves_none_or_a_whole_arena),
		cmocka_unit_test(death_in_taking_up_an_older_arena_keeps_its_carts),
		cmocka_unit_test(death_in_rebuilding_a_damaged_arena_keeps_its_carts),
	};

	return cmocka_run_group_tests(tests, find_agent, NULL);
}
