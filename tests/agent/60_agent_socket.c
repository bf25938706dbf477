/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 60_agent_socket.c: corral-agent as its neighbours see it through sockets: it tells the service
 * manager when it is ready, and no client of the control socket, however it behaves, keeps the
 * agent from its work.
 *
 * With arguments it is a worker for 60_agent.sh instead of a test: "fill DIR N" makes N carts;
 * "hold DIR" opens a view of cart r s, prints "open", waits for a line, and prints how the view
 * ended.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "orders_support.h"

#include "common/client.h"

#define SILENT 200 /* more than the agent has places for */
#define MANY 200

struct post {
	struct yard yard;
	char agent[PATH_MAX];  /* path of the program */
	char notify[PATH_MAX]; /* NOTIFY_SOCKET, or empty */
	int notify_fd;
	pid_t pid;
};

/* -------------------------------------------------------------------- agent */

static int become_agent(void *context)
{
	struct post *post = context;

	alarm(0);
	if (post->notify[0] != '\0')
		must(setenv("NOTIFY_SOCKET", post->notify, 1) == 0);
	int log = openat(post->yard.dir_fd, "agent.log", O_WRONLY | O_CREAT | O_APPEND, 0660);
	must(log >= 0 && dup2(log, STDERR_FILENO) >= 0);
	execl(post->agent, "corral-agent", "--dir", post->yard.path, "--size", "8M", "--ttl",
	      "500ms", (char *)NULL);
	return CHILD_FAILED;
}

static bool pings(const struct post *post, int timeout_ms)
{
	json_t *answer = NULL;

	if (agent_ask(post->yard.path, "ping", timeout_ms, &answer) != 0)
		return false;
	assert_int_equal(json_integer_value(json_object_get(answer, "pid")), post->pid);
	json_decref(answer);
	return true;
}

static int setup(void **state)
{
	struct post *post = support_shared(sizeof(*post));

	yard_make_empty(&post->yard);
	support_program("corral-agent", post->agent);
	*state = post;
	return 0;
}

static void agent_start(struct post *post)
{
	post->pid = child_start(become_agent, post);
	assert_true(wait_until(pings(post, 1000), SUPPORT_WAIT_MS));
}

static void agent_stop(struct post *post)
{
	json_t *answer = NULL;

	assert_int_equal(agent_ask(post->yard.path, "stop", SUPPORT_WAIT_MS, &answer), 0);
	json_decref(answer);
	assert_int_equal(child_wait(post->pid), 0);
	yard_check(&post->yard, NULL);
}

static int teardown(void **state)
{
	struct post *post = *state;

	yard_remove(&post->yard);
	return 0;
}

/* -------------------------------------------------------------------- ready */

static void listen_for_ready(struct post *post, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (abstract)
		snprintf(post->notify, sizeof(post->notify), "@corral-test-%d", (int)getpid());
	else
		snprintf(post->notify, sizeof(post->notify), "%s/notify", post->yard.path);
	size_t length = strlen(post->notify);
	assert_true(length < sizeof(address.sun_path));
	memcpy(address.sun_path, post->notify, length);
	if (abstract)
		address.sun_path[0] = '\0';
	post->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(post->notify_fd >= 0);
	assert_int_equal(bind(post->notify_fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			 0);
}

static void assert_tells_ready(struct post *post)
{
	struct pollfd wait = { post->notify_fd, POLLIN, 0 };
	char message[64] = "";

	post->pid = child_start(become_agent, post);
	assert_int_equal(poll(&wait, 1, SUPPORT_WAIT_MS), 1);
	assert_true(read(post->notify_fd, message, sizeof(message) - 1) > 0);
	assert_non_null(strstr(message, "READY=1"));
	assert_true(pings(post, SUPPORT_WAIT_MS)); /* and it is */
	struct corral *corral = yard_open(&post->yard, 0);
	corral_close(corral);
	close(post->notify_fd);
	agent_stop(post);
}

static void it_tells_the_service_manager_when_it_is_ready(void **state)
{
	listen_for_ready(*state, false);
	assert_tells_ready(*state);
}

static void it_tells_a_manager_with_an_abstract_socket_too(void **state)
{
	listen_for_ready(*state, true);
	assert_tells_ready(*state);
}

static void a_manager_that_does_not_listen_is_no_reason_not_to_serve(void **state)
{
	struct post *post = *state;

	snprintf(post->notify, sizeof(post->notify), "%s/nobody-listens", post->yard.path);
	agent_start(post);
	agent_stop(post);
}

/* ----------------------------------------------------------- control socket */

static int reach(const struct post *post)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%s", post->yard.path,
		 ARENA_SOCKET_FILE);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Write all bytes, even if the agent stops reading; then read to the end. */
