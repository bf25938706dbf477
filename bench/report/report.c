/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c: corral-bench report: the figures of runs with --json, as one web page and as Markdown.
 * See report.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "harness/options.h"
#include "report.h"
#include "runs.h"

static bool write_to(const json_t *document, const char *path,
		     void (*form)(const json_t *document, FILE *stream))
{
	FILE *stream = path != NULL ? fopen(path, "we") : stdout;

	if (stream == NULL) {
		bench_say("cannot write %s: %s", path, strerror(errno));
		return false;
	}
	form(document, stream);
	bool good = !ferror(stream);
	if ((stream == stdout ? fflush(stream) : fclose(stream)) != 0 || !good) {
		bench_say("cannot write %s", path != NULL ? path : "standard output");
		return false;
	}
	return true;
}

/* Make the document, which takes ownership of the runs. Its machine is that of the last run. */
static json_t *document_of(json_t *runs)
{
	const json_t *last = json_array_get(runs, json_array_size(runs) - 1);

	return json_pack("{s:O, s:o, s:o, s:o}", "machine", json_object_get(last, "machine"),
			 "goals", report_goals(runs), "charts", report_charts(runs), "runs", runs);
}

static bool make(json_t *runs, const char *html, const char *markdown)
{
	json_t *document = document_of(runs);
	bool good = document != NULL;

	if (!good)
		bench_say("out of memory");
	if (good && html != NULL)
		good = write_to(document, html, report_page);
	if (good && (markdown != NULL || html == NULL))
		good = write_to(document, markdown, report_markdown);
	json_decref(document);
	return good;
}

enum bench_exit report_run(int argc, char **argv)
{
	const char *html = NULL, *markdown = NULL;
	const struct option_row rows[] = {
		OPTION(WORD, "html", "FILE", word = &html,
		       "a page with charts, that needs nothing else"),
		OPTION(WORD, "markdown", "FILE", word = &markdown,
		       "tables of the same numbers (default: standard output)"),
	};
	const struct option_row files = { .name = "FILE",
					  .kind = OPTION_KIND_WORD,
					  .repeats = true };
	struct options options = { .rows = rows,
				   .count = sizeof(rows) / sizeof(rows[0]),
				   .operands = &files,
				   .operand_count = 1,
				   .operands_min = 1 };
	bool good = true, go;
	enum bench_exit result = bench_take(&options, argc, argv, &go);

	if (!go)
		return result;
	json_t *runs = json_array();
	for (int i = options.operands_at; i < argc && good; i++)
		good = runs_read(runs, argv[i]);
	if (good)
		good = make(runs, html, markdown);
	else
		json_decref(runs);
	return good ? BENCH_DONE : BENCH_USAGE;
}
