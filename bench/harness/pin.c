/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pin.c: keep threads and processes on one CPU. See pin.h.
 */
#include <stdint.h>

#include "pin.h"

bool pin_two(int *ret_first, int *ret_second)
{
	cpu_set_t mine;
	uint32_t found[2], count = 0;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		return false;
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++)
		if (CPU_ISSET(cpu, &mine))
			found[count++] = cpu;
	if (count < 2)
		return false;
	*ret_first = (int)found[0];
	*ret_second = (int)found[1];
	return true;
}

void pin_me(int cpu)
{
	cpu_set_t one;

	if (cpu == PIN_NONE)
		return;
	CPU_ZERO(&one);
	CPU_SET((uint32_t)cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

void pin_me_for_now(int cpu, struct pin_before *ret_before)
{
	ret_before->known =
		cpu != PIN_NONE && sched_getaffinity(0, sizeof(cpu_set_t), &ret_before->cpus) == 0;
	if (ret_before->known)
		pin_me(cpu);
}

void pin_back(const struct pin_before *before)
{
	if (before->known)
		(void)sched_setaffinity(0, sizeof(cpu_set_t), &before->cpus);
}
