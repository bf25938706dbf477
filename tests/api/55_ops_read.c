/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_read.c: views, copies and waiting.
 */
#include <pthread.h>
#include <signal.h>

#include "orders_support.h"

#include "base/atomic.h"

struct scene {
	struct yard *yard;
	struct corral *corral;
	struct corral_key key;
	uint64_t past;
	uint64_t version;
	int result;
	uint32_t waiting;
	uint32_t ready;
	uint32_t go;
};

static struct scene *scene_new(void **state)
{
	struct scene *scene = support_shared(sizeof(*scene));

	scene->yard = *state;
	scene->corral = yard_open(*state, 0);
	scene->key = orders_key("restaurant", "session");
	return scene;
}

static uint64_t add(struct scene *scene, const char *item)
{
	struct corral_result result = { 0 };

	assert_int_equal(orders_add(scene->corral, &scene->key, item, 100, 1, NULL, &result), 0);
	return result.version;
}

/* -------------------------------------------------------------------- views */

static void *change_a_lot(void *context)
{
	struct scene *scene = context;

	for (unsigned i = 0; i < 2000; i++) {
		must(orders_add(scene->corral, &scene->key, i % 2 == 0 ? "a" : "b", 100, 1, NULL,
				NULL) == 0);
		if (i % 100 == 0)
			must(corral_drop(scene->corral, &scene->key, NULL, NULL) == 0);
	}
	return NULL;
}

static void a_view_stays_as_it_was_while_others_change_and_drop_the_cart(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_view view;
	struct corral_item *item;
	pthread_t thread;
	char before[1024];

	(void)add(scene, "burger");
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &view), 0);
	size_t size = view.size;
	assert_true(size <= sizeof(before));
	memcpy(before, view.bytes, size);
	assert_int_equal(corral_view_item(&view, 0, &item), 0);
	assert_int_equal(pthread_create(&thread, NULL, change_a_lot, scene), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(view.size, size);
	assert_memory_equal(view.bytes, before, size);
	assert_memory_equal(item->menu_item_id.data, "burger", 6);
	corral_item_free(item);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(scene->corral);
}

static void views_nest_on_one_cart_and_on_several(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_key other = orders_key("restaurant", "other");
	struct corral_view outer, inner, third;
	struct corral_head head;

	(void)add(scene, "burger");
	assert_int_equal(orders_add(scene->corral, &other, "coke", 7, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &outer), 0);
	(void)add(scene, "fries"); /* a change inside the thread's own read */
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &inner), 0);
	assert_int_equal(corral_read_begin(scene->corral, &other, &third), 0);
	assert_int_equal(corral_view_head(&outer, &head), 0);
	assert_int_equal(head.line_count, 1);
	assert_int_equal(corral_view_head(&inner, &head), 0);
	assert_int_equal(head.line_count, 2);
	assert_int_equal(corral_read_end(&outer), 0); /* views may end in any order */
	assert_int_equal(corral_view_head(&third, &head), 0);
	assert_int_equal(head.total_cents, 7);
	assert_int_equal(corral_read_end(&third), 0);
	assert_int_equal(corral_view_head(&inner, &head), 0);
	assert_int_equal(head.total_cents, 200);
	assert_int_equal(corral_read_end(&inner), 0);
	assert_int_equal(corral_read_end(&inner), -EINVAL); /* a void view */
	assert_int_equal(corral_leave_thread(scene->corral), 0);
	corral_close(scene->corral);
}

