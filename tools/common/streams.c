/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.c: see streams.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/streams.h"
#include "common/text.h"

static const char *name = "";

static void check_output(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	fprintf(stderr,
		"%s: standard output: %s: what was asked was done, but not all of it was printed\n",
		name, errno != 0 ? strerror(errno) : "an earlier write failed");
	_exit(STREAMS_NO_OUTPUT);
}

void streams_begin(const char *program)
{
	int fd;

	/*
	 * O_PATH: neither read(2) nor write(2) works on it. Not close-on-exec: a program that we
	 * run must not have the gap either.
	 */
	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0) { /* no descriptor is left, and the program cannot run without one */
		fprintf(stderr, "%s: cannot open a descriptor: %s\n", program, strerror(errno));
		_exit(STREAMS_NO_OUTPUT);
	}
	close(fd);
	name = program;
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)atexit(check_output);
}

const char *streams_program(void)
{
	return name;
}

void streams_complain(const char *format, ...)
{
	char *message;
	char *escaped;
	va_list list;
	int size;

	va_start(list, format);
	size = vasprintf(&message, format, list);
	va_end(list);
	if (size < 0)
		return;
	escaped = text_escape(message, (size_t)size);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", name, escaped != NULL ? escaped : "out of memory");
	free(escaped);
	free(message);
}
