/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.c: open and close, threads, fork.
 *
 * Open: directory, lock file, map and validate, membarrier, a process record. Each thread gets its
 * record at its first call and gives it back when it ends (a pthread key's destructor) or at close.
 *
 * Fork: the child inherits mapping and descriptors, but must not act as its parent. Its atfork
 * handler closes the inherited liveness descriptor at once (an OFD lock lives as long as any copy
 * of its descriptor: the parent could not be found dead); on first use it attaches as itself. A
 * child made past the handlers (raw clone) is caught by the wiped epoch and does the same on first
 * use.
 *
 * Locks: handles_mutex, a handle's mutex, in this order.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/attach.h"
#include "api/handle.h"
#include "arena/descriptor.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/grace.h"

#define PATIENCE_DEFAULT_MS 1000u
#define PATIENCE_MAX_MS 3600000u
#define KNOWN_FLAGS                                                                                \
	(CORRAL_READ_ONLY | CORRAL_OBSERVE | CORRAL_START_AGENT | CORRAL_CATCH_SIGBUS |            \
	 ATTACH_AGENT)

__thread struct handle_cache handle_cache __attribute__((tls_model("initial-exec")));
static __thread char why_text[WHY_BYTES];

/*
 * of the list; and while liveness descriptors come and go: a fork must not see one that no handle
 * has yet
 */
static pthread_mutex_t handles_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct corral *handles;
static uint64_t last_epoch; /* RMW only */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static int once_error;

const char *corral_why(void)
{
	return why_text;
}

/* ----------------------------------------------------------------- threads */

/* Our record, to whoever needs one next. What is in its lists is inherited. */
static void release_record(struct actor *actor)
{
	struct thread_record *record = actor->record;

	if (actor->held !=
	    0) { /* the thread was cancelled in the middle of a call: it is as good as dead */
		slot_repair(actor->arena, record, actor->name);
		block_repair(actor->arena, record, actor->name);
		actor->held = 0;
	}
	grace_end(record);
	(void)block_reclaim(actor, record);
	block_flush(actor);
	note(&record->generation, record->generation + 1);
	store_release(&record->owner, 0);
}

static void unlink_attachment(struct corral *corral, const struct attachment *attachment)
{
	for (struct attachment **at = &corral->attachments; *at != NULL; at = &(*at)->next) {
		if (*at == attachment) {
			*at = attachment->next;
			return;
		}
	}
}

/* The end of a thread: all its attachments, on any handle of this process. */
static void thread_ends(void *unused)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	pthread_mutex_lock(&handles_mutex);
	for (struct corral *corral = handles; corral != NULL; corral = corral->next) {
		pthread_mutex_lock(&corral->mutex);
		for (struct attachment *at = corral->attachments, *next; at != NULL; at = next) {
			next = at->next;
			if (at->tid != tid || at->epoch != *corral->epoch)
				continue;
			unlink_attachment(corral, at);
			release_record(&at->actor);
			free(at);
		}
		pthread_mutex_unlock(&corral->mutex);
	}
	pthread_mutex_unlock(&handles_mutex);
	(void)unused;
	memset(&handle_cache, 0, sizeof(handle_cache));
}

/* ------------------------------------------------------------------- fork */

static void before_fork(void)
{
	pthread_mutex_lock(&handles_mutex);
	descriptor_before_fork();
}

static void after_fork_parent(void)
{
	descriptor_after_fork_parent();
	pthread_mutex_unlock(&handles_mutex);
}

static void after_fork_child(void)
{
	/* the only thread; other handles' mutexes may have been held by threads that are no more */
	for (struct corral *corral = handles; corral != NULL; corral = corral->next) {
		close(corral->life.fd);
		corral->life.fd = -1;
		pthread_mutex_init(&corral->mutex, NULL);
	}
	descriptor_after_fork_child();
	pthread_mutex_init(&handles_mutex, NULL);
}

