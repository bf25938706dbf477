/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate_run.c: runs a program, which must not crash, hang or take much memory.
 *
 * Hang: a program uses more than HANG_MS of processor time in all, by wait4(2) or while it runs; or
 * it sleeps for so long, all its threads at once. On a sound directory each takes some
 * milliseconds, so two seconds leave room for sanitizers too, and no program is measured first:
 * that would be at the mercy of what else the machine does. Wall time says nothing here, because
 * this runs beside other things, also at idle priority: a program that waits for a processor, a
 * page or the disk does not sleep, and one look counts for at most LOOK_MS, since a sleeping
 * program may wait for an agent which, like the mutator, has no processor. The first LOOK_FROM_MS
 * are not looked at: a program that by its own patience waits for two seconds, and then says so,
 * does not hang. After STALLED_MS a program hangs whatever it waits for.
 *
 * Its memory is the most that was resident at a time, by wait4(2). The arena's mapped pages count,
 * too: it is small, so memory beyond RSS_MAX_KB is the program's own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifdef SANITIZED
#define HANG_MS 10000 /* a sanitized program takes several times as long */
#else
#define HANG_MS 2000
#endif
#define STALLED_MS 60000
#define RSS_MAX_KB (500l * 1000)
#define ARGUMENTS_MAX 12
#define STEP_NS 500000
#define LOOK_FROM_MS 100
#define LOOK_EACH_NS 5000000
#define LOOK_MS 10 /* the most that one look counts */

const char *run_build;

