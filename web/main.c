/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: corral-web from start to end, and its loop.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/streams.h"
#include "common/text.h"
#include "http.h"

#define EXIT_DONE 0
#define EXIT_LISTEN 3

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Until a signal is to be read from stop_fd. */
static void loop(struct web *web, int http_fd, int stop_fd)
{
	struct pollfd fds[] = { { .fd = http_fd, .events = POLLIN },
				{ .fd = stop_fd, .events = POLLIN } };
	int wait_ms = 0;

	while (fds[1].revents == 0) {
		const int http_ms = http_timeout(web);
		if (http_ms >= 0)
			wait_ms = least(wait_ms, http_ms);
		(void)poll(fds, 2, wait_ms);
		http_run(web);
		wait_ms = board_step(&web->board) ? 0 : 1000;
		wait_ms = least(wait_ms, watch_tick(&web->watch));
		wait_ms = least(wait_ms, health_tick(&web->health));
	}
}

static void say_where(const struct web_options *options)
{
	const bool six = strchr(options->address, ':') != NULL;

	printf("corral-web: listening at http://%s%s%s:%u/\n", six ? "[" : "", options->address,
	       six ? "]" : "", options->port);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct web web;
	sigset_t signals;
	int http_fd = -1;

	streams_begin("corral-web");
	text_begin();
	web_options_parse(argc, argv, &web.options);
	web.source.location = web.options.location;
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	int r = stop_fd < 0 ? -errno : http_begin(&web, &http_fd);
	if (r < 0) {
		streams_complain("cannot listen at %s port %u: %s", web.options.address,
				 web.options.port, strerror(-r));
		return EXIT_LISTEN;
	}
	say_where(&web.options);
	loop(&web, http_fd, stop_fd);
	http_end(&web);
	close(stop_fd);
	return EXIT_DONE;
}
