/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_stack.c: a call needs no more stack than corral(3) says.
 *
 * Each call runs on a thread whose stack was painted before; the bytes that lost their paint were
 * used. The use of a thread that does nothing is subtracted. Sanitizers have larger frames: nothing
 * is measured there.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "orders_support.h"

#define PAINT 0xa5
#define KIB 1024u

/* The limits in corral(3), section "Stack". */
#define ANY_CALL_BYTES (12 * KIB)
#define OPEN_BYTES (16 * KIB)
#define LARGE_REPLACE_BYTES (40 * KIB) /* of 4096 lines */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEASURED false
#endif
#endif
#ifndef MEASURED
#define MEASURED true
#endif
#define STACK_BYTES ((MEASURED ? 512 : 8192) * KIB) /* sanitizers need much stack themselves */

struct stage {
	struct yard *yard;
	struct corral *corral;
	struct corral_key key;
	struct corral_cart *cart; /* replaces the existing cart */
	uint8_t *buffer;
	void (*call)(struct stage *stage);
};

static void *play(void *context)
{
	struct stage *stage = context;

	stage->call(stage);
	return NULL;
}

static size_t stack_of(struct stage *stage, void (*call)(struct stage *stage))
{
	uint8_t *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;
	size_t untouched = 0;

	assert_ptr_not_equal(stack, MAP_FAILED);
	memset(stack, PAINT, STACK_BYTES);
	stage->call = call;
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attributes, play, stage), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	while (untouched < STACK_BYTES && stack[untouched] == PAINT)
		untouched++;
	munmap(stack, STACK_BYTES);
	return STACK_BYTES - untouched;
}

/* ------------------------------------------------------------------- calls */

static void nothing(struct stage *stage)
{
	(void)stage;
}

static void add_small(struct stage *stage)
{
	must(orders_add(stage->corral, &stage->key, "coke", 199, 1, "id", NULL) == 0);
}

static void add_large(struct stage *stage)
{
	static char notes[CORRAL_WORDS_MAX - 100];
	struct corral_item item = orders_item("tea", 99, 1);

	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	must(corral_add(stage->corral, &stage->key, &item, NULL, NULL) == 0);
}

static void quantity(struct stage *stage)
{
	must(corral_set_quantity(stage->corral, &stage->key, 1, 7, NULL, NULL) == 0);
}

static void tax(struct stage *stage)
{
	must(corral_set_tax(stage->corral, &stage->key, 7, NULL, NULL) == 0);
}

static void attribute(struct stage *stage)
{
	struct corral_text name = corral_text("table"), value = corral_text("7");

	must(corral_set_attribute(stage->corral, &stage->key, &name, &value, NULL, NULL) == 0);
}

static void ttl(struct stage *stage)
{
	must(corral_set_ttl(stage->corral, &stage->key, 60000, NULL, NULL) == 0);
}

static void get(struct stage *stage)
{
	struct corral_cart *cart;

	must(corral_get(stage->corral, &stage->key, &cart) == 0);
	corral_cart_free(cart);
}

static void view(struct stage *stage)
{
	struct corral_view of;
	struct corral_item *item;

	must(corral_read_begin(stage->corral, &stage->key, &of) == 0);
	must(corral_view_verify(&of) == 0);
	must(corral_view_item(&of, 0, &item) == 0);
	corral_item_free(item);
	must(corral_read_end(&of) == 0);
}

static void copy(struct stage *stage)
{
	struct corral_view of;
	size_t size;

	must(corral_read_copy(stage->corral, &stage->key, stage->buffer, CORRAL_CART_MAX, &size,
			      &of) == 0);
}

static void read_flat(struct stage *stage)
{
	static double numbers[1u << 17];
	struct corral_flat flat = { .numbers = numbers,
				    .number_room = COUNT(numbers),
				    .text = (char *)stage->buffer,
				    .text_room = CORRAL_CART_MAX,
				    .unit = CORRAL_FLAT_UTF16 };

	must(corral_read_flat(stage->corral, &stage->key, &flat) == 0);
}

static void list(struct stage *stage)
{
	static struct corral_entry rows[8];
	size_t count;

	must(support_list(stage->corral, NULL, rows, COUNT(rows), &count) == 0);
}

static void stats(struct stage *stage)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	size_t count;

	must(corral_stats(stage->corral, rows, COUNT(rows), &count) == 0);
}

