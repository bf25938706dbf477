/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c: see stream.h.
 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

void stream_begin(struct stream *stream, void (*wake)(void *connection))
{
	*stream = (struct stream){ .wake = wake };
}

static bool is_wanted(const struct listener *listener, const char *restaurant_id)
{
	return *listener->restaurant_id == '\0' || *restaurant_id == '\0' ||
	       strcmp(listener->restaurant_id, restaurant_id) == 0;
}

static void wake(struct stream *stream, struct listener *listener)
{
	if (!listener->asleep)
		return;
	listener->asleep = false;
	stream->wake(listener->connection);
}

void stream_publish(struct stream *stream, const char *restaurant_id, char *text)
{
	struct message *message = &stream->ring[stream->next % STREAM_MESSAGES];

	free(message->text);
	message->place = stream->next++;
	message->text = text;
	message->size = strlen(text);
	(void)strcpy(message->restaurant_id, restaurant_id);
	for (struct listener *at = stream->listeners; at != NULL; at = at->next)
		if (is_wanted(at, restaurant_id))
			wake(stream, at);
}

struct listener *stream_listen(struct stream *stream, void *connection, const char *restaurant_id,
			       char *first)
{
	struct listener *listener = must_have(calloc(1, sizeof(*listener)));

	listener->connection = connection;
	listener->place = stream->next;
	listener->first = first;
	listener->first_size = strlen(first);
	(void)strcpy(listener->restaurant_id, restaurant_id);
	listener->next = stream->listeners;
	stream->listeners = listener;
	stream->count++;
	return listener;
}

static size_t take(const char *from, size_t size, size_t *sent, char *to, size_t max)
{
	const size_t left = size - *sent;
	const size_t taken = left < max ? left : max;

	memcpy(to, from + *sent, taken);
	*sent += taken;
	return taken;
}

static void drop_first(struct listener *listener)
{
	free(listener->first);
	listener->first = NULL;
}

ssize_t stream_read(struct stream *stream, struct listener *listener, char *to, size_t max)
{
	size_t at = 0;

	if (listener->first != NULL) {
		at = take(listener->first, listener->first_size, &listener->first_sent, to, max);
		if (listener->first_sent == listener->first_size)
			drop_first(listener);
	}
	while (at < max && listener->first == NULL && listener->place != stream->next) {
		const struct message *message = &stream->ring[listener->place % STREAM_MESSAGES];
		if (message->place != listener->place) {
			stream->lapped++;
			return -1; /* in the middle of a message, too, which the browser drops */
		}
		if (is_wanted(listener, message->restaurant_id))
			at += take(message->text, message->size, &listener->sent, to + at,
				   max - at);
		else
			listener->sent = message->size;
		if (listener->sent == message->size) {
			listener->sent = 0;
			listener->place++;
		}
	}
	listener->asleep = at == 0;
	return (ssize_t)at;
}

void stream_leave(struct stream *stream, struct listener *listener)
{
	struct listener **at = &stream->listeners;

	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	stream->count--;
	drop_first(listener);
	free(listener);
}

void stream_wake_all(struct stream *stream)
{
	for (struct listener *at = stream->listeners; at != NULL; at = at->next)
		wake(stream, at);
}

void stream_end(struct stream *stream)
{
	for (size_t i = 0; i < STREAM_MESSAGES; i++)
		free(stream->ring[i].text);
}
