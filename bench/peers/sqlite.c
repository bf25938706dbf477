/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite.c: SQLite with a write-ahead log, synchronous=NORMAL (a change is not synced), and
 * prepared statements.
 */
#include "peer.h"

#if __has_include(<sqlite3.h>)

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "harness/memory.h"
#include "peer_cart.h"

#define BUSY_MS 10000
#define PRAGMAS "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=17179869184;"

enum { SELECT, REPLACE, BEGIN, COMMIT, ROLLBACK, STATEMENTS };

struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	msgpack_sbuffer out;
};

static const char *missing(void)
{
	return NULL;
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	(void)place;
	*ret_pid = 0;
	return 0;
}

static void stop(const struct peer_place *place)
{
	(void)place; /* its files are removed with the directory */
}

static void close_sqlite(void *connection)
{
	struct sqlite *sqlite = connection;

	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(sqlite->statements[i]);
	(void)sqlite3_close(sqlite->db);
	msgpack_sbuffer_destroy(&sqlite->out);
	free(sqlite);
}

static void path_of(const struct peer_place *place, char path[PEER_PATH_BYTES + 16])
{
	snprintf(path, PEER_PATH_BYTES + 16, "%s/sqlite", place->directory);
}

static int open_sqlite(const struct peer_place *place, void **ret_connection)
{
	static const char *const texts[STATEMENTS] = {
		"SELECT value FROM carts WHERE key = ?1",
		"REPLACE INTO carts (key, value) VALUES (?1, ?2)", "BEGIN IMMEDIATE", "COMMIT",
		"ROLLBACK"
	};
	struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
	char path[PEER_PATH_BYTES + 16];

	if (sqlite == NULL)
		return -ENOMEM;
	*ret_connection = sqlite;
	msgpack_sbuffer_init(&sqlite->out);
	path_of(place, path);
	int r = sqlite3_open_v2(path, &sqlite->db,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				NULL); /* only one thread uses it */
	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(sqlite->db, BUSY_MS);
	if (r == SQLITE_OK)
		r = sqlite3_exec(sqlite->db,
				 PRAGMAS "CREATE TABLE IF NOT EXISTS carts (key BLOB PRIMARY KEY, "
					 "value BLOB) WITHOUT ROWID",
				 NULL, NULL, NULL);
	for (int i = 0; i < STATEMENTS && r == SQLITE_OK; i++)
		r = sqlite3_prepare_v3(sqlite->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &sqlite->statements[i], NULL);
	return r == SQLITE_OK ? 0 : -EIO;
}

static int run(struct sqlite *sqlite, int statement)
{
	sqlite3_stmt *stmt = sqlite->statements[statement];
	int r = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return r == SQLITE_DONE ? 0 : -EIO;
}

static int put(void *connection, const struct dataset_step *step, const void *bytes, size_t size)
{
	struct sqlite *sqlite = connection;
	sqlite3_stmt *stmt = sqlite->statements[REPLACE];

	sqlite3_bind_blob(stmt, 1, step->key, DATASET_KEY_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 2, bytes, (int)size, SQLITE_STATIC);
	return run(sqlite, REPLACE);
}

/* Find the cart's row, which is valid until the statement is reset. */
static int find(struct sqlite *sqlite, const struct dataset_step *step, const void **ret_bytes,
		size_t *ret_size)
{
	sqlite3_stmt *stmt = sqlite->statements[SELECT];

	sqlite3_bind_blob(stmt, 1, step->key, DATASET_KEY_BYTES, SQLITE_STATIC);
	int r = sqlite3_step(stmt);
	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? -ENOENT : -EIO;
	*ret_bytes = sqlite3_column_blob(stmt, 0);
	*ret_size = (size_t)sqlite3_column_bytes(stmt, 0);
	return 0;
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct sqlite *sqlite = connection;
	const void *bytes;
	size_t size;

	int r = find(sqlite, step, &bytes, &size);
	if (r == 0)
		*sink += ((const uint8_t *)bytes)[9] + size;
	sqlite3_reset(sqlite->statements[SELECT]);
	return r;
}

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct sqlite *sqlite = connection;
	const void *bytes;
	size_t size;

	int r = run(sqlite, BEGIN);
	if (r < 0)
		return r;
	r = find(sqlite, step, &bytes, &size);
	if (r == 0)
		r = peer_cart_add(bytes, size, item, &sqlite->out);
	sqlite3_reset(sqlite->statements[SELECT]);
	if (r == 0)
		r = put(connection, step, sqlite->out.data, sqlite->out.size);
	if (r == 0)
		return run(sqlite, COMMIT);
	(void)run(sqlite, ROLLBACK);
	return r;
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	struct sqlite *sqlite = connection;
	const void *bytes;
	size_t size;

	int r = find(sqlite, step, &bytes, &size);
	if (r == 0)
		r = peer_cart_version(bytes, size, ret_version);
	sqlite3_reset(sqlite->statements[SELECT]);
	return r;
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	return put(connection, step, whole->bytes, whole->size);
}

static void tell(const struct peer_place *place, FILE *stream)
{
	(void)place;
	fprintf(stream, "SQLite %s; %s", sqlite3_libversion(), PRAGMAS);
}

static uint64_t memory(const struct peer_place *place)
{
	char path[PEER_PATH_BYTES + 16];

	path_of(place, path);
	return memory_of_files(path);
}

const struct peer peer_sqlite = {
	.name = "sqlite",
	.store = "sqlite",
	.about = "SQLite, WAL, synchronous=NORMAL: select; read, unpack, pack, replace",
	.missing = missing,
	.start = start,
	.stop = stop,
	.open = open_sqlite,
	.close = close_sqlite,
	.put = put,
	.get = get,
	.add = add,
	.set = set,
	.version = version,
	.tell = tell,
	.memory = memory
};

#else

static const char *missing(void)
{
	return "built without libsqlite3-dev (make bench-deps)";
}

const struct peer peer_sqlite = { .name = "sqlite", .missing = missing };

#endif
