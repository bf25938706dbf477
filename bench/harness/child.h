/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h: start a program as a child that never outlives this process: the kernel kills the child
 * when its parent dies, for any reason (PR_SET_PDEATHSIG).
 */
#ifndef CORRAL_BENCH_CHILD_H
#define CORRAL_BENCH_CHILD_H

#include <limits.h>
#include <sys/types.h>

/*
 * Fork a child that runs body() and exits with what body() returns. The child ignores SIGINT, which
 * is for the parent, since the parent ends its children; SIGTERM and SIGHUP end the child. Returns
 * the child's pid, or -errno.
 */
pid_t child_fork(int (*body)(void *context), void *context);

struct child_plan {
	const char *path;
	char *const *argv;
	int keep[2]; /* descriptors it inherits, under the same numbers; -1: none */
	int output;  /* its standard output and error; -1: the parent's */
};

/* Start the program. Returns its pid, or -errno. */
pid_t child_start(const struct child_plan *plan);

/* Wait at most timeout_ms for the child to end, and reap it. 1: it has ended; 0: it still runs. */
int child_wait(pid_t pid, int timeout_ms, int *ret_status);

/* The path of this executable, and that of a program in the same directory. 0 or -errno. */
int child_own_path(char path[PATH_MAX]);
int child_path_beside(const char *name, char path[PATH_MAX]);

#endif
