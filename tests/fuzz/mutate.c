/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate.c: a whole directory is damaged, at rest or under a live agent, and all programs of the
 * project have to cope: corral check, check --repair, corral-agent, --salvage, restore, and
 * readers.
 *
 * Usage: mutate [-s SECONDS] [-n ROUNDS] [-S SEED] [-r ROUND] BUILD
 *   -s SECONDS  processor time of all programs together; -n ROUNDS: the number of rounds
 *   -S SEED     of the first round; printed. -r ROUND: repeat only this round
 *   BUILD       the directory of corral and corral-agent
 * A round that fails leaves BUILD/mutate-SEED-ROUND: `before`, the damaged directory; `after`;
 * `log`, the output of all programs. A seed repeats the same damage only so far as the random uuid,
 * nonce and hash seed allow; `before` is the exact case.
 *
 * A round begins with a life (mutate_life.c), which leaves the directory of a killed agent: an
 * arena, a journal of up to three agents, and for each key the acknowledged version that is on
 * disk. In a copy of the directory the arena is left as it is, or made to look as if from another
 * boot, or as a copied file, or removed. Then one to four things are damaged (mutate_damage.c):
 * bytes, words, pages, lengths and holes of the arena's regions and of the journal's heads and
 * records; files are renamed, swapped or removed; things of other kinds take our names. In one
 * round of four the checksums are recomputed afterwards, so that the damage gets past them: this is
 * called a lie. Then, in one of two orders: check, perhaps check --repair, an agent, all carts are
 * read; the agent stops; check, check --repair, --salvage, an agent, all carts are read.
 *
 * Live rounds do the damage while the agent and a worker are at work, and continue the same way. In
 * some rounds a snapshot is damaged, and restored.
 *
 * What must hold, always: no program dies of a signal or ends with a code that is not documented;
 * none hangs, which is two seconds of processor time or of sleep; none has more than 500 MB in
 * memory (mutate_run.c says how both are measured). An agent that refuses to start does start once
 * names that we took are given back.
 *
 * The carts are checked at the end of the round, unless the damage lies. For each key these rules
 * hold (except for keys whose slot's lease was damaged, and for all keys if a clock in the header
 * was: those words say that a time is up, and have no checksum):
 *   1. A copy of the acknowledged version was spared, in the arena or in a record of the journal
 *      (damage_spares()): the cart is there, with that content, and no smaller version.
 *   2. None was: the cart is there nevertheless, or some program said that something is missing:
 *      an exit code that is not 0, a warning or an error in an agent's log. Except that the last
 *      file of the journal was cut, or files are gone: without an arena no program can know what
 *      was in there.
 *   3. The key's cart was dropped, and the records that say so were spared: it is not there.
 * Under a live agent the mutator cannot know which parts of the arena were spared: there the carts
 * are checked only if the damage was to the journal and to names.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

#define ROUNDS_PER_LIFE 24u
#define FAULTS_MAX 20u
#define LIVE_STEP_US 5000u

enum boot { BOOT_SAME, BOOT_OTHER, BOOT_COPY, BOOT_NONE, BOOTS };

struct shared { /* with children */
	struct life life;
	int answers[CARTS_MAX];
	uint64_t digests[CARTS_MAX];
	uint64_t versions[CARTS_MAX];
	bool stop;
};

struct round {
	uint64_t number;
	uint64_t random;
	struct run run;
	struct damage damage;
	char directory[PATH_MAX];
	bool judged; /* the carts count */
};

static struct shared *shared;
static uint64_t first_seed;
static char work[PATH_MAX];

_Noreturn void mutate_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: must hold: %s: %s; in %s\n", file, line, what, strerror(errno),
		work);
	_exit(99);
}

uint64_t mutate_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t mutate_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(mutate_random(state) % bound);
}

static double cpu_seconds(void)
{
	double sum = 0;

	for (int i = 0; i < 2; i++) {
		struct rusage usage;
		must(getrusage(i == 0 ? RUSAGE_SELF : RUSAGE_CHILDREN, &usage) == 0);
		sum += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	}
	return sum;
}

