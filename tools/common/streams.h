/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.h: the standard streams of our programs.
 */
#ifndef CORRAL_COMMON_STREAMS_H
#define CORRAL_COMMON_STREAMS_H

#define STREAMS_NO_OUTPUT 5 /* exit code of every program that could not write its output */

/*
 * Call this first in main(). Each missing standard stream is filled with a descriptor that answers
 * as a closed one does (EBADF), so that no file that the program opens gets that number and
 * receives its output. When the program ends by exit() or by returning from main(), buffered output
 * is written; if that or an earlier write failed, the program says so and its exit code is
 * STREAMS_NO_OUTPUT.
 *
 * A write beyond the process's file size limit (RLIMIT_FSIZE) fails with EFBIG instead of raising
 * SIGXFSZ, which would end the program with its work half done.
 */
void streams_begin(const char *program);

/* The program's name, as streams_begin() has it. */
const char *streams_program(void);

/* Print "PROGRAM: message" and a newline on standard error, with terminal controls escaped. */
void streams_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