void run_blame(struct run *run, const char *format, ...)
{
	va_list arguments;

	if (run->fault[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(run->fault, sizeof(run->fault), format, arguments);
	va_end(arguments);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* The processor time of all the process's threads. */
static int64_t used_ms(pid_t pid)
{
	unsigned long long user = 0, system = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	/* NOLINTNEXTLINE(cert-err34-c) */
	if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		   &user, &system) != 2)
		user = system = 0;
	fclose(file);
	return (int64_t)((user + system) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* Do all its threads sleep, so that only a signal, a timer or another process wakes them? */
static bool is_asleep(pid_t pid)
{
	struct dirent *entry;
	char path[PATH_MAX];
	bool asleep = true;
	int threads = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return false;
	while (asleep && (entry = readdir(dir)) != NULL) {
		char state = '?';
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", pid, entry->d_name);
		FILE *file = fopen(path, "re");
		/* NOLINTNEXTLINE(cert-err34-c) */
		asleep = file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 &&
			 state == 'S';
		threads++;
		if (file != NULL)
			fclose(file);
	}
	closedir(dir);
	return asleep && threads > 0;
}

struct looks { /* at a program that runs for longer than most */
	int64_t last_ms;
	int64_t slept_ms;
};

static bool hangs(pid_t pid, struct looks *looks, int64_t took_ms)
{
	int64_t since = looks->last_ms > 0 ? took_ms - looks->last_ms : 0;

	looks->last_ms = took_ms;
	if (is_asleep(pid))
		looks->slept_ms += since < LOOK_MS ? since : LOOK_MS;
	return looks->slept_ms > HANG_MS || used_ms(pid) > HANG_MS || took_ms > STALLED_MS;
}

/* Wait for its end, or until done() says that it has done its work. 1: over; 0: that; -1: hangs. */
static int wait_for(pid_t pid, bool (*done)(const void *context), const void *context,
		    int *ret_status, struct rusage *ret_usage)
{
	struct timespec step = { .tv_nsec = STEP_NS };
	struct looks looks = { 0 };
	int64_t start = now_ms();

	while (wait4(pid, ret_status, WNOHANG, ret_usage) == 0) {
		int64_t took_ms = now_ms() - start;
		if (done != NULL && done(context))
			return 0;
		if (took_ms > LOOK_FROM_MS) {
			step.tv_nsec = LOOK_EACH_NS;
			if (hangs(pid, &looks, took_ms))
				return -1;
		}
		(void)nanosleep(&step, NULL);
	}
	return 1;
}

static int64_t ms_of(struct timeval time)
{
	return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

/* Judge the end of a program, or that it hangs. Returns its exit code, or -1. */
static int judge(struct run *run, const char *name, pid_t pid, int answer, int status,
		 const struct rusage *usage)
{
	struct rusage last;

	if (answer < 0) {
		(void)kill(pid, SIGABRT);
		(void)wait4(pid, &status, 0, &last);
		run_blame(run, "%s hangs", name);
		return -1;
	}
	int64_t took_ms = ms_of(usage->ru_utime) + ms_of(usage->ru_stime);
	if (took_ms > run->cpu_ms)
		run->cpu_ms = took_ms;
	if (took_ms > HANG_MS)
		run_blame(run, "%s takes %lld ms of processor time", name, (long long)took_ms);
	if (usage->ru_maxrss > run->rss_kb)
		run->rss_kb = usage->ru_maxrss;
	if (usage->ru_maxrss > RSS_MAX_KB)
		run_blame(run, "%s takes %ld kB", name, usage->ru_maxrss);
	if (WIFSIGNALED(status))
		run_blame(run, "%s dies of signal %d", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) > 5)
		run_blame(run, "%s ends with %d", name, WEXITSTATUS(status));
	return run->fault[0] == '\0' ? WEXITSTATUS(status) : -1;
}

/* Start a program whose output goes to the log. */
static pid_t start(struct run *run, const char *program, const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX + 2] = { program };
	char path[PATH_MAX];

	for (int i = 0; arguments[i] != NULL; i++) {
		must(i < ARGUMENTS_MAX);
		argv[i + 1] = arguments[i];
	}
	files_path(path, run_build, "%s", program);
	int log = open(run->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	must(log >= 0);
	dprintf(log, "$ %s", program);
	for (int i = 1; argv[i] != NULL; i++)
		dprintf(log, " %s", argv[i]);
	dprintf(log, "\n");
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(log, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
		execv(path, (char *const *)argv);
		_exit(127);
	}
	close(log);
	return pid;
}

int run_program(struct run *run, const char *program, const char *const *arguments)
{
	struct rusage usage = { 0 };
	char name[64];
	int status = 0;

	if (run->fault[0] != '\0')
		return -1;
	snprintf(name, sizeof(name), "%s %s", program, arguments[0]);
	pid_t pid = start(run, program, arguments);
	int answer = wait_for(pid, NULL, NULL, &status, &usage);
	int code = judge(run, name, pid, answer, status, &usage);
	run->complained |= code > 0;
	return code;
}

/* ------------------------------------------------------------------ children */

pid_t run_child_begin(struct run *run, void (*body)(void *context), void *context)
{
	if (run->fault[0] != '\0')
		return 0;
	fflush(NULL);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		body(context);
		_exit(0);
	}
	return pid;
}

int run_child_end(struct run *run, const char *name, pid_t pid)
{
	struct rusage usage = { 0 };
	int status = 0;

	if (pid <= 0)
		return -1;
	int answer = wait_for(pid, NULL, NULL, &status, &usage);
	return judge(run, name, pid, answer, status, &usage);
}

int run_child(struct run *run, const char *name, void (*body)(void *context), void *context)
{
	return run_child_end(run, name, run_child_begin(run, body, context));
}

/* -------------------------------------------------------------------- agent */

struct lines { /* of a log, from some byte on */
	const char *path;
	off_t from;
};

/* A badly damaged directory is worth a thousand warnings, so the log is read to its end. */
static bool has_line(const struct lines *lines, const char *text)
{
	static char bytes[1 << 16];
	size_t kept = strlen(text) - 1; /* of a part before: the text may begin there */
	int fd = open(lines->path, O_RDONLY | O_CLOEXEC);
	off_t at = lines->from;
	bool found = false;
	ssize_t n;

	must(fd >= 0);
	while (!found && (n = pread(fd, bytes, sizeof(bytes), at)) > (ssize_t)kept) {
		found = memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
		at += n - (ssize_t)kept;
	}
	close(fd);
	return found;
}

static bool is_ready(const void *context)
{
	return has_line(context, ": ready\n");
}

pid_t run_agent(struct run *run, const char *journal)
{
	const char *const arguments[] = { "--dir",       run->directory, "--size", "4M",
					  "--max-carts", "64",           "--ttl",  "24h",
					  "--journal",   journal,        NULL };
	struct rusage usage = { 0 };
	int status = 0;
	struct stat st = { 0 };

	if (run->fault[0] != '\0')
		return 0;
	(void)stat(run->log, &st);
	const struct lines lines = { run->log, st.st_size };
	pid_t pid = start(run, "corral-agent", arguments);
	int answer = wait_for(pid, is_ready, &lines, &status, &usage);
	run->complained |= has_line(&lines, "warning") || has_line(&lines, "error");
	if (answer == 0)
		return pid;
	run->complained |= judge(run, "the agent's start", pid, answer, status, &usage) > 0;
	return 0;
}

void run_agent_stop(struct run *run, pid_t pid, bool gently)
{
	struct rusage usage = { 0 };
	int status = 0;

	if (pid <= 0)
		return;
	struct stat st = { 0 };
	(void)stat(run->log, &st);
	(void)kill(pid, gently ? SIGTERM : SIGKILL);
	int answer = wait_for(pid, NULL, NULL, &status, &usage);
	if (answer > 0 && WIFSIGNALED(status) && !gently && WTERMSIG(status) == SIGKILL)
		return;
	int code = judge(run, "the agent", pid, answer, status, &usage);
	run->complained |= code > 0;
}
