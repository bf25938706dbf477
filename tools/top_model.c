/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_model.c: see top_model.h. A hash table finds a cart by its key. Strangers choose the keys, so
 * the hash has a seed of its own in each process. The tree is a treap: a search tree by the order,
 * and a heap by a random number of each cart, with the size of each subtree. Its nodes lie close
 * together, apart from the carts, since moving one goes over some twenty of them.
 */
#include "top_model.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "arena/arena.h"
#include "base/hash.h"
#include "tool.h"

#define BUCKETS_FEW 1024u
#define FILTER_MAX 128u

struct row {
	struct top_cart cart; /* first: handed out */
	struct row *chain;    /* in the hash table */
	uint32_t node;        /* 0: it does not pass the filter */
	uint32_t round;       /* the list, or later event, that told of it */
	char ids[];           /* restaurant, NUL, session, NUL */
};

/*
 * 0 in place of a node: there is none; nodes[0] is there, and has the size 0. A cache line has two
 * of them.
 */
struct node {
	int64_t value; /* what the order goes by, the smaller first */
	struct row *row;
	uint32_t left, right, parent;
	uint32_t size; /* of the subtree */
};

static_assert(sizeof(struct node) == 32, "without holes");

struct top_model {
	struct row **buckets;
	size_t bucket_count; /* a power of two */
	size_t carts;
	struct node *nodes;
	uint32_t node_room;
	uint32_t nodes_used; /* ever, nodes[0] included */
	uint32_t nodes_free; /* a list, through `left` */
	uint32_t root;
	enum top_order order;
	bool reverse;
	char filter[FILTER_MAX];
	uint64_t seed;
	uint32_t round;
	bool sweeping;
	size_t swept; /* buckets */
	uint64_t missed;
};

const char *top_order_name(uint32_t order)
{
	static const char *const names[] = {
		[TOP_BY_AGE] = "age",       [TOP_BY_TOTAL] = "total", [TOP_BY_IDLE] = "idle",
		[TOP_BY_CHANGE] = "change", [TOP_BY_ITEMS] = "items", [TOP_BY_NAME] = "name",
	};

	return order < TOP_ORDERS ? names[order] : NULL;
}

static struct node *new_nodes(uint32_t count)
{
	return must_have(aligned_alloc(CACHE_LINE, count * sizeof(struct node)));
}

struct top_model *top_model_new(void)
{
	struct top_model *model = must_have(calloc(1, sizeof(*model)));

	model->bucket_count = BUCKETS_FEW;
	model->buckets = must_have(calloc(model->bucket_count, sizeof(struct row *)));
	model->node_room = BUCKETS_FEW;
	model->nodes = new_nodes(model->node_room);
	model->nodes[0] = (struct node){ 0 };
	model->nodes_used = 1;
	model->round = 1;
	/* without random numbers (at boot) the seed is 0, and everything works all the same */
	if (getrandom(&model->seed, sizeof(model->seed), GRND_NONBLOCK) < 0)
		model->seed = 0;
	return model;
}

void top_model_free(struct top_model *model)
{
	if (model == NULL)
		return;
	for (size_t i = 0; i < model->bucket_count; i++) {
		for (struct row *row = model->buckets[i], *next; row != NULL; row = next) {
			next = row->chain;
			free(row);
		}
	}
	free(model->buckets);
	free(model->nodes);
	free(model);
}

/* ------------------------------------------------------------------ the order */

static int64_t value_of(const struct top_model *model, const struct top_cart *cart)
{
	int64_t value = 0;

	switch (model->order) {
	case TOP_BY_AGE:
		value = cart->created_ms;
		break;
	case TOP_BY_TOTAL:
		value = -cart->total_cents;
		break;
	case TOP_BY_IDLE:
		value = cart->active_ms;
		break;
	case TOP_BY_CHANGE:
		value = -cart->changed_ms;
		break;
	case TOP_BY_ITEMS:
		value = -(int64_t)cart->item_count;
		break;
	case TOP_BY_NAME:
	case TOP_ORDERS:
		break;
	}
	return model->reverse ? -value : value;
}

