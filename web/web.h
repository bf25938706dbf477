/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * web.h: what the modules of corral-web share.
 *
 * corral-web is one thread: a loop over its connections, over the lists that are being made, a
 * slice of a few milliseconds at a time, and over the feed, which it reads for all who listen. It
 * only observes. Killed at any instruction it leaves a process record, which the agent cleans up
 * after.
 */
#ifndef CORRAL_WEB_WEB_H
#define CORRAL_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "corral.h"

#define TICKETS_USUAL 200u
#define TICKETS_MAX 500u
#define ADDRESS_MAX 64u /* of --listen, with its NUL */
#define TOKEN_MIN 16u
#define TOKEN_MAX 256u
#define HOSTS_MAX 16u

struct web_options {
	const char *location;
	char address[ADDRESS_MAX]; /* an IPv4 address, or an IPv6 one without brackets */
	uint16_t port;
	uint32_t listeners; /* the most streams of events at once */
	const char *hosts[HOSTS_MAX];
	uint32_t host_count;
	char token[TOKEN_MAX + 1]; /* "": none is wanted */
};

/* Read the command line; ends the program after --help or a complaint. */
void web_options_parse(int argc, char **argv, struct web_options *ret_options);

static inline int64_t web_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t web_now_ms(void)
{
	return web_now_ns() / 1000000;
}

/* Milliseconds since 1970. */
static inline int64_t web_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
