/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox.h: the surroundings of a benchmark: a directory with an arena, and an agent for it.
 *
 * Without --dir the directory is a temporary one, in memory if there is room, and is removed with
 * the sandbox. An agent that already runs in the directory is used, and left running; otherwise the
 * sandbox starts its own, as a child in the foreground, and stops it at the end.
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
	int log;              /* our agent's output; shown only if it fails */
	uint64_t arena_bytes; /* for an arena that does not exist yet */
	uint32_t max_carts;
	char journal[SANDBOX_JOURNAL_BYTES]; /* our agent's journal setting: "off", "1000ms" */
};

/*
 * Make the sandbox ready, agent included. directory NULL: a temporary one. own_agent: refuse an
 * agent that the sandbox did not start. Prints its own error messages. After a failure nothing is
 * left behind.
 */
enum bench_exit sandbox_open(struct sandbox *sandbox, const char *directory, uint64_t arena_bytes,
			     uint32_t max_carts, bool own_agent);

/*
 * The same in a new temporary directory in `parent`, with an agent of our own that writes its
 * journal every journal_ms; 0: no journal. parent NULL: TMPDIR or /var/tmp, since a sync of a file
 * system in memory costs nothing.
 */
enum bench_exit sandbox_open_on_disk(struct sandbox *sandbox, const char *parent,
				     uint64_t arena_bytes, uint32_t max_carts, uint32_t journal_ms);

/* "directory: PATH on FILE SYSTEM" */
void sandbox_print_place(const struct sandbox *sandbox, FILE *stream);

/* Stop our agent, and remove the temporary directory. */
void sandbox_close(struct sandbox *sandbox);

/* Remove a directory that the caller made, with all its contents. Prints its own error messages. */
void sandbox_remove_directory(const char *directory);

/* Kill our agent by SIGKILL, and start its successor, which is not ready yet when this returns. */
void sandbox_kill_agent(struct sandbox *sandbox);
enum bench_exit sandbox_start_agent(struct sandbox *sandbox);
/* Stop our agent by SIGTERM, if we started one. */
void sandbox_stop_agent(struct sandbox *sandbox);

/* Has our agent ended unexpectedly? Then print a message. Does not wait. */
bool sandbox_agent_gone(struct sandbox *sandbox);
/*
 * Does our agent answer? 1 or 0; -1: it has ended unexpectedly, and a message says so. Does not
 * wait.
 */
int sandbox_agent_ready(struct sandbox *sandbox);
/* Wait until our agent answers, if we started one. */
enum bench_exit sandbox_await_agent(struct sandbox *sandbox);

#endif
