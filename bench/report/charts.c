/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * charts.c: which charts there are. See charts.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

#define PREFIX 96

static const char *const quantiles[] = { "p50", "p90", "p99", "p99.9", "max" };

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

struct show {
	void (*show)(const struct chart *chart, FILE *stream);
	FILE *stream;
};

static struct chart_row *new_row(struct chart *chart, const char *label)
{
	if (chart->row_count == CHART_ROWS_MAX)
		return NULL;
	struct chart_row *row = &chart->rows[chart->row_count++];
	*row = (struct chart_row){ .ours = strncmp(label, "corral", 6) == 0 };
	snprintf(row->label, sizeof(row->label), "%s", label);
	for (unsigned i = 0; i < CHART_COLUMNS_MAX; i++)
		row->values[i] = NAN;
	return row;
}

/* Rows without a number do not come that far. */
static void finish(const struct chart *chart, const struct show *show, unsigned rows_min)
{
	if (chart->row_count >= rows_min)
		show->show(chart, show->stream);
}

/* "PREFIX_p50_ns" and so on. */
static void add_spread(struct chart *chart, const json_t *run, const char *prefix,
		       const char *label)
{
	if (isnan(report_value(run, "%s_p50_ns", prefix)))
		return;
	struct chart_row *row = new_row(chart, label);
	for (unsigned i = 0; row != NULL && i < QUANTILES; i++)
		row->values[i] = report_value(run, "%s_%s_ns", prefix, quantiles[i]);
}

static struct chart spread_chart(void)
{
	struct chart chart = {
		.kind = CHART_SPREAD, .unit = "ns", .row_name = "", .column_count = QUANTILES
	};

	memcpy(chart.columns, quantiles, sizeof(quantiles));
	return chart;
}

/* -------------------------------------------------------------------- peers */

/* "get_zipf_threads" in words. */
static void name_work(const char *work, char text[PREFIX])
{
	static const struct {
		const char *word, *text;
	} words[] = { { "get", "Read a cart" },
		      { "add", "Add an item" },
		      { "set", "Replace a whole cart" },
		      { "zipf", ", some far more often than others" },
		      { "threads", ", workers are threads" },
		      { "unpinned", ", servers on any CPU" } };
	char copy[PREFIX], *next = copy;

	snprintf(copy, sizeof(copy), "%s", work);
	text[0] = '\0';
	while (next != NULL) {
		const char *word = strsep(&next, "_"), *known = word;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strcmp(words[i].word, word) == 0)
				known = words[i].text;
		snprintf(text + strlen(text), PREFIX - strlen(text), "%s", known);
	}
}

/* "peers.carts_N.WORK.": its title, with what follows. */
static void name_peers_chart(struct chart *chart, const json_t *run, const char *prefix,
			     const char *what)
{
	char work[PREFIX], words[PREFIX], number[REPORT_TEXT], size[REPORT_TEXT] = "";
	unsigned carts = 0;

	if (sscanf(prefix, "peers.carts_%u.%95[^.]", &carts, work) != 2)
		snprintf(work, sizeof(work), "%s", prefix);
	name_work(work, words);
	double bytes = report_value(run, "peers.carts_%u.cart_bytes", carts);
	if (!isnan(bytes))
		(void)report_quantity(bytes, "bytes", size);
	snprintf(chart->title, sizeof(chart->title), "%s: %s (%s carts%s%s)", words, what,
		 report_number(carts, number), size[0] != '\0' ? " of " : "", size);
}

/* "PREFIXlabel.ns" -> label, if the name is so. */
static bool is_peer(const char *name, const char *prefix, char label[CHART_LABEL])
{
	size_t size = strlen(prefix);
	const char *end = strrchr(name, '.');

	if (strncmp(name, prefix, size) != 0 || end == NULL || end <= name + size ||
	    strcmp(end, ".ns") != 0)
		return false;
	snprintf(label, CHART_LABEL, "%.*s", (int)(end - name - (long)size), name + size);
	return true;
}

