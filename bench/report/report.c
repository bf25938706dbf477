/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c: corral-bench report: what runs with --json have measured, as one page to look
 * at and as Markdown; what is to hold of it. See report.h.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "harness/options.h"
#include "report.h"

#define READ "zero-copy read by key, over the bare limit"
#define ADD "add an item, one worker, over copying the cart"
#define USUAL 5120 /* bytes of a cart */

const struct goal goals[] = {
	{ READ ", 100 carts", "get.carts_100.ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts", "get.carts_10000.ratio", false, 1.3, USUAL },
	{ READ ", 200,000 carts", "get.carts_200000.ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts, Zipf", "get_zipf.carts_10000.ratio", false, 1.3, USUAL },
	{ READ ", 100 carts, one at a time", "get.carts_100.alone_ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts, one at a time", "get.carts_10000.alone_ratio", false, 1.3, USUAL },
	{ READ ", 200,000 carts, one at a time", "get.carts_200000.alone_ratio", false, 1.3,
	  USUAL },
	{ "LMDB's get takes as many times as long", "peers.carts_10000.get.lmdb.times_corral", true,
	  3, 0 },
	{ "Redis' GET takes as many times as long",
	  "peers.carts_10000.get.redis_watch.times_corral", true, 500, 0 },
	{ "the same, the server on any CPU",
	  "peers.carts_10000.get_unpinned.redis_watch.times_corral", true, 500, 0 },
	{ "reads of 2 processes, over one's", "scale.carts_10000.get.workers_2.times_one", true,
	  1.9, 0 },
	{ "read while another process changes that cart: p99.9 over idle",
	  "contend.carts_100.p99.9_ratio", false, 2, USUAL },
	{ "copying read, over hash + probe + memcpy, 10,000 carts", "get.carts_10000.copy_ratio",
	  false, 1.2, USUAL },
	{ ADD ", 100 carts", "add.carts_100.add_merge_ratio", false, 4, USUAL },
	{ ADD ", 10,000 carts", "add.carts_10000.add_merge_ratio", false, 2.5, USUAL },
	{ ADD ", 200,000 carts", "add.carts_200000.add_merge_ratio", false, 2.5, USUAL },
	{ "Redis' atomic add in Lua takes as many times as long",
	  "peers.carts_10000.add.redis_lua.times_corral", true, 100, 0 },
	{ "the same, the server on any CPU",
	  "peers.carts_10000.add_unpinned.redis_lua.times_corral", true, 100, 0 },
	{ "LMDB's read-modify-write takes as many times as long",
	  "peers.carts_10000.add.lmdb.times_corral", true, 10, 0 },
	{ "50 processes add to ONE cart: throughput over one's",
	  "scale.carts_1.add.workers_50.times_one", true, 0.33, 0 },
	{ "50 processes add to ONE cart: p99.9, ns", "scale.carts_1.add.workers_50_p99.9_ns", false,
	  100000, 0 },
	{ "50 processes add to ONE cart: slowest over mean",
	  "scale.carts_1.add.workers_50.slowest_to_mean", true, 0.25, 0 },
	{ "50 processes add to ONE cart: lost", "scale.carts_1.lost", false, 0, 0 },
	{ "50 processes, 10,000 carts, Zipf: throughput over one's",
	  "scale.carts_10000.add_zipf.workers_50.times_one", true, 1.7, 0 },
	{ "100 voice orders, 2 adds a second each: p99.9 with scheduling, ns", "rate.add_p99.9_ns",
	  false, 50000, 0 },
	{ "the same: processor, % of one", "rate.add_cpu_percent", false, 0.1, 0 },
	{ "1,000,000 carts of 1 KB: read over the bare limit", "get.carts_1000000.ratio", false,
	  1.5, 1024 },
	{ "memory over the carts' bytes, 5 KB, %", "memory.carts_10000.overhead_percent", false, 15,
	  USUAL },
	{ "idle agent, % of a core", "idle.carts_100.agent_cpu_percent", false, 0.05, 0 },
	{ "idle agent, wake-ups a second", "idle.carts_100.agent_wake_ups", false, 10, 0 },
};

