/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: corral-agent's command line.
 */
#include <argp.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "common/parse.h"

enum {
	OPTION_DIR = 256,
	OPTION_GROUP,
	OPTION_SIZE,
	OPTION_MAX_CARTS,
	OPTION_TTL,
	OPTION_JOURNAL,
	OPTION_JOURNAL_SIZE,
	OPTION_DAEMON,
	OPTION_STOP,
	OPTION_REPAIR,
	OPTION_UPGRADE,
	OPTION_SALVAGE,
	OPTION_RESIZE,
	OPTION_LOG_LEVEL
};

#define JOURNAL_MS_MIN 10
#define JOURNAL_MS_MAX 3600000
#define JOURNAL_MS_DEFAULT 1000
#define JOURNAL_BYTES_MIN (1ull << 20)
#define JOURNAL_BYTES_MAX (1ull << 40)
#define SALVAGE_JOURNAL_MS 1000

static const struct argp_option option_table[] = {
	{ "dir", OPTION_DIR, "DIR", 0,
	  "directory of the arena (default: $CORRAL_DIR, else /var/lib/corral for root and "
	  "$XDG_STATE_HOME/corral for others)",
	  0 },
	{ "group", OPTION_GROUP, "GROUP", 0,
	  "name or number of the group whose members may use DIR and the files in it (default: "
	  "DIR's group as it is)",
	  0 },
	{ "size", OPTION_SIZE, "BYTES", 0,
	  "size of a new arena, with K, M or G (default 1G); the file grows as needed", 0 },
	{ "max-carts", OPTION_MAX_CARTS, "N", 0,
	  "most carts of a new arena, with K or M (default 65536, fewer in a small one)", 0 },
	{ "ttl", OPTION_TTL, "TIME", 0,
	  "a cart ends after this long without activity: 30m, 2s, 500ms, 1h (default 30m)", 0 },
	{ "journal", OPTION_JOURNAL, "off|TIME|sync", 0,
	  "write what changed to DIR/journal so often, and sync it: 1s (the default), 200ms; a "
	  "power loss costs no "
	  "more. "
	  "sync: each change waits until it is on disk",
	  0 },
	{ "journal-size", OPTION_JOURNAL_SIZE, "BYTES", 0,
	  "begin the journal anew, with all carts, when it has grown by so much, and by twice what "
	  "the carts took "
	  "(default 16M)",
	  0 },
	{ "daemon", OPTION_DAEMON, NULL, 0,
	  "go to the background; return 0 once ready. Logs to DIR/agent.log", 0 },
	{ "stop", OPTION_STOP, NULL, 0, "stop the agent of DIR, and return once it is gone", 0 },
	{ "repair", OPTION_REPAIR, NULL, 0,
	  "check the arena of DIR, and if it is damaged make a new one of the sound carts in it, "
	  "and exit; no agent "
	  "and no "
	  "worker may run (corral check --repair)",
	  0 },
	{ "upgrade", OPTION_UPGRADE, NULL, 0,
	  "carry all carts of an arena that an older version made over into one of this version, "
	  "and exit; no agent "
	  "and no worker may run",
	  0 },
	{ "salvage", OPTION_SALVAGE, NULL, 0,
	  "put every sound cart of a damaged journal (DIR/journal.damaged.*) into the arena, "
	  "unless it has a newer "
	  "one, and "
	  "exit; no agent may run",
	  0 },
	{ "resize", OPTION_RESIZE, NULL, 0,
	  "carry all carts over into an arena of the larger --size or --max-carts that is given, "
	  "and "
	  "exit; no agent may run; workers get ESTALE meanwhile, and open the directory again",
	  0 },
	{ "log-level", OPTION_LOG_LEVEL, "LEVEL", 0, "error, warning, info (default) or debug", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const char documentation[] =
	"Create or take up the arena that keeps the open carts, and look after it: free retired "
	"memory, end idle "
	"carts, "
	"clean up after dead workers. Stopping it, even with SIGKILL, costs the workers nothing."
	"\v"
	"Exit codes: 0 done; 1 another agent has the directory (or --stop found it does not go); 2 "
	"usage; "
	"3 the arena cannot be used; 4 no agent runs (--stop); 5 the output could not be "
	"written.\n\n"
	"Signals: SIGTERM and SIGINT stop it; carts stay. See corral-agent(8).";

static const char *parse_group(const char *text, gid_t *ret_group)
{
	const struct group *group = getgrnam(text);
	uint64_t number;

	if (group != NULL) {
		*ret_group = group->gr_gid;
		return NULL;
	}
	if (parse_number(text, 0, UINT32_MAX - 1, &number) != NULL)
		return "there is no such group";
	*ret_group = (gid_t)number;
	return NULL;
}

static const char *parse_level(const char *text, enum log_level *ret_level)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return NULL;
		}
	}
	return "give error, warning, info or debug";
}

