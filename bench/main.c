/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c (floor 6): corral-bench: measure Corral, and replay real orders through it.
 * One table of benchmarks; everything else follows from it.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "corral.h"

#define ARENA_OPTIONS "  --dir DIR            use DIR, not a temporary directory\n"

#define DISK_OPTIONS                                                                                                   \
	"  --dir DIR            in new directories in DIR, on the disk to be measured (default TMPDIR or /var/tmp)\n"
#define JSON_OPTIONS "  --json FILE          write the figures to FILE, too\n"

#define MEASURE_OPTIONS                                                                                                \
	"  --carts N[,N...]     numbers of carts (default 100,10000,200000)\n"                                         \
	"  --bytes N            bytes of a cart, about (default 5120)\n"                                               \
	"  --seconds N          time for each figure (default 1)\n" JSON_OPTIONS ARENA_OPTIONS

static const struct benchmark table[] = {
	{ "replay", replay_run, "FILE [--workers N] [--deploys K] [--agent-restarts K] ...",
	  "replay an order file through worker processes, and compare every cart",
	  "  --workers N          worker processes (default 4)\n"
	  "  --deploys K          replace each worker K times, half of them by SIGKILL\n"
	  "  --agent-restarts K   kill the agent K times, and start it again\n"
	  "  --seed S             for the random choices (default: the clock; it is printed)\n"
	  "  --restaurant ID      restaurant of the carts (default replay-PID)\n"
	  "  --keep               leave the carts in place (only with --dir)\n" ARENA_OPTIONS },
	{ "storm", storm_run, "[--workers N] [--kill-every MS] [--seconds S] [--kill-agent] ...",
	  "kill and stop workers at random, and judge every change that they made",
	  "  --workers N          worker processes (default 8)\n"
	  "  --kill-every MS      a SIGKILL so often, on average (default 5)\n"
	  "  --seconds S          how long (default 10)\n"
	  "  --kill-agent         kill the agent too, about once a second, and start it again\n"
	  "  --history FILE       write all calls to FILE, as JSON lines\n"
	  "  --seed S             for the random choices (default: the clock; it is printed)\n" ARENA_OPTIONS },
	{ "get", get_run, "[--carts N[,N...]] [--zipf] [--bytes N] [--seconds N] [--dir DIR]",
	  "read a cart, against a plain hash map without any protection",
	  "  --zipf               some carts far more often than others (default: all as often)\n" MEASURE_OPTIONS },
	{ "add", add_run, "[--carts N[,N...]] [--bytes N] [--seconds N] [--dir DIR]",
	  "add an item to a cart, against copying as many bytes", MEASURE_OPTIONS },
	{ "peers", peers_run, "[--carts N] [--workers N] [--threads] [--zipf] [--peers NAME[,NAME...]] ...",
	  "read and change carts, against Redis, memcached, LMDB, SQLite and a map with mutexes",
	  "  --carts N            number of carts (default 10000)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --workers N          workers (default 1)\n"
	  "  --threads            workers are threads of one process\n"
	  "  --seconds N          for each figure, all rounds together (default 2)\n"
	  "  --rounds N           turns, of which the median counts (default 5)\n"
	  "  --zipf               some carts far more often than others (default: all as often)\n"
	  "  --no-pin             servers, and a worker that is alone with one, run on any CPU\n"
	  "  --peers NAME,...     only these (default: all that are installed)\n" JSON_OPTIONS ARENA_OPTIONS },
	{ "scale", scale_run,
	  "[--workers N] [--threads] [--carts N[,N...]] [--zipf] [--bytes N] [--seconds N] [--dir DIR]",
	  "read and change carts with many processes or threads, against one alone",
	  "  --workers N          workers (default 50)\n"
	  "  --threads            workers are threads of one process\n"
	  "  --carts N[,N...]     numbers of carts (default 1,10000)\n"
	  "  --zipf               some carts far more often than others (default: all as often)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --seconds N          time for each figure (default 5)\n" JSON_OPTIONS ARENA_OPTIONS },
	{ "contend", contend_run, "[--carts N] [--bytes N] [--seconds N] [--dir DIR]",
	  "read a cart while another process changes it without a pause, against nobody changing it",
	  "  --carts N[,N...]     numbers of carts, of which one is used (default 100)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --seconds N          time for each figure (default 4)\n" JSON_OPTIONS ARENA_OPTIONS },
	{ "rate", rate_run, "[--orders N] [--interval MS] [--workers N] [--seconds N] [--dir DIR]",
	  "voice orders at the pace of people: adds at fixed times, with what waking up takes",
	  "  --orders N           orders at a time (default 100)\n"
	  "  --interval MS        between two adds of an order (default 500)\n"
	  "  --workers N          worker processes (default 4)\n"
	  "  --seconds N          how long (default 10)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n" JSON_OPTIONS ARENA_OPTIONS },
	{ "idle", idle_run, "[--carts N[,N...]] [--bytes N] [--seconds N] [--dir DIR]",
	  "the agent's processor time and wake-ups while nothing happens",
	  "  --carts N[,N...]     numbers of carts (default 100,200000)\n"
	  "  --bytes N            bytes of a cart, about (default 1024)\n"
	  "  --seconds N          how long (default 10)\n" JSON_OPTIONS ARENA_OPTIONS },
	{ "takeover", takeover_run, "[--rounds N] [--dir DIR]",
	  "change a cart whose lock was held by a process that has just been killed; no agent runs",
	  "  --rounds N           so many deaths (default 1000)\n" ARENA_OPTIONS },
	{ "journal", journal_bench_run, "[--carts N[,N...]] [--workers N[,N...]] [--interval MS] ...",
	  "add items with a journal and without one, in turns",
	  "  --carts N[,N...]     numbers of carts (default 100,10000)\n"
	  "  --workers N[,N...]   numbers of worker processes (default 1,2)\n"
	  "  --interval MS        of the journal (default 1000)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --rounds N           pairs of windows, of an interval and a second at least (default 10)\n" DISK_OPTIONS },
	{ "sync", sync_bench_run, "[--workers N[,N...]] [--seconds N] [--interval MS] ...",
	  "add an item and wait until it is on disk, many workers at once",
	  "  --workers N[,N...]   numbers of worker processes (default 1,16)\n"
	  "  --seconds N          time for each number (default 3)\n"
	  "  --carts N            number of carts (default 1000)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --interval MS        of the journal (default 1000)\n" DISK_OPTIONS },
	{ "snapshot", snapshot_bench_run, "[--carts N[,N...]] [--workers N] [--rounds N] ...",
	  "add items while snapshots are taken, and while none is, in turns",
	  "  --carts N[,N...]     numbers of carts (default 100,10000)\n"
	  "  --workers N          worker processes (default 2)\n"
	  "  --bytes N            bytes of a cart, about (default 5120)\n"
	  "  --rounds N           pairs of windows, of half a second and one snapshot at least (default "
	  "10)\n" DISK_OPTIONS },
	{ "recovery", recovery_run, "[--carts N] [--bytes N] --dir DIR",
	  "make an arena anew out of its journal, against plain reading of the journal's files",
	  "  --carts N            so many carts (default 200000)\n"
	  "  --bytes N            bytes of a cart, about (default 5000)\n"
	  "  --dir DIR            in a new directory in DIR, on the disk that is to be measured\n" },
	{ "report", report_run, "FILE... [--html FILE] [--markdown FILE]",
	  "make a page of what runs with --json have measured",
	  "  --html FILE          a page with charts, that needs nothing else\n"
	  "  --markdown FILE      a table of what is to hold (default: standard output)\n" },
	{ "replay-worker", replay_worker_run, "", NULL, "" },
};

