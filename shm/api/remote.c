/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.c: open and close handles to an engine, and what all calls on them need.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/engine_load.h"
#include "api/remote.h"
#include "api/remote_record.h"
#include "arena/descriptor.h"
#include "base/hash.h"
#include "sync/lock.h"

#define WORKS_KEPT 16u
#define PAUSE_FIRST_NS 1000000ll
#define PAUSE_LAST_NS 50000000ll
#define SPREAD_MAX_NS 400000000ll
#define SPREAD_LEAST_NS 20000ll
#define SECOND_NS 1000000000ll
#define GRAIN 128            /* of the time to live: so much may pass before it is renewed */
#define LEAST_NS 500000000ll /* for one request, however little patience there is */

/*
 * The process's id, in a page that fork wipes, since getpid(2) is a system call and each request
 * asks several times. Without such a page it is asked for each time.
 */
pid_t remote_own_pid(void)
{
	static uint32_t *kept;
	uint32_t *page = load_acquire(&kept);

	if (page == NULL) {
		const size_t size = (size_t)sysconf(_SC_PAGESIZE);
		uint32_t *none = NULL;
		void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);
		if (made == MAP_FAILED)
			return getpid();
		if (madvise(made, size, MADV_WIPEONFORK) != 0 ||
		    !cas_acq_rel(&kept, none, (uint32_t *)made)) {
			munmap(made, size);
			return getpid();
		}
		page = made;
	}
	uint32_t pid = load_relaxed(page);
	if (pid == 0) {
		pid = (uint32_t)getpid();
		store_relaxed(page, pid);
	}
	return (pid_t)pid;
}

static const struct engine_host host = { .open_socket = descriptor_socket,
					 .own_pid = remote_own_pid };

/* In a forked child, a thread that the child does not have may hold the mutex. */
void remote_lock(struct remote *remote)
{
	const pid_t self = remote_own_pid();

	for (;;) {
		pid_t owner = load_acquire(&remote->pid);
		if (owner == self)
			break;
		if (owner == 0 || !cas_acq_rel(&remote->pid, owner, 0)) {
			sched_yield(); /* another thread of this child is at it */
			continue;
		}
		pthread_mutex_init(&remote->mutex, NULL);
		remote->random_count = 0; /* the parent uses those numbers */
		store_release(&remote->pid, self);
	}
	pthread_mutex_lock(&remote->mutex);
}

void remote_unlock(struct remote *remote)
{
	pthread_mutex_unlock(&remote->mutex);
}

/* ------------------------------------------------------------ open and close */

static void fill_in(struct corral *corral, struct remote *remote)
{
	const struct engine_settings *settings = &remote->settings;
	struct arena_header *header = &remote->header;

	header->ttl_ns = settings->ttl_ms * 1000000;
	header->hash_seed = settings->seed;
	header->journal = settings->replicas > 0 ? JOURNAL_MODE_SYNC : JOURNAL_MODE_OFF;
	if (settings->currency[0] != '\0')
		header->currency = cart_currency(corral_text(settings->currency));
	corral->arena = (struct arena){ .base = (uint8_t *)header,
					.header = header,
					.chains = &remote->chain,
					.hash_seed = settings->seed,
					.fd = -1,
					.dir_fd = -1 };
	remote->share.lost = 1;
	corral->share = &remote->share;
	corral->epoch = &remote->epoch;
	corral->patience_ms = REMOTE_PATIENCE_MS;
	corral->remote = remote;
}

/* The location as people may see it: the servers, without a password. */
static void name_it(struct corral *corral, const char *location)
{
	const char *servers = strstr(location, "://") + 3;
	const size_t scheme = (size_t)(servers - location);
	size_t size = strcspn(servers, "?");
	const char *at = memrchr(servers, '@', size);

	if (at != NULL) {
		size -= (size_t)(at + 1 - servers);
		servers = at + 1;
	}
	(void)snprintf(corral->directory, sizeof(corral->directory), "%.*s%.*s", (int)scheme,
		       location, (int)size, servers);
}

int remote_open(struct corral *corral, const char *location, char *why)
{
	struct remote *remote = aligned_alloc(CACHE_LINE, align_up(sizeof(*remote), CACHE_LINE));

	if (remote == NULL)
		return reason_set(why, -ENOMEM, "no memory for a handle");
	memset(remote, 0, sizeof(*remote));
	name_it(corral, location);
	remote->pid = remote_own_pid();
	pthread_mutex_init(&remote->mutex, NULL);
	int r = engine_load(location, &remote->engine, why);
	if (r == 0)
		r = remote->engine->open_store(location, &host, &remote->store, &remote->settings,
					       why);
	if (r == 0 && remote->settings.currency[0] != '\0' &&
	    cart_currency(corral_text(remote->settings.currency)) == 0) {
		remote->engine->close_store(remote->store);
		r = reason_set(why, -EINVAL, "the location's currency is no code of ISO 4217");
	}
	if (r < 0) {
		pthread_mutex_destroy(&remote->mutex);
		free(remote);
		return r;
	}
	fill_in(corral, remote);
	return 0;
}