static const char *parse_journal(const char *text, struct agent_options *options)
{
	options->journal_sync = strcmp(text, "sync") == 0;
	/* sync: the round for what no change waits for */
	options->journal_ms = options->journal_sync ? JOURNAL_MS_DEFAULT : 0;
	if (options->journal_sync || strcmp(text, "off") == 0)
		return NULL;
	if (parse_duration(text, JOURNAL_MS_MIN, JOURNAL_MS_MAX, &options->journal_ms) != NULL)
		return "give off, sync, or a time from 10ms to 1h, such as 1s";
	return NULL;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct agent_options *options = state->input;
	const char *wrong = NULL;

	switch (key) {
	case OPTION_DIR:
		options->location = argument;
		break;
	case OPTION_GROUP:
		wrong = parse_group(argument, &options->group);
		options->group_given = true;
		break;
	case OPTION_SIZE:
		wrong = parse_size(argument, ARENA_BYTES_MIN, ARENA_BYTES_MAX,
				   &options->size_bytes);
		options->size_bytes = align_up(options->size_bytes, PAGE_BYTES);
		options->size_given = true;
		break;
	case OPTION_MAX_CARTS:
		wrong = parse_size(argument, 1, ARENA_CARTS_MAX, &options->max_carts);
		options->max_carts_given = true;
		break;
	case OPTION_TTL:
		wrong = parse_duration(argument, CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX,
				       &options->ttl_ms);
		options->ttl_given = true;
		break;
	case OPTION_JOURNAL:
		wrong = parse_journal(argument, options);
		break;
	case OPTION_JOURNAL_SIZE:
		wrong = parse_size(argument, JOURNAL_BYTES_MIN, JOURNAL_BYTES_MAX,
				   &options->journal_bytes);
		break;
	case OPTION_DAEMON:
		options->daemon = true;
		break;
	case OPTION_STOP:
		options->stop = true;
		break;
	case OPTION_REPAIR:
		options->repair = true;
		break;
	case OPTION_UPGRADE:
		options->upgrade = true;
		break;
	case OPTION_SALVAGE:
		options->salvage = true;
		break;
	case OPTION_RESIZE:
		options->resize = true;
		break;
	case OPTION_LOG_LEVEL:
		wrong = parse_level(argument, &options->log_level);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': no such argument", argument);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (wrong != NULL)
		argp_error(state, "'%s': %s", argument, wrong);
	return 0;
}

void options_parse(int argc, char **argv, struct agent_options *ret_options)
{
	static const struct argp argp = { option_table, parse_option, NULL, documentation,
					  NULL,         NULL,         NULL };

	argp_program_version = "corral-agent " CORRAL_VERSION;
	argp_err_exit_status = EXIT_USAGE;
	*ret_options = (struct agent_options){
		.size_bytes = 1ull << 30,
		.max_carts = ARENA_CARTS_USUAL,
		.ttl_ms = 30 * 60 * 1000,
		.journal_ms = JOURNAL_MS_DEFAULT,
		.journal_bytes = 16u << 20,
		.log_level = LOG_INFO,
	};
	if (argp_parse(&argp, argc, argv, 0, NULL, ret_options) != 0)
		exit(EXIT_USAGE);
	if (ret_options->daemon + ret_options->stop + ret_options->repair + ret_options->upgrade +
		    ret_options->salvage + ret_options->resize >
	    1) {
		fprintf(stderr, "corral-agent: --daemon, --stop, --repair, --upgrade, "
				"--salvage and --resize: give one of them\n");
		exit(EXIT_USAGE);
	}
	if (!ret_options->max_carts_given)
		ret_options->max_carts = arena_usual_carts(ret_options->size_bytes);
	if (ret_options->salvage && ret_options->journal_ms == 0)
		/* what salvage puts into the arena must be on disk when it ends */
		ret_options->journal_ms = SALVAGE_JOURNAL_MS;
}
