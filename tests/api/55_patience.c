/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_patience.c: a call's own patience. The handle's is an hour here, so a call that did not obey
 * its own would outlast the test.
 */
#include "api/handle.h"
#include "orders_support.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define HOUR_MS 3600000u

struct scene {
	struct corral *corral;
	struct corral_key key;
	pthread_barrier_t barrier;
	bool bucket; /* its lock is held, not the slot's */
};

static struct slot *slot_of(struct actor *actor, const struct corral_key *key)
{
	struct found found = { 0 };

	grace_enter(actor);
	must(slot_find(actor->arena, slot_hash(actor->arena, key), key, &found) == 0);
	grace_leave(actor);
	return found.slot;
}

/* Holds a lock from the first barrier to the second. */
static void *hold(void *context)
{
	struct scene *scene = context;
	struct actor *actor;

	must(handle_actor(scene->corral, &actor) == 0);
	struct slot *slot = scene->bucket ? NULL : slot_of(actor, &scene->key);
	struct bucket *bucket = slot_bucket(actor->arena, slot_hash(actor->arena, &scene->key));
	lock_word *word = scene->bucket ? &bucket->lock : &slot->lock;
	enum lock_level level = scene->bucket ? LOCK_BUCKET : LOCK_SLOT;

	slot_want(actor, scene->bucket ? bucket : NULL, slot);
	must(lock_take(actor, word, level) == 0);
	(void)pthread_barrier_wait(&scene->barrier);
	(void)pthread_barrier_wait(&scene->barrier);
	lock_drop(actor, word, level);
	return NULL;
}

static void set_scene(struct scene *scene, void **state)
{
	memset(scene, 0, sizeof(*scene));
	scene->corral = yard_open(*state, 0);
	scene->key = orders_key("restaurant", "session");
	assert_int_equal(pthread_barrier_init(&scene->barrier, NULL, 2), 0);
	assert_int_equal(corral_set_patience(scene->corral, HOUR_MS), 0);
	assert_int_equal(orders_add(scene->corral, &scene->key, "tea", 100, 1, NULL, NULL), 0);
}

static void clear_scene(struct scene *scene)
{
	pthread_barrier_destroy(&scene->barrier);
	corral_close(scene->corral);
}

static struct corral_op patience(uint32_t patience_ms)
{
	return (struct corral_op){ .flags = CORRAL_OP_PATIENCE, .patience_ms = patience_ms };
}

static int add(const struct scene *scene, const struct corral_op *op)
{
	struct corral_item tea = orders_item("tea", 100, 1);

	return corral_add(scene->corral, &scene->key, &tea, op, NULL);
}

static void a_call_waits_no_longer_than_it_was_told(void **state)
{
	struct corral_op at_once = patience(0), soon = patience(20);
	struct corral_head head;
	struct scene scene;
	pthread_t holder;

	set_scene(&scene, state);
	for (int round = 0; round < 2; round++) {
		scene.bucket = round == 1;
		assert_int_equal(pthread_create(&holder, NULL, hold, &scene), 0);
		(void)pthread_barrier_wait(&scene.barrier);
		if (!scene.bucket) { /* a change of a cart that is there wants no bucket */
			assert_int_equal(add(&scene, &at_once), -EBUSY);
			assert_int_equal(add(&scene, &soon), -EBUSY);
		}
		assert_int_equal(corral_drop(scene.corral, &scene.key, &at_once, NULL), -EBUSY);
		assert_int_equal(corral_drop(scene.corral, &scene.key, &soon, NULL), -EBUSY);
		(void)pthread_barrier_wait(&scene.barrier);
		assert_int_equal(pthread_join(holder, NULL), 0);
	}
	assert_int_equal(orders_head(scene.corral, &scene.key, &head), 0);
	assert_int_equal(head.version, 1);
	/*
	 * no other process is in the way: the patience does not matter, and the next call has the
	 * handle's
	 */
	assert_int_equal(add(&scene, &at_once), 0);
	assert_int_equal(add(&scene, NULL), 0);
	clear_scene(&scene);
}

/* A deadline that one call's waits have set is gone with the call. */
static void the_next_call_has_the_handles_patience_again(void **state)
{
	struct actor *actor;
	struct scene scene;
	pthread_t holder;

	set_scene(&scene, state);
	assert_int_equal(corral_set_patience(scene.corral, 5), 0);
	assert_int_equal(pthread_create(&holder, NULL, hold, &scene), 0);
	(void)pthread_barrier_wait(&scene.barrier);
	assert_int_equal(add(&scene, NULL), -EBUSY);
	assert_int_equal(handle_actor(scene.corral, &actor), 0);
	assert_int_equal(actor->give_up_ns, 0);
	assert_int_equal(corral_set_patience(scene.corral, HOUR_MS), 0);
	(void)pthread_barrier_wait(&scene.barrier); /* it lets go while we wait, or just before */
	assert_int_equal(add(&scene, NULL), 0);
	assert_int_equal(pthread_join(holder, NULL), 0);
	clear_scene(&scene);
}

static void a_patient_call_outwaits_an_impatient_handle(void **state)
{
	struct corral_op hour = patience(HOUR_MS);
	struct scene scene;
	pthread_t holder;

	set_scene(&scene, state);
	assert_int_equal(corral_set_patience(scene.corral, 0), 0);
	assert_int_equal(pthread_create(&holder, NULL, hold, &scene), 0);
	(void)pthread_barrier_wait(&scene.barrier);
	assert_int_equal(add(&scene, NULL), -EBUSY);
	(void)pthread_barrier_wait(&scene.barrier); /* it lets go while we wait, or just before */
	assert_int_equal(add(&scene, &hour), 0);
	assert_int_equal(pthread_join(holder, NULL), 0);
	clear_scene(&scene);
}

static void wrong_options_are_refused(void **state)
{
	struct corral_op unknown = { .flags = 1u << 31 }, long_wait = patience(HOUR_MS + 1);
	struct corral_op unused = { .patience_ms = HOUR_MS + 1 };
	struct corral_op no_disk = { .flags = CORRAL_OP_NO_DISK };
	struct corral_head head;
	struct scene scene;

	set_scene(&scene, state);
	assert_int_equal(add(&scene, &unknown), -EINVAL);
	assert_int_equal(add(&scene, &long_wait), -ERANGE);
	assert_int_equal(orders_head(scene.corral, &scene.key, &head), 0);
	assert_int_equal(head.version, 1);
	assert_int_equal(add(&scene, &unused), 0);
	assert_int_equal(add(&scene, &no_disk), 0); /* where no change waits for it, too */
	clear_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_waits_no_longer_than_it_was_told,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_next_call_has_the_handles_patience_again,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(a_patient_call_outwaits_an_impatient_handle,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(wrong_options_are_refused, orders_setup,
						orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