/* ------------------------------------------------------------------- readers */

static void list(struct corral *corral)
{
	struct corral_entry rows[8];
	struct corral_list *list;
	size_t count = 1;

	must(corral_list_open(corral, NULL, &list) == 0);
	while (count > 0 && corral_list_next(list, rows, 8, &count) == 0)
		continue;
	corral_list_close(list);
}

static void read_carts(void *context)
{
	struct corral *corral;

	int r = corral_open(context, CORRAL_OBSERVE | CORRAL_CATCH_SIGBUS, &corral);
	for (uint32_t i = 0; i < CARTS_MAX; i++) {
		struct corral_key key = life_key(&shared->life.said[i]);
		struct corral_cart *cart;
		shared->answers[i] = r < 0 ? r : corral_get(corral, &key, &cart);
		if (shared->answers[i] < 0)
			continue;
		shared->digests[i] = life_digest(cart);
		shared->versions[i] = cart->head.version;
		corral_cart_free(cart);
	}
	if (r < 0)
		return;
	list(corral);
	corral_close(corral);
}

static bool told_to_stop(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE);
}

/* Go on working until told to stop, regardless of what the calls answer. */
static void work_on(void *context)
{
	const struct timespec step = { .tv_nsec = 200000 };
	uint64_t random = 1;

	while (!told_to_stop()) {
		struct corral *corral;
		(void)nanosleep(&step, NULL);
		if (corral_open(context, CORRAL_CATCH_SIGBUS, &corral) < 0)
			continue;
		(void)corral_set_patience(corral, 20);
		for (uint32_t i = 0; i < 200 && !told_to_stop(); i++) {
			life_change(corral, &random);
			if (i % 50 == 0)
				list(corral);
		}
		corral_close(corral);
	}
}

static void change_some(void *context)
{
	struct corral *corral;
	uint64_t random = 2;

	if (corral_open(context, CORRAL_CATCH_SIGBUS, &corral) < 0)
		return;
	(void)corral_set_patience(corral, 20);
	for (uint32_t i = 0; i < 40; i++)
		life_change(corral, &random);
	corral_close(corral);
}

/* ------------------------------------------------------------------ programs */

static int tool(struct round *round, const char *program, const char *a, const char *b)
{
	const char *const arguments[] = { a, b, NULL };

	return run_program(&round->run, program, arguments);
}

static void check(struct round *round)
{
	(void)tool(round, "corral", "check", round->directory);
}

static void repair(struct round *round)
{
	const char *const arguments[] = { "check", "--repair", round->directory, NULL };

	(void)run_program(&round->run, "corral", arguments);
}

static void look(struct round *round)
{
	static const char *const commands[] = { "status", "ls", "inspect", "clean" };
	const char *const arguments[] = { "--dir", round->directory,
					  commands[mutate_below(&round->random, 4)], NULL };
	bool complained = round->run.complained;

	(void)run_program(&round->run, "corral", arguments);
	round->run.complained = complained; /* the readers do not look for damage */
}

static void salvage(struct round *round)
{
	const char *const arguments[] = { "--salvage", "--dir", round->directory, NULL };

	(void)run_program(&round->run, "corral-agent", arguments);
}

