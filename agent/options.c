/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: corral-agent's command line.
 */
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cart/cart.h"
#include "common/options.h"
#include "common/parse.h"

#define JOURNAL_MS_MIN 10
#define JOURNAL_MS_MAX 3600000
#define JOURNAL_MS_DEFAULT 1000
#define JOURNAL_BYTES_MIN (1ull << 20)
#define JOURNAL_BYTES_MAX (1ull << 40)

/* A mode: a task that the agent does instead of serving, or the way in which it serves. */
#define MODE(name, target, help) OPTION(FLAG, name, NULL, flag = (target), help, .exclusive = true)

static const char *take_group(void *context, const char *text)
{
	gid_t *ret_group = context;
	const struct group *group = getgrnam(text);
	uint64_t number;

	if (group == NULL && parse_number(text, 0, UINT32_MAX - 1, &number) != NULL)
		return "there is no such group";
	*ret_group = group != NULL ? group->gr_gid : (gid_t)number;
	return NULL;
}

static const char *take_currency(void *context, const char *text)
{
	uint32_t currency = cart_currency(corral_text(text));

	if (currency == 0 && strcmp(text, "none") != 0)
		return "give an ISO 4217 code in capital letters, such as EUR, or none";
	*(uint32_t *)context = currency;
	return NULL;
}

static const char *const level_names[] = { "error", "warning", "info", "debug", NULL };

static struct option_choice level_choice(uint32_t index)
{
	return (struct option_choice){ .name = level_names[index] };
}

static struct option_choice journal_choice(uint32_t index)
{
	static const struct option_choice choices[] = { { "off", "a power loss may cost all" },
							{ "1s", "the default" },
							{ "sync", "each change waits" },
							{ NULL, NULL } };

	return choices[index];
}

static struct option_choice feed_choice(uint32_t index)
{
	static const struct option_choice choices[] = { { "on", "the default" },
							{ "off", "no events" },
							{ "64M", "room for so many bytes of them" },
							{ NULL, NULL } };

	return choices[index];
}

/* The ring has a power of two of entries, as many as fit. */
static const char *take_feed(void *context, const char *text)
{
	struct agent_options *options = context;

	options->feed_bytes = 0;
	options->feed_off = strcmp(text, "off") == 0;
	if (options->feed_off || strcmp(text, "on") == 0)
		return NULL;
	if (parse_size(text, ARENA_FEED_BYTES_MIN, ARENA_FEED_BYTES_MAX, &options->feed_bytes) !=
	    NULL)
		return "give on, off, or a size from 32K to 1G, such as 64M";
	while ((options->feed_bytes & (options->feed_bytes - 1)) != 0)
		options->feed_bytes &= options->feed_bytes - 1;
	return NULL;
}

static const char *take_level(void *context, const char *text)
{
	for (unsigned i = 0; level_names[i]; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*(enum log_level *)context = (enum log_level)i;
			return NULL;
		}
	}
	return "give error, warning, info or debug";
}

static const char *take_journal(void *context, const char *text)
{
	struct agent_options *options = context;

	options->journal_sync = strcmp(text, "sync") == 0;
	/* sync: the interval for activity that no change waits for */
	options->journal_ms = options->journal_sync ? JOURNAL_MS_DEFAULT : 0;
	if (options->journal_sync || strcmp(text, "off") == 0)
		return NULL;
	if (parse_duration(text, JOURNAL_MS_MIN, JOURNAL_MS_MAX, &options->journal_ms) != NULL)
		return "give off, sync, or a time from 10ms to 1h, such as 1s";
	return NULL;
}

