/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_disk.c: see power_disk.h.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/layout.h"
#include "base/hash.h"
#include "power_disk.h"
#include "support.h"

#define NONE UINT32_MAX
#define ENTRIES_MAX 128u

struct entry {
	uint32_t dir;
	uint32_t node; /* NONE: there is no such entry */
	const char *name;
};

struct content { /* the content of a node */
	uint8_t *bytes;
	uint64_t size;
	uint64_t room;                  /* the most that is ever written */
	const struct power_step *arena; /* its last sync */
};

static struct { /* the state that is built */
	struct entry entries[ENTRIES_MAX];
	uint32_t entry_count;
	struct content contents[POWER_NODES_MAX];
} disk;

/* ------------------------------------------------------------ building one */

static void entry_set(uint32_t dir, const char *name, uint32_t node)
{
	for (uint32_t i = 0; i < disk.entry_count; i++) {
		if (disk.entries[i].dir != dir || strcmp(disk.entries[i].name, name) != 0)
			continue;
		disk.entries[i].node = node;
		return;
	}
	must(disk.entry_count < ENTRIES_MAX);
	disk.entries[disk.entry_count++] = (struct entry){ dir, node, name };
}

static bool block_is_there(const struct power_state *state, uint32_t block)
{
	switch (state->tear) {
	case POWER_FIRST_BLOCKS:
		return block < state->block;
	case POWER_ALL_BUT_ONE_BLOCK:
		return block != state->block;
	case POWER_RANDOM_BLOCKS:
		return (XXH3_64bits_withSeed(&block, sizeof(block), state->block) & 1) != 0;
	case POWER_WHOLE:
		break;
	}
	return true;
}

static void grow(struct content *content, uint64_t size)
{
	must(size <= content->room);
	if (size > content->size)
		content->size = size;
}

/* Write some blocks only; blocks are counted from the file's beginning, as on the disk. */
static void write_torn(const struct power_state *state, struct content *content,
		       const struct power_step *step)
{
	uint64_t first = step->offset / state->block_bytes;
	uint64_t end = step->offset + step->size;

	for (uint64_t at = step->offset; at < end;) {
		uint64_t next = (at / state->block_bytes + 1) * state->block_bytes;
		uint64_t stop = next < end ? next : end;
		if (block_is_there(state, (uint32_t)(at / state->block_bytes - first))) {
			grow(content, stop);
			memcpy(content->bytes + at, step->bytes + (at - step->offset), stop - at);
		}
		at = stop;
	}
}

static void apply_step(const struct power_state *state, const struct power_step *step, bool torn)
{
	struct content *content = &disk.contents[step->node];

	switch (step->kind) {
	case POWER_CREATE:
	case POWER_MKDIR:
		entry_set(step->dir, step->name, step->node);
		break;
	case POWER_UNLINK:
		entry_set(step->dir, step->name, NONE);
		break;
	case POWER_RENAME:
		entry_set(step->dir, step->name, NONE);
		entry_set(step->to_dir, step->to_name, step->node);
		break;
	case POWER_WRITE:
		if (torn) {
			write_torn(state, content, step);
			break;
		}
		grow(content, step->offset + step->size);
		memcpy(content->bytes + step->offset, step->bytes, step->size);
		break;
	case POWER_TRUNCATE:
		if (step->offset < content->size)
			memset(content->bytes + step->offset, 0, content->size - step->offset);
		content->size = 0;
		grow(content, step->offset);
		break;
	case POWER_SYNC:
		if (step->bytes != NULL)
			content->arena = step;
		break;
	case POWER_NOTHING:
		break;
	}
}

/* A write that did not arrive may still extend the file. */
static void miss_step(const struct power_state *state, const struct power_step *step)
{
	if (step->kind == POWER_WRITE && state->grown)
		grow(&disk.contents[step->node], step->offset + step->size);
}