static void wait_for_it(struct stage *stage)
{
	uint64_t version;

	must(corral_wait(stage->corral, &stage->key, 0, 0, NULL, &version) == 0);
}

static void sync_now(struct stage *stage)
{
	must(corral_sync(stage->corral, -1, NULL) < 0); /* no agent runs */
}

static void apply_of(struct stage *stage, uint32_t count)
{
	static struct corral_step steps[CORRAL_STEPS_MAX];
	static struct corral_item tea;
	struct corral_content now = { .buffer = stage->buffer,
				      .size = CORRAL_CART_MAX,
				      .decode = 1 };
	struct corral_op op = { .now = &now };

	tea = orders_item("tea", 99, 1);
	for (uint32_t i = 0; i < count; i++)
		steps[i] = (struct corral_step){ .kind = CORRAL_STEP_ADD, .item = &tea };
	must(corral_apply(stage->corral, &stage->key, steps, count, &op, NULL, NULL) == 0);
	corral_cart_free(now.cart);
}

static void apply_few(struct stage *stage)
{
	apply_of(stage, 3);
}

static void apply_many(struct stage *stage)
{
	apply_of(stage, CORRAL_STEPS_MAX);
}

static void replace(struct stage *stage)
{
	struct corral_view of;
	must(corral_read_begin(stage->corral, &stage->key, &of) == 0);
	struct corral_op op = { .if_version = of.version };
	must(corral_read_end(&of) == 0);
	must(corral_replace(stage->corral, &stage->key, stage->cart, &op, NULL) == 0);
}

static void checkout(struct stage *stage)
{
	must(corral_checkout(stage->corral, &stage->key, NULL, NULL) == 0);
}

static void drop(struct stage *stage)
{
	must(corral_drop(stage->corral, &stage->key, NULL, NULL) == 0);
}

static void open_and_close(struct stage *stage)
{
	struct corral *corral;

	must(corral_open(stage->yard->path, 0, &corral) == 0);
	corral_close(corral);
}

/* ------------------------------------------------------------------- claims */

static void fits(struct stage *stage, const char *name, void (*call)(struct stage *stage),
		 size_t bytes)
{
	size_t none = stack_of(stage, nothing), used = stack_of(stage, call);

	used -= used > none ? none : used;
	print_message("%-16s %6zu bytes of stack\n", name, used);
	if (MEASURED && used > bytes)
		fail_msg("%s needs %zu bytes of stack, not %zu", name, used, bytes);
}

#define FITS(call) fits(&stage, #call, call, ANY_CALL_BYTES)

static void no_call_needs_more_stack_than_the_manual_says(void **state)
{
	struct stage stage = { .yard = *state,
			       .corral = yard_open(*state, 0),
			       .key = orders_key("r", "s"),
			       .buffer = malloc(CORRAL_CART_MAX) };

	assert_non_null(stage.buffer);
	FITS(add_small);
	FITS(add_large);
	FITS(quantity);
	FITS(tax);
	FITS(attribute);
	FITS(apply_few);
	FITS(apply_many);
	FITS(ttl);
	FITS(get);
	FITS(view);
	FITS(copy);
	FITS(read_flat);
	FITS(list);
	FITS(stats);
	FITS(wait_for_it);
	FITS(sync_now);
	assert_int_equal(corral_get(stage.corral, &stage.key, &stage.cart), 0);
	FITS(replace);
	corral_cart_free(stage.cart);
	FITS(checkout);
	FITS(drop);
	fits(&stage, "open", open_and_close, OPEN_BYTES);
	free(stage.buffer);
	corral_close(stage.corral);
}

static void the_largest_replacement_needs_no_more_stack_than_the_manual_says(void **state)
{
	struct stage stage = { .yard = *state,
			       .corral = yard_open(*state, 0),
			       .key = orders_key("r", "s") };
	struct corral_cart cart = { .line_count = CORRAL_LINES_MAX };

	cart.lines = calloc(CORRAL_LINES_MAX, sizeof(*cart.lines));
	assert_non_null(cart.lines);
	for (uint32_t i = 0; i < CORRAL_LINES_MAX; i++)
		cart.lines[i].item = orders_item("i", i, 1);
	stage.cart = &cart;
	add_small(&stage);
	fits(&stage, "large replace", replace, LARGE_REPLACE_BYTES);
	free(cart.lines);
	corral_close(stage.corral);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(no_call_needs_more_stack_than_the_manual_says),
		CASE(the_largest_replacement_needs_no_more_stack_than_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
