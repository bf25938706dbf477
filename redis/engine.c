/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.c: the engine (shm/api/engine.h) on Redis, one server or a cluster.
 *
 * Durable means: WAIT, sent behind the swap on the same connection, counted as many replicas as the
 * server has, and as many as the location asks for. (On another connection it would wait for what
 * that one has written, which is nothing.)
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "about.h"
#include "base/atomic.h"
#include "base/base.h"
#include "base/reason.h"
#include "scripts.h"
#include "store.h"
#include "watch.h"

#define OPEN_NS 6000000000ll
#define SETTINGS_KEY "store"
#define SETTINGS_FORMAT "corral 1 "
#define SEED_DIGITS 16
#define ENDED_MS 3600000ull /* how long an ended cart's version is remembered */
#define TTL_GRAIN 128u      /* of the time to live: so much may pass before it is renewed */
#define SYNC_KEY_MS 1000u   /* how long a key of no meaning lives */
#define SCAN_COUNT 100u     /* keys that a server looks at for one answer */
#define EXPORT __attribute__((visibility("default")))

/* ---------------------------------------------------------------------- values */

static void put_big(uint8_t *at, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t take_big(const uint8_t *at)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | at[i];
	return number;
}

/* The head of a key that is not kept for a change. */
static void put_head(uint8_t head[VALUE_HEAD], uint64_t version, uint64_t id, bool ended)
{
	head[0] = ended ? VALUE_ENDED : VALUE_CART;
	head[1] = VALUE_FORMAT;
	put_big(head + 2, version);
	put_big(head + 10, id);
	memcpy(head + VALUE_STAMP, VALUE_NOT_KEPT, VALUE_HEAD - VALUE_STAMP);
}

static const redisReply *element(const redisReply *reply, size_t index, int type)
{
	return reply->type == REDIS_REPLY_ARRAY && index < reply->elements &&
			       reply->element[index]->type == type ?
		       reply->element[index] :
		       NULL;
}

/* 0; -EPROTO: this is no value of ours; -EPROTONOSUPPORT: it is of a later version; -ENOMEM. */
static int take_value(const char *bytes, size_t size, struct engine_value *value)
{
	const uint8_t *at = (const uint8_t *)bytes;

	if (size < VALUE_HEADER || (at[0] != VALUE_CART && at[0] != VALUE_ENDED))
		return -EPROTO;
	if (at[1] != VALUE_FORMAT)
		return -EPROTONOSUPPORT;
	value->seen_ms = connection_boot_ms();
	value->ended = at[0] == VALUE_ENDED;
	value->version = take_big(at + 2);
	value->id = take_big(at + 10);
	value->ttl_ms = take_big(at + VALUE_STAMP);
	value->size = size - VALUE_HEADER;
	value->record = malloc(value->size + 1);
	if (value->record == NULL)
		return -ENOMEM;
	memcpy(value->record, at + VALUE_HEADER, value->size);
	return 0;
}

/* What get() answers, and swap() if it did not fit: {value or nil, left, now [, kept]}. */
static int take_answer(const redisReply *reply, struct engine_value *value)
{
	const redisReply *bytes = element(reply, 0, REDIS_REPLY_STRING);
	const redisReply *left = element(reply, 1, REDIS_REPLY_INTEGER);
	const redisReply *now = element(reply, 2, REDIS_REPLY_INTEGER);
	int r = 0;

	memset(value, 0, sizeof(*value));
	if (left == NULL || now == NULL || now->integer < 0 ||
	    (bytes == NULL && element(reply, 0, REDIS_REPLY_NIL) == NULL))
		return -EPROTO;
	if (bytes != NULL)
		r = take_value(bytes->str, bytes->len, value);
	const redisReply *kept = element(reply, 3, REDIS_REPLY_INTEGER); /* only of swap() */
	value->kept = kept != NULL && kept->integer == 1;
	value->left_ms = left->integer > 0 ? left->integer : 0;
	value->floor = max_u64(value->version, (uint64_t)now->integer * FLOOR_PER_MS);
	return r;
}

