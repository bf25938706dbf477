/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c: a new arena from the journal (the format is in journal_file.h).
 *
 * The files are indexed (recover_index.h); then several threads put the indexed versions into the
 * new arena, as workers would. The files were just read: most of their pages are still in the page
 * cache.
 *
 * The arena's clock stood still at the last CLOCK record: the time since a cart's last activity is
 * counted from there.
 *
 * The new arena continues the lost one: it has the same uuid, clock and slots, so the journal is
 * continued with it. If the journal was damaged, the new arena has its own identity, and the files
 * that it was made from stay until a base of its own is whole. Either way, after another power loss
 * the arena is made again; only its header has to be on disk, which says that the journal takes
 * precedence over the arena.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/lease.h"
#include "aside.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "rebuild.h"
#include "recover.h"
#include "recover_index.h"
#include "recover_second.h"
#include "undumped.h"
#include "versions.h"

#define FORMER_FILE "arena.former" /* or with a number appended: no file is ever replaced */
#define THREADS_MAX 4u
#define THREAD_CARTS 1024u /* for fewer, another thread does not pay off */
#define STRIDE 256u        /* slots that a thread takes at a time */
#define FORGET_BYTES (4u << 20)
#define AHEAD_BYTES (64u << 10)
#define SHOWN_BYTES 65   /* of an id, with the NUL */
#define DOUBTS_NAMED 16u /* per thread; further ones are only counted */

struct put { /* what the threads share */
	const struct recover *recover;
	rebuild_take take;
	void *take_context;
	uint32_t next; /* the next slot */
	int error;     /* the last error */
};

struct putter { /* one of the threads */
	struct put *put;
	pthread_t thread;
	int fd; /* of the journal file */
	uint32_t file;
	uint64_t forget_from; /* in that file */
	uint64_t behind;      /* the end of what was read last of that file */
	uint64_t ahead_at;    /* offset of `ahead` in that file */
	size_t ahead_bytes;
	uint8_t *cart;
	uint8_t *ahead; /* AHEAD_BYTES */
	struct salvage_totals totals;
	uint64_t ended_version;
};

/* ------------------------------------------------------------------ source */

static void source_settings(void *context, struct arena_settings *ret_settings)
{
	const struct recover *recover = context;

	*ret_settings =
		(struct arena_settings){ .arena_bytes = recover->head.arena_bytes,
					 .max_carts = recover->head.max_carts,
					 .ttl_ns = recover->head.ttl_ns,
					 .currency = cart_currency_of_code(recover->head.currency),
					 .hash_seed = recover->head.hash_seed };
	if (recover->goes_on) {
		ret_settings->uuid = recover->lineage;
		ret_settings->now_ns = recover->clock_ns;
	}
}

/*
 * Drop the pages of what was read, since it is not read again: the arena can then use them without
 * the cost of finding others, which in a virtual machine is most of the time of a recovery.
 */
static void forget(struct putter *putter, uint64_t offset)
{
	uint64_t bytes = offset - putter->forget_from;

	if (offset >= putter->forget_from && bytes < FORGET_BYTES)
		return;
	if (offset >= putter->forget_from)
		(void)posix_fadvise(putter->fd, (off_t)putter->forget_from, (off_t)bytes,
				    POSIX_FADV_DONTNEED);
	putter->forget_from = offset;
}

/*
 * Read a part of the putter's file into putter->cart. A base has the carts in the order of their
 * slots, so most parts follow the one before: then read ahead. If that fails, the part is read
 * alone, so that an error is one of the cart's own bytes.
 */
static int read_part(struct putter *putter, size_t size, uint64_t offset)
{
	bool follows = offset - putter->behind <= 2 * sizeof(struct journal_record);

	putter->behind = offset + size;
	if (follows && size <= AHEAD_BYTES &&
	    offset + size > putter->ahead_at + putter->ahead_bytes) {
		ssize_t n = pread(putter->fd, putter->ahead, AHEAD_BYTES, (off_t)offset);
		putter->ahead_at = offset;
		putter->ahead_bytes = n > 0 ? (size_t)n : 0;
	}
	if (offset < putter->ahead_at || offset + size > putter->ahead_at + putter->ahead_bytes)
		return journal_read(putter->fd, putter->cart, size, offset);
	memcpy(putter->cart, putter->ahead + (offset - putter->ahead_at), size);
	return 0;
}

