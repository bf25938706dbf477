/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idle.c: corral-bench idle: the cost of the agent while nothing happens: its processor time and
 * its wake-ups; and, in the same run, the processor time of a process that only wakes up, as often.
 * No agent that checks anything can take less than that.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/child.h"
#include "harness/measure.h"
#include "harness/pool.h"
#include "speed.h"

#define SETTLE_NS 2000000000u
#define START_NS 100000000u

struct usage {
	uint64_t at_ns;
	uint64_t cpu_ns;
	uint64_t wake_ups;
};

/*
 * Add one thread's processor time in ns (the first word of schedstat), and its voluntary context
 * switches.
 */
static bool add_thread(pid_t pid, const char *thread, struct usage *usage)
{
	static const char label[] = "voluntary_ctxt_switches:";
	char path[PATH_MAX], line[256];
	unsigned long long value = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, thread);
	FILE *file = fopen(path, "re");
	bool good = file != NULL && fscanf(file, "%llu", &value) == 1;
	if (file != NULL)
		fclose(file);
	usage->cpu_ns += value;
	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, thread);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, label, sizeof(label) - 1) == 0)
			usage->wake_ups += strtoull(line + sizeof(label) - 1, NULL, 10);
	if (file != NULL)
		fclose(file);
	return good;
}

static bool look(pid_t pid, struct usage *ret_usage)
{
	char path[64];
	bool good = true;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	*ret_usage = (struct usage){ .at_ns = bench_now_ns() };
	DIR *directory = opendir(path);
	if (directory == NULL)
		return false;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (entry->d_name[0] != '.')
			good = add_thread(pid, entry->d_name, ret_usage) && good;
	closedir(directory);
	return good;
}

/* Measure the usage of a process during `ns`. False: its figures cannot be read. */
static bool watch(pid_t pid, uint64_t ns, struct usage *ret_used)
{
	struct usage before, after;

	bool good = look(pid, &before);
	pool_sleep(ns);
	good = look(pid, &after) && good;
	*ret_used = (struct usage){ .at_ns = after.at_ns - before.at_ns,
				    .cpu_ns = after.cpu_ns - before.cpu_ns,
				    .wake_ups = after.wake_ups - before.wake_ups };
	return good;
}

static int only_wake_up(void *each_ns)
{
	const uint64_t *ns = each_ns;
	const struct timespec step = { .tv_sec = (time_t)(*ns / 1000000000u),
				       .tv_nsec = (long)(*ns % 1000000000u) };

	while (nanosleep(&step, NULL) == 0 || errno == EINTR)
		;
	return BENCH_WRONG;
}

/* The same for a process that only wakes up, as often as the agent did. */
static bool watch_sleeper(const struct usage *agent, uint64_t ns, struct usage *ret_used)
{
	uint64_t each_ns = agent->at_ns / max_u64(1, agent->wake_ups);
	pid_t pid = child_fork(only_wake_up, &each_ns);

	if (pid < 0)
		return false;
	pool_sleep(START_NS);
	bool good = watch(pid, ns, ret_used);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return good;
}

static double percent(const struct usage *used)
{
	return 100.0 * (double)used->cpu_ns / (double)used->at_ns;
}

static enum bench_exit idle_one(const struct measure *measure, struct dataset *dataset)
{
	uint64_t ns = measure->ms * 1000000ull;
	struct usage agent, sleeper;

	if (dataset->sandbox.agent == 0) {
		bench_say("an agent that I did not start runs there: I measure only mine");
		return BENCH_USAGE;
	}
	pool_sleep(SETTLE_NS);
	bool good =
		watch(dataset->sandbox.agent, ns, &agent) && watch_sleeper(&agent, ns, &sleeper);
	if (bench_signal != 0)
		return BENCH_DONE;
	if (!good) {
		bench_say("cannot read a process's figures in /proc");
		return BENCH_NO_AGENT;
	}
	measure_print("idle", dataset->carts, "agent_cpu_percent", "%", percent(&agent), 4);
	measure_print("idle", dataset->carts, "agent_wake_ups", "1/s",
		      (double)agent.wake_ups * 1e9 / (double)agent.at_ns, 1);
	measure_print("idle", dataset->carts, "wake_up_cpu_percent", "%", percent(&sleeper), 4);
	measure_print("idle", dataset->carts, "cpu_to_wake_up", "x",
		      percent(&agent) * (double)sleeper.at_ns /
			      (100.0 * (double)max_u64(1, sleeper.cpu_ns)),
		      2);
	return BENCH_DONE;
}

enum bench_exit idle_run(int argc, char **argv)
{
	struct measure measure = { .name = "idle",
				   .counts = { 100, 200000 },
				   .count_count = 2,
				   .bytes = 1024,
				   .ms = 10000 };

	return measure_run(&measure, 0, argc, argv, idle_one);
}