/* Does this row, whose value is given, stand before that node? Equal ones go by their names. */
static bool before(const struct top_model *model, int64_t value, const struct row *row,
		   const struct node *node)
{
	if (value != node->value)
		return value < node->value;
	int r = strcmp(row->cart.restaurant_id, node->row->cart.restaurant_id);
	if (r == 0)
		r = strcmp(row->cart.session_id, node->row->cart.session_id);
	return model->reverse ? r > 0 : r < 0;
}

/* ------------------------------------------------------------------ the tree */

static uint32_t size_of(const struct top_model *model, uint32_t at)
{
	return model->nodes[at].size;
}

/* The place in its parent, or the root, that names this node. */
static uint32_t *link_of(struct top_model *model, uint32_t at)
{
	const uint32_t parent = model->nodes[at].parent;

	if (parent == 0)
		return &model->root;
	return model->nodes[parent].left == at ? &model->nodes[parent].left :
						 &model->nodes[parent].right;
}

/* Lift a node above its parent; the order stays. */
static void rotate_up(struct top_model *model, uint32_t at)
{
	struct node *node = &model->nodes[at];
	const uint32_t above = node->parent;
	struct node *parent = &model->nodes[above];
	uint32_t *link = link_of(model, above);
	uint32_t *from = parent->left == at ? &node->right : &node->left;
	uint32_t *to = parent->left == at ? &parent->left : &parent->right;

	*to = *from;
	if (*to != 0)
		model->nodes[*to].parent = above;
	*from = above;
	node->parent = parent->parent;
	parent->parent = at;
	*link = at;
	node->size = parent->size;
	parent->size = 1 + size_of(model, parent->left) + size_of(model, parent->right);
}

/* A number that looks random, of each node its own; greater than those of the nodes below it. */
static uint32_t heap_of(const struct top_model *model, uint32_t at)
{
	const uint64_t mixed = (at ^ model->seed) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)((mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull >> 32);
}

static uint32_t take_node(struct top_model *model)
{
	uint32_t at = model->nodes_free;

	if (at != 0) {
		model->nodes_free = model->nodes[at].left;
		return at;
	}
	if (model->nodes_used == model->node_room) { /* no arena has 2^31 carts */
		struct node *more = new_nodes(2 * model->node_room);
		memcpy(more, model->nodes, model->node_room * sizeof(struct node));
		free(model->nodes);
		model->nodes = more;
		model->node_room *= 2;
	}
	return model->nodes_used++;
}

static void tree_insert(struct top_model *model, struct row *row)
{
	const int64_t value = value_of(model, &row->cart);
	const uint32_t at = take_node(model); /* may move the nodes */
	uint32_t *link = &model->root;
	uint32_t parent = 0;

	while (*link != 0) {
		parent = *link;
		struct node *node = &model->nodes[parent];
		node->size++;
		link = before(model, value, row, node) ? &node->left : &node->right;
	}
	*link = at;
	model->nodes[at] = (struct node){ .value = value, .row = row, .parent = parent, .size = 1 };
	row->node = at;
	while (model->nodes[at].parent != 0 &&
	       heap_of(model, model->nodes[at].parent) < heap_of(model, at))
		rotate_up(model, at);
}

static void tree_remove(struct top_model *model, struct row *row)
{
	const uint32_t at = row->node;
	struct node *node = &model->nodes[at];

	while (node->left != 0 && node->right != 0)
		rotate_up(model, heap_of(model, node->left) > heap_of(model, node->right) ?
					 node->left :
					 node->right);
	const uint32_t child = node->left != 0 ? node->left : node->right;
	*link_of(model, at) = child;
	if (child != 0)
		model->nodes[child].parent = node->parent;
	for (uint32_t above = node->parent; above != 0; above = model->nodes[above].parent)
		model->nodes[above].size--;
	node->left = model->nodes_free;
	model->nodes_free = at;
	row->node = 0;
}

const struct top_cart *top_model_at(const struct top_model *model, size_t place)
{
	uint32_t at = model->root;

	while (at != 0) {
		const struct node *node = &model->nodes[at];
		const size_t left = size_of(model, node->left);
		if (place == left)
			return &node->row->cart;
		at = place < left ? node->left : node->right;
		place -= place < left ? 0 : left + 1;
	}
	return NULL;
}

static size_t place_of(const struct top_model *model, uint32_t at)
{
	size_t place = size_of(model, model->nodes[at].left);

	for (uint32_t above; (above = model->nodes[at].parent) != 0; at = above)
		if (model->nodes[above].right == at)
			place += size_of(model, model->nodes[above].left) + 1;
	return place;
}

