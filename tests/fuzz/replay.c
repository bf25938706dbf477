/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.c: run a fuzz target on files, and on all files of directories, without libFuzzer. A
 * failure ends the program; the name of each file is printed on standard error before it runs.
 *
 * Usage: replay_NAME FILE|DIRECTORY...
 * Prints the number of inputs.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static unsigned count;

static void run_file(const char *path)
{
	uint8_t *bytes = malloc(INPUT_MAX);
	FILE *file = fopen(path, "re");

	must(bytes != NULL && file != NULL);
	size_t size = fread(bytes, 1, INPUT_MAX, file);
	must(size < INPUT_MAX && !ferror(file));
	fclose(file);
	fprintf(stderr, "%s\n", path);
	uint8_t *exact = exact_copy(bytes, size);
	free(bytes);
	must(LLVMFuzzerTestOneInput(exact, size) == 0);
	free(exact);
	count++;
}

static void run_directory(const char *path)
{
	struct dirent **entries;
	int entry_count = scandir(path, &entries, NULL, alphasort);

	must(entry_count >= 0);
	for (int i = 0; i < entry_count; i++) {
		char name[PATH_MAX];
		must(snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name) <
		     (int)sizeof(name));
		if (entries[i]->d_name[0] != '.')
			run_file(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;
		must(stat(argv[i], &st) == 0);
		if (S_ISDIR(st.st_mode))
			run_directory(argv[i]);
		else
			run_file(argv[i]);
	}
	printf("%u inputs\n", count);
	return count == 0;
}
