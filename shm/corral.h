/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corral.h: the public door of libcorral, the shared-memory cart store.
 *
 * A cart is found by its key (restaurant_id, session_id) and lives in one
 * memory-mapped file that all worker processes of a machine share. Reads are
 * RCU read-side critical sections (no lock, no system call, no waiting);
 * changes are serialized for each cart and published whole.
 *
 * Errors. Every call that can fail returns 0 or a negative errno value from
 * the table below; results go through ret_ parameters, which stay untouched on
 * failure unless the call says otherwise. The library never prints, never
 * exits, never touches a signal (but SIGBUS, if CORRAL_CATCH_SIGBUS asks for it).
 *
 *   -EINVAL           an argument is malformed (empty id, NULL where a value is needed, ...)
 *   -ENAMETOOLONG     an id, an operation id or an attribute is longer than its limit
 *   -EILSEQ           a text is not valid UTF-8, or has a NUL byte in it
 *   -ERANGE           a quantity, price, tax rate or time to live is out of its range
 *   -EOVERFLOW        a sum or product of money does not fit 64 bits: nothing was changed
 *   -EDOM             the total would be below zero, and the cart does not allow it
 *   -E2BIG            the line, the number of lines, tax rates or adjustments, or the cart would
 *                     exceed its limit
 *   -ENOENT           no such cart (never there, dropped, or ended by inactivity)
 *   -ENXIO            the cart has no line of this number, or of this menu item, or no adjustment
 *                     of this name
 *   -EMLINK           several lines of the cart have this menu item: name one by its number
 *   -ENOTEMPTY        the cart has lines or adjustments, so its currency cannot be changed
 *   -ESHUTDOWN        the cart is checked out and refuses changes
 *   -ECANCELED        the cart's version is not the expected one; or the wait was cancelled
 *   -ENOTUNIQ         another change was made under this operation id; this one was not made
 *   -EBUSY            the cart's lock is held by a living process for longer than our patience
 *   -ETIMEDOUT        corral_wait(), corral_sync(): the time is up
 *   -EINTR            corral_wait(), corral_sync(): a signal came
 *   -ENOMEM           the arena is full (or malloc failed, for calls that allocate)
 *   -ENFILE           the arena has its greatest number of carts already
 *   -ENOSPC           the file system is full: the arena cannot reserve more of its file
 *   -EUSERS           all process or thread records are in use by living ones
 *   -EDEADLK          this thread has an open view (corral_wait()): end it, or see
 *                     corral_thread_abandon(); or it is in the middle of another change: the caller
 *                     is a signal handler
 *   -EUCLEAN          the bytes of this cart, or of the arena, are damaged
 *   -EROFS            the handle was opened with CORRAL_READ_ONLY, or the directory is on a
 *                     read-only mount and the handle was to be opened without
 *   -ESTALE           the arena was replaced, truncated or removed, or is from another boot: close
 *                     the handle and open it again; or this thread's open view was revoked: end it
 *                     and read again
 *   -EBADF            the program closed descriptors of this handle that are not its own (or closed
 *                     all there were): close the handle and open it again. What was acknowledged
 *                     stands, and other processes are not disturbed
 *   -ENOLCK           the system has no locks of open files (OFD locks), which tell whether a
 *                     process lives
 *   -EPROTO           the file is no arena, or a truncated or damaged one
 *   -EPROTONOSUPPORT  the arena has another layout version, or the location an unknown scheme
 *   -EOPNOTSUPP       corral_sync(): the agent keeps no journal
 *   -ENOTCONN         corral_sync(): no agent runs
 *   -EXDEV            the directory is on a network file system, or on one in user space that is
 *                     neither known to be local nor allowed (CORRAL_ALLOW_FUSE), or the caller is
 *                     in another time namespace
 *   -EPERM            outsiders (neither owner nor group) may write or replace the directory,
 *                     or use a file in it
 *   -ELOOP            the directory, or a file in it, is a symbolic link
 *   -EHOSTDOWN        carts on other machines: no server takes the call at present; nothing was
 *                     changed. (-ETIMEDOUT of a change there: it may have been made or not.)
 *   -ELIBACC          the module for such a location is missing, or of another version
 *   -EACCES, -EMFILE, -EIO ...   as the system call that failed said
 *
 * Threads. A handle may be used by all threads of a process at once; a view
 * belongs to the thread that began it. Fork. A child may go on using the
 * handle: it attaches as itself on first use; views do not cross fork, and a
 * child of vfork() must not call the library. No call but corral_cancel() is
 * async-signal-safe; none is a cancellation point. More in corral(3), "Threads, fork, signals".
 */
#ifndef CORRAL_H
#define CORRAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define CORRAL_VERSION "0.2.0"

/* Limits. */
#define CORRAL_ID_MAX 128     /* bytes of a restaurant, session or operation id, 1 at least */
#define CORRAL_LINES_MAX 4096 /* lines of a cart */
#define CORRAL_WORDS_MAX (16 * 1024)    /* bytes of one line's words, packed */
#define CORRAL_CART_MAX (1024 * 1024)   /* bytes of one cart, everything counted */
#define CORRAL_QUANTITY_MAX 999999      /* of one line */
#define CORRAL_MODIFIERS_MAX 64         /* of one line */
#define CORRAL_EXTRAS_MAX 64            /* further key/values of one line */
#define CORRAL_ATTRIBUTES_MAX 64        /* of a cart */
#define CORRAL_ATTRIBUTE_NAME_MAX 128   /* bytes */
#define CORRAL_ATTRIBUTE_VALUE_MAX 4096 /* bytes */
#define CORRAL_TAX_PPM_MAX 1000000      /* 100 % in parts per million */
#define CORRAL_RATES_MAX 8              /* tax rates of a cart */
#define CORRAL_ADJUSTMENTS_MAX 16       /* of a cart */
#define CORRAL_ADJUSTMENT_NAME_MAX 64   /* bytes */
#define CORRAL_STEPS_MAX 256            /* of one change */
#define CORRAL_OPS_KEPT 64              /* operation ids that each cart remembers */
#define CORRAL_LABEL_MAX 39             /* bytes of a process's label */
#define CORRAL_STATS_MAX 128            /* rows of corral_stats() */
#define CORRAL_TTL_MS_MIN 100           /* the shortest time to live, in milliseconds */
#define CORRAL_TTL_MS_MAX (366ull * 24 * 3600 * 1000)

struct corral; /* a handle: one attached arena */

/* A text: bytes and length, not NUL-terminated; {NULL, 0} is the empty text. */
struct corral_text {
	const char *data;
	size_t size;
};

/* The text of a C string (NULL gives the empty text). */
struct corral_text corral_text(const char *string);

/* Which cart. Both ids: 1 to CORRAL_ID_MAX bytes of UTF-8. */
struct corral_key {
	struct corral_text restaurant_id;
	struct corral_text session_id;
};

struct corral_modifier {
	struct corral_text name;
	int64_t price_cents; /* for one unit of the line; may be negative */
};