/* --------------------------------------------------------------------- durable */

static bool waits(const struct store *store)
{
	return store->settings.location.replicas > 0;
}

/* `numbers` has to live as long as the command. */
static void make_wait(struct store *store, uint32_t slot, struct command *command,
		      char numbers[2][COMMAND_NUMBER_BYTES])
{
	command_begin(command, "WAIT");
	command_add_number(command, store_replicas_for(store, slot), numbers[0]);
	command_add_number(command, store->settings.location.wait_ms, numbers[1]);
}

static void judge_wait(struct store *store, uint32_t node, const redisReply *reply,
		       struct engine_durable *durable)
{
	const bool counted = reply != NULL && reply->type == REDIS_REPLY_INTEGER;

	durable->durable = counted && reply->integer >= (long long)store_replicas(store, node);
	durable->error = durable->durable ? 0 : -ETIMEDOUT;
}

/* ------------------------------------------------------------------------ get */

/* By the script, in one step. */
static int get_by_script(struct store *store, const struct slots_key *name, unsigned flags,
			 int64_t give_up_ns, struct engine_value *ret_value,
			 struct engine_durable *ret_durable)
{
	const bool durably = (flags & ENGINE_TOUCH_DURABLY) != 0;
	const char *mode = durably ? "2" : (flags & ENGINE_TOUCH) != 0 ? "1" : "0";
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command commands[STORE_COMMANDS_MAX];
	char numbers[2][COMMAND_NUMBER_BYTES];
	uint32_t node;

	command_begin(&commands[0], "EVALSHA");
	command_add_text(&commands[0], store->shas[SCRIPT_GET]);
	command_add_text(&commands[0], "1");
	command_add(&commands[0], name->text, name->size);
	command_add_text(&commands[0], mode);
	const bool wait = durably && waits(store);
	if (wait)
		make_wait(store, name->slot, &commands[1], numbers);
	int r = store_ask(store, name->slot, commands, wait ? 2 : 1, give_up_ns, replies, &node);
	if (r < 0)
		return r;
	r = take_answer(replies[0], ret_value);
	if (wait)
		judge_wait(store, node, replies[1], ret_durable);
	store_free(replies);
	return r;
}

/*
 * By two plain commands, which cost the server a tenth of a script. Another client may come between
 * them: then the time left may be that of the next version, or 0. 1: the second was refused, as it
 * is for a key that is just moving to another server.
 */
static int get_plainly(struct store *store, const struct slots_key *name, int64_t give_up_ns,
		       struct engine_value *ret_value)
{
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command commands[STORE_COMMANDS_MAX];
	uint32_t node;

	memset(ret_value, 0, sizeof(*ret_value));
	command_begin(&commands[0], "LINDEX");
	command_add(&commands[0], name->text, name->size);
	command_add_text(&commands[0], "1");
	command_begin(&commands[1], "PTTL");
	command_add(&commands[1], name->text, name->size);
	int r = store_ask(store, name->slot, commands, 2, give_up_ns, replies, &node);
	if (r < 0)
		return r;
	if (replies[1] == NULL || replies[1]->type != REDIS_REPLY_INTEGER)
		r = 1;
	else if (replies[0]->type == REDIS_REPLY_STRING)
		r = take_value(replies[0]->str, replies[0]->len, ret_value);
	else if (replies[0]->type != REDIS_REPLY_NIL)
		r = -EPROTO;
	if (r == 0 && replies[1]->integer > 0)
		ret_value->left_ms =
			(int64_t)min_u64((uint64_t)replies[1]->integer, ret_value->ttl_ms);
	freeReplyObject(replies[0]);
	freeReplyObject(replies[1]);
	return r;
}

/* Has so much of its time passed that it is to be renewed? */
static bool is_due(const struct engine_value *value)
{
	return value->version != 0 && !value->ended &&
	       value->ttl_ms - (uint64_t)value->left_ms > value->ttl_ms / TTL_GRAIN;
}