/* Give back the names that the damage took. */
static void give_back(struct round *round)
{
	static const char *const names[] = { "arena", "journal", "lock" };
	static const char *const ours[] = { "agent.sock", ".rebuild" }; /* "remove it", it says */
	char path[PATH_MAX], was[PATH_MAX], away[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		files_path(path, round->directory, "%s", names[i]);
		files_path(was, round->directory, "was.%s", names[i]);
		files_path(away, round->directory, "foreign.%s", names[i]);
		if (access(was, F_OK) == 0 && (rename(path, away) == 0 || errno == ENOENT))
			must(rename(was, path) == 0);
		if (i != 1)
			(void)chmod(path, 0660);
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		files_remove(files_path(path, round->directory, "%s", ours[i]));
}

static pid_t begin_agent(struct round *round)
{
	pid_t pid = run_agent(&round->run, mutate_below(&round->random, 2) == 0 ? "sync" : "20ms");

	if (pid == 0 && round->run.fault[0] == '\0') { /* as an operator would */
		repair(round);
		give_back(round);
		pid = run_agent(&round->run, "20ms");
	}
	if (pid == 0 && round->run.fault[0] == '\0') {
		repair(round);
		pid = run_agent(&round->run, "20ms");
	}
	if (pid == 0 && damage_looks_foreign(&round->damage))
		round->judged = false; /* left to the version that made it */
	else if (pid == 0 && !round->damage.lies)
		run_blame(&round->run, "no agent starts");
	return pid;
}

static void read_all(struct round *round)
{
	for (uint32_t i = 0; i < CARTS_MAX; i++)
		shared->answers[i] = -ENOENT;
	(void)run_child(&round->run, "a reader", read_carts, round->directory);
}

static void cope(struct round *round)
{
	check(round);
	look(round);
	if (mutate_below(&round->random, 2) == 0)
		repair(round);
	pid_t pid = begin_agent(round);
	read_all(round);
	look(round);
	run_agent_stop(&round->run, pid, mutate_below(&round->random, 2) == 0);
	check(round);
	give_back(round);
	repair(round);
	salvage(round);
	pid = begin_agent(round);
	read_all(round);
	run_agent_stop(&round->run, pid, true);
}

/* -------------------------------------------------------------------- judge */

/*
 * Is this the acknowledged cart? One that had to be put into another arena may have a greater
 * version.
 */
static bool is_same(uint32_t i)
{
	const struct said *said = &shared->life.said[i];

	return shared->answers[i] == 0 && shared->digests[i] == said->digest &&
	       shared->versions[i] >= said->version;
}

static void judge_cart(struct round *round, uint32_t i)
{
	const struct said *said = &shared->life.said[i];
	bool spared = damage_spares(&round->damage, said), same = is_same(i);
	int answer = shared->answers[i];
	const char *how = answer == 0 ? "another version" : "none";

	if (said->there && damage_may_end(&round->damage, said))
		return;
	if (said->there && !same && spared)
		run_blame(&round->run, "cart %s: %s (%d), and a sound copy of it was there",
			  said->session, how, answer);
	else if (said->there && !same && !round->run.complained && !round->damage.cut)
		run_blame(&round->run, "cart %s: %s (%d), and nobody has said so", said->session,
			  how, answer);
	else if (!said->there && answer == 0 && spared)
		run_blame(&round->run, "cart %s is back, and the record of its end was there",
			  said->session);
}

static void judge(struct round *round)
{
	for (uint32_t i = 0; i < CARTS_MAX && round->judged; i++)
		judge_cart(round, i);
}

/* ------------------------------------------------------------------- a round */

static void damage_some(struct round *round, bool arena)
{
	struct damage *damage = &round->damage;
	uint32_t count = 1 + mutate_below(&round->random, 4),
		 kinds = 1 + mutate_below(&round->random, 7);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t kind = mutate_below(&round->random, 12);
		if (kind < 6 && arena && (kinds & 1) != 0)
			damage_arena(damage);
		else if (kind < 10 && (kinds & 2) != 0)
			damage_journal(damage);
		else if ((kinds & 4) != 0)
			damage_names(damage);
	}
}

static void at_rest(struct round *round)
{
	enum boot boot = mutate_below(&round->random, BOOTS);
	char path[PATH_MAX];

	if (boot != BOOT_COPY)
		damage_boot(round->directory, boot == BOOT_OTHER);
	if (boot == BOOT_NONE) {
		must(unlink(files_path(path, round->directory, "arena")) == 0);
		round->damage.touched[round->damage.touched_count++] =
			(struct touched){ ARENA_NUMBER, 0, UINT64_MAX };
	}
	snprintf(round->damage.text, sizeof(round->damage.text), "boot %d:", (int)boot);
	damage_some(round, boot != BOOT_NONE);
}

