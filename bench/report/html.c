/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html.c: the report as one page that needs nothing else: the goals, the charts,
 * how it was set up, and all figures.
 */
#include "charts.h"

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Corral: "
	"measured</title>\n<style>\n"
	":root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fbfaf7; "
	"--line: #dcd8cf; --bar: "
	"#8fa3b8;"
	" --ours: #c2571a; --good: #2d7a46; --bad: #b3261e; --c2: #d9a521; --c3: #c2571a; --c4: "
	"#8c1d18 }\n"
	"@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a2a9b3; --paper: "
	"#171a1f; --line: "
	"#343a43;"
	" --bar: #5d7287; --ours: #e8833f; --good: #62b87c; --bad: #ef7a72; --c2: #e3bd52; --c3: "
	"#e8833f; --c4: "
	"#d4483f } }\n"
	"body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); "
	"max-width: 60rem;"
	" margin: 2rem auto; padding: 0 1rem }\nh1 { font-size: 1.6rem; margin-bottom: 0 }\nh2 { "
	"font-size: 1.15rem;"
	" margin-top: 2.2rem }\np { color: var(--soft); margin-top: .2rem }\ntable { "
	"border-collapse: collapse; width: "
	"100% }\n"
	"td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid "
	"var(--line) }\n"
	"td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }\n.yes { color: "
	"var(--good) }\n"
	".no { color: var(--bad); font-weight: 600 }\nsvg { width: 100%; height: auto }\nsvg text "
	"{ fill: var(--ink); "
	"font: 14px"
	" system-ui, sans-serif }\nsvg .v { fill: var(--soft) }\nsvg rect { fill: var(--bar) "
	"}\nsvg rect.ours { fill: "
	"var(--ours) }\n"
	"svg rect.c1 { fill: var(--ours) }\nsvg line { stroke: var(--line) }\nsvg line.span { "
	"stroke: var(--soft) }\n"
	"svg circle, svg polyline { fill: var(--bar); stroke: none }\nsvg circle.c1 { fill: "
	"var(--ours) }\n"
	"svg polyline { fill: none; stroke: var(--bar); stroke-width: 2 }\nsvg polyline.c1 { "
	"stroke: var(--ours) }\n"
	".spread circle.c0 { fill: var(--good) }\n.spread circle.c1 { fill: var(--bar) }\n.spread "
	"circle.c2 { fill: "
	"var(--c2) }\n.spread circle.c3 { fill: var(--c3) }\n.spread circle.c4 { fill: var(--c4) "
	"}\n"
	"svg .middle { text-anchor: middle }\nli { overflow-wrap: anywhere }\n"
	"summary { cursor: pointer; color: var(--soft) }\n</style></head><body>\n";

void report_put_text(const char *text, FILE *stream)
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
		double value;
		if (!report_find(report, &goals[i], &value))
			continue;
		bool good = report_is_met(&goals[i], value);
		fputs("<tr><td>", stream);
		report_put_text(goals[i].what, stream);
		fprintf(stream,
			"</td><td class=\"n\">%s&nbsp;%s</td><td class=\"n\">%s</td><td "
			"class=\"%s\">%s</td></tr>\n",
			goals[i].at_least ? "\xe2\x89\xa5" : "\xe2\x89\xa4",
			report_number(goals[i].bound, bound_text), report_number(value, value_text),
			good ? "yes" : "no", good ? "yes" : "no");
	}
	fputs("</table>\n", stream);
}

/* ------------------------------------------------------------------- charts */

static void put_chart(const struct chart *chart, FILE *stream)
{
	fputs("<h2>", stream);
	report_put_text(chart->title, stream);
	fputs("</h2>\n<p>", stream);
	report_put_text(chart->about, stream);
	fputs("</p>\n", stream);
	report_svg(chart, stream);
}

/* How the runs were set up. */
static void put_notes(const struct report *report, FILE *stream)
{
	json_t *run, *note;
	size_t i, j;

	fputs("<h2>How it was set up</h2>\n<ul>\n", stream);
	json_array_foreach(report->runs, i, run)
	{
		json_array_foreach(json_object_get(run, "notes"), j, note)
		{
			if (!json_is_string(note))
				continue;
			fputs("<li>", stream);
			report_put_text(json_string_value(note), stream);
			fputs("</li>\n", stream);
		}
	}
	fputs("</ul>\n", stream);
}

/* ------------------------------------------------------------------ figures */

static void put_figures(const json_t *run, FILE *stream)
{
	char text[32];
	json_t *figure;
	size_t i;

	fputs("<details><summary>", stream);
	report_put_text(json_string_value(json_object_get(run, "benchmark")), stream);
	fputs("</summary><table>\n", stream);
	json_array_foreach(json_object_get(run, "figures"), i, figure)
	{
		const char *name = json_string_value(json_object_get(figure, "name"));
		const char *unit = json_string_value(json_object_get(figure, "unit"));
		fputs("<tr><td>", stream);
		report_put_text(name != NULL ? name : "", stream);
		fprintf(stream, "</td><td class=\"n\">%s</td><td>",
			report_number(json_number_value(json_object_get(figure, "value")), text));
		report_put_text(unit != NULL ? unit : "", stream);
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
	report_put_text(report->machine, stream);
	fputs(". Ratios within one run hold; times differ from machine to machine and from day to "
	      "day.</p>\n",
	      stream);
	put_goals(report, stream);
	report_charts(report, put_chart, stream);
	put_notes(report, stream);
	fputs("<h2>All figures</h2>\n", stream);
	json_array_foreach(report->runs, i, run) put_figures(run, stream);
	fputs("</body></html>\n", stream);
}
