/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.c: the directory, the arena and the agent of a benchmark. See stage.h.
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
#include "stage.h"

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

static enum bench_exit make_temporary(struct stage *stage, const char *parent)
{
	if (snprintf(stage->directory, PATH_MAX, "%s/corral-bench.XXXXXX", parent) >= PATH_MAX ||
	    mkdtemp(stage->directory) == NULL) {
		bench_say("cannot make a directory in %s: %s", parent, strerror(errno));
		return BENCH_NO_ARENA;
	}
	stage->temporary = true;
	return BENCH_DONE;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void stage_remove_directory(const char *directory)
{
	if (nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		bench_say("cannot remove %s: %s", directory, strerror(errno));
}

static void remove_temporary(struct stage *stage)
{
	if (stage->temporary)
		stage_remove_directory(stage->directory);
	stage->temporary = false;
}

/* ------------------------------------------------------------------ agent */

/* Is there an agent that answers? 1, 0, or -errno for one that is there but does not. */
static int agent_answers(const struct stage *stage)
{
	json_t *answer;
	int err = agent_ask(stage->directory, "ping", PING_MS, &answer);

	if (err == 0) {
		int ok = json_is_true(json_object_get(answer, "ok"));

		json_decref(answer);
		return ok;
	}
	return err == -ENOENT || err == -ECONNREFUSED ? 0 : err;
}

static void show_log(struct stage *stage)
{
	char text[LOG_SHOWN + 1];
	off_t end = lseek(stage->log, 0, SEEK_END);
	off_t from = end > LOG_SHOWN ? end - LOG_SHOWN : 0;
	ssize_t size = pread(stage->log, text, LOG_SHOWN, from);

	if (size > 0)
		fprintf(stderr, "%.*s", (int)size, text);
}

static void explain_end(struct stage *stage, int status)
{
	if (WIFSIGNALED(status))
		bench_say("the agent died of signal %d", WTERMSIG(status));
	else
		bench_say("the agent ended with exit code %d", WEXITSTATUS(status));
	show_log(stage);
}

bool stage_agent_gone(struct stage *stage)
{
	int status = 0;

	if (stage->agent == 0 || child_wait(stage->agent, 0, &status) == 0)
		return false;
	stage->agent = 0;
	explain_end(stage, status);
	return true;
}

int stage_agent_ready(struct stage *stage)
{
	return stage_agent_gone(stage) ? -1 : agent_answers(stage) == 1;
}

enum bench_exit stage_start_agent(struct stage *stage)
{
	char size[32], carts[32], arena[PATH_MAX + sizeof(ARENA_FILE) + 1];
	char *argv[] = { stage->agent_path, "--dir", stage->directory, "--journal", stage->journal,
			 "--size",          size,    "--max-carts",    carts,       NULL };
	struct child_plan plan = {
		.path = stage->agent_path, .argv = argv, .keep = { -1, -1 }, .output = stage->log
	};
	pid_t pid;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)stage->arena_bytes);
	snprintf(carts, sizeof(carts), "%u", stage->max_carts);
	snprintf(arena, sizeof(arena), "%s/%s", stage->directory, ARENA_FILE);
	if (access(arena, F_OK) == 0)
		argv[5] = NULL; /* it has its size */
	pid = child_start(&plan);
	if (pid < 0) {
		bench_say("cannot start %s: %s", stage->agent_path, strerror((int)-pid));
		return BENCH_NO_AGENT;
	}
	stage->agent = pid;
	return BENCH_DONE;
}

void stage_kill_agent(struct stage *stage)
{
	if (stage->agent == 0)
		return;
	kill(stage->agent, SIGKILL);
	waitpid(stage->agent, NULL, 0);
	stage->agent = 0;
}

void stage_stop_agent(struct stage *stage)
{
	int status = 0;

	if (stage->agent == 0)
		return;
	kill(stage->agent, SIGTERM);
	if (child_wait(stage->agent, AGENT_STOP_MS, &status) == 0) {
		bench_say("the agent does not stop on SIGTERM; killed");
		stage_kill_agent(stage);
	}
	stage->agent = 0;
}

enum bench_exit stage_await_agent(struct stage *stage)
{
	struct timespec step = { .tv_nsec = 1000000 };
	uint64_t deadline = bench_now_ns() + AGENT_READY_MS * 1000000ull;

