/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_history.c: the calls on a cart are linearizable.
 *
 * Workers do random operations on a few carts and record each answer. Every change answers with the
 * version that it made and every read with the version that it saw, so the order is known. Sorted
 * by (cart, version), the events have no gap and no duplicate; replaying the changes in that order
 * gives each answer, each state that a reader saw, and the final carts. No worker sees a version go
 * back.
 */
#include "orders_support.h"

#define WORKERS 8u
#define OPERATIONS 3000u
#define CARTS 3u
#define ITEMS 6u
#define LINES_MAX 64u

enum kind {
	CHANGE_ADD,
	CHANGE_SET,
	CHANGE_REMOVE,
	CHANGE_CLEAR,
	CHANGE_TAX,
	CHANGE_CHECKOUT,
	DROP,
	READ
};

struct event {
	enum kind kind;
	uint32_t cart;
	uint32_t item;     /* ADD */
	uint32_t quantity; /* ADD, SET */
	uint32_t line;     /* SET, REMOVE */
	uint32_t tax_ppm;  /* TAX, READ */
	uint32_t lines;    /* READ */
	struct corral_result result;
};

struct history {
	struct yard yard;
	struct corral *corral;
	pthread_barrier_t barrier;
	uint32_t counts[WORKERS];
	struct event events[WORKERS][OPERATIONS];
};

/* ------------------------------------------------------------------ workers */

static int64_t price_of(uint32_t item)
{
	return 99 + 250 * (int64_t)item;
}

static struct corral_key key_of(uint32_t cart)
{
	static const char *const sessions[CARTS] = { "first", "second", "third" };

	return orders_key("restaurant", sessions[cart]);
}

static enum kind choose(uint64_t *random)
{
	static const uint8_t weights[] = {
		40, 12, 8, 2, 6, 1, 2, 29
	}; /* of each kind, in percent */
	uint32_t at = random_below(random, 100);
	uint32_t kind = 0;

	while (at >= weights[kind])
		at -= weights[kind++];
	return kind;
}

static int read_cart(struct corral *corral, const struct corral_key *key, struct event *event)
{
	struct corral_head head;
	int r = orders_head(corral, key, &head);

	if (r == 0) {
		event->result = (struct corral_result){ .version = head.version,
							.subtotal_cents = head.subtotal_cents,
							.tax_cents = head.tax_cents,
							.total_cents = head.total_cents,
							.item_count = head.item_count,
							.status = (uint8_t)head.status };
		event->tax_ppm = head.tax_ppm;
		event->lines = head.line_count;
	}
	return r;
}

static int operate(struct corral *corral, struct event *event, uint64_t *random)
{
	struct corral_key key = key_of(event->cart);
	char menu_item_id[16];

	switch (event->kind) {
	case CHANGE_ADD:
		event->item = random_below(random, ITEMS);
		event->quantity = 1 + random_below(random, 3);
		snprintf(menu_item_id, sizeof(menu_item_id), "item-%u", event->item);
		return orders_add(corral, &key, menu_item_id, price_of(event->item),
				  event->quantity, NULL, &event->result);
	case CHANGE_SET:
		event->line = 1 + random_below(random, 12);
		event->quantity = random_below(random, 4);
		return corral_set_quantity(corral, &key, event->line, event->quantity, NULL,
					   &event->result);
	case CHANGE_REMOVE:
		event->line = 1 + random_below(random, 12);
		return corral_remove(corral, &key, event->line, NULL, &event->result);
	case CHANGE_CLEAR:
		return corral_clear(corral, &key, NULL, &event->result);
	case CHANGE_TAX:
		event->tax_ppm = random_below(random, 200000);
		return corral_set_tax(corral, &key, event->tax_ppm, NULL, &event->result);
	case CHANGE_CHECKOUT:
		return corral_checkout(corral, &key, NULL, &event->result);
	case DROP:
		return corral_drop(corral, &key, NULL, &event->result);
	case READ:
		return read_cart(corral, &key, event);
	}
	return -EINVAL;
}

