/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pulse.c: a worker that adds one coke to the cart (luigi, pulse) every millisecond until SIGTERM.
 * Then it prints how many it added, and how long the longest time between two of them was.
 */
#include <corral.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static volatile sig_atomic_t told_to_stop;

static void stop(int number)
{
	(void)number;
	told_to_stop = 1;
}

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct corral_key cart = { corral_text("luigi"), corral_text("pulse") };
	struct corral_item coke = { .menu_item_id = corral_text("coke"),
				    .name = corral_text("Coke"),
				    .unit_price_cents = 250,
				    .quantity = 1 };
	struct corral_result result;
	struct corral *corral;
	long long last, longest = 0;
	unsigned added = 0, refused = 0;

	signal(SIGTERM, stop);
	if (corral_open(NULL, 0, &corral) < 0)
		errx(1, "%s", corral_why());
	last = now_us();
	while (!told_to_stop) {
		if (corral_add(corral, &cart, &coke, NULL, &result) == 0) {
			long long now = now_us();

			longest = now - last > longest ? now - last : longest;
			last = now;
			added++;
		} else {
			refused++;
		}
		nanosleep(&pause, NULL);
	}
	corral_close(corral);
	printf("%u added, %u refused, at most %lld us between two\n", added, refused, longest);
	return 0;
}