static void a_view_shows_every_line_word_and_attribute(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_text table = T("table"), seven = T("7");
	struct corral_modifier modifier = { T("cheese"), 50 };
	const uint8_t packed[] = { 0xc3 }; /* true */
	struct corral_extra extra = { T("spicy"), packed, sizeof(packed) };
	struct corral_item item = orders_item("burger", 899, 2), *back;
	struct corral_attribute attribute;
	struct corral_line line;
	struct corral_view view;
	struct corral_key key;

	item.notes = T("no onion");
	item.modifiers = &modifier;
	item.extras = &extra;
	item.modifier_count = item.extra_count = 1;
	assert_int_equal(corral_add(scene->corral, &scene->key, &item, NULL, NULL), 0);
	assert_int_equal(
		corral_set_attribute(scene->corral, &scene->key, &table, &seven, NULL, NULL), 0);
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &view), 0);
	assert_int_equal(corral_view_key(&view, &key), 0);
	assert_memory_equal(key.session_id.data, "session", 7);
	assert_int_equal(corral_view_line(&view, 0, &line), 0);
	assert_int_equal(line.quantity, 2);
	assert_int_equal(line.modifiers_cents, 50);
	assert_int_equal(line.total_cents, 2 * 949);
	assert_int_equal(corral_view_line(&view, 1, &line), -ENXIO);
	assert_int_equal(corral_view_attribute(&view, 0, &attribute), 0);
	assert_memory_equal(attribute.value.data, "7", 1);
	assert_int_equal(corral_view_attribute(&view, 1, &attribute), -ENXIO);
	assert_int_equal(corral_view_item(&view, 1, &back), -ENXIO);
	assert_int_equal(corral_view_item(&view, 0, &back), 0);
	assert_memory_equal(back->notes.data, "no onion", 8);
	assert_int_equal(back->modifiers[0].price_cents, 50);
	assert_int_equal(back->extras[0].value_size, 1);
	assert_memory_equal(back->extras[0].value, packed, 1);
	corral_item_free(back);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(scene->corral);
}

static void a_copy_needs_exactly_the_room_it_says(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_view view;
	struct corral_head head;
	size_t size = 0, need = 0;

	(void)add(scene, "burger");
	assert_int_equal(corral_read_copy(scene->corral, &scene->key, NULL, 0, &need, &view),
			 -ENOBUFS);
	for (size_t room = 1; room < need; room += 13) {
		char *small = malloc(room); /* exactly the room, so a sanitizer reports an access
					       one byte past it */
		assert_int_equal(
			corral_read_copy(scene->corral, &scene->key, small, room, &size, &view),
			-ENOBUFS);
		assert_int_equal(size, need);
		free(small);
	}
	char *buffer = malloc(need);
	assert_int_equal(corral_read_copy(scene->corral, &scene->key, buffer, need, &size, &view),
			 0);
	assert_int_equal(size, need);
	assert_int_equal(corral_drop(scene->corral, &scene->key, NULL, NULL), 0);
	assert_int_equal(corral_leave_thread(scene->corral), 0); /* allowed: no section is open */
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(head.total_cents, 100);
	free(buffer);
	corral_close(scene->corral);
}

static void *end_anothers_view(void *context)
{
	return corral_read_end(context) == -EINVAL ? NULL : context;
}

static void a_view_belongs_to_its_thread(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_view view;
	pthread_t thread;
	void *wrong;

	(void)add(scene, "burger");
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &view), 0);
	assert_int_equal(corral_leave_thread(scene->corral), -EBUSY);
	assert_int_equal(pthread_create(&thread, NULL, end_anothers_view, &view), 0);
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(scene->corral);
}

/* ------------------------------------------------------------------ waiting */

static void *wait_for_change(void *context)
{
	struct scene *scene = context;

	store_release(&scene->waiting, 1);
	scene->result = corral_wait(scene->corral, &scene->key, scene->past, SUPPORT_WAIT_MS, NULL,
				    &scene->version);
	return NULL;
}

static int wait_in_a_process(void *context)
{
	(void)wait_for_change(
		context); /* the handle is the parent's: the child attaches by itself */
	return 0;
}

/* Run a waiter, as a process or a thread; call act() once it waits, and collect its answer. */
static void wait_while(struct scene *scene, bool process, void (*act)(struct scene *scene))
{
	pthread_t thread;
	pid_t pid = 0;

	scene->waiting = 0;
	if (process)
		pid = child_start(wait_in_a_process, scene);
	else
		assert_int_equal(pthread_create(&thread, NULL, wait_for_change, scene), 0);
	assert_true(wait_until(load_acquire(&scene->waiting) != 0, SUPPORT_WAIT_MS));
	support_sleep_us(
		20000); /* most likely it is asleep by now; the test is right in either case */
	act(scene);
	if (process)
		assert_int_equal(child_wait(pid), 0);
	else
		assert_int_equal(pthread_join(thread, NULL), 0);
}

static void act_add(struct scene *scene)
{
	(void)add(scene, "coke");
}

static void act_drop(struct scene *scene)
{
	assert_int_equal(corral_drop(scene->corral, &scene->key, NULL, NULL), 0);
}

static void act_shorten(struct scene *scene)
{
	assert_int_equal(corral_set_ttl(scene->corral, &scene->key, CORRAL_TTL_MS_MIN, NULL, NULL),
			 0);
}

