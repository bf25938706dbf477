/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * svg.c: charts as SVG inside a page whose style has the colours: class c0, c1 ...
 * of a column, `ours` of a row that is Corral's. See charts.h.
 */
#include <math.h>
#include <string.h>

#include "charts.h"

#define LABEL_WIDTH 210
#define PLOT_WIDTH 500
#define TEXT_WIDTH 110 /* right of the plot: values */
#define WIDTH (LABEL_WIDTH + PLOT_WIDTH + TEXT_WIDTH)
#define ROW_HEIGHT 26
#define BAR_HEIGHT 16
#define AXIS_HEIGHT 24
#define LEGEND_HEIGHT 26
#define LEGEND_STEP 120
#define LINES_HEIGHT 260
#define LINES_TEXT 70 /* left of a plot of lines: the axis' numbers */

struct axis {
	double from, to; /* of log10, or plain */
	bool logarithmic;
};

/* From 0 to 1 on the axis. */
static double place(const struct axis *axis, double value)
{
	double at = axis->logarithmic ? log10(fmax(value, 1e-9)) : value;

	return fmin(1, fmax(0, (at - axis->from) / (axis->to - axis->from)));
}

static struct axis axis_of(const struct chart *chart)
{
	double least = INFINITY, greatest = 0;

	for (unsigned i = 0; i < chart->row_count; i++)
		for (unsigned j = 0; j < chart->column_count; j++) {
			double value = chart->rows[i].values[j];
			if (isnan(value) || value <= 0)
				continue;
			least = fmin(least, value);
			greatest = fmax(greatest, value);
		}
	if (greatest == 0)
		return (struct axis){ .from = 0, .to = 1 };
	if (chart->kind == CHART_SIZES || chart->kind == CHART_LINES)
		return (struct axis){ .from = 0, .to = greatest * 1.02 };
	/* bars begin some way left of the shortest, so that it can be seen */
	double room = chart->kind == CHART_BARS ? 0.3 : 0.05;
	double from = floor((log10(least) - room) * 10) / 10;
	return (struct axis){ .from = from,
			      .to = fmax(log10(greatest) + 0.02, from + 1),
			      .logarithmic = true };
}