static int read_cart(struct putter *putter, const struct where *where)
{
	const struct recover *recover = putter->put->recover;
	char name[JOURNAL_NAME_BYTES];

	if (putter->file != where->file) {
		if (putter->fd >= 0)
			close(putter->fd);
		journal_name(recover->numbers[where->file - 1], name);
		putter->fd = openat(recover->dir_fd, name,
				    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		putter->file = putter->fd >= 0 ? where->file : 0;
		putter->forget_from = where->offset;
		putter->ahead_bytes = 0;
	}
	if (putter->fd < 0)
		return -errno;
	int r = read_part(putter, where->size, where->offset);
	forget(putter, where->offset);
	return r == -ENODATA || (r == -EIO && recover->salvage) ? -EUCLEAN : r;
}

/* Is the fault in the cart, not in the arena that receives it? */
static bool is_cart_fault(int r)
{
	return r == -EUCLEAN || r == -EINVAL || r == -EILSEQ || r == -ENAMETOOLONG ||
	       r == -EOVERFLOW;
}

/* Copy a text, with anything unprintable replaced. */
static void show(struct corral_text text, char to[SHOWN_BYTES])
{
	size_t size = (size_t)min_u64(text.size, SHOWN_BYTES - 1);

	for (size_t i = 0; i < size; i++)
		to[i] = text.data[i] > ' ' && text.data[i] <= '~' ? text.data[i] : '?';
	to[size] = '\0';
}

/* The cart is in the arena, but may be older than what was acknowledged, or may have ended. */
static void tell_doubt(struct putter *putter, const struct where *where)
{
	char restaurant[SHOWN_BYTES], session[SHOWN_BYTES];
	struct corral_key key;

	putter->totals.older++;
	if (putter->totals.older > DOUBTS_NAMED ||
	    cart_get_key(putter->cart, where->size, &key) < 0)
		return;
	show(key.restaurant_id, restaurant);
	show(key.session_id, session);
	log_line(LOG_WARNING,
		 "%s: cart %s %s has version %llu: a later one, or its end, may stand in what is "
		 "damaged",
		 putter->put->recover->name, restaurant, session,
		 (unsigned long long)where->version);
}

static int put_slot(struct putter *putter, uint32_t slot)
{
	const struct put *put = putter->put;
	const struct recover *recover = put->recover;
	const struct where *where = &recover->slots[slot];
	bool over = false;
	struct cart_head head; /* not validated yet: a damaged cart may pass for an ended one */

	int r = read_cart(putter, where);
	if (r == 0) {
		memcpy(&head, putter->cart, sizeof(head));
		int64_t idle_ns =
			ns_add(ns_since(recover->clock_ns, where->touched_ns), recover->passed_ns);
		uint64_t ttl_ns = head.ttl_ms != 0 ? head.ttl_ms * 1000000 : recover->head.ttl_ns;
		if (idle_ns < 0)
			idle_ns = 0;
		over = idle_ns >= deadline_ns(0, ttl_ns);
		if (!over)
			r = put->take(put->take_context, recover->goes_on ? slot : REBUILD_ANY_SLOT,
				      putter->cart, where->size, (uint64_t)idle_ns);
		else
			r = put->take(put->take_context, REBUILD_ANY_SLOT, putter->cart,
				      where->size, SALVAGE_OVER);
		if (r >= 0 && over)
			r = -ETIME;
	}
	if (r < 0 && r != -ETIME && !is_cart_fault(r))
		return r;
	if (r >= 0 && where->doubt)
		tell_doubt(putter, where);
	putter->totals.kept += r == 0;
	putter->totals.ended += r == -ETIME;
	putter->totals.damaged += r < 0 && r != -ETIME;
	/* a cart that does not come over has ended, like others */
	if (r < 0 && where->version <= VERSION_MAX)
		putter->ended_version = max_u64(putter->ended_version, where->version);
	return 0;
}

static void show_progress(const struct put *put)
{
	const struct recover *recover = put->recover;

	if (recover->progress && recover->head.max_carts > 0)
		fprintf(stderr, "\r%u carts: %llu %%  ", recover->carts,
			100ull * min_u64(load_relaxed(&put->next), recover->head.max_carts) /
				recover->head.max_carts);
}

static void put_slots(struct putter *putter, bool shows)
{
	struct put *put = putter->put;
	uint32_t slots = put->recover->head.max_carts;
	uint32_t from;

	putter->cart = undumped_alloc(CORRAL_CART_MAX);
	putter->ahead = undumped_alloc(AHEAD_BYTES);
	if (putter->cart == NULL || putter->ahead == NULL) {
		store_relaxed(&put->error, -ENOMEM);
		return;
	}
	while (load_relaxed(&put->error) == 0 &&
	       (from = fetch_add_relaxed(&put->next, STRIDE)) < slots) {
		for (uint32_t slot = from; slot < slots && slot < from + STRIDE; slot++) {
			int r = put->recover->slots[slot].file != 0 ? put_slot(putter, slot) : 0;
			if (r < 0)
				store_relaxed(&put->error, r);
		}
		if (shows && from % (64 * STRIDE) == 0)
			show_progress(put);
	}
}

static void *putter_begins(void *context)
{
	put_slots(context, false);
	return NULL;
}

/* 0 or -errno. */
static int put_in_threads(struct put *put, struct putter *putters, uint32_t count)
{
	uint32_t begun = 1;

	for (uint32_t i = 0; i < THREADS_MAX; i++)
		putters[i] = (struct putter){ .put = put, .fd = -1 };
	while (begun < count &&
	       pthread_create(&putters[begun].thread, NULL, putter_begins, &putters[begun]) == 0)
		begun++;
	put_slots(&putters[0], true);
	for (uint32_t i = 1; i < begun; i++)
		pthread_join(putters[i].thread, NULL);
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		free(putters[i].cart);
		free(putters[i].ahead);
		if (putters[i].fd >= 0)
			close(putters[i].fd);
	}
	return put->error;
}

