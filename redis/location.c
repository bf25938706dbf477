/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * location.c: see location.h.
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][?OPTION=VALUE[&...]]     one server
 *   redis+unix://[USER[:PASSWORD]@]/PATH/OF/SOCKET[?...]           one server, on this machine
 *   redis+cluster://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...][?...]
 *   rediss://, rediss+cluster://                                   the same over TLS
 *
 * Nothing of it is repeated in a reason but names of options: the string may have a password in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reason.h"
#include "corral.h"
#include "location.h"

#define DEFAULT_PORT "6379"
#define DEFAULT_PREFIX "corral:"
#define DEFAULT_TTL_MS (30ull * 60 * 1000)
#define DEFAULT_WAIT_MS 500u
#define DEFAULT_TIMEOUT_MS 1000u
#define TIMES_MAX_MS 3600000u
#define REPLICAS_MAX 16u

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copy `size` bytes of text, with %XX decoded, as a C string. */
static int take_text(const char *text, size_t size, char *ret, size_t room)
{
	size_t out = 0;

	for (size_t at = 0; at < size; at++) {
		char c = text[at];
		if (c == '%') {
			int high = at + 2 < size ? hex_digit(text[at + 1]) : -1;
			int low = at + 2 < size ? hex_digit(text[at + 2]) : -1;
			if (high < 0 || low < 0 || (high | low) == 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			at += 2;
		}
		if (out + 1 >= room)
			return -ENAMETOOLONG;
		ret[out++] = c;
	}
	ret[out] = '\0';
	return 0;
}

/* A whole number up to `most`; *ret_end: what follows it. */
static int take_number(const char *text, size_t size, uint64_t most, uint64_t *ret_number,
		       size_t *ret_used)
{
	uint64_t number = 0;
	size_t at = 0;

	for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
		number = number * 10 + (uint64_t)(text[at] - '0');
		if (number > most)
			return -ERANGE;
	}
	if (at == 0)
		return -EINVAL;
	*ret_number = number;
	*ret_used = at;
	return 0;
}

/* A time: a number and ms, s, m or h. */
static int take_time(const char *text, size_t size, uint64_t least_ms, uint64_t most_ms,
		     uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	uint64_t number;
	size_t used;
	int r = take_number(text, size, most_ms, &number, &used);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) != size - used ||
		    memcmp(units[i].name, text + used, size - used) != 0)
			continue;
		if (number > most_ms / units[i].ms || number * units[i].ms < least_ms)
			return -ERANGE;
		*ret_ms = number * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

static bool is(const char *name, size_t size, const char *known)
{
	return strlen(known) == size && memcmp(name, known, size) == 0;
}

static int take_ms(const char *value, size_t size, uint32_t *ret_ms)
{
	uint64_t ms;
	int r = take_time(value, size, 1, TIMES_MAX_MS, &ms);

	if (r == 0)
		*ret_ms = (uint32_t)ms;
	return r;
}

static int take_count(const char *value, size_t size, uint32_t *ret_count)
{
	uint64_t number;
	size_t used;
	int r = take_number(value, size, REPLICAS_MAX, &number, &used);

	if (r == 0 && used != size)
		r = -EINVAL;
	if (r == 0)
		*ret_count = (uint32_t)number;
	return r;
}

/* 0 or 1. */
static int take_switch(const char *value, size_t size, bool *ret_on)
{
	if (size != 1 || (value[0] != '0' && value[0] != '1'))
		return -EINVAL;
	*ret_on = value[0] == '1';
	return 0;
}

/* 16 hexadecimal digits. */
static int take_seed(const char *value, size_t size, uint64_t *ret_seed)
{
	uint64_t seed = 0;

	if (size != 16)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		int digit = hex_digit(value[i]);
		if (digit < 0)
			return -EINVAL;
		seed = seed << 4 | (uint64_t)digit;
	}
	*ret_seed = seed;
	return 0;
}

static int take_option(const char *name, size_t name_size, const char *value, size_t size,
		       struct location *location)
{
	if (is(name, name_size, "prefix"))
		return take_text(value, size, location->prefix, sizeof(location->prefix));
	if (is(name, name_size, "cacert"))
		return take_text(value, size, location->authorities, sizeof(location->authorities));
	if (is(name, name_size, "cert"))
		return take_text(value, size, location->certificate, sizeof(location->certificate));
	if (is(name, name_size, "key"))
		return take_text(value, size, location->key, sizeof(location->key));
	if (is(name, name_size, "currency"))
		return take_text(value, size, location->currency, sizeof(location->currency));
	if (is(name, name_size, "replicas"))
		return take_count(value, size, &location->replicas);
	if (is(name, name_size, "strict"))
		return take_switch(value, size, &location->strict);
	if (is(name, name_size, "wait"))
		return take_ms(value, size, &location->wait_ms);
	if (is(name, name_size, "timeout"))
		return take_ms(value, size, &location->timeout_ms);
	if (is(name, name_size, "ttl"))
		return take_time(value, size, CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX,
				 &location->ttl_ms);
	if (is(name, name_size, "seed"))
		return take_seed(value, size, &location->seed);
	if (is(name, name_size, "module"))
		return 0; /* libcorral has found us by it */
	return -ENOENT;
}