static void set_up_process(void)
{
	once_error = pthread_key_create(&thread_key, thread_ends);
	if (once_error == 0)
		once_error = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Become a process of our own in the arena: at open, and again in a forked child. */
static int join(struct corral *corral, char *why)
{
	/* exec cleared it, fork may have: register before the first read */
	corral->can_membarrier = grace_register();
	corral->fenced = !corral->can_membarrier;
	uint32_t flags = (corral->fenced ? PROCESS_FENCED : 0) |
			 ((corral->flags & ATTACH_AGENT) != 0 ? PROCESS_AGENT : 0);
	int r = alive_claim(&corral->arena, &corral->life, repair_process, flags);
	if (r < 0)
		return why_set(why, r, "all %u process records are in use by living processes",
			       corral->arena.max_processes);
	*corral->epoch = fetch_add_relaxed(&last_epoch, 1u) + 1; /* relaxed: only has to differ */
	return 0;
}

/* In a forked child, under handles_mutex: nothing of the parent's identity may stay. */
static int rejoin(struct corral *corral)
{
	if (corral->life.fd >= 0)
		close(corral->life.fd);
	corral->life.fd = -1;
	for (struct attachment *at = corral->attachments, *next; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
	corral->attachments = NULL;
	if (arena_other_time(corral->arena.header))
		return -EXDEV; /* a process enters a time namespace by being forked into it */
	int r = alive_open(corral->arena.dir_fd, false, &corral->life, NULL);
	return r < 0 ? r : join(corral, NULL);
}

/* ---------------------------------------------------------- a thread's record */

static int claim_between(struct corral *corral, uint32_t number, uint32_t end, uint32_t *ret_number)
{
	struct arena *arena = &corral->arena;

	for (; number < end; number++) {
		struct thread_record *record = &arena->threads[number];
		if (load_relaxed(&record->owner) != 0)
			continue;
		/*
		 * counted before it is claimed: who looks for readers or for the dead looks below
		 * the mark
		 */
		for (uint32_t high = load_acquire(&arena->header->threads_high); high <= number;
		     high = load_acquire(&arena->header->threads_high))
			(void)cas_acq_rel(&arena->header->threads_high, high, number + 1);
		if (cas_acq_rel(&record->owner, 0, corral->life.process + 1)) {
			*ret_number = number;
			return 0;
		}
	}
	return -EUSERS;
}

/* One that was used before; then those of the dead; only then one that never was. */
static int claim_free_record(struct corral *corral, uint32_t *ret_number)
{
	struct arena *arena = &corral->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	int r = claim_between(corral, 0, high, ret_number);

	if (r < 0 && alive_bury_all(arena, &corral->life, repair_process) > 0)
		r = claim_between(corral, 0, high, ret_number);
	return r < 0 ? claim_between(corral, high, arena->max_threads, ret_number) : r;
}

static int claim_record(struct corral *corral, struct actor *actor)
{
	uint32_t number;
	int r = claim_free_record(corral, &number);

	if (r < 0)
		return r;
	pthread_mutex_lock(&corral->mutex);
	uint32_t patience_ms = corral->patience_ms;
	pthread_mutex_unlock(&corral->mutex);
	*actor = (struct actor){ .arena = &corral->arena,
				 .life = &corral->life,
				 .record = &corral->arena.threads[number],
				 .name = number + 1,
				 .patience_ms = patience_ms,
				 .fenced = corral->fenced,
				 .can_membarrier = corral->can_membarrier,
				 .repair = repair_process };
	actor->record->tid = (int32_t)syscall(SYS_gettid);
	grace_begin(actor);
	block_settle(actor);
	return 0;
}

static struct attachment *find_attachment(struct corral *corral)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	struct attachment *at;

	pthread_mutex_lock(&corral->mutex);
	for (at = corral->attachments; at != NULL; at = at->next)
		if (at->tid == tid)
			break;
	pthread_mutex_unlock(&corral->mutex);
	return at;
}

static int attach_thread(struct corral *corral, struct actor **ret_actor)
{
	int r = 0;

	if (corral->unregistered)
		return -EROFS;
	if (*corral->epoch == 0) {
		pthread_mutex_lock(&handles_mutex);
		if (*corral->epoch == 0)
			r = rejoin(corral);
		pthread_mutex_unlock(&handles_mutex);
		if (r < 0)
			return r;
	}
	struct attachment *attachment = find_attachment(corral);
	if (attachment == NULL) {
		attachment = calloc(1, sizeof(*attachment));
		if (attachment == NULL)
			return -ENOMEM;
		r = claim_record(corral, &attachment->actor);
		if (r == 0 && pthread_setspecific(thread_key, corral) != 0) {
			release_record(&attachment->actor);
			r = -ENOMEM;
		}
		if (r < 0) {
			free(attachment);
			return r;
		}
		attachment->tid = attachment->actor.record->tid;
		attachment->epoch = *corral->epoch;
		pthread_mutex_lock(&corral->mutex);
		attachment->next = corral->attachments;
		corral->attachments = attachment;
		pthread_mutex_unlock(&corral->mutex);
	}
	handle_cache = (struct handle_cache){ corral, attachment, attachment->epoch };
	*ret_actor = &attachment->actor;
	return 0;
}

int handle_attach_thread(struct corral *corral, struct actor **ret_actor)
{
	int cancel;

	/* no call is a cancellation point: who is cancelled in here would leave the mutex locked */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	int r = attach_thread(corral, ret_actor);
	pthread_setcancelstate(cancel, NULL);
	return r;
}

int corral_leave_thread(struct corral *corral)
{
	struct attachment *attachment = find_attachment(corral);

	if (attachment == NULL || *corral->epoch == 0)
		return 0;
	if (attachment->actor.record->nest > 0)
		return -EBUSY;
	pthread_mutex_lock(&corral->mutex);
	unlink_attachment(corral, attachment);
	pthread_mutex_unlock(&corral->mutex);
	release_record(&attachment->actor);
	free(attachment);
	memset(&handle_cache, 0, sizeof(handle_cache));
	return 0;
}

int corral_set_patience(struct corral *corral, uint32_t patience_ms)
{
	if (patience_ms > PATIENCE_MAX_MS)
		return -ERANGE;
	pthread_mutex_lock(&corral->mutex);
	corral->patience_ms = patience_ms;
	for (struct attachment *at = corral->attachments; at != NULL; at = at->next)
		store_relaxed(&at->actor.patience_ms,
			      patience_ms); /* relaxed: the next wait sees it, or the one after */
	pthread_mutex_unlock(&corral->mutex);
	return 0;
}

/* ------------------------------------------------------------ open and close */

static int map_epoch(struct corral *corral, char *why)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	corral->epoch =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (corral->epoch == MAP_FAILED || madvise(corral->epoch, page, MADV_WIPEONFORK) != 0) {
		int error = errno;
		if (corral->epoch != MAP_FAILED)
			munmap(corral->epoch, page);
		return why_set(why, -error, "no page that fork wipes (MADV_WIPEONFORK)");
	}
	return 0;
}

