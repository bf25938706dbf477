/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.h: the sentence that says why a call was refused. The caller provides ARENA_WHY_BYTES
 * bytes; the library never prints.
 */
#ifndef CORRAL_REASON_H
#define CORRAL_REASON_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES 512

/* Write the sentence (when why is not NULL) and return the error. */
__attribute__((format(printf, 3, 4))) static inline int reason_set(char *why, int error,
								   const char *format, ...)
{
	va_list arguments;

	if (why != NULL) {
		va_start(arguments, format);
		(void)vsnprintf(why, REASON_BYTES, format, arguments);
		va_end(arguments);
	}
	return error;
}

/* What the user can do about an error, if the error tells enough; else "". */
static inline const char *reason_advice(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return ": act as its owner, or as a member of its group";
	case -EMFILE:
		return ": the process has too many files open: raise that limit (ulimit -n, "
		       "RLIMIT_NOFILE)";
	case -ENFILE:
		return ": the machine has too many files open (fs.file-max)";
	case -ENOMEM:
		return ": the process, or the machine, has no memory left (ulimit -v, RLIMIT_AS)";
	case -ENOSPC:
	case -EDQUOT:
		return ": free space there";
	case -EFBIG:
		return ": raise the limit of a file's size (ulimit -f, RLIMIT_FSIZE)";
	case -EROFS:
		return ": mount it so that it can be written";
	case -EIO:
		return ": see what the kernel says of that disk";
	default:
		return "";
	}
}

/*
 * The same for a failed system call: the sentence says what failed and where; the system's own text
 * and the advice follow it.
 */
__attribute__((format(printf, 3, 4))) static inline int reason_system(char *why, int error,
								      const char *format, ...)
{
	char text[REASON_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	const char *word = strerrordesc_np(-error);
	return reason_set(why, error, "%.300s: %s%s", text, word != NULL ? word : "unknown error",
			  reason_advice(error));
}

#endif