/* A further key of a line, kept as it came. */
struct corral_extra {
	struct corral_text key;
	const void *value; /* one MessagePack object, whole */
	size_t value_size; /* in bytes */
};

/* An item as it is added, and as it is read back. */
struct corral_item {
	struct corral_text menu_item_id; /* not empty */
	struct corral_text name;
	struct corral_text notes;
	int64_t unit_price_cents; /* 0 or more */
	uint32_t quantity;        /* 1 to CORRAL_QUANTITY_MAX */
	uint32_t modifier_count;
	uint32_t extra_count;
	uint32_t separate; /* 1: always a line of its own, never merged; else 0 */
	const struct corral_modifier *modifiers;
	const struct corral_extra *extras;
	uint32_t own_rate; /* 1: the line is taxed at tax_ppm; 0: at the cart's rate */
	uint32_t tax_ppm;
};

/* How a cart's prices are meant; several of these. 0: tax is added to them. */
#define CORRAL_TAX_INSIDE 1u /* prices have the tax in them */
#define CORRAL_HALF_EVEN 2u  /* half a cent is rounded to the even one, else away from zero */
#define CORRAL_BELOW_ZERO 4u /* the total may be below zero */

enum corral_adjustment_kind {
	CORRAL_DISCOUNT = 1, /* is subtracted; the others are added */
	CORRAL_FEE,
	CORRAL_TIP,
	CORRAL_SERVICE,
};

/*
 * What is added to an order, or taken off it, besides its lines. Its name: 1 to
 * CORRAL_ADJUSTMENT_NAME_MAX bytes; a cart has one adjustment of a name.
 */
struct corral_adjustment {
	struct corral_text name;
	uint32_t kind;        /* enum corral_adjustment_kind */
	uint32_t after_tax;   /* 1: it is not taxed; 0: it is part of what is taxed */
	uint32_t ppm;         /* parts per million of the subtotal, up to CORRAL_TAX_PPM_MAX */
	uint32_t reserved;    /* 0 */
	int64_t cents;        /* the amount, 0 or more, if ppm is 0; else 0 */
	int64_t amount_cents; /* out: what it adds to the total, negative for a discount */
};

/* What is taxed at one rate. Each rate's tax is rounded once. */
struct corral_rate {
	uint32_t tax_ppm;
	uint32_t reserved;
	int64_t base_cents; /* without the tax */
	int64_t tax_cents;
};

enum corral_status { CORRAL_OPEN = 0, CORRAL_CHECKED_OUT = 1 };

struct corral_content;

/* What may go with every change; NULL: nothing of it. */
struct corral_op {
	/*
	 * Operation id, empty for none; one for each change of a cart. Each cart remembers its last
	 * CORRAL_OPS_KEPT ids, and what was changed under them: the same change with a remembered
	 * id changes nothing and answers what it answered the first time (applied = 0); another
	 * change is refused with -ENOTUNIQ. Ids end with their cart.
	 */
	struct corral_text id;
	/* Change only if the cart's version is this one, else -ECANCELED; 0: any. */
	uint64_t if_version;
	/*
	 * NULL, or what the whole cart is to be handed out to: as the change leaves it (of a
	 * repeat: as it is now; of a drop: its last version), and as the change found it, with
	 * the lines that it removed or set as they were.
	 */
	struct corral_content *now;
	struct corral_content *before;
	uint32_t flags;       /* 0, or several of CORRAL_OP_... */
	uint32_t patience_ms; /* with CORRAL_OP_PATIENCE, up to one hour */
};

/*
 * The call waits for patience_ms in all, for locks and for the disk together, in place of the
 * handle's patience. 0: it answers -EBUSY rather than wait.
 */
#define CORRAL_OP_PATIENCE 1u
/* Under `corral-agent --journal sync`, do not wait for the disk: durable is 0, and sync_error. */
#define CORRAL_OP_NO_DISK 2u

/*
 * The answer of a change. Money in cents: of a cart with a currency, in its minor units.
 *
 * The sums hold exactly: total = base and tax of all rates + after_tax; tax = that of all rates;
 * base of all rates = subtotal + before_tax, less the tax if the prices have it inside.
 */
struct corral_result {
	uint64_t version; /* of the cart after the change; only ever grows for one key */
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t item_count; /* the sum of the lines' quantities */
	uint32_t line;       /* number of the line added to, set or removed; else 0 */
	uint8_t applied;     /* 1: by this call; 0: an earlier call with this operation id had */
	uint8_t status;      /* enum corral_status */
	uint8_t durable;     /* 1: it is on disk (corral-agent --journal sync); 0: not known,
				corral_sync() waits for it */
	uint8_t reserved;
	int32_t sync_error; /* -errno: it should be on disk, and why that is not known; else 0. See
			       "Change" */
	uint32_t step;      /* where corral_apply() failed: the step that was refused; else 0 */
	uint32_t rate_count;
	/*
	 * rate_count and what follows: of a repeat as the first time, if nothing has changed the
	 * cart since; else 0, since the cart does not remember them with an operation.
	 */
	int64_t before_tax_cents; /* the sum of the adjustments before tax */
	int64_t after_tax_cents;  /* and of those after tax */
	/* by rate, the lowest first: rate_count of them, the others are not set */
	struct corral_rate rates[CORRAL_RATES_MAX];
};

/* A cart's numbers. Times in milliseconds since 1970, UTC. */
struct corral_head {
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t tax_ppm;
	uint32_t item_count;
	uint32_t line_count;
	uint32_t status; /* enum corral_status */
	uint64_t ttl_ms; /* the cart's own time to live; 0: it has the arena's default */
	int64_t created_ms;
	int64_t updated_ms;
	uint64_t effective_ttl_ms; /* the one that holds: its own, else the arena's default */
	char currency[4];          /* an ISO 4217 code; "": none was said */
	uint32_t currency_digits;  /* of its minor units, as 2 for 12.99; without a currency 2 */
	uint32_t pricing;          /* several of CORRAL_TAX_INSIDE ... */
	uint32_t adjustment_count;
	int64_t before_tax_cents; /* as in struct corral_result, as are the rates */
	int64_t after_tax_cents;
	uint32_t rate_count;
	uint32_t reserved;
	struct corral_rate rates[CORRAL_RATES_MAX];
};

/* One line of a cart. words: a MessagePack map, see corral(7). */
struct corral_line {
	uint32_t line; /* its number, stable for the life of the cart */
	uint32_t quantity;
	int64_t unit_price_cents;
	int64_t modifiers_cents; /* the sum of the modifiers' prices, for one unit */
	int64_t total_cents;     /* quantity * (unit price + modifiers) */
	const void *words;       /* points into the view */
	size_t words_size;
	uint32_t own_rate; /* as in struct corral_item */
	uint32_t tax_ppm;
};

struct corral_attribute {
	struct corral_text name;
	struct corral_text value;
};

/* ------------------------------------------------------------------ */
/* Attach                                                             */

#define CORRAL_READ_ONLY 1u /* refuse changes with -EROFS; works on a read-only mount, too */
#define CORRAL_OBSERVE 2u   /* reads do not count as activity (for tools); of one read, too */
#define CORRAL_START_AGENT                                                                         \
	4u /* start corral-agent --daemon if none runs, and wait until it is ready */
