/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report_html.c (floor 6): the report as one page that needs nothing else: the goals, a chart of each comparison with the
 * peers (logarithmic: a bar that is a step longer takes ten times as long), and all figures.
 */
#include <math.h>
#include <string.h>

#include "report.h"

#define BARS_MAX 32u
#define BAR_HEIGHT 26
#define LABEL_WIDTH 150
#define CHART_WIDTH 560
#define TEXT_WIDTH 130

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Corral: "
	"measured</title>\n<style>\n"
	":root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fbfaf7; --line: #dcd8cf; --bar: "
	"#8fa3b8;"
	" --ours: #c2571a; --good: #2d7a46; --bad: #b3261e }\n"
	"@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a2a9b3; --paper: #171a1f; --line: "
	"#343a43;"
	" --bar: #5d7287; --ours: #e8833f; --good: #62b87c; --bad: #ef7a72 } }\n"
	"body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;"
	" margin: 2rem auto; padding: 0 1rem }\nh1 { font-size: 1.6rem; margin-bottom: 0 }\nh2 { font-size: 1.15rem;"
	" margin-top: 2.2rem }\np { color: var(--soft); margin-top: .2rem }\ntable { border-collapse: collapse; width: "
	"100% }\n"
	"td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line) }\n"
	"td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }\n.yes { color: var(--good) }\n"
	".no { color: var(--bad); font-weight: 600 }\nsvg { width: 100%; height: auto }\nsvg text { fill: var(--ink); "
	"font: 14px"
	" system-ui, sans-serif }\nsvg .v { fill: var(--soft) }\nsvg rect { fill: var(--bar) }\nsvg rect.ours { fill: "
	"var(--ours) }\n"
	"svg line { stroke: var(--line) }\nsummary { cursor: pointer; color: var(--soft) }\n</style></head><body>\n";

static void put_text(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '&':
			fputs("&amp;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		default:
			fputc(*text, stream);
		}
	}
}

/* -------------------------------------------------------------------- goals */

static void put_goals(const struct report *report, FILE *stream)
{
	char value_text[32], bound_text[32];

	fputs("<h2>What is to hold</h2>\n<table><tr><th>work</th><th class=\"n\">wanted</th><th "
	      "class=\"n\">measured</th>"
	      "<th></th></tr>\n",
	      stream);
	for (unsigned i = 0; i < goal_count; i++) {
		const char *unit;
		double value;
		if (!report_find(report, goals[i].figure, &value, &unit))
			continue;
		bool good = goals[i].at_least ? value >= goals[i].bound : value <= goals[i].bound;
		fputs("<tr><td>", stream);
		put_text(stream, goals[i].what);
		fprintf(stream,
			"</td><td class=\"n\">%s&nbsp;%s</td><td class=\"n\">%s</td><td class=\"%s\">%s</td></tr>\n",
			goals[i].at_least ? "\xe2\x89\xa5" : "\xe2\x89\xa4", report_number(goals[i].bound, bound_text),
			report_number(value, value_text), good ? "yes" : "no", good ? "yes" : "no");
	}
	fputs("</table>\n", stream);
}

/* ------------------------------------------------------------------- charts */

struct bar {
	char label[48];
	double value;
};

/* "peers.carts_10000.get.NAME.ns" -> NAME, if the name begins so. */
static bool is_bar(const char *name, const char *prefix, char label[48])
{
	size_t size = strlen(prefix);
	const char *end = strrchr(name, '.');

	if (strncmp(name, prefix, size) != 0 || end == NULL || end <= name + size || strcmp(end, ".ns") != 0)
		return false;
	snprintf(label, 48, "%.*s", (int)(end - name - (long)size), name + size);
	return true;
}

