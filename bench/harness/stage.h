/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.h: where a benchmark plays: a directory with an arena, and an agent in it.
 *
 * Without --dir the directory is a temporary one, in memory if there is room, and goes away with
 * the stage. An agent that runs there already is used, and left alone; else ours is
 * started, as a child in the foreground, and stopped with the stage.
 */
#ifndef CORRAL_BENCH_STAGE_H
#define CORRAL_BENCH_STAGE_H

#include <limits.h>
#include <sys/types.h>

#include "bench.h"

#define STAGE_JOURNAL_BYTES 24

struct stage {
	char directory[PATH_MAX];
	char agent_path[PATH_MAX];
	bool temporary;
	pid_t agent;          /* our child; 0: none */
	int log;              /* what our agent says; shown only when it fails */
	uint64_t arena_bytes; /* for an arena that is not there yet */
	uint32_t max_carts;
	char journal[STAGE_JOURNAL_BYTES]; /* what our agent is told of one: "off", "1000ms" */
};

/*
 * Make the stage ready, agent included. directory NULL: a temporary one. own_agent: refuse an
 * agent that is not ours. Complains itself. On failure nothing is left.
 */
enum bench_exit stage_open(struct stage *stage, const char *directory, uint64_t arena_bytes,
			   uint32_t max_carts, bool own_agent);

/*
 * The same in a new temporary directory in `parent`, with an agent of our own that writes a journal
 * every journal_ms; 0: none. parent NULL: TMPDIR or /var/tmp, since in memory a sync costs nothing.
 */
enum bench_exit stage_open_on_disk(struct stage *stage, const char *parent, uint64_t arena_bytes,
				   uint32_t max_carts, uint32_t journal_ms);

/* "directory: PATH on FILE SYSTEM" */
void stage_print_place(const struct stage *stage, FILE *stream);

/* Stop our agent, remove the temporary directory. */
void stage_close(struct stage *stage);

/* Remove a directory of the caller's own, with all that is in it. Complains itself. */
void stage_remove_directory(const char *directory);

/* SIGKILL for our agent, and its successor (which is not ready yet when this returns). */
void stage_kill_agent(struct stage *stage);
enum bench_exit stage_start_agent(struct stage *stage);
/* Stop it plainly, if there is one that is ours. */
void stage_stop_agent(struct stage *stage);

/* Has our agent ended, which it should not? Then complain. Does not wait. */
bool stage_agent_gone(struct stage *stage);
/*
 * Does our agent answer? 1 or 0; -1: it has ended, which it should not (complains). Does not wait.
 */
int stage_agent_ready(struct stage *stage);
/* Wait until our agent answers, if there is one that is ours. */
enum bench_exit stage_await_agent(struct stage *stage);

#endif
