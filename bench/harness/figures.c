/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figures.c: figures as text and as JSON. See figures.h.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "figures.h"

static struct {
	const char *path;
	json_t *root;
	json_t *list; /* in root */
	json_t *notes;
} file;

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void figures_begin(const char *benchmark, const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&line, &size);

	file.path = path;
	if (stream == NULL)
		return;
	bench_print_machine(stream);
	fclose(stream);
	fputs(line, stdout);
	line[strcspn(line, "\n")] = '\0';
	const char *machine = strchr(line, ' ');
	file.list = json_array();
	file.notes = json_array();
	file.root = json_pack("{s:s, s:s, s:I, s:O, s:O}", "benchmark", benchmark, "machine",
			      machine != NULL ? machine + 1 : line, "begun_ms",
			      (json_int_t)wall_ms(), "figures", file.list, "notes", file.notes);
	free(line);
}

void figure(const char *unit, double value, int decimals, const char *name, ...)
{
	char full[160];
	va_list list;

	va_start(list, name);
	vsnprintf(full, sizeof(full), name, list);
	va_end(list);
	printf("%s %.*f %s\n", full, decimals, value, unit);
	if (file.list != NULL)
		(void)json_array_append_new(file.list, json_pack("{s:s, s:f, s:s}", "name", full,
								 "value", value, "unit", unit));
}

void figures_note(const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	puts(text);
	if (file.notes != NULL)
		(void)json_array_append_new(file.notes, json_string(text));
}

void figure_quantiles(const struct histogram *times, const char *name)
{
	static const struct {
		uint32_t per_mille;
		const char *name;
	} quantiles[] = {
		{ 500, "p50" }, { 900, "p90" }, { 990, "p99" }, { 999, "p99.9" }, { 1000, "max" }
	};

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		figure("ns", (double)histogram_quantile(times, quantiles[i].per_mille), 0,
		       "%s_%s_ns", name, quantiles[i].name);
}

bool figures_end(void)
{
	bool good = true;

	if (file.path != NULL && file.root != NULL &&
	    json_dump_file(file.root, file.path, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) != 0) {
		bench_say("cannot write %s: %s", file.path, strerror(errno));
		good = false;
	}
	json_decref(file.list);
	json_decref(file.notes);
	json_decref(file.root);
	file.list = file.notes = file.root = NULL;
	return good;
}