void remote_close(struct corral *corral)
{
	struct remote *remote = corral->remote;

	remote->engine->close_store(remote->store);
	for (struct remote_view *at = remote->views, *next; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
	for (struct remote_work *at = remote->idle, *next; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
	for (uint32_t i = 0; i < REMOTE_BASES; i++)
		free(remote->bases[i].version);
	pthread_mutex_destroy(&remote->mutex);
	free(remote);
	free(corral);
}

int remote_set_label(struct corral *corral, const char *label)
{
	corral->remote->engine->name(corral->remote->store, label);
	return 0;
}

/* --------------------------------------------------------------------- memory */

struct remote_work *remote_take_work(struct remote *remote)
{
	remote_lock(remote);
	struct remote_work *work = remote->idle;
	if (work != NULL) {
		remote->idle = work->next;
		remote->idle_count--;
	}
	remote_unlock(remote);
	if (work == NULL) {
		work = malloc(sizeof(*work));
		if (work != NULL)
			memset(&work->base, 0, sizeof(work->base));
	}
	return work;
}

void remote_give_work(struct remote *remote, struct remote_work *work)
{
	free(work->base.record);
	memset(&work->base, 0, sizeof(work->base));
	remote_lock(remote);
	const bool keep = remote->idle_count < WORKS_KEPT;
	if (keep) {
		work->next = remote->idle;
		remote->idle = work;
		remote->idle_count++;
	}
	remote_unlock(remote);
	if (!keep)
		free(work);
}

static struct remote_base *base_of(struct remote *remote, uint64_t hash)
{
	return &remote->bases[hash % REMOTE_BASES];
}

/* Make room for a version. False: there is none, or it is too large to be kept. */
static bool base_fits(struct remote_base *base, uint32_t size)
{
	if (size > REMOTE_BASE_MAX)
		return false;
	if (size <= base->room)
		return true;
	void *version = realloc(base->version, align_up(size, 1024));
	if (version == NULL)
		return false;
	base->version = version;
	base->room = align_up(size, 1024);
	return true;
}

void remote_keep_base(struct remote *remote, uint64_t hash, const struct engine_value *value,
		      const void *version, uint32_t size)
{
	remote_lock(remote);
	struct remote_base *base = base_of(remote, hash);
	if (value->version != 0 && !value->ended && base_fits(base, size)) {
		memcpy(base->version, version, size);
		base->size = size;
		if (base->hash != hash)
			base->spread_ns = 0;
		base->hash = hash;
		base->value = *value;
		base->value.record = NULL;
		base->value.size = record_map_at(value);
		memcpy(base->record, value->record, base->value.size);
	} else if (base->hash == hash) {
		base->value.version = 0;
	}
	remote_unlock(remote);
}

/* The caller has the lock. */
static bool is_base_of(const struct remote_base *base, uint64_t hash,
		       const struct engine_value *value)
{
	return base->hash == hash && base->value.version != 0 &&
	       (value == NULL || (value->version == base->value.version &&
				  value->id == base->value.id && !value->ended));
}

uint32_t remote_take_base(struct remote *remote, uint64_t hash, const struct engine_value *value,
			  struct remote_work *work)
{
	void *record = value == NULL ? malloc(RECORD_HEADER_MAX) : NULL;
	uint32_t size = 0;

	if (value == NULL && record == NULL)
		return 0;
	remote_lock(remote);
	const struct remote_base *base = base_of(remote, hash);
	if (is_base_of(base, hash, value)) {
		size = base->size;
		memcpy(work->old, base->version, size);
	}
	if (size != 0 && value == NULL) {
		work->base = base->value;
		work->base.record = memcpy(record, base->record, base->value.size);
		record = NULL;
	}
	remote_unlock(remote);
	free(record);
	return size;
}

/* ----------------------------------------------------------------------- time */

int64_t remote_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

uint64_t remote_left_ms(const struct engine_value *value, int64_t boot_ms)
{
	const int64_t left_ms = value->left_ms - (boot_ms - value->seen_ms);

	return left_ms > 0 ? min_u64((uint64_t)left_ms, value->ttl_ms) : 0;
}

bool remote_is_due(const struct engine_value *value, int64_t boot_ms)
{
	return value->ttl_ms - remote_left_ms(value, boot_ms) > value->ttl_ms / GRAIN;
}

int64_t remote_give_up_ns(const struct corral *corral)
{
	return clock_now_ns() + load_relaxed(&corral->patience_ms) * 1000000ll;
}

int64_t remote_request_end(int64_t give_up_ns)
{
	int64_t least_ns = clock_now_ns() + LEAST_NS;

	return give_up_ns > least_ns ? give_up_ns : least_ns;
}

/* A sandbox may refuse getrandom(2). Then the thread and the time make the number unique. */
static uint64_t draw(void)
{
	struct {
		struct timespec now;
		const void *place; /* two machines have other stacks, also at the same time */
		uint64_t thread;
	} unique = { .place = &unique, .thread = (uint64_t)syscall(SYS_gettid) };
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number))
		return number;
	clock_gettime(CLOCK_REALTIME, &unique.now);
	return XXH3_64bits(&unique, sizeof(unique));
}

