/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox.c: the directory, the arena and the agent of a benchmark. See sandbox.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arena/arena.h"
#include "child.h"
#include "common/client.h"
#include "sandbox.h"

#define AGENT "corral-agent"
#define AGENT_READY_MS 20000
#define AGENT_STOP_MS 10000
#define PING_MS 1000
#define LOG_SHOWN 4096

/* -------------------------------------------------------------- directory */

static bool has_room(const char *directory, uint64_t bytes)
{
	struct statvfs room;

	return access(directory, W_OK | X_OK) == 0 && statvfs(directory, &room) == 0 &&
	       (uint64_t)room.f_bavail * room.f_frsize >= bytes;
}

static const char *temporary_parent(const char *usual)
{
	const char *parent = getenv("TMPDIR");

	return parent == NULL || parent[0] != '/' ? usual : parent;
}

static enum bench_exit make_temporary(struct sandbox *sandbox, const char *parent)
{
	if (snprintf(sandbox->directory, PATH_MAX, "%s/corral-bench.XXXXXX", parent) >= PATH_MAX ||
	    mkdtemp(sandbox->directory) == NULL) {
		bench_say("cannot make a directory in %s: %s", parent, strerror(errno));
		return BENCH_NO_ARENA;
	}
	sandbox->temporary = true;
	return BENCH_DONE;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void sandbox_remove_directory(const char *directory)
{
	if (nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		bench_say("cannot remove %s: %s", directory, strerror(errno));
}

static void remove_temporary(struct sandbox *sandbox)
{
	if (sandbox->temporary)
		sandbox_remove_directory(sandbox->directory);
	sandbox->temporary = false;
}

/* ------------------------------------------------------------------ agent */

/* Does an agent answer? 1: yes; 0: there is no agent; -errno: there is one that does not answer. */
static int agent_answers(const struct sandbox *sandbox)
{
	json_t *answer;
	int r = agent_ask(sandbox->directory, "ping", PING_MS, &answer);

	if (r == 0) {
		int ok = json_is_true(json_object_get(answer, "ok"));

		json_decref(answer);
		return ok;
	}
	return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
}

static void show_log(struct sandbox *sandbox)
{
	char text[LOG_SHOWN + 1];
	off_t end = lseek(sandbox->log, 0, SEEK_END);
	off_t from = end > LOG_SHOWN ? end - LOG_SHOWN : 0;
	ssize_t size = pread(sandbox->log, text, LOG_SHOWN, from);

	if (size > 0)
		fprintf(stderr, "%.*s", (int)size, text);
}

static void explain_end(struct sandbox *sandbox, int status)
{
	if (WIFSIGNALED(status))
		bench_say("the agent died of signal %d", WTERMSIG(status));
	else
		bench_say("the agent ended with exit code %d", WEXITSTATUS(status));
	show_log(sandbox);
}

bool sandbox_agent_gone(struct sandbox *sandbox)
{
	int status = 0;

	if (sandbox->agent == 0 || child_wait(sandbox->agent, 0, &status) == 0)
		return false;
	sandbox->agent = 0;
	explain_end(sandbox, status);
	return true;
}

int sandbox_agent_ready(struct sandbox *sandbox)
{
	return sandbox_agent_gone(sandbox) ? -1 : agent_answers(sandbox) == 1;
}

enum bench_exit sandbox_start_agent(struct sandbox *sandbox)
{
	char size[32], carts[32], arena[PATH_MAX + sizeof(ARENA_FILE) + 1];
	char *argv[] = { sandbox->agent_path,
			 "--dir",
			 sandbox->directory,
			 "--journal",
			 sandbox->journal,
			 "--size",
			 size,
			 "--max-carts",
			 carts,
			 NULL };
	struct child_plan plan = { .path = sandbox->agent_path,
				   .argv = argv,
				   .keep = { -1, -1 },
				   .output = sandbox->log };
	pid_t pid;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)sandbox->arena_bytes);
	snprintf(carts, sizeof(carts), "%u", sandbox->max_carts);
	snprintf(arena, sizeof(arena), "%s/%s", sandbox->directory, ARENA_FILE);
	if (access(arena, F_OK) == 0)
		argv[5] = NULL; /* the arena exists and has its size */
	pid = child_start(&plan);
	if (pid < 0) {
		bench_say("cannot start %s: %s", sandbox->agent_path, strerror((int)-pid));
		return BENCH_NO_AGENT;
	}
	sandbox->agent = pid;
	return BENCH_DONE;
}

void sandbox_kill_agent(struct sandbox *sandbox)
{
	if (sandbox->agent == 0)
		return;
	kill(sandbox->agent, SIGKILL);
	waitpid(sandbox->agent, NULL, 0);
	sandbox->agent = 0;
}

void sandbox_stop_agent(struct sandbox *sandbox)
{
	int status = 0;

	if (sandbox->agent == 0)
		return;
	kill(sandbox->agent, SIGTERM);
	if (child_wait(sandbox->agent, AGENT_STOP_MS, &status) == 0) {
		bench_say("the agent does not stop on SIGTERM; killed");
		sandbox_kill_agent(sandbox);
	}
	sandbox->agent = 0;
}

enum bench_exit sandbox_await_agent(struct sandbox *sandbox)
{
	struct timespec step = { .tv_nsec = 1000000 };
	uint64_t deadline = bench_now_ns() + AGENT_READY_MS * 1000000ull;

