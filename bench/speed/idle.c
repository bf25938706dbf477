/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idle.c: corral-bench idle: what the agent costs while nothing happens: processor time,
 * and how often it wakes up.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/measure.h"

#define SETTLE_NS 2000000000u

struct usage {
	uint64_t at_ns;
	uint64_t cpu_ns;
	uint64_t wake_ups;
};

/*
 * Processor time in ns (the first word of schedstat), and how often it gave the processor back, of
 * one thread.
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

static void wait_ns(uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	uint64_t end = bench_now_ns() + ns;

	while (bench_signal == 0 && bench_now_ns() < end)
		nanosleep(&pause, NULL);
}

static enum bench_exit idle_one(const struct measure *measure, struct dataset *dataset)
{
	struct usage before, after;

	if (dataset->sandbox.agent == 0) {
		bench_say("an agent that I did not start runs there: I measure only mine");
		return BENCH_USAGE;
	}
	wait_ns(SETTLE_NS);
	bool good = look(dataset->sandbox.agent, &before);
	wait_ns(measure->ms * 1000000ull);
	if (bench_signal != 0)
		return BENCH_DONE;
	if (!good || !look(dataset->sandbox.agent, &after)) {
		bench_say("cannot read the agent's figures in /proc");
		return BENCH_NO_AGENT;
	}
	double seconds = (double)(after.at_ns - before.at_ns) / 1e9;
	measure_print("idle", dataset->carts, "agent_cpu_percent", "%",
		      (double)(after.cpu_ns - before.cpu_ns) / 1e7 / seconds, 4);
	measure_print("idle", dataset->carts, "agent_wake_ups", "1/s",
		      (double)(after.wake_ups - before.wake_ups) / seconds, 1);
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