/*
 * Catch SIGBUS: if the arena's file is truncated under us, or its disk fails, calls answer -ESTALE,
 * and a change that does may have been applied or not; without this flag the process dies at its
 * next access. The handler serves all handles of the process and passes other faults on; do not
 * block the signal (-EINVAL where it is blocked), or set another handler that does not call the
 * former one, while such a handle is open. See corral(3).
 */
#define CORRAL_CATCH_SIGBUS 8u

/*
 * Attach to the arena at a location: a directory (or "dir:" and a directory), or carts on other
 * machines ("redis+cluster://..." and its kin, with differences: corral-redis(7)).
 * NULL means $CORRAL_DIR, else /var/lib/corral for root and
 * $XDG_STATE_HOME/corral (default ~/.local/state/corral) for others.
 * An agent need not run, but one must have created the arena once.
 *
 * ret_corral: the handle; the caller owns it and gives it back with
 * corral_close(). Errors: see the table above; corral_why() has the details.
 * Thread-safe. A process may hold several handles; those of one arena share one attachment, which
 * goes with the last of them.
 */
int corral_open(const char *location, unsigned flags, struct corral **ret_corral);

/*
 * The same under a label from the first moment on, see corral_set_label(): this process is never
 * shown by its program's name. Where the process has a handle on this arena already, its label is
 * replaced. On a read-only mount no process is registered, and the label is not shown. Also
 * -EINVAL, -ENAMETOOLONG, -EILSEQ: the label.
 */
int corral_open_as(const char *location, unsigned flags, struct corral_text label,
		   struct corral **ret_corral);

/*
 * Detach. No other thread may be in a call on the handle, and no view of it
 * open. NULL is fine. Every change that was acknowledged stays.
 */
void corral_close(struct corral *corral);

/*
 * A sentence that says why corral_open() last failed in this thread, and what to
 * do; "" if it did not. Valid until this thread's next corral_open().
 */
const char *corral_why(void);

/*
 * How long a change waits in all for locks that living processes hold, such as the cart's, before
 * it gives up with -EBUSY. In milliseconds, 1000 at first. -ERANGE above one
 * hour. Applies to all threads of the handle. Under `corral-agent --journal sync` also how long a
 * change waits for the disk, but not less than 1000.
 */
int corral_set_patience(struct corral *corral, uint32_t patience_ms);

/*
 * Name this process in the arena: `corral status` and `inspect`, the agent's log and the list of
 * deaths show the label instead of the program's name, which of many workers is "node" or "python".
 * 1 to CORRAL_LABEL_MAX bytes of UTF-8, copied; a later one replaces it. All handles of the process
 * on this arena share it, and a forked child has it, too, until it sets its own. -EINVAL,
 * -ENAMETOOLONG, -EILSEQ; -EROFS on a read-only mount, where no process is registered.
 */
int corral_set_label(struct corral *corral, struct corral_text label);

/*
 * Give the calling thread's record back before the thread ends (at its end that
 * happens by itself). -EBUSY if this thread has an open view.
 */
int corral_leave_thread(struct corral *corral);

/*
 * Void all views that the calling thread has begun on the handle and not ended, as if it had died,
 * and take part anew with its next call. Not to be used afterwards: those views, and what points
 * into them; corral_read_end() of one of them answers -EINVAL and changes nothing. For threads that
 * are used again by others (pools, coroutines, Go), after an error that has skipped
 * corral_read_end(). How many views there were; -EDEADLK from a signal handler in the middle of a
 * change.
 */
int corral_thread_abandon(struct corral *corral);

/* ------------------------------------------------------------------ */
/* Read                                                               */

/*
 * A cart as it was at one moment. Everything it shows stays unchanged and
 * readable until corral_read_end(), also while other processes change the cart; unless the view
 * lasts so long that the arena runs out of memory: then it is revoked, and corral_read_end() says
 * so. The version is that of the cart; treat the other members as private.
 */
struct corral_view {
	uint64_t version;
	const void *bytes;
	size_t size;
	struct corral *corral;
	int64_t deadline_ns;
	void *thread;
	union {
		uint64_t epoch;
		uint64_t usual_ttl_ms; /* if corral is NULL */
	} of;
};

/*
 * Begin to read a cart, zero copy: a read-side critical section, which may be
 * nested, on one or on several carts. Keep it short: while it lasts, memory that
 * others retire cannot be used again. Counts as activity of the cart unless the
 * handle was opened with CORRAL_OBSERVE. Never waits; makes no system call (but
 * the first call of a thread registers it, which does).
 * Errors: -ENOENT, -EINVAL, -ENAMETOOLONG, -EUCLEAN, -EUSERS, -ESTALE.
 */
int corral_read_begin(struct corral *corral, const struct corral_key *key,
		      struct corral_view *ret_view);

/* The same; flags: 0, or CORRAL_OBSERVE: this read does not count as activity. -EINVAL: others. */
int corral_read_begin_with(struct corral *corral, const struct corral_key *key, unsigned flags,
			   struct corral_view *ret_view);

/*
 * End the read, in the thread that began it; the view and all that points into it are void.
 * -ESTALE: the view was revoked, since it lasted while the arena ran out of memory: what was read
 * from it may be anything (within its bytes), so discard it and read again. Views nested in one
 * another are revoked together, and until the outermost is ended, other calls of the thread answer
 * -ESTALE too.
 */
int corral_read_end(struct corral_view *view);

/*
 * Copy a cart into buffer (size bytes) and make a view of the copy, which lives as
 * long as the buffer and needs no corral_read_end(). -ENOBUFS if the cart is
 * larger: then *ret_size says how many bytes it needs; else how many were used.
 * CORRAL_CART_MAX always suffices. Other errors as corral_read_begin().
 */
int corral_read_copy(struct corral *corral, const struct corral_key *key, void *buffer, size_t size,
		     size_t *ret_size, struct corral_view *ret_view);

/*
 * Verify all checksums of a view, or of a copy: 0, or -EUCLEAN if a single bit of the cart is not
 * as it was written. -ESTALE: the view was revoked meanwhile, see corral_read_end(). Takes some
 * nanoseconds for each line and each remembered operation. corral_get() does this by itself; the
 * calls below do not.
 */
int corral_view_verify(const struct corral_view *view);

/*
 * Read the parts of a view. Texts and words point into the view's bytes and live as long as it
 * does. corral_view_line(), _attribute() and _adjustment() take an index from 0; -ENXIO past the
 * end. Line lookups take constant time, the others linear. Safe on damaged bytes: never a read
 * outside the view. They check what they follow (-EUCLEAN), no checksums: a number that damage has
 * changed is handed out as it stands, unless corral_view_verify() was asked first. corral(3) says
 * what each one checks.
 */
int corral_view_head(const struct corral_view *view, struct corral_head *ret_head);
int corral_view_key(const struct corral_view *view, struct corral_key *ret_key);
int corral_view_line(const struct corral_view *view, uint32_t index, struct corral_line *ret_line);
int corral_view_attribute(const struct corral_view *view, uint32_t index,
			  struct corral_attribute *ret_attribute);
