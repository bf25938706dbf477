/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: one thread waits for many carts on a server. The server tells it of changes, so it looks
 * at the carts once a second only.
 *
 * Usage: waits LOCATION SOCKET   SOCKET: of the same server
 * Exit code 1: a change was not noticed, or the server was asked again and again; 2: the test
 * itself failed.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "corral.h"

#define CARTS 20u
#define WAIT_MS 1500

static struct corral *corral;
static redisContext *bare;
static char sessions[CARTS][16];
static struct corral_awaited all[CARTS];
static struct corral_awaited *those[CARTS];

static void must(int held, const char *what)
{
	if (!held) {
		fprintf(stderr, "%s: %s\n", what, corral_why());
		exit(2);
	}
}

static void add(uint32_t which)
{
	const struct corral_item item = { .menu_item_id = corral_text("tea"),
					  .name = corral_text("Tea"),
					  .unit_price_cents = 150,
					  .quantity = 1 };
	struct corral_result result;

	must(corral_add(corral, &all[which].key, &item, NULL, &result) == 0, "add");
	if (all[which].past_version == 0)
		all[which].past_version = result.version;
}

/* How many looks the server has answered. */
static long long looks(void)
{
	redisReply *reply = redisCommand(bare, "INFO commandstats");
	long long calls = 0;

	must(reply != NULL && reply->type == REDIS_REPLY_STRING, "INFO");
	const char *at = strstr(reply->str, "cmdstat_lindex:calls=");
	if (at != NULL)
		calls = atoll(strchr(at, '=') + 1);
	freeReplyObject(reply);
	return calls;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void *change(void *which)
{
	add((uint32_t)(uintptr_t)which);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 3) {
		fprintf(stderr, "Usage: waits LOCATION SOCKET\n");
		return 2;
	}
	must(corral_open(argv[1], 0, &corral) == 0, argv[1]);
	bare = redisConnectUnix(argv[2]);
	must(bare != NULL && bare->err == 0, argv[2]);
	for (uint32_t i = 0; i < CARTS; i++) {
		snprintf(sessions[i], sizeof(sessions[i]), "waits-%u", i);
		all[i] = (struct corral_awaited){ .corral = corral,
						  .key = { corral_text("waits"),
							   corral_text(sessions[i]) },
						  .result = -EAGAIN };
		those[i] = &all[i];
		add(i);
	}
	const long long before = looks();
	const int64_t begun_ms = now_ms();
	must(corral_wait_any(those, CARTS, WAIT_MS, NULL) == -ETIMEDOUT, "wait");
	/* at first, when they are subscribed to, and each second; once more for what is just due */
	const long long most = CARTS * (3 + (now_ms() - begun_ms) / 1000);
	const long long asked = looks() - before;
	printf("%lld looks at %u carts, at most %lld\n", asked, CARTS, most);
	if (asked > most)
		return 1;
	for (uint32_t i = 0; i < CARTS; i += 7) {
		must(pthread_create(&thread, NULL, change, (void *)(uintptr_t)i) == 0, "thread");
		must(corral_wait_any(those, CARTS, -1, NULL) == 0, "wait");
		must(pthread_join(thread, NULL) == 0, "join");
		for (uint32_t other = 0; other < CARTS; other++)
			if ((all[other].result == 0) != (other == i))
				return 1;
		all[i].result = -EAGAIN;
		all[i].past_version = all[i].version;
	}
	redisFree(bare);
	corral_close(corral);
	return 0;
}
