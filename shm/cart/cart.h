/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart.h: the bytes of a cart version (struct cart_head in layout.h).
 *
 * Pure functions from bytes to bytes: no arena, no lock, no clock, no global state, no
 * system call. A function that reads a version takes its size and believes no number in
 * it before checking it: damaged bytes give -EUCLEAN.
 *
 * A change has two steps, so that the arena can find a block in between:
 *   cart_plan()   reads the old version, validates, computes totals and the new size;
 *   cart_build()  writes the new version; cannot fail.
 * Neither allocates: both run inside a critical section. Packing an item into words
 * (cart_pack_item) and decoding (cart_decode_*) are done outside.
 */
#ifndef CORRAL_CART_H
#define CORRAL_CART_H

#include "arena/layout.h"
#include "base/base.h"
#include "corral.h"

/* ---------------------------------------------------------------- input */

/* A line's words, packed, with what is computed from them once. */
struct cart_words {
	const void *bytes; /* MessagePack map: menu_item_id, modifiers [[name, price], ...], notes,
			      name, extras */
	uint32_t size;
	uint32_t own_rate; /* the line's own tax rate in ppm, plus one; 0: the cart's */
	int64_t unit_price_cents;
	int64_t modifiers_cents;
	uint64_t merge[2];
	uint64_t sum; /* 0: not computed yet; an item that merges needs none */
};

/*
 * Validate an item and pack its words into buffer (CORRAL_WORDS_MAX bytes).
 * The quantity is validated too. Keys of extras must differ from ours and from each
 * other; their values must be whole, well-formed MessagePack.
 * -EINVAL -EILSEQ -ERANGE -E2BIG -EOVERFLOW -ENAMETOOLONG
 */
int cart_pack_item(const struct corral_item *item, uint64_t seed, void *buffer, size_t buffer_size,
		   struct cart_words *ret_words);

/*
 * An upper bound of the bytes that the item packs to, if it can be packed. Its numbers need not be
 * valid.
 */
size_t cart_item_bound(const struct corral_item *item);

/* Are these bytes valid UTF-8 without a NUL? */
bool cart_text_valid(struct corral_text text);

/* One line of a cart that replaces another. */
struct cart_draft_line {
	uint32_t line; /* 0: a new number */
	uint32_t quantity;
	struct cart_words words;
};

struct cart_draft {
	const struct cart_draft_line *lines;
	uint32_t line_count;
	uint32_t tax_ppm;
	const void *attributes; /* packed map, cart_pack_attributes() */
	uint32_t attributes_size;
	uint32_t attribute_count;
	uint32_t pricing;
	uint32_t currency; /* as cart_currency() has it; 0: as it is */
	const struct corral_adjustment *adjustments;
	uint32_t adjustment_count;
};

/*
 * Validate and pack attributes; names must differ. *ret_size <= size. -E2BIG if buffer is too
 * small.
 */
int cart_pack_attributes(const struct corral_attribute *attributes, uint32_t count, void *buffer,
			 size_t size, uint32_t *ret_size);

/* The numbers are part of fingerprints, so a kind must keep its number. */
enum cart_step_kind {
	CART_ADD,
	CART_SET_QUANTITY, /* 0 removes */
	CART_REMOVE,
	CART_CLEAR,
	CART_SET_TAX,
	CART_SET_ATTRIBUTE,
	CART_SET_TTL,
	CART_CHECKOUT,
	CART_REPLACE, /* this one and the two below are the only step of their change */
	CART_DROP,    /* planned like the others (version, operation id), never built */
	CART_PUT,     /* a whole version from elsewhere, unless the one that is there is as new */
	CART_CHANGE_QUANTITY, /* by a difference; to 0 removes */
	CART_SET_ADJUSTMENT,
	CART_REMOVE_ADJUSTMENT,
	CART_SET_PRICING,
	CART_SET_CURRENCY,
	CART_SET_LINE_TAX,
};

/* One step of a change. */
struct cart_step {
	enum cart_step_kind kind;
	uint32_t line; /* SET_QUANTITY, CHANGE_QUANTITY, REMOVE, SET_LINE_TAX; 0: that of `name` */
	uint32_t quantity;  /* ADD, SET_QUANTITY */
	int32_t difference; /* CHANGE_QUANTITY */
	uint32_t tax_ppm;   /* SET_TAX; SET_ADJUSTMENT: its ppm */
	uint32_t currency;  /* SET_CURRENCY, as cart_currency() has it */
	uint32_t own_rate;  /* SET_LINE_TAX, as in struct cart_words */
	bool remove_attribute;
	bool after_tax;          /* SET_ADJUSTMENT */
	uint8_t adjustment_kind; /* SET_ADJUSTMENT */
	uint8_t pricing;         /* SET_PRICING */
	int64_t cents;           /* SET_ADJUSTMENT */
	uint64_t ttl_ms;         /* SET_TTL */
	/* of an attribute or an adjustment; of a step without a line's number: the menu item */
	struct corral_text name;
	struct corral_text value;
	struct cart_words words; /* ADD */
};

