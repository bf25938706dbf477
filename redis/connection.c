/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c: see connection.h.
 *
 * hiredis reads replies as bytes in memory; the sockets are ours, so that every wait has a deadline
 * and no write raises SIGPIPE.
 *
 * Without TLS, a reply is waited for in recv() itself, with a limit of the socket's (SO_RCVTIMEO):
 * that is one system call, where poll() and recv() are two. All else does not block.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/reason.h"
#include "connection.h"

#define READ_BYTES (32 * 1024)
#define OUT_KEPT ((size_t)64 * 1024) /* of memory for commands, by a connection */

int64_t connection_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t connection_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- commands */

void command_add(struct command *command, const void *word, size_t size)
{
	command->words[command->count] = word;
	command->sizes[command->count++] = size;
}

void command_add_text(struct command *command, const char *word)
{
	command_add(command, word, strlen(word));
}

void command_add_both(struct command *command, const void *word, size_t size, const void *tail,
		      size_t tail_size)
{
	command_add(command, word, size);
	command->tail = tail;
	command->tail_size = tail_size;
}

void command_begin(struct command *command, const char *word)
{
	command->count = 0;
	command->tail_size = 0;
	command_add_text(command, word);
}

size_t command_write_number(uint64_t number, char room[COMMAND_NUMBER_BYTES])
{
	char digits[COMMAND_NUMBER_BYTES];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	for (size_t i = 0; i < count; i++)
		room[i] = digits[count - 1 - i];
	room[count] = '\0';
	return count;
}

void command_add_number(struct command *command, uint64_t number, char room[COMMAND_NUMBER_BYTES])
{
	command_add(command, room, command_write_number(number, room));
}

/* Room for a command as bytes: each word has a number in front and two line ends. */
static size_t room_for(const struct command *command)
{
	size_t size = COMMAND_NUMBER_BYTES + command->tail_size;

	for (int i = 0; i < command->count; i++)
		size += command->sizes[i] + COMMAND_NUMBER_BYTES + 5;
	return size;
}

static char *write_count(char *at, char sign, size_t count)
{
	*at++ = sign;
	at += command_write_number(count, at);
	at[0] = '\r';
	at[1] = '\n';
	return at + 2;
}

static char *write_bytes(char *at, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(at, bytes, size);
	return at + size;
}

/* Write a command as the server reads it; returns where it ends. */
static char *write_command(const struct command *command, char *at)
{
	at = write_count(at, '*', (size_t)command->count);
	for (int i = 0; i < command->count; i++) {
		const size_t tail = i == command->count - 1 ? command->tail_size : 0;
		at = write_count(at, '$', command->sizes[i] + tail);
		at = write_bytes(at, command->words[i], command->sizes[i]);
		at = write_bytes(at, command->tail, tail);
		at = write_bytes(at, "\r\n", 2);
	}
	return at;
}

/* --------------------------------------------------------------- the socket */