static int open_arena(struct corral *corral, char *why)
{
	int dir_fd;
	int r = arena_open_directory(corral->directory, &dir_fd, why);

	if (r < 0)
		return r;
	unsigned map = ((corral->flags & CORRAL_CATCH_SIGBUS) != 0 ? ARENA_CATCH_SIGBUS : 0) |
		       ((corral->flags & ATTACH_AGENT) != 0 ? ARENA_MAKE_HUGE : 0);
	r = arena_map(dir_fd, map, &corral->arena, why);
	if (r == -EROFS && (corral->flags & CORRAL_READ_ONLY) != 0) {
		why[0] = '\0';
		r = arena_map(dir_fd, map | ARENA_READ_ONLY, &corral->arena, why);
		corral->unregistered = true;
	}
	close(dir_fd);
	if (r < 0)
		return r;
	corral->life.fd = -1;
	if (corral->unregistered) {
		r = map_epoch(corral, why);
		if (r < 0)
			goto unmap;
		return 0;
	}
	r = alive_open(corral->arena.dir_fd, false, &corral->life, why);
	if (r < 0)
		goto unmap;
	r = map_epoch(corral, why);
	if (r < 0)
		goto close_life;
	r = join(corral, why);
	if (r < 0)
		goto unmap_epoch;
	return 0;
unmap_epoch:
	munmap(corral->epoch, (size_t)sysconf(_SC_PAGESIZE));
close_life:
	alive_close(&corral->life);
unmap:
	arena_unmap(&corral->arena);
	return r;
}

static int open_handle(const char *location, unsigned flags, struct corral **ret_corral)
{
	why_text[0] = '\0';
	if ((flags & ~KNOWN_FLAGS) != 0)
		return why_set(why_text, -EINVAL, "unknown flags 0x%x", flags);
	pthread_once(&once, set_up_process);
	if (once_error != 0)
		return why_set(why_text, -once_error, "no thread-specific key is free");
	struct corral *corral = aligned_alloc(CACHE_LINE, align_up(sizeof(*corral), CACHE_LINE));
	if (corral == NULL)
		return why_set(why_text, -ENOMEM, "no memory for a handle");
	memset(corral, 0, sizeof(*corral));
	corral->flags = flags;
	corral->patience_ms = PATIENCE_DEFAULT_MS;
	pthread_mutex_init(&corral->mutex, NULL);
	int r = arena_directory(location, corral->directory, why_text);
	if (r == 0 && (flags & CORRAL_START_AGENT) != 0)
		r = attach_start_agent(corral->directory, why_text);
	if (r == 0) {
		/*
		 * no fork in between: a child must find, and close, the descriptor our life hangs
		 * on
		 */
		pthread_mutex_lock(&handles_mutex);
		r = open_arena(corral, why_text);
		if (r == 0) {
			corral->next = handles;
			handles = corral;
		}
		pthread_mutex_unlock(&handles_mutex);
	}
	if (r < 0) {
		pthread_mutex_destroy(&corral->mutex);
		free(corral);
		return r;
	}
	*ret_corral = corral;
	return 0;
}

int corral_open(const char *location, unsigned flags, struct corral **ret_corral)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	int r = open_handle(location, flags, ret_corral);
	pthread_setcancelstate(cancel, NULL);
	return r;
}

static void unlink_handle(const struct corral *corral)
{
	for (struct corral **at = &handles; *at != NULL; at = &(*at)->next) {
		if (*at == corral) {
			*at = corral->next;
			return;
		}
	}
}

void corral_close(struct corral *corral)
{
	int cancel;

	if (corral == NULL)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&handles_mutex); /* until the descriptor is closed: see corral_open() */
	unlink_handle(corral);
	bool ours = *corral->epoch !=
		    0; /* else a forked child that never used it: nothing in the arena is ours */
	for (struct attachment *at = corral->attachments, *next; at != NULL; at = next) {
		next = at->next;
		if (ours)
			release_record(&at->actor);
		free(at);
	}
	if (ours)
		alive_give_back(&corral->arena, &corral->life);
	alive_close(&corral->life);
	arena_unmap(&corral->arena); /* one at a time, see bus.h */
	pthread_mutex_unlock(&handles_mutex);
	munmap(corral->epoch, (size_t)sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&corral->mutex);
	free(corral);
	pthread_setcancelstate(cancel, NULL);
}
