/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.h: what the files of corral-agent share.
 */
#ifndef CORRAL_AGENT_H
#define CORRAL_AGENT_H

#include <sys/types.h>

#include <jansson.h>

#include "api/handle.h"
#include "sync/alive.h"

/*
 * exit code 5: what the program prints (--help, --repair ...) could not be written; see
 * common/streams.h
 */
enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_ARENA = 3, EXIT_NO_AGENT = 4 };

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct agent_options {
	const char *location;
	uint64_t size_bytes;
	uint64_t max_carts;
	uint64_t ttl_ms;
	uint32_t currency;      /* of new carts, as cart_currency() has it; 0: none */
	uint64_t journal_ms;    /* 0: off */
	bool journal_sync;      /* changes wait for the journal */
	uint64_t journal_bytes; /* a file outgrows its base by this before the next begins */
	bool size_given;
	bool max_carts_given;
	bool ttl_given;
	bool currency_given;
	bool feed_off;       /* no events are written */
	uint64_t feed_bytes; /* of a new arena's ring of events; 0: the usual size */
	bool group_given;
	gid_t group;
	bool daemon;
	bool stop;
	bool repair;
	bool upgrade;
	bool salvage;
	bool resize;
	enum log_level log_level;
};

#define CLIENTS_MAX 64
#define CLIENT_MS 2000 /* how long a client has to send its line */
#define CLIENT_LINE_BYTES 128

struct client { /* on the control socket; fd -1: none */
	int fd;
	uint32_t size;
	int64_t give_up_ms;
	char line[CLIENT_LINE_BYTES];
};

/* The findings of the sweep over all slots in its present round. */
struct sweep {
	uint32_t round;
	uint32_t at; /* the slot that is looked at next */
	uint32_t carts, checked_out, ending;
	uint64_t cart_bytes, live_bytes;
	bool recounts;       /* the arena's counters are compared with what is found */
	uint32_t carts_then; /* what they were when the round began */
	uint32_t checked_out_then;
	uint64_t begun_and_ended; /* carts, until then */
	bool right;               /* a round has confirmed the counters, or mended them */
	uint64_t deaths;          /* when it did */
};

struct agent {
	const struct agent_options *options;
	char directory[PATH_MAX];
	int dir_fd;
	gid_t group;            /* the directory's: its members may attach, and ask us */
	int log_fd;             /* DIR/agent.log; -1: standard error */
	struct life agent_life; /* holds ALIVE_AGENT_BYTE as long as we are alive */
	struct corral *corral;
	struct actor *actor;
	int64_t started_ms;    /* wall clock */
	uint64_t scavenged_at; /* the reclaimed counter at the last scavenge */
	uint32_t trim_ticks;   /* until disk space is given back in parts; 0: none is due */
	uint64_t changes_seen;
	uint32_t quiet_ticks;
	uint32_t disk_ticks; /* since the disk was last checked */
	uint64_t expired;
	uint64_t buried;
	struct { /* by thread record: the sections that were logged */
		uint64_t stalled;
		uint64_t revoked;
	} named[MAX_THREADS];
	struct sweep sweep;
	uint64_t *damaged; /* a bit for each slot; see damaged.c */
#define USAGE_PARTS 4      /* carts, memory, thread records, disk */
	uint32_t usage_percents[USAGE_PARTS];
	uint32_t usage_marks[USAGE_PARTS]; /* the marks that were passed, and logged */
	int listen_fd;
	int signal_fd;
	bool stopping;
	bool again;              /* take the arena up again, since a process withdrew it */
	bool in_background;      /* standard error is DIR/agent.log */
	int64_t again_ms;        /* when it was last taken up again (arena_wall_ms()); 0: never */
	bool recovered;          /* the arena was made from the journal */
	bool fresh;              /* we made the arena, from any source */
	uint32_t in_doubt;       /* carts that may be older than what was acknowledged */
	uint32_t epochs_used;    /* versions of epochs before this may have been given and lost */
	struct journal *journal; /* NULL: no journal is kept */
	int exit_code;
	struct client clients[CLIENTS_MAX];
};

/* options.c: parse the command line; exits on bad usage, --help, --version. */
void options_parse(int argc, char **argv, struct agent_options *ret_options);

/*
 * directory.c: make the directory, or check that we may use it. Returns an exit code; logs
 * failures.
 */
int agent_open_directory(struct agent *agent);

/* takeup.c: take the agent's byte. EXIT_DONE; or EXIT_NO, and the holder is logged. */
int agent_take_byte(struct agent *agent);

/*
 * takeup.c: become the agent of the directory: its byte, its arena, a handle. Returns an exit code;
 * logs failures.
 */
int agent_take_up(struct agent *agent);

/*
 * Switch the writing of events on or off, as the options say. For the time in which it was off, a
 * gap is told; as long as another process numbers events that cannot be done, and the next tick
 * does it.
 */
void agent_turn_feed(struct agent *agent);
void agent_give_up(struct agent *agent);

/* loop.c: serve until stopped. */
#define TICK_MS 250
int agent_open_loop(struct agent *agent);
void agent_loop(struct agent *agent);

/* tick.c: the work of every TICK_MS. */
void agent_tick(struct agent *agent);
/* A counter of stat.def, of all thread records together. */
uint64_t agent_sum_of(const struct arena *arena, uint32_t index);

/* sweep.c: end carts whose time is up, and count the others. */
void sweep_some(struct agent *agent);

/* stalled.c: watch readers that hold memory back; held_back: some memory is. */
void stalled_watch(struct agent *agent, bool held_back);

/* usage.c: how full everything is; usage_describe() says what is too full. */
#define USAGE_TEXT_BYTES 160
void usage_watch(struct agent *agent);
void usage_describe(const struct agent *agent, char text[USAGE_TEXT_BYTES]);

/* damaged.c: carts that were found to be damaged. 0 or -ENOMEM. */
int damaged_begin(struct agent *agent);
void damaged_end(struct agent *agent);
bool damaged_is(const struct agent *agent, uint32_t number);
/* The cart in this slot is damaged, or is not any more. True: that is news. By any thread. */
bool damaged_note(const struct agent *agent, uint32_t number, bool damaged);
/* Verify it. */
void damaged_look_at(struct agent *agent, uint32_t number);

/* control.c */
bool control_may_ask(const struct agent *agent, int fd);
/* Read from the client; answer when its line is complete. True: the client is done. Never waits. */
bool control_serve(struct agent *agent, struct client *client);

/* daemon.c */
#define LOG_FILE "agent.log"
int daemon_fork(int *ret_ready_fd); /* the parent waits for the child and exits; the child gets 0 */
/* Notify the parent, if there is one, and the service manager; then go to the background. */
void daemon_ready(struct agent *agent, int ready_fd);
int daemon_stop(const char *directory); /* --stop: an exit code */

/*
 * log.c: writes lines with the time to standard error; characters chosen by others are escaped.
 * log_limit: begin, or stop, to hold back surplus lines of one kind and to count them.
 */
extern enum log_level log_threshold;
extern int log_also; /* each line is also written to this descriptor; -1: none */
void log_limit(bool on);
void log_tick(void); /* report held-back lines when their period is over */

/* The log is DIR/agent.log: if that was moved or removed, create it again and write there. */
void log_follow(int dir_fd);
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#endif
