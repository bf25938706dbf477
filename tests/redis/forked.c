/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forked.c: a forked child goes on with its parent's handle to carts on other machines, while a
 * thread of the parent uses it. Each add counts once, whichever process made it, and a child that
 * closes the handle takes nothing from its parent.
 *
 * Usage: forked LOCATION
 * Exit code 1: adds were lost, counted twice or refused.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corral.h"

#define CHILDREN 8u
#define EACH 50u

static struct corral *corral;
static const char *const sessions[] = { "of children", "of the parent", "of its thread" };

static struct corral_key cart(uint32_t which)
{
	return (struct corral_key){ corral_text("forked"), corral_text(sessions[which]) };
}

/* Add to a cart; returns how many adds were refused. */
static uint32_t add(uint32_t which)
{
	const struct corral_item item = { .menu_item_id = corral_text("tea"),
					  .name = corral_text("Tea"),
					  .unit_price_cents = 150,
					  .quantity = 1 };
	const struct corral_key key = cart(which);
	uint32_t refused = 0;

	for (uint32_t i = 0; i < EACH; i++)
		refused += corral_add(corral, &key, &item, NULL, NULL) != 0;
	return refused;
}

static void *add_in_thread(void *context)
{
	uint32_t *refused = context;

	for (uint32_t i = 0; i < CHILDREN; i++)
		*refused += add(2);
	return NULL;
}

static uint32_t counted(uint32_t which)
{
	const struct corral_key key = cart(which);
	struct corral_cart *found = NULL;

	if (corral_get(corral, &key, &found) < 0)
		return 0;
	uint32_t count = found->head.item_count;
	corral_cart_free(found);
	(void)corral_drop(corral, &key, NULL, NULL);
	return count;
}

int main(int argc, char **argv)
{
	uint32_t refused = 0, in_thread = 0;
	pthread_t thread;
	int failed = 0, status;

	if (argc != 2 || corral_open(argv[1], 0, &corral) < 0) {
		fprintf(stderr, "Usage: forked LOCATION: %s\n", corral_why());
		return 2;
	}
	if (pthread_create(&thread, NULL, add_in_thread, &in_thread) != 0)
		return 2;
	for (uint32_t i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			uint32_t count = add(0);
			corral_close(corral);
			_exit(count != 0);
		}
		refused += add(1);
	}
	pthread_join(thread, NULL);
	while (wait(&status) > 0)
		failed |= status;
	for (uint32_t which = 0; which < 3; which++) {
		uint32_t count = counted(which);
		printf("%u %s, ", count, sessions[which]);
		failed |= count != CHILDREN * EACH;
	}
	printf("%u and %u refused\n", refused, in_thread);
	corral_close(corral);
	return failed != 0 || refused + in_thread != 0;
}