int recover_put(struct recover *recover, rebuild_take take, void *take_context,
		struct salvage_totals *ret_totals)
{
	struct put put = { .recover = recover, .take = take, .take_context = take_context };
	struct putter putters[THREADS_MAX];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t count = min_u64(cpus > 0 ? (uint64_t)cpus : 1, 1 + recover->carts / THREAD_CARTS);

	count = min_u64(count, THREADS_MAX);
	int r = put_in_threads(&put, putters, (uint32_t)count);
	*ret_totals = (struct salvage_totals){ 0 };
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		ret_totals->kept += putters[i].totals.kept;
		ret_totals->ended += putters[i].totals.ended;
		ret_totals->older += putters[i].totals.older;
		ret_totals->damaged += putters[i].totals.damaged;
		recover->ended_version = max_u64(recover->ended_version, putters[i].ended_version);
	}
	if (recover->progress)
		fputs("\r                          \r", stderr);
	return r;
}

static bool is_damaged(const struct recover *recover)
{
	return recover->left_records || !recover->unbroken || recover->torn_before ||
	       recover->last_unknown;
}

static int source_carts(void *context, rebuild_take take,
			void (*finding)(void *take_context, const char *line), void *take_context,
			struct salvage_totals *ret_totals)
{
	struct recover *recover = context;

	int r = recover_put(recover, take, take_context, ret_totals);
	return r == 0 && is_damaged(recover) ?
		       recover_second(recover, take, finding, take_context, ret_totals) :
		       r;
}