static void make_history(struct crewman *self)
{
	struct history *history = self->shared;
	struct corral *corral = orders_come(&history->yard, history->corral);
	uint64_t last[CARTS] = { 0 };

	(void)pthread_barrier_wait(&history->barrier);
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		struct event event = { .kind = choose(&self->random),
				       .cart = random_below(&self->random, CARTS) };
		int r = operate(corral, &event, &self->random);
		if (r != 0 && r != -ENOENT && r != -ENXIO && r != -ESHUTDOWN)
			fprintf(stderr, "operation %d: %s\n", (int)event.kind, corral_strerror(r));
		must(r == 0 || r == -ENOENT || r == -ENXIO || r == -ESHUTDOWN);
		if (r != 0)
			continue;
		must(event.result.version >= last[event.cart]); /* versions never go back */
		must(event.kind == READ || event.kind == DROP ||
		     event.result.version > last[event.cart]);
		last[event.cart] = event.result.version;
		history->events[self->number][history->counts[self->number]++] = event;
	}
	orders_go(corral, history->corral);
}

/* -------------------------------------------------------------------- model */

struct model_line {
	uint32_t line;
	uint32_t item;
	uint32_t quantity;
};

struct model {
	bool there;
	uint64_t version;
	uint32_t next_line;
	uint32_t tax_ppm;
	uint8_t status;
	uint32_t line_count;
	struct model_line lines[LINES_MAX];
};

static struct corral_result model_result(const struct model *model)
{
	struct corral_result result = { .version = model->version, .status = model->status };

	for (uint32_t i = 0; i < model->line_count; i++) {
		result.item_count += model->lines[i].quantity;
		result.subtotal_cents += model->lines[i].quantity * price_of(model->lines[i].item);
	}
	result.tax_cents = (result.subtotal_cents * model->tax_ppm + 500000) / 1000000;
	result.total_cents = result.subtotal_cents + result.tax_cents;
	return result;
}

static void model_cut(struct model *model, uint32_t index)
{
	memmove(&model->lines[index], &model->lines[index + 1],
		(model->line_count - index - 1) * sizeof(model->lines[0]));
	model->line_count--;
}

static void model_add(struct model *model, const struct event *event)
{
	uint32_t i = 0;

	while (i < model->line_count && model->lines[i].item != event->item)
		i++;
	if (i == model->line_count) {
		assert_true(i < LINES_MAX);
		model->lines[model->line_count++] =
			(struct model_line){ .line = model->next_line++, .item = event->item };
	}
	model->lines[i].quantity += event->quantity;
	assert_int_equal(event->result.line, model->lines[i].line);
}

static void model_set(struct model *model, uint32_t line, uint32_t quantity)
{
	uint32_t i = 0;

	while (i < model->line_count && model->lines[i].line != line)
		i++;
	assert_true(i < model->line_count); /* a change of a missing line was acknowledged */
	model->lines[i].quantity = quantity;
	if (quantity == 0)
		model_cut(model, i);
}

static void model_change(struct model *model, const struct event *event)
{
	assert_int_equal(model->status, CORRAL_OPEN);
	switch (event->kind) {
	case CHANGE_ADD:
		model_add(model, event);
		break;
	case CHANGE_SET:
	case CHANGE_REMOVE:
		assert_int_equal(event->result.line, event->line);
		model_set(model, event->line, event->kind == CHANGE_SET ? event->quantity : 0);
		break;
	case CHANGE_CLEAR:
		model->line_count = 0;
		break;
	case CHANGE_TAX:
		model->tax_ppm = event->tax_ppm;
		break;
	default:
		model->status = CORRAL_CHECKED_OUT;
		break;
	}
}

/* ------------------------------------------------------------------- replay */

/* Changes sort before the reads of their version, a drop last. */
static int stage(enum kind kind)
{
	return kind == DROP ? 2 : kind == READ ? 1 : 0;
}

