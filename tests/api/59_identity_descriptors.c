/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_descriptors.c: a host closes all descriptors after it has attached, and opens its own
 * files, which get the same numbers: its handle is lost and says so; its files are unchanged; no
 * other process is disturbed, and none takes it for dead.
 */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handle.h"
#include "store/repair.h"

#define LAST 64 /* no descriptor of these tests has a higher number */
#define HOST_BYTES 1000

static struct yard yard;

static int change(struct corral *corral, uint32_t session)
{
	char id[32];
	struct corral_item item = { .menu_item_id = corral_text("i"), .quantity = 1 };

	snprintf(id, sizeof(id), "s%u", session);
	const struct corral_key key = { corral_text("r"), corral_text(id) };
	return corral_add(corral, &key, &item, NULL, NULL);
}

/*
 * Close all descriptors, as a program does that becomes a daemon; then open a file under each
 * number.
 */
static void take_all_numbers(void)
{
	char path[160], bytes[HOST_BYTES];

	memset(bytes, 'h', sizeof(bytes));
	for (int fd = 3; fd < LAST; fd++)
		close(fd);
	for (int i = 0, fd = 0; fd >= 0 && fd < LAST - 1; i++) {
		snprintf(path, sizeof(path), "%s.host%d", yard.path, i);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		must(fd >= 3 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
		must(unlink(path) == 0);
	}
}

/* Assert that no file was written, grown, locked or closed. */
static bool all_are_as_they_were(void)
{
	char path[64];
	struct stat st;

	for (int fd = 3; fd < LAST; fd++) {
		if (fstat(fd, &st) < 0 || st.st_size != HOST_BYTES || st.st_blocks > 8)
			return false;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int other = open(path, O_RDWR | O_CLOEXEC);
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		if (other < 0 || fcntl(other, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK)
			return false;
		close(other);
	}
	return true;
}

static int loses_its_descriptors(void *unused)
{
	struct corral *corral;

	(void)unused;
	if (corral_open(yard.path, 0, &corral) != 0 || change(corral, 1) != 0)
		return 1;
	take_all_numbers();
	if (!wait_until(change(corral, 1) != 0, SUPPORT_WAIT_MS / 2))
		return 2;
	if (change(corral, 1) != -EBADF || corral_sync(corral, -1, NULL) != -EBADF)
		return 3;
	pid_t pid = fork();
	if (pid == 0)
		_exit(change(corral, 1) != -EBADF || !all_are_as_they_were());
	if (pid < 0 || child_wait(pid) != 0)
		return 4;
	corral_close(corral);
	if (!all_are_as_they_were())
		return 5;
	for (int fd = 3; fd < LAST; fd++)
		close(fd);
	return corral_open(yard.path, 0, &corral) == 0 && change(corral, 1) == 0 ? 0 : 6;
}

static void a_host_that_closes_our_descriptors_loses_its_handle_and_nothing_else(void **state)
{
	struct inspect_totals totals;

	(void)state;
	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	struct corral *other = yard_open(&yard, 0);
	pid_t pid = child_start(loses_its_descriptors, NULL);
	for (int i = 0; i < 200; i++) { /* meanwhile check the file */
		assert_int_equal(change(other, 2), 0);
		support_sleep_us(10000);
	}
	assert_int_equal(child_wait(pid), 0);
	assert_int_equal(change(other, 2), 0);
	corral_close(other);
	yard_check(&yard, &totals);
	assert_int_equal(totals.carts_open, 2);
	yard_remove(&yard);
}

static int needs_new_space(void *unused)
{
	struct corral *corral;
	int r = 0;

	(void)unused;
	if (corral_open(yard.path, 0, &corral) != 0 || change(corral, 1) != 0)
		return 1;
	take_all_numbers();
	for (uint32_t i = 0; r == 0 && i < 100000; i++)
		r = change(corral, i);
	corral_close(corral);
	return r != -EBADF ? 2 : all_are_as_they_were() ? 0 : 3;
}

static void no_file_of_the_host_is_grown_in_place_of_the_arena(void **state)
{
	const struct arena_settings large = { .arena_bytes = 256u << 20,
					      .max_carts = 200000,
					      .ttl_ns = 1800000000000ull };

	(void)state;
	NEEDS_PROCESSES();
	yard_make(&yard, &large);
	assert_int_equal(child_wait(child_start(needs_new_space, NULL)), 0);
	yard_remove(&yard);
}

struct step {
	uint32_t closed;
	uint32_t go;
};

static int waits_without_descriptors(void *context)
{
	struct step *step = context;
	struct corral *corral;

	if (corral_open(yard.path, 0, &corral) != 0 || change(corral, 1) != 0)
		return 1;
	for (int fd = 3; fd < LAST; fd++)
		close(fd);
	store_release(&step->closed, 1u);
	return wait_until(load_acquire(&step->go) != 0, SUPPORT_WAIT_MS) ? 0 : 2;
}

static void a_host_that_closed_them_is_alive_until_it_ends(void **state)
{
	struct step *step = support_shared(sizeof(*step));
	struct member member;

	(void)state;
	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	pid_t pid = child_start(waits_without_descriptors, step);
	assert_true(wait_until(load_acquire(&step->closed) != 0, SUPPORT_WAIT_MS));
	assert_int_equal(member_join(&yard, &member), 0);
	assert_int_equal(alive_bury_all(&member.arena, &member.life, repair_process), 0);
	store_release(&step->go, 1u);
	assert_int_equal(child_wait(pid), 0);
	assert_int_equal(alive_bury_all(&member.arena, &member.life, repair_process), 1);
	member_leave(&member);
	yard_remove(&yard);
}

static int opens_once_more(void *unused)
{
	struct corral *first, *second;

	(void)unused;
	if (corral_open(yard.path, 0, &first) != 0 || change(first, 1) != 0)
		return 1;
	for (int fd = 3; fd < LAST; fd++)
		close(fd);
	if (corral_open(yard.path, 0, &second) !=
	    0) /* it gets the same numbers, of the same files */
		return 2;
	if (change(first, 1) != -EBADF || change(second, 1) != 0)
		return 3;
	corral_close(first);
	if (change(second, 1) != 0 ||
	    !descriptor_is(second->share->life.fd, &second->share->life.id) ||
	    !descriptor_is(second->share->arena.fd, &second->share->arena.file_id))
		return 4;
	corral_close(second);
	return 0;
}

static void a_handle_that_is_opened_then_is_not_mixed_up_with_the_lost_one(void **state)
{
	struct inspect_totals totals;

	(void)state;
	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	assert_int_equal(child_wait(child_start(opens_once_more, NULL)), 0);
	yard_check(&yard, &totals);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_host_that_closes_our_descriptors_loses_its_handle_and_nothing_else),
		cmocka_unit_test(no_file_of_the_host_is_grown_in_place_of_the_arena),
		cmocka_unit_test(a_host_that_closed_them_is_alive_until_it_ends),
		cmocka_unit_test(a_handle_that_is_opened_then_is_not_mixed_up_with_the_lost_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
