/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory.c: the directory that the agent is to look after: made, or looked at.
 *
 * We make it for ourselves alone (0700), then give it its group, then 2770: nobody else sees it in
 * between. The set-group-ID bit lets every file in it have the group from its first instant,
 * whoever makes it.
 *
 * One that is there keeps its mode. It has to be ours or root's: its owner could put another arena
 * in place of ours at any time. With --group, one of that group will do, since then its members are
 * trusted anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

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
 * Through its descriptor; the group first, since a change of it may take the set-group-ID bit away.
 */
static int give_group(const struct agent *agent, bool made)
{
	const struct agent_options *options = agent->options;
	struct stat st;

	if (fstat(agent->dir_fd, &st) < 0)
		return -errno;
	if (options->group_given && st.st_gid != options->group &&
	    fchown(agent->dir_fd, (uid_t)-1, options->group) < 0)
		return -errno;
	if (!made || fchmod(agent->dir_fd, 02770) == 0)
		return 0;
	/*
	 * a sandbox may forbid that bit (systemd's RestrictSUIDSGID=); the files get their group
	 * all the same
	 */
	return fchmod(agent->dir_fd, 0770) < 0 ? -errno : 0;
}

/* An owner who is neither we nor root. */
static bool is_strangers(const struct agent *agent, const struct stat *st)
{
	bool by_group = agent->options->group_given && st->st_gid == agent->options->group;

	return st->st_uid != geteuid() && st->st_uid != 0 && !by_group;
}

int agent_open_directory(struct agent *agent)
{
	char why[WHY_BYTES] = "";
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
	r = arena_open_directory(agent->directory, &agent->dir_fd, why);
	if (r == 0 && fstat(agent->dir_fd, &st) < 0)
		r = why_system(why, -errno, "%s: cannot stat the directory", agent->directory);
	if (r < 0) {
		log_line(LOG_ERROR, "%s", why);
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
	return EXIT_DONE;
}
