/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * death_log.c: see death_log.h.
 */
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sync/death_log.h"

static struct death *entry_of(const struct arena *arena, uint64_t number)
{
	return &arena->header->death[(number - 1) % DEATHS_KEPT];
}

void death_log_write(struct arena *arena, const struct death *death)
{
	uint64_t number = fetch_add_relaxed(&arena->header->deaths, 1u) +
			  1; /* relaxed: numbers only have to be unique */
	struct death *entry = entry_of(arena, number);

	note(&entry->number, 0);
	fence_full(); /* incomplete, before its words change. pairs [D1] */
	memcpy((uint8_t *)entry + sizeof(entry->number),
	       (const uint8_t *)death + sizeof(death->number),
	       sizeof(*entry) - sizeof(entry->number));
	entry->repairer_pid = getpid();
	store_release(&entry->number, number); /* words before the number. pairs [D1] */
}

uint64_t death_log_count(const struct arena *arena)
{
	return load_acquire(&arena->header->deaths);
}

bool death_log_read(const struct arena *arena, uint64_t number, struct death *ret_death)
{
	const struct death *entry = entry_of(arena, number);
	struct death copy;

	if (load_acquire(&entry->number) != number) /* pairs [D1] */
		return false;
	memcpy(&copy, entry, sizeof(copy));
	fence_loads(); /* the copy before the second look. pairs [D1] */
	if (load_relaxed(&entry->number) != number)
		return false;
	copy.program[sizeof(copy.program) - 1] = '\0';
	*ret_death = copy;
	return true;
}

/* ------------------------------------------------------------------- words */

static const struct {
	uint32_t bit;
	const char *text;
} words[] = {
	{ DEATH_READING, "was reading" },
	{ DEATH_SLOT, "held a cart's lock" },
	{ DEATH_BUCKET, "held a chain's lock" },
	{ DEATH_LISTS, "held the lock of retired lists" },
	{ DEATH_SLOTS, "held the lock of the free slots" },
	{ DEATH_CLASS, "held a size class's lock" },
	{ DEATH_SPACE, "held the page table's lock" },
	{ DEATH_PUBLISHED, "its change was published: completed" },
	{ DEATH_UNPUBLISHED, "its change was not published: undone" },
	{ DEATH_INSERTED, "its new cart was linked: completed" },
	{ DEATH_ENDED, "its cart had ended: completed" },
	{ DEATH_SPLICE, "a move of free blocks: made whole" },
	{ DEATH_HAND, "a block or slot in hand: given back" },
};

static void append(char text[DEATH_TEXT_BYTES], const char *more)
{
	size_t size = strlen(text);

	snprintf(text + size, DEATH_TEXT_BYTES - size, "%s%s", size > 0 ? "; " : "", more);
}

void death_log_describe(const struct death *death, char text[DEATH_TEXT_BYTES])
{
	char where[32];

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((death->found & words[i].bit) == 0)
			continue;
		append(text, words[i].text);
		if (words[i].bit == DEATH_SLOT && death->slot != 0) {
			snprintf(where, sizeof(where), " (slot %u)", death->slot - 1);
			strncat(text, where, DEATH_TEXT_BYTES - strlen(text) - 1);
		}
	}
	if (text[0] == '\0')
		append(text, "held nothing");
}