static int engine_get(void *context, const struct corral_key *key, unsigned flags,
		      int64_t give_up_ns, struct engine_value *ret_value,
		      struct engine_durable *ret_durable)
{
	struct store *store = context;
	struct slots_key name;

	slots_key(store->settings.location.prefix, key, &name);
	*ret_durable = (struct engine_durable){ 0 };
	if ((flags & ENGINE_TOUCH_DURABLY) == 0) {
		int r = get_plainly(store, &name, give_up_ns, ret_value);
		const bool no_cart = ret_value->version == 0 || ret_value->ended;
		const bool floor = no_cart && (flags & ENGINE_FLOOR) != 0;
		const bool touch = is_due(ret_value) && (flags & ENGINE_TOUCH) != 0;
		if (r < 0 || (r == 0 && !floor && !touch))
			return r;
		free(ret_value->record);
	}
	return get_by_script(store, &name, flags, give_up_ns, ret_value, ret_durable);
}

/* ----------------------------------------------------------------------- swap */

/* A swap as the server gets it. */
struct request {
	struct slots_key name;
	uint8_t head[VALUE_HEAD]; /* of what is to be replaced */
	size_t head_size;
	uint8_t new_head[VALUE_HEAD];
	uint8_t header[VALUE_HEADER]; /* of the new value; the record follows */
	uint8_t id[8];
	uint64_t ttl_ms;
	char numbers[3][COMMAND_NUMBER_BYTES], wait_numbers[2][COMMAND_NUMBER_BYTES];
	bool wait;
};

static void make_request(struct store *store, const struct corral_key *key,
			 const struct engine_swap *swap, bool ends, struct request *request)
{
	request->ttl_ms = ends ? ENDED_MS : swap->ttl_ms;
	put_head(request->new_head, swap->version, swap->id, ends);
	memcpy(request->header, request->new_head, VALUE_STAMP);
	put_big(request->header + VALUE_STAMP, request->ttl_ms);
	put_big(request->id, swap->id);
	put_head(request->head, swap->expected, swap->expected_id, swap->expected_ended);
	request->head_size = swap->expected != 0 ? sizeof(request->head) : 0;
	slots_key(store->settings.location.prefix, key, &request->name);
	command_write_number(swap->idle_ms < request->ttl_ms ? request->ttl_ms - swap->idle_ms : 1,
			     request->numbers[0]);
	request->wait = waits(store) && !swap->no_wait;
}

static void begin_for_key(struct command *command, const char *word, const struct request *request)
{
	command_begin(command, word);
	command_add(command, request->name.text, request->name.size);
}

static void add_value(struct command *command, const struct engine_swap *swap,
		      const struct request *request)
{
	command_add_both(command, request->header, sizeof(request->header), swap->record,
			 swap->size);
}

static void add_script(struct store *store, const struct engine_swap *swap, struct request *request,
		       struct command *command)
{
	command_begin(command, "EVALSHA");
	command_add_text(command, store->shas[SCRIPT_SWAP]);
	command_add_text(command, "1");
	command_add(command, request->name.text, request->name.size);
	command_add(command, request->head, request->head_size);
	command_add_text(command, request->numbers[0]);
	command_add_number(command, swap->floor / FLOOR_PER_MS, request->numbers[1]);
	command_add(command, request->id, sizeof(request->id));
	command_add_number(command, swap->keep_ms, request->numbers[2]);
	command_add(command, request->new_head, sizeof(request->new_head));
	add_value(command, swap, request);
}

/*
 * By plain commands, which cost the server a third of the script. LINSERT is the one that compares:
 * it puts the new head behind the former one, if that is there. Then the list has three elements;
 * else it has two or none, and so LSET finds nothing to set, and LTRIM nothing to cut off. Between
 * MULTI and EXEC all of it happens, or nothing does. 0: swapped; 1: it was not; as store_ask().
 */
static int swap_plainly(struct store *store, const struct engine_swap *swap,
			struct request *request, int64_t give_up_ns,
			struct engine_durable *ret_durable)
{
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command commands[STORE_COMMANDS_MAX];
	int count = 0;
	uint32_t node;

