/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.h: a progress bar on standard error, if that is a terminal; otherwise nothing is drawn.
 */
#ifndef CORRAL_BENCH_PROGRESS_H
#define CORRAL_BENCH_PROGRESS_H

#include <stdint.h>

/* Draw the bar, at most about ten times a second. */
void progress_show(uint32_t done, uint32_t total, const char *what);
/* Erase the bar. */
void progress_clear(void);

#endif
