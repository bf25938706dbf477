/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_life.h: an agent that lives in this process, and a worker, for the power-loss test.
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
 * A directory; everything else follows. Record from now on, while carts change between the agent's
 * system calls.
 */
void power_begin(void);
void power_begin_trace(void);

/* An agent of that directory that has not taken it up. */
struct agent *power_agent(const char *directory);

void power_come_alive(void);
void power_end_life(void);
/* The agent is killed after its next step of this kind. */
void power_die(enum power_kind kind);

void power_change(uint32_t times);
int power_ask_for_sync(void);     /* 0 or what corral_sync() says */
void power_live(uint32_t rounds); /* some changes, and a sync; so many times */

/* As after a power loss: the arena is gone, or of an earlier boot. */
void power_lose_arena(bool gone);

#endif