/*
 * Does the slot have what the journal says, or nothing? It must not be left over from a cart that
 * has ended meanwhile.
 */
static bool is_as_said(const struct arena *arena, const struct where *where,
		       const struct slot *slot)
{
	if (slot->current == 0)
		return slot->lease != LEASE_ENDED;
	const struct cart_head *cart =
		(const struct cart_head *)(arena_block(arena, slot->current) + 1);
	return where->file != 0 && slot->hash == where->hash && cart->version == where->version;
}

static uint32_t slots_named(const struct recover *recover)
{
	uint32_t end = recover->goes_on ? recover->head.max_carts : 0;

	while (end > 0 && recover->slots[end - 1].file == 0)
		end--;
	return end;
}

/*
 * The journal is continued by the new arena: each cart must be in the slot that the journal has it
 * in. Slots whose cart did not come over are marked dirty, so that the journal learns of it.
 * -ESTALE: a cart is elsewhere (the journal may have it twice, if it was dropped and made again in
 * the last round; or memory was short): then the arena cannot continue this journal.
 */
static int go_on(const struct recover *recover, struct arena *arena)
{
	const uint32_t used = load_relaxed(&arena->header->slots_used_high);

	for (uint32_t slot = 0; slot < max_u64(used, slots_named(recover)); slot++) {
		if (!is_as_said(arena, &recover->slots[slot], &arena->slots[slot]))
			return -ESTALE;
		if (recover->slots[slot].file != 0 && arena->slots[slot].current == 0)
			arena->dirty[slot / 64] |= 1ull << (slot % 64);
	}
	store_relaxed(&arena->header->journal_base, (uint32_t)recover->base);
	return 0;
}

/*
 * May the new arena continue this journal? Then what was read must be on disk, and what follows the
 * torn end must never be read as part of the journal: it is cut off.
 */
