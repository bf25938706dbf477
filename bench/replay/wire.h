/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h: the protocol between the replay and its worker processes, over a SOCK_SEQPACKET pair:
 * small messages of fixed size, which arrive whole or not at all.
 *
 *   worker                        replay
 *   HELLO (error)       ->                    attached, or the error
 *                       <-        ADD (line)  up to WIRE_WINDOW of them unanswered
 *   DONE (line, error)  ->
 *                       <-        QUIT        answered by the end of the process
 */
#ifndef CORRAL_BENCH_WIRE_H
#define CORRAL_BENCH_WIRE_H

#include "base/base.h"

#define WIRE_WINDOW 16u /* the most unanswered lines that a worker has */

enum wire_kind { WIRE_HELLO = 1, WIRE_ADD, WIRE_DONE, WIRE_QUIT };

struct wire_task { /* sent to the worker */
	uint32_t kind;
	uint32_t line;   /* the line's index, which the answer repeats */
	uint64_t at;     /* the offset of the line's text in the memory file */
	uint32_t size;   /* its bytes */
	uint32_t number; /* in the file; makes the operation id, the same for each attempt */
};

struct wire_answer { /* sent by the worker */
	uint32_t kind;
	uint32_t line;
	int32_t error;    /* 0 or -errno of corral_add() or corral_open() */
	uint32_t applied; /* 0: an earlier attempt was applied */
	uint64_t add_ns;  /* how long corral_add() took */
};

static_assert(sizeof(struct wire_task) == 24 && sizeof(struct wire_answer) == 24, "no holes");

#endif
