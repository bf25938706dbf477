/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alive.c: liveness bytes and process records. See alive.h for the idea.
 *
 * To attach, a process takes a free byte, repairs what the record's last owner left, and writes
 * itself in. A death at any point frees the byte, and the next process that takes it repairs again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena/access.h"
#include "base/atomic.h"
#include "sync/alive.h"

static struct flock byte_lock(short type, uint32_t byte)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
	};

	return lock;
}

bool alive_take(const struct life *life, uint32_t byte)
{
	struct flock lock = byte_lock(F_WRLCK, byte);

	/* a lock on another file would be granted and would make the living look dead */
	return descriptor_is(life->fd, &life->id) && fcntl(life->fd, F_OFD_SETLK, &lock) == 0;
}

void alive_drop(const struct life *life, uint32_t byte)
{
	struct flock lock = byte_lock(F_UNLCK, byte);

	if (descriptor_is(life->fd, &life->id))
		(void)fcntl(life->fd, F_OFD_SETLK, &lock);
}

bool alive_test(int lock_fd, uint32_t byte)
{
	struct flock lock = byte_lock(F_WRLCK, byte);

	/* when in doubt, alive: a living process is never repaired */
	return fcntl(lock_fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool alive_anybody(int lock_fd)
{
	struct flock lock = byte_lock(F_WRLCK, ALIVE_BYTE(0));

	lock.l_len = MAX_PROCESSES;
	return fcntl(lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * Some sandboxes refuse these locks, or grant them to every caller. So take a lock on a byte that
 * belongs to no process, and check that a second open file sees it as taken. (The lock is shared,
 * because other processes may probe at the same moment; it does not matter which of the locks is
 * seen.)
 */
static int probe_locks(int dir_fd, int fd, char *why)
{
	struct flock lock = byte_lock(F_RDLCK, ALIVE_PROBE_BYTE);
	struct flock seen = byte_lock(F_WRLCK, ALIVE_PROBE_BYTE);
	int other = access_open(dir_fd, ARENA_LOCK_FILE, 0, false, why);
	int error = 0;

	if (other < 0)
		return other;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || fcntl(other, F_OFD_GETLK, &seen) < 0)
		error = errno;
	close(other);
	lock.l_type = F_UNLCK;
	(void)fcntl(fd, F_OFD_SETLK, &lock);
	if (error == 0 && seen.l_type != F_UNLCK)
		return 0;
	return reason_set(why, -ENOLCK,
			  "%s: locks of open files (F_OFD_SETLK of fcntl(2)) do not work here: %s; "
			  "they tell who lives: use a kernel and a sandbox that have them",
			  ARENA_LOCK_FILE,
			  error != 0 ? strerrordesc_np(error) : "one that is held is not seen");
}

int alive_open(int dir_fd, bool create, struct life *ret_life, char *why)
{
	int fd = access_open(dir_fd, ARENA_LOCK_FILE, 0, create, why);

	if (fd < 0)
		return fd;
	int r = probe_locks(dir_fd, fd, why);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (create)
		access_regroup(dir_fd, fd);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *pin = mmap(NULL, page, PROT_NONE, MAP_SHARED, fd, 0);
	if (pin == MAP_FAILED || madvise(pin, page, MADV_DONTFORK) < 0) {
		int error = errno;
		if (pin != MAP_FAILED)
			munmap(pin, page);
		close(fd);
		return reason_system(why, -error, "cannot map %s", ARENA_LOCK_FILE);
	}
	ret_life->fd = fd;
	ret_life->id = descriptor_know(fd);
	ret_life->pin = pin;
	ret_life->process = UINT32_MAX;
	pthread_mutex_init(&ret_life->repairing, NULL);
	return 0;
}

void alive_disown(struct life *life)
{
	descriptor_close(life->fd, &life->id);
	life->fd = -1;
	life->pin = NULL; /* fork did not copy it, and its address may be in use by now */
}

void alive_close(struct life *life)
{
	if (life->pin != NULL)
		munmap(life->pin, (size_t)sysconf(_SC_PAGESIZE));
	life->pin = NULL;
	descriptor_close(life->fd, &life->id);
	life->fd = -1;
	pthread_mutex_destroy(&life->repairing);
}

static void free_record(struct process_record *record)
{
	note(&record->generation, record->generation + 1);
	store_release(&record->state,
		      PROCESS_FREE); /* last: until then the record counts as used */
}

static void read_program(char *program, size_t size)
{
	int fd = descriptor_open(AT_FDCWD, "/proc/self/comm", O_RDONLY, 0);

	if (fd < 0)
		return;
	ssize_t n = read(fd, program, size - 1);
	close(fd);
	if (n > 0 && program[n - 1] == '\n')
		program[n - 1] = '\0';
}

static void show_name(struct process_record *record, const char *name)
{
	uint32_t changes = record->name_changes + 1;
	uint64_t words[PROCESS_NAME_BYTES / sizeof(uint64_t)] = { 0 };

	memcpy(words, name, strnlen(name, PROCESS_NAME_BYTES - 1));
	fence_stores(); /* the last change is seen before its predecessor goes. pairs [N1] */
	for (size_t word = 0; word < PROCESS_NAME_BYTES / sizeof(uint64_t); word++)
		store_relaxed(&record->names[changes % 2][word], words[word]);
	store_release(&record->name_changes, changes); /* pairs [N2] */
}

static void write_self(struct process_record *record, uint32_t flags, const char *label)
{
	char program[PROCESS_NAME_BYTES] = "";

	if (label[0] == '\0')
		read_program(program, sizeof(program));
	show_name(record, label[0] != '\0' ? label : program);
	record->pid = getpid();
	record->flags = flags;
	record->started_ms = arena_wall_ms();
	store_release(&record->state, PROCESS_USED);
}

/* Try to claim one record, after repair if its owner is dead. */
static bool claim_one(struct arena *arena, struct life *life, uint32_t number,
		      void (*repair)(struct arena *, uint32_t), uint32_t flags, const char *label)
{
	struct process_record *record = &arena->processes[number];

	if (!alive_take(life, ALIVE_BYTE(number)))
		return false;
	if (load_acquire(&record->state) != PROCESS_FREE) {
		repair(arena, number);
		free_record(record);
	}
	for (uint32_t high = load_acquire(&arena->header->processes_high); high <= number;
	     high = load_acquire(&arena->header->processes_high))
		(void)cas_acq_rel(&arena->header->processes_high, high, number + 1);
	write_self(record, flags, label);
	life->process = number;
	return true;
}

int alive_claim(struct arena *arena, struct life *life, void (*repair)(struct arena *, uint32_t),
		uint32_t flags, const char *label)
{
	uint32_t high = (uint32_t)min_u64(load_acquire(&arena->header->processes_high),
					  arena->max_processes);

	/* first the records that look used: those of the dead are reused before any other */
	for (uint32_t number = 0; number < high; number++)
		if (load_acquire(&arena->processes[number].state) != PROCESS_FREE &&
		    claim_one(arena, life, number, repair, flags, label))
			return 0;
	for (uint32_t number = 0; number < arena->max_processes; number++)
		if (load_acquire(&arena->processes[number].state) == PROCESS_FREE &&
		    claim_one(arena, life, number, repair, flags, label))
			return 0;
	return -EUSERS;
}

void alive_label(struct arena *arena, const struct life *life, const char *label)
{
	show_name(&arena->processes[life->process], label);
}

void alive_give_back(struct arena *arena, struct life *life)
{
	if (life->process == UINT32_MAX)
		return;
	free_record(&arena->processes[life->process]);
	alive_drop(life, ALIVE_BYTE(life->process));
	life->process = UINT32_MAX;
}

/*
 * If the process is dead: take its byte, repair it and free its record. False: it is alive, or
 * another thread of this process is repairing.
 */
static bool bury(struct arena *arena, struct life *life, uint32_t number,
		 void (*repair)(struct arena *, uint32_t))
{
	struct process_record *record = &arena->processes[number];
	bool was_dead = false;

	if (number == life->process || pthread_mutex_trylock(&life->repairing) != 0)
		return false;
	if (alive_take(life, ALIVE_BYTE(number))) {
		if (load_acquire(&record->state) != PROCESS_FREE) {
			repair(arena, number);
			free_record(record);
			was_dead = true;
		}
		alive_drop(life, ALIVE_BYTE(number));
	}
	pthread_mutex_unlock(&life->repairing);
	return was_dead;
}

bool alive_bury_if_dead(struct actor *actor, uint32_t name)
{
	if (name - 1 >= actor->arena->max_threads)
		return false; /* damaged word: the caller waits and gives up with -EBUSY */
	uint32_t owner = load_acquire(&actor->arena->threads[name - 1].owner);
	if (owner == 0)
		return true;
	if (owner - 1 >= actor->arena->max_processes)
		return false;
	return bury(actor->arena, actor->life, owner - 1, actor->repair);
}

uint32_t alive_bury_all(struct arena *arena, struct life *life,
			void (*repair)(struct arena *, uint32_t))
{
	uint32_t high = (uint32_t)min_u64(load_acquire(&arena->header->processes_high),
					  arena->max_processes);
	uint32_t count = 0;

	for (uint32_t number = 0; number < high; number++)
		if (load_acquire(&arena->processes[number].state) != PROCESS_FREE)
			count += bury(arena, life, number, repair);
	return count;
}