int corral_view_adjustment(const struct corral_view *view, uint32_t index,
			   struct corral_adjustment *ret_adjustment);

/* When the cart will end if it has no further activity; milliseconds since 1970. */
int64_t corral_view_expires_ms(const struct corral_view *view);

/*
 * The words of a line as an item. *ret_item comes from one malloc() and is given
 * back with corral_item_free(); its texts point into the view. -EUCLEAN, -ENOMEM, -ENXIO.
 */
int corral_view_item(const struct corral_view *view, uint32_t index, struct corral_item **ret_item);
void corral_item_free(struct corral_item *item);

/* A whole cart, decoded: what corral_get() returns and corral_replace() takes. */
struct corral_cart_line {
	uint32_t line; /* in: 0 gives the line a new number */
	uint32_t reserved;
	int64_t total_cents; /* in: ignored */
	struct corral_item item;
};

struct corral_cart {
	struct corral_key key;   /* in: ignored */
	struct corral_head head; /* in: tax_ppm, pricing and currency count */
	int64_t expires_ms;      /* in: ignored */
	uint32_t line_count;
	uint32_t attribute_count;
	struct corral_cart_line *lines;
	struct corral_attribute *attributes;
	struct corral_adjustment *adjustments;
	uint32_t adjustment_count;
	uint32_t reserved;
};

/*
 * Copy a cart, verify the copy (as corral_view_verify()) and decode it. *ret_cart is one malloc()
 * that holds all of it, given back with corral_cart_free(). The fields may be changed and the whole
 * be handed to corral_replace(). Errors as corral_read_begin(), -ENOMEM.
 */
int corral_get(struct corral *corral, const struct corral_key *key, struct corral_cart **ret_cart);
void corral_cart_free(struct corral_cart *cart);

/*
 * The same of a view, or of a copy: *ret_cart has bytes of its own, and outlives it. -EUCLEAN,
 * -ENOMEM; -ESTALE as corral_view_verify().
 */
int corral_view_cart(const struct corral_view *view, struct corral_cart **ret_cart);

/*
 * A whole cart as one array of numbers and one run of text, for a binding that makes objects of its
 * own language of it: one call and two buffers, instead of a call for each field.
 *
 * The numbers are doubles, which hold all integers up to 2^53 exactly: all that a cart has but
 * amounts of money beyond that, which are rounded to the nearest double and counted in
 * CORRAL_FLAT_INEXACT. A reader for whom that is not 0 takes the amounts from a view.
 *
 * numbers begins with the head, at the places that enum corral_flat_head names. Records follow:
 * where they begin, how many there are, and how many numbers one of them has stands in the head, or
 * in the line that they belong to. The enums below name a record's columns. A later library may add
 * numbers at the end of the head and of each kind of record, and kinds of records; that does not
 * change CORRAL_FLAT_LAYOUT. A reader that takes places and strides from the numbers can therefore
 * read what it knows of, and skips the rest.
 *
 * text has all texts, one after another. A text is given by where it begins and by its size, in the
 * unit that was asked for. Behind the last text come the values of extras, MessagePack objects, in
 * bytes counted from the end of the text.
 */
#define CORRAL_FLAT_LAYOUT_NOW 1u

/* The unit of places and sizes in the text. */
#define CORRAL_FLAT_BYTES 0u
#define CORRAL_FLAT_UTF16 1u       /* code units of UTF-16: strings of JavaScript, Java, C# */
#define CORRAL_FLAT_CODE_POINTS 2u /* strings of Python */

struct corral_flat {
	double *numbers;    /* in: where they go; may be NULL if number_room is 0 */
	size_t number_room; /* in: how many fit */
	char *text;
	size_t text_room;    /* in: in bytes */
	uint32_t unit;       /* in: CORRAL_FLAT_BYTES or another of these */
	uint32_t flags;      /* in: of corral_read_flat(): 0, or CORRAL_OBSERVE: see there */
	size_t number_count; /* out, also with -ENOBUFS: what it has */
	size_t text_size;    /* in bytes */
	size_t values_size;  /* in bytes; they stand at text + text_size */
};

/* Places in numbers. _AT and _SIZE of a text: see above; of records: their place in numbers. */
enum corral_flat_head {
	CORRAL_FLAT_LAYOUT,     /* CORRAL_FLAT_LAYOUT_NOW */
	CORRAL_FLAT_HEAD_COUNT, /* how many numbers the head has */
	CORRAL_FLAT_INEXACT,    /* how many numbers had to be rounded */
	CORRAL_FLAT_VERSION,
	CORRAL_FLAT_STATUS, /* enum corral_status */
	CORRAL_FLAT_SUBTOTAL_CENTS,
	CORRAL_FLAT_TAX_CENTS,
	CORRAL_FLAT_TOTAL_CENTS,
	CORRAL_FLAT_TAX_PPM,
	CORRAL_FLAT_ITEM_COUNT,
	CORRAL_FLAT_TTL_MS, /* the cart's own; 0: none */
	CORRAL_FLAT_EFFECTIVE_TTL_MS,
	CORRAL_FLAT_CREATED_MS,
	CORRAL_FLAT_UPDATED_MS,
	CORRAL_FLAT_EXPIRES_MS,
	CORRAL_FLAT_RESTAURANT_AT,
	CORRAL_FLAT_RESTAURANT_SIZE,
	CORRAL_FLAT_SESSION_AT,
	CORRAL_FLAT_SESSION_SIZE,
	CORRAL_FLAT_LINES_AT,
	CORRAL_FLAT_LINE_COUNT,
	CORRAL_FLAT_LINE_STRIDE,
	CORRAL_FLAT_ATTRIBUTES_AT,
	CORRAL_FLAT_ATTRIBUTE_COUNT,
	CORRAL_FLAT_ATTRIBUTE_STRIDE,
	CORRAL_FLAT_MODIFIER_STRIDE,
	CORRAL_FLAT_EXTRA_STRIDE,
	CORRAL_FLAT_PRICING,     /* several of CORRAL_TAX_INSIDE ... */
	CORRAL_FLAT_CURRENCY_AT, /* of size 0: none was said */
	CORRAL_FLAT_CURRENCY_SIZE,
	CORRAL_FLAT_CURRENCY_DIGITS,
	CORRAL_FLAT_BEFORE_TAX_CENTS,
	CORRAL_FLAT_AFTER_TAX_CENTS,
	CORRAL_FLAT_RATES_AT,
	CORRAL_FLAT_RATE_COUNT,
	CORRAL_FLAT_RATE_STRIDE,
	CORRAL_FLAT_ADJUSTMENTS_AT,
	CORRAL_FLAT_ADJUSTMENT_COUNT,
	CORRAL_FLAT_ADJUSTMENT_STRIDE,
	CORRAL_FLAT_HEAD_NOW /* how many this header knows of */
};