/*
 * The effect of a change of several steps on one line or on one attribute. Private to cart*.c;
 * declared here because the caller of cart_plan() provides the memory.
 */
struct line_edit {
	struct cart_line line; /* the record to write */
	const void *words;     /* of a line that is appended; NULL: the line is the old version's */
	uint32_t index;        /* in the old version */
	uint32_t own_rate;     /* if `rated`, as in struct cart_words */
	bool rated;            /* line.rate follows from own_rate, once all steps are planned */
	bool cut;
};

struct pair_edit {
	const struct cart_step *step; /* that has the new pair; NULL: the old one is cut */
	uint32_t at;                  /* of the old pair, or the end of the old attributes */
	uint32_t size;                /* of the old pair; 0: there is none */
};

struct cart_change {
	/* what: */
	struct cart_step one;    /* the only step, if steps is NULL */
	struct cart_step *steps; /* NULL: `one` */
	uint32_t step_count;     /* of steps */
	/*
	 * With steps: memory for cart_plan() and cart_build(), step_count of each. A number of
	 * `lines` becomes that of the line that its step added to, set or removed, or 0.
	 */
	struct line_edit *line_edits;
	struct pair_edit *pair_edits;
	uint32_t *lines;
	struct cart_draft draft; /* of a REPLACE */
	const void *version; /* of a PUT: one that cart_validate() has accepted, in memory of our
				own */
	/* under which conditions: */
	bool has_op;
	uint64_t op_id[2];
	uint64_t fingerprint; /* of what the change does, if it has an operation id */
	uint64_t if_version;  /* 0: any; REPLACE: 0 means "not there" */
	/* in which world: */
	struct corral_key key;
	uint64_t hash;
	uint64_t seed;
	int64_t now_ms;
	uint64_t first_version; /* for a cart that is not there yet */
	uint64_t usual_ttl_ms;  /* of a cart without a time to live of its own */
	uint64_t version_floor; /* each new version is greater */
	uint32_t currency;      /* of a cart that is not there yet, as cart_currency() has it */
};

static inline const struct cart_step *cart_steps(const struct cart_change *change)
{
	return change->steps != NULL ? change->steps : &change->one;
}

static inline uint32_t cart_step_count(const struct cart_change *change)
{
	return change->steps != NULL ? change->step_count : 1;
}

/* The kind that tells whether the change ends a cart, puts a whole one, or changes its contents. */
static inline enum cart_step_kind cart_kind(const struct cart_change *change)
{
	return cart_steps(change)->kind;
}

/*
 * Fill op_id, fingerprint and has_op from an operation id, of a change whose kind and arguments are
 * filled in. -ENAMETOOLONG, -EILSEQ. The empty text: no id.
 */
int cart_hash_op(struct corral_text id, uint64_t seed, struct cart_change *change);

#define CART_NO_FINGERPRINT 0u /* of an operation that was remembered without one */

/* The fingerprint of a change; see fingerprint.c. Never CART_NO_FINGERPRINT. */
uint64_t cart_fingerprint(const struct cart_change *change, uint64_t seed);

/* ---------------------------------------------------------------- change */

/*
 * The contents of the section of the money. Private to the files of this folder; declared here as
 * part of a plan.
 */
struct money {
	uint32_t pricing;
	uint32_t own[CART_RATES]; /* as in struct cart_money */
	uint32_t rate_count;
	uint32_t adjustment_count;
	int64_t before_tax_cents;
	int64_t after_tax_cents;
	struct corral_rate rates[CORRAL_RATES_MAX];
	struct corral_adjustment adjustments[CORRAL_ADJUSTMENTS_MAX];
};

static_assert(CART_RATES == CORRAL_RATES_MAX, "each rate may be a line's own");

