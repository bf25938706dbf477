/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_wait_any.c: one thread waits for many things at once: each of them is decided as a wait of its
 * own would be, whether the kernel lets it sleep on many words or not.
 */
#include <sys/syscall.h>

#include "orders_support.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define CARTS 200u /* more than the kernel takes words */

struct scene {
	const struct yard *yard;
	struct corral *corral;
	char names[CARTS][8];
	struct corral_awaited awaited[CARTS];
	struct corral_awaited *list[CARTS];
	uint32_t cancel;
};

/* Wait for the next change of each cart, each of which has version 1. */
static void await_all(struct scene *scene)
{
	for (uint32_t i = 0; i < CARTS; i++) {
		snprintf(scene->names[i], sizeof(scene->names[i]), "s%u", i);
		scene->awaited[i] = (struct corral_awaited){
			.corral = scene->corral,
			.key = orders_key("r", scene->names[i]),
			.past_version = 1,
			.result = -EAGAIN,
		};
		scene->list[i] = &scene->awaited[i];
	}
}

static int wait_any(struct scene *scene, int timeout_ms)
{
	return corral_wait_any(scene->list, CARTS, timeout_ms, &scene->cancel);
}

static int add_to(struct scene *scene, uint32_t cart)
{
	return orders_add(scene->corral, &scene->awaited[cart].key, "tea", 199, 1, NULL, NULL);
}

static void *add_to_each(void *context)
{
	struct scene *scene = context;

	for (uint32_t i = CARTS; i-- > 0;)
		must(add_to(scene, i) == 0);
	return NULL;
}

static uint32_t count_decided(const struct scene *scene)
{
	uint32_t decided = 0;

	for (uint32_t i = 0; i < CARTS; i++) {
		if (scene->awaited[i].result == -EAGAIN)
			continue;
		must(scene->awaited[i].result == 0 && scene->awaited[i].version == 2);
		decided++;
	}
	return decided;
}

static void every_change_is_noticed(struct scene *scene)
{
	pthread_t thread;

	must(wait_any(scene, 0) == -ETIMEDOUT && count_decided(scene) == 0);
	must(pthread_create(&thread, NULL, add_to_each, scene) == 0);
	while (count_decided(scene) < CARTS)
		must(wait_any(scene, -1) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(wait_any(scene, 1) == -ETIMEDOUT); /* those that are decided do not count */
}

static void *cancel_it(void *context)
{
	support_sleep_us(20000); /* most likely the other one sleeps by now */
	corral_cancel(context);
	return NULL;
}

static void a_cancel_ends_it(struct scene *scene)
{
	pthread_t thread;

	scene->awaited[7].result = -EAGAIN;
	scene->awaited[7].past_version = 2;
	must(pthread_create(&thread, NULL, cancel_it, &scene->cancel) == 0);
	must(wait_any(scene, -1) == -ECANCELED && scene->awaited[7].result == -EAGAIN);
	must(pthread_join(thread, NULL) == 0);
	/* what is there is reported all the same */
	must(add_to(scene, 7) == 0);
	must(wait_any(scene, -1) == 0 && scene->awaited[7].version == 3);
	scene->cancel = 0;
}

static void each_has_its_own_end(struct scene *scene)
{
	struct corral_key absent = orders_key("r", "absent");
	struct corral_awaited gone = {
		.corral = scene->corral, .key = absent, .past_version = 1, .result = -EAGAIN
	};
	struct corral_awaited coming = { .corral = scene->corral,
					 .key = absent,
					 .result = -EAGAIN };
	struct corral_awaited half = { .corral = scene->corral, .result = -EAGAIN };
	struct corral_awaited disk = { .corral = scene->corral, .result = -EAGAIN };
	struct corral_awaited *list[] = { &gone, &coming, &half, &disk };

	half.key.session_id = absent.session_id;
	must(corral_wait_any(list, 4, -1, NULL) == 0);
	must(gone.result == -ENOENT && coming.result == -EAGAIN && half.result == -EINVAL);
	must(disk.result == corral_sync(scene->corral, 0, NULL)); /* no agent runs */
	must(corral_wait_any(list, 4, 30, NULL) == -ETIMEDOUT);
	must(orders_add(scene->corral, &absent, "tea", 199, 1, NULL, NULL) == 0);
	must(corral_wait_any(list, 4, -1, NULL) == 0);
	must(coming.result == 0 && coming.version == 1);
}

static int play(void *context)
{
	struct scene *scene = context;

	scene->corral = yard_open(scene->yard, 0);
	await_all(scene);
	for (uint32_t i = 0; i < CARTS; i++)
		must(add_to(scene, i) == 0);
	every_change_is_noticed(scene);
	a_cancel_ends_it(scene);
	each_has_its_own_end(scene);
	corral_close(scene->corral);
	return 0;
}

static void one_thread_waits_for_many(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->yard = *state;
	assert_int_equal(play(scene), 0);
	free(scene);
}

static int play_refused(void *context)
{
	return support_filter_call(SYS_futex_waitv, ENOSYS) ? play(context) : CHILD_SKIPS;
}

static void one_thread_waits_for_many_without_futex_waitv(void **state)
{
	int code;

	NEEDS_PROCESSES();
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	scene->yard = *state;
	code = child_wait(child_start(play_refused, scene));
	free(scene);
	if (code == CHILD_SKIPS)
		skip_because("no seccomp filters here");
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_thread_waits_for_many, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(one_thread_waits_for_many_without_futex_waitv,
						orders_setup, orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
