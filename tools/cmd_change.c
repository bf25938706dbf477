/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_change.c: the commands that change a cart. Each is one change; change() does
 * what they share: opening, complaining and printing the answer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "tool.h"

/* Make the requested change: 0 or -errno of the library. */
typedef int change_fn(struct corral *corral, const struct call *call,
		      struct corral_result *ret_result);

/* Print the line that each step was about, or a dash: "lines 3 1 -, ". */
static void print_lines(const struct steps *steps)
{
	printf("line%s", plural(steps->count));
	for (uint32_t i = 0; i < steps->count; i++) {
		if (steps->lines[i])
			printf(" %" PRIu32, steps->lines[i]);
		else
			fputs(" -", stdout);
	}
	fputs(", ", stdout);
}

/* One line, such as "version 3: line 2, 4 items, total 31.17 (added now)". */
static void print_result(const struct call *call, const struct corral_result *result,
			 const char *done)
{
	char total[FORMAT_MAX];

	printf("version %" PRIu64 ": ", result->version);
	if (call->steps != NULL)
		print_lines(call->steps);
	else if (result->line)
		printf("line %" PRIu32 ", ", result->line);
	printf("%" PRIu32 " item%s, total %s (%s)\n", result->item_count,
	       plural(result->item_count),
	       format_amount(result->total_cents, call->currency.digits, total),
	       result->applied ? done : "already applied");
}

static json_t *json_of_answer(const struct call *call, const struct corral_result *result)
{
	json_t *answer = json_of_result(result);

	if (call->steps != NULL)
		json_object_set_new(answer, "lines",
				    json_of_lines(call->steps->lines, call->steps->count));
	return answer;
}

/*
 * The currency in which amounts are written: the cart's or, if it is not there, the one it would
 * get.
 */
static int find_currency(struct corral *corral, const struct corral_key *key,
			 struct currency *ret_currency)
{
	struct corral_head head;
	struct corral_view view;
	int r = corral_read_begin(corral, key, &view);

	if (r == -ENOENT) {
		corral_default_currency(corral, ret_currency->code, &ret_currency->digits);
		return 0;
	}
	if (r)
		return r;
	r = corral_view_head(&view, &head);
	if (r == 0) {
		memcpy(ret_currency->code, head.currency, sizeof(ret_currency->code));
		ret_currency->digits = head.currency_digits;
	}
	corral_read_end(&view);
	return r;
}

/* Can the call have changed the currency? */
static bool sets_currency(const struct call *call)
{
	return call->steps != NULL || call->command->run == run_currency;
}

static enum exit_code wrong_amount(const char *option, const char *text, const char *wrong)
{
	return complain(EXIT_USAGE, "wrong value: %s '%s': %s", option, text, wrong);
}

/* Read the amounts of the call, which have the right form for some currency at least. */
static enum exit_code take_amounts(struct call *call)
{
	const uint32_t digits = call->currency.digits;
	const char *wrong;

	if (call->price != NULL) {
		wrong = parse_amount(call->price, digits, false, &call->item.unit_price_cents);
		if (wrong != NULL)
			return wrong_amount("--price", call->price, wrong);
	}
	for (uint32_t i = 0; i < call->item.modifier_count; i++) {
		wrong = parse_amount(call->modifier_prices[i], digits, true,
				     &call->modifiers[i].price_cents);
		if (wrong != NULL)
			return wrong_amount("--modifier", call->modifier_prices[i], wrong);
	}
	if (call->amount != NULL && call->adjustment.ppm == 0 &&
	    strchr(call->amount, '%') == NULL) {
		wrong = parse_amount(call->amount, digits, false, &call->adjustment.cents);
		if (wrong != NULL)
			return wrong_amount("AMOUNT", call->amount, wrong);
	}
	return EXIT_DONE;
}

static enum exit_code change(struct call *call, change_fn *make, const char *done)
{
	struct corral_result result = { 0 };
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, 0, &corral);
	int r;

	if (code)
		return code;
	r = find_currency(corral, &call->key, &call->currency);
	code = r == 0 ? take_amounts(call) : complain_cart(call, r);
	if (code) {
		corral_close(corral);
		return code;
	}
	r = make(corral, call, &result);
	if (!r && call->sync && !result.durable) {
		result.sync_error = corral_sync(corral, -1, NULL);
		result.durable = result.sync_error == 0;
	}
	if (r == 0 && sets_currency(call)) /* if the cart has ended since, it does not matter */
		(void)find_currency(corral, &call->key, &call->currency);
	corral_close(corral);
	if (r)
		return complain_step(call, call->steps != NULL ? result.step : 0, r);
	if (call->json)
		json_print(json_of_answer(call, &result));
	else
		print_result(call, &result, done);
	return result.sync_error ? complain_sync("the change is made", result.sync_error) :
				   EXIT_DONE;
}

/* ---------------------------------------------------------------------- add */

/*
 * Change a cart by steps in which amounts were written in the cart's currency: the first step says
 * so, so that the change is refused if the cart has another one by now.
 */
static int apply_in_currency(struct corral *corral, const struct call *call,
			     const struct corral_step *steps, uint32_t count,
			     struct corral_result *ret_result)
{
	struct corral_step all[3] = { { .kind = CORRAL_STEP_SET_CURRENCY,
					.name = corral_text(call->currency.code) } };
	const uint32_t first = *call->currency.code ? 0 : 1;

	memcpy(all + 1, steps, count * sizeof(*steps));
	return corral_apply(corral, &call->key, all + first, count + 1 - first, &call->op,
			    ret_result, NULL);
}