static void live(struct round *round)
{
	const struct timespec step = { .tv_nsec = LIVE_STEP_US * 1000 };
	bool arena = mutate_below(&round->random, 2) == 0;

	damage_boot(round->directory, false);
	round->judged = false; /* the worker changes the carts */
	shared->stop = false;
	pid_t pid = run_agent(&round->run, mutate_below(&round->random, 2) == 0 ? "sync" : "20ms");
	pid_t worker = run_child_begin(&round->run, work_on, round->directory);
	snprintf(round->damage.text, sizeof(round->damage.text), "live:");
	for (uint32_t i = 0; i < 4; i++) {
		(void)nanosleep(&step, NULL);
		damage_some(round, arena);
		round->damage.touched_count = 0;
	}
	(void)nanosleep(&step, NULL);
	look(round);
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	(void)run_child_end(&round->run, "a worker", worker);
	run_agent_stop(&round->run, pid, true);
	round->damage.lies = true; /* where the agent takes up a foreign thing again */
}

/* Damage a snapshot, and restore it into an empty arena. */
static void restore(struct round *round)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	const char *const arguments[] = { "--dir", fresh, "restore", path, NULL };

	files_path(path, work, "snapshot");
	files_path(fresh, work, "fresh");
	files_remove(path);
	files_remove(fresh);
	int in = open(shared->life.snapshot, O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(in >= 0 && out >= 0);
	for (char bytes[4096];;) {
		ssize_t n = read(in, bytes, sizeof(bytes));
		must(n >= 0 && write(out, bytes, (size_t)n) == n);
		if (n == 0)
			break;
	}
	must(close(in) == 0 && close(out) == 0);
	snprintf(round->damage.text, sizeof(round->damage.text), "snapshot:");
	for (uint32_t i = 0, count = mutate_below(&round->random, 4); i < count; i++)
		damage_file(&round->damage, path);
	round->run.directory = fresh;
	pid_t pid = run_agent(&round->run, "20ms");
	int code = run_program(&round->run, "corral", arguments);
	(void)run_child(&round->run, "a reader", read_carts, fresh);
	for (uint32_t i = 0; i < CARTS_MAX && code == 0; i++)
		if (shared->life.said[i].there && !is_same(i))
			run_blame(&round->run, "cart %s is not as it was in the snapshot",
				  shared->life.said[i].session);
	run_agent_stop(&round->run, pid, true);
	round->run.directory = round->directory;
}

static void keep(struct round *round)
{
	char to[PATH_MAX], part[PATH_MAX], from[PATH_MAX];

	files_path(to, run_build, "mutate-%llx-%llu", (unsigned long long)first_seed,
		   (unsigned long long)round->number);
	files_remove(to);
	must(mkdir(to, 0700) == 0);
	files_path(from, work, "before");
	if (access(from, F_OK) == 0)
		files_copy(from, files_path(part, to, "before"));
	files_copy(round->directory, files_path(part, to, "after"));
	files_path(part, to, "log");
	int in = open(round->run.log, O_RDONLY | O_CLOEXEC);
	int out = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(in >= 0 && out >= 0);
	for (char bytes[4096];;) {
		ssize_t n = read(in, bytes, sizeof(bytes));
		must(n >= 0 && write(out, bytes, (size_t)n) == n);
		if (n == 0)
			break;
	}
	dprintf(out, "damage: %s\nfault: %s\n", round->damage.text, round->run.fault);
	must(close(in) == 0 && close(out) == 0);
	printf("RED  mutate -S 0x%llx -r %llu: %s\n     %s\n     kept in %s\n",
	       (unsigned long long)first_seed, (unsigned long long)round->number, round->run.fault,
	       round->damage.text, to);
}