static const char *time_text(double ns, char text[32])
{
	if (ns < 1000)
		snprintf(text, 32, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(text, 32, "%.*f \xc2\xb5s", ns < 1e4 ? 1 : 0, ns / 1e3);
	else
		snprintf(text, 32, "%.1f ms", ns / 1e6);
	return text;
}

static void put_bars(const struct bar *bars, unsigned count, FILE *stream)
{
	double greatest = 10, least = 1e12;
	char text[32];

	for (unsigned i = 0; i < count; i++) {
		greatest = fmax(greatest, bars[i].value);
		least = fmin(least, bars[i].value);
	}
	double from = floor(log10(fmax(1, least)) - 0.3), decades = log10(greatest) - from;
	fprintf(stream, "<svg viewBox=\"0 0 %d %u\" role=\"img\">\n", LABEL_WIDTH + CHART_WIDTH + TEXT_WIDTH,
		count * BAR_HEIGHT + 24);
	for (int decade = (int)from; decade <= (int)(from + decades); decade++) {
		int x = LABEL_WIDTH + (int)((decade - from) / decades * CHART_WIDTH);
		fprintf(stream,
			"<line x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%u\"/><text class=\"v\" x=\"%d\" y=\"%u\">%s</text>\n",
			x, x, count * BAR_HEIGHT, x + 3, count * BAR_HEIGHT + 16, time_text(pow(10, decade), text));
	}
	for (unsigned i = 0; i < count; i++) {
		int width = (int)((log10(fmax(1, bars[i].value)) - from) / decades * CHART_WIDTH);
		unsigned y = i * BAR_HEIGHT;
		fprintf(stream,
			"<text x=\"0\" y=\"%u\">%s</text><rect %sx=\"%d\" y=\"%u\" width=\"%d\" height=\"%d\" "
			"rx=\"2\"/>"
			"<text class=\"v\" x=\"%d\" y=\"%u\">%s</text>\n",
			y + 17, bars[i].label, strncmp(bars[i].label, "corral", 6) == 0 ? "class=\"ours\" " : "",
			LABEL_WIDTH, y + 4, width, BAR_HEIGHT - 8, LABEL_WIDTH + width + 6, y + 17,
			time_text(bars[i].value, text));
	}
	fputs("</svg>\n", stream);
}

/* A chart of all figures that begin with "peers.carts_N.WORK.". */
static void put_chart(const json_t *run, const char *prefix, FILE *stream)
{
	struct bar bars[BARS_MAX];
	unsigned count = 0;
	json_t *figure;
	size_t i;

	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		if (count < BARS_MAX && name != NULL && is_bar(name, prefix, bars[count].label))
			bars[count++].value = json_number_value(json_object_get(figure, "value"));
	}
	if (count == 0)
		return;
	fputs("<h2>", stream);
	put_text(stream, prefix);
	fputs("ns: what one operation takes a worker (logarithmic)</h2>\n", stream);
	put_bars(bars, count, stream);
}

/* Each comparison with the peers has a chart: "peers.carts_N.get." of its first figure, and so on. */
static void put_charts(const json_t *run, FILE *stream)
{
	char last[96] = "";
	json_t *figure;
	size_t i;

	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		char prefix[96];
		int dots = 0, size = 0;
		if (name == NULL || strncmp(name, "peers.", 6) != 0)
			continue;
		while (name[size] != '\0' && dots < 3)
			dots += name[size++] == '.';
		snprintf(prefix, sizeof(prefix), "%.*s", size, name);
		if (dots == 3 && strcmp(prefix, last) != 0) {
			snprintf(last, sizeof(last), "%s", prefix);
			put_chart(run, prefix, stream);
		}
	}
}

/* ------------------------------------------------------------------ figures */

static void put_figures(const json_t *run, FILE *stream)
{
	char text[32];
	json_t *figure;
	size_t i;

	fputs("<details><summary>", stream);
	put_text(stream, json_string_value(json_object_get(run, "benchmark")));
	fputs("</summary><table>\n", stream);
	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		const char *unit = json_string_value(json_object_get(figure, "unit"));
		fputs("<tr><td>", stream);
		put_text(stream, name != NULL ? name : "");
		fprintf(stream, "</td><td class=\"n\">%s</td><td>",
			report_number(json_number_value(json_object_get(figure, "value")), text));
		put_text(stream, unit != NULL ? unit : "");
		fputs("</td></tr>\n", stream);
	}
	fputs("</table></details>\n", stream);
}

void report_html(const struct report *report, FILE *stream)
{
	json_t *run;
	size_t i;

	fputs(head, stream);
	fputs("<h1>Corral, measured</h1>\n<p>", stream);
	put_text(stream, report->machine);
	fputs(". Ratios within one run hold; times differ from machine to machine and from day to day.</p>\n", stream);
	put_goals(report, stream);
	json_array_foreach(report->runs, i, run) put_charts(run, stream);
	fputs("<h2>All figures</h2>\n", stream);
	json_array_foreach(report->runs, i, run) put_figures(run, stream);
	fputs("</body></html>\n", stream);
}