	command_begin(&commands[count++], "MULTI");
	begin_for_key(&commands[count], "LINSERT", request);
	command_add_text(&commands[count], "AFTER");
	command_add(&commands[count], request->head, sizeof(request->head));
	command_add(&commands[count++], request->new_head, sizeof(request->new_head));
	begin_for_key(&commands[count], "LSET", request);
	command_add_text(&commands[count], "2");
	add_value(&commands[count++], swap, request);
	begin_for_key(&commands[count], "LTRIM", request);
	command_add_text(&commands[count], "-2");
	command_add_text(&commands[count++], "-1");
	if (swap->renew) {
		begin_for_key(&commands[count], "PEXPIRE", request);
		command_add_text(&commands[count++], request->numbers[0]);
	}
	const int exec = count;
	command_begin(&commands[count++], "EXEC");
	begin_for_key(&commands[count], "SPUBLISH", request);
	command_add_text(&commands[count++], "1");
	if (request->wait)
		make_wait(store, request->name.slot, &commands[count++], request->wait_numbers);
	int r = store_ask(store, request->name.slot, commands, count, give_up_ns, replies, &node);
	if (r < 0)
		return r;
	if (replies[exec] == NULL) {
		r = ENGINE_UNKNOWN;
	} else {
		const redisReply *length = element(replies[exec], 0, REDIS_REPLY_INTEGER);
		r = length != NULL && length->integer == 3 ? 0 : 1;
	}
	if (r == 0 && request->wait)
		judge_wait(store, node, replies[count - 1], ret_durable);
	store_free(replies);
	return r;
}

/* By the script, which is told what is there if it is not what is to be replaced. */
static int swap_by_script(struct store *store, const struct engine_swap *swap,
			  struct request *request, int64_t give_up_ns, struct engine_value *ret_now,
			  struct engine_durable *ret_durable)
{
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command commands[STORE_COMMANDS_MAX];
	uint32_t node;

	add_script(store, swap, request, &commands[0]);
	if (request->wait)
		make_wait(store, request->name.slot, &commands[1], request->wait_numbers);
	int r = store_ask(store, request->name.slot, commands, request->wait ? 2 : 1, give_up_ns,
			  replies, &node);
	if (r < 0)
		return r;
	if (replies[0]->type == REDIS_REPLY_INTEGER) {
		r = replies[0]->integer == 1 ? 0 : 2;
	} else {
		r = take_answer(replies[0], ret_now);
		r = r < 0 ? r : 1;
	}
	if (r == 0 && request->wait)
		judge_wait(store, node, replies[1], ret_durable);
	store_free(replies);
	return r;
}

/*
 * The plain commands do not make a cart, keep a key or answer what is there, and are refused while
 * the slot moves. They have done nothing then, and the script follows.
 */
static int swap_for(struct store *store, const struct corral_key *key,
		    const struct engine_swap *swap, bool ends, int64_t give_up_ns,
		    struct engine_value *ret_now, struct engine_durable *ret_durable)
{
	struct request request;
	int r = 1;

	make_request(store, key, swap, ends, &request);
	*ret_durable = (struct engine_durable){ 0 };
	if (swap->expected != 0 && swap->keep_ms == 0 && !swap->contended)
		r = swap_plainly(store, swap, &request, give_up_ns, ret_durable);
	return r == 1 ? swap_by_script(store, swap, &request, give_up_ns, ret_now, ret_durable) : r;
}

static int engine_swap(void *store, const struct corral_key *key, const struct engine_swap *swap,
		       int64_t give_up_ns, struct engine_value *ret_now,
		       struct engine_durable *ret_durable)
{
	return swap_for(store, key, swap, false, give_up_ns, ret_now, ret_durable);
}

static int engine_end(void *store, const struct corral_key *key, const struct engine_swap *swap,
		      int64_t give_up_ns, struct engine_value *ret_now,
		      struct engine_durable *ret_durable)
{
	return swap_for(store, key, swap, true, give_up_ns, ret_now, ret_durable);
}

/* ----------------------------------------------------------------------- list */

