/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.h: one connection to one server: commands out, replies in, each with a deadline.
 */
#ifndef CORRAL_REDIS_CONNECTION_H
#define CORRAL_REDIS_CONNECTION_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/engine.h"
#include "location.h"
#include "tls.h"

struct connection {
	int fd;
	pid_t pid; /* of the process that made it: a forked child must not use it */
	redisReader *reader;
	char *out; /* commands as bytes */
	size_t out_room;
	int64_t block_ns;        /* so long a recv() waits; 0: none does */
	struct tls *tls;         /* NULL: none */
	int64_t used_ns;         /* when the last reply came */
	struct connection *next; /* in a list of idle ones */
};

/* A command: its words, which may be binary. */
#define COMMAND_WORDS_MAX 12
struct command {
	const char *words[COMMAND_WORDS_MAX];
	size_t sizes[COMMAND_WORDS_MAX];
	int count;
	const void *tail; /* what the last word ends with */
	size_t tail_size;
};

void command_begin(struct command *command, const char *word);
void command_add(struct command *command, const void *word, size_t size);
void command_add_text(struct command *command, const char *word);

/* The last word, of two parts. */
void command_add_both(struct command *command, const void *word, size_t size, const void *tail,
		      size_t tail_size);

/* room[]: where the number is written; it has to live as long as the command. */
#define COMMAND_NUMBER_BYTES 24
size_t command_write_number(uint64_t number, char room[COMMAND_NUMBER_BYTES]);
void command_add_number(struct command *command, uint64_t number, char room[COMMAND_NUMBER_BYTES]);

int64_t connection_now_ns(void);
int64_t connection_boot_ms(void); /* of a clock that goes on while the machine sleeps */

/* What all connections of a store have in common. */
struct connection_settings {
	struct location location;
	struct engine_host callbacks;
	struct tls_settings *tls; /* NULL: none */
};

/*
 * Connect, and log in if the location says as whom. label: NULL, or the connection's name for
 * CLIENT LIST. 0; -ETIMEDOUT, -ECONNREFUSED, ...; -EACCES: not with this name and password. why:
 * NULL, or what people are told.
 */
int connection_open(const struct connection_settings *settings, const struct location_host *host,
		    const char *label, int64_t give_up_ns, struct connection **ret_connection,
		    char *why);
void connection_close(struct connection *connection);

/*
 * Send commands in one go. 0 or -errno; *ret_begun: bytes have been sent, so that the server may
 * carry out the commands.
 */
int connection_send(struct connection *connection, const struct command *commands, int count,
		    int64_t give_up_ns, bool *ret_begun);

/* The next reply, given back with freeReplyObject(). 0; -ETIMEDOUT, -ECONNRESET, -EPROTO, ... */
int connection_receive(struct connection *connection, int64_t give_up_ns, redisReply **ret_reply);

/* The same, but a signal ends the wait. */
int connection_listen(struct connection *connection, int64_t give_up_ns, redisReply **ret_reply);

#endif
