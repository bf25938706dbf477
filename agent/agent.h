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

/* 5: what it prints (--help, --repair ...) could not be written; see common/streams.h */
enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_ARENA = 3, EXIT_NO_AGENT = 4 };

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct agent_options {
	const char *location;
	uint64_t size_bytes;
	uint64_t max_carts;
	uint64_t ttl_ms;
	uint64_t journal_ms; /* 0: off */
	bool journal_sync;   /* changes wait for it */
	uint64_t
		journal_bytes; /* it is not begun anew before it has this much more than its base */
	bool size_given;
	bool max_carts_given;
	bool ttl_given;
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
#define CLIENT_MS 2000 /* a client has so long to say its line */
#define CLIENT_LINE_BYTES 128

struct client { /* on the control socket; fd -1: none */
	int fd;
	uint32_t size;
	int64_t give_up_ms;
	char line[CLIENT_LINE_BYTES];
};

struct agent {
	const struct agent_options *options;
	char directory[PATH_MAX];
	int dir_fd;
	gid_t group;            /* the directory's: who may attach, and ask us */
	int log_fd;             /* DIR/agent.log; -1: standard error */
	struct life agent_life; /* holds ALIVE_AGENT_BYTE for as long as we live */
	struct corral *corral;
	struct actor *actor;
	int64_t started_ms;    /* wall clock */
	uint32_t sweep_at;     /* the slot that the sweep looks at next */
	uint64_t scavenged_at; /* the reclaimed counter when we scavenged last */
	uint32_t trim_ticks;   /* until disk space goes back, a part at each tick; 0: it does not */
	uint64_t changes_seen;
	uint32_t quiet_ticks;
	uint32_t disk_ticks; /* since the disk was looked at */
	uint64_t expired;
	uint64_t buried;
	struct { /* by thread record: the sections that the log has named */
		uint64_t stalled;
		uint64_t revoked;
	} named[MAX_THREADS];
	uint32_t carts;        /* in the arena, by the last sweep of all slots */
	uint32_t carts_so_far; /* by this one */
#define ROOM_PARTS 4           /* carts, memory, thread records, disk */
	uint32_t room_percents[ROOM_PARTS];
	uint32_t room_marks[ROOM_PARTS]; /* that it has passed, and the log has said so */
	int listen_fd;
	int signal_fd;
	bool stopping;
	bool again;           /* the arena is to be taken up anew, since somebody withdrew it */
	bool in_background;   /* standard error is DIR/agent.log */
	int64_t again_ms;     /* when it was taken up anew last (arena_wall_ms()); 0: never */
	bool recovered;       /* the arena was made out of the journal */
	bool fresh;           /* we have made the arena, of whatever */
	uint32_t in_doubt;    /* carts in it that may be older than what was acknowledged */
	uint32_t epochs_used; /* in those before this one versions may have been given and lost */
	struct journal *journal; /* NULL: none is kept */
	int exit_code;
	struct client clients[CLIENTS_MAX];
};

/* options.c: parse the command line; exits on bad usage, --help, --version. */
void options_parse(int argc, char **argv, struct agent_options *ret_options);

/* directory.c: make the directory, or look whether we may use it. An exit code; says why itself. */
int agent_open_directory(struct agent *agent);

/* takeup.c: the byte of the agent. EXIT_DONE, or EXIT_NO, and it says who has it. */
int agent_take_byte(struct agent *agent);

/*
 * takeup.c: become the agent of the directory: its byte, its arena, a handle. An exit code; says
 * why itself.
 */
int agent_take_up(struct agent *agent);
void agent_give_up(struct agent *agent);

/* loop.c: serve until told to stop. */
#define TICK_MS 250
int agent_open_loop(struct agent *agent);
void agent_loop(struct agent *agent);

/* tick.c: what is done every TICK_MS. */
void agent_tick(struct agent *agent);

/* stalled.c: readers that hold memory back; held_back: some is. */
void stalled_watch(struct agent *agent, bool held_back);

/* room.c: how full everything is; what is too full, in words. */
#define ROOM_TEXT_BYTES 160
void room_watch(struct agent *agent);
void room_describe(const struct agent *agent, char text[ROOM_TEXT_BYTES]);

/* control.c */
bool control_may_ask(const struct agent *agent, int fd);
/*
 * Read what the client says; answer when its line is whole. True: we are done with it. Never waits.
 */
bool control_serve(struct agent *agent, struct client *client);

/* daemon.c */
#define LOG_FILE "agent.log"
int daemon_fork(int *ret_ready_fd); /* in the parent: waits for the child, exits. In the child: 0 */
/* Tells the parent, if there is one, and the service manager; then goes to the background. */
void daemon_ready(struct agent *agent, int ready_fd);
int daemon_stop(const char *directory); /* --stop: an exit code */

/*
 * log.c: to standard error, one line each, with the time; what others chose is escaped. log_limit:
 * from now on, as many lines of one kind are held back, and counted; or not any more.
 */
extern enum log_level log_threshold;
extern int log_also; /* a descriptor that each line is written to as well; -1: none */
void log_limit(bool on);
void log_tick(void); /* tell what was held back, when its time is over */

/* The log is DIR/agent.log: if that was moved or removed, it is made anew, and written to. */
void log_follow(int dir_fd);
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#endif
