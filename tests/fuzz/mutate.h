/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate.h: declarations that the files of the mutator share; mutate.c describes it.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena/layout.h"
#include "corral.h"

#define CARTS_MAX 20u
#define COPIES_MAX 6u
#define FILES_MAX 24u
#define TOUCHED_MAX 256u
#define ARENA_NUMBER 0u /* as a file's number: the arena. The journal's begin at 1 */

/* ------------------------------------------------------------------- life */

struct copy {            /* where a version stands */
	uint64_t number; /* of the file */
	uint64_t from;
	uint64_t to;
};

struct said { /* what was acknowledged of a key, and is on disk */
	char session[16];
	bool there; /* false: it was dropped */
	uint64_t digest;
	uint64_t version;
	uint64_t slot_at; /* in the arena; 0: in none */
	/* of the version; of a cart that ended: its last CART, which names the key, and its EMPTY
	 */
	struct copy copies[COPIES_MAX];
	uint32_t copy_count;
};

#define RECORDS_MAX 1024u

struct at { /* a record of the journal's last file */
	uint64_t from;
	uint64_t to;
	bool is_clock;
};

struct life { /* a directory in which an agent and a worker lived, and what they left */
	char directory[PATH_MAX];
	char snapshot[PATH_MAX]; /* a file */
	struct said said[CARTS_MAX];
	uint64_t files[FILES_MAX]; /* numbers of the journal's */
	uint32_t file_count;
	struct at records[RECORDS_MAX];
	uint32_t record_count;       /* of the last file */
	struct at rounds[FILES_MAX]; /* the last one of each file, but for its CLOCK */
	struct arena_header header;  /* of the arena */
};

/* mutate_life.c */
void life_make(struct life *life, const char *directory, uint64_t seed);
struct corral_key life_key(const struct said *said);
uint64_t life_digest(const struct corral_cart *cart); /* of all but the version's number */

/* Change some cart, and ignore the answer. */
void life_change(struct corral *corral, uint64_t *random);

/* ----------------------------------------------------------------- damage */

struct touched {
	uint64_t number;
	uint64_t from;
	uint64_t to;
};

struct damage { /* what was done to a directory */
	const struct life *life;
	const char *directory;
	uint64_t *random;
	bool lies; /* sums are made right again, or a clock says another time */
	bool cut;  /* the journal lacks what nobody can see to be missing */
	struct touched touched[TOUCHED_MAX];
	uint32_t touched_count;
	char text[1024]; /* for people */
};

/* mutate_damage.c */
void damage_arena(struct damage *damage);
void damage_journal(struct damage *damage);
void damage_names(struct damage *damage);
/* Damage the bytes of some file, or its length. */
void damage_file(struct damage *damage, const char *path);

/* Make the arena look as if from another boot, or as the same file although it was copied. */
void damage_boot(const char *directory, bool other_boot);

/*
 * Does the damaged header look like that of another version of Corral? This is so if the fields
 * that name its layout were damaged, and others too: then no checksum tells.
 */
bool damage_looks_foreign(const struct damage *damage);

/*
 * May the arena say that the cart's time is up? The words for its time to live and for the present
 * time have no checksum.
 */
bool damage_may_end(const struct damage *damage, const struct said *said);

/* Was a copy of it spared by all damage? For an end, both records are needed. */
bool damage_spares(const struct damage *damage, const struct said *said);

/* -------------------------------------------------------------------- run */

struct run { /* the results of this round's programs */
	char log[PATH_MAX];
	const char *directory;
	char fault[512]; /* the first; "": none */
	bool complained; /* some exit code was not 0, or the log of an agent has a warning */
	long rss_kb;     /* the largest of any program */
	int64_t cpu_ms;  /* the longest of any program, in processor time */
};

extern const char *run_build;

__attribute__((format(printf, 2, 3))) void run_blame(struct run *run, const char *format, ...);

/*
 * Run a program. Returns its exit code; -1: it crashed, hung or took too much, and run->fault says
 * so.
 */
int run_program(struct run *run, const char *program, const char *const *arguments);

/* The same for a function in a child. */
int run_child(struct run *run, const char *name, void (*body)(void *context), void *context);
pid_t run_child_begin(struct run *run, void (*body)(void *context), void *context);
int run_child_end(struct run *run, const char *name, pid_t pid);

/*
 * Start an agent, and wait until it is ready. Returns its pid; 0: it refused to start, or see
 * run->fault.
 */
pid_t run_agent(struct run *run, const char *journal);
void run_agent_stop(struct run *run, pid_t pid, bool gently);

/* ------------------------------------------------------------------ files */

/* mutate_files.c: copy and remove what is below a directory; an error ends the mutator. */
void files_copy(const char *from, const char *to);
void files_remove(const char *path);
__attribute__((format(printf, 3, 4))) const char *
files_path(char path[PATH_MAX], const char *directory, const char *format, ...);

_Noreturn void mutate_give_up(const char *file, int line, const char *what);
#define must(condition) ((condition) ? (void)0 : mutate_give_up(__FILE__, __LINE__, #condition))

uint64_t mutate_random(uint64_t *state);
uint32_t mutate_below(uint64_t *state, uint32_t bound);

#endif