/*
 * A server's keys come in batches, and a key may come twice. While a cart moves from one server to
 * another it may come from both, or from none.
 */
struct cursor {
	uint16_t nodes[NODES_MAX];
	uint32_t node_count;
	uint32_t node; /* whose keys are listed */
	char at[24];   /* where its scan stands */
	bool scanned;  /* its scan is done */
	char pattern[2 * SLOTS_KEY_MAX];
	redisReply *batch;
	size_t next;    /* in the batch */
	uint64_t *seen; /* a table of keys' hashes, two words each; 0, 0: empty */
	size_t seen_count;
	size_t seen_room; /* a power of two */
};

static void cursor_free(void *context)
{
	struct cursor *cursor = context;

	if (cursor == NULL)
		return;
	freeReplyObject(cursor->batch);
	free(cursor->seen);
	free(cursor);
}

/* Two hashes of a key (FNV-1a, from two beginnings); never both 0. */
static void hash_key(const redisReply *key, uint64_t ret_hash[2])
{
	uint64_t one = 0xcbf29ce484222325u, two = 0x9ae16a3b2f90404fu;

	for (size_t i = 0; i < key->len; i++) {
		one = (one ^ (uint8_t)key->str[i]) * 0x100000001b3u;
		two = (two ^ (uint8_t)key->str[i]) * 0x9fb21c651e98df25u;
		two ^= two >> 32;
	}
	ret_hash[0] = one;
	ret_hash[1] = two | 1;
}

/* Where a hash is in the table, or where it goes. */
static uint64_t *seen_place(uint64_t *seen, size_t room, const uint64_t hash[2])
{
	size_t at = hash[0] & (room - 1);

	while (seen[2 * at + 1] != 0 && (seen[2 * at] != hash[0] || seen[2 * at + 1] != hash[1]))
		at = (at + 1) & (room - 1);
	return &seen[2 * at];
}

static int seen_grow(struct cursor *cursor)
{
	size_t room = cursor->seen_room == 0 ? 256 : cursor->seen_room * 2;
	uint64_t *seen = calloc(room, 2 * sizeof(*seen));

	if (seen == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < cursor->seen_room; i++) {
		if (cursor->seen[2 * i + 1] == 0)
			continue;
		uint64_t *place = seen_place(seen, room, &cursor->seen[2 * i]);
		memcpy(place, &cursor->seen[2 * i], 2 * sizeof(*seen));
	}
	free(cursor->seen);
	cursor->seen = seen;
	cursor->seen_room = room;
	return 0;
}

/* 1: the key comes for the first time; 0: it came before. */
static int seen_first(struct cursor *cursor, const uint64_t hash[2])
{
	if (cursor->seen_count * 2 >= cursor->seen_room) {
		int r = seen_grow(cursor);
		if (r < 0)
			return r;
	}
	uint64_t *place = seen_place(cursor->seen, cursor->seen_room, hash);
	return place[1] == 0;
}

static void seen_note(struct cursor *cursor, const uint64_t hash[2])
{
	memcpy(seen_place(cursor->seen, cursor->seen_room, hash), hash, 2 * sizeof(hash[0]));
	cursor->seen_count++;
}

/* Fetch the next batch of keys. Returns 0, 1 after the last batch, or -errno. */
static int scan(struct store *store, struct cursor *cursor, int64_t give_up_ns)
{
	redisReply *reply = NULL;
	struct command command;
	char number[COMMAND_NUMBER_BYTES];

	if (cursor->scanned) {
		cursor->node++;
		cursor->at[0] = '0';
		cursor->at[1] = '\0';
		cursor->scanned = false;
	}
	if (cursor->node >= cursor->node_count)
		return 1;
	command_begin(&command, "SCAN");
	command_add_text(&command, cursor->at);
	command_add_text(&command, "MATCH");
	command_add_text(&command, cursor->pattern);
	command_add_text(&command, "COUNT");
	command_add_number(&command, SCAN_COUNT, number);
	int r = store_ask_node(store, cursor->nodes[cursor->node], &command, give_up_ns, &reply);
	if (r < 0)
		return r == ENGINE_UNKNOWN ? ENGINE_NOT_DONE : r;
	const redisReply *at = element(reply, 0, REDIS_REPLY_STRING);
	if (at == NULL || at->len >= sizeof(cursor->at) ||
	    element(reply, 1, REDIS_REPLY_ARRAY) == NULL) {
		freeReplyObject(reply);
		return -EPROTO;
	}
	memcpy(cursor->at, at->str, at->len + 1);
	cursor->scanned = strcmp(cursor->at, "0") == 0;
	freeReplyObject(cursor->batch);
	cursor->batch = reply;
	cursor->next = 0;
	return 0;
}

