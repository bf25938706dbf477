/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.c: a command that waits ends by SIGINT, SIGTERM or SIGHUP, but detaches first.
 */
#include <signal.h>
#include <stdio.h>

#include "tool.h"

static volatile sig_atomic_t stopped_by;

static void on_signal(int number)
{
	stopped_by = number;
}

/* Signals end a wait (no SA_RESTART), so that we detach before we end. */
static void handle(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

void signals_catch(void)
{
	handle(on_signal);
}

bool signals_stop(void)
{
	return stopped_by != 0;
}

void signals_end(void)
{
	handle(SIG_DFL);
	if (stopped_by == 0)
		return;
	fflush(stdout);
	raise(stopped_by); /* so that the shell sees the signal that ended the program */
}
