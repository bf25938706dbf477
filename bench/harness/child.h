/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h: start a program as a child that never outlives us: the kernel kills it when
 * we die, however we die (PR_SET_PDEATHSIG).
 */
#ifndef CORRAL_BENCH_CHILD_H
#define CORRAL_BENCH_CHILD_H

#include <limits.h>
#include <sys/types.h>

/*
 * Fork: in the child, its exit code is what body() returns. An interrupt is for the parent, which
 * ends its children; SIGTERM and SIGHUP end the child. Its pid, or -errno.
 */
pid_t child_fork(int (*body)(void *context), void *context);

struct child_plan {
	const char *path;
	char *const *argv;
	int keep[2]; /* descriptors that it gets, under the same numbers; -1: none */
	int output;  /* its standard output and error; -1: ours */
};

/* Start it. Its pid, or -errno. */
pid_t child_start(const struct child_plan *plan);

/*
 * Wait at most timeout_ms until it is gone, and take its status. 1: gone; 0: still there.
 */
int child_wait(pid_t pid, int timeout_ms, int *ret_status);

/* Where our own executable lies, and a program beside it. 0 or -errno. */
int child_own_path(char path[PATH_MAX]);
int child_path_beside(const char *name, char path[PATH_MAX]);

#endif