void power_disk_build(const struct power_state *state)
{
	uint32_t next = 0;

	disk.entry_count = 0;
	for (uint32_t i = 0; i < power_trace.node_count; i++) {
		struct content *content = &disk.contents[i];
		memset(content->bytes, 0, content->size);
		content->size = 0;
		content->arena = NULL;
	}
	for (uint32_t i = 0; i < state->at; i++) {
		const struct power_step *step = &power_trace.steps[i];
		bool pending = next < state->pending_count && state->pending[next] == i;
		bool torn = pending && state->tear != POWER_WHOLE && state->torn == next;
		if (!pending || state->kept[next])
			apply_step(state, step, torn);
		if (torn || (pending && !state->kept[next]))
			miss_step(state, step);
		next += pending;
	}
}

static uint64_t hash_directory(uint32_t dir)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < disk.entry_count; i++) {
		const struct entry *entry = &disk.entries[i];
		if (entry->dir != dir || entry->node == NONE)
			continue;
		const struct content *content = &disk.contents[entry->node];
		uint64_t one = XXH3_64bits_withSeed(content->bytes, content->size, content->size);
		if (power_trace.nodes[entry->node].is_directory)
			one = hash_directory(entry->node);
		if (content->arena != NULL)
			one ^= (uint64_t)(content->arena - power_trace.steps) + 1;
		hash += XXH3_64bits_withSeed(entry->name, strlen(entry->name), one);
	}
	return hash;
}

uint64_t power_disk_hash(void)
{
	return hash_directory(0);
}

/* -------------------------------------------------------------------- memory */

void power_disk_open(void)
{
	memset(disk.contents, 0, sizeof(disk.contents));
	for (uint32_t i = 0; i < power_trace.count; i++) {
		const struct power_step *step = &power_trace.steps[i];
		struct content *content = &disk.contents[step->node];
		uint64_t end = step->offset + (step->kind == POWER_WRITE ? step->size : 0);
		if ((step->kind == POWER_WRITE || step->kind == POWER_TRUNCATE) &&
		    end > content->room)
			content->room = end;
	}
	for (uint32_t i = 0; i < power_trace.node_count; i++) {
		disk.contents[i].bytes = calloc(1, disk.contents[i].room + 1);
		must(disk.contents[i].bytes != NULL);
	}
}

void power_disk_close(void)
{
	for (uint32_t i = 0; i < power_trace.node_count; i++)
		free(disk.contents[i].bytes);
}

/* ------------------------------------------------------------------- files */

static void make_file(int dir_fd, const char *name, const void *bytes, uint64_t size)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	must(fd >= 0);
	must(write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void make_arena(int dir_fd, const char *name, const struct power_step *sync)
{
	static const uint8_t other_boot[16] = { 0x5a };

	make_file(dir_fd, name, sync != NULL ? sync->bytes : NULL, sync != NULL ? sync->size : 0);
	if (sync == NULL)
		return;
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	must(fd >= 0);
	must(pwrite(fd, other_boot, sizeof(other_boot), offsetof(struct arena_header, boot_id)) ==
	     (ssize_t)sizeof(other_boot));
	close(fd);
}

static void make_directory(int dir_fd, uint32_t dir, bool arena)
{
	for (uint32_t i = 0; i < disk.entry_count; i++) {
		const struct entry *entry = &disk.entries[i];
		if (entry->dir != dir || entry->node == NONE)
			continue;
		if (power_trace.nodes[entry->node].is_directory) {
			must(mkdirat(dir_fd, entry->name, 0700) == 0);
			int fd = openat(dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			must(fd >= 0);
			make_directory(fd, entry->node, arena);
			close(fd);
		} else if (!power_trace.nodes[entry->node].is_arena) {
			const struct content *content = &disk.contents[entry->node];
			make_file(dir_fd, entry->name, content->bytes, content->size);
		} else if (arena) {
			make_arena(dir_fd, entry->name, disk.contents[entry->node].arena);
		}
	}
}

void power_disk_make(int dir_fd, bool arena)
{
	make_directory(dir_fd, 0, arena);
}
