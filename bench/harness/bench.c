/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.c: the small helpers that all benchmarks share. See bench.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "common/parse.h"

volatile sig_atomic_t bench_signal;
const struct benchmark *bench_running;

void bench_help(void)
{
	const struct benchmark *row = bench_running;

	printf("Usage: " PROGRAM " %s [OPTION...]%s%s\n\n%s.\n\n", row->name,
	       row->operands[0] != '\0' ? " " : "", row->operands,
	       row->about == NULL ? "started by " PROGRAM " itself" : row->about);
}

static void say(const char *format, va_list arguments)
{
	fflush(stdout);
	fprintf(stderr, PROGRAM ": ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void bench_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

enum bench_exit bench_usage(const char *name, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	fprintf(stderr, "Try '" PROGRAM " %s --help'.\n", name);
	return BENCH_USAGE;
}

bool bench_number(const char *option, const char *text, uint64_t min, uint64_t max,
		  uint64_t *ret_value)
{
	uint64_t value = 0;

	if (parse_number(text, 0, UINT64_MAX, &value) != NULL) {
		bench_say("--%s: '%s' is no whole number", option, text);
		return false;
	}
	if (value < min || value > max) {
		bench_say("--%s: %s is not between %llu and %llu", option, text,
			  (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*ret_value = value;
	return true;
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
