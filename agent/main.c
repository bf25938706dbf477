/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: corral-agent from start to end.
 */
#include <string.h>

#include "agent.h"
#include "aside.h"
#include "common/streams.h"
#include "common/text.h"
#include "rebuild.h"

static const struct agent nothing_open = {
	.dir_fd = -1, .log_fd = -1, .listen_fd = -1, .signal_fd = -1
};

/* Take the directory up, serve it, give it up. Returns an exit code. */
static int serve(struct agent *agent, int ready_fd)
{
	int code = agent_take_up(agent);

	if (code != EXIT_DONE)
		return code;
	int r = agent_open_loop(agent);
	if (r < 0) {
		log_line(LOG_ERROR, "%s: cannot open the control socket: %s", agent->directory,
			 strerror(-r));
		agent_give_up(agent); /* its journal's thread runs already */
		return EXIT_ARENA;
	}
	agent_tick(agent); /* repair after dead processes before reporting ready */
	log_line(LOG_INFO, "%s: ready", agent->directory);
	daemon_ready(agent, ready_fd);
	log_limit(true);
	agent_loop(agent);
	log_limit(false);
	agent_give_up(agent);
	return agent->exit_code;
}

int main(int argc, char **argv)
{
	struct agent_options options;
	struct agent agent = nothing_open;
	int ready_fd = -1;

	streams_begin("corral-agent");
	text_begin();
	options_parse(argc, argv, &options);
	agent.options = &options;
	log_threshold = options.log_level;
	if (options.stop)
		return daemon_stop(options.location);
	if (options.repair)
		return mend_run(&agent);
	if (options.upgrade)
		return upgrade_run(&agent);
	if (options.resize)
		return resize_run(&agent);
	if (options.salvage)
		return aside_run(&agent);
	if (options.daemon) {
		int r = daemon_fork(&ready_fd);
		if (r < 0) {
			log_line(LOG_ERROR, "cannot go to the background: %s", strerror(-r));
			return EXIT_ARENA;
		}
	}
	int code = serve(&agent, ready_fd);
	while (agent.again) {
		static char directory[PATH_MAX];
		bool in_background = agent.in_background;
		/*
		 * the location may be relative, and a daemon has left its first working directory
		 */
		memcpy(directory, agent.directory, sizeof(directory));
		options.location = directory;
		agent = nothing_open;
		agent.options = &options;
		agent.in_background = in_background;
		agent.again_ms = arena_wall_ms();
		code = serve(&agent, -1);
	}
	return code;
}
