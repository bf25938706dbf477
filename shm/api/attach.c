/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.c: open and close, threads, fork.
 *
 * Open: the directory, the lock file, map and validate, membarrier, a process record. All handles
 * of a process on one arena share these (struct share); the last handle frees them. A handle that
 * is never closed costs its process some memory, and the machine nothing. Each thread gets its
 * record at its first call, one for all handles, and gives it back when the thread ends (a pthread
 * key's destructor) or when the last handle is closed.
 *
 * Fork: the child inherits mapping and descriptors, but must not act as its parent. Its atfork
 * handler closes the inherited liveness descriptor at once: an OFD lock lasts as long as any copy
 * of its descriptor, so the parent could not be found dead. On first use, the child attaches as
 * itself. A child made without the handlers (raw clone) is detected by the wiped epoch and does the
 * same on first use.
 *
 * Lock order: shares_mutex, then a share's mutex.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/attach.h"
#include "api/engine_load.h"
#include "api/handle.h"
#include "api/remote.h"
#include "arena/access.h"
#include "arena/descriptor.h"
#include "arena/sigbus.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "memory/block.h"
#include "memory/block_repair.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/grace.h"

#define PATIENCE_DEFAULT_MS 1000u
#define KNOWN_FLAGS                                                                                \
	(CORRAL_READ_ONLY | CORRAL_OBSERVE | CORRAL_START_AGENT | CORRAL_CATCH_SIGBUS |            \
	 ATTACH_AGENT)

__thread struct handle_cache handle_cache __attribute__((tls_model("initial-exec")));

/*
 * The sentence of corral_why(). It is on the heap, from the thread's first corral_open() until the
 * thread ends: a plugin's thread-local variables come out of the few hundred bytes that the C
 * library reserves for all libraries loaded later. Ours are these two words only.
 */
static __thread char *why_text __attribute__((tls_model("initial-exec")));

/*
 * Protects the list, and liveness descriptors while they are opened or closed: a fork must not see
 * one that belongs to no share yet.
 */
static pthread_mutex_t shares_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct share *shares;
static uint64_t last_epoch; /* RMW only */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static int once_error;

const char *corral_why(void)
{
	return why_text != NULL ? why_text : "";
}

/* Clear the calling thread's sentence. NULL, which reason_set() accepts: there is no memory. */
static char *clear_why(void)
{
	if (why_text == NULL) {
		why_text = calloc(1, REASON_BYTES);
		/* any value but NULL makes thread_ends() run, which frees the sentence */
		if (why_text != NULL && pthread_setspecific(thread_key, &thread_key) != 0) {
			free(why_text);
			why_text = NULL;
		}
	}
	if (why_text != NULL)
		why_text[0] = '\0';
	return why_text;
}

/* ----------------------------------------------------------------- threads */

/* Give our record to the next thread that needs one, which inherits its lists. */
static void release_record(struct actor *actor)
{
	struct thread_record *record = actor->record;

	/* the thread was cancelled in the middle of a call: treat it as dead */
	if (actor->held != 0) {
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

static void unlink_attachment(struct share *share, const struct attachment *attachment)
{
	for (struct attachment **at = &share->attachments; *at != NULL; at = &(*at)->next) {
		if (*at == attachment) {
			*at = attachment->next;
			return;
		}
	}
}

/* A thread ends: release all its attachments, to any arena. */
static void thread_ends(void *unused)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	pthread_mutex_lock(&shares_mutex);
	for (struct share *share = shares; share != NULL; share = share->next) {
		pthread_mutex_lock(&share->mutex);
		for (struct attachment *at = share->attachments, *next; at != NULL; at = next) {
			next = at->next;
			if (at->tid != tid || at->epoch != *share->epoch)
				continue;
			unlink_attachment(share, at);
			if (!at->abandoned)
				release_record(&at->actor);
			free(at);
		}
		pthread_mutex_unlock(&share->mutex);
	}
	pthread_mutex_unlock(&shares_mutex);
	(void)unused;
	memset(&handle_cache, 0, sizeof(handle_cache));
	free(why_text);
	why_text = NULL;
}

/* ------------------------------------------------------------------- fork */

static void before_fork(void)
{
	pthread_mutex_lock(&shares_mutex);
	descriptor_before_fork();
}

static void after_fork_parent(void)
{
	descriptor_after_fork_parent();
	pthread_mutex_unlock(&shares_mutex);
}

static void after_fork_child(void)
{
	/* this is the only thread; threads that no longer exist may have held the other mutexes */
	for (struct share *share = shares; share != NULL; share = share->next) {
		alive_disown(&share->life);
		pthread_mutex_init(&share->mutex, NULL);
	}
	descriptor_after_fork_child();
	pthread_mutex_init(&shares_mutex, NULL);
}

/*
 * Keep the object that contains this library (a plugin with libcorral.a in it) in memory from now
 * on: the C library calls thread_ends() at the end of each thread that has attached, even long
 * after a dlclose(). If the program itself contains us, or an object that dlopen() does not know,
 * nothing is needed.
 */
static void stay_in_memory(void)
{
	Dl_info us;

	if (dladdr(&thread_key, &us) != 0 && us.dli_fname != NULL)
		(void)dlopen(us.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

static void set_up_process(void)
{
	stay_in_memory();
	once_error = pthread_key_create(&thread_key, thread_ends);
	if (once_error == 0)
		once_error = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Become a process of its own in the arena: at open, and again in a forked child. */
static int join(struct share *share, char *why)
{
	/* exec clears the registration, and fork may: register before the first read */
	share->can_membarrier = grace_register();
	uint32_t flags = (share->can_membarrier ? 0 : PROCESS_FENCED) |
			 (share->is_agent ? PROCESS_AGENT : 0);
	int r = alive_claim(&share->arena, &share->life, repair_process, flags, share->label);
	if (r < 0)
		return reason_set(why, r, "all %u process records are in use by living processes",
				  share->arena.max_processes);
	*share->epoch = fetch_add_relaxed(&last_epoch, 1u) + 1; /* relaxed: only has to be unique */
	if (share->arena.watched)
		sigbus_bind(share->arena.base, share->life.fd, ALIVE_BYTE(share->life.process),
			    share->epoch);
	return 0;
}

/* In a forked child, under shares_mutex: drop the parent's identity and attach anew. */
static int rejoin(struct share *share)
{
	alive_disown(&share->life);
	for (struct attachment *at = share->attachments, *next; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
	share->attachments = NULL;
	if (arena_other_time(share->arena.header))
		return -EXDEV; /* a forked process may be in another time namespace */
	if (!descriptor_is(share->arena.dir_fd, &share->arena.dir_id))
		return -EBADF;
	int r = alive_open(share->arena.dir_fd, false, &share->life, NULL);
	return r < 0 ? r : join(share, NULL);
}

/* ---------------------------------------------------------- a thread's record */

static int claim_between(struct share *share, uint32_t number, uint32_t end, uint32_t *ret_number)
{
	struct arena *arena = &share->arena;

	for (; number < end; number++) {
		struct thread_record *record = &arena->threads[number];
		if (load_relaxed(&record->owner) != 0)
			continue;
		/*
		 * raise the mark before the claim: scans for readers or for the dead stop at the
		 * mark
		 */
		for (uint32_t high = load_acquire(&arena->header->threads_high); high <= number;
		     high = load_acquire(&arena->header->threads_high))
			(void)cas_acq_rel(&arena->header->threads_high, high, number + 1);
		if (cas_acq_rel(&record->owner, 0, share->life.process + 1)) {
			*ret_number = number;
			return 0;
		}
	}
	return -EUSERS;
}

/* Prefer a record that was used before; then those of the dead; last, one never used. */
static int claim_free_record(struct share *share, uint32_t *ret_number)
{
	struct arena *arena = &share->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	int r = claim_between(share, 0, high, ret_number);

	if (r < 0 && alive_bury_all(arena, &share->life, repair_process) > 0)
		r = claim_between(share, 0, high, ret_number);
	return r < 0 ? claim_between(share, high, arena->max_threads, ret_number) : r;
}

static int claim_record(struct share *share, struct actor *actor)
{
	uint32_t number;
	int r = claim_free_record(share, &number);

	if (r < 0)
		return r;
	*actor = (struct actor){ .arena = &share->arena,
				 .life = &share->life,
				 .record = &share->arena.threads[number],
				 .name = number + 1,
				 .patience_ms = PATIENCE_DEFAULT_MS,
				 .fenced = !share->can_membarrier,
				 .can_membarrier = share->can_membarrier,
				 .timed_tick = -1, /* the first change is timed */
				 .repair = repair_process };
	actor->record->tid = (int32_t)syscall(SYS_gettid);
	grace_begin(actor);
	block_settle(actor);
	feed_note_latency(actor);
	return 0;
}

static struct attachment *find_attachment(struct share *share)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	struct attachment *at;

	pthread_mutex_lock(&share->mutex);
	for (at = share->attachments; at != NULL; at = at->next)
		if (at->tid == tid && !at->abandoned)
			break;
	pthread_mutex_unlock(&share->mutex);
	return at;
}

static int make_attachment(struct share *share, struct attachment **ret_attachment)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (attachment == NULL)
		return -ENOMEM;
	int r = claim_record(share, &attachment->actor);
	if (r == 0 && pthread_setspecific(thread_key, share) != 0) {
		release_record(&attachment->actor);
		r = -ENOMEM;
	}
	if (r < 0) {
		free(attachment);
		return r;
	}
	attachment->tid = attachment->actor.record->tid;
	attachment->epoch = *share->epoch;
	pthread_mutex_lock(&share->mutex);
	attachment->next = share->attachments;
	share->attachments = attachment;
	pthread_mutex_unlock(&share->mutex);
	*ret_attachment = attachment;
	return 0;
}

static int attach_thread(struct corral *corral, struct actor **ret_actor)
{
	struct share *share = corral->share;
	int r = 0;

	if (share->unregistered)
		return -EROFS;
	if (*share->epoch == 0) {
		pthread_mutex_lock(&shares_mutex);
		if (*share->epoch == 0)
			r = rejoin(share);
		pthread_mutex_unlock(&shares_mutex);
		if (r < 0)
			return r;
	}
	struct attachment *attachment = find_attachment(share);
	if (attachment == NULL && (r = make_attachment(share, &attachment)) < 0)
		return r;
	/* the thread has one record for all handles; from now on it uses this handle's patience */
	pthread_mutex_lock(&share->mutex);
	attachment->handle = corral;
	store_relaxed(&attachment->actor.patience_ms, corral->patience_ms); /* relaxed: our own */
	pthread_mutex_unlock(&share->mutex);
	handle_cache = (struct handle_cache){ corral, attachment, attachment->epoch };
	*ret_actor = &attachment->actor;
	return 0;
}

int handle_attach_thread(struct corral *corral, struct actor **ret_actor)
{
	int cancel;

	/*
	 * no call is a cancellation point: a thread cancelled in here would leave the mutex locked
	 */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	int r = attach_thread(corral, ret_actor);
	pthread_setcancelstate(cancel, NULL);
	return r;
}

int corral_leave_thread(struct corral *corral)
{
	struct share *share = corral->share;

	if (corral->remote != NULL)
		return remote_leave_thread(corral);
	struct attachment *attachment = find_attachment(share);
	if (attachment == NULL || *share->epoch == 0)
		return 0;
	if (attachment->actor.record->nest > 0)
		return -EBUSY;
	pthread_mutex_lock(&share->mutex);
	unlink_attachment(share, attachment);
	pthread_mutex_unlock(&share->mutex);
	release_record(&attachment->actor);
	free(attachment);
	memset(&handle_cache, 0, sizeof(handle_cache));
	return 0;
}

/*
 * The attachment stays as long as its thread, though it no longer has a record: a view refers to
 * its attachment's address, which must not be reused for another one.
 */
int corral_thread_abandon(struct corral *corral)
{
	struct share *share = corral->share;

	if (corral->remote != NULL)
		return remote_thread_abandon(corral);
	struct attachment *attachment = find_attachment(share);
	if (attachment == NULL || *share->epoch == 0 || attachment->epoch != *share->epoch)
		return 0;
	if (attachment->actor.in_change)
		return -EDEADLK;
	uint32_t views = attachment->actor.record->nest;
	if (views == 0)
		return 0;
	pthread_mutex_lock(&share->mutex);
	attachment->abandoned = true;
	pthread_mutex_unlock(&share->mutex);
	memset(&handle_cache, 0, sizeof(handle_cache));
	release_record(&attachment->actor);
	return views <= INT_MAX ? (int)views : INT_MAX;
}

int corral_set_patience(struct corral *corral, uint32_t patience_ms)
{
	struct share *share = corral->share;

	if (patience_ms > PATIENCE_MAX_MS)
		return -ERANGE;
	if (corral->remote != NULL) {
		store_relaxed(&corral->patience_ms, patience_ms); /* relaxed: as below */
		return 0;
	}
	pthread_mutex_lock(&share->mutex);
	corral->patience_ms = patience_ms;
	/* relaxed: the next wait sees it, or the one after */
	for (struct attachment *at = share->attachments; at != NULL; at = at->next)
		if (at->handle == corral)
			store_relaxed(&at->actor.patience_ms, patience_ms);
	pthread_mutex_unlock(&share->mutex);
	return 0;
}

/* Check a label, and write it as a string, zeros behind it. -EINVAL -ENAMETOOLONG -EILSEQ */
static int take_label(struct corral_text label, char ret_text[CORRAL_LABEL_MAX + 1])
{
	if (label.data == NULL || label.size == 0)
		return -EINVAL;
	if (label.size > CORRAL_LABEL_MAX)
		return -ENAMETOOLONG;
	if (!cart_text_valid(label))
		return -EILSEQ;
	memset(ret_text, 0, CORRAL_LABEL_MAX + 1);
	memcpy(ret_text, label.data, label.size);
	return 0;
}

static void change_label(struct share *share, const char text[CORRAL_LABEL_MAX + 1])
{
	static_assert(sizeof(share->label) == PROCESS_NAME_BYTES, "a label fits a process record");
	pthread_mutex_lock(&share->mutex);
	memcpy(share->label, text, sizeof(share->label));
	if (!share->unregistered)
		alive_label(&share->arena, &share->life, text);
	pthread_mutex_unlock(&share->mutex);
}

int corral_set_label(struct corral *corral, struct corral_text label)
{
	char text[CORRAL_LABEL_MAX + 1];
	struct actor *actor;
	int r = take_label(label, text);

	if (r == 0)
		r = handle_actor(corral, &actor); /* a forked child becomes itself first */
	if (r == -EREMOTE)
		return remote_set_label(corral, text);
	if (r == 0)
		change_label(corral->share, text);
	return r;
}

/* ------------------------------------------------------------ open and close */

static int map_epoch(struct share *share, char *why)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	share->epoch = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (share->epoch == MAP_FAILED || madvise(share->epoch, page, MADV_WIPEONFORK) != 0) {
		int error = errno;
		if (share->epoch != MAP_FAILED)
			munmap(share->epoch, page);
		return reason_system(why, -error, "no page that fork wipes (MADV_WIPEONFORK)");
	}
	return 0;
}

/* If a resize has withdrawn the arena, say how long that will take. */
static void say_how_long(int dir_fd, unsigned flags, int lock_fd, char *why)
{
	char text[ARENA_CARRYING_BYTES];
	struct arena arena;

	if (arena_map(dir_fd, flags | ARENA_ANY_BOOT | ARENA_READ_ONLY, &arena, NULL) < 0)
		return;
	if (alive_test(lock_fd, ALIVE_AGENT_BYTE) && arena_describe_carrying(arena.header, text))
		(void)reason_set(why, -ESTALE, "the arena is withdrawn: %s; then open it again",
				 text);
	arena_unmap(&arena);
}

/*
 * Map the arena. A different boot id is that of an earlier boot, or of a container that one of us
 * is in: a living attached process proves that it is this boot. catches: 0 or ARENA_CATCH_SIGBUS.
 */
static int map_arena(struct share *share, int dir_fd, unsigned catches, char *why)
{
	unsigned flags = catches | (share->is_agent ? ARENA_MAKE_HUGE : 0);
	struct life life;
	int r = arena_map(dir_fd, flags, &share->arena, why);

	if (r != -ESTALE || alive_open(dir_fd, false, &life, NULL) < 0)
		return r;
	if (alive_anybody(life.fd))
		r = arena_map(dir_fd, flags | ARENA_THIS_BOOT, &share->arena, why);
	if (r == -ESTALE)
		say_how_long(dir_fd, catches, life.fd, why);
	alive_close(&life);
	return r;
}

/*
 * With CORRAL_READ_ONLY, where nothing may be written, it is mapped for reading (see
 * unregistered.h). With CORRAL_CATCH_SIGBUS its file may be truncated from the first access on.
 */
static int attach(struct share *share, int dir_fd, unsigned flags, char *why)
{
	unsigned catches = (flags & CORRAL_CATCH_SIGBUS) != 0 ? ARENA_CATCH_SIGBUS : 0;
	int r = map_arena(share, dir_fd, catches, why);

	if (r == -EROFS && (flags & CORRAL_READ_ONLY) != 0) {
		why[0] = '\0';
		r = arena_map(dir_fd, catches | ARENA_READ_ONLY, &share->arena, why);
		share->unregistered = true;
	}
	if (r < 0)
		return r;
	share->life.fd = -1;
	if (share->unregistered) {
		r = map_epoch(share, why);
		if (r < 0)
			goto unmap;
		return 0;
	}
	r = alive_open(share->arena.dir_fd, false, &share->life, why);
	if (r < 0)
		goto unmap;
	r = map_epoch(share, why);
	if (r < 0)
		goto close_life;
	r = join(share, why);
	if (r < 0)
		goto unmap_epoch;
	return 0;
unmap_epoch:
	munmap(share->epoch, (size_t)sysconf(_SC_PAGESIZE));
close_life:
	alive_close(&share->life);
unmap:
	arena_unmap(&share->arena);
	return r;
}

static bool is_one_of(int fd, const struct share *share)
{
	return fd >= 0 &&
	       (fd == share->arena.fd || fd == share->arena.dir_fd || fd == share->life.fd);
}

/*
 * The kernel has just given us descriptor numbers that another share believes it owns: so the host
 * closed them under that share. This is the only place that can tell, because the numbers may refer
 * to the same files again.
 */
static void lose_those_without(const struct share *opened)
{
	for (struct share *share = shares; share != NULL; share = share->next) {
		if (!is_one_of(share->arena.fd, opened) &&
		    !is_one_of(share->arena.dir_fd, opened) && !is_one_of(share->life.fd, opened))
			continue;
		store_relaxed(&share->lost, 1u);
		share->arena.fd = is_one_of(share->arena.fd, opened) ? -1 : share->arena.fd;
		share->arena.dir_fd =
			is_one_of(share->arena.dir_fd, opened) ? -1 : share->arena.dir_fd;
		share->life.fd = is_one_of(share->life.fd, opened) ? -1 : share->life.fd;
	}
}

/*
 * May a new handle use this share? Checked before any file is opened, as that may reuse a number of
 * the share.
 */
static bool is_usable(const struct share *share)
{
	return *share->epoch != 0 && load_relaxed(&share->lost) == 0 &&
	       !arena_withdrawn(&share->arena) &&
	       descriptor_is(share->arena.fd, &share->arena.file_id) &&
	       descriptor_is(share->arena.dir_fd, &share->arena.dir_id) &&
	       descriptor_is(share->life.fd, &share->life.id);
}

static bool is_same(struct descriptor_id a, struct descriptor_id b)
{
	return a.device == b.device && a.inode == b.inode;
}

/*
 * The share that this process already has for the arena in the directory. *ret_share NULL: there is
 * none. A new handle passes the same checks either way.
 */
static int find_share(int dir_fd, bool is_agent, struct share **ret_share, char *why)
{
	int fd = access_open(dir_fd, ARENA_FILE, 0, false, why);

	*ret_share = NULL;
	if (fd == -EROFS)
		return 0; /* read-only attachments are not shared */
	if (fd < 0)
		return fd;
	struct descriptor_id file = descriptor_know(fd), directory = descriptor_know(dir_fd);
	close(fd);
	*ret_share = NULL;
	for (struct share *share = shares; share != NULL && *ret_share == NULL; share = share->next)
		if (share->usable && share->is_agent == is_agent &&
		    is_same(share->arena.file_id, file) && is_same(share->arena.dir_id, directory))
			*ret_share = share;
	return 0;
}

/* label: of this process, or "". */
static int make_share(int dir_fd, unsigned flags, const char *label, struct share **ret_share,
		      char *why)
{
	struct share *share = calloc(1, sizeof(*share));

	if (share == NULL)
		return reason_set(why, -ENOMEM, "no memory for a handle");
	share->is_agent = (flags & ATTACH_AGENT) != 0;
	memcpy(share->label, label, sizeof(share->label));
	pthread_mutex_init(&share->mutex, NULL);
	int r = attach(share, dir_fd, flags, why);
	if (r < 0) {
		pthread_mutex_destroy(&share->mutex);
		free(share);
		return r;
	}
	lose_those_without(share);
	share->next = shares;
	shares = share;
	*ret_share = share;
	return 0;
}

/* The last handle is closed: free the share. */
static void free_share(struct share *share)
{
	/* false: a forked child that never used it; nothing in the arena is ours */
	bool ours = *share->epoch != 0;

	for (struct share **at = &shares; *at != NULL; at = &(*at)->next) {
		if (*at == share) {
			*at = share->next;
			break;
		}
	}
	for (struct attachment *at = share->attachments, *next; at != NULL; at = next) {
		next = at->next;
		if (ours && !at->abandoned)
			release_record(&at->actor);
		free(at);
	}
	if (ours)
		alive_give_back(&share->arena, &share->life);
	else
		alive_disown(&share->life);
	alive_close(&share->life);
	arena_unmap(&share->arena); /* one at a time, see sigbus.h */
	munmap(share->epoch, (size_t)sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&share->mutex);
	free(share);
}

static int check_signal(char *why)
{
	sigset_t blocked;

	if (pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, SIGBUS) == 1)
		return reason_set(
			why, -EINVAL,
			"this thread blocks SIGBUS, so CORRAL_CATCH_SIGBUS could not catch "
			"it: unblock it before");
	return 0;
}

/*
 * Count one more handle that wants SIGBUS caught; catch_no_more(): one fewer. A share that such a
 * handle has made is watched already.
 */
static int catch_sigbus(struct share *share, char *why)
{
	if (share->catchers > 0) {
		int r = sigbus_take_signal();
		if (r < 0)
			return reason_system(why, r, "cannot catch SIGBUS");
	} else if (!share->arena.watched) {
		int r = sigbus_watch(share->arena.base, share->arena.bytes);
		if (r < 0)
			return reason_set(why, r, "cannot catch SIGBUS for one more arena");
		share->arena.watched = true;
		sigbus_bind(share->arena.base, share->life.fd, ALIVE_BYTE(share->life.process),
			    share->epoch);
	}
	share->catchers++;
	return 0;
}

static void catch_no_more(struct share *share)
{
	if (--share->catchers > 0)
		return;
	share->arena.watched = false;
	sigbus_forget(share->arena.base);
}

/*
 * Called under shares_mutex. dir_fd: the directory, if the caller has opened it and trusts it; else
 * -1. label: a new one for this process, or "".
 */
static int open_shared(struct corral *corral, int dir_fd, const char *label, char *why)
{
	bool is_agent = (corral->flags & ATTACH_AGENT) != 0;
	struct share *share;
	int own_fd = -1;
	int r = (corral->flags & CORRAL_CATCH_SIGBUS) != 0 ? check_signal(why) : 0;

	if (r < 0)
		return r;
	for (share = shares; share != NULL; share = share->next)
		share->usable = is_usable(share);
	if (dir_fd < 0)
		r = arena_open_directory(corral->directory, &own_fd, why);
	if (r < 0)
		return r;
	if (dir_fd < 0)
		dir_fd = own_fd;
	r = find_share(dir_fd, is_agent, &share, why);
	if (r == 0 && share == NULL)
		r = make_share(dir_fd, corral->flags, label, &share, why);
	if (own_fd >= 0)
		close(own_fd);
	assert(r < 0 || share != NULL);
	if (r == 0 && (corral->flags & CORRAL_CATCH_SIGBUS) != 0 &&
	    (r = catch_sigbus(share, why)) < 0 && share->handles == 0)
		free_share(share);
	if (r < 0)
		return r;
	if (label[0] != '\0' && share->handles > 0)
		change_label(share, label);
	share->handles++;
	corral->share = share;
	corral->epoch = share->epoch;
	corral->fenced = !share->can_membarrier;
	corral->unregistered = share->unregistered;
	corral->arena = share->arena;
	corral->arena.fd = corral->arena.dir_fd = -1; /* those of the share */
	corral->arena.watched = false;
	return 0;
}

/* Put the directory's name in front of the sentence, unless the sentence has it already. */
static void say_where(const char *directory)
{
	char text[REASON_BYTES];

	if (why_text == NULL || directory[0] == '\0' || strstr(why_text, directory) != NULL)
		return;
	memcpy(text, why_text, sizeof(text));
	(void)snprintf(why_text, REASON_BYTES, "%.200s: %.300s", directory, text);
}

/* Open the carts of an engine. label: of this process, or "". */
static int open_remote(struct corral *corral, const char *location, const char *label, char *why)
{
	if ((corral->flags & (CORRAL_START_AGENT | ATTACH_AGENT)) != 0)
		return reason_set(why, -EINVAL, "carts on other machines have no corral-agent");
	int r = remote_open(corral, location, why);
	return r == 0 && label[0] != '\0' ? remote_set_label(corral, label) : r;
}

/* Attach to the arena of a directory. label: of this process, or "". */
static int open_directory(struct corral *corral, const char *location, int dir_fd,
			  const char *label, char *why)
{
	int r = 0;

	if (dir_fd < 0)
		r = arena_directory(location, corral->directory, why);
	else
		(void)snprintf(corral->directory, sizeof(corral->directory), "%s", location);
	if (r == 0 && dir_fd < 0 && (corral->flags & CORRAL_START_AGENT) != 0)
		r = attach_start_agent(corral->directory, why);
	if (r < 0)
		return r;
	/*
	 * no fork in between: the child must find, and close, the descriptor that our liveness
	 * depends on
	 */
	pthread_mutex_lock(&shares_mutex);
	r = open_shared(corral, dir_fd, label, why);
	pthread_mutex_unlock(&shares_mutex);
	return r;
}

static int open_handle(const char *location, int dir_fd, unsigned flags,
		       const struct corral_text *label, struct corral **ret_corral)
{
	static char no_key[] = "no thread-specific key is free";
	char label_text[CORRAL_LABEL_MAX + 1] = "";
	int r = 0;

	pthread_once(&once, set_up_process);
	if (once_error != 0) {
		why_text = no_key;
		return -once_error;
	}
	char *why = clear_why();
	if ((flags & ~KNOWN_FLAGS) != 0)
		return reason_set(why, -EINVAL, "unknown flags 0x%x", flags);
	if (label != NULL)
		r = take_label(*label, label_text);
	if (r < 0)
		return reason_set(why, r, "a label has 1 to %d bytes of UTF-8", CORRAL_LABEL_MAX);
	struct corral *corral = aligned_alloc(CACHE_LINE, align_up(sizeof(*corral), CACHE_LINE));
	if (corral == NULL)
		return reason_set(why, -ENOMEM, "no memory for a handle");
	memset(corral, 0, sizeof(*corral));
	corral->flags = flags;
	corral->patience_ms = PATIENCE_DEFAULT_MS;
	const char *set = location != NULL ? location : getenv("CORRAL_DIR");
	r = dir_fd < 0 && set != NULL && engine_is_location(set) ?
		    open_remote(corral, set, label_text, why) :
		    open_directory(corral, location, dir_fd, label_text, why);
	if (r < 0) {
		say_where(corral->directory);
		free(corral);
		return r;
	}
	*ret_corral = corral;
	return 0;
}

static int open_uncancelled(const char *location, int dir_fd, unsigned flags,
			    const struct corral_text *label, struct corral **ret_corral)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	int r = open_handle(location, dir_fd, flags, label, ret_corral);
	pthread_setcancelstate(cancel, NULL);
	return r;
}

int corral_open(const char *location, unsigned flags, struct corral **ret_corral)
{
	return open_uncancelled(location, -1, flags, NULL, ret_corral);
}

int corral_open_as(const char *location, unsigned flags, struct corral_text label,
		   struct corral **ret_corral)
{
	return open_uncancelled(location, -1, flags, &label, ret_corral);
}

int handle_open_at(int dir_fd, const char *path, unsigned flags, struct corral **ret_corral)
{
	return open_handle(path, dir_fd, flags, NULL, ret_corral);
}

void corral_close(struct corral *corral)
{
	int cancel;

	if (corral == NULL)
		return;
	struct share *share = corral->share;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (corral->remote != NULL) {
		remote_close(corral);
		pthread_setcancelstate(cancel, NULL);
		return;
	}
	pthread_mutex_lock(&shares_mutex); /* until the descriptor is closed: see open_handle() */
	/* a later handle may have the same address, and a thread must not take it for this one */
	pthread_mutex_lock(&share->mutex);
	for (struct attachment *at = share->attachments; at != NULL; at = at->next)
		if (at->handle == corral)
			store_relaxed(&at->actor.patience_ms, PATIENCE_DEFAULT_MS);
	pthread_mutex_unlock(&share->mutex);
	if (--share->handles == 0)
		free_share(share); /* the mapping stays watched until it is unmapped */
	else if ((corral->flags & CORRAL_CATCH_SIGBUS) != 0)
		catch_no_more(share);
	pthread_mutex_unlock(&shares_mutex);
	free(corral);
	pthread_setcancelstate(cancel, NULL);
}
