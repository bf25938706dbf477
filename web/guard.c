/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c: see guard.h.
 */
#include "guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "common/parse.h"

#define NAME_MAX_BYTES 253u
#define CREDENTIALS_MAX (TOKEN_MAX + 256u) /* name and token, decoded */

/* Copy size bytes with a NUL behind them; false: there is no room. */
static bool copy_part(const char *from, size_t size, char *to, size_t room)
{
	if (size == 0 || size >= room)
		return false;
	memcpy(to, from, size);
	to[size] = '\0';
	return true;
}

/* What stands in front of the port, without brackets. *ret_port: behind the colon; NULL: none. */
static bool split(const char *text, char name[NAME_MAX_BYTES + 1], bool *ret_bracketed,
		  const char **ret_port)
{
	const bool bracketed = *text == '[';
	const char *begin = bracketed ? text + 1 : text;
	const char *end = bracketed ? strchr(begin, ']') : begin + strcspn(begin, ":");

	if (end == NULL || !copy_part(begin, (size_t)(end - begin), name, NAME_MAX_BYTES + 1))
		return false;
	const char *rest = bracketed ? end + 1 : end;
	if (*rest != '\0' && *rest != ':')
		return false;
	*ret_bracketed = bracketed;
	*ret_port = *rest == ':' ? rest + 1 : NULL;
	return true;
}

static bool is_address(const char *text, bool bracketed)
{
	struct in6_addr six;
	struct in_addr four;

	return bracketed ? inet_pton(AF_INET6, text, &six) == 1 :
			   inet_pton(AF_INET, text, &four) == 1;
}

const char *guard_parse_listen(const char *text, char ret_address[ADDRESS_MAX], uint16_t *ret_port)
{
	static const char wrong[] = "write it as ADDRESS:PORT, like 127.0.0.1:8347 or [::1]:8347";
	char name[NAME_MAX_BYTES + 1];
	const char *port;
	uint64_t number;
	bool bracketed;

	if (!split(text, name, &bracketed, &port) || port == NULL || !is_address(name, bracketed) ||
	    parse_number(port, 0, UINT16_MAX, &number) != NULL)
		return wrong;
	(void)copy_part(name, strlen(name), ret_address, ADDRESS_MAX);
	*ret_port = (uint16_t)number;
	return NULL;
}

bool guard_is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

bool guard_is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.";
	const size_t size = strlen(text);

	return size > 0 && size <= NAME_MAX_BYTES && strspn(text, letters) == size;
}

bool guard_host(const struct web_options *options, const char *host)
{
	char name[NAME_MAX_BYTES + 1];
	const char *port;
	uint64_t number;
	bool bracketed;

	if (host == NULL || !split(host, name, &bracketed, &port))
		return false;
	if (port != NULL && parse_number(port, 1, UINT16_MAX, &number) != NULL)
		return false;
	if (is_address(name, bracketed))
		return true;
	if (bracketed)
		return false;
	if (strcasecmp(name, "localhost") == 0)
		return true;
	for (uint32_t i = 0; i < options->host_count; i++)
		if (strcasecmp(name, options->hosts[i]) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------- tokens */

/* In a time that does not tell how much of it is right. */
static bool is_token(const char *token, const char *text)
{
	const size_t size = strlen(text);
	unsigned differ = strlen(token) != size;

	for (size_t i = 0; token[i] != '\0'; i++)
		differ |= (unsigned)((unsigned char)token[i] ^
				     (unsigned char)(i < size ? text[i] : 0));
	return differ == 0;
}

/* Decode base64; false: it is none, or too long. */
static bool decode(const char *text, char to[CREDENTIALS_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const size_t count = strcspn(text, "=");
	uint32_t bits = 0;
	size_t size = 0;

	if (strspn(text + count, "=") != strlen(text + count) || count * 3 / 4 >= CREDENTIALS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *digit = strchr(digits, text[i]);
		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (i % 4 > 0)
			to[size++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	to[size] = '\0';
	return true;
}

bool guard_token(const struct web_options *options, const char *authorization)
{
	static const char bearer[] = "Bearer ";
	static const char basic[] = "Basic ";
	char credentials[CREDENTIALS_MAX];

	if (*options->token == '\0')
		return true;
	if (authorization == NULL)
		return false;
	if (strncasecmp(authorization, bearer, sizeof(bearer) - 1) == 0)
		return is_token(options->token, authorization + sizeof(bearer) - 1);
	if (strncasecmp(authorization, basic, sizeof(basic) - 1) != 0 ||
	    !decode(authorization + sizeof(basic) - 1, credentials))
		return false;
	const char *colon = strchr(credentials, ':');
	return colon != NULL && is_token(options->token, colon + 1);
}
