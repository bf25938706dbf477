/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.h: an event of the feed for people and programs, as `corral events`, `corral history` and
 * corral-web show it.
 */
#ifndef CORRAL_TOOLS_EVENT_H
#define CORRAL_TOOLS_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "corral.h"

/* Such as "checked_out". */
const char *event_kind_name(uint32_t kind);

/* The word of a step, as corral apply has it, or "unknown". */
const char *event_step_name(uint32_t kind);

/* What a change did, such as "add line 3 2, tax 82500"; "" for what is no change. */
void event_describe(const struct corral_event *event, char *to, size_t size);

json_t *json_of_cursor(const struct corral_cursor *cursor);
json_t *json_of_event(const struct corral_event *event);

#endif
