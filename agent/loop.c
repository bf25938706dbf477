/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.c: the agent's loop, on one screen: signals, clients, ticks. Once agent_open_loop() has
 * succeeded, nothing may fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/*
 * The address goes through the directory's descriptor: socket addresses are short, and the
 * directory's name may be long.
 */
static void socket_address(const struct agent *agent, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", agent->dir_fd,
		 ARENA_SOCKET_FILE);
}

/*
 * Do we listen at this socket's file? A member of the group may have moved another socket of our
 * user there meanwhile; so we connect to it, and the kernel tells which process listens.
 */
static bool is_our_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	bool ours = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
		    peer.pid == getpid();
	close(fd); /* the loop finds a client that has closed */
	return ours;
}

/*
 * Give the socket's file the directory's group and 0660, as for our other files, through a
 * descriptor, and only once it is certain that the file is ours.
 */
static int share_socket(const struct agent *agent)
{
	char path[64];
	struct stat st;
	int r = 0;

	int fd = openat(agent->dir_fd, ARENA_SOCKET_FILE, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1 || !is_our_socket(path))
		r = -EPERM;
	else if (st.st_gid != agent->group &&
		 fchownat(fd, "", (uid_t)-1, agent->group, AT_EMPTY_PATH) < 0)
		r = errno == EPERM ? 0 : -errno; /* the group is not ours to give */
	else
		r = chmod(path, 0660) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int open_socket(const struct agent *agent)
{
	struct sockaddr_un address;

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* one may be left by a dead agent: we hold the agent's byte */
	(void)unlinkat(agent->dir_fd, ARENA_SOCKET_FILE, 0);
	socket_address(agent, &address);
	/* private at first; fchmod() on a socket's descriptor does not reach its file */
	mode_t before = umask(0177);
	int r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	(void)umask(before);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r == 0)
		r = share_socket(agent);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int agent_open_loop(struct agent *agent)
{
	agent->signal_fd = open_signals();
	if (agent->signal_fd < 0)
		return -errno;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		agent->clients[i].fd = -1;
	agent->listen_fd = open_socket(agent);
	return agent->listen_fd < 0 ? agent->listen_fd : 0;
}

static void take_signal(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			if (agent->in_background)
				log_follow(agent->dir_fd);
			continue; /* a closed terminal is no reason to stop, either */
		}
		log_line(LOG_INFO, "%s: stopping; the carts stay", strsignal((int)info.ssi_signo));
		agent->stopping = true;
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Answer the clients that have sent something; drop those that have been silent for too long. */
static void serve_clients(struct agent *agent, const struct pollfd *fds)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &agent->clients[i];
		if (client->fd < 0)
			continue;
		bool done = (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
			    control_serve(agent, client);
		if (done || now >= client->give_up_ms) {
			close(client->fd);
			client->fd = -1;
		}
	}
}

/* A free place; else that of the client that has been silent for longest. */
static struct client *place_for_client(struct agent *agent)
{
	struct client *oldest = &agent->clients[0];

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &agent->clients[i];
		if (client->fd < 0)
			return client;
		if (client->give_up_ms < oldest->give_up_ms)
			oldest = client;
	}
	close(oldest->fd);
	oldest->fd = -1;
	return oldest;
}

/*
 * Accept every waiting client, up to CLIENTS_MAX. Most have already sent their line and are
 * answered at once, so that any number of silent clients cannot keep others from an answer.
 */
static void take_clients(struct agent *agent)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		int fd = accept4(agent->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		struct client client = { .fd = fd, .give_up_ms = now_ms() + CLIENT_MS };
		if (!control_may_ask(agent, fd) || control_serve(agent, &client))
			close(fd);
		else
			*place_for_client(agent) = client;
	}
}

void agent_loop(struct agent *agent)
{
	struct pollfd fds[2 + CLIENTS_MAX] = { { agent->signal_fd, POLLIN, 0 },
					       { agent->listen_fd, POLLIN, 0 } };
	int64_t next = now_ms();

	while (!agent->stopping) {
		int64_t left = next - now_ms();
		if (left <= 0) {
			agent_tick(agent);
			next = now_ms() + TICK_MS;
			continue;
		}
		for (unsigned i = 0; i < CLIENTS_MAX; i++)
			/* poll() ignores descriptors below 0 */
			fds[2 + i] = (struct pollfd){ agent->clients[i].fd, POLLIN, 0 };
		(void)poll(fds, 2 + CLIENTS_MAX, (int)left);
		if ((fds[0].revents & POLLIN) != 0)
			take_signal(agent);
		serve_clients(agent, fds + 2);
		if ((fds[1].revents & POLLIN) != 0)
			take_clients(agent);
	}
	(void)unlinkat(agent->dir_fd, ARENA_SOCKET_FILE, 0);
	close(agent->listen_fd);
	close(agent->signal_fd);
}
