/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h: server-sent events. A message is made once and kept in a ring, from which each listener
 * takes it as fast as its connection does. A listener that the ring has lapped is ended: its
 * browser connects again, says the last event that it has, and is told what came since (watch.h).
 * So listeners cost their place in a table, and a slow one costs the others nothing.
 */
#ifndef CORRAL_WEB_STREAM_H
#define CORRAL_WEB_STREAM_H

#include <sys/types.h>

#include "web.h"

#define STREAM_MESSAGES 1024u

struct message {
	uint64_t place; /* in the order of all messages; which one lies here */
	char *text;     /* as it is sent */
	size_t size;
	char restaurant_id[CORRAL_ID_MAX + 1]; /* whose cart it is about; "": for all */
};

struct listener {
	struct listener *next;
	uint64_t place; /* of the message to be sent next, or being sent */
	size_t sent;    /* bytes of it */
	char *first;    /* what is sent before any message; NULL: nothing, or it is sent */
	size_t first_size;
	size_t first_sent;
	char restaurant_id[CORRAL_ID_MAX + 1]; /* whose carts it wants; "": all */
	void *connection;
	bool asleep; /* its connection is suspended */
};

struct stream {
	struct message ring[STREAM_MESSAGES];
	uint64_t next; /* place of the next message */
	struct listener *listeners;
	uint32_t count;
	uint64_t lapped;                /* listeners that were ended for being slow */
	void (*wake)(void *connection); /* resumes it */
};

void stream_begin(struct stream *stream, void (*wake)(void *connection));

/* Put a message into the ring; the text is the stream's from now on. restaurant_id "": for all. */
void stream_publish(struct stream *stream, const char *restaurant_id, char *text);

/* `first` is sent first, and is the listener's from now on. restaurant_id "": all. */
struct listener *stream_listen(struct stream *stream, void *connection, const char *restaurant_id,
			       char *first);

/* The next bytes, at most max. 0: there is nothing (asleep); -1: the listener was lapped. */
ssize_t stream_read(struct stream *stream, struct listener *listener, char *to, size_t max);

void stream_leave(struct stream *stream, struct listener *listener);

/* Wake all, so that their connections may be closed. */
void stream_wake_all(struct stream *stream);

void stream_end(struct stream *stream);

#endif
