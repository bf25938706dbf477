/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: corral-web's command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/options.h"
#include "guard.h"

#define LISTENERS_USUAL 512u
#define LISTENERS_MAX 10000u

static const char *take_listen(void *context, const char *text)
{
	struct web_options *web = context;

	return guard_parse_listen(text, web->address, &web->port);
}

static const char *take_host(void *context, const char *text)
{
	struct web_options *web = context;

	if (!guard_is_name(text))
		return "give a name without a port, like orders.example.net";
	if (web->host_count == HOSTS_MAX)
		return "there are 16 at most";
	web->hosts[web->host_count++] = text;
	return NULL;
}

/* The first line of a small file. */
static const char *take_token_file(void *context, const char *text)
{
	struct web_options *web = context;
	char read_in[TOKEN_MAX + 2];
	int fd = open(text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return strerror(errno);
	ssize_t size = read(fd, read_in, sizeof(read_in) - 1);
	close(fd);
	if (size < 0)
		return strerror(errno);
	read_in[size] = '\0';
	const size_t length = strcspn(read_in, "\n");
	if (length < TOKEN_MIN || length > TOKEN_MAX || strlen(read_in) > length + 1)
		return "a token is one line of 16 to 256 characters";
	for (size_t i = 0; i < length; i++)
		if (read_in[i] <= ' ' || read_in[i] > '~')
			return "a token has visible characters of ASCII only, and no spaces";
	memcpy(web->token, read_in, length);
	web->token[length] = '\0';
	return NULL;
}

void web_options_parse(int argc, char **argv, struct web_options *web)
{
	const struct option_row rows[] = {
		OPTION(WORD, "dir", "LOCATION", word = &web->location,
		       "where the carts are: a directory, or a redis:// or redis+cluster:// "
		       "location (default: $CORRAL_DIR, else /var/lib/corral for root and "
		       "$XDG_STATE_HOME/corral for others)"),
		OPTION(OWN, "listen", "ADDRESS:PORT", context = web,
		       "where to listen (default 127.0.0.1:8347); port 0: one that is free, which "
		       "standard output names. Other than loopback addresses want --token-file",
		       .take = take_listen),
		OPTION(OWN, "host", "NAME", context = web,
		       "a name by which browsers call it, as behind a proxy; others are refused, "
		       "but for localhost and addresses. May be repeated",
		       .take = take_host, .repeats = true),
		OPTION(OWN, "token-file", "FILE", context = web,
		       "a file with a token in its first line. Without it only /healthz and "
		       "/readyz answer: as a bearer token, or as the password that a browser asks "
		       "for",
		       .take = take_token_file),
		OPTION(NUMBER, "listeners", "N", number = &web->listeners,
		       "how many pages may be kept up to date at once", BOUNDS(1, LISTENERS_MAX)),
	};
	struct options options = {
		.about = "Show the carts of a location in the browser, read-only: a board of the "
			 "orders, each order's history, the system's health, and metrics.",
		.more = "Exit codes: 0 ended by SIGTERM or SIGINT; 2 usage; 3 it cannot listen; 5 "
			"the output could\nnot be written.\n\n"
			"The manual: corral-web(8)\n",
		.version = CORRAL_VERSION,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	bool go;

	*web = (struct web_options){ .listeners = LISTENERS_USUAL };
	(void)guard_parse_listen("127.0.0.1:8347", web->address, &web->port);
	int code = options_take(&options, argc, argv, &go);
	if (!go)
		exit(code);
	if (!guard_is_loopback(web->address) && *web->token == '\0')
		exit(options_wrong(&options, "%s is no loopback address: give --token-file FILE",
				   web->address));
}