/* Random numbers come from the kernel in batches. A forked child throws its parent's away. */
uint64_t remote_random(struct remote *remote)
{
	uint64_t number = 0;

	remote_lock(remote);
	if (remote->random_count == 0 &&
	    getrandom(remote->randoms, sizeof(remote->randoms), GRND_NONBLOCK) ==
		    (ssize_t)sizeof(remote->randoms))
		remote->random_count = REMOTE_RANDOMS;
	const bool found = remote->random_count > 0;
	if (found)
		number = remote->randoms[--remote->random_count];
	remote_unlock(remote);
	return found ? number : draw();
}

void remote_step_aside(int64_t spread_ns, int64_t give_up_ns)
{
	const int64_t left_ns = give_up_ns - clock_now_ns();
	int64_t ns = (int64_t)(draw() % (uint64_t)spread_ns) + 1;

	ns = ns < left_ns ? ns : left_ns;
	if (ns <= 0)
		return;
	struct timespec time = { .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
	/* by number: glibc's nanosleep is a cancellation point */
	(void)syscall(SYS_nanosleep, &time, NULL);
}

bool remote_pause(uint32_t round, int64_t give_up_ns)
{
	const int64_t most_ns = PAUSE_FIRST_NS << (round < 6 ? round : 6);

	if (give_up_ns <= clock_now_ns())
		return false;
	remote_step_aside(most_ns < PAUSE_LAST_NS ? most_ns : PAUSE_LAST_NS, give_up_ns);
	return true;
}

/*
 * A handle does not know how many others change the cart, so it adapts the time that it waits at
 * most before a swap (the spread) until about half of its swaps succeed: the spread grows when a
 * swap fails because another change came first, and shrinks when a swap succeeds. The first try of
 * a change waits, too. Otherwise a handle that has just succeeded, and so knows the newest version,
 * would keep winning, and handles that wait would not get their turn.
 */
void remote_learn(struct remote *remote, uint64_t hash, bool met, int64_t took_ns)
{
	remote_lock(remote);
	struct remote_base *base = base_of(remote, hash);
	if (base->hash != hash && met) { /* its place is another cart's */
		base->hash = hash;
		base->spread_ns = 0;
	}
	if (met)
		base->value.version = 0; /* the version that was seen last has been replaced */
	if (base->hash == hash && met)
		base->spread_ns += base->spread_ns / 2 + took_ns;
	else if (base->hash == hash)
		base->spread_ns -= base->spread_ns / 3;
	if (base->spread_ns > SPREAD_MAX_NS)
		base->spread_ns = SPREAD_MAX_NS;
	if (base->spread_ns < SPREAD_LEAST_NS)
		base->spread_ns = 0;
	remote_unlock(remote);
}

int64_t remote_spread_ns(struct remote *remote, uint64_t hash)
{
	remote_lock(remote);
	const struct remote_base *base = base_of(remote, hash);
	const int64_t spread_ns = base->hash == hash ? base->spread_ns : 0;
	remote_unlock(remote);
	return spread_ns;
}

/* ---------------------------------------------------------------------- values */

int remote_get(struct corral *corral, const struct corral_key *key, unsigned flags,
	       int64_t give_up_ns, struct engine_value *ret_value,
	       struct engine_durable *ret_durable)
{
	struct remote *remote = corral->remote;
	struct engine_durable unused;
	uint32_t round = 0;
	int r, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	do
		r = remote->engine->get(remote->store, key, flags, remote_request_end(give_up_ns),
					ret_value, ret_durable != NULL ? ret_durable : &unused);
	while ((r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN) && remote_pause(round++, give_up_ns));
	pthread_setcancelstate(cancel, NULL);
	return r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -EHOSTDOWN : r;
}

int remote_unpack(const struct corral *corral, const struct engine_value *value,
		  const struct corral_key *key, void *buffer, struct portable_version *ret_made)
{
	const struct cart_head *head = buffer;
	size_t used;

	if (value->version == 0 || value->ended)
		return -ENOENT;
	const size_t at = record_map_at(value);
	const uint8_t *map = (const uint8_t *)value->record + at;
	if (portable_unpack_cart(map, value->size - at, corral->arena.hash_seed, true, buffer,
				 ret_made, &used) != NULL ||
	    head->version != value->version ||
	    (key != NULL && !cart_has_key(head, ret_made->size, key)))
		return -EUCLEAN;
	return 0;
}

int remote_about(struct corral *corral, struct engine_about *ret_about)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	int r = corral->remote->engine->about(corral->remote->store, remote_give_up_ns(corral),
					      ret_about);
	pthread_setcancelstate(cancel, NULL);
	return r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -EHOSTDOWN : r;
}

int remote_sync(struct corral *corral, int timeout_ms, uint32_t *cancel)
{
	int64_t give_up_ns = timeout_ms < 0 ? INT64_MAX : clock_now_ns() + timeout_ms * 1000000ll;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	int r = corral->remote->engine->sync(corral->remote->store, give_up_ns, cancel);
	pthread_setcancelstate(state, NULL);
	return r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -ETIMEDOUT : r;
}
