/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * holder.c: a program for the tests of other languages: a process that stops in the middle of a
 * change, and holds a lock meanwhile.
 *
 * Usage: holder DIR RESTAURANT SESSION slot|bucket|class
 *
 * Its child adds an item to the cart, instruction by instruction, and is stopped as soon as it
 * holds a lock of this kind (see inspect_locks()). "held" is printed then. At the end of the
 * standard input the child goes on and the exit code is 0, if its change was made. If this program
 * is killed, so is the child, which has not moved.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corral.h"
#include "inspect/inspect.h"

#define LOCKS_MAX 64

static struct corral_text text_of(const char *string)
{
	return (struct corral_text){ string, strlen(string) };
}

static _Noreturn void be_traced(char *const arguments[])
{
	const struct corral_key key = { text_of(arguments[2]), text_of(arguments[3]) };
	const struct corral_item item = { .menu_item_id = text_of("held"),
					  .unit_price_cents = 100,
					  .quantity = 1 };
	struct corral *corral;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (corral_open(arguments[1], 0, &corral) < 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(3);
	raise(SIGSTOP);
	_exit(corral_add(corral, &key, &item, NULL, NULL) == 0 ? 0 : 4);
}

static bool holds(struct inspect *inspect, pid_t pid, const char *kind)
{
	struct inspect_lock locks[LOCKS_MAX];
	size_t count = 0;

	if (inspect_locks(inspect, locks, LOCKS_MAX, &count) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (locks[i].pid == pid && strcmp(locks[i].kind, kind) == 0)
			return true;
	return false;
}

/* Let the child run until it holds a lock of this kind; false: it ended before. */
static bool run_until_held(struct inspect *inspect, pid_t pid, const char *kind)
{
	int status;

	do {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return false;
	} while (!holds(inspect, pid, kind));
	return true;
}

int main(int argc, char *argv[])
{
	struct inspect *inspect;
	char why[256], byte;
	int status;

	if (argc != 5)
		return 2;
	pid_t pid = fork();
	if (pid == 0)
		be_traced(argv);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 1;
	if (inspect_open(argv[1], false, &inspect, why, sizeof(why)) < 0 ||
	    !run_until_held(inspect, pid, argv[4])) {
		fprintf(stderr, "holder: the child never held a lock of this kind\n");
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