static void peers_work(const json_t *run, const char *prefix, const struct show *show)
{
	struct chart times = { .kind = CHART_BARS,
			       .unit = "ns",
			       .about = "The mean time of an operation. Logarithmic: a step to the "
					"right is ten times as long.",
			       .row_name = "peer",
			       .column_count = 1,
			       .columns = { "time" } };
	struct chart spread = spread_chart();
	json_t *figure;
	size_t i;

	spread.about = "Single operations, from the median to the longest.";
	spread.row_name = "peer";
	name_peers_chart(&times, run, prefix, "what it takes");
	name_peers_chart(&spread, run, prefix, "quantiles");
	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		char label[CHART_LABEL], full[PREFIX + CHART_LABEL];
		if (name == NULL || !is_peer(name, prefix, label))
			continue;
		struct chart_row *row = new_row(&times, label);
		if (row != NULL)
			row->values[0] = json_number_value(json_object_get(figure, "value"));
		snprintf(full, sizeof(full), "%s%s", prefix, label);
		add_spread(&spread, run, full, label);
	}
	finish(&times, show, 1);
	finish(&spread, show, 1);
}

/* How many rows it has in this run; with a show, it is shown. */
static unsigned peers_memory(const json_t *run, const struct show *show)
{
	struct chart chart = { .kind = CHART_SIZES,
			       .unit = "bytes",
			       .about = "Servers: all that they have; files: what they take; "
					"Corral: what the arena gave "
					"out for the carts.",
			       .row_name = "peer",
			       .column_count = 1,
			       .columns = { "memory" } };
	json_t *figure;
	size_t i;

	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		char label[CHART_LABEL], number[REPORT_TEXT];
		unsigned carts;
		if (name == NULL || sscanf(name, "peers.carts_%u.memory.%63s", &carts, label) != 2)
			continue;
		snprintf(chart.title, sizeof(chart.title), "Memory for %s carts",
			 report_number(carts, number));
		struct chart_row *row = new_row(&chart, label);
		if (row != NULL)
			row->values[0] = json_number_value(json_object_get(figure, "value"));
	}
	if (show != NULL)
		finish(&chart, show, 1);
	return chart.row_count;
}

/* Each comparison with the peers: "peers.carts_N.get." of its first figure, and so on. */
static void peers_charts(const json_t *run, const struct show *show)
{
	char last[PREFIX] = "", label[CHART_LABEL];
	json_t *figure;
	size_t i;

	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		char prefix[PREFIX];
		int dots = 0, size = 0;
		if (name == NULL || strncmp(name, "peers.", 6) != 0)
			continue;
		while (name[size] != '\0' && dots < 3)
			dots += name[size++] == '.';
		snprintf(prefix, sizeof(prefix), "%.*s", size, name);
		if (dots == 3 && strcmp(prefix, last) != 0 && is_peer(name, prefix, label)) {
			snprintf(last, sizeof(last), "%s", prefix);
			peers_work(run, prefix, show);
		}
	}
}

/* Of the run with most of them: it does not depend on how they are used. */
static void memory_chart(const struct report *report, const struct show *show)
{
	const json_t *most = NULL;
	json_t *run;
	size_t i;

	json_array_foreach(report->runs, i, run)
	{
		if (most == NULL || peers_memory(run, NULL) > peers_memory(most, NULL))
			most = run;
	}
	if (most != NULL)
		(void)peers_memory(most, show);
}

/* -------------------------------------------------------------------- scale */

static int compare_x(const void *left, const void *right)
{
	double a = ((const struct chart_row *)left)->x, b = ((const struct chart_row *)right)->x;

	return (a > b) - (a < b);
}

static struct chart_row *row_at(struct chart *chart, double x)
{
	char label[REPORT_TEXT];

	for (unsigned i = 0; i < chart->row_count; i++)
		if (chart->rows[i].x == x)
			return &chart->rows[i];
	struct chart_row *row = new_row(chart, report_number(x, label));
	if (row != NULL)
		row->x = x;
	return row;
}

