/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_trace.c: see power_trace.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power_trace.h"
#include "support.h"

int __real_openat(int dir_fd, const char *name, int flags, mode_t mode);
int __real_mkdirat(int dir_fd, const char *name, mode_t mode);
int __real_unlinkat(int dir_fd, const char *name, int flags);
int __real_renameat(int dir_fd, const char *name, int to_fd, const char *to_name);
int __real_renameat2(int dir_fd, const char *name, int to_fd, const char *to_name, unsigned flags);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int __real_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __real_fdatasync(int fd);

int __wrap_openat(int dir_fd, const char *name, int flags, ...);
int __wrap_mkdirat(int dir_fd, const char *name, mode_t mode);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);
int __wrap_renameat(int dir_fd, const char *name, int to_fd, const char *to_name);
int __wrap_renameat2(int dir_fd, const char *name, int to_fd, const char *to_name, unsigned flags);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __real_msync(void *address, size_t size, int flags);
int __wrap_msync(void *address, size_t size, int flags);
int64_t __real_arena_wall_ms(void);
int64_t __wrap_arena_wall_ms(void);

#define NONE UINT32_MAX

struct power_trace power_trace;
bool power_fail_sync;
bool power_no_sync;
enum power_kind power_die_after = POWER_NOTHING;
int64_t power_wall_offset_ms;

static bool recording;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void power_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void power_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

const char *power_kind_name(enum power_kind kind)
{
	static const char *const names[] = { "create", "mkdir",    "unlink", "rename",
					     "write",  "truncate", "sync",   "nothing" };

	return names[kind];
}

/* ------------------------------------------------------------------- nodes */

static uint32_t node_of_inode(uint64_t inode)
{
	for (uint32_t i = power_trace.node_count; i-- > 0;)
		if (power_trace.nodes[i].inode == inode)
			return i;
	return NONE;
}

static uint32_t node_of(int fd)
{
	struct stat st;

	return recording && fstat(fd, &st) == 0 ? node_of_inode(st.st_ino) : NONE;
}

/* Find the directory and the last component of a name; the agent also passes "directory/name". */
static uint32_t node_at(int dir_fd, const char *name, const char **ret_last)
{
	const char *slash = strrchr(name, '/');
	char path[POWER_NAME_BYTES];
	struct stat st;

	*ret_last = slash != NULL ? slash + 1 : name;
	if (!recording || slash == NULL)
		return node_of(dir_fd);
	snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
	return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? node_of_inode(st.st_ino) :
								      NONE;
}

static uint32_t node_named(int dir_fd, const char *name)
{
	struct stat st;

	return recording && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
		       node_of_inode(st.st_ino) :
		       NONE;
}

