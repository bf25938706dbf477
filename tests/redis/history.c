/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.c: workers that change carts while servers are killed, and a judge of what came of it.
 *
 * Usage: history LOCATION WORKERS CARTS SECONDS [PAUSE_US]
 *   Each worker is a process. It adds items that no other change adds, to carts at random, and
 *   writes down what it was told. Half of the changes have an operation id; a change of unknown
 *   outcome is repeated under its id until the outcome is known. Then all carts are read.
 *
 * "begun" is printed when all workers are at it. The last line is a row of NAME=NUMBER:
 *   changes    that were acknowledged
 *   durable    of these, as durable
 *   lost       durable, but in no cart
 *   gone       acknowledged, not durable, and in no cart: the engine may lose them
 *   twice      in a cart more than once
 *   undone     refused as not done, but in a cart
 *   reused     durable changes of one cart that were told the same version
 *   errors     calls that failed with anything but an unknown outcome
 *   unknown    calls whose outcome was unknown
 *   slowest    how long the slowest call took, in milliseconds
 * Exit code 1: lost, twice, undone or reused is not 0; 2: it could not be judged.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "corral.h"

#define WORKERS_MAX 64u
#define CARTS_MAX 512u
#define CALLS_MAX 40000u /* of one worker */

struct call {
	uint64_t version;
	uint32_t cart;
	int32_t answer; /* 0, or the error */
	uint32_t took_ms;
	uint8_t durable;
	uint8_t in_cart; /* how often it was found */
};

struct history {
	uint32_t opened; /* so many workers have opened the location, or could not */
	uint32_t counts[WORKERS_MAX];
	struct call calls[WORKERS_MAX][CALLS_MAX];
};

static const char *location;
static uint32_t workers, carts, seconds, pause_us = 2000;
static struct history *history;
static char restaurant[48];

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static struct corral_key key_of(uint32_t cart, char session[16])
{
	snprintf(session, 16, "c-%" PRIu32, cart);
	return (struct corral_key){ corral_text(restaurant), corral_text(session) };
}

static int add(struct corral *corral, uint32_t worker, uint32_t number, struct call *call)
{
	char session[16], name[32];
	struct corral_key key = key_of(call->cart, session);
	struct corral_result result = { 0 };

	snprintf(name, sizeof(name), "%" PRIu32 "-%" PRIu32, worker, number);
	struct corral_item item = { .menu_item_id = corral_text(name),
				    .name = corral_text("Tea"),
				    .unit_price_cents = 100,
				    .quantity = 1 };
	struct corral_op op = { .id = number % 2 != 0 ? corral_text(name) : corral_text(NULL) };
	int r = corral_add(corral, &key, &item, &op, &result);
	if (r == 0) {
		call->version = result.version;
		call->durable = result.durable;
	}
	return r;
}

static void work(uint32_t worker)
{
	unsigned state = (unsigned)getpid();
	struct corral *corral;

	int r = corral_open(location, 0, &corral);
	(void)__atomic_fetch_add(&history->opened, 1, __ATOMIC_RELEASE);
	if (r < 0) {
		fprintf(stderr, "%s\n", corral_why());
		_exit(2);
	}
	const int64_t end_ms = now_ms() + seconds * 1000ll;
	for (uint32_t i = 0; i < CALLS_MAX && now_ms() < end_ms; i++) {
		struct call *call = &history->calls[worker][i];
		int64_t begun_ms = now_ms();

		call->cart = (uint32_t)rand_r(&state) % carts;
		call->answer = -ETIMEDOUT;
		history->counts[worker] = i + 1;
		call->answer = add(corral, worker, i, call);
		call->took_ms = (uint32_t)(now_ms() - begun_ms);
		for (int tries = 0; call->answer == -ETIMEDOUT && i % 2 != 0 && tries < 20; tries++)
			call->answer = add(corral, worker, i, call);
		usleep(pause_us);
	}
	corral_close(corral);
	_exit(0);
}

