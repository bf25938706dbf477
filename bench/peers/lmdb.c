/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lmdb.c: LMDB: a read is a zero-copy mdb_get() in a read transaction that is renewed and reset; a
 * change is a write transaction of get, unpack, pack, put. It is measured once without syncs
 * (MDB_NOSYNC, MDB_WRITEMAP), and once with a sync for each change.
 *
 * A process must not open a file twice, so the connections of its threads share one environment,
 * and have a read transaction each. A forked worker leaves the environment of its parent alone.
 */
#include "peer.h"

#if __has_include(<lmdb.h>)

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/memory.h"
#include "peer_cart.h"

struct lmdb_file {
	const char *name;
	unsigned flags;
	pid_t pid; /* the process that owns the rest */
	uint32_t users;
	MDB_env *env;
	MDB_dbi dbi;
};

static struct lmdb_file nosync_file = { .name = "lmdb", .flags = MDB_NOSYNC | MDB_WRITEMAP };
static struct lmdb_file sync_file = { .name = "lmdb-sync" };
static pthread_mutex_t file_mutex = PTHREAD_MUTEX_INITIALIZER; /* users, env, dbi of both */

struct lmdb {
	struct lmdb_file *file;
	MDB_env *env; /* the file's, once it is open */
	MDB_dbi dbi;
	MDB_txn *reader;
	msgpack_sbuffer out;
};

static const char *missing(void)
{
	return NULL;
}

static int errno_of(int r)
{
	return r == 0 ? 0 : r > 0 ? -r : r == MDB_NOTFOUND ? -ENOENT : -EIO;
}

static void path_of(const struct peer_place *place, const struct lmdb_file *file,
		    char path[PEER_PATH_BYTES + 16])
{
	snprintf(path, PEER_PATH_BYTES + 16, "%s/%s", place->directory, file->name);
}

static int open_env(const struct peer_place *place, struct lmdb_file *file)
{
	char path[PEER_PATH_BYTES + 16];
	MDB_txn *txn = NULL;

	path_of(place, file, path);
	int r = mdb_env_create(&file->env);
	if (r != 0)
		return r;
	r = mdb_env_set_mapsize(file->env, place->bytes * 3 + (64u << 20));
	if (r == 0)
		r = mdb_env_set_maxreaders(file->env, place->workers + 16);
	if (r == 0)
		r = mdb_env_open(file->env, path, file->flags | MDB_NOTLS, 0600);
	if (r == 0)
		r = mdb_txn_begin(file->env, NULL, 0, &txn);
	if (r == 0)
		r = mdb_dbi_open(txn, NULL, 0, &file->dbi);
	if (txn != NULL)
		r = r == 0 ? mdb_txn_commit(txn) : (mdb_txn_abort(txn), r);
	if (r != 0)
		mdb_env_close(file->env);
	return r;
}

/* Count one more user of the file; the first one in this process opens it. */
static int take_file(const struct peer_place *place, struct lmdb *lmdb)
{
	struct lmdb_file *file = lmdb->file;
	int r = 0;

	pthread_mutex_lock(&file_mutex);
	if (file->pid != getpid()) {
		file->pid = getpid();
		file->users = 0;
	}
	if (file->users == 0)
		r = open_env(place, file);
	if (r == 0) {
		file->users++;
		lmdb->env = file->env;
		lmdb->dbi = file->dbi;
	}
	pthread_mutex_unlock(&file_mutex);
	return r;
}

static void drop_file(struct lmdb_file *file)
{
	pthread_mutex_lock(&file_mutex);
	if (--file->users == 0)
		mdb_env_close(file->env);
	pthread_mutex_unlock(&file_mutex);
}

static int open_in(const struct peer_place *place, struct lmdb_file *file, void **ret_connection)
{
	struct lmdb *lmdb = calloc(1, sizeof(*lmdb));

	*ret_connection = lmdb;
	if (lmdb == NULL)
		return -ENOMEM;
	msgpack_sbuffer_init(&lmdb->out);
	lmdb->file = file;
	int r = take_file(place, lmdb);
	if (r == 0)
		r = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &lmdb->reader);
	if (r == 0)
		mdb_txn_reset(lmdb->reader);
	return errno_of(r);
}

static void close_lmdb(void *connection)
{
	struct lmdb *lmdb = connection;

	if (lmdb->reader != NULL)
		mdb_txn_abort(lmdb->reader);
	if (lmdb->env != NULL)
		drop_file(lmdb->file);
	msgpack_sbuffer_destroy(&lmdb->out);
	free(lmdb);
}

static int start_in(const struct peer_place *place, const struct lmdb_file *file, pid_t *ret_pid)
{
	char path[PEER_PATH_BYTES + 16];

	*ret_pid = 0;
	path_of(place, file, path);
	return mkdir(path, 0700) == 0 ? 0 : -errno;
}

static void stop(const struct peer_place *place)
{
	(void)place; /* its files are removed with the directory */
}