enum corral_flat_line {
	CORRAL_FLAT_LINE_NUMBER,
	CORRAL_FLAT_LINE_QUANTITY,
	CORRAL_FLAT_LINE_UNIT_PRICE_CENTS,
	CORRAL_FLAT_LINE_MODIFIERS_CENTS, /* for one unit */
	CORRAL_FLAT_LINE_TOTAL_CENTS,
	CORRAL_FLAT_LINE_SEPARATE, /* 0 or 1 */
	CORRAL_FLAT_LINE_MENU_ITEM_AT,
	CORRAL_FLAT_LINE_MENU_ITEM_SIZE,
	CORRAL_FLAT_LINE_NAME_AT,
	CORRAL_FLAT_LINE_NAME_SIZE,
	CORRAL_FLAT_LINE_NOTES_AT,
	CORRAL_FLAT_LINE_NOTES_SIZE,
	CORRAL_FLAT_LINE_MODIFIERS_AT,
	CORRAL_FLAT_LINE_MODIFIER_COUNT,
	CORRAL_FLAT_LINE_EXTRAS_AT,
	CORRAL_FLAT_LINE_EXTRA_COUNT,
	CORRAL_FLAT_LINE_OWN_RATE, /* 0 or 1 */
	CORRAL_FLAT_LINE_TAX_PPM,
	CORRAL_FLAT_LINE_NOW
};

enum corral_flat_rate {
	CORRAL_FLAT_RATE_TAX_PPM,
	CORRAL_FLAT_RATE_BASE_CENTS,
	CORRAL_FLAT_RATE_TAX_CENTS,
	CORRAL_FLAT_RATE_NOW
};

enum corral_flat_adjustment {
	CORRAL_FLAT_ADJUSTMENT_NAME_AT,
	CORRAL_FLAT_ADJUSTMENT_NAME_SIZE,
	CORRAL_FLAT_ADJUSTMENT_KIND, /* enum corral_adjustment_kind */
	CORRAL_FLAT_ADJUSTMENT_AFTER_TAX,
	CORRAL_FLAT_ADJUSTMENT_PPM,
	CORRAL_FLAT_ADJUSTMENT_CENTS,
	CORRAL_FLAT_ADJUSTMENT_AMOUNT_CENTS,
	CORRAL_FLAT_ADJUSTMENT_NOW
};

enum corral_flat_modifier {
	CORRAL_FLAT_MODIFIER_NAME_AT,
	CORRAL_FLAT_MODIFIER_NAME_SIZE,
	CORRAL_FLAT_MODIFIER_PRICE_CENTS,
	CORRAL_FLAT_MODIFIER_NOW
};

enum corral_flat_extra {
	CORRAL_FLAT_EXTRA_KEY_AT,
	CORRAL_FLAT_EXTRA_KEY_SIZE,
	CORRAL_FLAT_EXTRA_VALUE_AT, /* in bytes, from the end of the text */
	CORRAL_FLAT_EXTRA_VALUE_SIZE,
	CORRAL_FLAT_EXTRA_NOW
};

enum corral_flat_attribute {
	CORRAL_FLAT_ATTRIBUTE_NAME_AT,
	CORRAL_FLAT_ATTRIBUTE_NAME_SIZE,
	CORRAL_FLAT_ATTRIBUTE_VALUE_AT,
	CORRAL_FLAT_ATTRIBUTE_VALUE_SIZE,
	CORRAL_FLAT_ATTRIBUTE_NOW
};

/*
 * Read a cart, verify it (as corral_view_verify()) and write it flat into the caller's buffers.
 * flat->flags: as corral_read_begin_with(). -ENOBUFS: one of them is too small; number_count,
 * text_size and values_size say what is needed (text_room: the sum of both sizes), and the buffers
 * may hold anything. -EINVAL: an unknown unit or flag. Other errors as corral_read_copy().
 */
int corral_read_flat(struct corral *corral, const struct corral_key *key, struct corral_flat *flat);

/* The same of a view, which may be that of a copy. Like the other calls on views it checks what it
 * follows, and verifies no checksum. -ENOBUFS, -EINVAL, -EUCLEAN.
 */
int corral_view_flat(const struct corral_view *view, struct corral_flat *flat);

/*
 * A version of a cart, whole, with the answer of a change: one that no other change has come
 * between. A change that returns 0 fills in `need` and what follows; one that fails hands out
 * nothing. The change stands, also if `error` is not 0.
 */
struct corral_content {
	void *buffer;    /* in: NULL, or where to copy it, as corral_read_copy() does */
	size_t size;     /* in: of buffer, in bytes. CORRAL_CART_MAX always suffices */
	uint32_t decode; /* in: 1: decode it, too, as corral_get() does */
	/*
	 * 0; -ENOENT: there was no cart before, or the change was made by an earlier call;
	 * -ENOBUFS: a buffer is too small; -ENOMEM; -EUCLEAN; -EINVAL: an unknown unit of `flat`;
	 * -ESTALE: it took so long that the arena ran out of memory: read the cart. Of an error
	 * neither view nor cart are set, and the buffers may hold anything.
	 */
	int32_t error;
	struct corral_flat *flat; /* in: NULL, or write it flat, too, as corral_read_flat() does */
	size_t need;              /* bytes of the version */
	struct corral_view view;  /* of the copy; it lives as long as the buffer */
	struct corral_cart *cart; /* NULL, or to be given back with corral_cart_free() */
};

/* One row of a list: a copy. */
struct corral_entry {
	char restaurant_id[CORRAL_ID_MAX + 1]; /* NUL-terminated */
	char session_id[CORRAL_ID_MAX + 1];
	struct corral_head head;
	int64_t expires_ms;
};

/*
 * List the carts, of one restaurant or (restaurant_id NULL) of all. A list is memory of this
 * process: it holds nothing in the arena, and what a process leaves open when it dies is gone with
 * it. It is for one thread at a time, and is used before its handle is closed.
 * -EINVAL, -ENAMETOOLONG, -ENOMEM.
 */
struct corral_list;
int corral_list_open(struct corral *corral, const struct corral_text *restaurant_id,
		     struct corral_list **ret_list);

/*
 * The next carts, at most max. *ret_count = 0 says that the list is done. A cart that exists all
 * the while comes exactly once; one that is made or ends meanwhile may come or not. Order: none.
 * Does not count as activity. After an error the list stands where it stood, and the call may be
 * repeated. -EBUSY: other processes were in the way again and again. Other errors as
 * corral_read_begin().
 */
int corral_list_next(struct corral_list *list, struct corral_entry *ret_entries, size_t max,
		     size_t *ret_count);

/* Give a list back, also after its handle was closed. NULL is fine. */
void corral_list_close(struct corral_list *list);

/*
 * Wait until the cart's version is greater than past_version, at most timeout_ms
 * milliseconds (-1: for ever). *ret_version: the version found. With past_version
 * 0 it also waits for a cart that is not there yet. -ETIMEDOUT; -ENOENT if the cart is
 * not there (past_version > 0), also when it ends while we wait; -EINTR when a
 * signal came; -ECANCELED: see corral_cancel(). Does not count as activity.
 */
int corral_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		int timeout_ms, uint32_t *cancel, uint64_t *ret_version);

