/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * support.c: see support.h.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#include "base/atomic.h"

#define YARDS_MAX 64

static bool in_child;
__thread uint32_t *support_failures;

/* ------------------------------------------------------------- randomness */

uint64_t support_seed(void)
{
	static uint64_t seed;

	if (seed == 0) {
		const char *given = getenv("CORRAL_SEED");
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		seed = given != NULL ? strtoull(given, NULL, 0) :
				       (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)getpid();
		seed |= 1;
		print_message("CORRAL_SEED=%llu\n", (unsigned long long)seed);
		fflush(stdout);
	}
	return seed;
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(random_next(state) % bound);
}

/* ------------------------------------------------------------------- time */

int64_t support_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

void support_sleep_us(uint32_t us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000l };

	nanosleep(&time, NULL);
}

/* ------------------------------------------------------------------ bodies */

void support_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
	if (in_child)
		_exit(CHILD_FAILED);
	if (support_failures == NULL)
		abort();
	fetch_add_relaxed(support_failures, 1u);
	pthread_exit(NULL);
}

bool support_threads_only(void)
{
	const char *mode = getenv("CORRAL_TEST_MODE");

	return mode != NULL && strcmp(mode, "threads") == 0;
}

bool support_fork_wipes(void)
{
	uint8_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 0;

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(madvise(page, 4096, MADV_WIPEONFORK), 0);
	*page = 1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(*page);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	munmap(page, 4096);
	return status == 0;
}

void *support_shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* --------------------------------------------------------------- children */

void support_let_crash(void)
{
	const int caught[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };

	for (size_t i = 0; i < COUNT(caught); i++)
		signal(caught[i], SIG_DFL);
}

pid_t child_start(int (*body)(void *context), void *context)
{
	fflush(NULL);
	pid_t parent = getpid();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	in_child = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CHILD_FAILED);
	support_let_crash();
	member_disinherit();
	alarm(2 * SUPPORT_WAIT_MS / 1000);
	int code = body(context);
	fflush(NULL);
	_exit(code);
}

static bool ended(pid_t pid, int *status)
{
	pid_t r = waitpid(pid, status, WNOHANG);

	assert_true(r >= 0);
	return r == pid;
}