/* Find each item of a cart in the history. False: the cart cannot be read. */
static int count_cart(struct corral *corral, uint32_t cart)
{
	struct corral_cart *found = NULL;
	char session[16];
	struct corral_key key = key_of(cart, session);
	int r = corral_get(corral, &key, &found);

	for (uint32_t i = 0; r == 0 && i < found->line_count; i++) {
		const struct corral_item *item = &found->lines[i].item;
		uint32_t worker, number;
		char name[32];

		snprintf(name, sizeof(name), "%.*s", (int)item->menu_item_id.size,
			 item->menu_item_id.data);
		if (sscanf(name, "%" SCNu32 "-%" SCNu32, &worker, &number) != 2 ||
		    worker >= workers || number >= history->counts[worker] ||
		    history->calls[worker][number].cart != cart)
			r = -EPROTO;
		else
			history->calls[worker][number].in_cart += (uint8_t)item->quantity;
	}
	corral_cart_free(found);
	return r == -ENOENT ? 0 : r;
}

static int by_cart_and_version(const void *a, const void *b)
{
	const struct call *x = *(const struct call *const *)a, *y = *(const struct call *const *)b;

	if (x->cart != y->cart)
		return x->cart < y->cart ? -1 : 1;
	return x->version < y->version ? -1 : x->version > y->version;
}

static int judge(void)
{
	uint32_t changes = 0, durable = 0, lost = 0, gone = 0, twice = 0, undone = 0, reused = 0;
	uint32_t errors = 0, unknown = 0, slowest = 0;
	static const struct call *all[WORKERS_MAX * CALLS_MAX];
	size_t count = 0;

	for (uint32_t w = 0; w < workers; w++) {
		for (uint32_t i = 0; i < history->counts[w]; i++) {
			const struct call *call = &history->calls[w][i];
			changes += call->answer == 0;
			durable += call->durable;
			lost += call->durable && call->in_cart == 0;
			gone += call->answer == 0 && !call->durable && call->in_cart == 0;
			twice += call->in_cart > 1;
			unknown += call->answer == -ETIMEDOUT;
			errors += call->answer != 0 && call->answer != -ETIMEDOUT;
			undone += call->answer != 0 && call->answer != -ETIMEDOUT &&
				  call->in_cart > 0;
			slowest = call->took_ms > slowest ? call->took_ms : slowest;
			if (call->durable)
				all[count++] = call;
		}
	}
	qsort(all, count, sizeof(void *), by_cart_and_version); /* pointers to calls */
	for (size_t i = 1; i < count; i++)
		reused += by_cart_and_version(&all[i - 1], &all[i]) == 0;
	printf("changes=%u durable=%u lost=%u gone=%u twice=%u undone=%u reused=%u errors=%u "
	       "unknown=%u slowest=%u\n",
	       changes, durable, lost, gone, twice, undone, reused, errors, unknown, slowest);
	return lost + twice + undone + reused > 0;
}

static uint32_t number_of(const char *text, uint32_t most)
{
	unsigned long number = strtoul(text, NULL, 10);

	return number < 1 ? 1 : number > most ? most : (uint32_t)number;
}

static int run(void)
{
	struct corral *corral;
	int failed = 0;

	for (uint32_t w = 0; w < workers; w++)
		if (fork() == 0)
			work(w);
	while (__atomic_load_n(&history->opened, __ATOMIC_ACQUIRE) < workers)
		usleep(10000);
	printf("begun\n");
	fflush(stdout);
	for (uint32_t w = 0; w < workers; w++) {
		int status = 0;
		(void)wait(&status);
		failed |= status;
	}
	if (failed != 0 || corral_open(location, CORRAL_OBSERVE, &corral) < 0) {
		fprintf(stderr, "a worker failed, or: %s\n", corral_why());
		return 2;
	}
	(void)corral_set_patience(corral, 30000);
	for (uint32_t cart = 0; cart < carts; cart++) {
		int r = count_cart(corral, cart);
		if (r < 0) {
			fprintf(stderr, "cart %u: %s\n", cart, corral_error_name(r));
			return 2;
		}
	}
	corral_close(corral);
	return judge();
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "Usage: history LOCATION WORKERS CARTS SECONDS [PAUSE_US]\n");
		return 2;
	}
	location = argv[1];
	workers = number_of(argv[2], WORKERS_MAX);
	carts = number_of(argv[3], CARTS_MAX);
	seconds = number_of(argv[4], 600);
	if (argc > 5)
		pause_us = (uint32_t)strtoul(argv[5], NULL, 10);
	snprintf(restaurant, sizeof(restaurant), "history-%lld", (long long)time(NULL));
	history = mmap(NULL, sizeof(*history), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	return history == MAP_FAILED ? 2 : run();
}