/*
 * Wait until everything that was acknowledged to this process before the call is on disk, in the
 * agent's journal, at most timeout_ms milliseconds (-1: for ever). Many callers share one sync.
 * -ETIMEDOUT, -ECANCELED, -EINTR: it is not known to be on disk, but the journal goes on writing
 * it. -EOPNOTSUPP: the agent keeps no journal; -ENOTCONN: no agent runs (the next one will write
 * the changes); -EIO, -ENOSPC ...: the journal cannot be written, the error as the disk gave it:
 * what was acknowledged is in the arena, but would not outlive a power loss.
 */
int corral_sync(struct corral *corral, int timeout_ms, uint32_t *cancel);

/*
 * End the waits of other threads, in corral_wait(), corral_wait_any() and corral_sync(), that were
 * given this word: they return -ECANCELED, at once where the kernel has futex_waitv (Linux 5.16)
 * and allows it, else within 100 ms. The word is the caller's: 0 at first; this call sets it to 1
 * and wakes those that sleep, and it ends all waits that are given it until the caller sets it to 0
 * again. Where there is something to report, such as a new version, a wait reports that. The word
 * must live until the waits have returned. NULL, given to a wait: it cannot be cancelled. May be
 * called from a signal handler.
 */
void corral_cancel(uint32_t *cancel);

struct corral_feed; /* see "The feed" */

/* One of several things that a thread waits for. */
struct corral_awaited {
	struct corral *corral;
	struct corral_key key; /* of a cart; both ids empty: wait for the disk, as corral_sync() */
	/*
	 * Or a feed, until corral_feed_next() has something at once; NULL: none. Nothing else uses
	 * it meanwhile, and it may go on behind events that its filter does not want
	 */
	struct corral_feed *feed;
	uint64_t past_version; /* as of corral_wait() */
	uint64_t version;      /* out: the cart's, once it is decided */
	uint64_t ticket;       /* in: 0 before the first call; then the library's */
	int32_t result;        /* in: -EAGAIN; out: -EAGAIN as long as it is not decided, then what
				  corral_wait(), corral_sync() or corral_feed_next() would return */
	uint32_t reserved;
};

/*
 * Wait until at least one of them is decided, at most timeout_ms milliseconds (-1: for ever), for a
 * host that cannot give a thread to each of its waits. Those that are decided already do not count.
 * A change is noticed at once for the first 127, for the others within a tenth of a second. 0;
 * -ETIMEDOUT; -EINTR; -ECANCELED: see corral_cancel().
 */
int corral_wait_any(struct corral_awaited *const *awaited, uint32_t count, int timeout_ms,
		    uint32_t *cancel);

/* ------------------------------------------------------------------ */
/* The feed                                                           */

/*
 * Each change of a cart is one event, and so is each end; all of them have numbers, in the order in
 * which they are read, and the events of one cart stand in the order of its versions. No reader
 * holds a writer up: a reader that is too slow is told which numbers it missed. See corral(7).
 */
enum corral_event_kind {
	CORRAL_EVENT_CHANGED = 1, /* a change, of one step or of several; also a new cart's first */
	CORRAL_EVENT_CHECKED_OUT = 2, /* the change that checked the cart out */
	CORRAL_EVENT_DROPPED = 4,     /* the cart was dropped; as it was at last */
	CORRAL_EVENT_EXPIRED = 8,     /* its time was up; as it was at last */
	CORRAL_EVENT_GAP = 16,        /* events were missed */
};

/* What else a step may be: the only one of its change, a whole cart. */
#define CORRAL_STEP_REPLACE 100u /* corral_replace() */
#define CORRAL_STEP_RESTORE 101u /* from a snapshot, or from a journal */

#define CORRAL_EVENT_STEPS 8 /* a change with more has its first ones in its event */

struct corral_event_step {
	uint32_t kind;  /* enum corral_step_kind, CORRAL_STEP_REPLACE or CORRAL_STEP_RESTORE */
	uint32_t line;  /* the number of the line that it added to, set or removed; else 0 */
	int64_t amount; /* quantity, difference, tax_ppm, ttl_ms, or an adjustment's cents or ppm */
};

struct corral_event {
	uint64_t number;
	uint32_t kind; /* enum corral_event_kind */
	/*
	 * A gap: the events with the numbers `from` to `to` were not read, of which `missed` had
	 * been; from and to its own number: so many events were lost before they had numbers. 0:
	 * it is not known how many; after a recovery, numbers begin anew with greater ones. What
	 * follows is not set but for the time: list the carts, and go on.
	 */
	uint32_t status; /* of the cart after it: enum corral_status */
	uint64_t from;
	uint64_t to;
	uint64_t missed;
	int64_t time_ms;  /* since 1970, UTC */
	uint64_t version; /* of the cart after it */
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t item_count;
	uint32_t line_count;
	uint32_t currency_digits; /* as in struct corral_head */
	int32_t pid;              /* of the process that did it, as that sees it */
	uint32_t step_count;      /* of the change; the first ones are in steps */
	uint32_t steps_told;
	uint32_t content; /* 1: an end, whose last version corral_feed_cart() shows */
	char currency[4];
	char label[CORRAL_LABEL_MAX + 1]; /* of the process, or its program's name; "": unknown */
	char restaurant_id[CORRAL_ID_MAX + 1];
	char session_id[CORRAL_ID_MAX + 1];
	char op_id[CORRAL_ID_MAX + 1]; /* the operation id; "": there was none */
	struct corral_event_step steps[CORRAL_EVENT_STEPS];
};

/* Which events are wanted; NULL, or 0, for all. A gap is always told. */
struct corral_feed_filter {
	const struct corral_text *restaurant_id;
	const struct corral_text *session_id;
	uint32_t kinds; /* several of CORRAL_EVENT_... */
};

#define CORRAL_FEED_OLDEST 0u      /* from the oldest event there is */
#define CORRAL_FEED_NOW UINT64_MAX /* what happens from now on */

/*
 * Begin to read the feed, from an event's number on: that of the last event read, plus one, goes on
 * behind it. Between two calls a feed holds nothing that others wait for. The caller owns it and
 * closes it, before the handle. -EINVAL, -ENAMETOOLONG, -ENOMEM; -EOPNOTSUPP: at this location
 * there are no events.
 */
int corral_feed_open(struct corral *corral, uint64_t from, const struct corral_feed_filter *filter,
		     struct corral_feed **ret_feed);

/*
 * The next events, at most `max`. Waits until there is one, for timeout_ms (negative: without
 * limit; 0: not at all), and returns what there is. 0 and *ret_count > 0; -ETIMEDOUT;
 * -ECANCELED, as corral_cancel() says; -EOPNOTSUPP: corral-agent --feed off; -EINTR, -EUSERS,
 * -ESTALE. One thread at a time.
 */
int corral_feed_next(struct corral_feed *feed, struct corral_event *ret_events, size_t max,
		     int timeout_ms, uint32_t *cancel, size_t *ret_count);

