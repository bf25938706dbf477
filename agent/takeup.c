/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takeup.c: become the agent of a directory.
 *
 * There is exactly one agent: it holds byte 0 of DIR/lock for life. Then comes the arena. If there
 * is none, it is created. If it is of this boot, it is used at once, regardless of the number of
 * carts (only its header and the process records are read). If it is of an earlier boot, its bytes
 * may have reached the disk in any order; if it was withdrawn, there is no telling what was done to
 * it. Then the whole arena is verified, and if it is not valid, a new one is made from the valid
 * carts in it (rebuild.c). A file that is not an arena of ours, or has another layout (upgrade.c),
 * is never touched, nor is a journal that we cannot read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "api/attach.h"
#include "arena/access.h"
#include "arena/filesystem.h"
#include "base/atomic.h"
#include "inspect/inspect.h"
#include "journal.h"
#include "journal_file.h"
#include "rebuild.h"
#include "recover.h"
#include "store/feed.h"
#include "store/repair.h"
#include "versions.h"

#define ENDING_WAIT_MS 2000 /* how long a killed agent may take to end */
#define ENDING_STEP_MS 5

static int refuse(int error, const char *directory, const char *why)
{
	/* an error's text speaks of carts and calls, so prefer the sentence, if there is one */
	if (why[0] == '\0')
		why = corral_strerror(error);
	if (strstr(why, directory) != NULL)
		log_line(LOG_ERROR, "%s", why);
	else
		log_line(LOG_ERROR, "%s: %s", directory, why);
	return EXIT_ARENA;
}