	if (stage->agent == 0)
		return BENCH_DONE;
	while (bench_now_ns() < deadline && bench_signal == 0) {
		int ready = stage_agent_ready(stage);

		if (ready != 0)
			return ready > 0 ? BENCH_DONE : BENCH_NO_AGENT;
		nanosleep(&step, NULL);
	}
	if (bench_signal == 0) {
		bench_say("the agent is not ready after %d s", AGENT_READY_MS / 1000);
		show_log(stage);
	}
	return BENCH_NO_AGENT;
}

/* ------------------------------------------------------------------ stage */

/* Use the agent that is there, or start ours. */
static enum bench_exit find_agent(struct stage *stage, bool own_agent)
{
	int err, there = agent_answers(stage);
	enum bench_exit result;

	if (there == 1 && !own_agent)
		return BENCH_DONE;
	if (there == 1) {
		bench_say("an agent that I did not start runs in %s, and I will not kill it; stop "
			  "it, or let me not "
			  "kill agents",
			  stage->directory);
		return BENCH_USAGE;
	}
	if (there < 0) {
		bench_say("cannot talk to the agent in %s: %s", stage->directory, strerror(-there));
		return BENCH_NO_AGENT;
	}
	err = child_path_beside(AGENT, stage->agent_path);
	if (err < 0) {
		bench_say("cannot find %s beside myself: %s", AGENT, strerror(-err));
		return BENCH_NO_AGENT;
	}
	result = stage_start_agent(stage);
	return result == BENCH_DONE ? stage_await_agent(stage) : result;
}

static enum bench_exit begin(struct stage *stage, uint64_t arena_bytes, uint32_t max_carts)
{
	memset(stage, 0, sizeof(*stage));
	stage->arena_bytes = arena_bytes;
	stage->max_carts = max_carts;
	snprintf(stage->journal, sizeof(stage->journal), "off");
	stage->log = memfd_create("agent's log", MFD_CLOEXEC);
	if (stage->log >= 0)
		return BENCH_DONE;
	bench_say("cannot make a memory file: %s", strerror(errno));
	return BENCH_NO_AGENT;
}

enum bench_exit stage_open(struct stage *stage, const char *directory, uint64_t arena_bytes,
			   uint32_t max_carts, bool own_agent)
{
	enum bench_exit result = begin(stage, arena_bytes, max_carts);
	char why[ARENA_WHY_BYTES] = "";

	if (result != BENCH_DONE)
		return result;
	if (directory == NULL) {
		bool in_memory = has_room("/dev/shm", arena_bytes + arena_bytes / 8);

		result = make_temporary(stage, in_memory ? "/dev/shm" : temporary_parent("/tmp"));
	} else if (arena_directory(directory, stage->directory, why) < 0) {
		bench_say("%s", why);
		result = BENCH_NO_ARENA;
	}
	if (result == BENCH_DONE)
		result = find_agent(stage, own_agent);
	if (result != BENCH_DONE)
		stage_close(stage);
	return result;
}

enum bench_exit stage_open_on_disk(struct stage *stage, const char *parent, uint64_t arena_bytes,
				   uint32_t max_carts, uint32_t journal_ms)
{
	enum bench_exit result = begin(stage, arena_bytes, max_carts);

	if (result != BENCH_DONE)
		return result;
	if (journal_ms > 0)
		snprintf(stage->journal, sizeof(stage->journal), "%ums", journal_ms);
	result = make_temporary(stage, parent == NULL ? temporary_parent("/var/tmp") : parent);
	if (result == BENCH_DONE)
		result = find_agent(stage, true);
	if (result != BENCH_DONE)
		stage_close(stage);
	return result;
}

/* The type of the last mount that holds the path, by /proc/self/mounts. */
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

void stage_print_place(const struct stage *stage, FILE *stream)
{
	char path[PATH_MAX], type[64];

	file_system_of(realpath(stage->directory, path) != NULL ? path : stage->directory, type,
		       sizeof(type));
	fprintf(stream, "directory: %s on %s\n", stage->directory, type);
}

void stage_close(struct stage *stage)
{
	stage_stop_agent(stage);
	remove_temporary(stage);
	if (stage->log >= 0)
		close(stage->log);
	stage->log = -1;
}