static bool settle(const struct recover *recover)
{
	bool good = recover->unbroken && !recover->left_records && recover->clock_ns != 0;
	char name[JOURNAL_NAME_BYTES];

	for (int i = recover->files_there[recover->last].first; i >= 0 && good;
	     i = recover->files_there[i].next) {
		journal_name(recover->numbers[i], name);
		int fd =
			openat(recover->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		good = fd >= 0 && access_may_write(recover->dir_fd, fd) &&
		       (i != recover->last || recover->torn_at == 0 ||
			ftruncate(fd, (off_t)recover->torn_at) == 0) &&
		       fsync(fd) == 0;
		if (fd >= 0)
			close(fd);
	}
	return good && fsync(recover->dir_fd) == 0;
}

static void forget_next_file(struct recover *recover)
{
	char name[JOURNAL_NAME_BYTES];

	if (recover->next == 0)
		return;
	journal_name(recover->next, name);
	(void)unlinkat(recover->dir_fd, name, 0);
	recover->next = 0;
}

/*
 * Begin the new arena's first file: its head has the arena's new epoch. If the power were lost
 * before that is on disk, and the arena with it, the next recovery would begin the same epoch, in
 * which callers may have seen versions. If the file cannot be made, only the arena's header has the
 * epoch, and it is synced: that is no reason not to serve.
 */
static void begin_next_file(struct recover *recover, const struct arena *arena)
{
	struct journal_head head;

	forget_next_file(recover);
	uint64_t number = recover->numbers[recover->count - 1] + 1;
	int fd = journal_create(recover->agent_dir_fd, recover->dir_fd, number, arena, &head);
	if (fd < 0) {
		log_line(LOG_WARNING, "cannot begin the journal's next file: %s", strerror(-fd));
		return;
	}
	close(fd);
	recover->next = number;
	journal_note_file(arena->header, &head);
}

/*
 * For a cart that is gone, the journal has its version but not its chain: all chains continue from
 * the greatest version. Versions given after the last synced round are unknown: a later epoch
 * begins. The arena's header says that the journal takes precedence, since the arena is in place
 * before its own journal has a base.
 */
static int source_floors(void *context, struct arena *arena)
{
	struct recover *recover = context;
	uint64_t ended = recover->ended_version;

	store_relaxed(&arena->header->journal, JOURNAL_MODE_TIME);
	int r = recover->goes_on ? go_on(recover, arena) : 0;
	if (r < 0)
		return r;
	for (uint32_t i = 0; i <= arena->bucket_mask && ended <= VERSION_MAX; i++)
		if (arena->buckets[i].version_floor < ended)
			arena->buckets[i].version_floor = ended;
	versions_jump(arena, recover->epochs_used);
	begin_next_file(recover, arena);
	return 0;
}

static void tell_finding(const char *line)
{
	log_line(LOG_WARNING, "recovery: %s", line);
}

/* What cursors needed of the ends in the journal. */
static void source_ends(void *context, struct ends *ends)
{
	recover_ends(context, ends);
}

static int recover_carts(struct agent *agent, struct recover *recover, char *why)
{
	struct rebuild_source source = { .context = recover,
					 .settings = source_settings,
					 .carts = source_carts,
					 .floors = source_floors,
					 .ends = source_ends,
					 .lasting = true };
	int64_t start_ms = arena_wall_ms();
	char aside[REBUILD_NAME_BYTES] = "";
	struct salvage_totals totals = { 0 };
	struct arena_header h;

	recover_ask_arena(recover, &h);
	int r = recover_index(recover);
	if (r == -ENOENT || r == -EPROTO)
		return r;
	if (r < 0)
		return reason_system(
			why, r,
			"the journal cannot be read; nothing is changed: start again when "
			"it can be, or "
			"`corral-agent --salvage` takes what can be read");
	recover_compare(recover, &h);
	source.lasting = !is_damaged(recover); /* the arena that is there may be asked, too */
	recover_apply_ends(recover);
	if (recover->left_records && !recover->salvage)
		aside_keep(agent, recover, "the damaged journal", "");
	recover->goes_on = settle(recover);
	source.slots = slots_named(recover);
	r = rebuild_from(agent, &source, tell_finding, FORMER_FILE, aside, &totals, why);
	if (r == -ESTALE && recover->goes_on) { /* then into an arena of its own */
		recover->goes_on = false;
		source.slots = 0;
		r = rebuild_from(agent, &source, tell_finding, FORMER_FILE, aside, &totals, why);
	}
	agent->in_doubt = totals.older;
	if (r < 0) {
		forget_next_file(recover);
		return r == -ENOENT ? -EIO : r; /* a file was removed meanwhile */
	}
	log_line(LOG_INFO,
		 "%s: recovered %u carts from the journal (%u records, %llu bytes in %u files; %u "
		 "ended meanwhile, %u damaged, %u perhaps older or ended) in %lld ms%s%s",
		 agent->directory, totals.kept, recover->records,
		 (unsigned long long)recover->bytes, recover->files, totals.ended, totals.damaged,
		 totals.older, (long long)(arena_wall_ms() - start_ms),
		 aside[0] != '\0' ? "; the former arena is kept as " : "", aside);
	return 1;
}

int recover_arena(struct agent *agent, char *why)
{
	struct recover recover;
	int fd = journal_open_directory(agent->dir_fd, false);

	why[0] = '\0';
	if (fd < 0)
		return fd == -ENOENT ? 0 : reason_system(why, fd, "cannot open the journal");
	int r = recover_open(&recover, fd, JOURNAL_DIRECTORY);
	recover.salvage = agent->options->salvage;
	recover.agent_dir_fd = agent->dir_fd;
	recover.epochs_used = agent->epochs_used;
	r = r < 0 ? reason_system(why, r, "cannot list the journal's files") :
		    recover_carts(agent, &recover, why);
	if (r == -EPROTO || r == -EINVAL || (r == -ENOENT && recover.left_records))
		r = aside_hopeless(agent, why);
	else if (r == -ENOENT)
		r = 0;
	agent->epochs_used = recover.epochs_used; /* for an arena that is made instead */
	recover_close(&recover);
	return r;
}