/* ------------------------------------------------------------------ the table */

static uint64_t hash_of(const struct top_model *model, const char *restaurant_id,
			const char *session_id)
{
	const uint64_t first =
		XXH3_64bits_withSeed(restaurant_id, strlen(restaurant_id), model->seed);

	return XXH3_64bits_withSeed(session_id, strlen(session_id), first);
}

static struct row **find(const struct top_model *model, const char *restaurant_id,
			 const char *session_id)
{
	const uint64_t hash = hash_of(model, restaurant_id, session_id);
	struct row **link = &model->buckets[hash & (model->bucket_count - 1)];

	while (*link != NULL && (strcmp((*link)->cart.session_id, session_id) != 0 ||
				 strcmp((*link)->cart.restaurant_id, restaurant_id) != 0))
		link = &(*link)->chain;
	return link;
}

static void grow(struct top_model *model)
{
	struct row **old = model->buckets;
	const size_t old_count = model->bucket_count;

	model->bucket_count *= 2;
	model->buckets = must_have(calloc(model->bucket_count, sizeof(struct row *)));
	for (size_t i = 0; i < old_count; i++) {
		for (struct row *row = old[i], *next; row != NULL; row = next) {
			next = row->chain;
			struct row **link =
				find(model, row->cart.restaurant_id, row->cart.session_id);
			row->chain = NULL;
			*link = row;
		}
	}
	free(old);
	model->swept = 0; /* a sweep begins anew: it has other buckets now */
}

static bool has_text(const char *in, const char *text)
{
	return strcasestr(in, text) != NULL;
}

static bool passes(const struct top_model *model, const struct row *row)
{
	return model->filter[0] == '\0' || has_text(row->cart.restaurant_id, model->filter) ||
	       has_text(row->cart.session_id, model->filter);
}

/* The row of a key, which is made if it is not there (*ret_new). It is not in the tree then. */
static struct row *get(struct top_model *model, const char *restaurant_id, const char *session_id,
		       bool *ret_new)
{
	struct row **link = find(model, restaurant_id, session_id);

	*ret_new = *link == NULL;
	if (*link != NULL)
		return *link;
	const size_t first = strlen(restaurant_id) + 1, second = strlen(session_id) + 1;
	struct row *row = must_have(calloc(1, sizeof(*row) + first + second));

	memcpy(row->ids, restaurant_id, first);
	memcpy(row->ids + first, session_id, second);
	row->cart.restaurant_id = row->ids;
	row->cart.session_id = row->ids + first;
	*link = row;
	if (++model->carts > model->bucket_count)
		grow(model);
	return row;
}

static void take_out(struct top_model *model, struct row **link)
{
	struct row *row = *link;

	*link = row->chain;
	if (row->node != 0)
		tree_remove(model, row);
	model->carts--;
	free(row);
}

/* The row is to be as `cart` says. Mostly it keeps its place, as what the order goes by does. */
static void set(struct top_model *model, struct row *row, const struct top_cart *cart)
{
	row->cart = *cart;
	if (row->node != 0 && model->nodes[row->node].value == value_of(model, cart))
		return;
	if (row->node != 0)
		tree_remove(model, row);
	if (passes(model, row))
		tree_insert(model, row);
}

/* ------------------------------------------------------------------ what goes in */

void top_model_ended(struct top_model *model, const char *restaurant_id, const char *session_id,
		     uint64_t version)
{
	struct row **link = find(model, restaurant_id, session_id);

	if (*link != NULL && (*link)->cart.version <= version)
		take_out(model, link);
}

void top_model_event(struct top_model *model, const struct corral_event *event)
{
	bool is_new;

	if (event->kind == CORRAL_EVENT_GAP) {
		model->missed++;
		return;
	}
	if (event->kind == CORRAL_EVENT_DROPPED || event->kind == CORRAL_EVENT_EXPIRED) {
		top_model_ended(model, event->restaurant_id, event->session_id, event->version);
		return;
	}
	struct row *row = get(model, event->restaurant_id, event->session_id, &is_new);
	struct top_cart cart = row->cart;
	row->round = model->round;
	if (!is_new && event->version < cart.version)
		return; /* the list, or a look, was ahead */
	cart.version = event->version;
	cart.changed_ms = event->time_ms;
	if (is_new)
		cart.created_ms = event->time_ms;
	if (cart.active_ms < event->time_ms)
		cart.active_ms = event->time_ms;
	cart.total_cents = event->total_cents;
	cart.item_count = event->item_count;
	cart.digits = event->currency_digits;
	cart.status = event->status;
	cart.step = event->steps_told > 0 ? event->steps[0].kind : 0;
	cart.pid = event->pid;
	set(model, row, &cart);
}