struct cart_plan {
	struct corral_result result; /* what to answer */
	uint32_t size;               /* bytes of the new version */
	uint32_t
		step; /* after an error: from 1, the step that was refused; 0: the change as such */
	/* private to cart*.c: */
	uint32_t lines_edit;      /* what becomes of the old lines */
	uint32_t attributes_edit; /* and of the old attributes */
	uint32_t op_index;        /* where the op record goes */
	uint32_t line_edit_count;
	uint32_t pair_edit_count;
	uint32_t cut_count;           /* old lines that are cut */
	uint32_t map_header_size;     /* of the old attributes */
	uint32_t pairs_size;          /* of the new attributes, without their header */
	struct line_edit *line_edits; /* old lines by index, then those to be appended */
	struct pair_edit *pair_edits; /* old pairs by place, then new ones */
	struct cart_head head;        /* of the new version; sums as in the old */
	struct cart_head old;         /* of the old version as the plan saw it; all 0: no cart */
	struct line_edit line_edit;   /* of a change of one step */
	struct pair_edit pair_edit;
	uint32_t old_totals_at; /* of operations, in the old section; 0: there was none */
	bool priced;            /* the new version has a section of the money: */
	struct money money;     /* this one */
};

/*
 * Plan a change of `old` (old_size bytes that may be more than the version has; NULL: no cart). 0:
 * build it. 1: this change was made before under this operation id, ret_plan->result is its answer.
 * -ENOTUNIQ: another change was made under it. The checks come in this order: damage, remembered
 * operation, -ENOENT for a change whose first step needs a cart, version (-ECANCELED), then step by
 * step -ESHUTDOWN and the step's own error, then the limits that the new version exceeds. The plan
 * points into itself and must not be copied. On failure all of it but `step` is undefined.
 */
int cart_plan(const void *old, size_t old_size, const struct cart_change *change,
	      struct cart_plan *ret_plan);

/* Write the new version, plan->size bytes, into `buffer` (8-aligned, not overlapping old). */
void cart_build(const void *old, const struct cart_change *change, const struct cart_plan *plan,
		void *buffer);

/* ---------------------------------------------------------------- read */

/*
 * Check the shape only, in constant time, as every accessor that follows an offset does first. 0:
 * head, ids, attributes, ops, lines and words lie within size bytes; or -EUCLEAN.
 */
int cart_shape(const void *bytes, size_t size);

/*
 * Check everything: shape, checksums, totals, well-formed words, texts in UTF-8, numbers in range.
 * 0 or -EUCLEAN.
 */
int cart_validate(const void *bytes, size_t size);

/*
 * Check the shape, every checksum, and the money: the totals must follow from the lines. No
 * accidental damage passes, only bytes that were forged together with their checksums: texts and
 * words are believed if their checksums hold, and line numbers are not compared with each other.
 * This takes a fifth of the time of cart_validate(), and little stack. Reads verify this much;
 * bytes from a file are validated before they become a cart. 0 or -EUCLEAN.
 */
int cart_verify(const void *bytes, size_t size);

/*
 * The same for the front only: head, key and attributes. The time is constant, except for the
 * attributes. 0 or -EUCLEAN.
 */
int cart_verify_front(const void *bytes, size_t size);

/*
 * 16 bytes at any address, as two words; the compiler chooses the machine's best instructions for
 * it.
 */
typedef uint64_t cart_pair __attribute__((vector_size(16)));
typedef char cart_bytes __attribute__((vector_size(16)));

static inline cart_pair cart_xor_128(const char *a, const char *b)
{
	cart_pair x, y;

	__builtin_memcpy(&x, a, sizeof(x));
	__builtin_memcpy(&y, b, sizeof(y));
	return x ^ y;
}

static inline cart_pair cart_xor_64(const char *a, const char *b)
{
	uint64_t x, y;

	__builtin_memcpy(&x, a, sizeof(x));
	__builtin_memcpy(&y, b, sizeof(y));
	return (cart_pair){ x ^ y, 0 };
}

static inline cart_pair cart_xor_32(const char *a, const char *b)
{
	uint32_t x, y;

	__builtin_memcpy(&x, a, sizeof(x));
	__builtin_memcpy(&y, b, sizeof(y));
	return (cart_pair){ x ^ y, 0 };
}

/*
 * The bits in which two texts differ; size > 0. Ids are short, so they are compared without a call,
 * in pieces, the last of which may overlap the one before.
 */
static inline __attribute__((always_inline)) cart_pair cart_differ(const char *a, const char *b,
								   size_t size)
{
	if (likely(size >= 16)) {
		size_t last = size - 16;
		cart_pair differ = cart_xor_128(a, b) | cart_xor_128(a + last, b + last);
		for (size_t at = 16; unlikely(at < last); at += 16)
			differ |= cart_xor_128(a + at, b + at);
		return differ;
	}
	if (size >= 8)
		return cart_xor_64(a, b) | cart_xor_64(a + size - 8, b + size - 8);
	if (size >= 4)
		return cart_xor_32(a, b) | cart_xor_32(a + size - 4, b + size - 4);
	return (cart_pair){ (uint64_t)((a[0] ^ b[0]) | (a[size / 2] ^ b[size / 2]) |
				       (a[size - 1] ^ b[size - 1])),
			    0 };
}

