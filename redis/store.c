/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.c: see store.h.
 *
 * A request takes an idle connection to the server that the map names, or makes one, and gives it
 * back when all replies are read; a connection on which anything went wrong is closed, since what
 * it would still answer belongs to a request that was given up. So each thread has a connection of
 * its own while it asks.
 *
 * The map of a cluster is asked for when it is wrong: after MOVED, READONLY, a failed connection or
 * a time-out; from any server that answers, in turn. Servers are never forgotten, so an index stays
 * what it is.
 *
 * A forked child finds the pid of its parent here. It closes its copies of the connections, on
 * which it must not say a word, and makes its own.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/reason.h"
#include "scripts.h"
#include "store.h"

#define IDLE_MAX 64u
#define REDIRECTS_MAX 16
#define MAP_NS 500000000ll    /* for one server to say what it knows of the cluster */
#define CHECK_NS 1000000000ll /* a connection that was idle for so long is looked at */
#define OPEN_NS 6000000000ll

static const char *const sources[SCRIPTS] = { script_get, script_swap };

/* ------------------------------------------------------------- fork, and the lock */

/* The parent's connections are open in this child, too, until they are closed here. */
static void forget_connections(struct store *store)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		for (struct connection *at = store->nodes[i].idle, *next; at != NULL; at = next) {
			next = at->next;
			connection_close(at);
		}
		store->nodes[i].idle = NULL;
		store->nodes[i].idle_count = 0;
	}
}

static void lock(struct store *store)
{
	const pid_t self = store->settings.callbacks.own_pid();

	for (;;) {
		pid_t owner = load_acquire(&store->pid);
		if (owner == self)
			break;
		if (owner == 0 || !cas_acq_rel(&store->pid, owner, 0)) {
			sched_yield(); /* another thread of this child is at it */
			continue;
		}
		/* a thread that this child has not may have held it */
		pthread_mutex_init(&store->mutex, NULL);
		forget_connections(store);
		store_release(&store->pid, self);
	}
	pthread_mutex_lock(&store->mutex);
}

static void unlock(struct store *store)
{
	pthread_mutex_unlock(&store->mutex);
}

/* ------------------------------------------------------------------- servers */

/* The caller has the lock. The index of a server, which is made known; NO_NODE: too many. */
static uint16_t find_node(struct store *store, const char *host, const char *port)
{
	uint32_t at = 0;

	for (; at < store->node_count; at++)
		if (strcmp(store->nodes[at].host.host, host) == 0 &&
		    strcmp(store->nodes[at].host.port, port) == 0)
			return (uint16_t)at;
	if (at == NODES_MAX || strlen(host) >= sizeof(store->nodes[0].host.host) ||
	    strlen(port) >= sizeof(store->nodes[0].host.port))
		return NO_NODE;
	memset(&store->nodes[at], 0, sizeof(store->nodes[at]));
	memcpy(store->nodes[at].host.host, host, strlen(host) + 1);
	memcpy(store->nodes[at].host.port, port, strlen(port) + 1);
	store->node_count++;
	return (uint16_t)at;
}

