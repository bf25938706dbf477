/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * markdown.c: the report as Markdown: what is to hold, and the charts as tables;
 * and how numbers are written for people.
 */
#include <math.h>
#include <string.h>

#include "charts.h"

/* ------------------------------------------------------------------ numbers */

const char *report_number(double value, char text[REPORT_TEXT])
{
	char digits[REPORT_TEXT];
	size_t used = 0;

	if (fabs(value) < 100 && fabs(value - round(value)) > 1e-9) {
		snprintf(text, REPORT_TEXT, "%.*f",
			 fabs(value) < 1  ? 3 :
			 fabs(value) < 10 ? 2 :
					    1,
			 value);
		return text;
	}
	snprintf(digits, sizeof(digits), "%.0f", value);
	for (size_t i = 0, size = strlen(digits); i < size && used + 2 < REPORT_TEXT; i++) {
		if (i > 0 && (size - i) % 3 == 0 && digits[i - 1] != '-')
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

/* A thousand of a unit is one of the next; three digits or so. */
static const char *scaled(double value, const char *const *units, char text[REPORT_TEXT])
{
	while (fabs(value) >= 999.5 && units[1] != NULL) {
		value /= 1000;
		units++;
	}
	int decimals = fabs(value) >= 99.95 || fabs(value - round(value)) < 1e-9 ? 0 :
		       fabs(value) < 9.995                                       ? 1 :
										   0;
	snprintf(text, REPORT_TEXT, "%.*f%s", decimals, value, *units);
	return text;
}

const char *report_quantity(double value, const char *unit, char text[REPORT_TEXT])
{
	static const char *const times[] = { " ns", " \xc2\xb5s", " ms", " s", NULL };
	static const char *const sizes[] = { " B", " KB", " MB", " GB", NULL };
	static const char *const counts[] = { "", "k", "M", "G", NULL };

	if (strcmp(unit, "ns") == 0)
		return scaled(value, times, text);
	if (strcmp(unit, "bytes") == 0)
		return scaled(value, sizes, text);
	if (strcmp(unit, "1/s") == 0)
		return scaled(value, counts, text);
	return report_number(value, text);
}

/* ----------------------------------------------------------------- Markdown */

static void put_chart(const struct chart *chart, FILE *stream)
{
	char text[REPORT_TEXT];

	fprintf(stream, "\n## %s\n\n%s\n\n| %s |", chart->title, chart->about, chart->row_name);
	for (unsigned i = 0; i < chart->column_count; i++)
		fprintf(stream, " %s |", chart->columns[i]);
	fputs("\n|---|", stream);
	for (unsigned i = 0; i < chart->column_count; i++)
		fputs("--:|", stream);
	for (unsigned i = 0; i < chart->row_count; i++) {
		fprintf(stream, "\n| %s |", chart->rows[i].label);
		for (unsigned j = 0; j < chart->column_count; j++) {
			double value = chart->rows[i].values[j];
			fprintf(stream, " %s |",
				isnan(value) ? "" : report_quantity(value, chart->unit, text));
		}
	}
	fputs("\n", stream);
}

static void put_notes(const struct report *report, FILE *stream)
{
	json_t *run, *note;
	size_t i, j;

	fputs("\n## How it was set up\n\n", stream);
	json_array_foreach(report->runs, i, run)
	{
		json_array_foreach(json_object_get(run, "notes"), j, note)
		{
			if (json_is_string(note))
				fprintf(stream, "- %s\n", json_string_value(note));
		}
	}
}

void report_markdown(const struct report *report, FILE *stream)
{
	char value_text[REPORT_TEXT], bound_text[REPORT_TEXT];

	fprintf(stream, "Measured on: %s.\n\n| work | wanted | measured | |\n|---|---|---|---|\n",
		report->machine);
	for (unsigned i = 0; i < goal_count; i++) {
		double value;
		if (!report_find(report, &goals[i], &value))
			continue;
		fprintf(stream, "| %s | %s %s | %s | %s |\n", goals[i].what,
			goals[i].at_least ? "at least" : "at most",
			report_number(goals[i].bound, bound_text), report_number(value, value_text),
			report_is_met(&goals[i], value) ? "yes" : "**no**");
	}
	report_charts(report, put_chart, stream);
	put_notes(report, stream);
}
