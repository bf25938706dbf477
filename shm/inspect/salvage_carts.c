/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage_carts.c: which version of each cart is the newest, in an arena that may be damaged
 * anywhere.
 *
 * There must be evidence that a version is the newest. The evidence is:
 *   - the slot: `current` leads to the version, and `newest` has its number, checked with the hash;
 *   - the block: its mark says that it was published and has not been retired (BLOCK_LIVE), unless
 *     it is in an intent.old, where a death may have left it;
 *   - the journal: every version in it was once the newest.
 *
 * A version is taken if its slot leads to it and either `newest` or the mark confirms it; if it is
 * marked live and its slot is lost; or from the journal if its number is that of `newest`. A
 * version that only the journal has, and nothing confirms, is taken too, but reported as possibly
 * not the newest. Everything else is left out and reported.
 *
 * Slots are examined one by one, linked or not; then all blocks, wherever the file has data,
 * because a slot that was wiped (a page of zeroes) says nothing about the cart it had.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arena/lease.h"
#include "arena/sigbus.h"
#include "cart/cart.h"
#include "inspect/salvage_inside.h"
#include "memory/class.h"
#include "store/slot.h"

/* a touch older than the cart's last change by more than this is damage */
#define CLOCK_SLACK_NS 60000000000ull
#define UNITS_PER_PAGE (PAGE_BYTES / BLOCK_UNIT)
#define NO_SLOT UINT32_MAX
#define TOUCHED_UNKNOWN (INT64_MIN / 2) /* then the time of its last change counts */

enum fate { FATE_KEPT, FATE_ENDED, FATE_LOST };

struct entry {
	uint64_t hash;
	uint64_t newest; /* number of the newest version, from the slot; 0: unknown */
	uint64_t best;   /* number of a version marked live; 0: none was found */
	block_ref ref;   /* the block of that version */
	uint32_t slot;   /* NO_SLOT: its slot is lost */
	uint32_t fate;
};

struct pass {
	struct salvage *salvage;
	const struct salvage_witness *witness;
	int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns);
	void (*finding)(void *context, const char *line);
	void *context;
	uint8_t *second; /* the journal's version */
	/* about to be retired when their thread died: a successor may be published */
	block_ref *olds;
	uint32_t old_count;
	uint64_t *seen;    /* a bit for each block that a slot refers to */
	uint8_t *of_slot;  /* by slot: fate plus one; 0: the slot is blank */
	uint32_t room;     /* number of entries allocated */
	uint32_t by_slots; /* entries of slots, sorted by hash; the others follow */
	struct salvage_totals totals;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct pass *pass, const char *format,
						       ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	pass->finding(pass->context, line);
}

static void let_go(struct salvage *salvage, uint64_t bytes)
{
	salvage->mapped_bytes += bytes;
	if (salvage->mapped_bytes < ARENA_LET_GO_BYTES)
		return;
	salvage->mapped_bytes = 0;
	arena_let_go(&salvage->arena);
}

const struct cart_head *salvage_copy(struct salvage *salvage, block_ref ref)
{
	const struct arena *arena = &salvage->arena;
	struct cart_head *copy = (struct cart_head *)(void *)salvage->copy;

	if (!arena_block_inside(arena, ref))
		return NULL;
	const void *bytes = arena_block(arena, ref) + 1;
	size_t room = (size_t)(arena->space_end - ref) * BLOCK_UNIT - sizeof(struct block_header);
	if (cart_shape(bytes, room) < 0)
		return NULL;
	uint32_t size = ((const struct cart_head *)bytes)->size;
	memcpy(copy, bytes, size);
	let_go(salvage, size);
	return cart_validate(copy, size) == 0 ? copy : NULL;
}

uint64_t salvage_hash(const struct salvage *salvage, const struct cart_head *cart)
{
	struct corral_key key;

	return cart_get_key(cart, cart->size, &key) == 0 ? slot_hash(&salvage->arena, &key) : 0;
}

/* --------------------------------------------------------------- handing over */

/*
 * The time since the cart's last activity, which cannot be before its last change: the cart has a
 * checksum and is trusted over the slot, which has none.
 */