static inline bool cart_pair_is_zero(cart_pair pair)
{
#ifdef __SSE2__ /* the general way takes three more steps there */
	return __builtin_ia32_pmovmskb128((cart_bytes)pair == (cart_bytes){ 0 }) == 0xffff;
#else
	return (pair[0] | pair[1]) == 0;
#endif
}

/* Has this version this key? It reads only within size bytes, even if the head is damaged. */
static inline __attribute__((always_inline)) bool
cart_has_key(const struct cart_head *cart, size_t size, const struct corral_key *key)
{
	const char *ids = (const char *)(cart + 1);
	size_t r = key->restaurant_id.size, s = key->session_id.size;

	return likely(cart->restaurant_size == r && cart->session_size == s &&
		      sizeof(*cart) + r + s <= size) &&
	       likely(cart_pair_is_zero(cart_differ(ids, key->restaurant_id.data, r) |
					cart_differ(ids + r, key->session_id.data, s)));
}

/*
 * Accessors; the bytes may be damaged. 0, -EUCLEAN, -ENXIO past the end. A head's effective time to
 * live is the cart's own, 0 if it has none: a version does not know the arena's default.
 */
int cart_get_head(const void *bytes, size_t size, struct corral_head *ret_head);
int cart_get_key(const void *bytes, size_t size, struct corral_key *ret_key);
int cart_get_line(const void *bytes, size_t size, uint32_t index, struct corral_line *ret_line);
int cart_get_attribute(const void *bytes, size_t size, uint32_t index,
		       struct corral_attribute *ret_attribute);
int cart_get_adjustment(const void *bytes, size_t size, uint32_t index,
			struct corral_adjustment *ret_adjustment);

/* Decode with one malloc(); texts point into bytes. 0, -EUCLEAN, -ENOMEM, -ENXIO. */
int cart_decode_item(const void *bytes, size_t size, uint32_t index, struct corral_item **ret_item);

/*
 * Decode a whole cart into one malloc() block. With `copy` the bytes are copied into it first, the
 * copy is verified (cart_verify()), and the texts point into the copy; otherwise they point into
 * bytes, and no checksum is verified. The caller frees the block.
 */
int cart_decode(const void *bytes, size_t size, bool copy, struct corral_cart **ret_cart);

/* The facts about a cart that its version's bytes do not have. */
struct cart_times {
	uint64_t usual_ttl_ms; /* of a cart without a time to live of its own */
	int64_t expires_ms;
};

/*
 * Write a cart flat into the caller's buffers, see struct corral_flat. Verifies no checksum. 0,
 * -ENOBUFS, -EINVAL, -EUCLEAN.
 */
int cart_flatten(const void *bytes, size_t size, const struct cart_times *times,
		 struct corral_flat *flat);

/* ---------------------------------------------------------------- money */

/* -EINVAL -ENAMETOOLONG -EILSEQ -ERANGE, as struct corral_adjustment says. */
int cart_adjustment_check(const struct corral_adjustment *adjustment);

/*
 * A code of ISO 4217 as one number: cart_head.currency in its low 16 bits, the digits of its minor
 * units above them. 0: it is no such code.
 */
uint32_t cart_currency(struct corral_text code);

/* The code that a number stands for, and its digits; of 0: "" and 2. */
void cart_currency_code(uint32_t currency, char ret_code[4], uint32_t *ret_digits);

/* The number of a code alone, the low 16 bits of it; 0: there is no such code. */
uint32_t cart_currency_of_code(uint16_t code);

/* Can the number be one that cart_currency() has made? The code need not be known here. */
bool cart_currency_valid(uint32_t currency);

/*
 * Tax of an amount: parts per million, rounded half away from zero. Exact for every input in range.
 */
int64_t cart_tax(int64_t subtotal_cents, uint32_t tax_ppm);

/* The same, by the cart's pricing: with the tax added, or inside the amount. */
int64_t cart_tax_of(int64_t cents, uint32_t tax_ppm, uint32_t pricing);

/* quantity * (unit + modifiers); false when it does not fit. */
bool cart_line_total(uint32_t quantity, int64_t unit_price_cents, int64_t modifiers_cents,
		     int64_t *ret_cents);

#endif
