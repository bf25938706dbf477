/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recovery.c: corral-bench recovery: how fast an agent rebuilds a lost arena from its journal,
 * compared with plain reading of the journal's files; and how fast it takes up an existing arena.
 *
 * Both rates are for the same files in the same run; the files are dropped from the page cache
 * before. The carts are counted and their sums added up before and after.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cart/cart.h"
#include "harness/child.h"
#include "harness/dataset.h"
#include "harness/memory.h"
#include "harness/options.h"
#include "speed.h"

#define CARTS_MAX 10000000u
#define BYTES_MAX 100000u
#define READ_BYTES (1u << 20)
#define READY_MS 600000
#define POLL_MS 1 /* the interval at which a recovering agent's memory is read */
#define WARM_STARTS 9u

struct recovery {
	const char *directory;
	uint32_t carts, bytes;
	struct dataset dataset;
	int notify_fd;
	uint64_t memory_kb; /* the most private memory that an agent was seen to have */
	uint64_t cpu_ns;    /* used by all threads of the last agent until it was ready */
};

struct sums {
	uint64_t carts;
	uint64_t lines;
	int64_t cents;
	uint64_t versions;
};

/* ---------------------------------------------------------------- the agent */

/* Open the socket on which agents that we start say that they are ready. */
static int open_notify(struct recovery *recovery)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[sizeof(address.sun_path)];

	int n = snprintf(name, sizeof(name), "@corral-bench-%d", getpid());
	memcpy(address.sun_path, name, (size_t)n);
	address.sun_path[0] = '\0';
	recovery->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (recovery->notify_fd < 0 ||
	    bind(recovery->notify_fd, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) < 0 ||
	    setenv("NOTIFY_SOCKET", name, 1) < 0)
		return -errno;
	struct timeval poll = { .tv_usec = POLL_MS * 1000 };
	return setsockopt(recovery->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &poll, sizeof(poll)) < 0 ?
		       -errno :
		       0;
}

static void look_at_memory(struct recovery *recovery)
{
	char path[64], line[256];
	unsigned long long kb;

	snprintf(path, sizeof(path), "/proc/%d/status", recovery->dataset.sandbox.agent);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %llu kB", &kb) == 1)
			recovery->memory_kb = max_u64(recovery->memory_kb, kb);
	fclose(file);
}

static void look_at_cpu(struct recovery *recovery)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(recovery->dataset.sandbox.agent, &clock) == 0)
		(void)clock_gettime(clock, &used);
	recovery->cpu_ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/*
 * Start an agent. Returns the nanoseconds until it says that it is ready; 0: it did not, and a
 * message says so.
 */
static uint64_t start_agent(struct recovery *recovery)
{
	struct sandbox *sandbox = &recovery->dataset.sandbox;
	char *argv[] = {
		sandbox->agent_path, "--dir", sandbox->directory, "--journal", "1s", NULL
	};
	struct child_plan plan = { .path = sandbox->agent_path,
				   .argv = argv,
				   .keep = { -1, -1 },
				   .output = sandbox->log };
	char word[64];

	while (recv(recovery->notify_fd, word, sizeof(word), MSG_DONTWAIT) >= 0)
		; /* drain the messages of earlier agents */
	uint64_t start_ns = bench_now_ns();
	sandbox->agent = child_start(&plan);
	if (sandbox->agent < 0) {
		bench_say("cannot start %s: %s", sandbox->agent_path, strerror(-sandbox->agent));
		sandbox->agent = 0;
		return 0;
	}
	while (bench_now_ns() - start_ns < READY_MS * 1000000ull && bench_signal == 0) {
		ssize_t n = recv(recovery->notify_fd, word, sizeof(word), 0);
		if (n >= 7 && memcmp(word, "READY=1", 7) == 0) {
			uint64_t ns = bench_now_ns() - start_ns;
			look_at_cpu(recovery);
			return max_u64(1, ns);
		}
		if (sandbox_agent_gone(sandbox))
			return 0;
		look_at_memory(recovery);
	}
	if (bench_signal == 0)
		bench_say("the agent is not ready after %d s", READY_MS / 1000);
	return 0;
}

/* ---------------------------------------------------------------- the files */

/*
 * Call one() for each file of the journal; a negative answer ends the loop. Returns the files'
 * bytes, or -errno.
 */
