/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_change.c: the commands that change a cart. Each is one call of the library; change() does
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

/* One line, such as "version 3: line 2, 4 items, total 31.17 (added now)". */
static void print_result(const struct corral_result *result, const char *done)
{
	char total[FORMAT_MAX];

	printf("version %" PRIu64 ": ", result->version);
	if (result->line)
		printf("line %" PRIu32 ", ", result->line);
	printf("%" PRIu32 " item%s, total %s (%s)\n", result->item_count,
	       plural(result->item_count), format_money(result->total_cents, total),
	       result->applied ? done : "already applied");
}

static enum exit_code change(struct call *call, change_fn *make, const char *done)
{
	struct corral_result result = { 0 };
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, 0, &corral);
	int error;

	if (code)
		return code;
	error = make(corral, call, &result);
	if (!error && (call->given & HAS(OPTION_SYNC)) && !result.durable) {
		result.sync_error = corral_sync(corral);
		result.durable = result.sync_error == 0;
	}
	corral_close(corral);
	if (error)
		return complain_cart(call, error);
	if (call->given & HAS(OPTION_JSON))
		json_print(json_of_result(&result));
	else
		print_result(&result, done);
	return result.sync_error ? complain_sync("the change is made", result.sync_error) :
				   EXIT_DONE;
}

/* ---------------------------------------------------------------------- add */

/* 64-bit FNV-1a. */
static uint64_t hash_text(struct corral_text text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
	return hash;
}

/*
 * The id of the tax part of a change named id: "id:tax", or as much of id as fits, followed by its
 * hash.
 */
static struct corral_text tax_op_id(struct corral_text id, char buffer[CORRAL_ID_MAX + 1])
{
	static const char suffix[] = ":tax";
	size_t keep = CORRAL_ID_MAX - 16 - (sizeof(suffix) - 1);

	if (id.size == 0)
		return id;
	if (id.size + sizeof(suffix) - 1 <= CORRAL_ID_MAX) {
		snprintf(buffer, CORRAL_ID_MAX + 1, "%.*s%s", (int)id.size, id.data, suffix);
	} else {
		while ((id.data[keep] & 0xc0) == 0x80) /* never split a character */
			keep--;
		snprintf(buffer, CORRAL_ID_MAX + 1, "%.*s%016" PRIx64 "%s", (int)keep, id.data,
			 hash_text(id), suffix);
	}
	return corral_text(buffer);
}

/* True if the cart already has this rate. */
static int tax_is(struct corral *corral, const struct call *call, bool *ret_same)
{
	struct corral_view view;
	struct corral_head head;
	int error = corral_read_begin(corral, &call->key, &view);

	*ret_same = false;
	if (error)
		return error == -ENOENT ? 0 : error;
	error = corral_view_head(&view, &head);
	if (error == 0)
		*ret_same = head.tax_ppm == call->tax_ppm;
	corral_read_end(&view);
	return error;
}

/*
 * The tax comes first, so the item is never visible without it. A named change sets the tax even if
 * the rate is already the same: otherwise a repeated try could undo a rate that another writer set
 * in between, since the first try would have left no trace.
 */
static int make_add(struct corral *corral, const struct call *call,
		    struct corral_result *ret_result)
{
	struct corral_op op = call->op;
	struct corral_op tax_op = call->op;
	char buffer[CORRAL_ID_MAX + 1];
	bool same = false;
	int error = 0;

	if (call->given & HAS(OPTION_TAX)) {
		if (op.id.size == 0)
			error = tax_is(corral, call, &same);
		tax_op.id = tax_op_id(op.id, buffer);
		if (error == 0 && !same)
			error = corral_set_tax(corral, &call->key, call->tax_ppm, &tax_op,
					       ret_result);
		if (error)
			return error;
		if (op.if_version && !same)
			op.if_version = ret_result->version;
	}
	return corral_add(corral, &call->key, &call->item, &op, ret_result);
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

static int make_drop(struct corral *corral, const struct call *call,
		     struct corral_result *ret_result)
{
	return corral_drop(corral, &call->key, &call->op, ret_result);
}

enum exit_code run_drop(struct call *call)
{
	return change(call, make_drop, "dropped now");
}