static uint64_t idle_of(const struct salvage *salvage, int64_t touched_ns,
			const struct cart_head *cart)
{
	int64_t idle_ns = ns_since(salvage->now_ns, touched_ns);
	/* may wrap: a valid checksum does not make updated_ms a sensible time */
	int64_t since_change_ms = ns_since(arena_wall_ms(), cart->updated_ms);
	uint64_t most_ns = since_change_ms > 0 ? (uint64_t)since_change_ms * 1000000 : 0;

	if (idle_ns < 0)
		return 0;
	return (uint64_t)idle_ns > most_ns + CLOCK_SLACK_NS ? most_ns : (uint64_t)idle_ns;
}

static bool is_over(const struct salvage *salvage, const struct cart_head *cart, int64_t touched_ns)
{
	uint64_t ttl_ns = cart->ttl_ms != 0 ? cart->ttl_ms * 1000000 : salvage->ttl_ns;

	return (int64_t)idle_of(salvage, touched_ns, cart) >= deadline_ns(0, ttl_ns);
}

/* Its time is up. 1 or -errno. */
static int hand_over_ended(struct pass *pass, const struct cart_head *cart)
{
	pass->totals.ended++;
	int r = pass->take(pass->context, cart, cart->size, SALVAGE_OVER);
	return r < 0 ? r : 1;
}

/* 0: taken; 1: it has ended, or the new arena has one as new; -errno. */
static int hand_over(struct pass *pass, const struct cart_head *cart, int64_t touched_ns)
{
	if (is_over(pass->salvage, cart, touched_ns))
		return hand_over_ended(pass, cart);
	int r = pass->take(pass->context, cart, cart->size,
			   idle_of(pass->salvage, touched_ns, cart));
	pass->totals.kept += r == 0;
	return r;
}

static uint64_t witness_version(const struct pass *pass, uint64_t hash)
{
	return pass->witness != NULL && hash != 0 ?
		       pass->witness->version(pass->witness->context, hash) :
		       0;
}

static uint64_t witness_slot(const struct pass *pass, uint32_t slot)
{
	return pass->witness != NULL ? pass->witness->in_slot(pass->witness->context, slot) : 0;
}

