/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c: the memory that keeping carts takes. See memory.h.
 */
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "figures.h"
#include "inspect/inspect.h"
#include "memory.h"

#define BLOCK_BYTES 512u /* the unit of st_blocks */

bool memory_of_carts(const struct dataset *dataset, double *ret_given_bytes, double *ret_cart_bytes)
{
	struct inspect_totals totals;
	struct inspect *inspect;
	char why[512];

	if (!dataset->sandbox.temporary)
		return false;
	if (inspect_open(dataset->sandbox.directory, false, &inspect, why, sizeof(why)) < 0) {
		bench_say("no figures about memory: %s", why);
		return false;
	}
	bool good = inspect_totals(inspect, &totals) == 0 && totals.cart_bytes > 0;
	inspect_close(inspect);
	if (good) {
		*ret_given_bytes = (double)totals.span_bytes +
				   (double)totals.slots_used *
					   (double)(sizeof(struct slot) + sizeof(struct bucket) +
						    sizeof(struct chain));
		*ret_cart_bytes = (double)totals.cart_bytes;
	}
	return good;
}

void memory_print_carts(const struct dataset *dataset)
{
	double given, carts;

	if (!memory_of_carts(dataset, &given, &carts))
		return;
	figure("bytes", carts, 0, "memory.carts_%u.cart_bytes", dataset->carts);
	figure("bytes", given, 0, "memory.carts_%u.given_bytes", dataset->carts);
	figure("%", 100 * (given / carts - 1), 1, "memory.carts_%u.overhead_percent",
	       dataset->carts);
}

static uint64_t bytes_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) ?
		       (uint64_t)status.st_blocks * BLOCK_BYTES :
		       0;
}

void memory_print_arena(const char *name, const struct dataset *dataset)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/arena", dataset->sandbox.directory);
	figure("bytes", (double)bytes_of(path), 0, "%s.carts_%u.arena_bytes", name, dataset->carts);
}

uint64_t memory_of_process(pid_t pid)
{
	static const char label[] = "VmRSS:";
	char path[64], line[256];
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, label, sizeof(label) - 1) == 0)
			bytes = strtoull(line + sizeof(label) - 1, NULL, 10) * 1024;
	if (file != NULL)
		fclose(file);
	return bytes;
}

uint64_t memory_of_files(const char *path)
{
	static const char *const endings[] = { "", "-*", "/*" };
	char pattern[PATH_MAX];
	uint64_t bytes = 0;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		glob_t found;
		snprintf(pattern, sizeof(pattern), "%s%s", path, endings[i]);
		if (glob(pattern, 0, NULL, &found) == 0) {
			for (size_t j = 0; j < found.gl_pathc; j++)
				bytes += bytes_of(found.gl_pathv[j]);
			globfree(&found);
		}
	}
	return bytes;
}