/*
 * The last version of the cart that ended with this event, for as long as it is kept: for a day, or
 * until the ends take more than a 32nd of the arena. The view is one of a copy, as that
 * of corral_read_copy(), and is void with the next call of this function, and when the feed is
 * closed.
 * -ENOENT: there is no such end, or there was no memory for its last version; -ESTALE: it is no
 * longer kept; -EUCLEAN, -ENOMEM.
 */
int corral_feed_cart(struct corral_feed *feed, uint64_t number, struct corral_view *ret_view);

/*
 * A named cursor keeps how far a reader has got, in the arena, and on disk where a journal is kept.
 * Events that were not acknowledged are told again, also after a restart: the reader acts once for
 * each key and version. Ends of carts are kept until all cursors have acknowledged them, within
 * bounds: see corral_feed_cart().
 */
#define CORRAL_CURSORS 16u
#define CORRAL_CURSOR_MAX 31u /* bytes of its name: letters, digits, and . _ - */

/*
 * Begin to read where the cursor of that name has got to. If there is none, it is made, and begins
 * now. -EINVAL: the name; -ENOSPC: there are CORRAL_CURSORS already; -EROFS; -EBUSY; others as
 * corral_feed_open().
 */
int corral_feed_open_cursor(struct corral *corral, struct corral_text name,
			    const struct corral_feed_filter *filter, struct corral_feed **ret_feed);

/*
 * The events up to this number, which may be a gap's, are done with: they are not told again. Takes
 * no lock. -EINVAL: the feed is no cursor's, or there is no such event yet; -ENOENT: the cursor was
 * removed; -EROFS, -ESTALE.
 */
int corral_feed_ack(struct corral_feed *feed, uint64_t number);

struct corral_cursor {
	char name[CORRAL_CURSOR_MAX + 1];
	uint64_t next;    /* the number of the first event that it has not acknowledged */
	uint64_t lag;     /* about how many events it has not acknowledged */
	uint64_t ends;    /* and how many ends, of those that are kept */
	int64_t acked_ms; /* when it acknowledged one last, or was made; since 1970 */
};

/* The cursors there are, at most max of them. -EOPNOTSUPP, -ESTALE. */
int corral_cursors(struct corral *corral, struct corral_cursor *ret_cursors, size_t max,
		   size_t *ret_count);

/* -ENOENT: there is none of that name; -EINVAL, -EROFS, -EBUSY, -EOPNOTSUPP, -ESTALE. */
int corral_cursor_remove(struct corral *corral, struct corral_text name);

/* The number from which corral_feed_next() goes on: behind what it has gone through. */
uint64_t corral_feed_position(const struct corral_feed *feed);

void corral_feed_close(struct corral_feed *feed);

/* ------------------------------------------------------------------ */
/* Change                                                             */
/*
 * All of these: op may be NULL; ret_result may be NULL. The change is seen by
 * all processes before the call returns, and outlives every process. A failed
 * change changed nothing. Inputs are copied; the caller keeps them. Under `corral-agent --journal
 * sync` the call returns when the change is on disk; if it cannot be written, the change stands all
 * the same, and ret_result->sync_error says why. Common errors: -EINVAL -ENAMETOOLONG -EILSEQ
 * -ESHUTDOWN -ECANCELED -ENOTUNIQ -EBUSY -ENOMEM -ENOSPC -E2BIG -EOVERFLOW -EUCLEAN -EROFS -EUSERS
 * -ESTALE; and -ENOENT for all but corral_add(), corral_set_tax(), corral_set_attribute(),
 * corral_set_ttl(), corral_replace() and the steps that set an adjustment, the pricing or the
 * currency, which make the cart if it is not there (except when op->if_version is given).
 */

/*
 * Add an item. If the cart has a line of the same menu item, unit price, notes, modifiers and
 * extras (both in any order), and neither is `separate`, that line's quantity is raised (its name
 * stays as it was); else a line is appended. -ENFILE: no more carts fit.
 */
int corral_add(struct corral *corral, const struct corral_key *key, const struct corral_item *item,
	       const struct corral_op *op, struct corral_result *ret_result);

/* Set the quantity of a line, by number; 0 removes the line. -ENXIO, -ERANGE. */
int corral_set_quantity(struct corral *corral, const struct corral_key *key, uint32_t line,
			uint32_t quantity, const struct corral_op *op,
			struct corral_result *ret_result);

/* Remove a line, by number. -ENXIO. */
int corral_remove(struct corral *corral, const struct corral_key *key, uint32_t line,
		  const struct corral_op *op, struct corral_result *ret_result);

/*
 * Remove all lines and adjustments. Tax rate, pricing, currency, attributes, time to live and
 * remembered operations stay.
 */
int corral_clear(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		 struct corral_result *ret_result);

/* Set the tax rate, in parts per million (82500 = 8.25 %), 0 to CORRAL_TAX_PPM_MAX. */
int corral_set_tax(struct corral *corral, const struct corral_key *key, uint32_t tax_ppm,
		   const struct corral_op *op, struct corral_result *ret_result);

/* Set an attribute (name not empty); value NULL takes it away. */
int corral_set_attribute(struct corral *corral, const struct corral_key *key,
			 const struct corral_text *name, const struct corral_text *value,
			 const struct corral_op *op, struct corral_result *ret_result);

/*
 * Set the cart's own time to live: milliseconds without activity; 0: the arena's default. A cart
 * that is checked out may be given a longer one (or as long a one), since payment takes time, but
 * no shorter one.
 */
int corral_set_ttl(struct corral *corral, const struct corral_key *key, uint64_t ttl_ms,
		   const struct corral_op *op, struct corral_result *ret_result);

/*
 * Check the cart out: from now on it refuses changes with -ESHUTDOWN (but a longer time to live),
 * another checkout, too, and may be read until it ends. Again with the same operation id: the same
 * answer. Use op->if_version with the version that the customer heard. See corral(7), "Checking
 * out".
 */
int corral_checkout(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		    struct corral_result *ret_result);

/*
 * End the cart now, open or checked out. The result is that of its last version.
 * A second drop finds no cart: -ENOENT (which a retrying caller takes as done).
 */
int corral_drop(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		struct corral_result *ret_result);

/* What a step of corral_apply() does; in parentheses what it takes of struct corral_step. */
enum corral_step_kind {
	CORRAL_STEP_ADD = 1,         /* as corral_add() (item) */
	CORRAL_STEP_SET_QUANTITY,    /* as corral_set_quantity() (the line, quantity) */
	CORRAL_STEP_CHANGE_QUANTITY, /* so many more or, negative, less (the line, difference) */
	CORRAL_STEP_REMOVE,          /* as corral_remove() (the line) */
	CORRAL_STEP_CLEAR,           /* as corral_clear() */
	CORRAL_STEP_SET_TAX,         /* as corral_set_tax() (tax_ppm) */
	CORRAL_STEP_SET_ATTRIBUTE,   /* as corral_set_attribute() (name, value) */
	CORRAL_STEP_SET_TTL,         /* as corral_set_ttl() (ttl_ms) */
	CORRAL_STEP_CHECKOUT,        /* as corral_checkout() */
	/*
	 * Set an adjustment, in the place of the one of its name, else behind the others
	 * (adjustment); take one away (name; -ENXIO: there is none)
	 */
	CORRAL_STEP_SET_ADJUSTMENT,
	CORRAL_STEP_REMOVE_ADJUSTMENT,
	CORRAL_STEP_SET_PRICING, /* how prices are meant (pricing) */
	/*
	 * Set the currency, an ISO 4217 code (name; -EINVAL: it is none). -ENOTEMPTY: the cart has
	 * another, and lines or adjustments
	 */
	CORRAL_STEP_SET_CURRENCY,
	/*
	 * Tax a line at a rate of its own, or at the cart's again (the line, own_rate, tax_ppm).
	 * Equal items that are added later merge into it; lines that have become equal stay two
	 */
	CORRAL_STEP_SET_LINE_TAX,
};

