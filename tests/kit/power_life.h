/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_life.h: an agent that runs in this process, and a worker, for the power-loss test.
 */
#ifndef POWER_LIFE_H
#define POWER_LIFE_H

#include "agent.h"
#include "power_trace.h"
#include "support.h"

struct power_life {
	struct yard yard;
	struct agent *agent;
	struct corral *corral;
	uint64_t random;
	bool busy;      /* carts change between the agent's system calls */
	uint32_t asked; /* the ticket of the last corral_sync() */
	uint32_t asked_events;
	uint32_t synced_events;
};

extern struct power_life power_life;
extern struct agent_options power_options;

/*
 * Make the directory; every test begins with it. power_begin_trace() records from then on, while
 * carts change between the agent's system calls.
 */
void power_begin(void);
void power_begin_trace(void);

/* An agent for that directory that has not taken it up yet. */
struct agent *power_agent(const char *directory);

void power_come_alive(void);
void power_end_life(void);
/* Kill the agent after its next step of this kind. */
void power_die(enum power_kind kind);

void power_change(uint32_t times);
int power_ask_for_sync(void);     /* returns what corral_sync() returns */
void power_live(uint32_t rounds); /* make some changes and sync, this many times */

/* As after a power loss: the arena is gone, or is of an earlier boot. */
void power_lose_arena(bool gone);

#endif
