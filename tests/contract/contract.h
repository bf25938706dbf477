/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contract.h: what the files of the contract suite share; contract.c describes it.
 *
 * The suite knows nothing but the public header. So it tells what a user may rely on, whatever
 * keeps the carts: versions are compared with earlier ones of the same cart only, and no case looks
 * at memory, files or processes.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corral.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T(literal) ((struct corral_text){ (literal), sizeof(literal) - 1 })
#define HOUR_MS 3600000ull

struct contract { /* of one case */
	struct corral *corral;
	struct corral_key key; /* of a cart that is not there when the case begins */
	char session[48];
};

extern const char *contract_location;
extern char contract_restaurant[48]; /* of all carts of this run; no other has it */

/* Another key of this case; the text of `session` lives as long as the key. */
struct corral_key contract_key(const char *session);
struct corral *contract_open(unsigned flags);

/* Assert that a call answers this. */
#define gives(want, call) assert_int_equal(call, want)

/* In a thread or child, where an assertion would jump to another stack: end the process. */
#define must(condition) ((condition) ? (void)0 : contract_give_up(__FILE__, __LINE__, #condition))
_Noreturn void contract_give_up(const char *file, int line, const char *what);

/* ------------------------------------------------------------------- inputs */

struct corral_item contract_item(const char *menu_item_id, int64_t price_cents, uint32_t quantity);
struct corral_op contract_op(const char *id, uint64_t if_version);

/* Two lines: two burgers of 8.99, a coke of 1.99. The answer of the second add. */
struct corral_result contract_two_lines(const struct contract *c);
struct corral_result contract_add(const struct contract *c, const char *menu_item_id,
				  int64_t price_cents, uint32_t quantity);

struct corral_head contract_head(const struct contract *c);
struct corral_cart *contract_get(const struct contract *c);
bool contract_same_text(struct corral_text a, struct corral_text b);

/* ---------------------------------------------------------------- all calls */

/*
 * The calls that change a cart, for cases that hold for all of them. Those before MAKERS make the
 * cart if it is not there. CHANGES: how many there are.
 */
enum {
	ADD,
	SET_TAX,
	SET_ATTRIBUTE,
	SET_TTL,
	APPLY,
	MAKERS,
	SET_QUANTITY = MAKERS,
	REMOVE,
	CLEAR,
	CHECKOUT,
	DROP,
	CHANGES
};

/* Line 1 is changed by those that name a line. */
int contract_change(const struct contract *c, const struct corral_key *key, int which,
		    const struct corral_op *op, struct corral_result *ret_result);

/* ------------------------------------------------------------- several at once */

struct contract_hand {            /* one of several that work at the same time */
	const struct contract *c; /* its handle is the hand's */
	uint32_t number;
	void *shared; /* memory that all of them see, zero at first */
};

/*
 * Run `count` bodies at the same time, as threads that share the case's handle or as processes with
 * a handle each, and wait for them. `shared` is for contract_shared().
 */
void contract_crew(const struct contract *c, bool processes, uint32_t count,
		   void (*body)(const struct contract_hand *hand), void *shared);
void *contract_shared(size_t size); /* for the life of the program */

int64_t contract_now_ms(void);  /* of a clock that is never set */
int64_t contract_wall_ms(void); /* since 1970 */
void contract_sleep_ms(int64_t ms);

/* -------------------------------------------------------------------- cases */

struct contract_case {
	const char *name;
	void (*body)(struct contract *c);
};

#define CASE(body)                                                                                 \
	{                                                                                          \
#body, body                                                                        \
	}

/* Each ends with an entry without a name. */
extern const struct contract_case attach_cases[], read_cases[], watch_cases[], change_cases[],
	repeat_cases[], refuse_cases[], apply_cases[], money_cases[], checkout_cases[],
	together_cases[], scenario_cases[];

#endif
