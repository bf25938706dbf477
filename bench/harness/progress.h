/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.h: a bar on standard error, if that is a terminal; else nothing.
 */
#ifndef CORRAL_BENCH_PROGRESS_H
#define CORRAL_BENCH_PROGRESS_H

#include <stdint.h>

/* Draw it, at most some ten times a second. */
void progress_show(uint32_t done, uint32_t total, const char *what);
/* Take it away. */
void progress_clear(void);

#endif
