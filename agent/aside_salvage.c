/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside_salvage.c: corral-agent --salvage: the sound carts of journals that were set
 * aside (aside.h).
 *
 * Such a journal is read to its end, over all that is damaged, and its carts are put into the arena
 * as `restore --merge` would: the newer version of a cart wins, and one whose time is up has ended.
 * When all that was put is on disk the journal is renamed, so that a later run does not bring back
 * what has ended since. A death before that leaves it to the next run.
 *
 * A cart's time goes on while its journal lies aside: it counts from when the directory was made.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/ops.h"
#include "aside.h"
#include "recover.h"

#define SALVAGED JOURNAL_DIRECTORY ".salvaged."

static int put(void *context, uint32_t slot, const void *cart, size_t size, uint64_t idle_ns)
{
	(void)slot; /* that of another arena */
	return ops_put(context, cart, size, idle_ns);
}

static uint64_t passed_ns(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	int64_t ms = arena_wall_ms() - (st.st_mtim.tv_sec * 1000ll + st.st_mtim.tv_nsec / 1000000);
	return ms > 0 ? (uint64_t)ms * 1000000 : 0;
}

/* 0: done; 1: there is nothing that could be taken; -errno. */
static int salvage_one(struct agent *agent, const char *name)
{
	struct salvage_totals totals = { 0 };
	struct recover recover;

	int fd = openat(agent->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = recover_open(&recover, fd, name);
	recover.salvage = true;
	recover.passed_ns = passed_ns(fd);
	if (r == 0)
		r = recover_index(&recover);
	if (r == 0)
		r = recover_put(&recover, put, agent->corral, &totals);
	if (r == 0)
		log_line(LOG_INFO,
			 "%s: %s: %u carts were taken; of %u in all %u have ended meanwhile, %u "
			 "are damaged, and of the "
			 "others the arena has the same or a newer version",
			 agent->directory, name, totals.kept, recover.carts, totals.ended,
			 totals.damaged);
	recover_close(&recover);
	if (r != -ENOENT && r != -EPROTO)
		return r;
	log_line(LOG_ERROR,
		 "%s: %s: no file of it has a valid head and a base: nothing can be taken",
		 agent->directory, name);
	return 1;
}

static int is_one(const struct dirent *entry)
{
	return strncmp(entry->d_name, ASIDE_DAMAGED, strlen(ASIDE_DAMAGED)) == 0;
}

static int rename_one(const struct agent *agent, const char *name)
{
	char wanted[NAME_MAX + 1], done[NAME_MAX + 1] = "";

	if (snprintf(wanted, sizeof(wanted), SALVAGED "%s", name + strlen(ASIDE_DAMAGED)) >=
	    (int)sizeof(wanted))
		return -ENAMETOOLONG;
	int r = aside_rename(agent->dir_fd, name, wanted, "", done);
	if (r < 0)
		return r;
	log_line(LOG_INFO, "%s: %s is now %s: remove it if you do not want it any more",
		 agent->directory, name, done);
	return 0;
}

static int salvage_all(struct agent *agent)
{
	struct dirent **entries;
	int count = scandir(agent->directory, &entries, is_one, alphasort);
	int r = count < 0 ? -errno : 0;

	if (count == 0)
		log_line(LOG_INFO, "%s: no damaged journal (" ASIDE_DAMAGED "*) is there",
			 agent->directory);
	for (int i = 0; i < count && r == 0; i++) {
		r = salvage_one(agent, entries[i]->d_name);
		if (r == 0)
			r = corral_sync(agent->corral);
		r = r == 0 ? rename_one(agent, entries[i]->d_name) : r > 0 ? 0 : r;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
	return r;
}

int aside_run(struct agent *agent)
{
	int code = agent_take_up(agent);

	if (code != EXIT_DONE)
		return code;
	int r = salvage_all(agent);
	agent_give_up(agent);
	if (r == 0)
		return EXIT_DONE;
	log_line(LOG_ERROR, "%s: not all could be salvaged, and nothing is lost: %s",
		 agent->directory, corral_strerror(r));
	return EXIT_ARENA;
}
