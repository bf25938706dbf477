/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http.c: see http.h.
 *
 * A request is refused before its path is looked at if it is no GET or HEAD, if its Host is not
 * ours (guard.h), if it lacks the token, or if it has a parameter that its path does not take.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "answers.h"
#include "common/parse.h"
#include "guard.h"
#include "pages.h"
#include "ticket.h"
#include "tool.h"

#define OTHERS_MOST 64u /* connections besides those of listeners */
#define IDLE_SECONDS 15u
#define MEMORY_BYTES (24u * 1024) /* of a connection, for a request's headers and an answer */
#define BLOCK_BYTES 8192u
#define BACKLOG 128u
#define PARAMETERS_MAX 2u

#define POLICY                                                                                     \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "        \
	"require-trusted-types-for 'script'; trusted-types 'none'"

#define JSON "application/json; charset=utf-8"
#define PLAIN "text/plain; charset=utf-8"

struct request {
	struct request *next;
	struct web *web;
	struct MHD_Connection *connection;
	struct board_job *job; /* it waits for */
	struct listener *listener;
	bool asleep; /* its connection is suspended, for the job */
};

/* ------------------------------------------------------------------- answers */

static const struct {
	const char *name;
	const char *value;
} headers[] = {
	{ "Content-Security-Policy", POLICY },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cache-Control", "no-store" },
};

static enum MHD_Result send_response(struct request *request, unsigned status, const char *type,
				     struct MHD_Response *response)
{
	struct web *web = request->web;

