/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside_salvage.c: corral-agent --salvage: the valid carts of journals that were set aside
 * (aside.h).
 *
 * Such a journal is read to its end, past all damage, and its carts are put into the arena as
 * `restore --merge` would: the newer version of a cart wins, and a cart whose time is up has ended.
 * Once all of them are on disk the journal is renamed, so that a later run does not bring back what
 * has ended since. After a death before that, the next run does it again.
 *
 * A cart's time to live goes on while its journal is set aside: it counts from the time when the
 * directory was made.
 *
 * The carts before the damage have been in the arena since recovery. If one of them is no longer
 * there, it has ended since, and does not come back. recover.c reports carts that may have ended in
 * the damaged bytes. An arena that was made anew since, because the one before was removed, has
 * never had them: it has another hash seed, which what is made from a journal, or from another
 * arena, keeps.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/change.h"
#include "arena/access.h"
#include "aside.h"
#include "cart/cart.h"
#include "recover.h"
#include "recover_second.h"

#define SALVAGED JOURNAL_DIRECTORY ".salvaged."

struct bring {
	struct corral *corral;
	uint64_t *recovered; /* hashes of the carts that recovery took, in ascending order */
	uint32_t count;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Was the cart in the arena, and has it ended since? */
static bool ended_since(const struct bring *bring, const struct cart_head *cart, size_t size)
{
	struct corral_view view;
	struct corral_key key;

	if (bring->count == 0 ||
	    bsearch(&cart->hash, bring->recovered, bring->count, sizeof(cart->hash), by_value) ==
		    NULL ||
	    cart_get_key(cart, size, &key) < 0)
		return false;
	int r = corral_read_begin(bring->corral, &key, &view);
	if (r == 0)
		(void)corral_read_end(&view);
	return r == -ENOENT;
}

static int put(void *context, uint32_t slot, const void *cart, size_t size, uint64_t idle_ns)
{
	const struct bring *bring = context;

	(void)slot; /* a slot of another arena */
	if (idle_ns == SALVAGE_OVER)
		return -ETIME;
	return ended_since(bring, cart, size) ? -ETIME :
						change_put(bring->corral, cart, size, idle_ns);
}

/*
 * List what recovery took from these files, if the arena goes back to it: it read them the same
 * way, up to the damage.
 */
static int list_recovered(const struct agent *agent, const char *name, struct bring *bring)
{
	struct recover recover;

	int fd = openat(agent->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = recover_open(&recover, fd, name);
	/* else recovery took nothing, or into another arena */
	if (r == 0 && recover_index(&recover) == 0 &&
	    recover.head.hash_seed == agent->actor->arena->hash_seed) {
		bring->recovered = malloc(((size_t)recover.carts + 1) * sizeof(uint64_t));
		r = bring->recovered != NULL ? 0 : -ENOMEM;
		for (uint32_t slot = 0; slot < recover.head.max_carts && r == 0; slot++)
			if (recover.slots[slot].file != 0 && bring->count < recover.carts)
				bring->recovered[bring->count++] = recover.slots[slot].hash;
	}
	recover_close(&recover);
	if (bring->count > 0)
		qsort(bring->recovered, bring->count, sizeof(uint64_t), by_value);
	return r;
}

static uint64_t passed_ns(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	int64_t ms = arena_wall_ms() - (st.st_mtim.tv_sec * 1000ll + st.st_mtim.tv_nsec / 1000000);
	return ms > 0 ? (uint64_t)ms * 1000000 : 0;
}

/* 0: done; 1: there is nothing to take; -errno. */
static int salvage_one(struct agent *agent, const char *name)
{
	struct bring bring = { .corral = agent->corral };
	struct salvage_totals totals = { 0 };
	struct recover recover;

	int r = 0;
	if (strstr(name, ASIDE_UNREAD) == NULL)
		r = list_recovered(agent, name, &bring);
	if (r < 0)
		return r;
	int fd = access_enter(agent->dir_fd, name, 0, NULL);
	if (fd < 0) {
		free(bring.recovered);
		return fd;
	}
	r = recover_open(&recover, fd, name);
	recover.salvage = true;
	recover.passed_ns = passed_ns(fd);
	if (r == 0)
		r = recover_index(&recover);
	if (r == 0)
		recover_apply_ends(&recover);
	if (r == 0)
		r = recover_put(&recover, put, &bring, &totals);
	if (r == 0)
		log_line(LOG_INFO,
			 "%s: %s: %u carts were taken; of %u in all %u have ended meanwhile, %u "
			 "are damaged, %u may be older or have ended, and of the others the arena "
			 "has the same or a newer version",
			 agent->directory, name, totals.kept, recover.carts, totals.ended,
			 totals.damaged, totals.older);
	agent->in_doubt += totals.older;
	recover_close(&recover);
	free(bring.recovered);
	if (r != -ENOENT && r != -EPROTO)
		return r;
	log_line(LOG_ERROR,
		 "%s: %s: no file of it has a valid head and a base: nothing can be taken",
		 agent->directory, name);
	return 1;
}

static int is_one(const struct dirent *entry)
{
	return strncmp(entry->d_name, ASIDE_DAMAGED, strlen(ASIDE_DAMAGED)) == 0;
}

static int rename_one(const struct agent *agent, const char *name)
{
	char wanted[NAME_MAX + 1], done[NAME_MAX + 1] = "";

	if (snprintf(wanted, sizeof(wanted), SALVAGED "%s", name + strlen(ASIDE_DAMAGED)) >=
	    (int)sizeof(wanted))
		return -ENAMETOOLONG;
	int r = aside_rename(agent->dir_fd, name, wanted, "", done);
	if (r < 0)
		return r;
	log_line(LOG_INFO, "%s: %s is now %s: remove it if you do not want it any more",
		 agent->directory, name, done);
	return 0;
}

static int salvage_all(struct agent *agent)
{
	struct dirent **entries;
	int count = scandir(agent->directory, &entries, is_one, alphasort);
	int r = count < 0 ? -errno : 0;

	if (count == 0)
		log_line(LOG_INFO, "%s: no damaged journal (" ASIDE_DAMAGED "*) is there",
			 agent->directory);
	for (int i = 0; i < count && r == 0; i++) {
		r = salvage_one(agent, entries[i]->d_name);
		if (r == -ENOTDIR || r == -ELOOP) {
			log_line(LOG_WARNING, "%s: %s is no directory: it is left alone",
				 agent->directory, entries[i]->d_name);
			r = 0;
			continue;
		}
		if (r == 0)
			r = corral_sync(agent->corral, -1, NULL);
		r = r == 0 ? rename_one(agent, entries[i]->d_name) : r > 0 ? 0 : r;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
	return r;
}

int aside_run(struct agent *agent)
{
	int code = agent_take_up(agent);

	if (code != EXIT_DONE)
		return code;
	int r = salvage_all(agent);
	agent_give_up(agent);
	if (r == 0)
		return agent->in_doubt > 0 ? EXIT_NO : EXIT_DONE;
	log_line(LOG_ERROR, "%s: not all could be salvaged, and nothing is lost: %s",
		 agent->directory, corral_strerror(r));
	return EXIT_ARENA;
}
