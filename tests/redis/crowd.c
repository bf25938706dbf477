/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd.c: many processes add to one cart at once; each add has to count once.
 *
 * Usage: crowd LOCATION PROCESSES EACH [SOCKET RELAY LOST]
 *   SOCKET  of the server. The first process then reaches it through a relay, a socket at the path
 *           RELAY, that passes each answer on with a delay of 20 ms. The others go on adding until
 *           it has added EACH.
 *   LOST    which answer to a swap the relay does not pass on: it cuts that connection instead, and
 *           begins to count with the next. 0: none.
 * Prints how long the adds took. Exit code 1: adds were lost, counted twice or refused.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "corral.h"

#define PROCESSES_MAX 256u
#define EACH_MAX 10000u

static const char *location;
static char restaurant[48];
static uint32_t *took_us; /* of each add; UINT32_MAX: it was refused */
static uint32_t *added;   /* shared, as the others: how many adds were made */
static uint32_t *done;    /* the first process has added all of its own */
static uint32_t each;
static int lost;
static const char *server, *relay; /* paths of sockets; NULL: all reach the server directly */

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

/* ------------------------------------------------------------------- the relay */

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Pass on what the client says. Is it a transaction, or the call of a script? */
static int pass_request(int from, int to)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n <= 0 || write(to, bytes, (size_t)n) != n)
		_exit(0);
	return memmem(bytes, (size_t)n, "\nEXEC\r", 6) != NULL ||
	       memmem(bytes, (size_t)n, "EVALSHA", 7) != NULL;
}

static void pass_answer(int from, int to, int is_lost)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	usleep(20000);
	if (is_lost || n <= 0 || write(to, bytes, (size_t)n) != n)
		_exit(0);
}

static void serve(int client)
{
	struct sockaddr_un address;
	int fd = unix_socket(server, &address);
	struct pollfd sides[2] = { { client, POLLIN, 0 }, { fd, POLLIN, 0 } };
	int swaps = 0;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		_exit(2);
	while (poll(sides, 2, -1) > 0) {
		if (sides[0].revents != 0)
			swaps += pass_request(client, fd);
		if (sides[1].revents != 0)
			pass_answer(fd, client, lost != 0 && swaps == lost);
	}
	_exit(2);
}

/* Each client has a process of its own. */
static _Noreturn void accept_all(int fd)
{
	int client;

	while ((client = accept(fd, NULL, NULL)) >= 0) {
		if (fork() == 0)
			serve(client);
		close(client);
	}
	_exit(2);
}

static pid_t start_relay(void)
{
	struct sockaddr_un address;
	int fd = unix_socket(relay, &address);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		exit(2);
	pid_t pid = fork();
	if (pid == 0)
		accept_all(fd);
	close(fd);
	return pid;
}

/* -------------------------------------------------------------------- the crowd */

static int goes_on(uint32_t number, uint32_t made)
{
	if (relay == NULL || number == 0)
		return made < each;
	return __atomic_load_n(done, __ATOMIC_RELAXED) == 0;
}

static void add_many(uint32_t number)
{
	const struct corral_item item = { .menu_item_id = corral_text("tea"),
					  .name = corral_text("Tea"),
					  .unit_price_cents = 150,
					  .quantity = 1 };
	const struct corral_key key = cart();
	struct corral *corral;
	char far[256];

	snprintf(far, sizeof(far), "redis+unix://%s", relay != NULL ? relay : "");
	if (corral_open(relay != NULL && number == 0 ? far : location, 0, &corral) < 0) {
		fprintf(stderr, "open: %s\n", corral_why());
		_exit(2);
	}
	for (uint32_t i = 0; goes_on(number, i); i++) {
		int64_t begun_us = now_us();
		int r = corral_add(corral, &key, &item, NULL, NULL);
		__atomic_fetch_add(added, r == 0, __ATOMIC_RELAXED);
		if (relay == NULL || number == 0)
			took_us[number * each + i] =
				r < 0 ? UINT32_MAX : (uint32_t)(now_us() - begun_us);
	}
	if (number == 0)
		__atomic_store_n(done, 1, __ATOMIC_RELAXED);
	corral_close(corral);
	_exit(0);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int judge(uint32_t timed)
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
	qsort(took_us, timed, sizeof(took_us[0]), by_size);
	uint32_t refused = 0;
	while (refused < timed && took_us[timed - 1 - refused] == UINT32_MAX)
		refused++;
	printf("adds=%u counted=%u timed=%u refused=%u median_us=%u p999_us=%u slowest_us=%u\n",
	       *added, counted, timed, refused, took_us[timed / 2],
	       took_us[timed - 1 - timed / 1000], took_us[timed - 1]);
	return counted != *added || refused > 0;
}

static void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(2);
	return memory;
}

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 7) {
		fprintf(stderr, "Usage: crowd LOCATION PROCESSES EACH [SOCKET RELAY LOST]\n");
		return 2;
	}
	location = argv[1];
	const uint32_t processes = (uint32_t)strtoul(argv[2], NULL, 10) % PROCESSES_MAX;
	each = (uint32_t)strtoul(argv[3], NULL, 10) % EACH_MAX;
	took_us = shared((size_t)processes * each * sizeof(took_us[0]));
	added = shared(sizeof(*added));
	done = shared(sizeof(*done));
	snprintf(restaurant, sizeof(restaurant), "crowd-%lld", (long long)time(NULL));
	pid_t relay_pid = 0, pid;
	if (argc == 7) {
		lost = atoi(argv[6]);
		server = argv[4];
		relay = argv[5];
		relay_pid = start_relay();
	}
	for (uint32_t i = 0; i < processes; i++)
		if (fork() == 0)
			add_many(i);
	int failed = 0, status;
	for (uint32_t left = processes; left > 0; left--)
		failed |= wait(&status) < 0 ? 1 : status;
	if (relay_pid > 0) {
		kill(relay_pid, SIGKILL);
		while ((pid = wait(&status)) > 0 && pid != relay_pid)
			continue;
	}
	return failed != 0 ? 2 : judge(relay != NULL ? each : processes * each);
}
