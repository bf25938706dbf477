/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ratios.c: what a call on a cart costs, as a multiple of the bare commands with the same bytes, in
 * one run, in turns of 20 calls each. Both sides use one connection over the same unix socket, and
 * wait for each answer before the next call; the bare side is hiredis as people use it.
 *
 * What is printed is the ratio of the tenth quickest of a hundred turns of each side, which other
 * processes have disturbed least, and the median of the ratios of neighboring turns.
 *
 * Usage: ratios LOCATION SOCKET [REPLICAS]   SOCKET: of the same server
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "corral.h"

#define ROUNDS 400
#define EACH 20
#define LINES 36

static struct corral *corral;
static redisContext *bare;
static struct corral_key key;
static redisReply *value;
static const char *replicas;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void must(int held, const char *what)
{
	if (!held) {
		fprintf(stderr, "%s: %s\n", what, corral_why());
		exit(2);
	}
}

static void bare_get(void)
{
	redisReply *reply = redisCommand(bare, "GET other:{r/s}");

	must(reply != NULL && reply->type == REDIS_REPLY_STRING, "GET");
	freeReplyObject(reply);
}

static void read_cart(void)
{
	struct corral_view view;

	must(corral_read_begin(corral, &key, &view) == 0, "read");
	must(corral_read_end(&view) == 0, "end");
}

static void bare_set(void)
{
	redisReply *reply = NULL, *waited = NULL;

	redisAppendCommand(bare, "SET other:{r/s} %b PX 1800000", value->str, value->len);
	if (replicas != NULL)
		redisAppendCommand(bare, "WAIT %s 500", replicas);
	must(redisGetReply(bare, (void **)&reply) == REDIS_OK, "SET");
	if (replicas != NULL)
		must(redisGetReply(bare, (void **)&waited) == REDIS_OK, "WAIT");
	freeReplyObject(reply);
	freeReplyObject(waited);
}

static void change_cart(void)
{
	static uint32_t quantity;

	must(corral_set_quantity(corral, &key, 1, 1 + quantity++ % 9, NULL, NULL) == 0, "change");
}

static double measure(void (*call)(void))
{
	double start = now_us();

	for (int i = 0; i < EACH; i++)
		call();
	return (now_us() - start) / EACH;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void compare(const char *name, void (*call)(void), const char *bare_name,
		    void (*bare_call)(void))
{
	double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = measure(call);
		theirs[i] = measure(bare_call);
		ratios[i] = ours[i] / theirs[i];
	}
	qsort(ours, ROUNDS, sizeof(ours[0]), by_size);
	qsort(theirs, ROUNDS, sizeof(theirs[0]), by_size);
	qsort(ratios, ROUNDS, sizeof(ratios[0]), by_size);
	printf("%-8s %6.1f us, %-10s %6.1f us: %.2f (median %.2f)\n", name, ours[ROUNDS / 10],
	       bare_name, theirs[ROUNDS / 10], ours[ROUNDS / 10] / theirs[ROUNDS / 10],
	       ratios[ROUNDS / 2]);
}

int main(int argc, char **argv)
{
	char name[32];

	if (argc < 3) {
		fprintf(stderr, "Usage: ratios LOCATION SOCKET [REPLICAS]\n");
		return 2;
	}
	replicas = argc > 3 ? argv[3] : NULL;
	key = (struct corral_key){ corral_text("r"), corral_text("s") };
	must(corral_open(argv[1], 0, &corral) == 0, argv[1]);
	bare = redisConnectUnix(argv[2]);
	must(bare != NULL && bare->err == 0, argv[2]);
	for (int i = 0; i < LINES; i++) {
		snprintf(name, sizeof(name), "menu-item-%d", i);
		struct corral_item item = { .menu_item_id = corral_text(name),
					    .name = corral_text("A dish with a usual name"),
					    .notes = corral_text("no onions, please"),
					    .unit_price_cents = 899,
					    .quantity = 1 };
		must(corral_add(corral, &key, &item, NULL, NULL) == 0, "add");
	}
	value = redisCommand(bare, "LINDEX corral:{r/s} 1");
	must(value != NULL && value->type == REDIS_REPLY_STRING, "LINDEX");
	bare_set();
	printf("a value of %zu bytes\n", (size_t)value->len);
	compare("read", read_cart, "GET", bare_get);
	compare("change", change_cart, replicas != NULL ? "SET, WAIT" : "SET", bare_set);
	freeReplyObject(value);
	redisFree(bare);
	corral_close(corral);
	return 0;
}
