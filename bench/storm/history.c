/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.c: the calls of a storm as JSON lines. See history.h.
 *
 * The JSON is written without a library: all texts are our own and need no escapes, and there are
 * millions of lines.
 */
#include <inttypes.h>
#include <string.h>

#include "call.h"
#include "history.h"
#include "model.h"

static const char *const adjustments[STORM_ADJUSTMENTS] = {
	[STORM_DISCOUNT] = "discount",
	[STORM_FEE] = "fee",
	[STORM_TIP] = "tip",
};

static void write_step(FILE *file, const struct storm_step *step)
{
	switch (step->kind) {
	case STORM_ADD:
		fprintf(file, ",\"item\":%" PRIu64 ",\"quantity\":%u", step->item, step->quantity);
		break;
	case STORM_SET:
	case STORM_REMOVE:
	case STORM_CHANGE:
	case STORM_LINE_TAX:
		if (step->line != 0)
			fprintf(file, ",\"line\":%u", step->line);
		else
			fprintf(file, ",\"item\":%" PRIu64, step->item);
		if (step->kind == STORM_SET)
			fprintf(file, ",\"quantity\":%u", step->quantity);
		if (step->kind == STORM_CHANGE)
			fprintf(file, ",\"difference\":%d", (int32_t)step->value);
		if (step->kind == STORM_LINE_TAX && step->value != 0)
			fprintf(file, ",\"tax_ppm\":%u", step->value - 1);
		break;
	case STORM_ADJUST:
		fprintf(file, ",\"name\":\"%s\",\"value\":%u", adjustments[step->name],
			step->value);
		break;
	case STORM_TAX:
		fprintf(file, ",\"tax_ppm\":%u", step->value);
		break;
	case STORM_ATTRIBUTE:
		fprintf(file, ",\"name\":\"a%u\",\"value\":%u", step->name, step->value);
		break;
	case STORM_TTL:
		fprintf(file, ",\"ttl_ms\":%u", step->value);
		break;
	default:
		break;
	}
}

static void write_steps(FILE *file, const struct storm_call *call)
{
	fputs(",\"steps\":[", file);
	for (uint32_t i = 0; i < call->step_count; i++) {
		fprintf(file, "%s{\"kind\":\"%s\"", i > 0 ? "," : "",
			storm_kind_name(call->steps[i].kind));
		write_step(file, &call->steps[i]);
		fputs("}", file);
	}
	fputs("]", file);
}

static void write_arguments(FILE *file, const struct storm_call *call)
{
	struct storm_step steps[STORM_STEPS];

	switch (call->kind) {
	case STORM_REPLACE:
		fprintf(file, ",\"item\":%" PRIu64 ",\"quantity\":%u,\"tax_ppm\":%u", call->item,
			call->quantity, call->value);
		break;
	case STORM_APPLY:
		write_steps(file, call);
		break;
	default:
		(void)storm_model_steps(call, steps);
		write_step(file, &steps[0]);
		break;
	}
	if (call->if_version != 0 || call->kind == STORM_REPLACE)
		fprintf(file, ",\"if_version\":%" PRIu64, call->if_version);
}

static void write_lines(FILE *file, const struct storm_call *call)
{
	fputs(",\"step_lines\":[", file);
	for (uint32_t i = 0; i < call->step_count; i++)
		fprintf(file, "%s%u", i > 0 ? "," : "", call->steps[i].answer_line);
	fputs("]", file);
}

static void write_answer(FILE *file, const struct storm_call *call)
{
	if (call->state == STORM_PENDING) {
		fprintf(file, ",\"return_ns\":null,\"error\":null");
		return;
	}
	fprintf(file, ",\"return_ns\":%" PRIu64, call->return_ns);
	if (call->error < 0) {
		const char *name = strerrorname_np(-call->error);

		fprintf(file, ",\"error\":\"%s\"", name == NULL ? "?" : name);
		if (call->kind == STORM_APPLY)
			fprintf(file, ",\"step\":%u", call->answer_step);
		return;
	}
	fprintf(file,
		",\"error\":null,\"version\":%" PRIu64 ",\"subtotal_cents\":%" PRId64
		",\"tax_cents\":%" PRId64 ",\"total_cents\":%" PRId64,
		call->version, call->subtotal_cents, call->tax_cents, call->total_cents);
	fprintf(file, ",\"items\":%u,\"status\":%u", call->item_count, call->status);
	if (call->kind == STORM_APPLY)
		write_lines(file, call);
	if (storm_is_change(call))
		fprintf(file, ",\"line\":%u,\"applied\":%s", call->answer_line,
			call->applied ? "true" : "false");
	else
		fprintf(file, ",\"lines\":%u,\"tax_ppm\":%u", call->line_count, call->tax_ppm);
}

void storm_history_write(FILE *file, const struct storm_call *call)
{
	fprintf(file, "{\"cart\":\"cart-%u\",\"worker\":%u,\"thread\":%u,\"op\":", call->cart,
		call->worker, call->thread);
	if (call->op != 0 && storm_is_change(call))
		fprintf(file, "\"%" PRIx64 "\"", call->op);
	else
		fputs("null", file);
	fprintf(file, ",\"attempt\":%u,\"kind\":\"%s\",\"arguments\":{\"round\":%u", call->attempt,
		storm_kind_name(call->kind), call->round);
	write_arguments(file, call);
	fprintf(file, "},\"invoke_ns\":%" PRIu64, call->invoke_ns);
	write_answer(file, call);
	fputs("}\n", file);
}