/* Wait until the socket can be read or written. 0, -ETIMEDOUT, -EINTR. */
static int wait_for(const struct connection *connection, short events, int64_t give_up_ns)
{
	struct pollfd poll_fd = { .fd = connection->fd, .events = events };
	int64_t left_ns = give_up_ns - connection_now_ns();

	if (left_ns <= 0)
		return -ETIMEDOUT;
	int64_t left_ms = left_ns / 1000000 + 1;
	int r = poll(&poll_fd, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* The same, whatever signals come. */
static int wait_through(const struct connection *connection, short events, int64_t give_up_ns)
{
	int r;

	do
		r = wait_for(connection, events, give_up_ns);
	while (r == -EINTR);
	return r;
}

static int finish_connect(struct connection *connection, int64_t give_up_ns)
{
	socklen_t size = sizeof(int);
	int error = 0;
	int r = wait_through(connection, POLLOUT, give_up_ns);

	if (r == 0 && getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		r = -errno;
	return r < 0 ? r : -error;
}

static int connect_to(struct connection *connection, const struct engine_host *callbacks,
		      const struct sockaddr *address, socklen_t size, int64_t give_up_ns)
{
	const int on = 1;

	connection->fd = callbacks->open_socket(address->sa_family, SOCK_STREAM);
	if (connection->fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	int r = connect(connection->fd, address, size) == 0 ? 0 : -errno;
	if (r == -EINPROGRESS || r == -EINTR)
		r = finish_connect(connection, give_up_ns);
	if (r < 0) {
		close(connection->fd);
		connection->fd = -1;
	}
	return r;
}

static int connect_unix(struct connection *connection, const struct location_host *host,
			const struct engine_host *callbacks, int64_t give_up_ns)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(host->host) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, host->host, strlen(host->host) + 1);
	return connect_to(connection, callbacks, (const struct sockaddr *)&address, sizeof(address),
			  give_up_ns);
}

static int connect_tcp(struct connection *connection, const struct location_host *host,
		       const struct engine_host *callbacks, int64_t give_up_ns, char *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	int code = getaddrinfo(host->host, host->port, &hints, &found);
	int r = -EHOSTUNREACH;

	if (code != 0)
		return reason_set(why, code == EAI_SYSTEM ? -errno : -EHOSTUNREACH, "%.200s: %s",
				  host->host, gai_strerror(code));
	for (const struct addrinfo *at = found; at != NULL && r < 0 && r != -ETIMEDOUT;
	     at = at->ai_next)
		r = connect_to(connection, callbacks, at->ai_addr, at->ai_addrlen, give_up_ns);
	freeaddrinfo(found);
	return r;
}

void connection_close(struct connection *connection)
{
	if (connection == NULL)
		return;
	if (connection->fd >= 0)
		close(connection->fd);
	tls_free(connection->tls);
	if (connection->reader != NULL)
		redisReaderFree(connection->reader);
	free(connection->out);
	free(connection);
}

/* ------------------------------------------------------ commands and replies */

static int send_plain(struct connection *connection, const char *bytes, size_t size,
		      int64_t give_up_ns, bool *ret_begun)
{
	while (size > 0) {
		ssize_t n = send(connection->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			*ret_begun = true;
			bytes += n;
			size -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = n < 0 && errno == EINTR ? 0 : wait_through(connection, POLLOUT, give_up_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Send what TLS has for the server. */
static int flush_tls(struct connection *connection, int64_t give_up_ns, bool *ret_begun)
{
	char bytes[READ_BYTES];
	size_t size;
	int r = 0;

	while (r == 0 && (size = tls_take(connection->tls, bytes, sizeof(bytes))) > 0)
		r = send_plain(connection, bytes, size, give_up_ns, ret_begun);
	return r;
}

static int send_all(struct connection *connection, const char *bytes, size_t size,
		    int64_t give_up_ns, bool *ret_begun)
{
	if (connection->tls == NULL)
		return send_plain(connection, bytes, size, give_up_ns, ret_begun);
	int r = tls_write(connection->tls, bytes, size);
	return r < 0 ? r : flush_tls(connection, give_up_ns, ret_begun);
}

static bool fits(struct connection *connection, size_t size)
{
	if (size <= connection->out_room)
		return true;
	free(connection->out);
	connection->out_room = 0;
	connection->out = malloc(size);
	if (connection->out == NULL)
		return false;
	connection->out_room = size;
	return true;
}

int connection_send(struct connection *connection, const struct command *commands, int count,
		    int64_t give_up_ns, bool *ret_begun)
{
	size_t size = 0;

	*ret_begun = false;
	for (int i = 0; i < count; i++)
		size += room_for(&commands[i]);
	if (!fits(connection, size))
		return -ENOMEM;
	char *at = connection->out;
	for (int i = 0; i < count; i++)
		at = write_command(&commands[i], at);
	int r = send_all(connection, connection->out, (size_t)(at - connection->out), give_up_ns,
			 ret_begun);
	if (connection->out_room > OUT_KEPT) {
		free(connection->out);
		connection->out = NULL;
		connection->out_room = 0;
	}
	return r;
}

/* What has come over the socket. More than 0; -EAGAIN: nothing has; -ECONNRESET, ... */
static ssize_t read_plain(struct connection *connection, char *bytes, size_t size)
{
	ssize_t n;

	do
		n = recv(connection->fd, bytes, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? -ECONNRESET : n;
}

/* The same, decrypted. */
static ssize_t read_secret(struct connection *connection, char *bytes, size_t size)
{
	for (;;) {
		ssize_t n = tls_read(connection->tls, bytes, size);
		if (n != -EAGAIN)
			return n;
		n = read_plain(connection, bytes, size);
		if (n < 0)
			return n;
		int r = tls_feed(connection->tls, bytes, (size_t)n);
		if (r < 0)
			return r;
	}
}

/* Read what has come. 0; -EAGAIN: nothing has. */
static int read_some(struct connection *connection)
{
	char bytes[READ_BYTES];
	ssize_t n = (connection->tls != NULL ? read_secret : read_plain)(connection, bytes,
									 sizeof(bytes));

	if (n < 0)
		return (int)n;
	return redisReaderFeed(connection->reader, bytes, (size_t)n) == REDIS_OK ? 0 : -ENOMEM;
}

/* The same, and wait for it, unless a signal or the socket's limit comes first: -EAGAIN. */
static int read_when_it_comes(struct connection *connection)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);

	if (n <= 0)
		return n == 0 ? -ECONNRESET : errno == EINTR ? -EAGAIN : -errno;
	return redisReaderFeed(connection->reader, bytes, (size_t)n) == REDIS_OK ? 0 : -ENOMEM;
}

/* listens: a signal ends the wait. */
static int receive(struct connection *connection, int64_t give_up_ns, bool listens,
		   redisReply **ret_reply)
{
	bool may_block = !listens && connection->block_ns != 0;

	for (;;) {
		void *reply = NULL;
		if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK)
			return -EPROTO;
		if (reply != NULL) {
			*ret_reply = reply;
			return 0;
		}
		const bool block =
			may_block && give_up_ns - connection_now_ns() >= connection->block_ns;
		int r = block ? read_when_it_comes(connection) : read_some(connection);
		if (r == -EAGAIN && !block)
			r = listens ? wait_for(connection, POLLIN, give_up_ns) :
				      wait_through(connection, POLLIN, give_up_ns);
		if (r < 0 && r != -EAGAIN)
			return r;
		may_block = false;
	}
}

int connection_receive(struct connection *connection, int64_t give_up_ns, redisReply **ret_reply)
{
	return receive(connection, give_up_ns, false, ret_reply);
}

int connection_listen(struct connection *connection, int64_t give_up_ns, redisReply **ret_reply)
{
	return receive(connection, give_up_ns, true, ret_reply);
}

static int begin_tls(struct connection *connection, struct tls_settings *settings, const char *host,
		     int64_t give_up_ns, char *why)
{
	char bytes[READ_BYTES];
	bool begun;

	connection->tls = tls_begin(settings, host);
	if (connection->tls == NULL)
		return -ENOMEM;
	for (;;) {
		int done = tls_handshake(connection->tls, why);
		int r = flush_tls(connection, give_up_ns, &begun);
		if (done != -EAGAIN || r < 0)
			return r < 0 && done == -EAGAIN ? r : done;
		ssize_t n = read_plain(connection, bytes, sizeof(bytes));
		if (n == -EAGAIN)
			r = wait_through(connection, POLLIN, give_up_ns);
		else
			r = n < 0 ? (int)n : tls_feed(connection->tls, bytes, (size_t)n);
		if (r < 0)
			return r;
	}
}

/* A command whose answer is OK, or an error. why: NULL, or what the server said. */
static int must_do(struct connection *connection, const struct command *command, int64_t give_up_ns,
		   char *why)
{
	redisReply *reply = NULL;
	bool begun;
	int r = connection_send(connection, command, 1, give_up_ns, &begun);

	if (r == 0)
		r = connection_receive(connection, give_up_ns, &reply);
	if (r == 0 && reply->type == REDIS_REPLY_ERROR)
		r = reason_set(why, -EACCES, "the server refuses the user or the password: %.200s",
			       reply->str);
	freeReplyObject(reply);
	return r;
}

static int log_in(struct connection *connection, const struct location *location,
		  int64_t give_up_ns, char *why)
{
	struct command command;

	if (location->password[0] == '\0')
		return 0;
	command_begin(&command, "AUTH");
	if (location->user[0] != '\0')
		command_add_text(&command, location->user);
	command_add_text(&command, location->password);
	return must_do(connection, &command, give_up_ns, why);
}

/* A name for CLIENT LIST, which takes no space and nothing beyond ASCII. A refusal is no failure.
 */
static int name_it(struct connection *connection, const char *label, int64_t give_up_ns)
{
	char name[CORRAL_LABEL_MAX + 1];
	struct command command;
	size_t size = 0;

	for (; label[size] != '\0' && size < CORRAL_LABEL_MAX; size++)
		name[size] = label[size] > ' ' && label[size] <= '~' ? label[size] : '_';
	name[size] = '\0';
	command_begin(&command, "CLIENT");
	command_add_text(&command, "SETNAME");
	command_add_text(&command, name);
	int r = must_do(connection, &command, give_up_ns, NULL);
	return r == -EACCES ? 0 : r;
}

/* Let recv() wait, for a little less than a request has. Where that fails, poll() waits. */
static void let_block(struct connection *connection, const struct location *location)
{
	const int64_t ns = location->timeout_ms * 1000000ll / 16 * 15;
	const struct timeval limit = { .tv_sec = ns / 1000000000,
				       .tv_usec = ns % 1000000000 / 1000 };
	const int flags = fcntl(connection->fd, F_GETFL);

	if (connection->tls == NULL && limit.tv_sec + limit.tv_usec > 0 && flags >= 0 &&
	    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    fcntl(connection->fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
		connection->block_ns = ns;
}

int connection_open(const struct connection_settings *settings, const struct location_host *host,
		    const char *label, int64_t give_up_ns, struct connection **ret_connection,
		    char *why)
{
	const struct engine_host *callbacks = &settings->callbacks;
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return -ENOMEM;
	connection->fd = -1;
	connection->pid = callbacks->own_pid();
	connection->reader = redisReaderCreate();
	int r = connection->reader == NULL ? -ENOMEM :
		host->port[0] == '\0'      ? connect_unix(connection, host, callbacks, give_up_ns) :
					connect_tcp(connection, host, callbacks, give_up_ns, why);
	if (r == 0 && settings->tls != NULL)
		r = begin_tls(connection, settings->tls, host->host, give_up_ns, why);
	if (r == 0)
		r = log_in(connection, &settings->location, give_up_ns, why);
	if (r == 0 && label != NULL && label[0] != '\0')
		r = name_it(connection, label, give_up_ns);
	if (r < 0) {
		connection_close(connection);
		return r;
	}
	let_block(connection, &settings->location);
	*ret_connection = connection;
	return 0;
}