/* The journal's version of this cart, if it is valid. */
static const struct cart_head *witness_cart(const struct pass *pass, uint64_t hash,
					    int64_t *ret_touched_ns)
{
	const struct cart_head *cart = (const struct cart_head *)(void *)pass->second;
	size_t size;

	if (witness_version(pass, hash) == 0 ||
	    pass->witness->read(pass->witness->context, hash, pass->second, &size, ret_touched_ns) <
		    0 ||
	    cart_validate(cart, size) < 0 || cart->size != size ||
	    salvage_hash(pass->salvage, cart) != hash)
		return NULL;
	return cart;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Deliver a version that the arena shows to be its newest, unless the journal has a newer one. */
static int deliver(struct pass *pass, const struct cart_head *cart, uint64_t hash,
		   int64_t touched_ns, bool found_again, const char *where, uint32_t number)
{
	uint64_t other = witness_version(pass, hash);
	int64_t other_touched_ns = 0;

	if (other > cart->version) {
		const struct cart_head *newer = witness_cart(pass, hash, &other_touched_ns);
		tell(pass,
		     "%s %u: its cart has version %llu, and the journal has version %llu, which is "
		     "%s",
		     where, number, (unsigned long long)cart->version, (unsigned long long)other,
		     newer != NULL ? "taken" : "damaged: what is taken is older");
		if (newer != NULL) {
			cart = newer;
			touched_ns = later(touched_ns, other_touched_ns);
		}
		int r = hand_over(pass, cart, touched_ns);
		pass->totals.again += r == 0 && newer != NULL;
		pass->totals.older += r == 0 && newer == NULL;
		return r < 0 ? r : 0;
	}
	int r = hand_over(pass, cart, touched_ns);
	if (r == 0 && found_again) {
		pass->totals.again++;
		tell(pass, "%s %u: its cart was found again, in version %llu", where, number,
		     (unsigned long long)cart->version);
	}
	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------- entries */

static struct entry *add_entry(struct pass *pass, uint64_t hash, uint32_t slot, enum fate fate)
{
	struct salvage *salvage = pass->salvage;

	if (salvage->entry_count == pass->room) {
		uint32_t room = pass->room < 1024 ? 1024 : pass->room + pass->room / 2;
		struct entry *more = realloc(salvage->entries, room * sizeof(*more));
		if (more == NULL)
			return NULL;
		salvage->entries = more;
		pass->room = room;
	}
	struct entry *entry = &salvage->entries[salvage->entry_count++];
	*entry = (struct entry){ .hash = hash, .slot = slot, .fate = fate };
	if (slot != NO_SLOT)
		pass->of_slot[slot] = (uint8_t)(fate + 1);
	return entry;
}

static int by_hash(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int by_hash_and_version(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->best < y->best ? 1 : x->best > y->best ? -1 : 0; /* the newest first */
}

/* The first entry of a slot with this hash; NULL: there is none. */
static struct entry *first_of(const struct pass *pass, uint64_t hash)
{
	struct entry *entries = pass->salvage->entries;
	uint32_t low = 0, high = pass->by_slots;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (entries[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pass->by_slots && entries[low].hash == hash ? &entries[low] : NULL;
}

static bool is_of(const struct pass *pass, const struct entry *entry, uint64_t hash)
{
	return entry < pass->salvage->entries + pass->by_slots && entry->hash == hash;
}

/* Has any cart with this hash this fate? */
static bool is_known(const struct pass *pass, uint64_t hash, enum fate fate)
{
	const struct entry *entry = first_of(pass, hash);

	while (entry != NULL && is_of(pass, entry, hash) && entry->fate != fate)
		entry++;
	return entry != NULL && is_of(pass, entry, hash);
}

/* --------------------------------------------------------------------- slots */

/* The newest version's number, from the slot; 0: that word, or the hash, is damaged. */
static uint64_t newest_of(const struct slot *slot)
{
	return slot->newest == SLOT_NEWEST(slot->newest, slot->hash) ?
		       SLOT_NEWEST_VERSION(slot->newest) :
		       0;
}

static bool is_newest(uint64_t version, uint64_t newest, uint32_t mark)
{
	if (mark == BLOCK_STALE)
		return false;
	/* a writer that died may have published the next version without noting its number here */
	return version == newest || (version > newest && mark == BLOCK_LIVE);
}

static void note_seen(struct pass *pass, block_ref ref)
{
	const struct arena *arena = &pass->salvage->arena;

	if (arena_block_inside(arena, ref))
		pass->seen[(ref - arena->space_first) / 64] |= 1ull
							       << ((ref - arena->space_first) % 64);
}

static bool was_seen(const struct pass *pass, block_ref ref)
{
	ref -= pass->salvage->arena.space_first;
	return (pass->seen[ref / 64] >> (ref % 64) & 1) != 0;
}

static int keep_slot(struct pass *pass, uint32_t number, const struct cart_head *cart,
		     uint64_t hash, bool found_again)
{
	const struct slot *slot = &pass->salvage->arena.slots[number];

	if (add_entry(pass, hash, number, FATE_KEPT) == NULL)
		return -ENOMEM;
	return deliver(pass, cart, hash, lease_touched_ns(slot->lease), found_again, "slot",
		       number);
}

/* The time of the slot's cart is up, as a caller may know, and nothing has told of its end. */
static int end_slot(struct pass *pass, const struct slot *slot, uint64_t newest)
{
	struct salvage *salvage = pass->salvage;
	const struct cart_head *cart = salvage_copy(salvage, slot->current);

	if (cart == NULL || salvage_hash(salvage, cart) != slot->hash ||
	    !is_newest(cart->version, newest, arena_block(&salvage->arena, slot->current)->mark))
		return 0;
	int r = hand_over_ended(pass, cart);
	return r < 0 ? r : 0;
}

static int look_at_slot(struct pass *pass, uint32_t number)
{
	struct salvage *salvage = pass->salvage;
	const struct slot *slot = &salvage->arena.slots[number];
	uint64_t newest = newest_of(slot);

	if (slot->lease == LEASE_ENDED || slot->lease == LEASE_OVER) {
		note_seen(pass, slot->current);
		if (add_entry(pass, slot->hash, number, FATE_ENDED) == NULL)
			return -ENOMEM;
		return slot->lease == LEASE_OVER ? end_slot(pass, slot, newest) : 0;
	}
	if (slot->current == 0 && slot->newest == 0)
		return 0; /* never used, or zeroed */
	const struct cart_head *cart = salvage_copy(salvage, slot->current);
	note_seen(pass, slot->current);
	if (cart != NULL) {
		uint64_t hash = salvage_hash(salvage, cart);
		uint32_t mark = arena_block(&salvage->arena, slot->current)->mark;
		if (hash == slot->hash && is_newest(cart->version, newest, mark))
			return keep_slot(pass, number, cart, hash, false);
		if (mark == BLOCK_LIVE && slot->newest == SLOT_NEWEST(cart->version, hash))
			return keep_slot(pass, number, cart, hash, true); /* the hash is damaged */
	}
	struct entry *entry = add_entry(pass, slot->hash, number, FATE_LOST);
	if (entry == NULL)
		return -ENOMEM;
	entry->newest = newest;
	return 0;
}

/* -------------------------------------------------------------------- blocks */

/*
 * Does a block begin here? Where the page table has a span, its blocks begin at multiples of their
 * size; a mark elsewhere is cart content that looks like one. Where the page table has no span, it
 * is damaged, and any place may be a block.
 */
static bool begins_block(const struct arena *arena, block_ref ref)
{
	uint32_t page = (ref - arena->space_first) / UNITS_PER_PAGE;

	for (uint32_t back = 0; back <= page && back < SPAN_PAGES_MAX; back++) {
		uint32_t word = arena->pages[page - back] & ~PAGE_DOOMED;
		if (word == 0)
			continue;
		uint32_t class_no = PAGE_SPAN_CLASS(word);
		if (class_no >= CLASS_COUNT ||
		    PAGE_SPAN_PAGES(word) != class_span_pages(class_no) ||
		    PAGE_SPAN_PAGES(word) <= back)
			return true;
		uint32_t offset = ref - arena->space_first - (page - back) * UNITS_PER_PAGE;
		return offset % (class_bytes(class_no) / BLOCK_UNIT) == 0;
	}
	return true;
}

static void collect_olds(struct pass *pass)
{
	const struct arena *arena = &pass->salvage->arena;

	for (uint32_t number = 0; number < arena->max_threads; number++)
		if (arena->threads[number].intent.old != 0)
			pass->olds[pass->old_count++] = arena->threads[number].intent.old;
}

static bool is_old(const struct pass *pass, block_ref ref)
{
	for (uint32_t i = 0; i < pass->old_count; i++)
		if (pass->olds[i] == ref)
			return true;
	return false;
}

/*
 * Note a version that is marked live but that no slot leads to. A slot which says that the cart has
 * ended is no evidence against it: an ended cart's last version is still in its slot, or in an
 * intent.old, or retired.
 */
static int note_live(struct pass *pass, block_ref ref, const struct cart_head *cart)
{
	uint64_t hash = salvage_hash(pass->salvage, cart);
	bool old = is_old(pass, ref);

	if (is_known(pass, hash, FATE_KEPT) || (old && is_known(pass, hash, FATE_ENDED)))
		return 0;
	if (!is_known(pass, hash, FATE_LOST)) { /* its slot is blank */
		struct entry *entry = add_entry(pass, hash, NO_SLOT, FATE_LOST);
		if (entry == NULL)
			return -ENOMEM;
		entry->ref = ref;
		entry->best = cart->version;
		return 0;
	}
	if (old)
		return 0;
	for (struct entry *entry = first_of(pass, hash); is_of(pass, entry, hash); entry++)
		if (entry->fate == FATE_LOST && cart->version > entry->best) {
			entry->best = cart->version;
			entry->ref = ref;
		}
	return 0;
}

static int look_at_block(struct pass *pass, block_ref ref)
{
	const struct arena *arena = &pass->salvage->arena;
	const struct block_header *block = arena_block(arena, ref);

	if (block->mark != BLOCK_LIVE || block->magic != BLOCK_MAGIC || was_seen(pass, ref) ||
	    !begins_block(arena, ref))
		return 0;
	const struct cart_head *cart = salvage_copy(pass->salvage, ref);
	if (cart != NULL)
		return note_live(pass, ref, cart);
	tell(pass, "block 0x%x has the newest version of some cart, and is damaged: left out", ref);
	pass->totals.damaged++;
	return 0;
}

static int search_blocks(struct pass *pass)
{
	struct salvage *salvage = pass->salvage;
	const struct arena *arena = &salvage->arena;
	int r = 0;

	for (uint32_t i = 0; i < salvage->piece_count; i++) {
		block_ref from = (block_ref)max_u64(salvage->pieces[i].from / BLOCK_UNIT,
						    arena->space_first);
		block_ref end =
			(block_ref)min_u64(salvage->pieces[i].end / BLOCK_UNIT, arena->space_end);
		for (block_ref ref = from; ref < end && r == 0; ref++) {
			r = look_at_block(pass, ref);
			if (ref % UNITS_PER_PAGE == 0)
				let_go(salvage, PAGE_BYTES);
		}
	}
	return r;
}

/* ---------------------------------------------------------------------- lost */

/* Take the journal's version, though it may not be the newest. 1: the journal has none. */
static int deliver_older(struct pass *pass, uint64_t hash, int64_t touched_ns, uint64_t newest,
			 uint32_t number)
{
	int64_t other_touched_ns = 0;
	const struct cart_head *cart = witness_cart(pass, hash, &other_touched_ns);
	struct salvage_totals before = pass->totals;

	if (cart == NULL)
		return 1;
	int r = hand_over(pass, cart, later(touched_ns, other_touched_ns));
	if (r < 0 || pass->totals.kept == before.kept)
		return r < 0 ? r : 0;
	pass->totals.older++;
	if (newest != 0)
		tell(pass,
		     "slot %u is damaged, and version %llu of its cart is lost: version %llu, "
		     "which "
		     "the journal has, is taken",
		     number, (unsigned long long)newest, (unsigned long long)cart->version);
	else
		tell(pass,
		     "slot %u is damaged: version %llu of its cart, which the journal has, is "
		     "taken; "
		     "it may not be the last one, or the cart may have ended",
		     number, (unsigned long long)cart->version);
	return 0;
}

/* Take the cart of a slot that names a cart but does not lead to it. */
static int take_lost(struct pass *pass, struct entry *entry)
{
	struct salvage *salvage = pass->salvage;
	int64_t slot_touched_ns = lease_touched_ns(salvage->arena.slots[entry->slot].lease);
	uint64_t in_journal = witness_version(pass, entry->hash), hash = entry->hash;
	int64_t touched_ns = 0;
	const struct cart_head *cart = NULL;

	if (entry->best != 0 && entry->best >= entry->newest)
		cart = salvage_copy(salvage, entry->ref);
	else if (entry->newest != 0 && in_journal >= entry->newest)
		cart = witness_cart(pass, hash, &touched_ns);
	if (cart != NULL) {
		entry->fate = FATE_KEPT;
		return deliver(pass, cart, hash, later(slot_touched_ns, touched_ns), true, "slot",
			       entry->slot);
	}
	if (in_journal == 0) { /* perhaps the hash is damaged, too */
		hash = witness_slot(pass, entry->slot);
		if (hash != 0 && is_known(pass, hash, FATE_KEPT)) {
			entry->fate = FATE_KEPT; /* its cart was found without this slot */
			return 0;
		}
	}
	int r = deliver_older(pass, hash, slot_touched_ns, entry->newest, entry->slot);
	if (r <= 0) {
		entry->fate = FATE_KEPT;
		return r;
	}
	if (entry->newest != 0)
		tell(pass,
		     "slot %u is damaged, and version %llu of its cart (hash %016llx) is nowhere: "
		     "left out",
		     entry->slot, (unsigned long long)entry->newest,
		     (unsigned long long)entry->hash);
	else
		tell(pass,
		     "slot %u is damaged, and which version of its cart (hash %016llx) is the "
		     "newest is not known: left out",
		     entry->slot, (unsigned long long)entry->hash);
	pass->totals.damaged++;
	return 0;
}

/*
 * Take live versions whose slot is lost, the newest first. They are then sorted in among the other
 * entries, so that the journal's versions are not taken as well.
 */
static int take_orphans(struct pass *pass)
{
	struct salvage *salvage = pass->salvage;
	uint32_t count = salvage->entry_count - pass->by_slots;
	struct entry *orphans = count > 0 ? salvage->entries + pass->by_slots : NULL;
	int r = 0;

	if (count > 0)
		qsort(orphans, count, sizeof(*orphans), by_hash_and_version);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		if (i > 0 && orphans[i].hash == orphans[i - 1].hash) {
			orphans[i].fate = orphans[i - 1].fate;
			continue;
		}
		const struct cart_head *cart = NULL;
		if (!is_old(pass, orphans[i].ref))
			cart = salvage_copy(salvage, orphans[i].ref);
		/*
		 * over by its last change: reads may have renewed it since, or a caller was told
		 * that it is over
		 */
		bool over = cart != NULL && is_over(salvage, cart, TOUCHED_UNKNOWN);
		if (cart != NULL && !over) {
			orphans[i].fate = FATE_KEPT;
			r = deliver(pass, cart, orphans[i].hash, TOUCHED_UNKNOWN, true, "block",
				    orphans[i].ref);
			continue;
		}
		tell(pass, "block 0x%x: whether its cart has %s is not known: left out",
		     orphans[i].ref, over ? "ended" : "a newer version");
		pass->totals.damaged++;
	}
	pass->by_slots = salvage->entry_count;
	if (salvage->entry_count > 0)
		qsort(salvage->entries, salvage->entry_count, sizeof(*salvage->entries), by_hash);
	return r;
}

/* Take the carts that the journal has and nothing in the arena mentions. */
static int take_unheard_of(struct pass *pass)
{
	const struct arena *arena = &pass->salvage->arena;
	int r = 0;

	for (uint32_t number = 0; number < arena->max_carts && r == 0; number++) {
		uint64_t hash = witness_slot(pass, number);
		const struct slot *slot = &arena->slots[number];
		/* a slot with another cart, or reserved for one, shows that this cart has ended */
		if (hash == 0 || pass->of_slot[number] != 0 ||
		    (slot->hash != 0 && slot->hash != hash) || is_known(pass, hash, FATE_KEPT) ||
		    is_known(pass, hash, FATE_LOST))
			continue;
		r = deliver_older(pass, hash, 0, 0, number);
		if (r > 0) {
			tell(pass,
			     "slot %u is damaged, and so is what the journal has of it: left out",
			     number);
			pass->totals.damaged++;
			r = 0;
		}
	}
	return r;
}

/* ----------------------------------------------------------------------- all */

static int take_all(struct pass *pass)
{
	struct salvage *salvage = pass->salvage;
	int r = 0;

	for (uint32_t number = 0; number < salvage->arena.max_carts && r == 0; number++)
		r = look_at_slot(pass, number);
	pass->by_slots = salvage->entry_count;
	if (pass->by_slots > 0)
		qsort(salvage->entries, pass->by_slots, sizeof(*salvage->entries), by_hash);
	collect_olds(pass);
	if (r == 0)
		r = search_blocks(pass);
	if (r == 0)
		r = take_orphans(pass);
	for (uint32_t i = 0; i < salvage->entry_count && r == 0; i++)
		if (salvage->entries[i].fate == FATE_LOST && salvage->entries[i].slot != NO_SLOT)
			r = take_lost(pass, &salvage->entries[i]);
	if (r == 0)
		r = take_unheard_of(pass);
	return r == 0 && sigbus_caught() ? -EIO : r; /* zeroes were read in place of the file */
}

int salvage_carts(struct salvage *salvage, const struct salvage_witness *witness,
		  int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		  void (*finding)(void *context, const char *line), void *context,
		  struct salvage_totals *ret_totals)
{
	struct pass pass = { .salvage = salvage,
			     .witness = witness,
			     .take = take,
			     .finding = finding,
			     .context = context };
	int r = -ENOMEM;

	free(salvage->entries);
	salvage->entries = NULL;
	salvage->entry_count = 0;
	pass.second = malloc(CORRAL_CART_MAX);
	pass.olds = malloc(salvage->arena.max_threads * sizeof(*pass.olds));
	pass.of_slot = calloc(salvage->arena.max_carts, 1);
	pass.seen = calloc((salvage->arena.space_end - salvage->arena.space_first) / 64 + 1,
			   sizeof(*pass.seen));
	if (pass.second != NULL && pass.olds != NULL && pass.of_slot != NULL && pass.seen != NULL)
		r = take_all(&pass);
	free(pass.second);
	free(pass.olds);
	free(pass.of_slot);
	free(pass.seen);
	*ret_totals = pass.totals;
	return r;
}

static void raise_floor(struct arena *arena, uint64_t bucket, uint64_t version)
{
	struct bucket *at = &arena->buckets[bucket & arena->bucket_mask];

	if (version <= VERSION_MAX && version > at->version_floor)
		at->version_floor = version;
}

void salvage_floors(const struct salvage *salvage, struct arena *arena)
{
	uint32_t epoch = salvage->arena.header->version_epoch;

	if (epoch <= VERSION_EPOCH_MAX)
		arena->header->version_epoch = epoch;
	if (arena->bucket_mask == salvage->arena.bucket_mask)
		for (uint32_t i = 0; i <= arena->bucket_mask; i++)
			raise_floor(arena, i, salvage->arena.buckets[i].version_floor);
	for (uint32_t i = 0; i < salvage->entry_count; i++) {
		const struct entry *entry = &salvage->entries[i];
		if (entry->fate == FATE_LOST)
			raise_floor(arena, entry->hash, max_u64(entry->newest, entry->best));
	}
}