	must_have(response);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		(void)MHD_add_response_header(response, headers[i].name, headers[i].value);
	(void)MHD_add_response_header(response, "Content-Type", type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	if (status == MHD_HTTP_UNAUTHORIZED) {
		(void)MHD_add_response_header(response, "WWW-Authenticate",
					      "Basic realm=\"corral-web\", charset=\"UTF-8\"");
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	}
	web->answers[status / 100]++;
	enum MHD_Result result = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The text is freed. */
static enum MHD_Result send_text(struct request *request, unsigned status, const char *type,
				 char *text)
{
	return send_response(
		request, status, type,
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result send_constant(struct request *request, unsigned status, const char *type,
				     const char *text, size_t size)
{
	return send_response(request, status, type,
			     MHD_create_response_from_buffer(size, (void *)(uintptr_t)text,
							     MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result send_error(struct request *request, unsigned status, const char *what)
{
	return send_text(request, status, JSON, answer_error(what));
}

/* For a call of the library that failed. */
static enum MHD_Result send_failure(struct request *request, int error)
{
	const struct source *source = &request->web->source;

	if (source->corral == NULL)
		return send_error(request, 503, source->why);
	return send_error(request, answer_status(error), corral_strerror(error));
}

/* ---------------------------------------------------------------- parameters */

/* One of the query. It lives as long as the request; {NULL, 0}: it was not given. */
static struct corral_text parameter(const struct request *request, const char *name)
{
	struct corral_text text = { 0 };

	(void)MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
					    strlen(name), &text.data, &text.size);
	return text;
}

/* A number of the query. NULL: it is right, or was not given. */
static const char *number_parameter(const struct request *request, const char *name, uint64_t least,
				    uint64_t most, uint64_t *ret_number)
{
	const struct corral_text text = parameter(request, name);

	return text.data != NULL ? parse_number(text.data, least, most, ret_number) : NULL;
}

/* An id of the query as a C string; false: it is too long, or has a NUL. */
static bool id_parameter(const struct request *request, const char *name,
			 char to[CORRAL_ID_MAX + 1])
{
	const struct corral_text text = parameter(request, name);

	if (text.size > CORRAL_ID_MAX || memchr(text.size ? text.data : "", 0, text.size) != NULL)
		return false;
	memcpy(to, text.size ? text.data : "", text.size);
	to[text.size] = '\0';
	return true;
}

static const char *header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* -------------------------------------------------------------------- routes */

static enum MHD_Result get_board(struct request *request)
{
	char restaurant_id[CORRAL_ID_MAX + 1];
	uint64_t most = TICKETS_USUAL;

	if (!id_parameter(request, "restaurant", restaurant_id))
		return send_error(request, 400, "no such restaurant");
	const char *wrong = number_parameter(request, "most", 1, TICKETS_MAX, &most);
	if (wrong != NULL)
		return send_error(request, 400, wrong);
	int r = board_ask(&request->web->board, restaurant_id, (uint32_t)most, &request->job);
	if (r == -EAGAIN)
		return send_error(request, 503, "too many lists are being made");
	if (r < 0)
		return send_failure(request, r);
	request->asleep = true;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

/* Its list is made. */
static enum MHD_Result send_board(struct request *request)
{
	struct board_job *job = request->job;

	request->job = NULL;
	enum MHD_Result result =
		job->error < 0 ? send_failure(request, job->error) :
				 send_text(request, 200, JSON, must_have(strdup(job->text)));
	board_leave(&request->web->board, job);
	return result;
}

static enum MHD_Result get_of_cart(struct request *request,
				   int (*answer)(struct source *source,
						 const struct corral_key *key, char **ret_text))
{
	const struct corral_key key = { parameter(request, "restaurant"),
					parameter(request, "session") };
	char *text = NULL;
	int r = answer(&request->web->source, &key, &text);

	return r < 0 ? send_failure(request, r) : send_text(request, 200, JSON, text);
}

static enum MHD_Result get_cart(struct request *request)
{
	return get_of_cart(request, answer_cart);
}

static enum MHD_Result get_history(struct request *request)
{
	return get_of_cart(request, answer_history);
}

static struct web_counts count_all(const struct web *web)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	struct web_counts counts = { .listeners = web->stream.count,
				     .listeners_most = web->options.listeners,
				     .connections = info != NULL ? info->num_connections : 0,
				     .lapped = web->stream.lapped,
				     .refused = web->refused,
				     .gaps = web->watch.gaps,
				     .messages = web->watch.messages };

	memcpy(counts.answers, web->answers, sizeof(counts.answers));
	return counts;
}

static json_t *about_web(void *context)
{
	const struct web_counts counts = count_all(context);

	return must_have(json_pack("{s:I, s:I, s:I}", "listeners", (json_int_t)counts.listeners,
				   "listeners_most", (json_int_t)counts.listeners_most,
				   "connections", (json_int_t)counts.connections));
}

static enum MHD_Result get_health(struct request *request)
{
	struct web *web = request->web;

	return send_text(request, 200, JSON,
			 must_have(strdup(health_text(&web->health, about_web, web))));
}

/* Does the Accept header ask for OpenMetrics? */
static bool wants_open_metrics(const struct request *request)
{
	static const char type[] = "application/openmetrics-text";
	const char *accept = header(request, "Accept");
	const char *found = accept != NULL ? strcasestr(accept, type) : NULL;

	if (found == NULL)
		return false;
	found += sizeof(type) - 1;
	const size_t size = strcspn(found, ",");
	const char *weight = memmem(found, size, ";q=", 3);
	/* q=0, q=0.0: not at all */
	return weight == NULL || strspn(weight + 3, "0.") < strcspn(weight + 3, ",; ");
}

static enum MHD_Result get_metrics(struct request *request)
{
	const struct web_counts counts = count_all(request->web);
	const bool open = wants_open_metrics(request);

	return send_text(request, 200,
			 open ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				"text/plain; version=0.0.4; charset=utf-8",
			 answer_metrics(&request->web->source, &counts, open));
}

static enum MHD_Result get_healthz(struct request *request)
{
	return send_constant(request, 200, PLAIN, "alive\n", 6);
}

static enum MHD_Result get_readyz(struct request *request)
{
	struct source *source = &request->web->source;

	if (source_ready(source))
		return send_constant(request, 200, PLAIN, "ready\n", 6);
	return send_error(request, 503, source->why);
}

/* ------------------------------------------------------------------- streams */

/*
 * Has the other end closed the connection? While it is suspended nothing tells, and a write would
 * tell only at the second one.
 */
static bool is_gone(const struct request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	char byte;

	return info != NULL && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static ssize_t read_stream(void *context, uint64_t place, char *to, size_t max)
{
	struct request *request = context;

	(void)place;
	if (is_gone(request))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	ssize_t size = stream_read(&request->web->stream, request->listener, to, max);
	if (size < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (size == 0)
		MHD_suspend_connection(request->connection);
	return size;
}

/* From which event on: what the browser had last, or what the page says. */
static const char *read_position(const struct request *request, uint64_t *ret_from, bool *ret_given)
{
	const char *last = header(request, "Last-Event-ID");
	const char *text = last != NULL && *last ? last : parameter(request, "from").data;

	*ret_given = text != NULL;
	return text != NULL ? parse_number(text, 0, UINT64_MAX - 2, ret_from) : NULL;
}

static enum MHD_Result get_events(struct request *request)
{
	struct web *web = request->web;
	char restaurant_id[CORRAL_ID_MAX + 1];
	char *first = NULL;
	uint64_t from = 0;
	bool given;

	if (!id_parameter(request, "restaurant", restaurant_id))
		return send_error(request, 400, "no such restaurant");
	const char *wrong = read_position(request, &from, &given);
	if (wrong != NULL)
		return send_error(request, 400, wrong);
	if (web->stream.count >= web->options.listeners) {
		web->refused++;
		return send_error(request, 503, "there are too many listeners");
	}
	const uint64_t position = watch_position(&web->watch);
	char *missed = watch_catch_up(&web->watch, given ? from : position, restaurant_id);
	if (asprintf(&first, "retry: 1000\n\n%s", missed) < 0)
		first = must_have(NULL);
	free(missed);
	request->listener = stream_listen(&web->stream, request->connection, restaurant_id, first);
	return send_response(request, 200, "text/event-stream",
			     MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
							       read_stream, request, NULL));
}

static const struct route {
	const char *path;
	enum MHD_Result (*get)(struct request *request);
	const char *parameters[PARAMETERS_MAX];
	bool open; /* without a token, too */
} routes[] = {
	{ "/api/board", get_board, { "restaurant", "most" }, false },
	{ "/api/cart", get_cart, { "restaurant", "session" }, false },
	{ "/api/history", get_history, { "restaurant", "session" }, false },
	{ "/api/health", get_health, { NULL }, false },
	{ "/api/events", get_events, { "restaurant", "from" }, false },
	{ "/metrics", get_metrics, { NULL }, false },
	{ "/healthz", get_healthz, { NULL }, true },
	{ "/readyz", get_readyz, { NULL }, true },
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *name,
				       const char *value)
{
	const struct route **route = context;

	(void)kind;
	for (size_t i = 0; i < PARAMETERS_MAX && value != NULL; i++)
		if ((*route)->parameters[i] != NULL && strcmp((*route)->parameters[i], name) == 0)
			return MHD_YES;
	*route = NULL;
	return MHD_NO;
}

static enum MHD_Result answer(struct request *request, const char *path, const char *method)
{
	struct web *web = request->web;
	const struct route *route = find_route(path);
	const struct page *page = route == NULL ? page_find(path) : NULL;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_error(request, 405, "only GET and HEAD");
	if (!guard_host(&web->options, header(request, "Host")))
		return send_error(request, 421,
				  "this is not a name of ours: corral-web --host allows others");
	if ((route == NULL || !route->open) &&
	    !guard_token(&web->options, header(request, "Authorization")))
		return send_error(request, 401, "a token is wanted");
	if (page != NULL)
		return send_constant(request, 200, page->type, page->begin,
				     (size_t)(page->end - page->begin));
	if (route == NULL)
		return send_error(request, 404, "there is no such page");
	const struct route *taken = route;
	(void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_parameter,
					&taken);
	if (taken == NULL)
		return send_error(request, 400, "a parameter that is not known here");
	return route->get(request);
}

/* --------------------------------------------------------------- connections */

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **own)
{
	struct request *request = *own;

	(void)version;
	(void)upload;
	if (request == NULL) {
		struct web *web = context;
		request = must_have(calloc(1, sizeof(*request)));
		request->web = web;
		request->connection = connection;
		request->next = web->requests;
		web->requests = request;
		*own = request;
		return MHD_YES;
	}
	if (*upload_size > 0) { /* a body is not wanted, and thrown away */
		*upload_size = 0;
		return MHD_YES;
	}
	if (request->job != NULL)
		return send_board(request);
	return answer(request, path, method);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **own,
			 enum MHD_RequestTerminationCode why)
{
	struct web *web = context;
	struct request *request = *own;
	struct request **at = &web->requests;

	(void)connection;
	(void)why;
	if (request == NULL)
		return;
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (request->job != NULL)
		board_leave(&web->board, request->job);
	if (request->listener != NULL)
		stream_leave(&web->stream, request->listener);
	free(request);
	*own = NULL;
}

static void wake_listener(void *connection)
{
	MHD_resume_connection(connection);
}

static struct web *the_web; /* for the job's waiters, which the board does not know */

static void wake_waiting(struct board_job *job)
{
	for (struct request *at = the_web->requests; at != NULL; at = at->next)
		if (at->asleep && (job == NULL || at->job == job)) {
			at->asleep = false;
			MHD_resume_connection(at->connection);
		}
}

/* A socket that listens; the port that it got. */
static int open_socket(struct web_options *options)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(options->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(options->port) };
	const bool is_six = inet_pton(AF_INET6, options->address, &six.sin6_addr) == 1;
	struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = is_six ? sizeof(six) : sizeof(four);
	const int on = 1;

	if (!is_six && inet_pton(AF_INET, options->address, &four.sin_addr) != 1)
		return -EINVAL;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, address, &size) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	options->port = ntohs(is_six ? six.sin6_port : four.sin_port);
	return fd;
}

int http_begin(struct web *web, int *ret_fd)
{
	int fd = open_socket(&web->options);

	if (fd < 0)
		return fd;
	the_web = web;
	stream_begin(&web->stream, wake_listener);
	watch_begin(&web->watch, &web->source, &web->stream);
	health_begin(&web->health, &web->source);
	web->board = (struct board){ .source = &web->source,
				     .watch = &web->watch,
				     .wake = wake_waiting };
	web->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, web,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, web,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)(web->options.listeners + OTHERS_MOST),
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (web->daemon == NULL) {
		close(fd);
		return -EIO;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	*ret_fd = info->epoll_fd;
	return 0;
}

int http_timeout(struct web *web)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(web->daemon, &ms) != MHD_YES)
		return -1;
	return ms > 1000 ? 1000 : (int)ms;
}

void http_run(struct web *web)
{
	(void)MHD_run(web->daemon);
}

void http_end(struct web *web)
{
	/* no connection may be suspended when the daemon is stopped */
	stream_wake_all(&web->stream);
	wake_waiting(NULL);
	(void)MHD_run(web->daemon);
	stream_wake_all(&web->stream);
	MHD_stop_daemon(web->daemon);
	watch_end(&web->watch);
	health_end(&web->health);
	stream_end(&web->stream);
	source_close(&web->source);
}
