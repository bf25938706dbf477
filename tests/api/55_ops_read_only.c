/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_read_only.c: on a read-only mount, as a container may have it, carts can be read while
 * other processes change them; the reader writes nothing and has no record.
 */
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "api/copy.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "orders_support.h"

#define ROUNDS 20000u
#define CARTS 3u

struct show {
	struct yard yard;
	uint32_t shown; /* the reader is done */
};

static const char *const sessions[CARTS] = { "a", "b", "c" };

/* Mount the yard read-only, in a new mount namespace: 0, or CHILD_SKIPS. */
static int mount_read_only(const struct yard *yard)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(yard->path, yard->path, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, yard->path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return CHILD_SKIPS;
	return 0;
}

static void is_whole(const struct corral_cart *cart)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < cart->line_count; i++)
		sum += cart->lines[i].total_cents;
	must(sum == cart->head.subtotal_cents);
}

static void read_views(struct corral *corral, const struct corral_key *key)
{
	static uint8_t buffer[CORRAL_CART_MAX];
	struct corral_view view, again;
	struct corral_head head;
	size_t size;

	must(corral_read_begin(corral, key, &view) == 0);
	must(corral_read_begin(corral, key, &again) == 0); /* nested views */
	must(corral_view_verify(&view) == 0);
	must(corral_view_head(&view, &head) == 0);
	must(head.version == view.version && again.version >= view.version);
	must(corral_view_expires_ms(&view) > 0);
	must(corral_read_end(&again) == 0);
	must(corral_read_end(&view) == 0);
	must(corral_read_copy(corral, key, buffer, sizeof(buffer), &size, &view) == 0);
	must(corral_view_verify(&view) == 0);
}

static void list_all(struct corral *corral)
{
	const struct corral_text restaurant = corral_text("r");
	struct corral_entry rows[CARTS + 1];
	size_t count;

	must(support_list(corral, &restaurant, rows, COUNT(rows), &count) == 0);
	must(count == CARTS);
}

static void copy_all(struct corral *corral)
{
	static uint8_t buffer[CORRAL_CART_MAX];
	uint64_t idle_ns;
	size_t size;
	uint32_t carts = 0;

	for (uint32_t number = 0; number < copy_slots(corral); number++) {
		int r = copy_slot(corral, number, buffer, &size, &idle_ns);
		must(r == 0 || r == -ENOENT);
		carts += r == 0;
	}
	must(carts == CARTS);
}

static void refuses_changes(struct corral *corral, const struct corral_key *key)
{
	struct corral_key absent = orders_key("r", "none");
	uint32_t cancelled = 1;
	uint64_t version = 0;
	struct corral_cart *cart;

	must(orders_add(corral, key, "coke", 199, 1, NULL, NULL) == -EROFS);
	must(corral_drop(corral, key, NULL, NULL) == -EROFS);
	must(corral_sync(corral, -1, NULL) == -EROFS);
	must(corral_get(corral, &absent, &cart) == -ENOENT);
	must(corral_wait(corral, &absent, 0, 0, NULL, &version) == -ETIMEDOUT);
	must(corral_wait(corral, &absent, 1, 0, NULL, &version) == -ENOENT);
	must(corral_wait(corral, &absent, 0, -1, &cancelled, &version) == -ECANCELED);
	must(corral_wait(corral, key, 0, -1, NULL, &version) == 0 && version > 0);
	must(corral_leave_thread(corral) == 0);
}

/* The reader has no record, so the other process is the only one. */
static void count_processes(struct corral *corral)
{
	struct corral_stat rows[CORRAL_STATS_MAX];
	size_t count, seen = 0;

	must(corral_stats(corral, rows, COUNT(rows), &count) == 0);
	for (size_t i = 0; i < count; i++) {
		seen += strcmp(rows[i].name, "processes") == 0 && rows[i].value == 1;
		seen += strcmp(rows[i].name, "carts_open") == 0 && rows[i].value == CARTS;
	}
	must(seen == 2);
	must(corral_set_label(corral, T("reader")) == -EROFS);
}

static int look_on(void *context)
{
	struct show *show = context;
	struct corral_key key = orders_key("r", sessions[0]);
	struct corral *corral;
	uint64_t last[CARTS] = { 0 };

	if (mount_read_only(&show->yard) != 0)
		return CHILD_SKIPS;
	must(corral_open(show->yard.path, 0, &corral) == -EROFS);
	must(corral_open(show->yard.path, CORRAL_READ_ONLY, &corral) == 0);
	must(corral->arena.header->processes_high == 1);
	refuses_changes(corral, &key);
	count_processes(corral);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct corral_cart *cart;

		key = orders_key("r", sessions[round % CARTS]);
		must(corral_get(corral, &key, &cart) == 0);
		is_whole(cart);
		must(cart->head.version >= last[round % CARTS]);
		last[round % CARTS] = cart->head.version;
		corral_cart_free(cart);
		if (round % 50 != 0)
			continue;
		read_views(corral, &key);
		list_all(corral);
		copy_all(corral);
	}
	must(corral->arena.header->processes_high == 1);
	must(last[0] > 2 && last[1] > 2); /* another process did change them */
	corral_close(corral);
	return 0;
}

static int watch(void *context)
{
	struct show *show = context;
	int r = look_on(show);

	store_release(&show->shown, 1);
	return r;
}

/* Add and remove lines, so that blocks of many classes are retired and reused at once. */
static void change_until_shown(struct show *show, struct corral *corral)
{
	struct corral_key key;
	char id[16];

	for (uint32_t i = 0; load_acquire(&show->shown) == 0 && i < 100 * ROUNDS; i++) {
		key = orders_key("r", sessions[i % CARTS]);
		snprintf(id, sizeof(id), "i%u", i / CARTS % 40);
		if (i / CARTS % 40 == 0)
			assert_int_equal(corral_clear(corral, &key, NULL, NULL), 0);
		assert_int_equal(orders_add(corral, &key, id, 199, 1, NULL, NULL), 0);
	}
}

static void carts_are_read_on_a_read_only_mount_while_others_change_them(void **state)
{
	struct show *show = support_shared(sizeof(*show));
	struct corral *corral;

	NEEDS_PROCESSES();
	show->yard = *(struct yard *)*state;
	corral = yard_open(&show->yard, 0);
	for (uint32_t i = 0; i < CARTS; i++) {
		struct corral_key key = orders_key("r", sessions[i]);
		assert_int_equal(orders_add(corral, &key, "i", 99, 1, NULL, NULL), 0);
	}
	pid_t pid = child_start(watch, show);
	change_until_shown(show, corral);
	int code = child_wait(pid);
	corral_close(corral);
	if (code == CHILD_SKIPS)
		skip_because("a read-only mount cannot be made here");
	assert_int_equal(code, 0);
	yard_check(&show->yard, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			carts_are_read_on_a_read_only_mount_while_others_change_them, orders_setup,
			orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
