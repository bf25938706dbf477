/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_kit.c: see crash_kit.h.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "crash_kit.h"

#define SEEN_ROOM 131072u
#define INSTRUCTIONS_MAX 3000000u
#define NEW_THREADS 8u /* so few processes never use records beyond these */
#define NEW_PROCESSES 8u
#define NEW_EVENTS 32u /* so few are numbered */
#define NEW_ENDS 32u

/* The files behind the two maps: programs treat an arena in another file than its own as a copy. */
static struct file {
	const uint8_t *map;
	uint64_t device;
	uint64_t inode;
	int64_t born_ns;
} files[2];

static void note_file(struct file *file, const uint8_t *map)
{
	const struct arena_header *h = (const struct arena_header *)(const void *)map;

	*file = (struct file){ map, h->file_device, h->file_inode, h->file_born_ns };
}

/* Stamp this map's own file into the bytes that were copied to it. */
static void own_file(uint8_t *map)
{
	struct arena_header *h = (struct arena_header *)(void *)map;
	const struct file *file = &files[map == files[0].map ? 0 : 1];

	assert_ptr_equal(file->map, map);
	h->file_device = file->device;
	h->file_inode = file->inode;
	h->file_born_ns = file->born_ns;
}

static uint8_t *map_arena(const struct yard *yard, size_t bytes)
{
	int fd = openat(yard->dir_fd, ARENA_FILE, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	uint8_t *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(map != MAP_FAILED);
	return map;
}

void crash_stage_make(struct crash_stage *stage, uint64_t bytes, uint32_t max_carts)
{
	const struct arena_settings settings = { .arena_bytes = bytes,
						 .max_carts = max_carts,
						 .ttl_ns = CRASH_TTL_MS * 1000000 };

	memset(stage, 0, sizeof(*stage));
	yard_make(&stage->yard, &settings);
	yard_make(&stage->other, &settings);
	stage->bytes = bytes;
	stage->map = map_arena(&stage->yard, bytes);
	stage->other_map = map_arena(&stage->other, bytes);
	note_file(&files[0], stage->map);
	note_file(&files[1], stage->other_map);
	stage->now.size = bytes;
	stage->now.bytes = malloc(bytes);
	stage->seen_room = SEEN_ROOM;
	stage->seen = calloc(SEEN_ROOM, sizeof(uint64_t));
	assert_non_null(stage->now.bytes);
	assert_non_null(stage->seen);
	memcpy(stage->now.bytes, stage->map, bytes);
}

void crash_stage_remove(struct crash_stage *stage)
{
	munmap(stage->map, stage->bytes);
	munmap(stage->other_map, stage->bytes);
	yard_remove(&stage->yard);
	yard_remove(&stage->other);
	free(stage->now.bytes);
	free(stage->seen);
}

/* ------------------------------------------------------------------ ranges */

/*
 * The parts of an arena that are in use: everything below the thread records, the first NEW_THREADS
 * of these, everything from the classes up to the feed, its first events and ends; and of each span
 * the blocks that were ever handed out.
 */
struct range {
	size_t at;
	size_t end;
};

#define RANGES_MAX 256u

static uint32_t ranges(const uint8_t *map, struct range range[RANGES_MAX])
{
	const struct arena_header *h = (const struct arena_header *)(const void *)map;
	const struct size_class *classes =
		(const struct size_class *)(const void *)(map + h->classes_at);
	const uint32_t *pages = (const uint32_t *)(const void *)(map + h->pages_at);
	uint32_t count = 0;

	range[count++] = (struct range){ 0, h->processes_at +
						    NEW_PROCESSES * sizeof(struct process_record) };
	range[count++] =
		(struct range){ h->threads_at,
				h->threads_at + NEW_THREADS * sizeof(struct thread_record) };
	range[count++] = (struct range){ h->classes_at, h->feed_at };
	range[count++] =
		(struct range){ h->feed_at, h->feed_at + NEW_EVENTS * sizeof(struct feed_entry) };
	const size_t ends_at = h->feed_at + h->feed_events * sizeof(struct feed_entry);
	range[count++] = (struct range){ ends_at, ends_at + NEW_ENDS * sizeof(struct feed_end) };
	for (uint32_t page = 0; page < h->page_count && count < RANGES_MAX; page++) {
		if (pages[page] == 0)
			continue;
		size_t at = h->space_at + (size_t)page * PAGE_BYTES;
		size_t end = at + PAGE_SPAN_PAGES(pages[page]) * PAGE_BYTES;
		size_t bump = (size_t)classes[PAGE_SPAN_CLASS(pages[page])].bump * BLOCK_UNIT;
		range[count++] = (struct range){ at, bump >= at && bump < end ? bump : end };
	}
	return count;
}

static bool differs(const uint8_t *a, const uint8_t *b)
{
	struct range range[RANGES_MAX];
	uint32_t count = ranges(a, range);

	for (uint32_t i = 0; i < count; i++)
		if (memcmp(a + range[i].at, b + range[i].at, range[i].end - range[i].at) != 0)
			return true;
	return false;
}

static void copy(uint8_t *to, const uint8_t *from)
{
	struct range range[RANGES_MAX];
	uint32_t count = ranges(from, range);

	for (uint32_t i = 0; i < count; i++)
		memcpy(to + range[i].at, from + range[i].at, range[i].end - range[i].at);
}

static uint64_t hash_of(const uint8_t *map)
{
	struct range range[RANGES_MAX];
	uint32_t count = ranges(map, range);
	uint64_t hash = 1;

	for (uint32_t i = 0; i < count; i++)
		hash = XXH3_64bits_withSeed(map + range[i].at, range[i].end - range[i].at, hash);
	return hash | 1;
}

void crash_to_other(struct crash_stage *stage)
{
	/* blocks never handed out here may hold leftovers of the last cell; they have no meaning */
	copy(stage->other_map, stage->now.bytes);
	own_file(stage->other_map);
}

void crash_keep(const struct crash_stage *stage, struct image *ret_image)
{
	ret_image->size = stage->bytes;
	ret_image->returned = stage->returned;
	ret_image->bytes = calloc(1, stage->bytes);
	assert_non_null(ret_image->bytes);
	copy(ret_image->bytes, stage->now.bytes);
}

void crash_show(struct crash_stage *stage, const struct image *image)
{
	stage->returned = image->returned;
	copy(stage->now.bytes, image->bytes);
}

void crash_stage_again(struct crash_stage *stage, const struct image *image)
{
	if (image != NULL) {
		memcpy(stage->map, image->bytes, image->size);
	} else {
		const struct arena_header *h =
			(const struct arena_header *)(const void *)stage->map;
		struct arena_header fresh = *h;
		memset(stage->map + HEADER_BYTES, 0, stage->bytes - HEADER_BYTES);
		memset((uint8_t *)&fresh + offsetof(struct arena_header, gp_phase), 0,
		       sizeof(fresh) - offsetof(struct arena_header, gp_phase));
		fresh.gp_phase = fresh.gp_completed = fresh.gp_fenced = 1;
		fresh.feed = 1;
		fresh.feed_next = fresh.feed_first = arena_feed_begin(fresh.version_epoch);
		memcpy(stage->map, &fresh, sizeof(fresh));
	}
	own_file(stage->map);
	memcpy(stage->now.bytes, stage->map, stage->bytes);
	memcpy(stage->other_map, stage->map, stage->bytes);
	own_file(stage->other_map);
	stage->returned = false;
	stage->instructions = 0;
	stage->states = 0;
}

void crash_stage_reset(struct crash_stage *stage, const struct image *image)
{
	crash_stage_again(stage, image);
	memset(stage->seen, 0, stage->seen_room * sizeof(uint64_t));
	stage->seen_count = 0;
}

/* ----------------------------------------------------------------- tracing */

static bool first_time(struct crash_stage *stage, uint64_t hash)
{
	for (uint32_t at = (uint32_t)(hash >> 20) % stage->seen_room;;
	     at = (at + 1) % stage->seen_room) {
		if (stage->seen[at] == hash)
			return false;
		if (stage->seen[at] == 0) {
			assert_true(stage->seen_count++ < stage->seen_room / 2);
			stage->seen[at] = hash;
			return true;
		}
	}
}

static _Noreturn void be_traced(const struct crash_stage *stage, const struct crash_plan *plan)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	void *prepared = plan->prepare(stage->yard.path);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	plan->act(prepared);
	raise(SIGSTOP);
	_exit(0);
}

