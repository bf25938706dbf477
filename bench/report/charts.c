/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * charts.c: the charts of the measured figures. See report.h.
 */
#include <math.h>
#include <string.h>

#include "report.h"
#include "runs.h"
#include "text.h"

#define TITLE 160
#define LABEL 64

/* The properties that charts of one sort share. */
struct sort {
	const char *kind, *about, *unit, *row;
	size_t rows_min; /* with fewer rows a chart shows nothing */
	const char *columns[6];
};

#define QUANTILES                                                                                  \
	{                                                                                          \
		"p50", "p90", "p99", "p99.9", "max"                                                \
	}
static const char *const quantiles[] = QUANTILES;

#define QUANTILE_COUNT (sizeof(quantiles) / sizeof(quantiles[0]))

/* The chart with that title, among those from index `from` on; a new one if there is none. */
static json_t *chart_of(json_t *charts, size_t from, const struct sort *sort, const char *title)
{
	for (size_t i = from; i < json_array_size(charts); i++) {
		json_t *chart = json_array_get(charts, i);
		if (strcmp(json_string_value(json_object_get(chart, "title")), title) == 0)
			return chart;
	}
	json_t *columns = json_array();
	for (size_t i = 0; sort->columns[i] != NULL; i++)
		json_array_append_new(columns, json_string(sort->columns[i]));
	json_t *chart = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:[]}", "kind", sort->kind,
				  "title", title, "about", sort->about, "unit", sort->unit, "row",
				  sort->row, "columns", columns, "rows");
	json_array_append_new(charts, chart);
	return chart;
}

/* The values of the row with that label; a new row is inserted before those with a greater x. */
static json_t *row_of(json_t *chart, const char *label, double x)
{
	json_t *rows = json_object_get(chart, "rows"), *row, *values = json_array();
	size_t i, at = json_array_size(rows);

	json_array_foreach(rows, i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "label")), label) == 0) {
			json_decref(values);
			return json_object_get(row, "values");
		}
		if (at > i && json_number_value(json_object_get(row, "x")) > x)
			at = i;
	}
	for (i = 0; i < json_array_size(json_object_get(chart, "columns")); i++)
		json_array_append_new(values, json_null());
	json_array_insert_new(rows, at,
			      json_pack("{s:s, s:b, s:f, s:o}", "label", label, "ours",
					strncmp(label, "corral", 6) == 0, "x", x, "values",
					values));
	return values;
}

static void put(json_t *chart, const char *label, double x, size_t column, double value)
{
	if (!isnan(value))
		json_array_set_new(row_of(chart, label, x), column, json_real(value));
}

/* Remove those charts from index `from` on that have too few rows. */
static void drop_small(json_t *charts, size_t from, const struct sort *sort)
{
	for (size_t i = json_array_size(charts); i-- > from;)
		if (json_array_size(json_object_get(json_array_get(charts, i), "rows")) <
		    sort->rows_min)
			json_array_remove(charts, i);
}

/* -------------------------------------------------------------------- peers */

/* Write the name of a work such as "get_zipf_threads" in words. */
static void name_work(const char *work, char text[TITLE])
{
	static const struct {
		const char *word, *text;
	} words[] = { { "get", "Read a cart" },
		      { "add", "Add an item" },
		      { "set", "Replace a whole cart" },
		      { "zipf", ", some far more often than others" },
		      { "threads", ", workers are threads" },
		      { "unpinned", ", servers on any CPU" } };
	char copy[LABEL], *next = copy;

	snprintf(copy, sizeof(copy), "%s", work);
	text[0] = '\0';
	while (next != NULL) {
		const char *word = strsep(&next, "_"), *known = word;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strcmp(words[i].word, word) == 0)
				known = words[i].text;
		snprintf(text + strlen(text), TITLE - strlen(text), "%s", known);
	}
}

static json_t *peers_chart(json_t *charts, size_t from, const struct sort *sort, const json_t *run,
			   unsigned carts, const char *work, const char *what)
{
	char title[2 * TITLE], words[TITLE], number[NUMBER_TEXT], size[NUMBER_TEXT] = "";
	double bytes = run_value(run, "peers.carts_%u.cart_bytes", carts);

	name_work(work, words);
	if (!isnan(bytes))
		(void)quantity_text(bytes, "bytes", size);
	snprintf(title, sizeof(title), "%s: %s (%s carts%s%s)", words, what,
		 number_text(carts, number), size[0] != '\0' ? " of " : "", size);
	return chart_of(charts, from, sort, title);
}