static int64_t each_file(const struct recovery *recovery, int64_t (*one)(int fd))
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	int64_t all = 0;

	snprintf(path, sizeof(path), "%s/journal", recovery->dataset.sandbox.directory);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while (all >= 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		int64_t n = fd >= 0 ? one(fd) : -errno;
		all = n < 0 ? n : all + n;
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return all;
}

static int64_t forget_file(int fd)
{
	int r = fsync(fd) < 0 ? errno : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	return -r;
}

static int64_t read_file(int fd)
{
	static uint8_t buffer[READ_BYTES];
	int64_t all = 0;
	ssize_t n;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		all += n;
	return n < 0 ? -errno : all;
}

/* ---------------------------------------------------------------- the carts */

/* Add a cart to the sums. 0; -ENOENT and other errors: the cart cannot be read. */
static int add_cart(struct corral *corral, uint32_t number, struct sums *sums)
{
	struct dataset_step step;
	struct corral_view view;

	dataset_step_at(number, &step);
	const struct corral_key key = dataset_key(&step);
	int r = corral_read_begin(corral, &key, &view);
	if (r < 0)
		return r;
	const struct cart_head *head = view.bytes;
	sums->carts++;
	sums->lines += head->line_count;
	sums->cents += head->total_cents;
	sums->versions += head->version;
	return corral_read_end(&view);
}

static enum bench_exit add_up_carts(const struct recovery *recovery, struct sums *ret_sums)
{
	struct corral *corral;
	int r = 0;

	*ret_sums = (struct sums){ 0 };
	if (corral_open(recovery->dataset.sandbox.directory, CORRAL_OBSERVE, &corral) < 0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	for (uint32_t i = 0; i < recovery->carts && (r == 0 || r == -ENOENT); i++)
		r = add_cart(corral, i, ret_sums);
	corral_close(corral);
	if (r < 0 && r != -ENOENT)
		bench_say("cannot read a cart: %s", corral_strerror(r));
	return r < 0 && r != -ENOENT ? BENCH_WRONG : BENCH_DONE;
}

/* ---------------------------------------------------------------- figures */

/* Let an agent write a journal of all carts, and end. */
static enum bench_exit write_journal(struct recovery *recovery)
{
	struct sandbox *sandbox = &recovery->dataset.sandbox;

	sandbox_stop_agent(sandbox);
	if (start_agent(recovery) == 0)
		return BENCH_NO_AGENT;
	int r = corral_sync(recovery->dataset.corral, -1, NULL);
	sandbox_stop_agent(sandbox);
	if (r < 0)
		bench_say("the journal was not written: %s", corral_strerror(r));
	return r < 0 ? BENCH_WRONG : BENCH_DONE;
}

static bool take_arena_away(const struct recovery *recovery)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/arena", recovery->dataset.sandbox.directory);
	if (unlink(path) == 0)
		return true;
	bench_say("cannot remove %s: %s", path, strerror(errno));
	return false;
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static enum bench_exit warm_restarts(struct recovery *recovery)
{
	uint64_t ns[WARM_STARTS];

	for (uint32_t i = 0; i < WARM_STARTS; i++) {
		sandbox_stop_agent(&recovery->dataset.sandbox);
		ns[i] = start_agent(recovery);
		if (ns[i] == 0)
			return BENCH_NO_AGENT;
	}
	qsort(ns, WARM_STARTS, sizeof(ns[0]), compare_ns);
	uint64_t median = ns[WARM_STARTS / 2];
	printf("recovery.warm_restart_ms %.1f ms\n", (double)median / 1e6);
	printf("recovery.warm_restart_max_ms %.1f ms\n", (double)ns[WARM_STARTS - 1] / 1e6);
	return BENCH_DONE;
}

static void print_rates(const struct recovery *recovery, int64_t bytes, uint64_t read_ns,
			uint64_t recover_ns)
{
	printf("recovery.journal_bytes %lld bytes\n", (long long)bytes);
	printf("recovery.read_rate %.0f MB/s\n", (double)bytes * 1e3 / (double)read_ns);
	printf("recovery.recover_rate %.0f MB/s\n", (double)bytes * 1e3 / (double)recover_ns);
	printf("recovery.ratio %.2f x\n", (double)read_ns / (double)recover_ns);
	printf("recovery.recover_ms %.0f ms\n", (double)recover_ns / 1e6);
	printf("recovery.recover_cpu_ms %.0f ms\n", (double)recovery->cpu_ns / 1e6);
	printf("recovery.agent_memory_mb %.1f MB\n", (double)recovery->memory_kb / 1024);
}

static enum bench_exit compare(const struct sums *before, const struct sums *after)
{
	uint64_t lost = before->carts > after->carts ? before->carts - after->carts : 0;
	bool same = memcmp(before, after, sizeof(*before)) == 0;

