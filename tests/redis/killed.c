/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * killed.c: a client is killed in the middle of its changes. Nothing is lost, nothing counts twice,
 * and nothing is left behind in the server.
 *
 * Usage: killed LOCATION SOCKET RELAY   SOCKET: of the same server; RELAY: a path for one more
 * Prints what was killed. Exit code 1: a promise was broken; 2: the test itself failed.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corral.h"

#define PACKET_MAX 65536

static const char *location, *server, *relay;
static struct corral *corral;
static redisContext *bare;
static char session[32];
static uint32_t carts; /* so many have been made */

static void must(int held, const char *what)
{
	if (!held) {
		fprintf(stderr, "cart %s: %s: %s\n", session, what, corral_why());
		exit(2);
	}
}

static void promise(int held, const char *what)
{
	if (!held) {
		fprintf(stderr, "cart %s: %s\n", session, what);
		exit(1);
	}
}

static struct corral_key cart(void)
{
	return (struct corral_key){ corral_text("killed"), corral_text(session) };
}

static void next_cart(const char *kind)
{
	snprintf(session, sizeof(session), "%s-%u", kind, carts++);
}

/* Add a dish under an operation id. */
static int add(struct corral *to, const char *id)
{
	const struct corral_item item = { .menu_item_id = corral_text("dish"),
					  .name = corral_text("A dish"),
					  .unit_price_cents = 100,
					  .quantity = 1 };
	const struct corral_op op = { .id = corral_text(id) };
	const struct corral_key key = cart();

	return corral_add(to, &key, &item, &op, NULL);
}

static uint32_t counted(void)
{
	const struct corral_key key = cart();
	struct corral_cart *found = NULL;
	int r = corral_get(corral, &key, &found);

	if (r == -ENOENT)
		return 0;
	must(r == 0, "the cart cannot be read");
	uint32_t count = found->head.item_count;
	corral_cart_free(found);
	return count;
}

static redisReply *ask(const char *command)
{
	redisReply *reply = redisCommand(bare, command, session);

	must(reply != NULL && reply->type != REDIS_REPLY_ERROR, command);
	return reply;
}

static long long number(const char *command)
{
	redisReply *reply = ask(command);
	long long found = reply->integer;

	freeReplyObject(reply);
	return found;
}

static void head_is(char head[64], size_t *ret_size)
{
	redisReply *reply = ask("LINDEX corral:{killed/%s} 0");

	must(reply->type == REDIS_REPLY_STRING && reply->len < 64, "there is no head");
	memcpy(head, reply->str, reply->len);
	*ret_size = reply->len;
	freeReplyObject(reply);
}

/* The cart is a head and a value, or nothing, it has a time to live, and no other key is there. */
static void nothing_is_left(long long keys_without)
{
	const long long length = number("LLEN corral:{killed/%s}");

	promise(length == 0 || length == 2, "it is half changed");
	promise(number("DBSIZE") == keys_without + (length != 0), "a key is left behind");
	if (length != 0)
		promise(number("PTTL corral:{killed/%s}") > 0, "it would stay for ever");
}

/* ------------------------------------------------------- at each system call */

static _Noreturn void make_changes(void)
{
	struct corral *own;

	must(corral_open(location, 0, &own) == 0, location);
	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
	raise(SIGSTOP);
	must(add(own, "first") == 0, "add");  /* makes the cart */
	must(add(own, "second") == 0, "add"); /* from what was seen last */
	_exit(0);
}

/* Kill a process that makes changes when it enters or leaves its n-th system call. False: it had
 * made all of them. */
static int kill_at(int stops)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		make_changes();
	for (int i = 0; i <= stops; i++) {
		must(waitpid(pid, &status, 0) == pid, "waitpid");
		if (!WIFSTOPPED(status))
			break;
		if (i < stops)
			must(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0, "ptrace");
	}
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		must(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "it is not killed");
		return 1;
	}
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the changes failed");
	return 0;
}

static void kill_at_each_system_call(void)
{
	uint32_t seen[3] = { 0 };
	int stops = 0, killed = 1;

	for (; killed; stops++) {
		const long long keys = number("DBSIZE");
		next_cart("calls");
		killed = kill_at(stops);
		const uint32_t count = counted();
		promise(count <= 2 && (killed || count == 2), "more than was added");
		seen[count]++;
		nothing_is_left(keys);
		must(add(corral, "first") == 0 && add(corral, "second") == 0, "repeat");
		promise(counted() == 2, "a repeat counts twice, or not at all");
		nothing_is_left(keys);
	}
	printf("killed at %d stops at system calls; of two changes, none was made %u times, one "
	       "%u times\n",
	       stops, seen[0], seen[1]);
	must(seen[0] > 0 && seen[1] > 0 && seen[2] > 1, "not each state was met");
}

/* ---------------------------------------------------- at each byte of a packet */

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int to_server(void)
{
	struct sockaddr_un address;
	int fd = unix_socket(server, &address);

	must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, server);
	return fd;
}