/* Does the text end with `end`? If so, cut that off. */
static bool cut_end(char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	if (size <= end_size || strcmp(text + size - end_size, end) != 0)
		return false;
	text[size - end_size] = '\0';
	return true;
}

/* Chart the figures "peers.carts_N.WORK.PEER.ns" and "peers.carts_N.WORK.PEER_p50_ns". */
static void add_peers(json_t *charts, const json_t *run)
{
	static const struct sort times_sort = {
		"bars",
		"The mean time of an operation. Logarithmic: a step "
		"to the right is ten times as long.",
		"ns",
		"peer",
		1,
		{ "time" }
	};
	static const struct sort spread_sort = {
		"spread", "Single operations, from the median to the longest.", "ns", "peer", 1,
		QUANTILES
	};
	size_t i, from = json_array_size(charts);
	json_t *figure;

	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		char work[LABEL], peer[LABEL], end[16];
		unsigned carts;

		if (sscanf(figure_name(figure), "peers.carts_%u.%63[^.].%63s", &carts, work,
			   peer) != 3)
			continue;
		json_t *times = NULL, *spread = NULL;
		size_t column = 0;
		bool mean = cut_end(peer, ".ns");
		for (; !mean && column < QUANTILE_COUNT; column++) {
			snprintf(end, sizeof(end), "_%s_ns", quantiles[column]);
			if (cut_end(peer, end))
				break;
		}
		if (column == QUANTILE_COUNT)
			continue;
		times = peers_chart(charts, from, &times_sort, run, carts, work, "what it takes");
		spread = peers_chart(charts, from, &spread_sort, run, carts, work, "quantiles");
		put(mean ? times : spread, peer, 0, column, figure_value(figure));
	}
	drop_small(charts, from, &spread_sort);
}

/* Chart the memory of the run with the most peers: memory does not depend on how carts are used. */
static void add_memory(json_t *charts, const json_t *runs)
{
	static const struct sort sort = { "sizes",
					  "Servers: all that they have; files: what they take; "
					  "Corral: what the arena gave out for the carts.",
					  "bytes",
					  "peer",
					  1,
					  { "memory" } };
	size_t i, j, most = 0;
	json_t *run, *figure, *best = NULL;

	json_array_foreach(runs, i, run)
	{
		json_t *mine = json_array();
		size_t rows = 0;

		json_array_foreach(json_object_get(run, "figures"), j, figure)
		{
			char title[TITLE], label[LABEL], number[NUMBER_TEXT];
			unsigned carts;

			if (sscanf(figure_name(figure), "peers.carts_%u.memory.%63s", &carts,
				   label) != 2)
				continue;
			snprintf(title, sizeof(title), "Memory for %s carts",
				 number_text(carts, number));
			put(chart_of(mine, 0, &sort, title), label, 0, 0, figure_value(figure));
			rows++;
		}
		if (rows > most) {
			json_t *other = best;
			best = mine;
			mine = other;
			most = rows;
		}
		json_decref(mine);
	}
	if (best != NULL)
		json_array_extend(charts, best);
	json_decref(best);
}

/* -------------------------------------------------------------------- scale */

/* Chart the joint rate for each number of workers, from all runs on `carts` carts. */
static void add_scale(json_t *charts, const json_t *runs, unsigned carts, const char *work)
{
	static const struct sort sort = {
		"lines", "All workers together, by the number of workers.",
		"1/s",   "workers",
		3,       { "processes", "threads" }
	};
	char title[2 * TITLE], number[NUMBER_TEXT], words[TITLE];
	size_t i, j, from = json_array_size(charts);
	json_t *run, *figure, *chart;

	name_work(work, words);
	snprintf(title, sizeof(title), "%s: operations a second (%s carts)", words,
		 number_text(carts, number));
	chart = chart_of(charts, from, &sort, title);
	json_array_foreach(runs, i, run)
	{
		json_array_foreach(json_object_get(run, "figures"), j, figure)
		{
			char this_work[16], kind[16];
			unsigned this_carts, workers;
			int end = 0;

			if (sscanf(figure_name(figure),
				   "scale.carts_%u.%15[^.].%15[a-z]_%u.per_second%n", &this_carts,
				   this_work, kind, &workers, &end) == 4 &&
			    end > 0 && this_carts == carts && strcmp(this_work, work) == 0)
				put(chart, number_text(workers, number), workers,
				    strcmp(kind, "threads") == 0, figure_value(figure));
		}
	}
	drop_small(charts, from, &sort);
}

