/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: the agent's log: lines on standard error. With --daemon, standard error is DIR/agent.log
 * once the agent is ready; until then it is the caller's, and each line also goes to the file.
 *
 * An entry is always one line: names of programs and files come from other users, so characters
 * that could move a cursor, or begin another line, are escaped (common/text.h).
 *
 * Once the agent serves, a kind of line (one format) is written at most KIND_LINES times in
 * KIND_PERIOD_MS: a fault in each of a million carts must not fill the disk. When the period is
 * over, the number of further lines is logged. Before that, while an arena is verified or rebuilt,
 * each cart that is left out is logged.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "arena/access.h"
#include "common/text.h"

#define KINDS_MAX 64 /* the serving agent uses fewer formats */
#define KIND_LINES 10
#define KIND_PERIOD_MS 60000
#define LINE_BYTES 1024
#define LINE_FORMAT "%s.%03ldZ corral-agent: %s: %s\n"

struct kind {
	const char *format; /* NULL: unused */
	enum log_level level;
	int64_t began_ms;
	uint32_t lines;
	uint32_t held_back;
	char last[LINE_BYTES]; /* the last line held back */
};

enum log_level log_threshold = LOG_INFO;
int log_also = -1;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the journal's thread logs, too */
static struct kind kinds[KINDS_MAX];
static bool limited;

static void write_line(enum log_level level, const char *text)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char when[40];
	struct timespec now;
	struct tm utc;
	char *escaped = text_escape(text, strlen(text));

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	const char *line = escaped != NULL ? escaped : "no memory for this line";
	fprintf(stderr, LINE_FORMAT, when, now.tv_nsec / 1000000, names[level], line);
	if (log_also >= 0) /* if it fails, the line is on standard error */
		(void)dprintf(log_also, LINE_FORMAT, when, now.tv_nsec / 1000000, names[level],
			      line);
	free(escaped);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* The entry of a format; when all entries are taken, formats share the last one. */
static struct kind *find_kind(const char *format)
{
	struct kind *kind = kinds;

	while (kind < kinds + KINDS_MAX - 1 && kind->format != NULL && kind->format != format)
		kind++;
	kind->format = format;
	return kind;
}

static void end_period(struct kind *kind, int64_t now)
{
	char text[LINE_BYTES + 80];

	if (kind->held_back > 0) {
		snprintf(text, sizeof(text), "%u more lines like this one were held back: %s",
			 kind->held_back, kind->last);
		write_line(kind->level, text);
	}
	kind->lines = kind->held_back = 0;
	kind->began_ms = now;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;

	if (level > log_threshold)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&mutex);
	int64_t now = now_ms();
	struct kind *kind = limited ? find_kind(format) : NULL;
	if (kind != NULL && now - kind->began_ms >= KIND_PERIOD_MS)
		end_period(kind, now);
	if (kind == NULL || kind->lines++ < KIND_LINES) {
		write_line(level, text);
	} else {
		kind->held_back++;
		kind->level = level;
		memcpy(kind->last, text, sizeof(text));
	}
	pthread_mutex_unlock(&mutex);
}

void log_limit(bool on)
{
	int64_t now = now_ms();

	pthread_mutex_lock(&mutex);
	limited = on;
	for (unsigned i = 0; i < KINDS_MAX && !on; i++)
		end_period(&kinds[i], now);
	pthread_mutex_unlock(&mutex);
}

static bool is_there(int dir_fd)
{
	struct stat ours, there;

	return fstat(STDERR_FILENO, &ours) == 0 &&
	       fstatat(dir_fd, LOG_FILE, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* The mutex is held. */
static void reopen(int dir_fd)
{
	static bool said;
	char why[REASON_BYTES] = "", text[LINE_BYTES];
	int fd = access_open(dir_fd, LOG_FILE, O_APPEND, true, why);

	if (fd >= 0) {
		(void)dup3(fd, STDERR_FILENO, 0);
		close(fd);
		said = false;
	} else if (!said) { /* to the old file, once */
		said = true;
		snprintf(text, sizeof(text), "cannot open " LOG_FILE " anew: %s (%s)", why,
			 strerror(-fd));
		write_line(LOG_ERROR, text);
	}
}

void log_follow(int dir_fd)
{
	pthread_mutex_lock(&mutex);
	if (!is_there(dir_fd))
		reopen(dir_fd);
	pthread_mutex_unlock(&mutex);
}

void log_tick(void)
{
	int64_t now = now_ms();

	pthread_mutex_lock(&mutex);
	for (struct kind *kind = kinds; kind < kinds + KINDS_MAX && kind->format != NULL; kind++)
		if (kind->held_back > 0 && now - kind->began_ms >= KIND_PERIOD_MS)
			end_period(kind, now);
	pthread_mutex_unlock(&mutex);
}