static uint32_t node_add(int dir_fd, const char *name)
{
	struct stat st;

	must(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	must(power_trace.node_count < POWER_NODES_MAX);
	power_trace.nodes[power_trace.node_count] =
		(struct power_node){ .inode = st.st_ino,
				     .is_directory = S_ISDIR(st.st_mode),
				     .is_arena = strcmp(name, ".arena.new") == 0 };
	return power_trace.node_count++;
}

/* Files that the trace leaves out. */
static bool is_other(const char *name)
{
	return strcmp(name, ARENA_LOCK_FILE) == 0 || strcmp(name, ARENA_SOCKET_FILE) == 0 ||
	       strcmp(name, "agent.log") == 0;
}

/* ------------------------------------------------------------------- steps */

static struct power_step *step_add(enum power_kind kind, uint32_t node,
				   struct power_promise promise)
{
	must(power_trace.count < POWER_STEPS_MAX);
	struct power_step *step = &power_trace.steps[power_trace.count++];

	*step = (struct power_step){ .kind = kind, .node = node, .promise = promise };
	return step;
}

static void step_name(struct power_step *step, uint32_t dir, const char *name)
{
	step->dir = dir;
	snprintf(step->name, sizeof(step->name), "%s", name);
}

static struct power_promise promise_now(void)
{
	return recording ? power_trace.promise() : (struct power_promise){ 0 };
}

void power_trace_begin(int dir_fd, struct power_promise (*promise)(void))
{
	struct stat st;

	assert_int_equal(fstat(dir_fd, &st), 0);
	memset(&power_trace, 0, sizeof(power_trace));
	power_trace.steps = calloc(POWER_STEPS_MAX, sizeof(*power_trace.steps));
	assert_non_null(power_trace.steps);
	power_trace.nodes[0] = (struct power_node){ .inode = st.st_ino, .is_directory = true };
	power_trace.node_count = 1;
	power_trace.promise = promise;
	recording = true;
}

void power_trace_end(void)
{
	recording = false;
}

void power_trace_free(void)
{
	for (uint32_t i = 0; i < power_trace.count; i++)
		free(power_trace.steps[i].bytes);
	free(power_trace.steps);
	memset(&power_trace, 0, sizeof(power_trace));
}

/* --------------------------------------------------------------- the calls */

/* End a wrapper; never returns if the agent is to die here. */
static void leave(enum power_kind kind)
{
	bool dies = recording && power_die_after == kind;

	if (dies)
		power_die_after = POWER_NOTHING;
	power_unlock();
	if (dies)
		for (;;)
			pause();
}

int __wrap_openat(int dir_fd, const char *name, int flags, ...)
{
	const char *last;
	va_list list;

	va_start(list, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	if ((flags & O_CREAT) == 0 || !recording)
		return __real_openat(dir_fd, name, flags, mode);
	power_lock();
	struct power_promise promise = promise_now();
	uint32_t dir = node_at(dir_fd, name, &last);
	int fd = __real_openat(dir_fd, name, flags, mode);
	if (fd >= 0 && dir != NONE && !is_other(last))
		step_name(step_add(POWER_CREATE, node_add(dir_fd, name), promise), dir, last);
	leave(POWER_CREATE);
	return fd;
}

int __wrap_mkdirat(int dir_fd, const char *name, mode_t mode)
{
	const char *last;

	power_lock();
	struct power_promise promise = promise_now();
	uint32_t dir = node_at(dir_fd, name, &last);
	int r = __real_mkdirat(dir_fd, name, mode);
	if (r == 0 && dir != NONE)
		step_name(step_add(POWER_MKDIR, node_add(dir_fd, name), promise), dir, last);
	leave(POWER_MKDIR);
	return r;
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
	const char *last;

	power_lock();
	struct power_promise promise = promise_now();
	uint32_t dir = node_at(dir_fd, name, &last);
	uint32_t node = node_named(dir_fd, name);
	int r = __real_unlinkat(dir_fd, name, flags);
	if (r == 0 && dir != NONE && node != NONE) {
		step_name(step_add(POWER_UNLINK, node, promise), dir, last);
		power_trace.nodes[node].inode = 0;
	}
	leave(POWER_UNLINK);
	return r;
}

static int rename_and_note(int dir_fd, const char *name, int to_fd, const char *to_name,
			   unsigned flags)
{
	const char *last, *to_last;

	power_lock();
	struct power_promise promise = promise_now();
	uint32_t dir = node_at(dir_fd, name, &last);
	uint32_t to_dir = node_at(to_fd, to_name, &to_last);
	uint32_t node = node_named(dir_fd, name);
	int r = __real_renameat2(dir_fd, name, to_fd, to_name, flags);
	if (r == 0 && dir != NONE && to_dir != NONE && node != NONE) {
		struct power_step *step = step_add(POWER_RENAME, node, promise);
		step_name(step, dir, last);
		step->to_dir = to_dir;
		snprintf(step->to_name, sizeof(step->to_name), "%s", to_last);
	}
	leave(POWER_RENAME);
	return r;
}

int __wrap_renameat(int dir_fd, const char *name, int to_fd, const char *to_name)
{
	return rename_and_note(dir_fd, name, to_fd, to_name, 0);
}

int __wrap_renameat2(int dir_fd, const char *name, int to_fd, const char *to_name, unsigned flags)
{
	return rename_and_note(dir_fd, name, to_fd, to_name, flags);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	power_lock();
	struct power_promise promise = promise_now();
	uint32_t node = node_of(fd);
	ssize_t n = __real_pwrite(fd, bytes, size, offset);
	if (n > 0 && node != NONE && !power_trace.nodes[node].is_arena) {
		struct power_step *step = step_add(POWER_WRITE, node, promise);
		step->offset = (uint64_t)offset;
		step->size = (uint32_t)n;
		step->bytes = malloc((size_t)n);
		must(step->bytes != NULL);
		memcpy(step->bytes, bytes, (size_t)n);
	}
	leave(POWER_WRITE);
	return n;
}

int __wrap_ftruncate(int fd, off_t size)
{
	power_lock();
	struct power_promise promise = promise_now();
	uint32_t node = node_of(fd);
	int r = __real_ftruncate(fd, size);
	if (r == 0 && node != NONE && !power_trace.nodes[node].is_arena)
		step_add(POWER_TRUNCATE, node, promise)->offset = (uint64_t)size;
	leave(POWER_TRUNCATE);
	return r;
}

/* Keep the arena's bytes as the content on disk. */
static void keep_arena(int fd, struct power_step *step)
{
	struct stat st;

	must(fstat(fd, &st) == 0);
	step->size = (uint32_t)st.st_size;
	step->bytes = malloc(step->size);
	must(step->bytes != NULL && pread(fd, step->bytes, step->size, 0) == st.st_size);
}

static int sync_and_note(int fd, int (*sync)(int fd))
{
	if (power_no_sync)
		return 0;
	power_lock();
	struct power_promise promise = promise_now();
	uint32_t node = node_of(fd);
	int r = 0;
	if (node != NONE && power_fail_sync && !power_trace.nodes[node].is_directory) {
		power_fail_sync = false;
		errno = EIO;
		r = -1;
	} else {
		r = sync(fd);
		if (r == 0 && node != NONE) {
			struct power_step *step = step_add(POWER_SYNC, node, promise);
			if (power_trace.nodes[node].is_arena)
				keep_arena(fd, step);
		}
	}
	leave(POWER_SYNC);
	return r;
}

int __wrap_fsync(int fd)
{
	return sync_and_note(fd, __real_fsync);
}

int __wrap_fdatasync(int fd)
{
	return sync_and_note(fd, __real_fdatasync);
}

/* The node of the arena mapped at this address. */
static uint32_t node_mapped(const void *address)
{
	char line[512], start[32];
	uint32_t node = NONE;

	FILE *maps = recording ? fopen("/proc/self/maps", "re") : NULL;
	snprintf(start, sizeof(start), "%llx-", (unsigned long long)(uintptr_t)address);
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long inode;
		if (strncmp(line, start, strlen(start)) == 0 &&
		    sscanf(line, "%*s %*s %*s %*s %llu", &inode) == 1)
			node = node_of_inode(inode);
	}
	if (maps != NULL)
		(void)fclose(maps);
	return node;
}

/* Keep the previous content on disk, updated by the part that was synced now. */
static void keep_part(struct power_step *step, const void *part, size_t size)
{
	for (const struct power_step *before = step - 1; before >= power_trace.steps; before--) {
		if (before->node != step->node || before->bytes == NULL)
			continue;
		step->size = before->size;
		step->bytes = malloc(step->size);
		must(step->bytes != NULL && size <= step->size);
		memcpy(step->bytes, before->bytes, step->size);
		memcpy(step->bytes, part, size);
		return;
	}
}

/* The range begins at the arena's start: no caller syncs another part. */
int __wrap_msync(void *address, size_t size, int flags)
{
	power_lock();
	struct power_promise promise = promise_now();
	uint32_t node = node_mapped(address);
	int r = power_no_sync ? 0 : __real_msync(address, size, flags);
	if (r == 0 && node != NONE)
		keep_part(step_add(POWER_SYNC, node, promise), address, size);
	leave(POWER_SYNC);
	return r;
}

int64_t __wrap_arena_wall_ms(void)
{
	return __real_arena_wall_ms() + power_wall_offset_ms;
}