/* True: nothing is wrong. */
static bool do_round(uint64_t number, struct run *most)
{
	static struct round round;
	char before[PATH_MAX], of_life[PATH_MAX];

	round = (struct round){ .number = number, .random = first_seed };
	round.random = mutate_random(&round.random) ^ number;
	(void)mutate_random(&round.random);
	files_path(round.directory, work, "dir");
	files_path(round.run.log, work, "log");
	files_path(before, work, "before");
	files_path(of_life, work, "life");
	files_remove(round.run.log);
	files_remove(before);
	files_remove(round.directory);
	files_copy(of_life, round.directory);
	int log = open(round.run.log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(log >= 0 && close(log) == 0);
	round.run.directory = round.directory;
	round.judged = true;
	round.damage = (struct damage){ .life = &shared->life,
					.directory = round.directory,
					.random = &round.random,
					.lies = mutate_below(&round.random, 4) == 0 };
	uint32_t kind = mutate_below(&round.random, 10);
	if (kind == 0) {
		restore(&round);
	} else {
		if (kind < 3)
			live(&round);
		else
			at_rest(&round);
		files_copy(round.directory, before);
		cope(&round);
		if (!round.damage.lies && round.run.fault[0] == '\0')
			judge(&round);
		pid_t pid = round.run.fault[0] == '\0' ? begin_agent(&round) : 0;
		(void)run_child(&round.run, "a worker", change_some, round.directory);
		run_agent_stop(&round.run, pid, true);
	}
	if (round.run.rss_kb > most->rss_kb)
		most->rss_kb = round.run.rss_kb;
	if (round.run.cpu_ms > most->cpu_ms)
		most->cpu_ms = round.run.cpu_ms;
	if (round.run.fault[0] != '\0')
		keep(&round);
	return round.run.fault[0] == '\0';
}

static void make_life(uint64_t number)
{
	char directory[PATH_MAX];

	memset(shared, 0, sizeof(*shared));
	life_make(&shared->life, files_path(directory, work, "life"), first_seed ^ number);
}

static int do_rounds(double seconds, uint64_t rounds, uint64_t only)
{
	uint64_t life = UINT64_MAX, done = 0;
	uint32_t faults = 0;
	struct run most = { 0 };

	for (uint64_t i = only != UINT64_MAX ? only : 0;
	     done < rounds && faults < FAULTS_MAX && cpu_seconds() < seconds; i++, done++) {
		if (life != i / ROUNDS_PER_LIFE) {
			life = i / ROUNDS_PER_LIFE;
			make_life(life);
		}
		faults += !do_round(i, &most);
		fflush(stdout);
	}
	printf("mutate: seed 0x%llx, %llu rounds, %.0f s of processor time, of any program at most "
	       "%ld kB and %lld ms: %u failed\n",
	       (unsigned long long)first_seed, (unsigned long long)done, cpu_seconds(), most.rss_kb,
	       (long long)most.cpu_ms, faults);
	return faults == 0 && done > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	uint64_t rounds = UINT64_MAX, only = UINT64_MAX;
	char build[PATH_MAX], agent[PATH_MAX];
	const char *tmp = getenv("TMPDIR");
	double seconds = 1e9;
	struct timespec now;
	int option;

	clock_gettime(CLOCK_REALTIME, &now);
	first_seed = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)getpid();
	while ((option = getopt(argc, argv, "s:n:S:r:")) != -1) {
		if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 'n')
			rounds = strtoull(optarg, NULL, 0);
		else if (option == 'S')
			first_seed = strtoull(optarg, NULL, 0);
		else if (option == 'r')
			only = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind != argc - 1 || realpath(argv[optind], build) == NULL)
		return 2;
	run_build = build;
	if (only != UINT64_MAX)
		rounds = 1;
	must(setenv("CORRAL_AGENT", files_path(agent, build, "corral-agent"), 1) == 0);
	must(setenv("ASAN_OPTIONS", "abort_on_error=1:quarantine_size_mb=16", 1) == 0);
	must(setenv("UBSAN_OPTIONS", "abort_on_error=1:print_stacktrace=1", 1) == 0);
	snprintf(work, sizeof(work), "%s/mutate.XXXXXX", tmp != NULL ? tmp : "/tmp");
	must(mkdtemp(work) != NULL);
	(void)umask(0007);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	must(shared != MAP_FAILED);
	printf("mutate: seed 0x%llx\n", (unsigned long long)first_seed);
	int code = do_rounds(seconds, rounds, only);
	files_remove(work);
	return code;
}
