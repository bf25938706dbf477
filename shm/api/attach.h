/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.h: what attach.c needs, and what the agent uses beyond the public calls.
 */
#ifndef CORRAL_ATTACH_H
#define CORRAL_ATTACH_H

/* a flag of corral_open() for the agent itself: mark its process record as the agent's */
#define ATTACH_AGENT 0x80000000u

/*
 * Start corral-agent --daemon for a directory, unless an agent runs there, and wait until it is
 * ready. The program is $CORRAL_AGENT, else corral-agent on the PATH. 0 or -errno and why.
 */
int attach_start_agent(const char *directory, char *why);

#endif