static int look_by_name(struct store *store, const redisReply *key, int64_t give_up_ns,
			struct engine_value *ret_value)
{
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command command;
	uint32_t node;
	char tag[SLOTS_KEY_MAX];
	const char *open = memchr(key->str, '{', key->len);
	const char *end = open != NULL ? strchr(open, '}') : NULL;

	if (end == NULL || (size_t)(end - open) > sizeof(tag))
		return -EPROTO; /* a key that only looks like ours */
	memcpy(tag, open + 1, (size_t)(end - open) - 1);
	tag[end - open - 1] = '\0';
	command_begin(&command, "EVALSHA");
	command_add_text(&command, store->shas[SCRIPT_GET]);
	command_add_text(&command, "1");
	command_add(&command, key->str, key->len);
	command_add_text(&command, "0");
	int r = store_ask(store, slots_of(tag), &command, 1, give_up_ns, replies, &node);
	if (r < 0)
		return r == ENGINE_UNKNOWN ? ENGINE_NOT_DONE : r;
	r = take_answer(replies[0], ret_value);
	freeReplyObject(replies[0]);
	return r;
}

/* 0 and a cart; 1: this key is to be left out. */
static int list_key(struct store *store, struct cursor *cursor, const redisReply *key,
		    int64_t give_up_ns, struct engine_value *ret_value)
{
	uint64_t hash[2];

	if (key->type != REDIS_REPLY_STRING)
		return -EPROTO;
	hash_key(key, hash);
	int r = seen_first(cursor, hash);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = look_by_name(store, key, give_up_ns, ret_value);
	if (r == -EPROTO || r == -EPROTONOSUPPORT)
		return 1; /* not a cart, or not one of this version */
	if (r < 0)
		return r;
	seen_note(cursor, hash);
	if (ret_value->version != 0 && !ret_value->ended)
		return 0;
	free(ret_value->record);
	return 1;
}

static int cursor_make(struct store *store, const struct corral_text *restaurant_id,
		       int64_t give_up_ns, struct cursor **ret_cursor)
{
	struct cursor *cursor = calloc(1, sizeof(*cursor));

	if (cursor == NULL)
		return -ENOMEM;
	cursor->node_count = store_masters(store, give_up_ns, cursor->nodes);
	cursor->at[0] = '0';
	slots_pattern(store->settings.location.prefix, restaurant_id, cursor->pattern);
	if (cursor->node_count == 0) {
		free(cursor);
		return ENGINE_NOT_DONE;
	}
	*ret_cursor = cursor;
	return 0;
}

static int engine_list(void *context, void **at, const struct corral_text *restaurant_id,
		       int64_t give_up_ns, struct engine_value *ret_value)
{
	struct store *store = context;
	struct cursor *cursor = *at;
	int r = cursor != NULL ? 0 : cursor_make(store, restaurant_id, give_up_ns, &cursor);

	*at = cursor;
	while (r == 0) {
		const redisReply *keys = cursor->batch != NULL ? cursor->batch->element[1] : NULL;
		if (keys == NULL || cursor->next == keys->elements) {
			r = scan(store, cursor, give_up_ns);
			continue;
		}
		r = list_key(store, cursor, keys->element[cursor->next], give_up_ns, ret_value);
		if (r < 0)
			break;
		cursor->next++;
		if (r == 0)
			return 0;
		r = 0;
	}
	return r;
}

