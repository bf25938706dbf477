/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.h: the standard streams of our programs, and their end.
 */
#ifndef CORRAL_COMMON_STREAMS_H
#define CORRAL_COMMON_STREAMS_H

#define STREAMS_NO_OUTPUT 5 /* the exit code of every program whose output could not be written */

/*
 * The first statement of main(). Standard streams that are missing are filled with a descriptor
 * that answers what a closed one does (EBADF), so that no file of ours gets the number of one: it
 * would receive what is printed. And when the program ends by exit() or by the return of main(),
 * what is left for standard output is written; if it, or anything before it, could not be, the
 * program says so and its exit code is STREAMS_NO_OUTPUT.
 *
 * A file that would become larger than the process may make it (RLIMIT_FSIZE) gives an error,
 * EFBIG, and no longer the signal SIGXFSZ, of which the program would die with its work half done.
 */
void streams_begin(const char *program);

#endif