static void say(const struct post *post, const void *bytes, size_t size)
{
	int fd = reach(post);
	char answer[4096];

	for (size_t done = 0; done < size;) {
		ssize_t n = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	(void)shutdown(fd, SHUT_WR);
	while (read(fd, answer, sizeof(answer)) > 0)
		continue;
	close(fd);
}

static void garbage_long_lines_and_nul_bytes_are_survived(void **state)
{
	static const char *const lines[] = { "\n",     "nonsense\n",  "ping ping\n",
					     "PING\n", "status\0x\n", "ping\nping\nstop\n" };
	struct post *post = *state;
	uint64_t random = support_seed();
	static char bytes[1 << 20];

	agent_start(post);
	for (size_t i = 0; i < COUNT(lines); i++)
		say(post, lines[i], strlen(lines[i]) + (i == 4 ? 3 : 0));
	memset(bytes, 'a', sizeof(bytes));
	say(post, bytes, sizeof(bytes)); /* no end of line */
	say(post, "", 0);
	for (int i = 0; i < 200; i++) {
		size_t size = random_below(&random, 1000);
		for (size_t at = 0; at < size; at++)
			bytes[at] = (char)random_next(&random);
		say(post, bytes, size);
	}
	assert_true(pings(post, SUPPORT_WAIT_MS));
	agent_stop(post);
}

static void a_client_that_hangs_up_without_reading_does_no_harm(void **state)
{
	struct post *post = *state;

	agent_start(post);
	for (int i = 0; i < 300; i++) {
		int fd = reach(post);
		struct linger at_once = { 1, 0 };
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		if (i % 2 == 0)
			(void)send(fd, "status\n", 7, MSG_NOSIGNAL);
		close(fd);
	}
	assert_true(pings(post, SUPPORT_WAIT_MS));
	agent_stop(post);
}

static void an_unknown_command_is_answered_as_such(void **state)
{
	struct post *post = *state;
	json_t *answer = NULL;

	agent_start(post);
	assert_int_equal(agent_ask(post->yard.path, "dance", SUPPORT_WAIT_MS, &answer), 0);
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_true(strlen(json_string_value(json_object_get(answer, "error"))) > 0);
	json_decref(answer);
	assert_int_equal(agent_ask(post->yard.path, "status", SUPPORT_WAIT_MS, &answer), 0);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "ttl_ms")), 500);
	json_decref(answer);
	agent_stop(post);
}

/* Clients that connect and send nothing or half a word do not delay others. */
static void many_silent_clients_do_not_keep_others_waiting(void **state)
{
	struct post *post = *state;
	int fds[SILENT];

	agent_start(post);
	for (int i = 0; i < SILENT; i++) {
		fds[i] = reach(post);
		if (i % 2 == 0)
			(void)send(fds[i], "sta", 3, MSG_NOSIGNAL);
	}
	bool answered = pings(post, 2000);
	for (int i = 0; i < SILENT; i++)
		close(fds[i]);
	assert_true(wait_until(pings(post, 1000), SUPPORT_WAIT_MS));
	agent_stop(post);
	assert_true(answered);
}

static int ask_and_go(void *context)
{
	struct post *post = context;

	for (int i = 0; i < MANY / 10; i++) {
		json_t *answer = NULL;
		must(agent_ask(post->yard.path, i % 2 == 0 ? "ping" : "status", SUPPORT_WAIT_MS,
			       &answer) == 0);
		json_decref(answer);
	}
	return 0;
}

static void many_clients_at_once_are_all_served(void **state)
{
	struct post *post = *state;
	pid_t pids[10];

	agent_start(post);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = child_start(ask_and_go, post);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_int_equal(child_wait(pids[i]), 0);
	agent_stop(post);
}

/* ------------------------------------------------------------ the dead, too */

static int attach_and_die(void *context)
{
	struct post *post = context;
	struct corral *corral = orders_come(&post->yard, NULL);
	struct corral_key key = orders_key("restaurant", "session");
	struct corral_view view;

	must(orders_add(corral, &key, "burger", 899, 1, NULL, NULL) == 0);
	must(corral_read_begin(corral, &key, &view) == 0);
	raise(SIGKILL);
	return 0;
}

static void it_buries_the_dead_and_says_who_died(void **state)
{
	struct post *post = *state;
	char text[65536] = "", who[32];

	agent_start(post);
	pid_t pid = child_start(attach_and_die, post);
	assert_int_equal(child_wait(pid), -SIGKILL);
	snprintf(who, sizeof(who), "pid %d ", (int)pid);
	int log = openat(post->yard.dir_fd, "agent.log", O_RDONLY | O_CLOEXEC);
	assert_true(
		wait_until(pread(log, text, sizeof(text) - 1, 0) > 0 && strstr(text, who) != NULL,
			   SUPPORT_WAIT_MS));
	close(log);
	agent_stop(post);
}

/* --------------------------------------------------------------------- main */

static int fill(const char *directory, unsigned count)
{
	struct corral *corral;
	char session[32];
	int r = corral_open(directory, 0, &corral);

	for (unsigned i = 0; i < count && r == 0; i++) {
		snprintf(session, sizeof(session), "fill %u", i);
		struct corral_key key = orders_key("filled", session);
		r = orders_add(corral, &key, "burger", 899, 1, NULL, NULL);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", corral_strerror(r));
	return r < 0;
}

static int hold(const char *directory)
{
	struct corral_key key = orders_key("r", "s");
	struct corral_view view;
	struct corral *corral;
	char line[8];
	int r = corral_open(directory, 0, &corral);

	if (r == 0)
		r = corral_read_begin(corral, &key, &view);
	puts(r == 0 ? "open" : corral_strerror(r));
	fflush(stdout);
	if (r < 0 || fgets(line, sizeof(line), stdin) == NULL)
		return 1;
	r = corral_read_end(&view);
	puts(r == 0 ? "ended" : r == -ESTALE ? "revoked" : corral_strerror(r));
	return 0;
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(it_tells_the_service_manager_when_it_is_ready),
		CASE(it_tells_a_manager_with_an_abstract_socket_too),
		CASE(a_manager_that_does_not_listen_is_no_reason_not_to_serve),
		CASE(garbage_long_lines_and_nul_bytes_are_survived),
		CASE(a_client_that_hangs_up_without_reading_does_no_harm),
		CASE(an_unknown_command_is_answered_as_such),
		CASE(many_silent_clients_do_not_keep_others_waiting),
		CASE(many_clients_at_once_are_all_served),
		CASE(it_buries_the_dead_and_says_who_died),
	};

	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2]);
	if (support_threads_only())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
