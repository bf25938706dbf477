/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * location.h: the location strings of corral-redis(7).
 */
#ifndef CORRAL_REDIS_LOCATION_H
#define CORRAL_REDIS_LOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCATION_HOSTS_MAX 32
#define LOCATION_TEXT_MAX 256 /* bytes of a name or password, with the final NUL */
#define LOCATION_PATH_MAX 108 /* of a unix socket */

struct location_host {
	char host[LOCATION_TEXT_MAX]; /* or the path of a unix socket, if port is "" */
	char port[6];
};

struct location {
	struct location_host hosts[LOCATION_HOSTS_MAX];
	uint32_t host_count;
	bool cluster;
	bool tls;
	char user[LOCATION_TEXT_MAX]; /* "": the server's default user */
	char password[LOCATION_TEXT_MAX];
	char prefix[LOCATION_TEXT_MAX];
	char authorities[LOCATION_TEXT_MAX]; /* files for TLS; "": none given */
	char certificate[LOCATION_TEXT_MAX];
	char key[LOCATION_TEXT_MAX];
	char currency[4]; /* "": none */
	bool strict;      /* the open is refused if the servers do not keep what durable means */
	uint32_t replicas;
	uint32_t wait_ms;    /* for the replicas */
	uint32_t timeout_ms; /* of one request */
	uint64_t ttl_ms;
	uint64_t seed; /* of a store that is made now; 0: a random one */
};

/* 0; -EINVAL, -ENAMETOOLONG, -E2BIG, -ERANGE, -EPROTONOSUPPORT, and why. */
int location_parse(const char *text, struct location *ret_location, char *why);

#endif