void options_parse(int argc, char **argv, struct agent_options *agent)
{
	const struct option_row rows[] = {
		OPTION(WORD, "dir", "DIR", word = &agent->location,
		       "directory of the arena (default: $CORRAL_DIR, else /var/lib/corral "
		       "for root and $XDG_STATE_HOME/corral for others)"),
		OPTION(OWN, "group", "GROUP", context = &agent->group,
		       "name or number of the group whose members may use DIR "
		       "and the files in it (default: DIR's group as it is)",
		       .take = take_group, .given = &agent->group_given),
		OPTION(SIZE, "size", "BYTES", large = &agent->size_bytes,
		       "size of a new arena, with K, M or G; the file grows as "
		       "needed",
		       BOUNDS(ARENA_BYTES_MIN, ARENA_BYTES_MAX), .given = &agent->size_given),
		OPTION(SIZE, "max-carts", "N", large = &agent->max_carts,
		       "most carts of a new arena, with K or M (default "
		       "65536, fewer in a small one)",
		       BOUNDS(1, ARENA_CARTS_MAX), .given = &agent->max_carts_given),
		OPTION(TIME, "ttl", "TIME", large = &agent->ttl_ms,
		       "a cart ends after this long without activity: 30m, 2s, "
		       "500ms, 1h",
		       BOUNDS(CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX), .given = &agent->ttl_given),
		OPTION(OWN, "currency", "CODE|none", context = &agent->currency,
		       "the currency of new carts, an ISO 4217 code: EUR, JPY; none (the default)",
		       .take = take_currency, .given = &agent->currency_given),
		OPTION(OWN, "journal", "off|TIME|sync", context = agent,
		       "how often what changed is written to DIR/journal and synced: 1s (the "
		       "default), 200ms; a power loss costs at most that much. sync: each "
		       "change waits until it is on disk",
		       .take = take_journal, .choices = journal_choice),
		OPTION(SIZE, "journal-size", "BYTES", large = &agent->journal_bytes,
		       "begin the journal anew, with all carts, when it has grown by this "
		       "much, and by twice what the carts took",
		       BOUNDS(JOURNAL_BYTES_MIN, JOURNAL_BYTES_MAX)),
		OPTION(OWN, "feed", "on|off|BYTES", context = agent,
		       "whether changes and ends of carts are told as events (corral events): on "
		       "(the default), off, or on with room for so many bytes of them in a new "
		       "arena, with K, M or G",
		       .take = take_feed, .choices = feed_choice),
		OPTION(OWN, "log-level", "LEVEL", context = &agent->log_level,
		       "error, warning, info (default) or debug", .take = take_level,
		       .choices = level_choice),
		MODE("daemon", &agent->daemon,
		     "go to the background; return 0 once ready. Logs to "
		     "DIR/agent.log"),
		MODE("stop", &agent->stop, "stop the agent of DIR, and return once it is gone"),
		MODE("repair", &agent->repair,
		     "check the arena of DIR, and if it is damaged make a new one of the "
		     "sound carts in it, and exit; no agent and no worker may run (corral "
		     "check --repair)"),
		MODE("upgrade", &agent->upgrade,
		     "carry all carts of an arena that an older version made over into one "
		     "of this version, and exit; no agent and no worker may run"),
		MODE("salvage", &agent->salvage,
		     "put every sound cart of a damaged journal (DIR/journal.damaged.*) "
		     "into the arena, unless it has a newer one, and exit; no agent may "
		     "run"),
		MODE("resize", &agent->resize,
		     "carry all carts over into an arena of the larger --size or "
		     "--max-carts that is given, and exit; no agent may run; "
		     "workers get ESTALE meanwhile, and open the directory again"),
	};
	struct options options = {
		.about = "Create or take up the arena that keeps the open carts, and look after "
			 "it: free retired memory, end idle carts, clean up after dead workers. "
			 "Stopping it, even with SIGKILL, costs the workers nothing.",
		.more = "Exit codes: 0 done; 1 another agent has the directory (or --stop found "
			"it does not\n"
			"go); 2 usage; 3 the arena cannot be used; 4 no agent runs (--stop); 5 the "
			"output\ncould not be written.\n\n"
			"Signals: SIGTERM and SIGINT stop it; carts stay. See corral-agent(8).",
		.version = CORRAL_VERSION,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	bool go;

	*agent = (struct agent_options){
		.size_bytes = 1ull << 30,
		.ttl_ms = 30 * 60 * 1000,
		.journal_ms = JOURNAL_MS_DEFAULT,
		.journal_bytes = 16u << 20,
		.log_level = LOG_INFO,
	};
	int code = options_take(&options, argc, argv, &go);
	if (!go)
		exit(code);
	agent->size_bytes = align_up(agent->size_bytes, PAGE_BYTES);
	if (!agent->max_carts_given)
		agent->max_carts = arena_usual_carts(agent->size_bytes);
	if (agent->salvage && agent->journal_ms == 0)
		/* what salvage puts into the arena must be on disk when it ends */
		agent->journal_ms = JOURNAL_MS_DEFAULT;
}
