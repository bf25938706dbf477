/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_match.c: see journal_match.h. It reads the heads of the files, and one record.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "base/atomic.h"
#include "journal_file.h"
#include "journal_match.h"
#include "versions.h"

struct match {
	const struct arena_header *h;
	struct recover *there;
	int last;        /* the arena's last file; -1: it is not there */
	bool newer;      /* the journal is newer than the arena */
	bool others;     /* it has another arena's records, which a recovery would prefer */
	char found[200]; /* what does not match; "": all does */
};

static bool is_ours(const struct match *match, int file)
{
	const struct recover_file *there = &match->there->files_there[file];

	return there->state == 0 &&
	       memcmp(there->head.lineage, match->h->uuid, sizeof(match->h->uuid)) == 0;
}

static bool has_records(const struct match *match, int file)
{
	const struct recover_file *there = &match->there->files_there[file];

	return there->state == 0 && there->bytes > JOURNAL_HEADS_BYTES;
}

static void find_last(struct match *match)
{
	match->last = -1;
	for (int i = 0; i < match->there->count; i++)
		if (is_ours(match, i) &&
		    match->there->files_there[i].head.nonce == match->h->journal_nonce)
			match->last = i;
	if (match->last < 0)
		snprintf(match->found, sizeof(match->found),
			 "file %012u, which the arena wrote last, is not there",
			 match->h->journal_number);
}

/* Does the last file end where the arena says? */
static void compare_length(struct match *match)
{
	const struct recover_file *last = &match->there->files_there[match->last];
	unsigned long long number = match->there->numbers[match->last];

	match->newer = last->bytes > match->h->journal_end;
	if (match->newer || last->bytes < match->h->journal_bytes)
		snprintf(match->found, sizeof(match->found),
			 "file %012llu has %llu bytes, and the arena knows of %llu", number,
			 (unsigned long long)last->bytes,
			 (unsigned long long)(match->newer ? match->h->journal_end :
							     match->h->journal_bytes));
}

/* Does a reader find a CLOCK record where the arena says that the synced part ends? */
static void compare_clock(struct match *match)
{
	uint64_t at = match->h->journal_bytes - journal_record_bytes(sizeof(uint64_t));
	uint64_t number = match->there->numbers[match->last], offset;
	struct journal_record record = { 0 };
	struct journal_reader reader;
	const void *payload;

	if (match->h->journal_bytes <= JOURNAL_HEADS_BYTES)
		return; /* nothing yet */
	int r = journal_reader_open(match->there->dir_fd, number, &reader);
	if (r == 0) {
		reader.offset = max_u64(at, JOURNAL_HEADS_BYTES) & ~7ull;
		r = journal_reader_next(&reader, &record, &payload, &offset);
		journal_reader_close(&reader);
	}
	if (r < 0 || record.kind != JOURNAL_CLOCK) /* its sum proves file and place */
		snprintf(match->found, sizeof(match->found),
			 "file %012llu has no CLOCK at byte %llu, where the arena knows of one",
			 (unsigned long long)number, (unsigned long long)at);
}

/*
 * Is each file since the base where the next one's head says that it was, and as long? The next
 * recovery would miss what is gone.
 */
static void look_for_gaps(struct match *match)
{
	const struct recover *there = match->there;
	int former = -1;

	for (int i = 0; i < there->count; i++) {
		if (!is_ours(match, i))
			continue;
		bool before = former >= 0 && there->numbers[former] + 1 == there->numbers[i];
		if (there->numbers[i] > match->h->journal_base &&
		    there->files_there[i].head.former != 0 &&
		    (!before || recover_was_cut(there, former, i)))
			snprintf(match->found, sizeof(match->found), "file %012llu %s",
				 (unsigned long long)there->numbers[i] - 1,
				 before ? "was cut" : "is not there, or has no valid head");
		former = i;
	}
}

/* A file begun after the arena's last one has at most a head: its agent died while it made it. */
static void look_for_later(struct match *match)
{
	uint64_t last =
		match->last >= 0 ? match->there->numbers[match->last] : match->h->journal_number;

	for (int i = 0; i < match->there->count; i++) {
		unsigned long long number = match->there->numbers[i];
		if (!has_records(match, i))
			continue;
		match->others |= !is_ours(match, i) && (number > last || match->last < 0);
		if (number <= last)
			continue;
		match->newer |= is_ours(match, i);
		snprintf(match->found, sizeof(match->found),
			 "file %012llu is %s, and the arena's last one is %012llu", number,
			 is_ours(match, i) ? "there" : "another arena's", (unsigned long long)last);
	}
}

static bool has_base(const struct match *match)
{
	for (int i = 0; i < match->there->count; i++)
		if (is_ours(match, i) && match->there->numbers[i] == match->h->journal_base)
			return true;
	return false;
}

static void tell(struct agent *agent, const struct match *match)
{
	log_line(LOG_WARNING,
		 "%s: the journal and the arena do not belong together: %s: the carts are those of "
		 "the arena, and the journal begins anew with all of them; until that is written "
		 "nothing is durable",
		 agent->directory, match->found);
	for (int i = 0; i < match->there->count; i++)
		if (match->there->files_there[i].state == 0)
			match->there->head = match->there->files_there[i].head; /* for its name */
	if (match->newer || match->others)
		aside_keep(agent, match->there,
			   match->newer ? "the journal, which is newer than the arena," :
					  "the journal of another arena",
			   ASIDE_UNREAD);
}

static bool compare(struct agent *agent, struct match *match)
{
	struct arena *arena = agent->actor->arena;

	find_last(match);
	if (match->last >= 0)
		compare_length(match);
	if (match->last >= 0 && match->found[0] == '\0')
		compare_clock(match);
	look_for_gaps(match);
	look_for_later(match);
	if (match->found[0] == '\0')
		return match->h->journal_base != 0 && has_base(match);
	tell(agent, match);
	if (match->newer) /* else the arena would give versions that the journal already names */
		versions_jump(arena, match->there->epochs_used);
	return false;
}

bool journal_match(struct agent *agent, int journal_fd)
{
	const struct arena_header *h = agent->actor->arena->header;
	struct recover there;

	if (load_relaxed(&h->journal_error) != 0)
		return false; /* its last file was given up */
	if (agent->fresh)     /* made by us: from this journal, which is continued, or not */
		return h->journal_base != 0;
	if (h->journal_nonce == 0)
		return false; /* no journal was kept */
	int fd = fcntl(journal_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return false;
	struct match match = { .h = h, .there = &there };
	int r = recover_open(&there, fd, JOURNAL_DIRECTORY);
	if (r == 0)
		r = recover_heads(&there);
	if (r < 0)
		log_line(LOG_WARNING, "%s: the journal cannot be read: %s: it begins anew",
			 agent->directory, strerror(-r));
	bool on = r == 0 && compare(agent, &match);
	recover_close(&there);
	return on;
}