static MDB_val key_of(const struct dataset_step *step)
{
	return (MDB_val){ DATASET_KEY_BYTES, (void *)(uintptr_t)step->key };
}

static int put(void *connection, const struct dataset_step *step, const void *bytes, size_t size)
{
	struct lmdb *lmdb = connection;
	MDB_val key = key_of(step), value = { size, (void *)(uintptr_t)bytes };
	MDB_txn *txn;

	int r = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
	if (r != 0)
		return errno_of(r);
	r = mdb_put(txn, lmdb->dbi, &key, &value, 0);
	return errno_of(r == 0 ? mdb_txn_commit(txn) : (mdb_txn_abort(txn), r));
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct lmdb *lmdb = connection;
	MDB_val key = key_of(step), value;

	int r = mdb_txn_renew(lmdb->reader);
	if (r != 0)
		return errno_of(r);
	r = mdb_get(lmdb->reader, lmdb->dbi, &key, &value);
	if (r == 0)
		*sink += ((const uint8_t *)value.mv_data)[9] + value.mv_size; /* the version */
	mdb_txn_reset(lmdb->reader);
	return errno_of(r);
}

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct lmdb *lmdb = connection;
	MDB_val key = key_of(step), value;
	MDB_txn *txn;

	int r = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
	if (r != 0)
		return errno_of(r);
	r = mdb_get(txn, lmdb->dbi, &key, &value);
	if (r == 0)
		r = peer_cart_add(value.mv_data, value.mv_size, item, &lmdb->out) == 0 ?
			    0 :
			    MDB_CORRUPTED;
	if (r == 0) {
		value = (MDB_val){ lmdb->out.size, lmdb->out.data };
		r = mdb_put(txn, lmdb->dbi, &key, &value, 0);
	}
	return errno_of(r == 0 ? mdb_txn_commit(txn) : (mdb_txn_abort(txn), r));
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	struct lmdb *lmdb = connection;
	MDB_val key = key_of(step), value;

	int r = mdb_txn_renew(lmdb->reader);
	if (r != 0)
		return errno_of(r);
	r = errno_of(mdb_get(lmdb->reader, lmdb->dbi, &key, &value));
	if (r == 0)
		r = peer_cart_version(value.mv_data, value.mv_size, ret_version);
	mdb_txn_reset(lmdb->reader);
	return r;
}

static int start_nosync(const struct peer_place *place, pid_t *ret_pid)
{
	return start_in(place, &nosync_file, ret_pid);
}

static int open_nosync(const struct peer_place *place, void **ret_connection)
{
	return open_in(place, &nosync_file, ret_connection);
}

static int start_sync(const struct peer_place *place, pid_t *ret_pid)
{
	return start_in(place, &sync_file, ret_pid);
}

static int open_sync(const struct peer_place *place, void **ret_connection)
{
	return open_in(place, &sync_file, ret_connection);
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	return put(connection, step, whole->bytes, whole->size);
}

static void tell_nosync(const struct peer_place *place, FILE *stream)
{
	(void)place;
	fprintf(stream, "%s; MDB_NOSYNC, MDB_WRITEMAP, MDB_NOTLS", mdb_version(NULL, NULL, NULL));
}

static void tell_sync(const struct peer_place *place, FILE *stream)
{
	(void)place;
	fprintf(stream, "%s; MDB_NOTLS", mdb_version(NULL, NULL, NULL));
}

static uint64_t memory_in(const struct peer_place *place, const struct lmdb_file *file)
{
	char path[PEER_PATH_BYTES + 16];

	path_of(place, file, path);
	return memory_of_files(path);
}

static uint64_t memory_nosync(const struct peer_place *place)
{
	return memory_in(place, &nosync_file);
}

static uint64_t memory_sync(const struct peer_place *place)
{
	return memory_in(place, &sync_file);
}

const struct peer peer_lmdb = {
	.name = "lmdb",
	.store = "lmdb",
	.about = "LMDB, no sync: zero-copy get; read, unpack, pack, put in a transaction",
	.missing = missing,
	.start = start_nosync,
	.stop = stop,
	.open = open_nosync,
	.close = close_lmdb,
	.put = put,
	.get = get,
	.add = add,
	.set = set,
	.version = version,
	.tell = tell_nosync,
	.memory = memory_nosync
};

const struct peer peer_lmdb_sync = {
	.name = "lmdb_sync",
	.store = "lmdb_sync",
	.about = "LMDB, a sync for each change (which costs nothing if --dir is in memory)",
	.missing = missing,
	.start = start_sync,
	.stop = stop,
	.open = open_sync,
	.close = close_lmdb,
	.put = put,
	.add = add,
	.set = set,
	.version = version,
	.tell = tell_sync,
	.memory = memory_sync
};

#else

static const char *missing(void)
{
	return "built without liblmdb-dev (make bench-deps)";
}

const struct peer peer_lmdb = { .name = "lmdb", .missing = missing };
const struct peer peer_lmdb_sync = { .name = "lmdb_sync", .missing = missing };

#endif