/* Be between a client and the server, up to the client's first transaction, which is taken away. */
static size_t take_packet(int client, char packet[PACKET_MAX])
{
	struct pollfd sides[2] = { { client, POLLIN, 0 }, { to_server(), POLLIN, 0 } };
	char bytes[PACKET_MAX];
	size_t size = 0;

	while (poll(sides, 2, 10000) > 0) {
		for (int i = 0; i < 2; i++) {
			if (sides[i].revents == 0)
				continue;
			ssize_t n = read(sides[i].fd, bytes, sizeof(bytes));
			must(n > 0, "the relay's connection broke");
			if (i == 0 && (size > 0 || memmem(bytes, (size_t)n, "\nMULTI\r", 7))) {
				must(size + (size_t)n <= PACKET_MAX, "a large packet");
				memcpy(packet + size, bytes, (size_t)n);
				size += (size_t)n;
			} else {
				must(write(sides[1 - i].fd, bytes, (size_t)n) == n, "write");
			}
		}
		if (memmem(packet, size, "\nSPUBLISH\r", 10) != NULL)
			break;
	}
	must(size > 0, "no transaction came");
	close(sides[1].fd);
	return size;
}

/* What a client sends that changes the cart, and is killed before the server has read any of it. */
static size_t record(char packet[PACKET_MAX])
{
	char through[256];
	struct sockaddr_un address;
	const int fd = unix_socket(relay, &address);

	must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0,
	     relay);
	const pid_t pid = fork();
	if (pid == 0) {
		struct corral *own;
		snprintf(through, sizeof(through), "redis+unix://%s", relay);
		must(corral_open(through, 0, &own) == 0, through);
		(void)add(own, "second");
		_exit(0);
	}
	const int client = accept(fd, NULL, NULL);
	must(client >= 0, "accept");
	const size_t size = take_packet(client, packet);
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	close(client);
	close(fd);
	return size;
}

/* Send the beginning of a packet, and wait until the server has closed the connection. */
static void send_part(const char *packet, size_t size)
{
	const int fd = to_server();
	char bytes[4096];

	must(write(fd, packet, size) == (ssize_t)size && shutdown(fd, SHUT_WR) == 0, "write");
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
}

static void die_at_each_byte(void)
{
	static char packet[PACKET_MAX];
	char before[64], head[64];
	size_t before_size, head_size, made = 0;
	const long long keys = number("DBSIZE");

	next_cart("bytes");
	must(add(corral, "first") == 0, "add");
	head_is(before, &before_size);
	const size_t size = record(packet);
	for (size_t part = 1; part <= size; part++) {
		send_part(packet, part);
		nothing_is_left(keys);
		head_is(head, &head_size);
		if (made == 0 && (head_size != before_size || memcmp(head, before, head_size) != 0))
			made = part;
	}
	printf("of %zu bytes the first %zu make the change\n", size, made);
	promise(made > 0 && made < size, "the change is made with no part, or with all of it only");
	promise(counted() == 2, "the change is lost, or made twice");
	must(add(corral, "second") == 0, "repeat");
	promise(counted() == 2, "a repeat counts twice");
}

/* -------------------------------------------------- between a turn and a swap */

/* The head is 39 bytes: the stamp, and from the 19th on for whom the key is kept. */
static int is_kept(void)
{
	char head[64];
	size_t size;

	head_is(head, &size);
	must(size == 39, "the head has another size");
	return memcmp(head + 18, "\0\0\0\0\0\0\0\0", 8) != 0;
}

/* A client that meets another change with each swap asks for its turn. It gets it, and is killed.
 */
static void die_with_a_turn(void)
{
	const long long keys = number("DBSIZE");
	char name[32];
	uint32_t others = 0;
	int status, kept = 0;

	next_cart("turn");
	must(add(corral, "mine") == 0, "add");
	const pid_t pid = fork();
	if (pid == 0)
		make_changes();
	for (;;) {
		must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "it made its change");
		kept = is_kept();
		if (kept)
			break;
		snprintf(name, sizeof(name), "other-%u", others++);
		must(add(corral, name) == 0, "add");
		must(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0, "ptrace");
	}
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	promise(add(corral, "after") == 0, "it is kept for one that is dead");
	promise(!is_kept(), "it is still kept");
	promise(counted() == others + 2, "a change is lost, or made twice");
	must(add(corral, "first") == 0, "repeat");
	promise(counted() == others + 3, "the change of the dead is lost");
	nothing_is_left(keys);
	printf("killed with a turn, behind %u changes of another\n", others);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "Usage: killed LOCATION SOCKET RELAY\n");
		return 2;
	}
	location = argv[1];
	server = argv[2];
	relay = argv[3];
	must(corral_open(location, 0, &corral) == 0, location);
	bare = redisConnectUnix(server);
	must(bare != NULL && bare->err == 0, server);
	kill_at_each_system_call();
	die_at_each_byte();
	die_with_a_turn();
	redisFree(bare);
	corral_close(corral);
	return 0;
}