static int engine_watch_add(void *store, void **watch, const struct corral_key *key)
{
	return watch_add(store, (struct watch **)watch, key);
}

static int engine_watch_next(void *store, void *watch, int64_t until_ns, uint32_t *ret_number)
{
	return watch_next(store, watch, until_ns, ret_number);
}

static void engine_watch_end(void *watch)
{
	watch_end(watch);
}

static int64_t sooner(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

static int pause_until(int64_t until_ns)
{
	int64_t left_ns = until_ns - connection_now_ns();

	if (left_ns > 0 && poll(NULL, 0, (int)(left_ns / 1000000) + 1) < 0)
		return -errno;
	return -ETIMEDOUT;
}

/* ------------------------------------------------------------- the whole store */

/* A key in a slot that this server has: prefix{number}sync. */
static bool key_at(struct store *store, uint32_t node, struct slots_key *ret_key)
{
	for (uint32_t number = 0; number < SLOTS; number++) {
		char tag[16];
		(void)snprintf(tag, sizeof(tag), "%u", number);
		ret_key->slot = slots_of(tag);
		if (!store_has_slot(store, node, ret_key->slot))
			continue;
		ret_key->size =
			(uint32_t)snprintf(ret_key->text, sizeof(ret_key->text), "%s{%s}sync",
					   store->settings.location.prefix, tag);
		return true;
	}
	return false;
}

/*
 * Write something of no meaning at a server, and wait until it has reached its replicas: then all
 * before it has. (A WAIT alone proves nothing: it waits for what its own connection has written.)
 */
static int sync_node(struct store *store, uint32_t node, int64_t give_up_ns)
{
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command commands[STORE_COMMANDS_MAX];
	char number[COMMAND_NUMBER_BYTES], wait_numbers[2][COMMAND_NUMBER_BYTES];
	struct engine_durable durable;
	struct slots_key key;

	if (!key_at(store, node, &key))
		return 0; /* it has no slots, so it has no carts */
	command_begin(&commands[0], "SET");
	command_add(&commands[0], key.text, key.size);
	command_add_text(&commands[0], "1");
	command_add_text(&commands[0], "PX");
	command_add_number(&commands[0], SYNC_KEY_MS, number);
	make_wait(store, key.slot, &commands[1], wait_numbers);
	int r = store_ask(store, key.slot, commands, 2, give_up_ns, replies, &node);
	if (r < 0)
		return r == ENGINE_UNKNOWN ? ENGINE_NOT_DONE : r;
	judge_wait(store, node, replies[1], &durable);
	freeReplyObject(replies[0]);
	freeReplyObject(replies[1]);
	return durable.durable ? 0 : ENGINE_NOT_DONE;
}

/* All masters, whether this process has changed something there or not: there are few. */
static int engine_sync(void *context, int64_t give_up_ns, uint32_t *cancel)
{
	struct store *store = context;
	uint16_t nodes[NODES_MAX];
	uint32_t next = 0;

	if (!waits(store))
		return -EOPNOTSUPP;
	uint32_t count = store_masters(store, give_up_ns, nodes);
	while (next < count) {
		if (cancel != NULL && load_acquire(cancel) != 0)
			return -ECANCELED;
		if (connection_now_ns() >= give_up_ns)
			return -ETIMEDOUT;
		int r = sync_node(store, nodes[next], give_up_ns);
		if (r == 0)
			next++;
		else if (r != ENGINE_NOT_DONE)
			return r;
		else if (pause_until(sooner(give_up_ns, connection_now_ns() + 20000000)) == -EINTR)
			return -EINTR;
	}
	return count > 0 ? 0 : -EHOSTDOWN;
}

static int engine_about(void *store, int64_t give_up_ns, struct engine_about *ret_about)
{
	return about_store(store, give_up_ns, ret_about);
}

/* The option strict: an open is refused where durable would not mean what it says. */
static int check(struct store *store, char *why)
{
	struct engine_about about;

	if (!store->settings.location.strict)
		return 0;
	int r = about_store(store, connection_now_ns() + OPEN_NS, &about);
	if (r < 0)
		return reason_set(why, r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -EHOSTDOWN : r,
				  "strict: the servers cannot be asked how they are set up");
	return about_judge(store, &about, why);
}

/*
 * The settings that all who open a store have to find the same: made by the first of them, and
 * never changed. *ret_settings has what this location says; what the store has replaces it.
 */
static int settle(struct store *store, struct engine_settings *settings, char *why)
{
	const int64_t give_up_ns = connection_now_ns() + OPEN_NS;
	char key[LOCATION_TEXT_MAX + sizeof(SETTINGS_KEY)];
	redisReply *replies[STORE_COMMANDS_MAX];
	struct command command;
	char value[sizeof(SETTINGS_FORMAT) + SEED_DIGITS];
	uint32_t node;

	(void)snprintf(key, sizeof(key), "%s" SETTINGS_KEY, store->settings.location.prefix);
	(void)snprintf(value, sizeof(value), SETTINGS_FORMAT "%016llx",
		       (unsigned long long)settings->seed);
	for (int tries = 0; tries < 100; tries++) {
		command_begin(&command, "SET");
		command_add_text(&command, key);
		command_add_text(&command, value);
		command_add_text(&command, "NX");
		command_add_text(&command, "GET");
		int r = store_ask(store, slots_of(key), &command, 1, give_up_ns, replies, &node);
		if (r == -EPROTO)
			return reason_set(why, r,
					  "the server does not know SET NX GET (Redis 7.0), "
					  "or is one of a cluster: redis+cluster://");
		if (r < 0 && connection_now_ns() < give_up_ns &&
		    (r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN)) {
			(void)poll(NULL, 0, 50);
			continue;
		}
		if (r < 0)
			return reason_set(
				why, r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -EHOSTDOWN : r,
				"the store's settings cannot be read");
		unsigned long long seed = settings->seed;
		const redisReply *reply = replies[0];
		bool known = reply->type == REDIS_REPLY_NIL ||
			     (reply->type == REDIS_REPLY_STRING &&
			      sscanf(reply->str, SETTINGS_FORMAT "%16llx", &seed) == 1);
		freeReplyObject(replies[0]);
		settings->seed = seed;
		return known ? 0 :
			       reason_set(why, -EPROTONOSUPPORT,
					  "the store is of another version: see the key %.200s",
					  key);
	}
	return reason_set(why, -EHOSTDOWN, "the store's settings cannot be read");
}

static int engine_open(const char *location, const struct engine_host *host, void **ret_store,
		       struct engine_settings *ret_settings, char *why)
{
	struct store *store;
	int r = store_open(location, host, &store, why);

	if (r < 0)
		return r;
	*ret_settings = (struct engine_settings){ .ttl_ms = store->settings.location.ttl_ms,
						  .replicas = store->settings.location.replicas };
	memcpy(ret_settings->currency, store->settings.location.currency,
	       sizeof(ret_settings->currency));
	ret_settings->seed = store->settings.location.seed;
	if (ret_settings->seed == 0 && getrandom(&ret_settings->seed, sizeof(ret_settings->seed),
						 0) != (ssize_t)sizeof(ret_settings->seed))
		r = reason_set(why, -EIO, "no random numbers");
	if (r == 0)
		r = settle(store, ret_settings, why);
	if (r == 0)
		r = check(store, why);
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

static void engine_close(void *store)
{
	store_close(store);
}

static void engine_name(void *store, const char *label)
{
	store_name(store, label);
}

extern const struct engine corral_engine;
EXPORT const struct engine corral_engine = {
	.abi = ENGINE_ABI,
	.open_store = engine_open,
	.close_store = engine_close,
	.get = engine_get,
	.swap = engine_swap,
	.end = engine_end,
	.list = engine_list,
	.list_end = cursor_free,
	.watch_add = engine_watch_add,
	.watch_next = engine_watch_next,
	.watch_end = engine_watch_end,
	.sync = engine_sync,
	.about = engine_about,
	.name = engine_name,
};
