/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c: the table of peers, and the command line of corral-bench peers.
 */
#include <stdio.h>
#include <string.h>

#include "harness/measure.h"
#include "peers.h"

const struct peer *const peers[] = { &peer_corral,         &peer_corral_copy, &peer_map,
				     &peer_lmdb,           &peer_lmdb_sync,   &peer_sqlite,
				     &peer_memcached,      &peer_redis_watch, &peer_redis_lua,
				     &peer_redis_pipelined };

const uint32_t peer_count = (uint32_t)(sizeof(peers) / sizeof(peers[0]));

/* ------------------------------------------------------------------ options */

static bool known_peers(const char *list)
{
	char copy[512];

	if (snprintf(copy, sizeof(copy), "%s", list) >= (int)sizeof(copy))
		return false;
	for (char *next = copy; next != NULL;) {
		const char *name = strsep(&next, ",");
		uint32_t i = 0;
		while (i < peer_count && strcmp(peers[i]->name, name) != 0)
			i++;
		if (i == peer_count) {
			bench_usage("--peers: no peer '%s'", name);
			return false;
		}
	}
	return true;
}

bool peers_is_wanted(const char *list, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = list; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == '\0'))
			return true;
	}
	return list == NULL;
}

enum bench_exit peers_options(int argc, char **argv, struct peers_settings *settings, bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(NUMBER, "carts", "N", number = &settings->carts, "number of carts",
		       BOUNDS(1, 1000000)),
		OPTION_BYTES(&settings->bytes),
		OPTION_WORKERS(&settings->workers, MEASURE_WORKERS_MAX),
		OPTION_THREADS(&settings->threads),
		OPTION(SECONDS, "seconds", "S", number = &settings->ms,
		       "for each figure, all rounds together", BOUNDS(1, 1000 * 60)),
		OPTION(NUMBER, "rounds", "N", number = &settings->rounds,
		       "turns, of which the median counts", BOUNDS(1, PEERS_ROUNDS_MAX)),
		OPTION_ZIPF(&settings->zipf),
		OPTION(FLAG, "no-pin", NULL, flag = &settings->no_pin,
		       "servers, and a worker that is alone with one, run on any CPU"),
		OPTION(WORD, "peers", "NAME,...", word = &settings->only,
		       "only these (default: all that are installed)"),
		OPTION_JSON(&settings->json),
		OPTION_DIR(&settings->directory),
	};
	enum bench_exit result = bench_options(rows, argc, argv, ret_go);

	if (result == BENCH_DONE && !*ret_go) { /* --help */
		for (uint32_t i = 0; i < peer_count; i++)
			printf("%s  %-16s %s\n", i == 0 ? "\nPeers:\n" : "", peers[i]->name,
			       peers[i]->missing() != NULL ? peers[i]->missing() : peers[i]->about);
	} else if (result == BENCH_DONE && settings->only != NULL && !known_peers(settings->only)) {
		*ret_go = false;
		result = BENCH_USAGE;
	}
	return result;
}