/* The pid in the lock file, for people; 0: none. */
static long holder_pid(const struct agent *agent)
{
	char text[32] = "";
	ssize_t n = pread(agent->agent_life.fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

/*
 * Has it ended, or is it a zombie? A thread of it may still be in a sync of the disk, which delays
 * even SIGKILL.
 */
static bool is_ending(long pid)
{
	char path[64], text[256] = "";

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *state = n > 0 ? strrchr(text, ')') : NULL;
	return n <= 0 || (state != NULL && (state[2] == 'Z' || state[2] == 'X'));
}

/*
 * Take byte 0. Its holder counts as alive; but if the last agent was killed just now, it holds the
 * byte for a moment only, and that is worth waiting for.
 */
int agent_take_byte(struct agent *agent)
{
	const struct timespec step = { .tv_nsec = ENDING_STEP_MS * 1000000 };
	char text[32] = "";
	bool ours = alive_take(&agent->agent_life, ALIVE_AGENT_BYTE);

	for (int waited = 0; !ours && waited < ENDING_WAIT_MS && is_ending(holder_pid(agent));
	     waited += ENDING_STEP_MS) {
		(void)nanosleep(&step, NULL);
		ours = alive_take(&agent->agent_life, ALIVE_AGENT_BYTE);
	}
	if (ours) {
		int n = snprintf(text, sizeof(text), "%-10d\n", getpid());
		if (pwrite(agent->agent_life.fd, text, (size_t)n, 0) != n)
			log_line(LOG_DEBUG, "cannot write our pid into the lock file");
		return EXIT_DONE;
	}
	long pid = holder_pid(agent);
	if (pid > 0)
		log_line(LOG_ERROR,
			 "%s: another agent has this directory: pid %ld; to stop it: "
			 "corral-agent --stop",
			 agent->directory, pid);
	else
		log_line(LOG_ERROR, "%s: another agent has this directory", agent->directory);
	return EXIT_NO;
}

/* ------------------------------------------------------- after another boot */

static void print_finding(void *context, const char *line)
{
	(void)context;
	log_line(LOG_WARNING, "check: %s", line);
}

static bool is_sound(struct agent *agent)
{
	struct inspect *inspect;
	struct inspect_totals totals;
	char why[REASON_BYTES];
	uint64_t faults = 1;
	bool quiet;

	if (inspect_open_at(agent->dir_fd, agent->directory, false, &inspect, why, sizeof(why)) < 0)
		return false;
	(void)inspect_check(inspect, print_finding, NULL, &faults, &quiet, &totals);
	inspect_close(inspect);
	return faults == 0;
}

/*
 * Is the arena of another boot? Its boot id differs, and no living process has this file attached:
 * a container may show an id of its own, but a held byte proves this boot.
 */
static bool other_boot(const struct agent *agent, const struct arena *arena)
{
	uint8_t boot[16];

	return arena_boot_id(boot) && memcmp(boot, arena->header->boot_id, sizeof(boot)) != 0 &&
	       (arena_is_copy(arena->header, arena->fd) || !alive_anybody(agent->agent_life.fd));
}

/* Arena time continues from the last heartbeat: remaining times to live are unchanged. */
static void begin_boot(struct arena_header *h, const struct arena *arena)
{
	int64_t now_without_offset = ns_since(arena_now_ns(arena), h->clock_offset_ns);

	store_relaxed(&h->clock_offset_ns, ns_since(h->heartbeat_ns, now_without_offset));
	(void)arena_boot_id(h->boot_id);
}

/*
 * If the arena is of an earlier boot, or a copy, or was withdrawn (moved away or truncated): use it
 * if it is valid. After a boot, its clock continues where it stood.
 */
static int adopt(struct agent *agent, struct arena *arena)
{
	struct arena_header *h = arena->header;

	bool other = other_boot(agent, arena), copy = arena_is_copy(arena->header, arena->fd);
	if (!other && !copy && load_relaxed(&h->withdrawn) == 0)
		return 0;
	log_line(LOG_INFO, "%s: the arena %s; verifying it", agent->directory,
		 other ? "is of an earlier boot" :
		 copy  ? "is a copy of another file" :
			 "had been withdrawn");
	store_relaxed(&h->carried_of, 0u); /* the agent that carried them is gone */
	if (!is_sound(agent))
		return -EUCLEAN;
	int r = arena_reserve_again(arena);
	if (r < 0)
		log_line(LOG_WARNING,
			 "%s: cannot reserve the arena's disk space: %s; a process that writes "
			 "to it while the disk is full may die of SIGBUS",
			 agent->directory, strerror(-r));
	(void)alive_bury_all(arena, &agent->agent_life, repair_process);
	store_relaxed(&h->withdrawn, 0);
	if (!other && !copy)
		return 0;
	/*
	 * some dirty pages may be missing, and with them changes that callers saw: the new epoch
	 * must be on disk before any process attaches
	 */
	store_relaxed(&h->journal_base, 0u);
	versions_jump(arena, 0);
	if (msync(h, sizeof(*h), MS_SYNC) < 0)
		log_line(LOG_WARNING, "%s: cannot sync the arena's header: %s", agent->directory,
			 strerror(errno));
	if (other)
		begin_boot(h, arena);
	arena_own_file(h, arena->fd);
	return 0;
}

/* ------------------------------------------------------------------ arena */

static void warn_of_settings(const struct agent *agent, const struct arena *arena)
{
	const struct agent_options *options = agent->options;

	if (options->size_given && options->size_bytes != arena->bytes)
		log_line(LOG_WARNING,
			 "the arena keeps its size of %llu bytes; corral-agent --resize gives it "
			 "another",
			 (unsigned long long)arena->bytes);
	if (options->max_carts_given && options->max_carts != arena->max_carts)
		log_line(LOG_WARNING,
			 "the arena keeps its room for %u carts; corral-agent --resize "
			 "gives it more",
			 arena->max_carts);
	if (options->feed_bytes != 0 && options->feed_bytes != arena_feed_bytes(arena))
		log_line(LOG_WARNING,
			 "the arena keeps its room for %llu bytes of events; corral-agent "
			 "--resize gives it another",
			 (unsigned long long)arena_feed_bytes(arena));
}

/*
 * Reserved space does not help where a write goes to a new place on disk: the whole file system may
 * do so, or the file may share parts with a copy of it (cp --reflink, a snapshot of the volume).
 */
static void warn_of_copies(const struct agent *agent, const struct arena *arena)
{
	int r = filesystem_unshare(arena->fd, arena->bytes);

	if (r == 1)
		log_line(LOG_INFO,
			 "%s: parts of the arena were shared with a copy of it; they are its own "
			 "now",
			 agent->directory);
	else if (r < 0)
		log_line(LOG_WARNING,
			 "%s: parts of the arena are shared with a copy of it (a snapshot, or cp "
			 "--reflink), and stay so: %s; while the disk is full, a process that "
			 "writes to them dies of SIGBUS",
			 agent->directory, strerror(-r));
	if (filesystem_copies(arena->fd))
		log_line(LOG_WARNING,
			 "%s: this file system writes to a new place each time (copy on write), so "
			 "no disk space can be reserved: while the disk is full, a process that "
			 "changes a cart dies of SIGBUS; take a directory on another file system, "
			 "as ext4, xfs or tmpfs, or keep space free",
			 agent->directory);
}

/* Settings that are given apply to an arena that is there already, too. */
static void apply_settings(const struct agent_options *options, struct arena_header *header)
{
	if (options->ttl_given)
		store_relaxed(&header->ttl_ns, options->ttl_ms * 1000000);
	if (options->currency_given)
		store_relaxed(&header->currency, options->currency);
}

static int create_arena(struct agent *agent, char *why)
{
	struct arena_settings settings = { .arena_bytes = agent->options->size_bytes,
					   .max_carts = (uint32_t)agent->options->max_carts,
					   .ttl_ns = agent->options->ttl_ms * 1000000,
					   .currency = agent->options->currency,
					   .feed_bytes = agent->options->feed_bytes,
					   .version_epoch = agent->epochs_used };
	int r = arena_create(agent->dir_fd, &settings, why);

	agent->fresh |= r == 0;
	if (r == 0)
		log_line(LOG_INFO, "%s: made an arena of %llu bytes for %u carts", agent->directory,
			 (unsigned long long)settings.arena_bytes, settings.max_carts);
	return r;
}

/*
 * There is no arena, or one of an earlier boot, whose pages may have reached the disk in any order:
 * then the journal takes precedence, if there is one. 1: there is a new arena; 0: there is no
 * journal.
 */
static int recover(struct agent *agent, char *why)
{
	int r = recover_arena(agent, why);

	agent->recovered = r == 1;
	agent->fresh |= agent->recovered;
	return r;
}

static void tell_finding(const char *line)
{
	log_line(LOG_WARNING, "rebuild: %s", line);
}

/*
 * Put every valid cart into a new arena. If not even that is possible, set the damaged one aside
 * for an empty one.
 */
static int rebuild(struct agent *agent, char *why)
{
	char aside[REBUILD_NAME_BYTES];
	struct salvage_totals totals;

	int r = rebuild_arena(agent, tell_finding, aside, &totals, why);
	if (r == -EPROTO) {
		log_line(LOG_ERROR, "%s: %s", agent->directory, why);
		r = recover(agent, why); /* the journal may have what the arena lacks */
		if (r != 0)
			return r < 0 ? r : 0;
		r = rebuild_set_aside(agent->dir_fd, NULL, aside);
		if (r < 0)
			return reason_system(why, r, "cannot set the damaged arena aside");
		log_line(LOG_ERROR, "%s: no cart could be saved; the damaged arena is kept as %s",
			 agent->directory, aside);
		return create_arena(agent, why);
	}
	if (r < 0)
		return r;
	agent->fresh = true;
	log_line(LOG_WARNING,
		 "%s: rebuilt: %u carts kept (%u of them found again, %u perhaps older), %u left "
		 "out, %u ended meanwhile; the damaged arena is kept as %s",
		 agent->directory, totals.kept, totals.again, totals.older, totals.damaged,
		 totals.ended, aside);
	return 0;
}

/*
 * Is it a plain file of a trusted user? Anything else in the arena's place is not ours to move
 * away.
 */
static bool is_ours(const struct agent *agent)
{
	char why[REASON_BYTES];
	int fd = access_open(agent->dir_fd, ARENA_FILE, 0, false, why);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Prepare the arena before any process relies on it: create or adopt it, set its time to live. */
static int prepare_arena(struct agent *agent, char *why)
{
	char recover_why[REASON_BYTES] = "";
	struct arena arena;
	uint32_t format;

	int r = journal_refuse_foreign(agent->dir_fd, &format, why);
	if (r < 0)
		return r; /* even if we keep no journal: it may have carts that the arena lacks */
	if (rebuild_resume(agent->dir_fd) == 0)
		log_line(LOG_WARNING,
			 "%s: finished the rebuilding of the arena that an earlier agent had begun",
			 agent->directory);
	r = arena_map(agent->dir_fd, ARENA_ANY_BOOT | ARENA_CATCH_SIGBUS, &arena, why);
	if (r == -ENOENT) {
		r = recover(agent, why);
		return r == 0 ? create_arena(agent, why) : r < 0 ? r : 0;
	}
	/* cut off or zeroed by a power loss; without a journal it is left for `check --repair` */
	if (r == -EPROTO && is_ours(agent)) {
		int recovered = recover(agent, recover_why);
		if (recovered != 0)
			return recovered > 0 ? 0 : reason_set(why, recovered, "%s", recover_why);
	}
	if (r < 0)
		return r;
	if (arena.header->version_epoch <= VERSION_EPOCH_MAX)
		agent->epochs_used = arena.header->version_epoch + 1;
	/* if no journal was kept, one that is there is older than the arena */
	if (other_boot(agent, &arena) && load_relaxed(&arena.header->journal) != 0) {
		r = recover(agent, why);
		if (r != 0) {
			arena_unmap(&arena);
			return r < 0 ? r : 0;
		}
	}
	access_regroup(agent->dir_fd, arena.fd);
	r = adopt(agent, &arena);
	if (r == 0) {
		warn_of_settings(agent, &arena);
		apply_settings(agent->options, arena.header);
	}
	arena_unmap(&arena);
	return r == -EUCLEAN ? rebuild(agent, why) : r;
}

void agent_turn_feed(struct agent *agent)
{
	struct arena *arena = agent->actor->arena;
	uint32_t *feed = &arena->header->feed;

	if (agent->options->feed_off) {
		store_relaxed(feed, FEED_OFF);
		return;
	}
	if (load_relaxed(feed) == FEED_NEW)
		store_relaxed(feed, FEED_ON);
	if (load_relaxed(feed) == FEED_ON)
		return;
	store_relaxed(feed, FEED_TURNED_ON);
	if (feed_number_gap(agent->actor, 0))
		store_relaxed(feed, FEED_ON);
}

int agent_take_up(struct agent *agent)
{
	char why[REASON_BYTES] = "";

	int code = agent_open_directory(agent);
	if (code != EXIT_DONE)
		return code;
	int r = alive_open(agent->dir_fd, true, &agent->agent_life, why);
	if (r < 0)
		return refuse(r, agent->directory, why);
	code = agent_take_byte(agent);
	if (code != EXIT_DONE)
		return code;
	if (agent->options->daemon && !agent->in_background) {
		agent->log_fd = access_open(agent->dir_fd, LOG_FILE, O_APPEND, true, why);
		if (agent->log_fd < 0)
			return refuse(agent->log_fd, agent->directory, why);
		access_regroup(agent->dir_fd, agent->log_fd);
		log_also = agent->log_fd; /* until the agent is ready */
	}
	r = prepare_arena(agent, why);
	if (r < 0)
		return refuse(r, agent->directory, why);
	r = handle_open_at(agent->dir_fd, agent->directory,
			   ATTACH_AGENT | CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &agent->corral);
	if (r < 0)
		return refuse(r, agent->directory, corral_why());
	r = handle_actor(agent->corral, &agent->actor);
	if (r < 0)
		return refuse(r, agent->directory, "no thread record for the agent");
	warn_of_copies(agent, agent->actor->arena);
	if (agent->recovered)
		apply_settings(agent->options, agent->actor->arena->header);
	agent_turn_feed(agent);
	agent->started_ms = arena_wall_ms();
	r = damaged_begin(agent);
	if (r < 0)
		return refuse(r, agent->directory, "no memory");
	r = journal_start(agent, why);
	if (r < 0)
		return refuse(r, agent->directory, why);
	return EXIT_DONE;
}

void agent_give_up(struct agent *agent)
{
	journal_stop(agent);
	damaged_end(agent);
	corral_close(agent->corral);
	alive_drop(&agent->agent_life, ALIVE_AGENT_BYTE);
	alive_close(&agent->agent_life);
	close(agent->dir_fd);
}
