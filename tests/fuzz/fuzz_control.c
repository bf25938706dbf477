/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_control.c: both ends of the agent's control socket.
 *
 * The input: { end, size of a piece }, then the bytes, which arrive in pieces of that size. The
 * agent's end reads them as a client's request (control_serve), the client's end as an agent's
 * answer (agent_read_answer). With HALF in `end` the other side stops in the middle and stays
 * silent.
 *
 * Besides not crashing: the agent answers one line of JSON with "ok", or nothing; it stops only
 * when told to; the client accepts a JSON object and nothing else.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena_image.h"
#include "fuzz.h"

#include "agent.h"
#include "common/client.h"

enum { TO_CLIENT = 1, HALF = 2 };

#define ANSWER_BYTES 65536

static struct arena_image image;
static struct agent agent;

static void begin(void)
{
	arena_image_make(&image);
	must(corral_open(image.directory, CORRAL_OBSERVE, &agent.corral) == 0);
	must(handle_actor(agent.corral, &agent.actor) == 0);
	memcpy(agent.directory, image.directory, sizeof(image.directory));
	log_threshold = LOG_ERROR;
}

static void make_pair(int ends[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
}

/* ------------------------------------------------------------------ the agent */

static void check_answer(int fd)
{
	static char text[ANSWER_BYTES];
	ssize_t size = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	if (size <= 0)
		return;
	must(text[size - 1] == '\n' && memchr(text, '\n', (size_t)size) == text + size - 1);
	json_t *answer = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_object(answer) && json_is_boolean(json_object_get(answer, "ok")));
	json_decref(answer);
}

/*
 * True if the first line is "stop". (A NUL ends the line too: a C program may send one by mistake.)
 */
static bool says_stop(const uint8_t *bytes, size_t size)
{
	return size >= 5 && memcmp(bytes, "stop", 4) == 0 &&
	       (bytes[4] == '\n' || bytes[4] == '\0') &&
	       memchr(bytes, '\n', size < CLIENT_LINE_BYTES ? size : CLIENT_LINE_BYTES) != NULL;
}

static void to_agent(const uint8_t *bytes, size_t size, size_t piece, bool half)
{
	struct client *client = &agent.clients[0];
	bool done = false;
	int ends[2];

	make_pair(ends);
	*client = (struct client){ .fd = ends[0] };
	memset(client->line, 0xa5, sizeof(client->line));
	agent.stopping = false;
	for (size_t at = 0; at < size && !done; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		must(send(ends[1], bytes + at, length, MSG_NOSIGNAL) == (ssize_t)length);
		done = control_serve(&agent, client);
		must(client->size <= sizeof(client->line));
	}
	if (!done)
		must(!control_serve(
			&agent, client)); /* nothing has arrived yet: the agent asks again later */
	if (!done && !half) {
		must(shutdown(ends[1], SHUT_WR) == 0);
		done = control_serve(&agent, client);
		must(done);
	}
	must(agent.stopping == (done && says_stop(bytes, size)));
	check_answer(ends[1]);
	close(ends[0]);
	close(ends[1]);
}

/* ----------------------------------------------------------------- the client */

static void to_client(const uint8_t *bytes, size_t size, bool half)
{
	json_t *answer = NULL;
	int ends[2];

	make_pair(ends);
	must(send(ends[1], bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
	if (!half)
		must(shutdown(ends[1], SHUT_WR) == 0);
	int r = agent_read_answer(ends[0], half ? 1 : 1000, &answer);
	must(r <= 0 && (r == 0) == (answer != NULL));
	must(r < 0 || json_is_object(answer));
	must(half ? r == -ETIMEDOUT : r == 0 || r == -EPROTO);
	json_decref(answer);
	close(ends[0]);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size > ANSWER_BYTES / 2)
		return 0;
	if (agent.corral == NULL)
		begin();
	size_t piece = data[1] != 0 ? data[1] : size;
	if ((data[0] & TO_CLIENT) != 0)
		to_client(data + 2, size - 2, (data[0] & HALF) != 0);
	else
		to_agent(data + 2, size - 2, piece, (data[0] & HALF) != 0);
	return 0;
}