static int by_version(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->cart != b->cart)
		return a->cart < b->cart ? -1 : 1;
	if (a->result.version != b->result.version)
		return a->result.version < b->result.version ? -1 : 1;
	return stage(a->kind) - stage(b->kind);
}

static void begin_cart(struct model *model, const struct event *event)
{
	assert_true(event->kind == CHANGE_ADD ||
		    event->kind == CHANGE_TAX); /* kinds that make a cart */
	assert_true(event->result.version > model->version);
	*model = (struct model){ .there = true, .version = event->result.version, .next_line = 1 };
}

static void replay_event(struct model *model, const struct event *event)
{
	struct corral_result want;

	if (!model->there) {
		begin_cart(model, event);
	} else if (stage(event->kind) == 0) {
		assert_int_equal(event->result.version,
				 model->version + 1); /* no gap, no duplicate */
		model->version++;
	} else {
		assert_int_equal(event->result.version, model->version);
	}
	if (stage(event->kind) == 0)
		model_change(model, event);
	want = model_result(model);
	want.line = event->result.line;
	want.applied = event->kind != READ;
	assert_memory_equal(&event->result, &want, offsetof(struct corral_result, rate_count));
	if (event->kind == READ) {
		assert_int_equal(event->tax_ppm, model->tax_ppm);
		assert_int_equal(event->lines, model->line_count);
	}
	if (event->kind == DROP)
		model->there = false;
}

static void assert_cart_is(struct corral *corral, uint32_t cart, const struct model *model)
{
	struct corral_key key = key_of(cart);
	struct corral_cart *found = NULL;
	int r = corral_get(corral, &key, &found);

	assert_int_equal(r, model->there ? 0 : -ENOENT);
	if (r != 0)
		return;
	assert_int_equal(found->head.version, model->version);
	assert_int_equal(found->line_count, model->line_count);
	for (uint32_t i = 0; i < found->line_count; i++) {
		assert_int_equal(found->lines[i].line, model->lines[i].line);
		assert_int_equal(found->lines[i].item.quantity, model->lines[i].quantity);
		assert_int_equal(found->lines[i].item.unit_price_cents,
				 price_of(model->lines[i].item));
	}
	corral_cart_free(found);
}

static void replay(struct history *history, struct corral *corral)
{
	static struct event all[WORKERS * OPERATIONS];
	struct model models[CARTS] = { 0 };
	size_t count = 0;

	for (uint32_t worker = 0; worker < WORKERS; worker++) {
		memcpy(&all[count], history->events[worker],
		       history->counts[worker] * sizeof(all[0]));
		count += history->counts[worker];
	}
	qsort(all, count, sizeof(all[0]), by_version);
	for (size_t i = 0; i < count; i++)
		replay_event(&models[all[i].cart], &all[i]);
	for (uint32_t cart = 0; cart < CARTS; cart++)
		assert_cart_is(corral, cart, &models[cart]);
	print_message("%zu calls in order\n", count);
}

static void history_of(bool processes)
{
	struct history *history = support_shared(sizeof(*history));

	orders_yard(&history->yard, 16u << 20, 10000, 30 * 60 * 1000);
	orders_barrier_init(&history->barrier, WORKERS);
	if (!processes)
		history->corral = yard_open(&history->yard, 0);
	crew_run(NULL, processes, WORKERS, make_history, history);
	struct corral *corral = yard_open(&history->yard, 0);
	replay(history, corral);
	corral_close(corral);
	corral_close(history->corral);
	yard_check(&history->yard, NULL);
	yard_remove(&history->yard);
}

static void calls_of_processes_have_a_legal_order(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	history_of(true);
}

static void calls_of_threads_have_a_legal_order(void **state)
{
	(void)state;
	history_of(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_of_processes_have_a_legal_order),
		cmocka_unit_test(calls_of_threads_have_a_legal_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
