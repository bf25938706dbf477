/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: the agent's log: lines on standard error (with --daemon, DIR/agent.log).
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "agent.h"

enum log_level log_threshold = LOG_INFO;

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char text[1024];
	char when[40];
	struct timespec now;
	struct tm utc;
	va_list arguments;

	if (level > log_threshold)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s.%03ldZ corral-agent: %s: %s\n", when, now.tv_nsec / 1000000,
		names[level], text);
}
