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

static void write_arguments(FILE *file, const struct storm_call *call)
{
	switch (call->kind) {
	case STORM_ADD:
	case STORM_REPLACE:
		fprintf(file, ",\"item\":%" PRIu64 ",\"quantity\":%u", call->item, call->quantity);
		if (call->kind == STORM_REPLACE)
			fprintf(file, ",\"tax_ppm\":%u", call->value);
		break;
	case STORM_SET:
		fprintf(file, ",\"line\":%u,\"quantity\":%u", call->line, call->quantity);
		break;
	case STORM_REMOVE:
		fprintf(file, ",\"line\":%u", call->line);
		break;
	case STORM_TAX:
		fprintf(file, ",\"tax_ppm\":%u", call->value);
		break;
	case STORM_ATTRIBUTE:
		fprintf(file, ",\"name\":\"a%u\",\"value\":%u", call->name, call->value);
		break;
	case STORM_TTL:
		fprintf(file, ",\"ttl_ms\":%u", call->value);
		break;
	default:
		break;
	}
	if (call->if_version != 0 || call->kind == STORM_REPLACE)
		fprintf(file, ",\"if_version\":%" PRIu64, call->if_version);
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
		return;
	}
	fprintf(file,
		",\"error\":null,\"version\":%" PRIu64 ",\"subtotal_cents\":%" PRId64
		",\"tax_cents\":%" PRId64,
		call->version, call->subtotal_cents, call->tax_cents);
	fprintf(file, ",\"items\":%u,\"status\":%u", call->item_count, call->status);
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
