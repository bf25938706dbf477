/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sections.h: the parts of an arena as JSON, which --json prints and from which the tables are
 * made.
 */
#ifndef CORRAL_TOOLS_SECTIONS_H
#define CORRAL_TOOLS_SECTIONS_H

#include "inspect/inspect.h"
#include "tool.h"

#define SECTION_SLOTS_FEW 20 /* slots shown when all sections are */

/* Open the arena of a location (NULL: the default), or a file; complains on failure. */
enum exit_code open_inspect(const char *location, bool lenient, struct inspect **ret_inspect);

/* Each returns an object. The header comes without its secret, the hash seed. */
json_t *section_header(struct inspect *inspect);
json_t *section_memory(struct inspect *inspect);
/* What can be said of it without looking at each cart and block: out of counters. */
json_t *section_summary(struct inspect *inspect);
json_t *section_journal(struct inspect *inspect);
json_t *section_feed(struct inspect *inspect);
json_t *section_cursors(struct inspect *inspect);

/* The next slot that has a cart, from *index on, which goes behind it; NULL: there is none. */
json_t *section_slot(struct inspect *inspect, uint32_t *index);

/* Each returns an array of objects. */
json_t *section_slots(struct inspect *inspect, size_t most);
json_t *section_classes(struct inspect *inspect);
json_t *section_processes(struct inspect *inspect);
json_t *section_threads(struct inspect *inspect);
json_t *section_readers(struct inspect *inspect);
json_t *section_locks(struct inspect *inspect);
json_t *section_deaths(struct inspect *inspect);

/* How long changes took: how many, and what the 50th, 99th ... percentile is, in nanoseconds. */
json_t *section_latency(const struct corral_latency *latency);

/* "off", "time" or "sync". */
const char *section_journal_mode(const struct arena_header *header);

/*
 * Why current changes may be lost in a power loss; NULL: they reach the disk in time.
 * *ret_since_ms: since when, 0: not known.
 */
const char *section_not_durable(struct inspect *inspect, int64_t *ret_since_ms);

/* The arena's uuid as text. */
#define SECTION_UUID_BYTES 37
char *section_uuid(const struct arena_header *header, char buffer[SECTION_UUID_BYTES]);

#endif
