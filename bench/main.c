/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: corral-bench: measure Corral, and replay real orders through it.
 * One table of benchmarks; everything else follows from it.
 */
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "common/streams.h"
#include "common/text.h"
#include "corral.h"
#include "peers/peers.h"
#include "replay/replay.h"
#include "report/report.h"
#include "speed/speed.h"
#include "storm/storm.h"

static const struct benchmark table[] = {
	{ "replay", replay_run,
	  "replay an order file through worker processes, and compare every cart" },
	{ "storm", storm_run,
	  "kill and stop workers at random, and check every change that they made" },
	{ "get", get_run, "read a cart, against a plain hash map without any protection" },
	{ "add", add_run, "add an item to a cart, against copying as many bytes" },
	{ "peers", peers_run,
	  "read and change carts, against Redis, memcached, LMDB, SQLite and a map with mutexes" },
	{ "scale", scale_run,
	  "read and change carts with many processes or threads, against one alone" },
	{ "contend", contend_run,
	  "read a cart while another process changes it without a pause, against nobody changing "
	  "it" },
	{ "grace", grace_run,
	  "read-side sections and grace periods between processes, against liburcu's between "
	  "threads" },
	{ "rate", rate_run,
	  "voice orders at the pace of people: adds at fixed times, with what waking up takes" },
	{ "idle", idle_run, "the agent's processor time and wake-ups while nothing happens" },
	{ "takeover", takeover_run,
	  "change a cart whose lock was held by a process that has just been killed; no agent "
	  "runs" },
	{ "journal", journal_bench_run, "add items with a journal and without one, in turns" },
	{ "sync", sync_bench_run,
	  "add an item and wait until it is on disk, many workers at once" },
	{ "snapshot", snapshot_bench_run,
	  "add items while snapshots are taken, and while none is, in turns" },
	{ "recovery", recovery_run,
	  "make an arena anew out of its journal, against plain reading of the journal's files" },
	{ "feed", feed_run,
	  "read the feed: again, live, waiting and after a long while; and adds beside a reader" },
	{ "expiry", expiry_run,
	  "hear that carts' time is up, against Redis' keyspace events of expiry" },
	{ "report", report_run, "make a page of what runs with --json have measured" },
	{ "replay-worker", replay_worker_run, NULL },
};

#define TABLE_ROWS (sizeof(table) / sizeof(table[0]))

/* NULL after a complaint. */
static const struct benchmark *find(const char *name)
{
	struct nearest nearest = { .typed = name };

	for (size_t i = 0; i < TABLE_ROWS; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
		if (table[i].about != NULL)
			nearest_offer(&nearest, table[i].name);
	}
	options_unknown("benchmark", "", &nearest, PROGRAM);
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

static void print_help(const struct options *options)
{
	(void)options;
	print_usage(stdout);
}

/* For completion: the rows that are listed come first. */
static struct option_choice choice(uint32_t index)
{
	if (index == TABLE_ROWS || table[index].about == NULL)
		return (struct option_choice){ .name = NULL };
	return (struct option_choice){ table[index].name, table[index].about };
}

int main(int argc, char **argv)
{
	struct options options = { .help = print_help,
				   .version = corral_version(),
				   .ends_at_operand = true,
				   .commands = choice };
	const struct benchmark *row;
	bool go;

	streams_begin(PROGRAM);
	text_begin();
	int code = options_take(&options, argc, argv, &go);
	if (!go)
		return code;
	argc -= options.operands_at;
	argv += options.operands_at;
	if (argc == 0) {
		print_usage(stderr);
		return BENCH_USAGE;
	}
	if (strcmp(argv[0], "list") == 0) {
		list(stdout, "");
		return BENCH_DONE;
	}
	row = find(argv[0]);
	if (row == NULL)
		return BENCH_USAGE;
	bench_running = row;
	return (int)row->run(argc, argv);
}
