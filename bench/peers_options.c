/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers_options.c (floor 6): the peers, and the command line of corral-bench peers.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "peers.h"

const struct peer *const peers[] = { &peer_corral,    &peer_corral_copy,    &peer_map,       &peer_lmdb,
				     &peer_lmdb_sync, &peer_sqlite,         &peer_memcached, &peer_redis_watch,
				     &peer_redis_lua, &peer_redis_pipelined };

const uint32_t peer_count = (uint32_t)(sizeof(peers) / sizeof(peers[0]));

/* ------------------------------------------------------------------ options */

enum {
	OPTION_CARTS = 1,
	OPTION_BYTES,
	OPTION_WORKERS,
	OPTION_SECONDS,
	OPTION_ROUNDS,
	OPTION_ZIPF,
	OPTION_THREADS,
	OPTION_NO_PIN,
	OPTION_PEERS,
	OPTION_DIR,
	OPTION_JSON,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "carts", required_argument, NULL, OPTION_CARTS },
	{ "bytes", required_argument, NULL, OPTION_BYTES },
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "rounds", required_argument, NULL, OPTION_ROUNDS },
	{ "zipf", no_argument, NULL, OPTION_ZIPF },
	{ "threads", no_argument, NULL, OPTION_THREADS },
	{ "no-pin", no_argument, NULL, OPTION_NO_PIN },
	{ "peers", required_argument, NULL, OPTION_PEERS },
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool number(const char *name, uint64_t min, uint64_t max, uint32_t *ret_value)
{
	uint64_t value = 0;
	bool good = bench_number(name, optarg, min, max, &value);

	*ret_value = (uint32_t)value;
	return good;
}

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
			bench_say("--peers: no peer '%s'", name);
			return false;
		}
	}
	return true;
}

static bool take_option(int option, struct peers_settings *settings)
{
	switch (option) {
	case OPTION_CARTS:
		return number("carts", 1, 1000000, &settings->carts);
	case OPTION_BYTES:
		return number("bytes", 512, LOAD_CART_BYTES_MAX, &settings->bytes);
	case OPTION_WORKERS:
		return number("workers", 1, 64, &settings->workers);
	case OPTION_SECONDS:
		return number("seconds", 1, 60, &settings->seconds);
	case OPTION_ROUNDS:
		return number("rounds", 1, PEERS_ROUNDS_MAX, &settings->rounds);
	case OPTION_ZIPF:
		settings->zipf = true;
		return true;
	case OPTION_THREADS:
		settings->threads = true;
		return true;
	case OPTION_NO_PIN:
		settings->no_pin = true;
		return true;
	case OPTION_PEERS:
		settings->only = optarg;
		return known_peers(optarg);
	case OPTION_DIR:
		settings->directory = optarg;
		return true;
	case OPTION_JSON:
		settings->json = optarg;
		return true;
	default:
		return false;
	}
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

enum bench_exit peers_options(int argc, char **argv, struct peers_settings *ret_settings)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			bench_help("peers");
			for (uint32_t i = 0; i < peer_count; i++)
				printf("%s  %-16s %s\n", i == 0 ? "\nPeers:\n" : "", peers[i]->name,
				       peers[i]->missing() != NULL ? peers[i]->missing() : peers[i]->about);
			ret_settings->help = true;
			return BENCH_DONE;
		}
		if (!take_option(option, ret_settings))
			return bench_usage("peers", "wrong arguments");
	}
	return optind == argc ? BENCH_DONE : bench_usage("peers", "what is '%s'?", argv[optind]);
}
