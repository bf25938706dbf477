/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.c: the figures that runs have written. See runs.h.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/bench.h"
#include "runs.h"

const char *figure_name(const json_t *figure)
{
	const char *name = json_string_value(json_object_get(figure, "name"));

	return name != NULL ? name : "";
}

double figure_value(const json_t *figure)
{
	return json_number_value(json_object_get(figure, "value"));
}

double run_value(const json_t *run, const char *name, ...)
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
		if (strcmp(figure_name(figure), full) == 0)
			return figure_value(figure);
	}
	return NAN;
}

bool runs_read(json_t *runs, const char *path)
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
	return json_array_append_new(runs, run) == 0;
}
