/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox.h: where a benchmark plays: a directory with an arena, and an agent in it.
 *
 * Without --dir the directory is a temporary one, in memory if there is room, and goes away with
 * the sandbox. An agent that runs there already is used, and left alone; else ours is
 * started, as a child in the foreground, and stopped with the sandbox.
 */
#ifndef CORRAL_BENCH_SANDBOX_H
#define CORRAL_BENCH_SANDBOX_H

#include <limits.h>
#include <sys/types.h>

#include "bench.h"

#define SANDBOX_JOURNAL_BYTES 24

struct sandbox {
	char directory[PATH_MAX];
	char agent_path[PATH_MAX];
	bool temporary;
	pid_t agent;          /* our child; 0: none */
	int log;              /* what our agent says; shown only when it fails */
	uint64_t arena_bytes; /* for an arena that is not there yet */
	uint32_t max_carts;
	char journal[SANDBOX_JOURNAL_BYTES]; /* what our agent is told of one: "off", "1000ms" */
};

/*
 * Make the sandbox ready, agent included. directory NULL: a temporary one. own_agent: refuse an
 * agent that is not ours. Complains itself. On failure nothing is left.
 */
enum bench_exit sandbox_open(struct sandbox *sandbox, const char *directory, uint64_t arena_bytes,
			     uint32_t max_carts, bool own_agent);

/*
 * The same in a new temporary directory in `parent`, with an agent of our own that writes a journal
 * every journal_ms; 0: none. parent NULL: TMPDIR or /var/tmp, since in memory a sync costs nothing.
 */
enum bench_exit sandbox_open_on_disk(struct sandbox *sandbox, const char *parent,
				     uint64_t arena_bytes, uint32_t max_carts, uint32_t journal_ms);

/* "directory: PATH on FILE SYSTEM" */
void sandbox_print_place(const struct sandbox *sandbox, FILE *stream);

/* Stop our agent, remove the temporary directory. */
void sandbox_close(struct sandbox *sandbox);

/* Remove a directory of the caller's own, with all that is in it. Complains itself. */
void sandbox_remove_directory(const char *directory);

/* SIGKILL for our agent, and its successor (which is not ready yet when this returns). */
void sandbox_kill_agent(struct sandbox *sandbox);
enum bench_exit sandbox_start_agent(struct sandbox *sandbox);
/* Stop it plainly, if there is one that is ours. */
void sandbox_stop_agent(struct sandbox *sandbox);

/* Has our agent ended, which it should not? Then complain. Does not wait. */
bool sandbox_agent_gone(struct sandbox *sandbox);
/*
 * Does our agent answer? 1 or 0; -1: it has ended, which it should not (complains). Does not wait.
 */
int sandbox_agent_ready(struct sandbox *sandbox);
/* Wait until our agent answers, if there is one that is ours. */
enum bench_exit sandbox_await_agent(struct sandbox *sandbox);

#endif