static void each_waiter(void **state, bool process)
{
	struct scene *scene = scene_new(state);

	scene->past = 0;
	wait_while(scene, process, act_add);
	assert_int_equal(scene->result, 0); /* for a cart to begin */
	assert_int_equal(scene->version, 1);
	scene->past = 1;
	wait_while(scene, process, act_add);
	assert_int_equal(scene->result, 0); /* for a change */
	assert_int_equal(scene->version, 2);
	scene->past = 2;
	wait_while(scene, process, act_drop);
	assert_int_equal(scene->result, -ENOENT); /* for a cart that ends */
	assert_int_equal(scene->version, 2);
	corral_close(scene->corral);
}

static void a_waiting_thread_hears_of_beginning_change_and_end(void **state)
{
	each_waiter(state, false);
}

static void a_waiting_process_hears_of_beginning_change_and_end(void **state)
{
	NEEDS_PROCESSES();
	each_waiter(state, true);
}

static void a_waiter_hears_when_the_cart_ends_by_inactivity(void **state)
{
	struct scene *scene = scene_new(state);

	scene->past = add(scene, "burger") + 1; /* the next change is that of the time to live */
	wait_while(scene, false, act_shorten);
	assert_int_equal(scene->result, -ENOENT);
	corral_close(scene->corral);
}

static void waiting_ends_at_once_when_there_is_something_and_in_time_when_not(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral_view view;
	uint64_t version = 99;

	assert_int_equal(corral_wait(scene->corral, &scene->key, 1, -1, NULL, &version), -ENOENT);
	assert_int_equal(corral_wait(scene->corral, &scene->key, 0, 0, NULL, &version), -ETIMEDOUT);
	int64_t before = support_now_ms();
	assert_int_equal(corral_wait(scene->corral, &scene->key, 0, 300, NULL, &version),
			 -ETIMEDOUT);
	assert_true(support_now_ms() - before >= 299);
	(void)add(scene, "burger");
	before = support_now_ms();
	assert_int_equal(corral_wait(scene->corral, &scene->key, 1, 30, NULL, &version),
			 -ETIMEDOUT);
	assert_true(support_now_ms() - before >= 29);
	assert_int_equal(version, 99); /* untouched on failure */
	assert_int_equal(corral_wait(scene->corral, &scene->key, 0, -1, NULL, &version), 0);
	assert_int_equal(version, 1);
	assert_int_equal(corral_read_begin(scene->corral, &scene->key, &view), 0);
	assert_int_equal(corral_wait(scene->corral, &scene->key, 1, 10, NULL, &version),
			 -EDEADLK); /* waiting would hold memory back */
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(scene->corral);
}

static void nothing(int number)
{
	(void)number;
}

static int wait_until_signalled(void *context)
{
	struct sigaction action = { .sa_handler = nothing };
	struct scene *scene = context;
	uint64_t version;

	must(sigaction(SIGUSR1, &action, NULL) == 0);
	store_release(&scene->ready, 1);
	must(corral_wait(scene->corral, &scene->key, scene->past, SUPPORT_WAIT_MS, NULL,
			 &version) == -EINTR);
	store_release(&scene->go, 1);
	return 0;
}

static void a_signal_interrupts_waiting(void **state)
{
	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state);

	scene->past = add(scene, "burger");
	pid_t pid = child_start(wait_until_signalled, scene);
	assert_true(wait_until(load_acquire(&scene->ready) != 0, SUPPORT_WAIT_MS));
	assert_true(
		wait_until((kill(pid, SIGUSR1), load_acquire(&scene->go) != 0), SUPPORT_WAIT_MS));
	assert_int_equal(child_wait(pid), 0);
	corral_close(scene->corral);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_view_stays_as_it_was_while_others_change_and_drop_the_cart),
		CASE(views_nest_on_one_cart_and_on_several),
		CASE(a_view_shows_every_line_word_and_attribute),
		CASE(a_copy_needs_exactly_the_room_it_says),
		CASE(a_view_belongs_to_its_thread),
		CASE(a_waiting_thread_hears_of_beginning_change_and_end),
		CASE(a_waiting_process_hears_of_beginning_change_and_end),
		CASE(a_waiter_hears_when_the_cart_ends_by_inactivity),
		CASE(waiting_ends_at_once_when_there_is_something_and_in_time_when_not),
		CASE(a_signal_interrupts_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
