/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_snapshot.c: the commands that copy carts out of an arena and into one: snapshot, restore.
 *
 * A snapshot attaches as an observer: it never waits for another process or makes one wait. Each
 * cart is as it was at one moment, but not all at the same moment. Restoring verifies the whole
 * file first, and then puts one cart after the other, as a worker would change them: other
 * processes may use the arena meanwhile.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "api/copy.h"
#include "api/durable.h"
#include "api/engine_load.h"
#include "api/remote.h"
#include "common/parse.h"
#include "sections.h"
#include "snapshot.h"
#include "tool.h"

#define NS_PER_MS 1000000ull

/* ----------------------------------------------------------------- snapshot */

static volatile sig_atomic_t stopped_by;

static void on_signal(int number)
{
	stopped_by = number;
}

/* Catch signals, so that no temporary file is left behind. */
static void catch_signals(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

struct snapshot {
	struct corral *corral;
	struct snapshot_out out;
	uint64_t damaged;
	uint8_t *version; /* CORRAL_CART_MAX bytes */
};

static int put_header(struct snapshot *snapshot)
{
	const struct arena *arena = &snapshot->corral->arena;
	struct portable_header header = { .format = PORTABLE_FORMAT,
					  .taken_ms = arena_wall_ms(),
					  .ttl_ms = arena->header->ttl_ns / NS_PER_MS,
					  .arena_bytes = arena->bytes,
					  .max_carts = arena->max_carts,
					  .hash_seed = arena->hash_seed };

	static_assert(PORTABLE_UUID_BYTES == SECTION_UUID_BYTES, "the same text");
	section_uuid(arena->header, header.arena_uuid);
	if (snapshot->corral->remote != NULL) { /* what has no size may have any */
		header.arena_bytes = INT64_MAX;
		header.max_carts = UINT32_MAX;
	}
	return snapshot_put_header(&snapshot->out, &header);
}

static void name_damaged(struct snapshot *snapshot, uint32_t number, size_t size)
{
	struct corral_key key = { { NULL, 0 }, { NULL, 0 } };

	snapshot->damaged++;
	if (cart_get_key(snapshot->version, size, &key) < 0)
		(void)complain(EXIT_NO,
			       "damaged, left out: the cart in slot %" PRIu32 ": see: corral check",
			       number);
	else
		(void)complain(EXIT_NO,
			       "damaged, left out: the cart in slot %" PRIu32
			       ", %.*s %.*s: see: corral check",
			       number, (int)key.restaurant_id.size, key.restaurant_id.data,
			       (int)key.session_id.size, key.session_id.data);
}

static enum exit_code cannot_put(const struct snapshot *snapshot, int error)
{
	return complain(EXIT_NO_OUTPUT, "the snapshot cannot be written: %s: %s",
			snapshot->out.path, strerror(error));
}

static enum exit_code put_slot(struct snapshot *snapshot, uint32_t number)
{
	uint64_t idle_ns = 0;
	size_t size = 0;
	int r = copy_slot(snapshot->corral, number, snapshot->version, &size, &idle_ns);

	if (r == -ENOENT)
		return EXIT_DONE;
	if (r == -EUCLEAN) {
		name_damaged(snapshot, number, size);
		return EXIT_DONE;
	}
	if (r < 0)
		return complain_arena("the snapshot was not finished", r, "");
	r = snapshot_put_cart(&snapshot->out, snapshot->version, snapshot->corral->arena.hash_seed,
			      idle_ns / NS_PER_MS);
	return r ? cannot_put(snapshot, r) : EXIT_DONE;
}

/* The next cart of an engine. *ret_more: there was one. */
static enum exit_code put_next(struct snapshot *snapshot, void **cursor, bool *ret_more)
{
	uint64_t idle_ms = 0;
	uint32_t size;
	int r = remote_next(snapshot->corral, cursor, snapshot->version, &size, &idle_ms);

	*ret_more = r == 0 || r == -EUCLEAN;
	if (r == 1)
		return EXIT_DONE;
	if (r == -EUCLEAN) {
		snapshot->damaged++;
		return EXIT_DONE;
	}
	if (r < 0)
		return complain_arena("the snapshot was not finished", r, "");
	r = snapshot_put_cart(&snapshot->out, snapshot->version, snapshot->corral->arena.hash_seed,
			      idle_ms);
	return r ? cannot_put(snapshot, r) : EXIT_DONE;
}

static enum exit_code take_remote(struct snapshot *snapshot)
{
	enum exit_code code = EXIT_DONE;
	void *cursor = NULL;
	bool more = true;

	while (!code && !stopped_by && more) {
		code = put_next(snapshot, &cursor, &more);
		snapshot_pause(&snapshot->out);
	}
	remote_list_end(snapshot->corral, cursor);
	return code || stopped_by ? code : snapshot_finish(&snapshot->out);
}

static enum exit_code take_snapshot(struct snapshot *snapshot)
{
	int r = put_header(snapshot);
	enum exit_code code = r ? cannot_put(snapshot, r) : EXIT_DONE;

	if (!code && snapshot->corral->remote != NULL)
		return take_remote(snapshot);
	for (uint32_t number = 0; !code && !stopped_by; number++) {
		uint32_t slots = copy_slots(snapshot->corral);
		if (number >= slots)
			return snapshot_finish(&snapshot->out);
		code = put_slot(snapshot, number);
		snapshot_progress("snapshot", number, slots, snapshot->out.carts);
		snapshot_pause(&snapshot->out);
	}
	return code;
}

static void print_snapshot(const struct call *call, const struct snapshot *snapshot)
{
	const struct snapshot_out *out = &snapshot->out;
	FILE *to = strcmp(out->path, "-") == 0 ? stderr : stdout;
	char bytes[FORMAT_MAX];

	if (call->json)
		fprintf(to,
			"{\"carts\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
			out->carts, snapshot->damaged, out->bytes);
	else
		fprintf(to, "%" PRIu64 " cart%s, %s%s\n", out->carts, plural(out->carts),
			format_bytes(out->bytes, bytes),
			snapshot->damaged ? "; damaged ones were left out" : "");
}

enum exit_code run_snapshot(struct call *call)
{
	struct snapshot snapshot = { 0 };
	enum exit_code code = open_arena(call, LOOK_ONLY, &snapshot.corral);

	if (code)
		return code;
	catch_signals(on_signal);
	code = snapshot_create(call->word, &snapshot.out);
	if (!code) {
		snapshot.version = must_have(malloc(CORRAL_CART_MAX));
		code = take_snapshot(&snapshot);
		snapshot_progress_end();
	}
	corral_close(snapshot.corral);
	snapshot_discard(&snapshot.out);
	free(snapshot.version);
	catch_signals(SIG_DFL);
	if (stopped_by)
		raise(stopped_by); /* so that the shell sees the signal that ended the program */
	if (code)
		return code;
	print_snapshot(call, &snapshot);
	return snapshot.damaged ? EXIT_NO : EXIT_DONE;
}

/* ------------------------------------------------------------------ restore */

struct restore {
	struct call *call;
	struct corral *corral;
	struct snapshot_in in;
	uint64_t restored;
	uint64_t as_new; /* the existing cart is as new or newer */
	uint64_t ended;
	uint64_t refused;
};

static enum exit_code complain_put(struct restore *restore, const void *version, size_t size,
				   int error)
{
	static char ids[2][CORRAL_ID_MAX + 1];
	struct corral_key key;

	if (cart_get_key(version, size, &key) == 0) {
		snprintf(ids[0], sizeof(ids[0]), "%.*s", (int)key.restaurant_id.size,
			 key.restaurant_id.data);
		snprintf(ids[1], sizeof(ids[1]), "%.*s", (int)key.session_id.size,
			 key.session_id.data);
	}
	restore->call->key = (struct corral_key){ corral_text(ids[0]), corral_text(ids[1]) };
	return complain_cart(restore->call, error);
}

static enum exit_code restore_cart(void *context, const void *version,
				   const struct portable_version *made)
{
	struct restore *restore = context;
	uint64_t idle_ns = made->idle_ms * NS_PER_MS;
	uint64_t ttl_ns =
		made->ttl_ms ? made->ttl_ms * NS_PER_MS : restore->corral->arena.header->ttl_ns;

	if ((int64_t)idle_ns >= deadline_ns(0, ttl_ns)) {
		restore->ended++;
		return EXIT_DONE;
	}
	int r = change_put_validated(restore->corral, version, made->size, idle_ns);
	if (r < 0) {
		restore->refused++;
		enum exit_code code = complain_put(restore, version, made->size, r);
		return code == EXIT_NO ? EXIT_DONE :
					 code; /* it failed for this cart only, or for the arena */
	}
	restore->restored += r == 0;
	restore->as_new += r == 1;
	return EXIT_DONE;
}

static enum exit_code must_be_empty(struct corral *corral)
{
	struct corral_list *list = NULL;
	struct corral_entry entry;
	size_t count = 0;
	int r = corral_list_open(corral, NULL, &list);

	if (!r)
		r = corral_list_next(list, &entry, 1, &count);
	corral_list_close(list);
	if (r)
		return complain_arena("its carts cannot be listed", r, "");
	if (count == 0)
		return EXIT_DONE;
	return complain(EXIT_NO,
			"the arena has carts already: %s: to let the newer version of each cart "
			"win: --merge",
			corral->directory);
}

static void print_restore(const struct call *call, const struct restore *restore)
{
	const struct portable_header *header = &restore->in.header;
	bool kept = header->hash_seed == restore->corral->arena.hash_seed;
	uint64_t restored = restore->restored;
	char taken[FORMAT_MAX];

	if (call->json) {
		json_print(must_have(json_pack(
			"{s:I, s:I, s:I, s:I, s:b, s:o}", "restored", (json_int_t)restored,
			"as_new", (json_int_t)restore->as_new, "ended", (json_int_t)restore->ended,
			"refused", (json_int_t)restore->refused, "operation_ids_kept", (int)kept,
			"taken_at", json_of_time(header->taken_ms))));
		return;
	}
	printf("%" PRIu64 " cart%s restored of %s; %" PRIu64 " there as new, %" PRIu64
	       " ended, %" PRIu64 " refused; operation ids %s\n",
	       restored, plural(restored), format_time(header->taken_ms, taken), restore->as_new,
	       restore->ended, restore->refused,
	       kept ? "kept" : "forgotten: this is another arena");
}

static enum exit_code restore_all(struct restore *restore)
{
	uint64_t seed = restore->corral->arena.hash_seed;
	enum exit_code code = snapshot_read(&restore->in, seed, NULL, NULL);

	if (code)
		return code; /* nothing has been changed yet */
	code = snapshot_read(&restore->in, seed, restore_cart, restore);
	if (code)
		return complain(code,
				"not all carts were restored: %s: %" PRIu64
				" were; when the reason is gone: --merge",
				restore->in.path, restore->restored);
	return restore->refused ? EXIT_NO : EXIT_DONE;
}

/*
 * Open where the carts go. A store on servers that nobody has opened yet gets the snapshot's seed,
 * so that carts keep the operation ids that they remember; any other keeps its own. A seed that the
 * location names comes behind this one, and wins.
 */
static enum exit_code open_target(struct restore *restore)
{
	struct call *call = restore->call;
	const char *location = call->dir != NULL ? call->dir : getenv("CORRAL_DIR");

	if (location == NULL || !engine_is_location(location))
		return open_arena(call, CORRAL_OBSERVE, &restore->corral);
	const size_t servers = strcspn(location, "?");
	const char *options = location + servers;
	char *seeded = NULL;
	enum exit_code code = snapshot_read_header(&restore->in);

	if (code)
		return code;
	if (asprintf(&seeded, "%.*s?seed=%016" PRIx64 "%s%s", (int)servers, location,
		     restore->in.header.hash_seed, options[0] != '\0' ? "&" : "",
		     options[0] != '\0' ? options + 1 : "") < 0)
		seeded = NULL;
	const char *given = call->dir;
	call->dir = must_have(seeded);
	code = open_arena(call, CORRAL_OBSERVE, &restore->corral);
	call->dir = given;
	free(seeded);
	return code;
}

enum exit_code run_restore(struct call *call)
{
	struct restore restore = { .call = call };
	enum exit_code code = snapshot_open(call->word, &restore.in);

	if (!code)
		code = open_target(&restore);
	if (!code && !call->merge)
		code = must_be_empty(restore.corral);
	if (!code)
		code = restore_all(&restore);
	if (restore.restored || restore.refused || !code)
		print_restore(call, &restore);
	if (!code && durable_wanted(restore.corral)) { /* one sync for all of them */
		int r = corral_sync(restore.corral, -1, NULL);
		code = r ? complain_sync("the carts are restored", r) : EXIT_DONE;
	}
	corral_close(restore.corral);
	snapshot_close(&restore.in);
	return code;
}
