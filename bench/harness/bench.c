/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.c: the small helpers that all benchmarks share. See bench.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

volatile sig_atomic_t bench_signal;
const struct benchmark *bench_running;

enum bench_exit bench_take(struct options *options, int argc, char **argv, bool *ret_go)
{
	options->command = bench_running->name;
	options->about = bench_running->about;
	return (enum bench_exit)options_take(options, argc, argv, ret_go);
}

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t bench_random_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)((bench_random(state) >> 32) * below >> 32);
}

static void on_signal(int number)
{
	bench_signal = number;
}

void bench_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

void bench_die_of_signal(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	int number = bench_signal;

	if (number == 0)
		return;
	sigaction(number, &action, NULL);
	raise(number);
}

/* The text after "model name : " in /proc/cpuinfo on x86; "unknown cpu" elsewhere. */
static void cpu_model(char *model, size_t size)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "re");

	snprintf(model, size, "unknown cpu");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		const char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		snprintf(model, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (file != NULL)
		fclose(file);
}

void bench_print_machine(FILE *stream)
{
	struct utsname name;
	char model[256];

	cpu_model(model, sizeof(model));
	if (uname(&name) != 0)
		snprintf(name.release, sizeof(name.release), "unknown");
	fprintf(stream, "machine: %s, %ld cores, kernel %s\n", model, sysconf(_SC_NPROCESSORS_ONLN),
		name.release);
}