static int take_options(const char *options, struct location *location, char *why)
{
	while (*options != '\0') {
		size_t all = strcspn(options, "&");
		size_t name = strcspn(options, "=&");
		int r = name == all ? -EINVAL :
				      take_option(options, name, options + name + 1, all - name - 1,
						  location);
		if (r == -ENOENT)
			return reason_set(why, -EINVAL, "the location has an unknown option: %.*s",
					  (int)(name < 32 ? name : 32), options);
		if (r < 0)
			return reason_set(why, r, "the location's option %.*s has a wrong value",
					  (int)(name < 32 ? name : 32), options);
		options += all + (options[all] == '&');
	}
	return 0;
}

static int take_host(const char *text, size_t size, struct location_host *host)
{
	size_t name = size, port = size;
	uint64_t number;
	size_t used;

	if (size > 0 && text[0] == '[') { /* an address of IPv6 */
		const char *end = memchr(text, ']', size);
		if (end == NULL)
			return -EINVAL;
		name = (size_t)(end - text) - 1;
		text++;
		size--;
		port = name + 1;
		if (port < size && text[port] != ':')
			return -EINVAL;
	} else {
		const char *colon = memchr(text, ':', size);
		if (colon != NULL)
			name = port = (size_t)(colon - text);
	}
	int r = name == 0 ? -EINVAL : take_text(text, name, host->host, sizeof(host->host));
	if (r < 0)
		return r;
	if (port >= size) {
		memcpy(host->port, DEFAULT_PORT, sizeof(DEFAULT_PORT));
		return 0;
	}
	r = take_number(text + port + 1, size - port - 1, UINT16_MAX, &number, &used);
	if (r < 0 || used != size - port - 1 || number == 0)
		return -EINVAL;
	memcpy(host->port, text + port + 1, used);
	host->port[used] = '\0';
	return 0;
}

static int take_hosts(const char *text, size_t size, bool is_unix, struct location *location)
{
	if (is_unix) {
		location->host_count = 1;
		return size == 0 || text[0] != '/' ?
			       -EINVAL :
			       take_text(text, size, location->hosts[0].host, LOCATION_PATH_MAX);
	}
	for (;;) {
		const char *comma = memchr(text, ',', size);
		size_t one = comma != NULL ? (size_t)(comma - text) : size;
		if (location->host_count == LOCATION_HOSTS_MAX)
			return -E2BIG;
		int r = take_host(text, one, &location->hosts[location->host_count++]);
		if (r < 0 || comma == NULL)
			return r;
		text += one + 1;
		size -= one + 1;
	}
}

static int take_credentials(const char *text, size_t size, struct location *location)
{
	const char *colon = memchr(text, ':', size);
	size_t user = colon != NULL ? (size_t)(colon - text) : size;
	int r = take_text(text, user, location->user, sizeof(location->user));

	if (r == 0 && colon != NULL)
		r = take_text(colon + 1, size - user - 1, location->password,
			      sizeof(location->password));
	return r;
}

static int password_from_environment(struct location *location)
{
	const char *password = secure_getenv("CORRAL_REDIS_PASSWORD");

	if (location->password[0] != '\0' || password == NULL)
		return 0;
	if (strlen(password) >= sizeof(location->password))
		return -ENAMETOOLONG;
	memcpy(location->password, password, strlen(password) + 1);
	return 0;
}

int location_parse(const char *text, struct location *location, char *why)
{
	const char *rest = strstr(text, "://");
	size_t scheme = rest != NULL ? (size_t)(rest - text) : 0;
	bool is_unix = is(text, scheme, "redis+unix");

	memset(location, 0, sizeof(*location));
	memcpy(location->prefix, DEFAULT_PREFIX, sizeof(DEFAULT_PREFIX));
	location->ttl_ms = DEFAULT_TTL_MS;
	location->wait_ms = DEFAULT_WAIT_MS;
	location->timeout_ms = DEFAULT_TIMEOUT_MS;
	location->tls = is(text, scheme, "rediss") || is(text, scheme, "rediss+cluster");
	location->cluster = is(text, scheme, "redis+cluster") || is(text, scheme, "rediss+cluster");
	if (!is_unix && !location->tls && !location->cluster && !is(text, scheme, "redis"))
		return reason_set(why, -EPROTONOSUPPORT, "the location has an unknown scheme");
	rest += 3;
	size_t size = strcspn(rest, "?");
	int r = rest[size] == '?' ? take_options(rest + size + 1, location, why) : 0;
	if (r < 0)
		return r;
	const char *at = memrchr(rest, '@', size);
	if (at != NULL) {
		r = take_credentials(rest, (size_t)(at - rest), location);
		size -= (size_t)(at - rest) + 1;
		rest = at + 1;
	}
	if (r == 0)
		r = password_from_environment(location);
	if (r == 0)
		r = take_hosts(rest, size, is_unix, location);
	if (r == 0 && !location->cluster && location->host_count != 1)
		return reason_set(
			why, -EINVAL,
			"redis:// names one server; several are a cluster, redis+cluster://");
	return r < 0 ? reason_set(why, r, "the location's servers are malformed") : 0;
}
