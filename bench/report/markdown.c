/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * markdown.c: the report as Markdown: the goals, the charts as tables, and the notes on the setup.
 */
#include "report.h"
#include "text.h"

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_goals(const json_t *document, FILE *stream)
{
	char bound[NUMBER_TEXT], measured[NUMBER_TEXT];
	json_t *goal;
	size_t i;

	fprintf(stream, "Measured on: %s.\n\n| work | wanted | measured | |\n|---|---|---|---|\n",
		text_of(document, "machine"));
	json_array_foreach(json_object_get(document, "goals"), i, goal)
		fprintf(stream, "| %s | %s %s | %s | %s |\n", text_of(goal, "what"),
			json_is_true(json_object_get(goal, "at_least")) ? "at least" : "at most",
			number_text(number_of(goal, "bound"), bound),
			number_text(number_of(goal, "measured"), measured),
			json_is_true(json_object_get(goal, "met")) ? "yes" : "**no**");
}

static void put_chart(const json_t *chart, FILE *stream)
{
	const json_t *columns = json_object_get(chart, "columns");
	char text[NUMBER_TEXT];
	json_t *column, *row, *value;
	size_t i, j;

	fprintf(stream, "\n## %s\n\n%s\n\n| %s |", text_of(chart, "title"), text_of(chart, "about"),
		text_of(chart, "row"));
	json_array_foreach(columns, i, column) fprintf(stream, " %s |", json_string_value(column));
	fputs("\n|---|", stream);
	for (i = 0; i < json_array_size(columns); i++)
		fputs("--:|", stream);
	json_array_foreach(json_object_get(chart, "rows"), i, row)
	{
		fprintf(stream, "\n| %s |", text_of(row, "label"));
		json_array_foreach(json_object_get(row, "values"), j, value)
			fprintf(stream, " %s |",
				json_is_null(value) ? "" :
						      quantity_text(json_number_value(value),
								    text_of(chart, "unit"), text));
	}
	fputs("\n", stream);
}

static void put_notes(const json_t *runs, FILE *stream)
{
	json_t *run, *note;
	size_t i, j;

	fputs("\n## How it was set up\n\n", stream);
	json_array_foreach(runs, i, run)
	{
		json_array_foreach(json_object_get(run, "notes"), j, note)
		{
			if (json_is_string(note))
				fprintf(stream, "- %s\n", json_string_value(note));
		}
	}
}

void report_markdown(const json_t *document, FILE *stream)
{
	json_t *chart;
	size_t i;

	put_goals(document, stream);
	json_array_foreach(json_object_get(document, "charts"), i, chart) put_chart(chart, stream);
	put_notes(json_object_get(document, "runs"), stream);
}
