/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.h: the calls of a storm as JSON lines, for an external checker. corral-bench(1) describes
 * the format.
 */
#ifndef CORRAL_BENCH_STORM_HISTORY_H
#define CORRAL_BENCH_STORM_HISTORY_H

#include <stdio.h>

#include "op_log.h"

void storm_history_write(FILE *file, const struct storm_call *call);

#endif
