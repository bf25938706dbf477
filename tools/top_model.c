/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_model.c: see top_model.h. A hash table finds a cart by its key. Strangers choose the keys, so
 * the hash has a seed of its own in each process. The order is a sorted list in pieces: each piece
 * is an array of entries, and an array of the pieces has the first entry of each, so that a search
 * for a piece stays in that array. Moving a cart touches it and two pieces. Of a tree it would
 * touch some forty nodes, which are in no cache at a thousand changes a second.
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
#define PIECE_MAX 128u

struct row {
	struct top_cart cart; /* first: handed out */
	struct row *chain;    /* in the hash table */
	bool placed;          /* in the order: it passes the filter */
	uint32_t round;       /* the list, or later event, that told of it */
	char ids[];           /* restaurant, NUL, session, NUL */
};

struct entry {
	int64_t value; /* what the order goes by, the smaller first */
	int64_t age;   /* then this one: names are far away, and many may have the same total */
	struct row *row;
};

/*
 * Two neighbours have more than half of PIECE_MAX entries together, so that there are few pieces.
 * The first one may be empty, and no search looks at its first entry.
 */
struct piece {
	struct entry first;
	struct entry *entries; /* room for PIECE_MAX */
	size_t count;
};

struct top_model {
	struct row **buckets;
	size_t bucket_count; /* a power of two */
	size_t carts;
	struct piece *pieces;
	size_t piece_count; /* at least 1 */
	size_t piece_room;
	size_t placed;
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

static struct entry *new_entries(void)
{
	return must_have(malloc(PIECE_MAX * sizeof(struct entry)));
}

static void free_pieces(struct top_model *model)
{
	for (size_t i = 0; i < model->piece_count; i++)
		free(model->pieces[i].entries);
	free(model->pieces);
}

/* No cart is in the order. */
static void begin_pieces(struct top_model *model)
{
	free_pieces(model);
	model->piece_room = 16;
	model->pieces = must_have(calloc(model->piece_room, sizeof(struct piece)));
	model->pieces[0].entries = new_entries();
	model->piece_count = 1;
	model->placed = 0;
}

struct top_model *top_model_new(void)
{
	struct top_model *model = must_have(calloc(1, sizeof(*model)));