/*
 * Tracer and tracee take turns, so one CPU costs a third of what two cost. CORRAL_CRASH_CPU chooses
 * it.
 */
static void stay_on_one_cpu(void)
{
	const char *wanted = getenv("CORRAL_CRASH_CPU");
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(wanted != NULL ? strtoul(wanted, NULL, 10) : (unsigned)sched_getcpu(), &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void look(struct crash_stage *stage,
		 void (*on_state)(struct crash_stage *, uint64_t, void *), void *context)
{
	if (!differs(stage->map, stage->now.bytes))
		return;
	copy(stage->now.bytes, stage->map);
	if (!first_time(stage, hash_of(stage->now.bytes)))
		return;
	on_state(stage, stage->states++, context);
}

/*
 * The traced process has forked: from now on its child is traced, and the parent waits for the
 * child.
 */
static pid_t follow_child(pid_t parent)
{
	unsigned long child = 0;
	int status;

	assert_int_equal(ptrace(PTRACE_GETEVENTMSG, parent, NULL, &child), 0);
	assert_int_equal(waitpid((pid_t)child, &status, __WALL), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_DETACH, parent, NULL, NULL), 0);
	return (pid_t)child;
}

/* Step to the end of act(); false: the child did not reach it. */
static bool step_through(struct crash_stage *stage, pid_t *pid,
			 void (*on_state)(struct crash_stage *, uint64_t, void *), void *context)
{
	int status;

	for (int signal_to_give = 0; stage->instructions < INSTRUCTIONS_MAX;
	     stage->instructions++) {
		assert_int_equal(
			ptrace(PTRACE_SINGLESTEP, *pid, NULL, (void *)(intptr_t)signal_to_give), 0);
		assert_int_equal(waitpid(*pid, &status, __WALL), *pid);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
			return WIFSTOPPED(status);
		signal_to_give = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_FORK)
			*pid = follow_child(*pid);
		look(stage, on_state, context);
	}
	return false;
}

bool crash_run(struct crash_stage *stage, const struct crash_plan *plan,
	       void (*on_state)(struct crash_stage *stage, uint64_t state, void *context),
	       void *context)
{
	int status;

	stay_on_one_cpu();
	fflush(NULL);
	pid_t first = fork();
	assert_true(first >= 0);
	if (first == 0)
		be_traced(stage, plan);
	assert_int_equal(waitpid(first, &status, 0), first);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return false;
	assert_true(WIFSTOPPED(status));
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, first, NULL, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL), 0);
	if (plan->begin != NULL)
		plan->begin(stage);
	copy(stage->now.bytes, stage->map); /* as prepared */
	pid_t pid = first;
	stage->returned = false;
	stage->returned = step_through(stage, &pid, on_state, context);
	if (stage->returned)
		on_state(stage, stage->states, context);
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, __WALL);
	if (pid != first) {
		kill(first, SIGKILL);
		(void)waitpid(first, NULL, 0);
	}
	assert_true(stage->returned);
	return true;
}
