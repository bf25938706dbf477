/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild.c: makes a new arena in place of a damaged, former or missing one, with every valid cart
 * from the old arena (shm/salvage.h) or from the journal (recover.c).
 *
 * The new arena is made in DIR/.rebuild, synced (unless its source outlasts it), and renamed there
 * to "complete". Then the damaged one is set aside as DIR/arena.damaged.TIME, and "complete"
 * becomes DIR/arena. A death before "complete" leaves a directory that the next attempt removes,
 * and the damaged arena in its place; after a later death, rebuild_resume() does the remaining
 * step. The damaged file is kept, whole, for whatever a person may still find in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "api/attach.h"
#include "api/change.h"
#include "arena/access.h"
#include "aside.h"
#include "base/atomic.h"
#include "rebuild.h"
#include "store/slot.h"
#include "versions.h"
#include "witness.h"

#define WORK_DIRECTORY ".rebuild"
#define COMPLETE_FILE "complete"

/*
 * The carts of a full arena may not fit into one of the same size: tables may be larger, and spans
 * cut differently.
 */
#define MORE_BYTES (1ull << 20)
#define MORE_BYTES_MAX (1ull << 30)

struct rebuild {
	const struct rebuild_source *source;
	const struct agent *agent;
	struct corral *corral; /* of the new arena */
	struct ends ends;
	void (*tell)(const char *line);
	uint64_t more_bytes; /* beyond the former arena's size */
	uint64_t feed_bytes; /* of the new arena, as the agent's options say; 0: as it was */
	uint64_t put_bytes;  /* since we let go of what was put */
	bool progress;
	uint32_t taken;
};

/* Open the directory in which the new arena is made. -ENOENT; -EPERM: we did not make it. */
static int enter_work(int dir_fd, unsigned flags, char *why)
{
	return access_enter(dir_fd, WORK_DIRECTORY, TRUST_OURS | flags, why);
}

/* Remove it, unless we did not make it: then nothing in it is ours to remove. */
static void remove_work(int dir_fd)
{
	static const char *const names[] = { ARENA_FILE, ".arena.new", ARENA_LOCK_FILE,
					     COMPLETE_FILE };
	int work_fd = enter_work(dir_fd, 0, NULL);

	if (work_fd < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(work_fd, names[i], 0);
	close(work_fd);
	(void)unlinkat(dir_fd, WORK_DIRECTORY, AT_REMOVEDIR);
}

/* build() has already given the new arena its group and its mode. */
static int put_in_place(int dir_fd)
{
	int work_fd = enter_work(dir_fd, 0, NULL);

	if (work_fd < 0)
		return work_fd;
	int r = access_open(work_fd, COMPLETE_FILE, 0, false, NULL);
	if (r >= 0) {
		close(r);
		r = renameat(work_fd, COMPLETE_FILE, dir_fd, ARENA_FILE) < 0 ? -errno : 0;
	}
	close(work_fd);
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r == 0)
		remove_work(dir_fd);
	return r;
}