/* ---------------------------------------------------------------------- get */

/* Chart reads for each size of cart, with a row for each number of carts. */
static void add_get(json_t *charts, const json_t *runs, const char *title, const char *copy)
{
	static const struct sort sort = {
		"bars",
		"Beside the bare limit: the same work in a plain hash map "
		"without any protection.",
		"ns",
		"carts",
		2,
		{ "bare limit", "Corral" }
	};
	size_t i, j, from = json_array_size(charts);
	json_t *run, *figure, *chart = chart_of(charts, from, &sort, title);

	json_array_foreach(runs, i, run)
	{
		json_array_foreach(json_object_get(run, "figures"), j, figure)
		{
			char label[2 * LABEL], number[NUMBER_TEXT], size[NUMBER_TEXT];
			double bytes = figure_value(figure);
			unsigned carts;
			int end = 0;

			if (sscanf(figure_name(figure), "get.carts_%u.cart_bytes%n", &carts,
				   &end) != 1 ||
			    end == 0)
				continue;
			snprintf(label, sizeof(label), "%s carts of %s", number_text(carts, number),
				 quantity_text(bytes, "bytes", size));
			put(chart, label, bytes * 1e8 + carts, 0,
			    run_value(run, "get.carts_%u.bare%s_ns", carts, copy));
			put(chart, label, bytes * 1e8 + carts, 1,
			    run_value(run, "get.carts_%u.corral%s_ns", carts, copy));
		}
	}
	drop_small(charts, from, &sort);
}

/* ---------------------------------------------------------------- latencies */

static void add_tails(json_t *charts, const json_t *runs)
{
	static const struct {
		const char *label, *prefix;
	} rows[] = { { "read, nobody changes it", "contend.carts_100.idle" },
		     { "read, it changes all the time", "contend.carts_100.changed" },
		     { "bare memory that changes as often", "contend.carts_100.bare_changed" },
		     { "add, one process alone", "scale.carts_1.add.workers_1" },
		     { "add, 50 processes, one cart", "scale.carts_1.add.workers_50" },
		     { "add, 50 threads, one cart", "scale.carts_1.add.threads_50" },
		     { "add, 50 processes, Zipf", "scale.carts_10000.add_zipf.workers_50" },
		     { "wake up at a fixed time", "rate.wake_up" },
		     { "wake up and add an item", "rate.add" } };
	static const struct sort sort = {
		"spread",
		"Quantiles of single operations. What is done at fixed times counts from when it "
		"was due: a wait is in it.",
		"ns",
		"work",
		2,
		QUANTILES
	};
	size_t i, from = json_array_size(charts);
	json_t *run, *chart = chart_of(charts, from, &sort, "How long the slow ones take");

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		json_array_foreach(runs, i, run) for (size_t column = 0; column < QUANTILE_COUNT;
						      column++)
			put(chart, rows[row].label, 0, column,
			    run_value(run, "%s_%s_ns", rows[row].prefix, quantiles[column]));
	drop_small(charts, from, &sort);
}

json_t *report_charts(const json_t *runs)
{
	json_t *charts = json_array(), *run;
	size_t i;

	json_array_foreach(runs, i, run) add_peers(charts, run);
	add_memory(charts, runs);
	add_get(charts, runs, "Read a cart where it is, by the size of carts", "");
	add_get(charts, runs, "Read a cart, and copy it out, by the size of carts", "_copy");
	add_scale(charts, runs, 10000, "get");
	add_scale(charts, runs, 10000, "add");
	add_tails(charts, runs);
	return charts;
}