const unsigned goal_count = sizeof(goals) / sizeof(goals[0]);

double report_value(const json_t *run, const char *name, ...)
{
	char full[160];
	json_t *figure;
	va_list list;
	size_t i;

	va_start(list, name);
	vsnprintf(full, sizeof(full), name, list);
	va_end(list);
	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *this_name = json_string_value(json_object_get(figure, "name"));
		if (this_name != NULL && strcmp(this_name, full) == 0)
			return json_number_value(json_object_get(figure, "value"));
	}
	return NAN;
}

/*
 * Has the run carts of about so many bytes, or does it not say? "get.carts_100.ratio" is of
 * "get.carts_100.cart_bytes".
 */
static bool has_size(const json_t *run, const struct goal *goal)
{
	const char *benchmark = json_string_value(json_object_get(run, "benchmark"));
	unsigned carts = 0;
	const char *at = strstr(goal->figure, ".carts_");

	if (goal->cart_bytes == 0 || benchmark == NULL || at == NULL ||
	    sscanf(at, ".carts_%u", &carts) != 1)
		return true;
	double bytes = report_value(run, "%s.carts_%u.cart_bytes", benchmark, carts);
	return isnan(bytes) || fabs(bytes - goal->cart_bytes) < goal->cart_bytes / 10.0;
}

bool report_find(const struct report *report, const struct goal *goal, double *ret_value)
{
	bool found = false;
	json_t *run;
	size_t i;

	json_array_foreach(report->runs, i, run)
	{
		double value = report_value(run, "%s", goal->figure);
		if (isnan(value) || !has_size(run, goal))
			continue;
		*ret_value = value;
		found = true;
	}
	return found;
}

bool report_is_met(const struct goal *goal, double value)
{
	return goal->at_least ? value >= goal->bound : value <= goal->bound;
}

/* ------------------------------------------------------------------ command */

static bool write_to(const struct report *report, const char *path,
		     void (*form)(const struct report *report, FILE *stream))
{
	FILE *stream = path != NULL ? fopen(path, "we") : stdout;

	if (stream == NULL) {
		bench_say("cannot write %s: %s", path, strerror(errno));
		return false;
	}
	form(report, stream);
	bool good = !ferror(stream);
	if ((stream == stdout ? fflush(stream) : fclose(stream)) != 0 || !good) {
		bench_say("cannot write %s", path != NULL ? path : "standard output");
		return false;
	}
	return true;
}

static bool read_run(struct report *report, const char *path)
{
	json_error_t error;
	json_t *run = json_load_file(path, 0, &error);

	if (run == NULL || !json_is_array(json_object_get(run, "figures")) ||
	    !json_is_string(json_object_get(run, "benchmark")) ||
	    !json_is_string(json_object_get(run, "machine"))) {
		bench_say("%s: %s", path, run == NULL ? error.text : "not written by --json");
		json_decref(run);
		return false;
	}
	report->machine = json_string_value(json_object_get(run, "machine"));
	return json_array_append_new(report->runs, run) == 0;
}

enum bench_exit report_run(int argc, char **argv)
{
	struct report report = { .runs = json_array() };
	const char *html = NULL, *markdown = NULL;
	const struct option_row rows[] = {
		OPTION_TEXT("html", "FILE", &html, "a page with charts, that needs nothing else"),
		OPTION_TEXT("markdown", "FILE", &markdown,
			    "tables of the same numbers (default: standard output)"),
	};
	const struct options options = { .benchmark = "report",
					 .rows = rows,
					 .count = sizeof(rows) / sizeof(rows[0]),
					 .operands_min = 1,
					 .operands_max = UINT32_MAX };
	bool good = true, go;
	enum bench_exit result = options_take(&options, argc, argv, &go);

	if (!go) {
		json_decref(report.runs);
		return result;
	}
	for (int i = optind; i < argc && good; i++)
		good = read_run(&report, argv[i]);
	if (good && html != NULL)
		good = write_to(&report, html, report_html);
	if (good && (markdown != NULL || html == NULL))
		good = write_to(&report, markdown, report_markdown);
	json_decref(report.runs);
	return good ? BENCH_DONE : BENCH_USAGE;
}