	model->bucket_count = BUCKETS_FEW;
	model->buckets = must_have(calloc(model->bucket_count, sizeof(struct row *)));
	begin_pieces(model);
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
	free_pieces(model);
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

/* As it is to be when the row is as `cart` says. In the order of names nothing else counts. */
static struct entry entry_for(const struct top_model *model, struct row *row,
			      const struct top_cart *cart)
{
	const int64_t age = model->order == TOP_BY_NAME ? 0 : cart->created_ms;

	return (struct entry){ value_of(model, cart), model->reverse ? -age : age, row };
}

static struct entry entry_of(const struct top_model *model, struct row *row)
{
	return entry_for(model, row, &row->cart);
}

/* Does the one stand before the other? Of equal ones the older one does; then they go by names. */
static bool before(const struct top_model *model, const struct entry *one,
		   const struct entry *other)
{
	if (one->value != other->value)
		return one->value < other->value;
	if (one->age != other->age)
		return one->age < other->age;
	if (one->row == other->row)
		return false;
	int r = strcmp(one->row->cart.restaurant_id, other->row->cart.restaurant_id);
	if (r == 0)
		r = strcmp(one->row->cart.session_id, other->row->cart.session_id);
	return model->reverse ? r > 0 : r < 0;
}

/* The piece in which the entry stands, or is to stand. */
static size_t piece_of(const struct top_model *model, const struct entry *entry)
{
	size_t low = 1, high = model->piece_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (before(model, entry, &model->pieces[middle].first))
			high = middle;
		else
			low = middle + 1;
	}
	return low - 1;
}

/* Where the entry is to stand in the piece. */
static size_t index_of(const struct top_model *model, const struct piece *piece,
		       const struct entry *entry)
{
	size_t low = 0, high = piece->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (before(model, &piece->entries[middle], entry))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where the row stands in its piece; found without the names of those with the same value. */
static size_t index_in(const struct piece *piece, const struct row *row)
{
	size_t index = 0;

	while (piece->entries[index].row != row)
		index++;
	return index;
}

/* A full piece becomes two. */
static void split(struct top_model *model, size_t at)
{
	const size_t half = PIECE_MAX / 2;
	struct piece more = { .entries = new_entries(), .count = half };

	if (model->piece_count == model->piece_room) {
		model->piece_room *= 2;
		model->pieces = must_have(realloc(model->pieces, model->piece_room * sizeof(more)));
	}
	struct piece *piece = &model->pieces[at];
	piece->count = half;
	memcpy(more.entries, piece->entries + half, half * sizeof(struct entry));
	more.first = more.entries[0];
	memmove(piece + 2, piece + 1, (model->piece_count - at - 1) * sizeof(more));
	piece[1] = more;
	model->piece_count++;
}

/* A piece and the next one, if there is one, become one if they have few entries. */
static void join(struct top_model *model, size_t at)
{
	struct piece *piece = &model->pieces[at];

	if (at + 1 >= model->piece_count)
		return;
	const size_t both = piece[0].count + piece[1].count;
	if (both > PIECE_MAX / 2 && piece[0].count > 0 && piece[1].count > 0)
		return;
	memcpy(piece->entries + piece->count, piece[1].entries,
	       piece[1].count * sizeof(struct entry));
	piece->count = both;
	piece->first = piece->entries[0];
	free(piece[1].entries);
	memmove(piece + 1, piece + 2, (model->piece_count - at - 2) * sizeof(*piece));
	model->piece_count--;
}

static void place(struct top_model *model, struct row *row)
{
	const struct entry entry = entry_of(model, row);
	size_t at = piece_of(model, &entry);

	if (model->pieces[at].count == PIECE_MAX) {
		split(model, at);
		at += before(model, &entry, &model->pieces[at + 1].first) ? 0 : 1;
	}
	struct piece *piece = &model->pieces[at];
	const size_t index = index_of(model, piece, &entry);
	memmove(piece->entries + index + 1, piece->entries + index,
		(piece->count++ - index) * sizeof(entry));
	piece->entries[index] = entry;
	piece->first = piece->entries[0];
	row->placed = true;
	model->placed++;
}

/* The row is as it was when it was placed. */
static void displace(struct top_model *model, struct row *row)
{
	const struct entry entry = entry_of(model, row);
	const size_t at = piece_of(model, &entry);
	struct piece *piece = &model->pieces[at];
	const size_t index = index_in(piece, row);

	memmove(piece->entries + index, piece->entries + index + 1,
		(--piece->count - index) * sizeof(entry));
	piece->first = piece->entries[0];
	row->placed = false;
	model->placed--;
	join(model, at);
	if (at > 0)
		join(model, at - 1);
}

const struct top_cart *top_model_at(const struct top_model *model, size_t place)
{
	for (size_t at = 0; at < model->piece_count; at++) {
		const struct piece *piece = &model->pieces[at];
		if (place < piece->count)
			return &piece->entries[place].row->cart;
		place -= piece->count;
	}
	return NULL;
}

static size_t place_of(const struct top_model *model, struct row *row)
{
	const struct entry entry = entry_of(model, row);
	const size_t in = piece_of(model, &entry);
	size_t place = index_in(&model->pieces[in], row);

	for (size_t at = 0; at < in; at++)
		place += model->pieces[at].count;
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

/* The row of a key, which is made if it is not there (*ret_new). It is not in the order then. */
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
	if (row->placed)
		displace(model, row);
	model->carts--;
	free(row);
}

/* The row is to be as `cart` says. Mostly it keeps its place, as what the order goes by does. */
static void set(struct top_model *model, struct row *row, const struct top_cart *cart)
{
	const struct entry was = entry_of(model, row);
	const struct entry is = entry_for(model, row, cart);

	if (row->placed && was.value == is.value && was.age == is.age) {
		row->cart = *cart;
		return;
	}
	if (row->placed)
		displace(model, row);
	row->cart = *cart;
	if (passes(model, row))
		place(model, row);
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
	begin_pieces(model);
	for (size_t i = 0; i < model->bucket_count; i++) {
		for (struct row *row = model->buckets[i]; row != NULL; row = row->chain) {
			row->placed = false;
			if (passes(model, row))
				place(model, row);
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
	return model->placed;
}

size_t top_model_place(const struct top_model *model, const char *restaurant_id,
		       const char *session_id)
{
	struct row *row = *find(model, restaurant_id, session_id);

	return row != NULL && row->placed ? place_of(model, row) : SIZE_MAX;
}

uint64_t top_model_missed(const struct top_model *model)
{
	return model->missed;
}
