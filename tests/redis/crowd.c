/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd.c: many processes add to one cart at once; each add has to count once.
 *
 * Usage: crowd LOCATION PROCESSES EACH
 * Prints how long the adds took. Exit code 1: adds were lost, counted twice or refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "corral.h"

#define PROCESSES_MAX 256u
#define EACH_MAX 10000u

static const char *location;
static char restaurant[48];
static uint32_t *took_us; /* of each add; UINT32_MAX: it was refused */
static uint32_t each;

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static struct corral_key cart(void)
{
	return (struct corral_key){ corral_text(restaurant), corral_text("crowd") };
}

static void add_many(uint32_t number)
{
	const struct corral_item item = { .menu_item_id = corral_text("tea"),
					  .name = corral_text("Tea"),
					  .unit_price_cents = 150,
					  .quantity = 1 };
	const struct corral_key key = cart();
	struct corral *corral;

	if (corral_open(location, 0, &corral) < 0)
		_exit(2);
	for (uint32_t i = 0; i < each; i++) {
		int64_t begun_us = now_us();
		int r = corral_add(corral, &key, &item, NULL, NULL);
		took_us[number * each + i] = r < 0 ? UINT32_MAX : (uint32_t)(now_us() - begun_us);
	}
	corral_close(corral);
	_exit(0);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int judge(uint32_t adds)
{
	const struct corral_key key = cart();
	struct corral_cart *found;
	struct corral *corral;

	if (corral_open(location, 0, &corral) < 0 || corral_get(corral, &key, &found) < 0)
		return 2;
	uint32_t counted = found->head.item_count;
	corral_cart_free(found);
	(void)corral_drop(corral, &key, NULL, NULL);
	corral_close(corral);
	qsort(took_us, adds, sizeof(took_us[0]), by_size);
	uint32_t refused = 0;
	while (refused < adds && took_us[adds - 1 - refused] == UINT32_MAX)
		refused++;
	printf("adds=%u counted=%u refused=%u median_us=%u p999_us=%u slowest_us=%u\n", adds,
	       counted, refused, took_us[adds / 2], took_us[adds - 1 - adds / 1000],
	       took_us[adds - 1]);
	return counted != adds || refused > 0;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "Usage: crowd LOCATION PROCESSES EACH\n");
		return 2;
	}
	location = argv[1];
	const uint32_t processes = (uint32_t)strtoul(argv[2], NULL, 10) % PROCESSES_MAX;
	each = (uint32_t)strtoul(argv[3], NULL, 10) % EACH_MAX;
	const size_t bytes = (size_t)processes * each * sizeof(took_us[0]);
	took_us = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (took_us == MAP_FAILED)
		return 2;
	snprintf(restaurant, sizeof(restaurant), "crowd-%lld", (long long)time(NULL));
	for (uint32_t i = 0; i < processes; i++)
		if (fork() == 0)
			add_many(i);
	int failed = 0, status;
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0 ? 2 : judge(processes * each);
}