	if (sandbox->agent == 0)
		return BENCH_DONE;
	while (bench_now_ns() < deadline && bench_signal == 0) {
		int ready = sandbox_agent_ready(sandbox);

		if (ready != 0)
			return ready > 0 ? BENCH_DONE : BENCH_NO_AGENT;
		nanosleep(&step, NULL);
	}
	if (bench_signal == 0) {
		bench_say("the agent is not ready after %d s", AGENT_READY_MS / 1000);
		show_log(sandbox);
	}
	return BENCH_NO_AGENT;
}

/* ------------------------------------------------------------------ sandbox */

/* Use the agent that runs there already, or start our own. */
static enum bench_exit find_agent(struct sandbox *sandbox, bool own_agent)
{
	int r, there = agent_answers(sandbox);
	enum bench_exit result;

	if (there == 1 && !own_agent)
		return BENCH_DONE;
	if (there == 1) {
		bench_say("an agent that I did not start runs in %s, and I will not kill it; stop "
			  "it, or let me not "
			  "kill agents",
			  sandbox->directory);
		return BENCH_USAGE;
	}
	if (there < 0) {
		bench_say("cannot talk to the agent in %s: %s", sandbox->directory,
			  strerror(-there));
		return BENCH_NO_AGENT;
	}
	r = child_path_beside(AGENT, sandbox->agent_path);
	if (r < 0) {
		bench_say("cannot find %s beside myself: %s", AGENT, strerror(-r));
		return BENCH_NO_AGENT;
	}
	result = sandbox_start_agent(sandbox);
	return result == BENCH_DONE ? sandbox_await_agent(sandbox) : result;
}

static enum bench_exit begin(struct sandbox *sandbox, uint64_t arena_bytes, uint32_t max_carts)
{
	memset(sandbox, 0, sizeof(*sandbox));
	sandbox->arena_bytes = arena_bytes;
	sandbox->max_carts = max_carts;
	snprintf(sandbox->journal, sizeof(sandbox->journal), "off");
	sandbox->log = memfd_create("agent's log", MFD_CLOEXEC);
	if (sandbox->log >= 0)
		return BENCH_DONE;
	bench_say("cannot make a memory file: %s", strerror(errno));
	return BENCH_NO_AGENT;
}

enum bench_exit sandbox_open(struct sandbox *sandbox, const char *directory, uint64_t arena_bytes,
			     uint32_t max_carts, bool own_agent)
{
	enum bench_exit result = begin(sandbox, arena_bytes, max_carts);
	char why[ARENA_WHY_BYTES] = "";

	if (result != BENCH_DONE)
		return result;
	if (directory == NULL) {
		bool in_memory = has_room("/dev/shm", arena_bytes + arena_bytes / 8);

		result = make_temporary(sandbox, in_memory ? "/dev/shm" : temporary_parent("/tmp"));
	} else if (arena_directory(directory, sandbox->directory, why) < 0) {
		bench_say("%s", why);
		result = BENCH_NO_ARENA;
	}
	if (result == BENCH_DONE)
		result = find_agent(sandbox, own_agent);
	if (result != BENCH_DONE)
		sandbox_close(sandbox);
	return result;
}

enum bench_exit sandbox_open_on_disk(struct sandbox *sandbox, const char *parent,
				     uint64_t arena_bytes, uint32_t max_carts, uint32_t journal_ms)
{
	enum bench_exit result = begin(sandbox, arena_bytes, max_carts);

	if (result != BENCH_DONE)
		return result;
	if (journal_ms > 0)
		snprintf(sandbox->journal, sizeof(sandbox->journal), "%ums", journal_ms);
	result = make_temporary(sandbox, parent == NULL ? temporary_parent("/var/tmp") : parent);
	if (result == BENCH_DONE)
		result = find_agent(sandbox, true);
	if (result != BENCH_DONE)
		sandbox_close(sandbox);
	return result;
}

/*
 * The type of the file system that holds the path: of the last matching mount in /proc/self/mounts.
 */
static void file_system_of(const char *path, char *type, size_t size)
{
	size_t longest = 0;
	struct mntent *mount;
	FILE *file = setmntent("/proc/self/mounts", "re");

	snprintf(type, size, "an unknown file system");
	while (file != NULL && (mount = getmntent(file)) != NULL) {
		size_t length = strlen(mount->mnt_dir);
		bool holds = strncmp(path, mount->mnt_dir, length) == 0 &&
			     (path[length] == '/' || path[length] == '\0' || length == 1);

		if (!holds || length < longest)
			continue;
		longest = length;
		snprintf(type, size, "%s", mount->mnt_type);
	}
	if (file != NULL)
		endmntent(file);
}

void sandbox_print_place(const struct sandbox *sandbox, FILE *stream)
{
	char path[PATH_MAX], type[64];

	file_system_of(realpath(sandbox->directory, path) != NULL ? path : sandbox->directory, type,
		       sizeof(type));
	fprintf(stream, "directory: %s on %s\n", sandbox->directory, type);
}

void sandbox_close(struct sandbox *sandbox)
{
	sandbox_stop_agent(sandbox);
	remove_temporary(sandbox);
	if (sandbox->log >= 0)
		close(sandbox->log);
	sandbox->log = -1;
}