	printf("recovery.carts %llu carts\n", (unsigned long long)after->carts);
	printf("recovery.lost %llu carts\n", (unsigned long long)lost);
	if (same)
		return BENCH_DONE;
	bench_say("the carts are not what they were: %llu carts, %llu lines, %lld cents; were "
		  "%llu, %llu, %lld",
		  (unsigned long long)after->carts, (unsigned long long)after->lines,
		  (long long)after->cents, (unsigned long long)before->carts,
		  (unsigned long long)before->lines, (long long)before->cents);
	return BENCH_WRONG;
}

static enum bench_exit measure(struct recovery *recovery)
{
	struct sums before, after;
	enum bench_exit result = add_up_carts(recovery, &before);

	if (result == BENCH_DONE)
		result = write_journal(recovery);
	corral_close(recovery->dataset.corral);
	recovery->dataset.corral = NULL;
	if (result != BENCH_DONE || !take_arena_away(recovery))
		return result != BENCH_DONE ? result : BENCH_NO_ARENA;
	sync();
	int64_t bytes = each_file(recovery, forget_file);
	uint64_t start_ns = bench_now_ns();
	if (bytes == 0)
		bytes = each_file(recovery, read_file);
	uint64_t read_ns = bench_now_ns() - start_ns;
	int64_t r = bytes > 0 ? each_file(recovery, forget_file) : bytes;
	if (r < 0 || bytes == 0) {
		bench_say("cannot read the journal: %s", strerror((int)-r));
		return BENCH_NO_ARENA;
	}
	recovery->memory_kb = 0;
	uint64_t recover_ns = start_agent(recovery);
	if (recover_ns == 0)
		return BENCH_NO_AGENT;
	print_rates(recovery, bytes, read_ns, recover_ns);
	memory_print_arena("recovery", &recovery->dataset);
	result = add_up_carts(recovery, &after);
	if (result == BENCH_DONE)
		result = compare(&before, &after);
	return result == BENCH_DONE ? warm_restarts(recovery) : result;
}

enum bench_exit recovery_run(int argc, char **argv)
{
	static struct recovery recovery = { .carts = 200000, .bytes = 5000, .notify_fd = -1 };
	const struct option_row rows[] = {
		OPTION(NUMBER, "carts", "N", number = &recovery.carts, "so many carts",
		       BOUNDS(1, CARTS_MAX)),
		OPTION(NUMBER, "bytes", "N", number = &recovery.bytes, "bytes of a cart, about",
		       BOUNDS(1, BYTES_MAX)),
		OPTION(WORD, "dir", "DIR", word = &recovery.directory,
		       "in a new directory in DIR, on the disk that is to be measured; must "
		       "be given"),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);
	char path[PATH_MAX];

	if (!go)
		return result;
	if (recovery.directory == NULL)
		return bench_usage("--dir: give a directory on the disk that is to be measured");
	if (snprintf(path, sizeof(path), "%s/corral-bench.XXXXXX", recovery.directory) >=
		    (int)sizeof(path) ||
	    mkdtemp(path) == NULL || open_notify(&recovery) < 0) {
		bench_say("cannot make a directory in %s: %s", recovery.directory, strerror(errno));
		return BENCH_NO_ARENA;
	}
	bench_catch_signals();
	bench_print_machine(stdout);
	result = dataset_open(&recovery.dataset, path, recovery.carts, recovery.bytes);
	if (result == BENCH_DONE) {
		result = measure(&recovery);
		dataset_close(&recovery.dataset);
	}
	sandbox_remove_directory(path);
	close(recovery.notify_fd);
	bench_die_of_signal();
	return result;
}
