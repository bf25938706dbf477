/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon.c: going to the background, notifying readiness, and --stop.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "common/client.h"

#define STOP_WAIT_MS 10000
#define STOP_STEP_MS 5

int daemon_fork(int *ret_ready_fd)
{
	int pipe_fds[2];
	char ready;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	/* inherited as ignored, it would keep waitpid() from telling how the child ended */
	(void)signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(pipe_fds[0]);
		(void)setsid();
		*ret_ready_fd = pipe_fds[1];
		return 0;
	}
	close(pipe_fds[1]);
	ssize_t n;
	do
		n = read(pipe_fds[0], &ready, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_DONE);
	int status = 0; /* the child ended before it was ready, and has said why */
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		log_line(LOG_ERROR, "the agent was ended by signal %d (%s) before it was ready",
			 WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	_exit(EXIT_ARENA);
}

/* The protocol of sd_notify(3): a datagram to the socket named by $NOTIFY_SOCKET. */
static void notify_service_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path != NULL ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_line(LOG_WARNING, "cannot tell the service manager: %s", strerror(errno));
	close(fd);
}

/* Redirect standard error to DIR/agent.log and release the terminal. */
static void leave_terminal(const struct agent *agent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* neither is one of the standard streams: main() has filled those that were missing */
	assert(null < 0 || null > STDERR_FILENO);
	assert(agent->log_fd > STDERR_FILENO);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		close(null);
	}
	(void)dup2(agent->log_fd, STDERR_FILENO);
	log_also = -1;
	close(agent->log_fd);
	if (chdir("/") < 0)
		log_line(LOG_DEBUG, "cannot change to /");
}

void daemon_ready(struct agent *agent, int ready_fd)
{
	notify_service_manager("READY=1");
	if (ready_fd < 0)
		return;
	leave_terminal(agent);
	agent->in_background = true;
	if (write(ready_fd, "1", 1) != 1)
		log_line(LOG_DEBUG, "the caller no longer waits for us to be ready");
	close(ready_fd);
}

static bool agent_holds(int lock_fd)
{
	return alive_test(lock_fd, ALIVE_AGENT_BYTE);
}

static int wait_until_gone(int lock_fd, const char *directory)
{
	struct timespec step = { .tv_sec = 0, .tv_nsec = STOP_STEP_MS * 1000000 };

	for (int waited = 0; waited < STOP_WAIT_MS; waited += STOP_STEP_MS) {
		if (!agent_holds(lock_fd))
			return EXIT_DONE;
		nanosleep(&step, NULL);
	}
	log_line(LOG_ERROR, "%s: the agent was told to stop but does not go", directory);
	return EXIT_NO;
}

int daemon_stop(const char *location)
{
	char directory[PATH_MAX];
	char why[REASON_BYTES];
	int dir_fd;
	json_t *answer = NULL;

	if (arena_directory(location, directory, why) < 0) {
		log_line(LOG_ERROR, "%s", why);
		return EXIT_USAGE;
	}
	if (arena_open_directory(directory, &dir_fd, why) < 0) {
		log_line(LOG_ERROR, "%s", why);
		return EXIT_NO_AGENT;
	}
	int lock_fd = openat(dir_fd, ARENA_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	close(dir_fd);
	if (lock_fd < 0 && errno != ENOENT) {
		log_line(LOG_ERROR, "%s: cannot open the lock file: %s", directory,
			 strerror(errno));
		return EXIT_ARENA;
	}
	if (lock_fd < 0 || !agent_holds(lock_fd)) {
		log_line(LOG_ERROR, "%s: no agent runs there", directory);
		if (lock_fd >= 0)
			close(lock_fd);
		return EXIT_NO_AGENT;
	}
	int r = agent_ask(directory, "stop", STOP_WAIT_MS, &answer);
	json_decref(answer);
	int code = EXIT_NO;
	if (r < 0 && agent_holds(lock_fd))
		log_line(LOG_ERROR, "%s: an agent runs there but does not answer: %s", directory,
			 strerror(-r));
	else
		code = wait_until_gone(lock_fd, directory);
	close(lock_fd);
	return code;
}
