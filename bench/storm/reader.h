/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.h: the reader of a storm's feed: a process that is killed and stopped as the workers are,
 * and whose successor goes on behind the last event that it has logged.
 *
 * The log is memory that outlives the reader. It is counted event by event, so an event is in it
 * once, whenever its reader dies.
 */
#ifndef CORRAL_BENCH_STORM_READER_H
#define CORRAL_BENCH_STORM_READER_H

#include <sys/types.h>

#include "judge.h"

#define STORM_TOLD 8192u /* the events in the log */

struct storm_feed_log {
	uint64_t head __attribute__((aligned(CACHE_LINE))); /* ever logged. W: reader, release */
	uint64_t tail __attribute__((aligned(CACHE_LINE))); /* ever judged. W: checker, release */
	uint64_t begin;                                     /* the number of the first event */
	struct storm_told told[STORM_TOLD];
};

struct storm_reader {
	struct storm_feed_log *log;
	struct corral *corral; /* the checker's, which every other reader uses */
	const char *directory;
	struct storm_judge *judge;
	uint64_t random;
	pid_t pid; /* 0: there is none */
	bool stopped;
	bool dying;
	uint64_t due_ns; /* when it is struck, goes on, or gets a successor */
	uint64_t kills;
	uint64_t stops;
	uint32_t crashes; /* unexpected ends */
};

/* Begin behind what has happened; the first reader starts with the first turn. 0 or -errno. */
int storm_reader_begin(struct storm_reader *reader);

/* Judge what was read, and do what is due. False: there was nothing to do. */
bool storm_reader_go_on(struct storm_reader *reader);

/*
 * The workers are gone: end the reader, and read what it has left. False: this did not come to an
 * end.
 */
bool storm_reader_end(struct storm_reader *reader);

#endif
