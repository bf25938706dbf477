/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory.c: the directory that the agent serves: created, or checked.
 *
 * A new directory is created for our user alone (0700), then gets its group, then 2770: no other
 * user sees it in between. The set-group-ID bit gives every file in it the group from its first
 * instant, no matter which process creates it.
 *
 * An existing directory keeps its mode. It must belong to us or to root, because its owner could
 * replace the arena at any time. With --group, an owner in that group is accepted, since its
 * members are trusted anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "journal_file.h"

static int make_parents(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -errno;
		*at = '/';
	}
	return 0;
}

/*
 * Give the new group to an entry that has the directory's present group; other entries are not
 * ours.
 */
static int hand_over_one(int dir_fd, const char *name, gid_t from, gid_t to)
{
	struct stat st;

	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	bool ours = r == 0 && st.st_gid == from &&
		    (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1));
	if (ours && fchownat(fd, "", (uid_t)-1, to, AT_EMPTY_PATH) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int hand_over_journal(int dir_fd, gid_t from, gid_t to)
{
	char name[JOURNAL_NAME_BYTES];
	uint64_t *numbers = NULL;
	struct stat st;

	int journal_fd =
		openat(dir_fd, JOURNAL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (journal_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int count = fstat(journal_fd, &st) == 0 && st.st_gid == from ?
			    journal_list(journal_fd, &numbers) :
			    0;
	int r = count < 0 ? count : 0;
	for (int i = 0; i < count && r == 0; i++) {
		journal_name(numbers[i], name);
		r = hand_over_one(journal_fd, name, from, to);
	}
	free(numbers);
	close(journal_fd);
	return r == 0 ? hand_over_one(dir_fd, JOURNAL_DIRECTORY, from, to) : r;
}

/*
 * Change the directory's group: first that of the files in it, then its own. A death in between
 * leaves a directory of the old group, and the next agent does the rest.
 */
static int hand_over(int dir_fd, const struct stat *dir, gid_t to)
{
	static const char *const names[] = { ARENA_FILE, ARENA_LOCK_FILE, LOG_FILE };
	int r = hand_over_journal(dir_fd, dir->st_gid, to);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && r == 0; i++)
		r = hand_over_one(dir_fd, names[i], dir->st_gid, to);
	return r;
}

/* Through the descriptor; the group first, since changing it may clear the set-group-ID bit. */
static int give_group(const struct agent *agent, bool made)
{
	const struct agent_options *options = agent->options;
	struct stat st;

	if (fstat(agent->dir_fd, &st) < 0)
		return -errno;
	if (options->group_given && st.st_gid != options->group) {
		int r = made ? 0 : hand_over(agent->dir_fd, &st, options->group);
		if (r == 0 && fchown(agent->dir_fd, (uid_t)-1, options->group) < 0)
			r = -errno;
		if (r < 0)
			return r;
	}
	if (!made || fchmod(agent->dir_fd, 02770) == 0)
		return 0;
	/*
	 * a sandbox may forbid that bit (systemd's RestrictSUIDSGID=); the files get their group
	 * all the same
	 */
	return fchmod(agent->dir_fd, 0770) < 0 ? -errno : 0;
}

/* Is the owner neither us nor root? */
static bool is_strangers(const struct agent *agent, const struct stat *st)
{
	bool by_group = agent->options->group_given && st->st_gid == agent->options->group;

	return st->st_uid != geteuid() && st->st_uid != 0 && !by_group;
}

/*
 * If the group may write, each file must have its group (access.h), so we must be able to give it.
 */
static bool can_share(const struct stat *dir)
{
	gid_t groups[NGROUPS_MAX];

	if ((dir->st_mode & S_IWGRP) == 0 || geteuid() == 0 || dir->st_gid == getegid())
		return true;
	for (int i = 0, count = getgroups(NGROUPS_MAX, groups); i < count; i++)
		if (groups[i] == dir->st_gid)
			return true;
	return false;
}

int agent_open_directory(struct agent *agent)
{
	char why[REASON_BYTES] = "";
	struct stat st = { .st_uid = (uid_t)-1 };

	int r = arena_directory(agent->options->location, agent->directory, why);
	if (r < 0) {
		log_line(LOG_ERROR, "%s", why);
		return r == -EPROTONOSUPPORT || r == -EINVAL || r == -ENAMETOOLONG ? EXIT_USAGE :
										     EXIT_ARENA;
	}
	r = make_parents(agent->directory);
	bool made = r == 0 && mkdir(agent->directory, 0700) == 0;
	if (r == 0 && !made && errno != EEXIST)
		r = -errno;
	if (r < 0) {
		log_line(LOG_ERROR, "%s: cannot make the directory: %s", agent->directory,
			 strerror(-r));
		return EXIT_ARENA;
	}
	r = arena_open_directory_of(agent->directory,
				    agent->options->group_given ? agent->options->group : (gid_t)-1,
				    &agent->dir_fd, why);
	if (r == 0 && fstat(agent->dir_fd, &st) < 0)
		r = reason_system(why, -errno, "%s: cannot stat the directory", agent->directory);
	if (r < 0) {
		log_line(LOG_ERROR, "%s", why);
		if (made)
			(void)rmdir(agent->directory);
		return EXIT_ARENA;
	}
	if (is_strangers(agent, &st)) {
		log_line(LOG_ERROR,
			 "%s belongs to user %u, who could replace the carts at any time: chown "
			 "it, run the agent as "
			 "that "
			 "user, or name the group that shares it with --group",
			 agent->directory, st.st_uid);
		return EXIT_ARENA;
	}
	r = give_group(agent, made);
	if (r < 0) {
		log_line(LOG_ERROR,
			 "%s: cannot give the directory to group %u: %s; that takes its owner, as "
			 "a member of the "
			 "group, or root",
			 agent->directory, agent->options->group, strerror(-r));
		if (made)
			(void)rmdir(agent->directory);
		return EXIT_ARENA;
	}
	if (fstat(agent->dir_fd, &st) == 0)
		agent->group = st.st_gid;
	if (can_share(&st))
		return EXIT_DONE;
	log_line(LOG_ERROR,
		 "%s may be written by group %u, which user %u is no member of: run the agent as a "
		 "member, chgrp the directory, or chmod g-w it",
		 agent->directory, st.st_gid, geteuid());
	return EXIT_ARENA;
}