#define TABLE_ROWS (sizeof(table) / sizeof(table[0]))

static const struct benchmark *find(const char *name)
{
	for (size_t i = 0; i < TABLE_ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static void list(FILE *stream, const char *indent)
{
	for (size_t i = 0; i < TABLE_ROWS; i++)
		if (table[i].about != NULL)
			fprintf(stream, "%s%-9s %s\n", indent, table[i].name, table[i].about);
}

static void print_usage(FILE *stream)
{
	fprintf(stream, "Usage: " PROGRAM " BENCHMARK [ARGUMENT...]\n"
			"       " PROGRAM " list | --help | --version\n\nBenchmarks:\n");
	list(stream, "  ");
	fprintf(stream, "\n'" PROGRAM " BENCHMARK --help' lists the options of one.\n");
}

void bench_help(const char *name)
{
	const struct benchmark *row = find(name);

	if (row == NULL)
		return;
	printf("Usage: " PROGRAM " %s %s\n\n%s.\n\n%s", row->name, row->usage,
	       row->about == NULL ? "started by " PROGRAM " itself" : row->about, row->options);
	printf("  --help               this text\n");
}

int main(int argc, char **argv)
{
	const struct benchmark *row;

	if (argc < 2) {
		print_usage(stderr);
		return BENCH_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return BENCH_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf(PROGRAM " %s\n", corral_version());
		return BENCH_DONE;
	}
	if (strcmp(argv[1], "list") == 0) {
		list(stdout, "");
		return BENCH_DONE;
	}
	row = find(argv[1]);
	if (row == NULL) {
		bench_say("no benchmark '%s'; '" PROGRAM " list' names them", argv[1]);
		return BENCH_USAGE;
	}
	return (int)row->run(argc - 1, argv + 1);
}