/* Has the server closed it, or said something that nobody asked for? */
static bool is_quiet(const struct connection *connection)
{
	struct pollfd poll_fd = { .fd = connection->fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 0;
}

static struct connection *take_idle(struct store *store, uint32_t node)
{
	for (;;) {
		lock(store);
		struct connection *connection = store->nodes[node].idle;
		if (connection != NULL) {
			store->nodes[node].idle = connection->next;
			store->nodes[node].idle_count--;
		}
		unlock(store);
		/* one that was used just now will be well; if not, the request is sent again */
		if (connection == NULL || connection_now_ns() - connection->used_ns < CHECK_NS ||
		    is_quiet(connection))
			return connection;
		connection_close(connection);
	}
}

static int take(struct store *store, uint32_t node, int64_t give_up_ns,
		struct connection **ret_connection, char *why)
{
	char label[CORRAL_LABEL_MAX + 1];
	struct location_host host;

	*ret_connection = take_idle(store, node);
	if (*ret_connection != NULL)
		return 0;
	lock(store);
	host = store->nodes[node].host;
	memcpy(label, store->label, sizeof(label));
	unlock(store);
	return connection_open(&store->settings, &host, label, give_up_ns, ret_connection, why);
}

static void give_back(struct store *store, uint32_t node, struct connection *connection)
{
	connection->used_ns = connection_now_ns();
	lock(store);
	const bool keep = store->nodes[node].idle_count < IDLE_MAX &&
			  connection->pid == store->settings.callbacks.own_pid();
	if (keep) {
		connection->next = store->nodes[node].idle;
		store->nodes[node].idle = connection;
		store->nodes[node].idle_count++;
	}
	unlock(store);
	if (!keep)
		connection_close(connection);
}

static int64_t request_end(const struct store *store, int64_t give_up_ns)
{
	int64_t end_ns = connection_now_ns() + store->settings.location.timeout_ms * 1000000ll;

	return end_ns < give_up_ns ? end_ns : give_up_ns;
}

/* One command, one reply, which may be an error. 0 or -errno; *ret_begun as connection_send(). */
static int ask_plainly(struct store *store, uint32_t node, const struct command *command,
		       int64_t give_up_ns, redisReply **ret_reply, bool *ret_begun, char *why)
{
	struct connection *connection;

	*ret_begun = false;
	int r = take(store, node, give_up_ns, &connection, why);
	if (r < 0)
		return r;
	r = connection_send(connection, command, 1, give_up_ns, ret_begun);
	if (r == 0)
		r = connection_receive(connection, give_up_ns, ret_reply);
	if (r < 0)
		connection_close(connection);
	else
		give_back(store, node, connection);
	return r;
}

/* ------------------------------------------------------------------- the map */

static const redisReply *element(const redisReply *reply, size_t index, int type)
{
	return reply != NULL && reply->type == REDIS_REPLY_ARRAY && index < reply->elements &&
			       reply->element[index]->type == type ?
		       reply->element[index] :
		       NULL;
}

/* The server that an entry of CLUSTER SLOTS names. `asked` is what "" and "?" mean. */
static uint16_t node_of(struct store *store, const redisReply *entry, const char *asked)
{
	const redisReply *host = element(entry, 0, REDIS_REPLY_STRING);
	const redisReply *number = element(entry, 1, REDIS_REPLY_INTEGER);
	char port[24];

	if (number == NULL || number->integer <= 0 || number->integer > UINT16_MAX)
		return NO_NODE;
	(void)snprintf(port, sizeof(port), "%lld", number->integer);
	return find_node(store,
			 host == NULL || host->len == 0 || strcmp(host->str, "?") == 0 ? asked :
											 host->str,
			 port);
}

/* The caller has the lock. */
static void take_range(struct store *store, const redisReply *range, const char *asked)
{
	const redisReply *first = element(range, 0, REDIS_REPLY_INTEGER);
	const redisReply *last = element(range, 1, REDIS_REPLY_INTEGER);
	const redisReply *master = element(range, 2, REDIS_REPLY_ARRAY);
	uint16_t node = master != NULL ? node_of(store, master, asked) : NO_NODE;

	if (first == NULL || last == NULL || node == NO_NODE || first->integer < 0 ||
	    last->integer >= (long long)SLOTS)
		return;
	for (long long slot = first->integer; slot <= last->integer; slot++)
		store->owner[slot] = node;
	store->nodes[node].is_master = true;
	store->nodes[node].replicas = (uint32_t)(range->elements - 3);
	for (size_t i = 3; i < range->elements; i++) /* so that they can be asked for a map */
		(void)node_of(store, range->element[i], asked);
}

static void take_map(struct store *store, const redisReply *map, const char *asked)
{
	lock(store);
	for (uint32_t i = 0; i < SLOTS; i++)
		store->owner[i] = NO_NODE;
	for (uint32_t i = 0; i < store->node_count; i++)
		store->nodes[i].is_master = false;
	for (size_t i = 0; i < map->elements; i++)
		take_range(store, map->element[i], asked);
	store->map_number++;
	store->map_stale = false;
	unlock(store);
}

/* Ask one server for the map. */
static int ask_map(struct store *store, uint32_t node, int64_t give_up_ns, char *why)
{
	char host[LOCATION_TEXT_MAX];
	int64_t end_ns = connection_now_ns() + MAP_NS;
	redisReply *reply = NULL;
	struct command command;
	bool begun;

	command_begin(&command, "CLUSTER");
	command_add_text(&command, "SLOTS");
	int r = ask_plainly(store, node, &command, end_ns < give_up_ns ? end_ns : give_up_ns,
			    &reply, &begun, why);
	if (r == 0 && reply->type == REDIS_REPLY_ERROR)
		r = reason_set(why, strncmp(reply->str, "NOAUTH", 6) == 0 ? -EACCES : -EPROTO,
			       "CLUSTER SLOTS: %.200s", reply->str);
	else if (r == 0 && (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0))
		r = reason_set(why, -EHOSTDOWN, "the cluster has no servers for its slots yet");
	if (r == 0) {
		lock(store);
		memcpy(host, store->nodes[node].host.host, sizeof(host));
		unlock(store);
		take_map(store, reply, host);
	}
	freeReplyObject(reply);
	return r;
}

/* Get a map that is newer than this one, from any server. 0, ENGINE_NOT_DONE, or why there is none.
 */
static int refresh(struct store *store, uint64_t older_than, int64_t give_up_ns, char *why)
{
	int r = ENGINE_NOT_DONE;

	lock(store);
	uint32_t count = store->node_count;
	uint32_t first = store->next_asked++;
	bool done = store->map_number > older_than;
	unlock(store);
	for (uint32_t i = 0; i < count && !done; i++) {
		r = ask_map(store, (first + i) % count, give_up_ns, why);
		done = r == 0;
		if (connection_now_ns() >= give_up_ns)
			break;
	}
	return done ? 0 : r;
}

/* Which server has a slot? */
static int route(struct store *store, uint32_t slot, int64_t give_up_ns, uint32_t *ret_node,
		 char *why)
{
	for (int tries = 0; tries < 2; tries++) {
		lock(store);
		uint64_t number = store->map_number;
		bool stale = store->settings.location.cluster && store->map_stale;
		*ret_node = store->settings.location.cluster ? store->owner[slot] : 0;
		unlock(store);
		if (!stale && *ret_node != NO_NODE)
			return 0;
		int r = refresh(store, number, give_up_ns, why);
		if (r < 0)
			return r == -EACCES ? r : ENGINE_NOT_DONE;
	}
	return ENGINE_NOT_DONE; /* no server has it at present */
}

void store_doubt(struct store *store)
{
	lock(store);
	store->map_stale = true;
	unlock(store);
}

/* ------------------------------------------------------------------ requests */

static bool begins(const redisReply *error, const char *word)
{
	return strncmp(error->str, word, strlen(word)) == 0;
}

enum verdict { DONE, AGAIN, MOVED, ASK, NO_SCRIPT, REFUSED };

/* What an error says. *ret_r: of REFUSED. */
static enum verdict judge(const redisReply *reply, int *ret_r)
{
	static const char *const not_done[] = { "CLUSTERDOWN", "TRYAGAIN",   "LOADING", "READONLY",
						"MASTERDOWN",  "NOREPLICAS", "BUSY" };

	if (reply->type != REDIS_REPLY_ERROR)
		return DONE;
	if (begins(reply, "MOVED "))
		return MOVED;
	if (begins(reply, "ASK "))
		return ASK;
	if (begins(reply, "NOSCRIPT"))
		return NO_SCRIPT;
	for (size_t i = 0; i < sizeof(not_done) / sizeof(not_done[0]); i++)
		if (begins(reply, not_done[i]))
			return AGAIN;
	*ret_r = begins(reply, "OOM")     ? -ENOMEM :
		 begins(reply, "MISCONF") ? -EIO :
		 begins(reply, "NOAUTH") || begins(reply, "NOPERM") || begins(reply, "WRONGPASS") ?
					    -EACCES :
					    -EPROTO;
	return REFUSED;
}

/* The server that "MOVED 3999 127.0.0.1:6381" names. NO_NODE: none that can be understood. */
static uint16_t named(struct store *store, const redisReply *error, uint32_t asked)
{
	const char *at = strchr(error->str, ' ');
	char host[LOCATION_TEXT_MAX];

	at = at != NULL ? strchr(at + 1, ' ') : NULL;
	const char *colon = at != NULL ? strrchr(at, ':') : NULL;
	if (colon == NULL || (size_t)(colon - at) > sizeof(host))
		return NO_NODE;
	memcpy(host, at + 1, (size_t)(colon - at) - 1);
	host[colon - at - 1] = '\0';
	lock(store);
	uint16_t node =
		find_node(store, host[0] != '\0' ? host : store->nodes[asked].host.host, colon + 1);
	unlock(store);
	return node;
}

void store_free(redisReply *replies[STORE_COMMANDS_MAX])
{
	for (int i = 0; i < STORE_COMMANDS_MAX; i++) {
		if (replies[i] != NULL)
			freeReplyObject(replies[i]);
		replies[i] = NULL;
	}
}

/* Read the replies; `extra` of them in front are those of ASKING. */
static int receive_all(struct connection *connection, int extra, int count, int64_t give_up_ns,
		       redisReply *replies[])
{
	for (int i = -extra; i < count; i++) {
		redisReply *reply = NULL;
		int r = connection_receive(connection, give_up_ns, &reply);
		if (r < 0)
			return i > 0 ? 1 : r; /* the first is there: that counts */
		if (i < 0)
			freeReplyObject(reply);
		else
			replies[i] = reply;
	}
	return 0;
}

/* Send commands; the first is for a slot that is just moving to this server. */
static int send_asking(struct connection *connection, const struct command *commands, int count,
		       int64_t give_up_ns, bool *ret_begun)
{
	struct command asking;

	command_begin(&asking, "ASKING");
	int r = connection_send(connection, &asking, 1, give_up_ns, ret_begun);
	return r < 0 ? r : connection_send(connection, commands, count, give_up_ns, ret_begun);
}

/* Ask one server. 0: all replies came; ENGINE_NOT_DONE, ENGINE_UNKNOWN, -EACCES, -ENOMEM. */
static int ask_once(struct store *store, uint32_t node, bool asking, const struct command *commands,
		    int count, int64_t give_up_ns, redisReply *replies[])
{
	struct connection *connection;
	bool begun;

	give_up_ns = request_end(store, give_up_ns);
	int r = take(store, node, give_up_ns, &connection, NULL);
	if (r < 0)
		return r == -EACCES || r == -ENOMEM ? r : ENGINE_NOT_DONE;
	r = (asking ? send_asking : connection_send)(connection, commands, count, give_up_ns,
						     &begun);
	if (r < 0) {
		connection_close(connection);
		return r == -ENOMEM ? r : begun ? ENGINE_UNKNOWN : ENGINE_NOT_DONE;
	}
	r = receive_all(connection, asking ? 1 : 0, count, give_up_ns, replies);
	if (r != 0)
		connection_close(connection);
	else
		give_back(store, node, connection);
	return r < 0 ? ENGINE_UNKNOWN : 0;
}

/* Have a command that calls a script by its hash call it by its source. */
static void name_source(const struct store *store, struct command *command)
{
	for (int i = 0; i < SCRIPTS; i++) {
		if (strcmp(command->words[1], store->shas[i]) != 0)
			continue;
		command->words[0] = "EVAL";
		command->sizes[0] = 4;
		command->words[1] = sources[i];
		command->sizes[1] = strlen(sources[i]);
		return;
	}
}

int store_ask(struct store *store, uint32_t slot, struct command *commands, int count,
	      int64_t give_up_ns, redisReply *replies[STORE_COMMANDS_MAX], uint32_t *ret_node)
{
	bool asking = false;
	uint32_t node;
	int r = route(store, slot, give_up_ns, &node, NULL);

	for (int i = 0; i < STORE_COMMANDS_MAX; i++)
		replies[i] = NULL;
	for (int tries = 0; r == 0 && tries < REDIRECTS_MAX; tries++) {
		uint16_t other;
		r = ask_once(store, node, asking, commands, count, give_up_ns, replies);
		*ret_node = node;
		asking = false;
		if (r < 0)
			break;
		switch (judge(replies[0], &r)) {
		case DONE:
			return 0;
		case NO_SCRIPT:
			name_source(store, &commands[0]);
			break;
		case MOVED:
		case ASK:
			if (!store->settings.location.cluster) {
				r = -EPROTO;
				break;
			}
			asking = begins(replies[0], "ASK ");
			other = named(store, replies[0], node);
			if (!asking)
				store_doubt(store);
			r = other == NO_NODE ? ENGINE_NOT_DONE : 0;
			node = other;
			break;
		case AGAIN:
			r = ENGINE_NOT_DONE;
			break;
		case REFUSED:
			break;
		}
		store_free(replies);
	}
	if (r == 0)
		r = ENGINE_NOT_DONE; /* sent from one to the other and back */
	if (r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN)
		store_doubt(store);
	store_free(replies);
	return r;
}

int store_ask_node(struct store *store, uint32_t node, const struct command *command,
		   int64_t give_up_ns, redisReply **ret_reply)
{
	redisReply *reply = NULL;
	bool begun;
	int refused = 0;
	int r = ask_plainly(store, node, command, request_end(store, give_up_ns), &reply, &begun,
			    NULL);

	if (r < 0) {
		store_doubt(store);
		return r == -EACCES || r == -ENOMEM ? r : begun ? ENGINE_UNKNOWN : ENGINE_NOT_DONE;
	}
	enum verdict verdict = judge(reply, &refused);
	if (verdict == DONE) {
		*ret_reply = reply;
		return 0;
	}
	freeReplyObject(reply);
	return verdict == REFUSED ? refused : ENGINE_NOT_DONE;
}

int store_find(struct store *store, uint32_t slot, int64_t give_up_ns, uint32_t *ret_node)
{
	return route(store, slot, give_up_ns, ret_node, NULL);
}

int store_connect(struct store *store, uint32_t node, int64_t give_up_ns,
		  struct connection **ret_connection)
{
	char label[CORRAL_LABEL_MAX + 1];
	struct location_host host;

	lock(store);
	host = store->nodes[node].host;
	memcpy(label, store->label, sizeof(label));
	unlock(store);
	int r = connection_open(&store->settings, &host, label, request_end(store, give_up_ns),
				ret_connection, NULL);
	if (r < 0)
		store_doubt(store);
	return r;
}

uint32_t store_masters(struct store *store, int64_t give_up_ns, uint16_t ret_nodes[NODES_MAX])
{
	uint32_t count = 0, node;

	(void)route(store, 0, give_up_ns, &node,
		    NULL); /* a map that is known to be wrong is renewed */
	lock(store);
	for (uint32_t i = 0; i < store->node_count; i++)
		if (!store->settings.location.cluster || store->nodes[i].is_master)
			ret_nodes[count++] = (uint16_t)i;
	unlock(store);
	return count;
}

uint32_t store_replicas(struct store *store, uint32_t node)
{
	lock(store);
	uint32_t replicas = store->nodes[node].replicas;
	unlock(store);
	return replicas > store->settings.location.replicas ? replicas :
							      store->settings.location.replicas;
}

uint32_t store_replicas_for(struct store *store, uint32_t slot)
{
	lock(store);
	uint16_t node = store->settings.location.cluster ? store->owner[slot] : 0;
	uint32_t replicas = node != NO_NODE ? store->nodes[node].replicas : 0;
	unlock(store);
	return replicas > store->settings.location.replicas ? replicas :
							      store->settings.location.replicas;
}

bool store_has_slot(struct store *store, uint32_t node, uint32_t slot)
{
	lock(store);
	bool has = !store->settings.location.cluster || store->owner[slot] == node;
	unlock(store);
	return has;
}

void store_name(struct store *store, const char *label)
{
	lock(store);
	(void)snprintf(store->label, sizeof(store->label), "%s", label);
	unlock(store);
}

/* ------------------------------------------------------------ open and close */

/* Have a server take a script; it says the script's name. */
static int load_script(struct store *store, uint32_t node, enum script script, int64_t give_up_ns,
		       char *why)
{
	redisReply *reply = NULL;
	struct command command;
	bool begun;

	command_begin(&command, "SCRIPT");
	command_add_text(&command, "LOAD");
	command_add_text(&command, sources[script]);
	int r = ask_plainly(store, node, &command, give_up_ns, &reply, &begun, why);
	if (r == 0 && (reply->type != REDIS_REPLY_STRING || reply->len != SHA_BYTES - 1)) {
		int refused = -EPROTO;
		const bool error = reply->type == REDIS_REPLY_ERROR;
		if (error && judge(reply, &refused) == AGAIN)
			refused = -EHOSTDOWN;
		r = reason_set(why, refused, "SCRIPT LOAD: %.200s",
			       error ? reply->str : "an answer that is none");
	}
	if (r == 0)
		memcpy(store->shas[script], reply->str, SHA_BYTES);
	freeReplyObject(reply);
	return r;
}

/* Connect for the first time. In a cluster, one server of several may be down. */
static int meet(struct store *store, char *why)
{
	const int64_t give_up_ns = connection_now_ns() + OPEN_NS;
	uint32_t node = 0;
	int r = 0;

	for (uint32_t i = 0; i < store->settings.location.host_count; i++)
		if (find_node(store, store->settings.location.hosts[i].host,
			      store->settings.location.hosts[i].port) == NO_NODE)
			return reason_set(why, -E2BIG, "the location has too many servers");
	if (store->settings.location.cluster)
		r = refresh(store, 0, give_up_ns, why);
	if (r == 0 && store->settings.location.cluster)
		r = route(store, 0, give_up_ns, &node, why);
	for (int script = 0; script < SCRIPTS && r == 0; script++)
		do /* a server that has too much to do is given as much time as a cluster */
			r = load_script(store, node, (enum script)script,
					request_end(store, give_up_ns), why);
		while (r == -ETIMEDOUT && connection_now_ns() < give_up_ns);
	return r;
}

int store_open(const char *text, const struct engine_host *callbacks, struct store **ret_store,
	       char *why)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return reason_set(why, -ENOMEM, "no memory for a store");
	store->settings.callbacks = *callbacks;
	store->pid = callbacks->own_pid();
	pthread_mutex_init(&store->mutex, NULL);
	memset(store->owner, 0xff, sizeof(store->owner));
	int r = location_parse(text, &store->settings.location, why);
	const struct location *location = &store->settings.location;
	if (r == 0 && location->tls)
		r = tls_settings_make(location->authorities, location->certificate, location->key,
				      &store->settings.tls, why);
	if (r == 0)
		r = meet(store, why);
	if (r < 0) {
		store_close(store);
		r = r == ENGINE_NOT_DONE ? -EHOSTDOWN : r;
		errno = -r; /* for %m */
		return why == NULL || why[0] != '\0' ? r :
						       reason_set(why, r, "no server answers: %m");
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	forget_connections(store);
	tls_settings_free(store->settings.tls);
	pthread_mutex_destroy(&store->mutex);
	free(store);
}
