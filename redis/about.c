/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * about.c: see about.h. INFO, not CONFIG GET: services that run Redis for others forbid that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "about.h"
#include "base/reason.h"

/* What INFO says of a name, up to the end of its line; NULL: nothing. */
static const char *value_of(const redisReply *info, const char *name)
{
	const size_t size = strlen(name);

	for (const char *at = info->str; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, size) == 0 && at[size] == ':')
			return at + size + 1;
	}
	return NULL;
}

static int64_t number_of(const redisReply *info, const char *name)
{
	const char *value = value_of(info, name);

	return value != NULL ? strtoll(value, NULL, 10) : -1;
}

/* Is nothing dropped when memory is full? 1, 0, or -1: not known. */
static int32_t keeps_all(const redisReply *info)
{
	const char *policy = value_of(info, "maxmemory_policy");

	if (number_of(info, "maxmemory") == 0)
		return 1; /* there is no limit */
	return policy != NULL ? strncmp(policy, "noeviction", 10) == 0 : -1;
}

/* A setting of two servers as one: 0 (off) if either has it off, else -1 if either is unknown. */
static int32_t worse(int32_t a, int32_t b)
{
	return a == 0 || b == 0 ? 0 : a < b ? a : b;
}

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void add_info(struct engine_about *about, const redisReply *info)
{
	const int64_t file = number_of(info, "aof_enabled");

	about->appendonly = worse(about->appendonly, file < 0 ? -1 : file == 1);
	about->noeviction = worse(about->noeviction, keeps_all(info));
	about->replicas = less(about->replicas, number_of(info, "connected_slaves"));
}

/* Ask one server. NULL in *ret_reply: it does not tell this user. */
static int ask(struct store *store, uint32_t node, const char *word, int type, int64_t give_up_ns,
	       redisReply **ret_reply)
{
	struct command command;

	*ret_reply = NULL;
	command_begin(&command, word);
	int r = store_ask_node(store, node, &command, give_up_ns, ret_reply);
	if (r == -EACCES || r == -EPROTO)
		return 0;
	if (r == 0 && (*ret_reply)->type != type) {
		freeReplyObject(*ret_reply);
		*ret_reply = NULL;
	}
	return r;
}

static int about_node(struct store *store, uint32_t node, int64_t give_up_ns,
		      struct engine_about *about)
{
	redisReply *info = NULL, *size = NULL;
	int r = ask(store, node, "INFO", REDIS_REPLY_STRING, give_up_ns, &info);

	if (r == 0)
		r = ask(store, node, "DBSIZE", REDIS_REPLY_INTEGER, give_up_ns, &size);
	if (r == 0 && info != NULL)
		add_info(about, info);
	else
		*about = (struct engine_about){ .keys = about->keys,
						.masters = about->masters,
						.replicas = -1,
						.appendonly = worse(about->appendonly, -1),
						.noeviction = worse(about->noeviction, -1) };
	about->keys = size == NULL || about->keys < 0 ? -1 : about->keys + size->integer;
	freeReplyObject(info);
	freeReplyObject(size);
	return r;
}

int about_store(struct store *store, int64_t give_up_ns, struct engine_about *ret_about)
{
	uint16_t nodes[NODES_MAX];
	uint32_t count = store_masters(store, give_up_ns, nodes);
	int r = count > 0 ? 0 : ENGINE_NOT_DONE;

	*ret_about = (struct engine_about){
		.masters = count, .replicas = INT64_MAX, .appendonly = 1, .noeviction = 1
	};
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = about_node(store, nodes[i], give_up_ns, ret_about);
	return r;
}

int about_judge(const struct store *store, const struct engine_about *about, char *why)
{
	const uint32_t wanted = store->settings.location.replicas;

	if (about->appendonly < 0)
		return reason_set(why, -ENOTSUP,
				  "strict: the servers do not tell this user how they are set up "
				  "(INFO)");
	if (about->appendonly == 0)
		return reason_set(why, -ENOTSUP,
				  "strict: a server does not write its file (appendonly)");
	if (about->noeviction != 1)
		return reason_set(why, -ENOTSUP,
				  "strict: a server drops carts when its memory is full "
				  "(maxmemory-policy)");
	if (about->replicas < (int64_t)wanted)
		return reason_set(why, -ENOTSUP,
				  "strict: a server has %lld replicas, replicas=%u wants more",
				  (long long)about->replicas, wanted);
	return 0;
}
