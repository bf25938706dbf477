/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.h: for each thread record of a dead process, finish or undo what stands in its intent, and
 * free its locks, its reader word, the record.
 */
#ifndef CORRAL_REPAIR_H
#define CORRAL_REPAIR_H

#include "sync/alive.h"

/*
 * Repair all thread records of a process, and enter it into the arena's list of deaths. The caller
 * holds its liveness byte, so there is no other repairer. A death may cut the repair short
 * anywhere; then it is done again. Waits for no lock.
 */
void repair_process(struct arena *arena, uint32_t process);

#endif
