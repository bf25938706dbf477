/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 21_descriptors.c: in a process with closed standard streams, the library never opens a file for
 * reading or writing under the number of a standard stream.
 *
 * This program defines open() and openat(), so it sees each file's number at the instant at which
 * the kernel assigns it.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/attach.h"
#include "arena/descriptor.h"
#include "base/atomic.h"
#include "inspect/salvage.h"

struct seen {
	uint32_t low;  /* files below 3 that could be read or written */
	uint32_t open; /* files opened */
};

static struct seen *seen;

static int opened(int fd, int flags)
{
	if (seen != NULL && fd >= 0) {
		seen->open++;
		seen->low += fd < DESCRIPTOR_LEAST && (flags & O_PATH) == 0;
	}
	return fd;
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return opened((int)syscall(SYS_openat, dir_fd, path, flags, mode), flags);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), flags);
}

static struct yard yard;

static int make(void **state)
{
	(void)state;
	seen = support_shared(sizeof(*seen));
	yard_make(&yard, NULL);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	yard_remove(&yard);
	return 0;
}

static void close_some(unsigned which)
{
	for (int fd = 0; fd < DESCRIPTOR_LEAST; fd++)
		if ((which & 1u << fd) != 0)
			close(fd);
}

/* True if the host's streams are as it left them: closed ones are closed, open ones are open. */
static bool is_as_it_was(unsigned closed)
{
	unsigned now = 0;

	/* not compared as bit masks: GCC 12.2 miscompiles that */
	for (int fd = 0; fd < DESCRIPTOR_LEAST; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			now |= 1u << fd;
	return now == closed;
}

static int host_works(void *context)
{
	unsigned closed = *(unsigned *)context;
	const struct corral_key key = { { "r", 1 }, { "s", 1 } };
	struct corral *corral;
	struct inspect *inspect;
	struct salvage *salvage;
	char why[REASON_BYTES];

	close_some(closed);
	if (corral_open(yard.path, CORRAL_CATCH_SIGBUS, &corral) != 0 || !is_as_it_was(closed) ||
	    corral_set_tax(corral, &key, 82500, NULL, NULL) != 0)
		return 1;
	if (inspect_open(yard.path, true, &inspect, why, sizeof(why)) != 0)
		return 2;
	inspect_close(inspect);
	if (salvage_open(yard.dir_fd, &salvage, why) != 0)
		return 3;
	salvage_close(salvage);
	pid_t pid = fork(); /* a child attaches by itself */
	if (pid == 0)
		_exit(corral_set_tax(corral, &key, 10000, NULL, NULL) != 0 ||
		      !is_as_it_was(closed));
	if (pid < 0 || child_wait(pid) != 0)
		return 4;
	(void)!write(STDOUT_FILENO, "printed by the host", 19);
	(void)!write(STDERR_FILENO, "", 0);
	corral_close(corral);
	return is_as_it_was(closed) ? 0 : 5;
}

static void no_file_of_ours_ever_has_the_number_of_a_standard_stream(void **state)
{
	struct inspect_totals totals;

	(void)state;
	NEEDS_PROCESSES();
	for (unsigned closed = 0; closed < 8; closed++) {
		*seen = (struct seen){ 0 };
		int code = child_wait(child_start(host_works, &closed));
		if (code != 0 || seen->low != 0)
			fail_msg(
				"closed %u: %d; %u of %u files had the number of a standard stream",
				closed, code, seen->low, seen->open);
		assert_in_range(seen->open, 5, 1000);
		yard_check(&yard, &totals);
		assert_int_equal(totals.carts_open, 1);
	}
}

static int makes_an_arena(void *context)
{
	struct yard *empty = context;
	const struct arena_settings settings = { .arena_bytes = 8u << 20,
						 .max_carts = 64,
						 .ttl_ns = 1000000000 };
	struct life life;

	close_some(7);
	return arena_create(empty->dir_fd, &settings, NULL) != 0 ||
	       alive_open(empty->dir_fd, true, &life, NULL) != 0 || life.fd < DESCRIPTOR_LEAST;
}

static void an_arena_is_made_without_them(void **state)
{
	struct yard empty;

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&empty);
	*seen = (struct seen){ 0 };
	assert_int_equal(child_wait(child_start(makes_an_arena, &empty)), 0);
	assert_int_equal(seen->low, 0);
	yard_remove(&empty);
}

/* ------------------------------------------------- another thread of the host */

#define ROUNDS 2000

static uint32_t ended;

/* Open and close low numbers all the time, as a host does that redirects its streams. */
static void *redirects(void *unused)
{
	(void)unused;
	for (uint64_t random = support_seed(); load_relaxed(&ended) == 0;) {
		int fd = (int)random_below(&random, DESCRIPTOR_LEAST);
		long null = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
		if (null < 0)
			continue;
		(void)dup2((int)null, fd);
		close(fd);
		if (null != fd)
			close((int)null);
	}
	return NULL;
}

static int opens_meanwhile(void *unused)
{
	pthread_t thread;

	(void)unused;
	close_some(7);
	if (pthread_create(&thread, NULL, redirects, NULL) != 0)
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		int fd = descriptor_open(yard.dir_fd, ARENA_FILE, O_RDWR, 0);
		if (fd < DESCRIPTOR_LEAST)
			return 2;
		close(fd);
	}
	store_relaxed(&ended, 1u);
	pthread_join(thread, NULL);
	for (int fd = 0; fd < DESCRIPTOR_LEAST; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 3; /* a file that filled a hole is still open */
	return 0;
}

static void a_host_that_redirects_its_streams_meanwhile_gets_none_of_ours(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	assert_int_equal(child_wait(child_start(opens_meanwhile, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_file_of_ours_ever_has_the_number_of_a_standard_stream),
		cmocka_unit_test(an_arena_is_made_without_them),
		cmocka_unit_test(a_host_that_redirects_its_streams_meanwhile_gets_none_of_ours),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
