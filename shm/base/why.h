/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * why.h: say what was refused. The caller gives ARENA_WHY_BYTES bytes; the library
 * never prints.
 */
#ifndef CORRAL_WHY_H
#define CORRAL_WHY_H

#include <stdarg.h>
#include <stdio.h>

#define WHY_BYTES 512

/* Write the sentence (when why is not NULL) and return the error. */
__attribute__((format(printf, 3, 4))) static inline int why_set(char *why, int error,
								const char *format, ...)
{
	va_list arguments;

	if (why != NULL) {
		va_start(arguments, format);
		(void)vsnprintf(why, WHY_BYTES, format, arguments);
		va_end(arguments);
	}
	return error;
}

#endif
