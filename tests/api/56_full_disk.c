/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 56_full_disk.c: the file system is full, the arena is not.
 *
 * A change that would need more of the file is refused, and the refusal is cheap: the disk is asked
 * only from time to time, not at every step of every call. Changes that make room, or end an order,
 * are not refused. When the disk has room again, changes go on. This program counts the system
 * calls by wrapping the functions through which the library makes them.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "orders_support.h"
#include "sync/alive.h"

#define REFUSALS 500u
#define ASKED_ANEW_MS 100u /* DISK_FULL_NS of space.c */
#define CARTS 4000u

static struct {
	uint32_t fallocate;
	uint32_t all;
} calls;

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list list;

	if (next == NULL)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (size_t i = 0; i < COUNT(a); i++)
		a[i] = va_arg(list, long);
	va_end(list);
	calls.all++;
	calls.fallocate += number == SYS_fallocate;
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ------------------------------------------------------------ a disk that is full */

struct disk {
	struct yard yard;
	struct corral *corral;
	uint32_t carts; /* number of carts: keys 0 and up */
};

static struct corral_key key_of(uint32_t number, char session[16])
{
	snprintf(session, 16, "s%u", number);
	return orders_key("r", session);
}

static int add(struct disk *disk, uint32_t number, uint32_t item, uint32_t note_bytes)
{
	char session[16], id[16];
	struct corral_key key = key_of(number, session);
	static char text[CORRAL_WORDS_MAX];

	memset(text, 'n', note_bytes);
	snprintf(id, sizeof(id), "i%u", item);
	struct corral_item of = orders_item(id, 100, 1);
	of.notes = (struct corral_text){ text, note_bytes };
	return corral_add(disk->corral, &key, &of, NULL, NULL);
}

/* Make carts of two lines and of many sizes until the disk has no room for another. */
static void fill(struct disk *disk)
{
	int r = 0;

	for (disk->carts = 0; disk->carts < CARTS; disk->carts++) {
		uint32_t note_bytes = disk->carts * 37 % 6000;
		r = add(disk, disk->carts, 0, note_bytes);
		if (r == 0)
			r = add(disk, disk->carts, 1, note_bytes);
		if (r < 0)
			break;
	}
	must(r == -ENOSPC);
	must(disk->carts > 50);
}

static bool on_disk(struct disk *disk, const struct yard *yard)
{
	const struct arena_settings roomy = { .arena_bytes = 64 << 20,
					      .max_carts = CARTS,
					      .ttl_ns = 3600000000000ull };
	struct life life;

	disk->yard = *yard;
	disk->yard.dir_fd = support_small_disk(yard, "14M");
	if (disk->yard.dir_fd < 0)
		return false;
	must(fchmod(disk->yard.dir_fd, 0700) == 0); /* a new tmpfs root is writable for all */
	must(arena_create(disk->yard.dir_fd, &roomy, NULL) == 0);
	must(alive_open(disk->yard.dir_fd, true, &life, NULL) == 0);
	alive_close(&life);
	must(corral_open(yard->path, 0, &disk->corral) == 0);
	return true;
}

static void run(int (*body)(void *context))
{
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	int code = child_wait(child_start(body, &yard));
	yard_remove(&yard);
	if (code == CHILD_SKIPS)
		skip_because("a small file system cannot be mounted here");
	assert_int_equal(code, 0);
}

/* ------------------------------------------------------------------- claims */

/* The disk may be asked once per interval after which its answer is too old. */
static int refuse_many(void *context)
{
	struct disk disk;
	uint32_t refused = 0;

	if (!on_disk(&disk, context))
		return CHILD_SKIPS;
	fill(&disk);
	memset(&calls, 0, sizeof(calls));
	int64_t start = support_now_ms();
	for (uint32_t i = 0; refused < REFUSALS; i++) {
		int r = add(&disk, i % disk.carts, 7, CORRAL_WORDS_MAX - 200);
		must(r == -ENOSPC || r == 0); /* a block that was free may have the size */
		refused += r != 0;
		must(i < 2 * REFUSALS);
	}
	int64_t took_ms = support_now_ms() - start;
	uint32_t asked_anew = (uint32_t)(took_ms / ASKED_ANEW_MS);
	print_message("%u refusals in %d ms: %u calls of fallocate, %u system calls\n", REFUSALS,
		      (int)took_ms, calls.fallocate, calls.all);
	must(calls.fallocate <= asked_anew + 2);
	corral_close(disk.corral);
	yard_check(&disk.yard, NULL);
	return 0;
}

static void a_refusal_does_not_ask_a_disk_that_was_just_found_full(void **state)
{
	(void)state;
	run(refuse_many);
}

static int make_room(void *context)
{
	char session[16];
	struct disk disk;

	if (!on_disk(&disk, context))
		return CHILD_SKIPS;
	fill(&disk);
	for (uint32_t number = 0; number < disk.carts; number++) {
		struct corral_key key = key_of(number, session);
		switch (number % 5) {
		case 0:
			must(corral_checkout(disk.corral, &key, NULL, NULL) == 0);
			break;
		case 1:
			must(corral_remove(disk.corral, &key, 1, NULL, NULL) == 0);
			break;
		case 2:
			must(corral_set_quantity(disk.corral, &key, 2, 0, NULL, NULL) == 0);
			break;
		case 3:
			must(corral_clear(disk.corral, &key, NULL, NULL) == 0);
			break;
		default:
			must(corral_checkout(disk.corral, &key, NULL, NULL) == 0);
			break;
		}
	}
	for (uint32_t number = 0; number < disk.carts; number++) {
		struct corral_key key = key_of(number, session);
		must(corral_drop(disk.corral, &key, NULL, NULL) == 0);
	}
	corral_close(disk.corral);
	yard_check(&disk.yard, NULL);
	return 0;
}

static void orders_can_be_closed_and_made_smaller_on_a_full_disk(void **state)
{
	(void)state;
	run(make_room);
}

/* Each check-out remembers one more operation, so the version may need a larger block. */
static int check_out_named(void *context)
{
	struct corral_op op = orders_op("the model's call", 0);
	char session[16];
	struct disk disk;

	if (!on_disk(&disk, context))
		return CHILD_SKIPS;
	fill(&disk);
	for (uint32_t number = 0; number < disk.carts; number++) {
		struct corral_key key = key_of(number, session);
		must(corral_checkout(disk.corral, &key, &op, NULL) == 0);
	}
	return 0;
}

static void orders_can_be_closed_under_an_operation_id_on_a_full_disk(void **state)
{
	(void)state;
	run(check_out_named);
}

static int fill_and_free(void *context)
{
	struct disk disk;

	if (!on_disk(&disk, context))
		return CHILD_SKIPS;
	int fd = openat(disk.yard.dir_fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && posix_fallocate(fd, 0, 3 << 20) == 0);
	close(fd);
	fill(&disk);
	must(unlinkat(disk.yard.dir_fd, "ballast", 0) == 0);
	must(wait_until(add(&disk, disk.carts, 0, 5000) == 0, SUPPORT_WAIT_MS));
	return 0;
}

static void changes_go_on_when_the_disk_has_room_again(void **state)
{
	(void)state;
	run(fill_and_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_does_not_ask_a_disk_that_was_just_found_full),
		cmocka_unit_test(orders_can_be_closed_and_made_smaller_on_a_full_disk),
		cmocka_unit_test(orders_can_be_closed_under_an_operation_id_on_a_full_disk),
		cmocka_unit_test(changes_go_on_when_the_disk_has_room_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
