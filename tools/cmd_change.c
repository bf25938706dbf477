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

/* Of each step the line it was about, or a dash: "lines 3 1 -, ". */
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
	       plural(result->item_count), format_money(result->total_cents, total),
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

static enum exit_code change(struct call *call, change_fn *make, const char *done)
{
	struct corral_result result = { 0 };
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, 0, &corral);
	int r;

	if (code)
		return code;
	r = make(corral, call, &result);
	if (!r && call->sync && !result.durable) {
		result.sync_error = corral_sync(corral, -1, NULL);
		result.durable = result.sync_error == 0;
	}
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

/* With a tax rate both are one change: no moment shows one without the other. */
static int make_add(struct corral *corral, const struct call *call,
		    struct corral_result *ret_result)
{
	const struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = call->tax_ppm },
		{ .kind = CORRAL_STEP_ADD, .item = &call->item },
	};

	if (!call->taxed)
		return corral_add(corral, &call->key, &call->item, &call->op, ret_result);
	return corral_apply(corral, &call->key, steps, 2, &call->op, ret_result, NULL);
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

/* What it does is on standard input, which is read and checked first. */
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