/* One step of a change. Members that its kind does not take are not looked at. */
struct corral_step {
	uint32_t kind; /* enum corral_step_kind */
	/*
	 * The line: its number; or 0, and the menu item that exactly one line has (-ENXIO: none
	 * has it, -EMLINK: several have).
	 */
	uint32_t line;
	struct corral_text menu_item_id;
	uint32_t quantity;
	int32_t difference; /* the line is removed when nothing is left, -ERANGE below that */
	const struct corral_item *item;
	uint32_t own_rate; /* 1: the line's own rate is tax_ppm; 0: it has none */
	uint32_t tax_ppm;
	uint32_t pricing; /* several of CORRAL_TAX_INSIDE ..., which are all that hold from then on
			   */
	uint64_t ttl_ms;
	struct corral_text name;
	const struct corral_text *value;
	const struct corral_adjustment *adjustment;
};

/*
 * Several steps as one change, 1 to CORRAL_STEPS_MAX: all of them or none, one version, one
 * operation id. Each step finds the cart as the one before it leaves it, and the change does what
 * its steps would do one by one; only the totals, and the size of the whole, count at the end
 * alone. It makes the cart if it is not there and the first step would.
 *
 * ret_result: as of the other changes; `line` is that of the last step that has one. On failure
 * its `step` says which step was refused, from 1, or is 0 if it was no single one; nothing else of
 * it changes. ret_lines: NULL, or room for step_count numbers: for each step the line that it added
 * to, set or removed, else 0. Of a repeat (applied = 0), which the cart remembers with one line,
 * the last such step has its line of the first time; the others have the line where their item is
 * now (0: none).
 */
int corral_apply(struct corral *corral, const struct corral_key *key,
		 const struct corral_step *steps, uint32_t step_count, const struct corral_op *op,
		 struct corral_result *ret_result, uint32_t *ret_lines);

/*
 * Compare-and-swap of a whole cart: its lines, tax rate, pricing, adjustments and
 * attributes become those of `cart` if its version is still op->if_version (0: if
 * the cart is not there at all), else -ECANCELED. op must be given. Totals are
 * computed here. The currency stays if `cart` has none; another one: as a step that
 * sets it. Lines of equal number: -EINVAL; a number the cart never gave out: -ENXIO.
 */
int corral_replace(struct corral *corral, const struct corral_key *key,
		   const struct corral_cart *cart, const struct corral_op *op,
		   struct corral_result *ret_result);

/* ------------------------------------------------------------------ */
/* About the arena                                                    */

enum corral_stat_kind {
	CORRAL_STAT_NOW = 0,   /* how much or how many there is now */
	CORRAL_STAT_TOTAL = 1, /* how often it happened since the arena was made; only grows */
};

/* A number of the arena. The texts are constants: they outlive the handle. */
struct corral_stat {
	const char *name; /* such as "carts_open"; those of corral_stats() keep their names */
	const char *unit; /* such as "carts", "bytes", "ms", "ms since 1970", "0 or 1" */
	const char *help; /* a line in English */
	int64_t value;
	uint32_t kind; /* enum corral_stat_kind */
	uint32_t reserved;
};

/*
 * What `corral status` tells, for monitors and bindings: counters, sizes and states. They are read
 * from the arena's memory, in a time that does not grow with the number of carts: it is bounded by
 * the most processes and threads there ever were at once. The kernel is asked one thing, whether an
 * agent runs (agent_up). A death can leave a count of carts or pages slightly wrong until the
 * agent's next sweep mends it, and a dead process counts until the agent has cleaned up after it,
 * mostly for a quarter of a second; carts_ending, cart_bytes and live_bytes are as old as the last
 * sweep (counted_ms). The numbers are read one after another, not at one moment.
 *
 * Fills in at most max rows; *ret_count: how many there are, at most CORRAL_STATS_MAX. -ESTALE,
 * -EBADF, and on a first call those of a read.
 */
int corral_stats(struct corral *corral, struct corral_stat *ret_rows, size_t max,
		 size_t *ret_count);

/*
 * How long changes took, from call to return, since the arena was made: a histogram, whose buckets
 * are a quarter of a power of two wide. A thread times each change that it makes after a pause (of
 * a quarter of a second), and of many in a row one of 128, which counts for 128; so the counts are
 * right about, and so is their sum. Calls that failed are not in it. Kept with the feed: with
 * corral-agent --feed off there is none. The difference of two tells of the time between.
 */
#define CORRAL_LATENCY_BUCKETS 117u

struct corral_latency {
	uint64_t changes; /* the sum of counts */
	uint64_t total_ns;
	uint64_t counts[CORRAL_LATENCY_BUCKETS];
};

/* -ESTALE, and on a first call those of a read; -EOPNOTSUPP: the carts are not in an arena. */
int corral_latency(struct corral *corral, struct corral_latency *ret_latency);

/*
 * The same of the process with this pid, as that process knows it: of the threads that it has now,
 * since each of them made its first call. -ENOENT: no such process is attached; -EINVAL: pid < 1.
 */
int corral_latency_of(struct corral *corral, int32_t pid, struct corral_latency *ret_latency);

/* All times in this bucket are less than this; UINT64_MAX for the last, and those beyond. */
uint64_t corral_latency_bound_ns(uint32_t bucket);

/*
 * The time that so many millionths of the changes did not exceed, such as 990000; to about a tenth.
 * 0: there were none.
 */
uint64_t corral_latency_ns(const struct corral_latency *latency, uint32_t millionths);

/*
 * The digits of a currency's minor units (EUR 2, JPY 0, KWD 3), or -EINVAL: this is no code of ISO
 * 4217 in capital letters.
 */
int corral_currency_digits(struct corral_text code);

/* The currency that new carts get (corral-agent --currency), and its digits; "" and 2: none. */
void corral_default_currency(struct corral *corral, char ret_code[4], uint32_t *ret_digits);

/* The library's version, as "0.1.0". */
const char *corral_version(void);

/* The meaning of an error of this library, in English; takes -ENOENT or ENOENT. Never NULL. */
const char *corral_strerror(int error);

/* Its name, such as "ENOENT", or "unknown"; takes -ENOENT or ENOENT. Never NULL. */
const char *corral_error_name(int error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