int child_wait(pid_t pid)
{
	int status = 0;
	bool over = false;

	if (!wait_until(over || (over = ended(pid, &status)), SUPPORT_WAIT_MS)) {
		child_kill(pid);
		fail_msg("a child did not end within %d ms", SUPPORT_WAIT_MS);
	}
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void child_stop(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

/* ------------------------------------------------------------------- yard */

static struct {
	char path[128];
	pid_t maker;
} left[YARDS_MAX]; /* yards of this process that still exist: a failed test does not remove its own
		    */

static int remove_directory(const char *path)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf '%.127s'", path);
	return system(command);
}

static void remove_left(void)
{
	for (size_t i = 0; i < YARDS_MAX; i++)
		if (left[i].maker == getpid())
			(void)remove_directory(left[i].path);
}

static void remember(const struct yard *yard)
{
	static bool registered;

	if (!registered)
		registered = atexit(remove_left) == 0;
	for (size_t i = 0; i < YARDS_MAX; i++) {
		if (left[i].maker != 0)
			continue;
		left[i].maker = getpid();
		memcpy(left[i].path, yard->path, sizeof(left[i].path));
		return;
	}
}

void yard_make_empty(struct yard *yard)
{
	const char *in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	char why[ARENA_WHY_BYTES];

	memset(yard, 0, sizeof(*yard));
	snprintf(yard->path, sizeof(yard->path), "%s/corral-test-XXXXXX", in != NULL ? in : "/tmp");
	assert_non_null(mkdtemp(yard->path));
	remember(yard);
	assert_int_equal(arena_open_directory(yard->path, &yard->dir_fd, why), 0);
}

void yard_make(struct yard *yard, const struct arena_settings *settings)
{
	const struct arena_settings small = { .arena_bytes = 8 << 20,
					      .max_carts = 64,
					      .ttl_ns = 1800000000000ull };
	struct arena_settings with_feed = settings != NULL ? *settings : small;
	char why[ARENA_WHY_BYTES] = "";
	struct life life;

	with_feed.feed = true; /* as an agent has it */
	yard_make_empty(yard);
	if (arena_create(yard->dir_fd, &with_feed, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(alive_open(yard->dir_fd, true, &life, why), 0);
	alive_close(&life);
}

void yard_remove(struct yard *yard)
{
	close(yard->dir_fd);
	assert_int_equal(remove_directory(yard->path), 0);
	for (size_t i = 0; i < YARDS_MAX; i++)
		if (strcmp(left[i].path, yard->path) == 0)
			memset(&left[i], 0, sizeof(left[i]));
}

void support_program(const char *name, char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 32);

	assert_true(n > 0);
	path[n] = '\0';
	for (int up = 0; up < 2; up++) /* BUILD/tests/this */
		*strrchr(path, '/') = '\0';
	strcat(path, "/");
	strcat(path, name);
}

bool support_filter_call(uint32_t number, uint32_t error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool support_filter_membarrier(uint32_t error)
{
	return support_filter_call(SYS_membarrier, error);
}

static int map_more_than_allowed(void *unused)
{
	const struct rlimit limit = { 64u << 20, 64u << 20 };

	(void)unused;
	must(setrlimit(RLIMIT_AS, &limit) == 0);
	return mmap(NULL, 2 * limit.rlim_max, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED ?
		       0 :
		       CHILD_SKIPS;
}

bool support_limits_address_space(void)
{
	return child_wait(child_start(map_more_than_allowed, NULL)) == 0;
}

static void *stay(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static int make_thread(void *unused)
{
	pthread_t thread;

	(void)unused;
	return pthread_create(&thread, NULL, stay, NULL);
}

static int make_thread_and_fork(void *unused)
{
	int code = make_thread(unused);

	return code != 0 ? code : child_wait(child_start(make_thread, NULL));
}

bool support_forks_with_threads(void)
{
	return child_wait(child_start(make_thread_and_fork, NULL)) == 0;
}

static int filter_something(void *unused)
{
	(void)unused;
	return support_filter_membarrier(EPERM) ? 0 : CHILD_SKIPS;
}

bool support_may_filter(void)
{
	return child_wait(child_start(filter_something, NULL)) == 0;
}

int support_small_disk(const struct yard *yard, const char *size)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%s", size);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", yard->path, "tmpfs", 0, options) < 0)
		return -1;
	return open(yard->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct corral *yard_open(const struct yard *yard, unsigned flags)
{
	struct corral *corral = NULL;

	if (corral_open(yard->path, flags, &corral) != 0)
		fail_msg("%s", corral_why());
	return corral;
}

static void tell_finding(void *context, const char *line)
{
	(void)context;
	print_error("%s\n", line);
}

int support_list(struct corral *corral, const struct corral_text *restaurant_id,
		 struct corral_entry *ret_entries, size_t max, size_t *ret_count)
{
	struct corral_list *list;
	int r = corral_list_open(corral, restaurant_id, &list);

	if (r < 0)
		return r;
	r = corral_list_next(list, ret_entries, max, ret_count);
	corral_list_close(list);
	return r;
}

void yard_check(const struct yard *yard, struct inspect_totals *ret_totals)
{
	char why[ARENA_WHY_BYTES] = "";
	struct inspect *inspect;
	struct inspect_totals totals;
	uint64_t faults;
	bool quiet;

	if (inspect_open(yard->path, false, &inspect, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_int_equal(inspect_check(inspect, tell_finding, NULL, &faults, &quiet, &totals), 0);
	inspect_close(inspect);
	assert_int_equal(faults, 0);
	assert_true(quiet);
	assert_int_equal(totals.lost_bytes, 0);
	if (ret_totals != NULL)
		*ret_totals = totals;
}
