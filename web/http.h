/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http.h: the connections. The only user of libmicrohttpd, which has no thread here: http_run()
 * does what is to be done, when the descriptor is readable or the time is up.
 */
#ifndef CORRAL_WEB_HTTP_H
#define CORRAL_WEB_HTTP_H

#include "board.h"
#include "health.h"
#include "stream.h"
#include "watch.h"

struct MHD_Daemon;

struct web {
	struct web_options options;
	struct source source;
	struct stream stream;
	struct watch watch;
	struct board board;
	struct health health;
	struct MHD_Daemon *daemon;
	struct request *requests; /* those that are being answered */
	uint64_t refused;
	uint64_t answers[6];
};

/* Listen. *ret_fd: to be watched; options.port becomes the port that it got. 0 or -errno. */
int http_begin(struct web *web, int *ret_fd);

/* The milliseconds after which http_run() is to be called at the latest; -1: there is no limit. */
int http_timeout(struct web *web);

void http_run(struct web *web);

/* Close all connections. */
void http_end(struct web *web);

#endif