int rebuild_resume(int dir_fd)
{
	struct stat st;

	if (fstatat(dir_fd, ARENA_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
	    put_in_place(dir_fd) == 0)
		return 0;
	remove_work(dir_fd);
	return -ENOENT;
}

static void let_go(struct rebuild *rebuild, size_t size)
{
	rebuild->put_bytes += size;
	if (rebuild->put_bytes < ARENA_LET_GO_BYTES)
		return;
	rebuild->put_bytes = 0;
	arena_let_go(&rebuild->corral->share->arena);
}

static void note_taken(struct rebuild *rebuild, size_t size)
{
	if (!rebuild->source->lasting) /* then there is one thread */
		let_go(rebuild, size);
	if (rebuild->progress && ++rebuild->taken % 1000 == 0) /* then there is one thread */
		fprintf(stderr, "\r%u carts", rebuild->taken);
}

static int take(void *context, uint32_t slot, const void *cart, size_t size, uint64_t idle_ns)
{
	struct rebuild *rebuild = context;

	note_taken(rebuild, size);
	if (idle_ns == SALVAGE_OVER)
		return ends_add_expired(&rebuild->ends, cart, size);
	return slot == REBUILD_ANY_SLOT ?
		       change_put(rebuild->corral, cart, size, idle_ns) :
		       change_put_numbered(rebuild->corral, slot, cart, size, idle_ns);
}

static void pass_on(void *context, const char *line)
{
	((struct rebuild *)context)->tell(line);
}

/* Sync the whole arena; or only its header, if its carts can be recovered again. */
static int sync_arena(const struct rebuild_source *source, const struct arena *arena)
{
	if (!source->lasting)
		return fsync(arena->fd) < 0 ? -errno : 0;
	return msync(arena->header, sizeof(*arena->header), MS_SYNC) < 0 ? -errno : 0;
}

/* Tell what has ended, once the new arena has its carts, and the numbers of its epoch. */
static int tell_ends(struct rebuild *rebuild, struct arena *arena)
{
	const struct rebuild_source *source = rebuild->source;
	struct actor *actor;

	if (source->ends != NULL)
		source->ends(source->context, &rebuild->ends);
	if (rebuild->agent->options->feed_off)
		return 0; /* a cursor would wait in vain */
	int r = handle_actor(rebuild->corral, &actor);
	if (r == 0) {
		store_relaxed(&arena->header->feed, 1u);
		ends_tell(&rebuild->ends, actor);
	}
	return r;
}

/* Put the carts into the new arena, and sync it. */
static int fill(struct rebuild *rebuild, int work_fd, struct salvage_totals *ret_totals, char *why)
{
	const struct rebuild_source *source = rebuild->source;

	int r = handle_open_at(work_fd, WORK_DIRECTORY, ATTACH_AGENT | CORRAL_OBSERVE,
			       &rebuild->corral);
	if (r < 0)
		return reason_set(why, r, "%s", corral_why());
	struct arena *arena = &rebuild->corral->share->arena;
	/* so that no process ends carts in place of a missing agent */
	store_relaxed(&arena->header->heartbeat_ns, arena_now_ns(arena));
	slot_begin_numbered(arena, source->slots);
	r = source->carts(source->context, take, pass_on, rebuild, ret_totals);
	if (source->slots > 0)
		slot_end_numbered(arena);
	if (rebuild->taken >= 1000)
		fputc('\n', stderr);
	if (r < 0)
		reason_system(why, r, "cannot put a cart into the new arena");
	/* not dirty: the journal has them, or its next base will have every slot */
	if (source->lasting)
		memset(arena->dirty, 0, (arena->max_carts + 63) / 64 * sizeof(arena->dirty[0]));
	if (r == 0)
		r = source->floors(source->context, arena);
	if (r == 0)
		r = tell_ends(rebuild, arena);
	if (r == 0 && (r = sync_arena(source, arena)) < 0)
		reason_system(why, r, "cannot sync the new arena");
	corral_close(rebuild->corral);
	return r;
}

static int build(struct rebuild *rebuild, int work_fd, struct salvage_totals *ret_totals, char *why)
{
	struct arena_settings settings;
	struct life life;

	rebuild->source->settings(rebuild->source->context, &settings);
	settings.arena_bytes += rebuild->more_bytes;
	if (rebuild->feed_bytes != 0)
		settings.feed_bytes = rebuild->feed_bytes;
	int r = arena_create(work_fd, &settings, why);
	if (r == 0)
		r = alive_open(work_fd, true, &life, why);
	if (r == 0) {
		alive_close(&life);
		ends_begin(&rebuild->ends, settings.arena_bytes);
		r = fill(rebuild, work_fd, ret_totals, why);
		ends_free(&rebuild->ends);
	}
	if (r == 0 &&
	    (renameat(work_fd, ARENA_FILE, work_fd, COMPLETE_FILE) < 0 || fsync(work_fd) < 0))
		r = reason_system(why, -errno, "cannot finish the new arena");
	return r;
}

int rebuild_set_aside(int dir_fd, const char *name, char aside[REBUILD_NAME_BYTES])
{
	char wanted[REBUILD_NAME_BYTES], found[NAME_MAX + 1] = "";

	if (name == NULL)
		snprintf(wanted, sizeof(wanted), "arena.damaged.%lld", (long long)arena_wall_ms());
	int r = aside_rename(dir_fd, ARENA_FILE, name != NULL ? name : wanted, "", found);
	snprintf(aside, REBUILD_NAME_BYTES, "%.*s", REBUILD_NAME_BYTES - 1, found);
	return r;
}

/* Make the new arena as DIR/.rebuild/complete. A failure leaves nothing behind. */
static int build_aside(const struct agent *agent, struct rebuild *rebuild,
		       struct salvage_totals *ret_totals, char *why)
{
	remove_work(agent->dir_fd);
	int work_fd = enter_work(agent->dir_fd, TRUST_MAKE, why);
	if (work_fd < 0)
		return work_fd;
	int r = build(rebuild, work_fd, ret_totals, why);
	close(work_fd);
	if (r < 0)
		remove_work(agent->dir_fd);
	return r;
}

int rebuild_from(struct agent *agent, const struct rebuild_source *source,
		 void (*tell)(const char *line), const char *aside_name,
		 char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why)
{
	struct rebuild rebuild = { .source = source,
				   .agent = agent,
				   .tell = tell,
				   .feed_bytes = agent->options->feed_bytes,
				   .progress = !source->lasting && isatty(STDERR_FILENO) == 1 };
	char line[80];

	int r = build_aside(agent, &rebuild, ret_totals, why);
	/* -EINVAL: the tables of this layout alone are too large for the former size */
	for (uint64_t more = MORE_BYTES; (r == -ENOMEM || r == -EINVAL) && more <= MORE_BYTES_MAX;
	     more *= 4) {
		snprintf(line, sizeof(line), "it was full: the new arena gets %llu MiB more",
			 (unsigned long long)(more >> 20));
		tell(line);
		rebuild.more_bytes = more;
		r = build_aside(agent, &rebuild, ret_totals, why);
	}
	if (r < 0)
		return r;
	/* the carts left out are only here: the name protects the file from `corral clean` */
	if (ret_totals->damaged > 0 && !source->lasting)
		aside_name = NULL;
	r = rebuild_set_aside(agent->dir_fd, aside_name, aside);
	if (r < 0 && r != -ENOENT)
		return reason_system(why, r, "cannot set the old arena aside");
	r = put_in_place(agent->dir_fd);
	return r < 0 ? reason_system(why, r, "cannot put the new arena in place") : 0;
}

/* ------------------------------------------------------- from a damaged arena */

struct damaged { /* the source */
	struct agent *agent;
	struct salvage *salvage;
	struct witness *witness; /* NULL: there is no journal */
};

static void salvage_source_settings(void *context, struct arena_settings *ret_settings)
{
	salvage_settings(((struct damaged *)context)->salvage, ret_settings);
}

/* From salvage.h or carry.h: they pass on only what cart_validate() accepts. */
static int take_any(void *context, const void *cart, size_t size, uint64_t idle_ns)
{
	struct rebuild *rebuild = context;

	note_taken(rebuild, size);
	return idle_ns == SALVAGE_OVER ? ends_add_expired(&rebuild->ends, cart, size) :
					 change_put_validated(rebuild->corral, cart, size, idle_ns);
}

/*
 * Not all carts came over in the version that was acknowledged last. The journal may have the last
 * copy of such a cart, and the base of the new arena's journal would remove it. So keep its files,
 * before the new arena is in place.
 */
static int keep_journal(const struct damaged *damaged,
			void (*finding)(void *context, const char *line), void *context)
{
	const char *name;
	char line[128];

	int r = damaged->witness != NULL ? witness_keep(damaged->witness, &name) : -ENOENT;
	if (r == -ENOENT)
		return 0; /* the journal has no file */
	if (r < 0) {
		snprintf(line, sizeof(line), "the journal's files cannot be kept: %s",
			 strerror(-r));
		finding(context, line);
		return r;
	}
	snprintf(line, sizeof(line), "the journal's files are kept as %s", name);
	finding(context, line);
	return 0;
}

static int salvage_source_carts(void *context, rebuild_take take_one,
				void (*finding)(void *context, const char *line),
				void *take_context, struct salvage_totals *ret_totals)
{
	const struct damaged *damaged = context;

	(void)take_one; /* slots are not kept */
	int r = salvage_carts(damaged->salvage,
			      damaged->witness != NULL ? witness_voice(damaged->witness) : NULL,
			      take_any, finding, take_context, ret_totals);
	return r == 0 && ret_totals->damaged + ret_totals->older > 0 ?
		       keep_journal(damaged, finding, take_context) :
		       r;
}

static int salvage_source_floors(void *context, struct arena *arena)
{
	salvage_floors(((struct damaged *)context)->salvage, arena);
	versions_jump(arena, 0); /* the versions of carts left out are unknown */
	return 0;
}

static void salvage_source_ends(void *context, struct ends *ends)
{
	ends_add_all(ends, salvage_arena(((struct damaged *)context)->salvage));
}

int rebuild_arena(struct agent *agent, void (*tell)(const char *line),
		  char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why)
{
	struct damaged damaged = { .agent = agent };
	struct rebuild_source source = { .context = &damaged,
					 .settings = salvage_source_settings,
					 .carts = salvage_source_carts,
					 .floors = salvage_source_floors,
					 .ends = salvage_source_ends };
	struct arena_settings settings;

	int r = salvage_open(agent->dir_fd, &damaged.salvage, why);
	if (r < 0)
		return r;
	salvage_settings(damaged.salvage, &settings);
	const struct witness_arena arena = { .hash_seed = settings.hash_seed,
					     .salvage = damaged.salvage };
	r = witness_open(agent, &arena, &damaged.witness);
	if (r < 0 && r != -ENOENT)
		reason_set(why, r, "cannot look the carts up in the journal");
	else
		r = rebuild_from(agent, &source, tell, NULL, aside, ret_totals, why);
	if (damaged.witness != NULL)
		witness_close(damaged.witness);
	salvage_close(damaged.salvage);
	return r;
}

/* ------------------------------------------------------- from a former arena */

static void carry_source_settings(void *context, struct arena_settings *ret_settings)
{
	carry_settings(context, ret_settings);
}

static int carry_source_carts(void *context, rebuild_take take_one,
			      void (*finding)(void *context, const char *line), void *take_context,
			      struct salvage_totals *ret_totals)
{
	(void)take_one; /* slots are not kept */
	return carry_carts(context, take_any, finding, take_context, ret_totals);
}

static int carry_source_floors(void *context, struct arena *arena)
{
	carry_floors(context, arena);
	/* what the former arena gave last may not have reached its file */
	versions_jump(arena, carry_epoch(context) + 1);
	return 0;
}

int rebuild_carried(struct agent *agent, struct carry *carry, void (*tell)(const char *line),
		    const char *aside_name, char aside[REBUILD_NAME_BYTES],
		    struct salvage_totals *ret_totals, char *why)
{
	struct rebuild_source source = { .context = carry,
					 .settings = carry_source_settings,
					 .carts = carry_source_carts,
					 .floors = carry_source_floors };

	return rebuild_from(agent, &source, tell, aside_name, aside, ret_totals, why);
}
