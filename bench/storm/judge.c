/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * judge.c: see judge.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"

__attribute__((format(printf, 3, 4))) static void fault(struct storm_judge *judge, uint64_t *count,
							const char *why, ...)
{
	va_list arguments;

	++*count;
	if (judge->why[0] != '\0')
		return;
	va_start(arguments, why);
	vsnprintf(judge->why, sizeof(judge->why), why, arguments);
	va_end(arguments);
}

/* The gaps must have told of what is missing, before what came after it. */
static void weigh(struct storm_judge *judge, uint32_t cart, uint64_t version)
{
	const uint64_t missing = max_u64(judge->skipped, judge->unheard);

	if (judge->vague || missing <= judge->missed + judge->untold)
		return;
	fault(judge, &judge->untold, "cart %u: an event before version %llu is in no gap", cart,
	      (unsigned long long)version);
	judge->untold = missing - judge->missed;
}

/* ---------------------------------------------------------- events and answers */

static void compare(struct storm_judge *judge, uint32_t cart, const struct storm_facts *told,
		    const struct storm_facts *answered)
{
	judge->compared++;
	if ((answered->op != 0 && told->op != answered->op) ||
	    told->subtotal_cents != answered->subtotal_cents ||
	    told->tax_cents != answered->tax_cents || told->total_cents != answered->total_cents ||
	    told->item_count != answered->item_count || told->status != answered->status)
		fault(judge, &judge->wrong,
		      "cart %u, version %llu: told with operation %llx and total %lld, answered "
		      "with %llx and %lld",
		      cart, (unsigned long long)told->version, (unsigned long long)told->op,
		      (long long)told->total_cents, (unsigned long long)answered->op,
		      (long long)answered->total_cents);
}

/*
 * What is known of a version. If its place has an earlier one, that is given up: if a caller was
 * answered with it and no event has told of it, it is counted.
 */
static struct storm_kept *kept_of(struct storm_judge *judge, uint32_t cart, bool end,
				  uint64_t version)
{
	struct storm_judged_cart *judged = &judge->carts[cart];
	struct storm_kept *kept = &(end ? judged->ends : judged->changes)[version % STORM_KEPT];

	if (kept->facts.version > version)
		return NULL; /* it comes too late to be compared */
	if (kept->facts.version < version) {
		if (kept->answered && !kept->told) {
			judge->unheard++;
			weigh(judge, cart, version);
		}
		*kept = (struct storm_kept){ .facts = { .version = version } };
	}
	return kept;
}

void storm_judge_answer(struct storm_judge *judge, uint32_t cart, bool end,
			const struct storm_facts *facts)
{
	struct storm_kept *kept = kept_of(judge, cart, end, facts->version);

	if (kept == NULL)
		return;
	if (kept->told) {
		compare(judge, cart, &kept->facts, facts);
	} else if (!kept->answered || facts->op != 0) {
		kept->facts = *facts; /* an answer knows more than the cart that was read */
	}
	kept->answered = true;
}

static void keep(struct storm_judge *judge, const struct storm_told *told, bool end)
{
	struct storm_kept *kept = kept_of(judge, told->cart, end, told->facts.version);

	if (kept == NULL)
		return;
	if (kept->answered)
		compare(judge, told->cart, &told->facts, &kept->facts);
	kept->facts = told->facts;
	kept->told = true;
}

/* ------------------------------------------------------------------ the order */

static void take_change(struct storm_judge *judge, const struct storm_told *told)
{
	struct storm_judged_cart *cart = &judge->carts[told->cart];
	const uint64_t version = told->facts.version;

	judge->changes++;
	if (version <= cart->version) {
		fault(judge, version == cart->version ? &judge->twice : &judge->wrong,
		      "cart %u: version %llu comes after version %llu", told->cart,
		      (unsigned long long)version, (unsigned long long)cart->version);
		return;
	}
	/* another cart of its bucket may have raised the version of one that is made */
	if (cart->version != 0 && !cart->ended)
		judge->skipped += version - cart->version - 1;
	cart->version = version;
	cart->ended = false;
	weigh(judge, told->cart, version);
}

static void take_end(struct storm_judge *judge, const struct storm_told *told)
{
	struct storm_judged_cart *cart = &judge->carts[told->cart];
	const uint64_t version = told->facts.version;

	judge->ends++;
	if (version < cart->version) {
		fault(judge, &judge->wrong, "cart %u ends with version %llu after version %llu",
		      told->cart, (unsigned long long)version, (unsigned long long)cart->version);
		return;
	}
	if (cart->ended && version == cart->version)
		fault(judge, &judge->twice, "cart %u ends twice with version %llu", told->cart,
		      (unsigned long long)version);
	if (cart->version != 0)
		judge->skipped += version - cart->version;
	cart->version = version;
	cart->ended = true;
	weigh(judge, told->cart, version);
}

/* The numbers go on; those that a gap names are gone. */
static void take_number(struct storm_judge *judge, const struct storm_told *told)
{
	const bool gap = told->kind == CORRAL_EVENT_GAP;
	const uint64_t from = gap ? told->from : told->number;

	if (from != judge->next || told->number < from)
		fault(judge, from < judge->next ? &judge->twice : &judge->wrong,
		      "number %llu comes where %llu was to", (unsigned long long)from,
		      (unsigned long long)judge->next);
	judge->next = told->number + 1;
	if (!gap)
		return;
	judge->gaps++;
	judge->missed += told->missed;
	/* of numbers that are gone, some may have been gaps themselves */
	judge->vague |= told->missed == 0 || told->number > from;
}

void storm_judge_event(struct storm_judge *judge, const struct storm_told *told)
{
	const bool end = (told->kind & (CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED)) != 0;

	take_number(judge, told);
	if (told->kind == CORRAL_EVENT_GAP)
		return;
	if (told->cart >= STORM_CARTS) {
		fault(judge, &judge->wrong, "event %llu is of no cart of the storm",
		      (unsigned long long)told->number);
		return;
	}
	if (end)
		take_end(judge, told);
	else
		take_change(judge, told);
	keep(judge, told, end);
}

/* ------------------------------------------------------------- begin and end */

void storm_judge_begin(struct storm_judge *judge, uint64_t next)
{
	memset(judge, 0, sizeof(*judge));
	judge->next = next;
}

void storm_judge_end(struct storm_judge *judge, uint32_t cart, uint64_t last)
{
	struct storm_judged_cart *judged = &judge->carts[cart];

	for (uint32_t i = 0; i < STORM_KEPT; i++) {
		judge->unheard += judged->changes[i].answered && !judged->changes[i].told;
		judge->unheard += judged->ends[i].answered && !judged->ends[i].told;
	}
	if (judged->version < last)
		judge->skipped += last - judged->version;
	else if (!judged->ended && judged->version > 0)
		judge->skipped++; /* its end */
	weigh(judge, cart, last + 1);
}
