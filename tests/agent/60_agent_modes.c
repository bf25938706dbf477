/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 60_agent_modes.c: nothing that corral-agent makes is accessible to outsiders, not for an instant,
 * under any umask.
 *
 * Modes change only in system calls. So the agent is traced, and after each system call of the
 * agent or of a process that it starts, the whole directory is checked.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define GROUP 54321 /* a group without members */
#define STOPS_MAX 200000
#define KINDS_MAX 64

struct watch {
	struct yard yard;
	char directory[160];
	char group[16]; /* --group, or empty */
	gid_t gid;      /* the only group allowed access; GID_ANY: not checked */
	uint32_t stops;
	uint32_t kinds; /* number of different (name, mode) pairs seen */
	char seen[KINDS_MAX][80];
	char wrong[160]; /* the first object that was accessible */
};

#define GID_ANY ((gid_t)-1)

static void note_kind(struct watch *watch, const char *name, const struct stat *st)
{
	char kind[80];

	snprintf(kind, sizeof(kind), "%.60s %o", name, st->st_mode & 07777);
	for (uint32_t i = 0; i < watch->kinds; i++)
		if (strcmp(watch->seen[i], kind) == 0)
			return;
	assert_true(watch->kinds < KINDS_MAX);
	strcpy(watch->seen[watch->kinds++], kind);
}

static void look_at(struct watch *watch, const char *name, const struct stat *st)
{
	bool outsiders = (st->st_mode & S_IRWXO) != 0;
	bool strangers =
		(st->st_mode & S_IRWXG) != 0 && watch->gid != GID_ANY && st->st_gid != watch->gid;

	note_kind(watch, name, st);
	if ((outsiders || strangers) && watch->wrong[0] == '\0')
		snprintf(watch->wrong, sizeof(watch->wrong),
			 "%.80s: mode %o, group %u, after %u stops", name, st->st_mode & 07777,
			 st->st_gid, watch->stops);
}

static void look_at_all(struct watch *watch)
{
	struct stat st;
	const struct dirent *entry;

	if (lstat(watch->directory, &st) < 0)
		return; /* not made yet */
	look_at(watch, "(directory)", &st);
	DIR *all = opendir(watch->directory);
	if (all == NULL)
		return;
	while ((entry = readdir(all)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    fstatat(dirfd(all), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			look_at(watch, entry->d_name, &st);
	closedir(all);
}

static void become(const char *const *arguments)
{
	umask(0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(CHILD_SKIPS);
	raise(SIGSTOP);
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	_exit(CHILD_FAILED);
}

/*
 * Run a program and all processes that it starts to their end; send `stop` to the others once the
 * first has ended. Returns the first one's exit code.
 */
static int run_watched(struct watch *watch, const char *const *arguments, bool stop_rest)
{
	int status, code = -1;
	int64_t give_up = support_now_ms() + SUPPORT_WAIT_MS;

	fflush(NULL);
	pid_t first = fork();
	assert_true(first >= 0);
	if (first == 0)
		become(arguments);
	assert_int_equal(waitpid(first, &status, 0), first);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS)
		return CHILD_SKIPS;
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_EXITKILL;
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, first, NULL, options), 0);
	assert_int_equal(ptrace(PTRACE_SYSCALL, first, NULL, NULL), 0);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		assert_true(support_now_ms() < give_up && watch->stops < STOPS_MAX);
		if (WIFSTOPPED(status)) {
			int signal = WSTOPSIG(status);
			bool ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP ||
				    signal == SIGSTOP;
			watch->stops++;
			look_at_all(watch);
			(void)ptrace(PTRACE_SYSCALL, pid, NULL, ours ? 0l : (long)signal);
		} else if (pid == first) {
			char text[16] = "";
			code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
			int fd = stop_rest ? openat(watch->yard.dir_fd, "dir/lock", O_RDONLY) : -1;
			if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
				kill((pid_t)atol(text), SIGTERM);
			if (fd >= 0)
				close(fd);
		}
	}
	return code;
}

static bool saw(const struct watch *watch, const char *kind)
{
	for (uint32_t i = 0; i < watch->kinds; i++)
		if (strcmp(watch->seen[i], kind) == 0)
			return true;
	return false;
}

static void watch_agent(struct watch *watch)
{
	char program[PATH_MAX];

	support_program("corral-agent", program);
	yard_make_empty(&watch->yard);
	snprintf(watch->directory, sizeof(watch->directory), "%s/dir", watch->yard.path);
	const char *const arguments[] = { program,
					  "--dir",
					  watch->directory,
					  "--size",
					  "8M",
					  "--daemon",
					  watch->group[0] != '\0' ? "--group" : NULL,
					  watch->group,
					  NULL };
	int code = run_watched(watch, arguments, true);
	if (code == CHILD_SKIPS)
		skip_because("ptrace(2) is not allowed here");
	assert_int_equal(code, 0);
	print_message("%u stops, %u different names with modes\n", watch->stops, watch->kinds);
	for (uint32_t i = 0; i < watch->kinds; i++)
		print_message("  %s\n", watch->seen[i]);
	if (watch->wrong[0] != '\0')
		fail_msg("%s", watch->wrong);
	yard_remove(&watch->yard);
}

static void no_file_is_open_to_outsiders_at_any_instant(void **state)
{
	(void)state;
	struct watch watch = { .gid = GID_ANY };

	watch_agent(&watch);
	assert_true(saw(&watch, "(directory) 2770"));
	assert_true(saw(&watch, ".arena.new 600"));
	assert_true(saw(&watch, "arena 660"));
	assert_true(saw(&watch, "lock 660")); /* it gets its mode before its name */
	assert_true(saw(&watch, "agent.sock 600") && saw(&watch, "agent.sock 660"));
	assert_true(saw(&watch, "agent.log 660"));
}

static void no_file_is_open_to_another_group_at_any_instant(void **state)
{
	(void)state;
	struct watch watch = { .gid = GROUP };

	if (geteuid() != 0)
		skip_because("only root can give that group");
	snprintf(watch.group, sizeof(watch.group), "%u", GROUP);
	watch_agent(&watch);
}

/* Prove that the watch notices what it is for. */
static void a_program_that_makes_an_open_file_for_an_instant_is_seen(void **state)
{
	(void)state;
	const char *const arguments[] = { "/bin/sh", "-c",
					  "echo x >\"$0/dir/open\" && chmod 600 \"$0/dir/open\"",
					  NULL, NULL };
	const char *with_place[COUNT(arguments)];
	struct watch watch = { .gid = GID_ANY };

	yard_make_empty(&watch.yard);
	snprintf(watch.directory, sizeof(watch.directory), "%s/dir", watch.yard.path);
	assert_int_equal(mkdir(watch.directory, 0700), 0);
	memcpy(with_place, arguments, sizeof(arguments));
	with_place[3] = watch.yard.path;
	int code = run_watched(&watch, with_place, false);
	if (code == CHILD_SKIPS)
		skip_because("ptrace(2) is not allowed here");
	assert_int_equal(code, 0);
	assert_true(strncmp(watch.wrong, "open: mode 666", 14) == 0);
	yard_remove(&watch.yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_that_makes_an_open_file_for_an_instant_is_seen),
		cmocka_unit_test(no_file_is_open_to_outsiders_at_any_instant),
		cmocka_unit_test(no_file_is_open_to_another_group_at_any_instant),
	};

	if (support_threads_only())
		return 77;
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
