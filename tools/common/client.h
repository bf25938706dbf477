/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h: talk to the agent of a directory over its control socket.
 *
 * Protocol: a stream socket at DIR/agent.sock; the client writes one line, the agent answers with
 * one line of JSON and closes. Lines: "ping", "status", "stop". Every answer has "ok": true, or
 * "ok": false with "error": "...".
 */
#ifndef CORRAL_AGENT_CLIENT_H
#define CORRAL_AGENT_CLIENT_H

#include <stddef.h>

#include <jansson.h>

/*
 * Ask the agent; wait at most timeout_ms. *ret_answer: a new reference, for json_decref(). 0;
 * -ENOENT or -ECONNREFUSED: no agent runs there; -ETIMEDOUT; -EPROTO: the answer is not JSON; other
 * -errno.
 */
int agent_ask(const char *directory, const char *line, int timeout_ms, json_t **ret_answer);

/*
 * The second half of agent_ask(): read the answer from a socket, up to its end. -ETIMEDOUT,
 * -EPROTO, other -errno.
 */
int agent_read_answer(int fd, int timeout_ms, json_t **ret_answer);

#endif