/* What so many workers do together, of all runs on so many carts. */
static void scale_chart(const struct report *report, unsigned carts, const char *work,
			const struct show *show)
{
	struct chart chart = { .kind = CHART_LINES,
			       .unit = "1/s",
			       .about = "All workers together, by the number of workers.",
			       .row_name = "workers",
			       .column_count = 2,
			       .columns = { "processes", "threads" } };
	char number[REPORT_TEXT], words[PREFIX];
	json_t *run, *figure;
	size_t i, j;

	name_work(work, words);
	snprintf(chart.title, sizeof(chart.title), "%s: operations a second (%s carts)", words,
		 report_number(carts, number));
	json_array_foreach(report->runs, i, run)
	{
		json_array_foreach(json_object_get(run, "figures"), j, figure)
		{
			const char *name = json_string_value(json_object_get(figure, "name"));
			char this_work[16], kind[16];
			unsigned this_carts, workers;
			int end = 0;
			if (name == NULL ||
			    sscanf(name, "scale.carts_%u.%15[^.].%15[a-z]_%u.per_second%n",
				   &this_carts, this_work, kind, &workers, &end) != 4 ||
			    end == 0 || this_carts != carts || strcmp(this_work, work) != 0)
				continue;
			struct chart_row *row = row_at(&chart, workers);
			if (row != NULL)
				row->values[strcmp(kind, "threads") == 0] =
					json_number_value(json_object_get(figure, "value"));
		}
	}
	qsort(chart.rows, chart.row_count, sizeof(chart.rows[0]), compare_x);
	finish(&chart, show, 3);
}

/* ---------------------------------------------------------------------- get */

/* Carts of each size, in as many rows as numbers of carts. */
static void get_chart(const struct report *report, bool copies, const struct show *show)
{
	struct chart chart = { .kind = CHART_BARS,
			       .unit = "ns",
			       .about = "Beside the bare limit: the same work in a plain hash map "
					"without any protection.",
			       .row_name = "carts",
			       .column_count = 2,
			       .columns = { "bare limit", "Corral" } };
	json_t *run, *figure;
	size_t i, j;

	snprintf(chart.title, sizeof(chart.title), "%s, by the size of carts",
		 copies ? "Read a cart, and copy it out" : "Read a cart where it is");
	json_array_foreach(report->runs, i, run)
	{
		json_array_foreach(json_object_get(run, "figures"), j, figure)
		{
			const char *name = json_string_value(json_object_get(figure, "name"));
			char label[CHART_LABEL], number[REPORT_TEXT], size[REPORT_TEXT];
			unsigned carts;
			int end = 0;
			if (name == NULL ||
			    sscanf(name, "get.carts_%u.cart_bytes%n", &carts, &end) != 1 ||
			    end == 0)
				continue;
			double bytes = json_number_value(json_object_get(figure, "value"));
			snprintf(label, sizeof(label), "%s carts of %s",
				 report_number(carts, number),
				 report_quantity(bytes, "bytes", size));
			double bare = report_value(run, "get.carts_%u.bare%s_ns", carts,
						   copies ? "_copy" : "");
			struct chart_row *row = isnan(bare) ? NULL : new_row(&chart, label);
			if (row == NULL)
				continue;
			row->x = bytes * 1e8 + carts;
			row->values[0] = bare;
			row->values[1] = report_value(run, "get.carts_%u.corral%s_ns", carts,
						      copies ? "_copy" : "");
		}
	}
	qsort(chart.rows, chart.row_count, sizeof(chart.rows[0]), compare_x);
	finish(&chart, show, 2);
}

/* ---------------------------------------------------------------- latencies */

static void tails_chart(const struct report *report, const struct show *show)
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
	struct chart chart = spread_chart();
	json_t *run;
	size_t i;

	snprintf(chart.title, sizeof(chart.title), "How long the slow ones take");
	chart.about = "Quantiles of single operations. What is done at fixed times counts from "
		      "when it was due: whoever had "
		      "to wait is in it.";
	chart.row_name = "work";
	for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
		json_array_foreach(report->runs, i, run)
			add_spread(&chart, run, rows[j].prefix, rows[j].label);
	finish(&chart, show, 2);
}

void report_charts(const struct report *report,
		   void (*show)(const struct chart *chart, FILE *stream), FILE *stream)
{
	const struct show how = { .show = show, .stream = stream };
	json_t *run;
	size_t i;

	json_array_foreach(report->runs, i, run) peers_charts(run, &how);
	memory_chart(report, &how);
	get_chart(report, false, &how);
	get_chart(report, true, &how);
	scale_chart(report, 10000, "get", &how);
	scale_chart(report, 10000, "add", &how);
	tails_chart(report, &how);
}