/* A step of 1, 2 or 5 times a power of ten, of which some four fit. */
static double step_of(double range)
{
	double power = pow(10, floor(log10(range / 4))), rest = range / 4 / power;

	return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

static void put_tick(const struct axis *axis, const char *unit, double value, int height,
		     FILE *stream)
{
	int x = LABEL_WIDTH + (int)(place(axis, value) * PLOT_WIDTH);
	char text[REPORT_TEXT];

	fprintf(stream,
		"<line x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%d\"/><text class=\"v\" x=\"%d\" "
		"y=\"%d\">%s</text>\n",
		x, x, height, x + 3, height + 16, report_quantity(value, unit, text));
}

static void put_x_axis(const struct axis *axis, const char *unit, int height, FILE *stream)
{
	if (axis->logarithmic) {
		for (int decade = (int)ceil(axis->from); decade <= axis->to; decade++)
			put_tick(axis, unit, pow(10, decade), height, stream);
		return;
	}
	double step = step_of(axis->to);
	for (int i = 0; i * step <= axis->to; i++)
		put_tick(axis, unit, i * step, height, stream);
}

static void put_label(const struct chart_row *row, int y, FILE *stream)
{
	fprintf(stream, "<text x=\"0\" y=\"%d\">", y);
	report_put_text(row->label, stream);
	fputs("</text>\n", stream);
}

static void put_legend(const struct chart *chart, int x, int y, FILE *stream)
{
	for (unsigned i = 0; i < chart->column_count; i++)
		fprintf(stream,
			"<circle class=\"c%u\" cx=\"%d\" cy=\"%d\" r=\"5\"/><text class=\"v\" "
			"x=\"%d\" "
			"y=\"%d\">%s</text>\n",
			i, x + (int)i * LEGEND_STEP, y - 5, x + (int)i * LEGEND_STEP + 10, y,
			chart->columns[i]);
}

/* --------------------------------------------------------------------- bars */

static void put_bar(const struct chart *chart, const struct axis *axis, unsigned row,
		    unsigned column, int y, FILE *stream)
{
	double value = chart->rows[row].values[column];
	char text[REPORT_TEXT], class[8];
	int width = (int)(place(axis, value) * PLOT_WIDTH);

	if (isnan(value))
		return;
	snprintf(class, sizeof(class), "c%u", column);
	fprintf(stream,
		"<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"/>"
		"<text class=\"v\" x=\"%d\" y=\"%d\">%s</text>\n",
		chart->column_count == 1 && chart->rows[row].ours ? "ours" : class, LABEL_WIDTH, y,
		width > 1 ? width : 1, BAR_HEIGHT, LABEL_WIDTH + width + 6, y + 13,
		report_quantity(value, chart->unit, text));
}

static void put_bars(const struct chart *chart, FILE *stream)
{
	struct axis axis = axis_of(chart);
	int row_height = (int)chart->column_count * (BAR_HEIGHT + 2) + ROW_HEIGHT - BAR_HEIGHT - 2;
	int height = (int)chart->row_count * row_height,
	    legend = chart->column_count > 1 ? LEGEND_HEIGHT : 0;

	fprintf(stream, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
		height + AXIS_HEIGHT + legend);
	put_x_axis(&axis, chart->unit, height, stream);
	for (unsigned i = 0; i < chart->row_count; i++) {
		int y = (int)i * row_height + 4;
		put_label(&chart->rows[i], y + row_height / 2, stream);
		for (unsigned j = 0; j < chart->column_count; j++)
			put_bar(chart, &axis, i, j, y + (int)j * (BAR_HEIGHT + 2), stream);
	}
	if (legend > 0)
		put_legend(chart, LABEL_WIDTH, height + AXIS_HEIGHT + legend - 6, stream);
	fputs("</svg>\n", stream);
}

/* ------------------------------------------------------------------- spread */

static void put_dots(const struct chart *chart, const struct axis *axis, unsigned row, int y,
		     FILE *stream)
{
	double least = INFINITY, greatest = 0;
	char text[REPORT_TEXT];

	for (unsigned i = 0; i < chart->column_count; i++) {
		least = fmin(least, chart->rows[row].values[i]);
		greatest = fmax(greatest, chart->rows[row].values[i]);
	}
	fprintf(stream, "<line class=\"span\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n",
		LABEL_WIDTH + place(axis, least) * PLOT_WIDTH,
		LABEL_WIDTH + place(axis, greatest) * PLOT_WIDTH, y, y);
	for (unsigned i = chart->column_count; i-- > 0;) {
		double value = chart->rows[row].values[i];
		if (!isnan(value))
			fprintf(stream,
				"<circle class=\"c%u\" cx=\"%.1f\" cy=\"%d\" r=\"5\"><title>%s: "
				"%s</title></circle>\n",
				i, LABEL_WIDTH + place(axis, value) * PLOT_WIDTH, y,
				chart->columns[i], report_quantity(value, chart->unit, text));
	}
}

static void put_spread(const struct chart *chart, FILE *stream)
{
	struct axis axis = axis_of(chart);
	int height = (int)chart->row_count * ROW_HEIGHT;

	fprintf(stream, "<svg class=\"spread\" viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
		height + AXIS_HEIGHT + LEGEND_HEIGHT);
	put_x_axis(&axis, chart->unit, height, stream);
	for (unsigned i = 0; i < chart->row_count; i++) {
		int y = (int)i * ROW_HEIGHT + ROW_HEIGHT / 2;
		put_label(&chart->rows[i], y + 5, stream);
		put_dots(chart, &axis, i, y, stream);
	}
	put_legend(chart, LABEL_WIDTH, height + AXIS_HEIGHT + LEGEND_HEIGHT - 6, stream);
	fputs("</svg>\n", stream);
}

/* -------------------------------------------------------------------- lines */

/* Rows stand at equal distances: each has twice as many workers as the one before, or so. */
static double x_of(const struct chart *chart, unsigned row)
{
	double first = log2(chart->rows[0].x), last = log2(chart->rows[chart->row_count - 1].x);
	double part = last > first ? (log2(chart->rows[row].x) - first) / (last - first) : 0;

	return LINES_TEXT + part * (WIDTH - LINES_TEXT - 30);
}

static void put_line(const struct chart *chart, const struct axis *axis, unsigned column,
		     FILE *stream)
{
	char text[REPORT_TEXT];

	fprintf(stream, "<polyline class=\"c%u\" points=\"", column);
	for (unsigned i = 0; i < chart->row_count; i++)
		if (!isnan(chart->rows[i].values[column]))
			fprintf(stream, "%.1f,%.1f ", x_of(chart, i),
				LINES_HEIGHT * (1 - place(axis, chart->rows[i].values[column])) +
					8);
	fputs("\"/>\n", stream);
	for (unsigned i = 0; i < chart->row_count; i++)
		if (!isnan(chart->rows[i].values[column]))
			fprintf(stream,
				"<circle class=\"c%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>%s "
				"%s: "
				"%s</title></circle>\n",
				column, x_of(chart, i),
				LINES_HEIGHT * (1 - place(axis, chart->rows[i].values[column])) + 8,
				chart->rows[i].label, chart->columns[column],
				report_quantity(chart->rows[i].values[column], chart->unit, text));
}

static void put_lines(const struct chart *chart, FILE *stream)
{
	struct axis axis = axis_of(chart);
	double step = step_of(axis.to);
	char text[REPORT_TEXT];

	fprintf(stream, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
		LINES_HEIGHT + 8 + AXIS_HEIGHT + LEGEND_HEIGHT);
	for (int i = 0; i * step <= axis.to; i++) {
		double value = i * step;
		double y = LINES_HEIGHT * (1 - place(&axis, value)) + 8;
		fprintf(stream,
			"<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"v\" "
			"x=\"0\" "
			"y=\"%.1f\">%s</text>\n",
			LINES_TEXT - 10, WIDTH, y, y, y + 5,
			report_quantity(value, chart->unit, text));
	}
	for (unsigned i = 0; i < chart->row_count; i++)
		fprintf(stream, "<text class=\"v middle\" x=\"%.1f\" y=\"%d\">%s</text>\n",
			x_of(chart, i), LINES_HEIGHT + 26, chart->rows[i].label);
	for (unsigned i = 0; i < chart->column_count; i++)
		put_line(chart, &axis, i, stream);
	put_legend(chart, LINES_TEXT, LINES_HEIGHT + 8 + AXIS_HEIGHT + LEGEND_HEIGHT - 6, stream);
	fputs("</svg>\n", stream);
}

void report_svg(const struct chart *chart, FILE *stream)
{
	switch (chart->kind) {
	case CHART_BARS:
	case CHART_SIZES:
		put_bars(chart, stream);
		break;
	case CHART_SPREAD:
		put_spread(chart, stream);
		break;
	case CHART_LINES:
		put_lines(chart, stream);
		break;
	}
}