/*
 * The last activity that was written down, as the time to live tells it: reads renew a cart's lease
 * only once in each grain of it, and it ends so much later. A change is an activity, too.
 */
static int64_t active_ms(const struct corral_head *head, int64_t expires_ms)
{
	const int64_t ttl_ms = (int64_t)head->effective_ttl_ms;
	const int64_t grain_ms = ttl_grain_ns((uint64_t)ttl_ms * 1000000) / 1000000;
	const int64_t active = expires_ms - ttl_ms - grain_ms - CLOCK_TICK_NS / 1000000;

	return active > head->updated_ms ? active : head->updated_ms;
}

static void take_head(struct top_model *model, struct row *row, const struct corral_head *head,
		      int64_t expires_ms)
{
	struct top_cart cart = row->cart;

	row->round = model->round;
	if (head->version < cart.version)
		return;
	if (head->version > cart.version) { /* another change than the last event's */
		cart.step = 0;
		cart.pid = 0;
	}
	cart.version = head->version;
	cart.created_ms = head->created_ms;
	cart.changed_ms = head->updated_ms;
	cart.active_ms = active_ms(head, expires_ms);
	cart.total_cents = head->total_cents;
	cart.item_count = head->item_count;
	cart.digits = head->currency_digits;
	cart.status = head->status;
	set(model, row, &cart);
}

void top_model_entry(struct top_model *model, const struct corral_entry *entry)
{
	bool is_new;
	struct row *row = get(model, entry->restaurant_id, entry->session_id, &is_new);

	take_head(model, row, &entry->head, entry->expires_ms);
}

void top_model_seen(struct top_model *model, const struct top_cart *cart,
		    const struct top_seen *seen)
{
	struct row **link = find(model, cart->restaurant_id, cart->session_id);

	if (*link != NULL)
		take_head(model, *link, &seen->head, seen->expires_ms);
}

void top_model_list(struct top_model *model)
{
	model->round++;
	model->sweeping = false;
}

void top_model_listed(struct top_model *model)
{
	model->sweeping = true;
	model->swept = 0;
}

bool top_model_sweep(struct top_model *model, size_t most)
{
	for (; model->sweeping && most > 0; most--) {
		struct row **link = &model->buckets[model->swept];
		while (*link != NULL) {
			if ((*link)->round != model->round)
				take_out(model, link);
			else
				link = &(*link)->chain;
		}
		model->sweeping = ++model->swept < model->bucket_count;
	}
	return !model->sweeping;
}

/* ------------------------------------------------------------------ what comes out */

static void rebuild(struct top_model *model)
{
	model->root = model->nodes_free = 0;
	model->nodes_used = 1;
	for (size_t i = 0; i < model->bucket_count; i++) {
		for (struct row *row = model->buckets[i]; row != NULL; row = row->chain) {
			row->node = 0;
			if (passes(model, row))
				tree_insert(model, row);
		}
	}
}

void top_model_order(struct top_model *model, enum top_order order, bool reverse)
{
	model->order = order;
	model->reverse = reverse;
	rebuild(model);
}

void top_model_filter(struct top_model *model, const char *text)
{
	size_t size = strnlen(text, FILTER_MAX - 1);

	memcpy(model->filter, text, size);
	model->filter[size] = '\0';
	rebuild(model);
}

size_t top_model_carts(const struct top_model *model)
{
	return model->carts;
}

size_t top_model_rows(const struct top_model *model)
{
	return size_of(model, model->root);
}

size_t top_model_place(const struct top_model *model, const char *restaurant_id,
		       const char *session_id)
{
	const struct row *row = *find(model, restaurant_id, session_id);

	return row != NULL && row->node != 0 ? place_of(model, row->node) : SIZE_MAX;
}

uint64_t top_model_missed(const struct top_model *model)
{
	return model->missed;
}