/* With a tax rate both are one change: no moment shows one without the other. */
static int make_add(struct corral *corral, const struct call *call,
		    struct corral_result *ret_result)
{
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = call->tax_ppm },
		{ .kind = CORRAL_STEP_ADD, .item = &call->item },
	};
	const uint32_t first = call->taxed ? 0 : 1;

	return apply_in_currency(corral, call, steps + first, 2 - first, ret_result);
}

enum exit_code run_add(struct call *call)
{
	return change(call, make_add, "added now");
}

/* --------------------------------------------------------------- the others */

static int make_quantity(struct corral *corral, const struct call *call,
			 struct corral_result *ret_result)
{
	return corral_set_quantity(corral, &call->key, call->line, call->quantity, &call->op,
				   ret_result);
}

enum exit_code run_quantity(struct call *call)
{
	return change(call, make_quantity, "set now");
}

static int make_remove(struct corral *corral, const struct call *call,
		       struct corral_result *ret_result)
{
	return corral_remove(corral, &call->key, call->line, &call->op, ret_result);
}

enum exit_code run_remove(struct call *call)
{
	return change(call, make_remove, "removed now");
}

static int make_clear(struct corral *corral, const struct call *call,
		      struct corral_result *ret_result)
{
	return corral_clear(corral, &call->key, &call->op, ret_result);
}

enum exit_code run_clear(struct call *call)
{
	return change(call, make_clear, "cleared now");
}

static int make_tax(struct corral *corral, const struct call *call,
		    struct corral_result *ret_result)
{
	return corral_set_tax(corral, &call->key, call->tax_ppm, &call->op, ret_result);
}

enum exit_code run_tax(struct call *call)
{
	return change(call, make_tax, "set now");
}

static int make_attribute(struct corral *corral, const struct call *call,
			  struct corral_result *ret_result)
{
	return corral_set_attribute(corral, &call->key, &call->name,
				    call->has_value ? &call->value : NULL, &call->op, ret_result);
}

enum exit_code run_attribute(struct call *call)
{
	return change(call, make_attribute, call->has_value ? "set now" : "taken away now");
}

static int make_adjust(struct corral *corral, const struct call *call,
		       struct corral_result *ret_result)
{
	const struct corral_step set = { .kind = CORRAL_STEP_SET_ADJUSTMENT,
					 .adjustment = &call->adjustment };
	const struct corral_step remove = { .kind = CORRAL_STEP_REMOVE_ADJUSTMENT,
					    .name = call->adjustment.name };

	if (call->amount == NULL)
		return corral_apply(corral, &call->key, &remove, 1, &call->op, ret_result, NULL);
	return apply_in_currency(corral, call, &set, 1, ret_result);
}

enum exit_code run_adjust(struct call *call)
{
	if (call->amount != NULL && call->adjustment.kind == 0)
		return complain(EXIT_USAGE,
				"an option is missing: --kind: see corral adjust --help");
	call->adjustment.after_tax = call->after_tax;
	return change(call, make_adjust, call->amount != NULL ? "set now" : "taken away now");
}

static int make_pricing(struct corral *corral, const struct call *call,
			struct corral_result *ret_result)
{
	const struct corral_step set = { .kind = CORRAL_STEP_SET_PRICING,
					 .pricing = (call->tax_inside ? CORRAL_TAX_INSIDE : 0) |
						    (call->half_even ? CORRAL_HALF_EVEN : 0) |
						    (call->below_zero ? CORRAL_BELOW_ZERO : 0) };

	return corral_apply(corral, &call->key, &set, 1, &call->op, ret_result, NULL);
}

enum exit_code run_pricing(struct call *call)
{
	return change(call, make_pricing, "set now");
}

static int make_currency(struct corral *corral, const struct call *call,
			 struct corral_result *ret_result)
{
	const struct corral_step set = { .kind = CORRAL_STEP_SET_CURRENCY, .name = call->name };

	return corral_apply(corral, &call->key, &set, 1, &call->op, ret_result, NULL);
}

enum exit_code run_currency(struct call *call)
{
	return change(call, make_currency, "set now");
}

static int make_ttl(struct corral *corral, const struct call *call,
		    struct corral_result *ret_result)
{
	return corral_set_ttl(corral, &call->key, call->ttl_ms, &call->op, ret_result);
}

enum exit_code run_ttl(struct call *call)
{
	return change(call, make_ttl, "set now");
}

static int make_checkout(struct corral *corral, const struct call *call,
			 struct corral_result *ret_result)
{
	return corral_checkout(corral, &call->key, &call->op, ret_result);
}

enum exit_code run_checkout(struct call *call)
{
	return change(call, make_checkout, "checked out now");
}

/* The steps are on standard input, which is read and checked first. */
static int make_steps(struct corral *corral, const struct call *call,
		      struct corral_result *ret_result)
{
	return corral_apply(corral, &call->key, call->steps->list, call->steps->count, &call->op,
			    ret_result, call->steps->lines);
}

enum exit_code run_apply(struct call *call)
{
	enum exit_code code;

	call->steps = steps_new();
	code = steps_read(stdin, call->steps);
	if (code == EXIT_DONE)
		code = change(call, make_steps, "applied now");
	steps_free(call->steps);
	call->steps = NULL;
	return code;
}

static int make_drop(struct corral *corral, const struct call *call,
		     struct corral_result *ret_result)
{
	return corral_drop(corral, &call->key, &call->op, ret_result);
}

enum exit_code run_drop(struct call *call)
{
	return change(call, make_drop, "dropped now");
}
