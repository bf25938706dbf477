/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: the agent's log: lines on standard error. With --daemon that is DIR/agent.log once the
 * agent is ready; until then the caller reads standard error, and each line goes to the file as
 * well.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

enum log_level log_threshold = LOG_INFO;
int log_also = -1;

/* At once: several threads log. What cannot be written there is on standard error. */
static void write_also(const char *line, int size)
{
	if (log_also >= 0 && size > 0 && write(log_also, line, (size_t)size) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char text[1024], line[sizeof(text) + 100];
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
	int size = snprintf(line, sizeof(line), "%s.%03ldZ corral-agent: %s: %s\n", when,
			    now.tv_nsec / 1000000, names[level], text);
	fputs(line, stderr);
	write_also(line, size);
}
