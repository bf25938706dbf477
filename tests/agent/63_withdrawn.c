/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 63_withdrawn.c: the arena file is replaced, removed, truncated or chmod'ed under attached
 * workers: they get -ESTALE and never continue with carts that no other worker sees. A worker that
 * asked for SIGBUS to be caught survives a truncation; one that did not dies of it, and blocks no
 * other.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#include "api/handle.h"
#include "base/atomic.h"

#define THREADS 4

static const struct corral_key key = { { "r", 1 }, { "s", 1 } };

static int add(struct corral *corral)
{
	const struct corral_item item = { .menu_item_id = corral_text("i"), .quantity = 1 };

	return corral_add(corral, &key, &item, NULL, NULL);
}

static int drop(struct corral *corral)
{
	return corral_drop(corral, &key, NULL, NULL);
}

static int look(struct corral *corral)
{
	struct corral_view view;
	struct corral_head head;
	int r = corral_read_begin(corral, &key, &view);

	if (r < 0)
		return r;
	r = corral_view_head(&view, &head);
	int ended = corral_read_end(&view);
	return r < 0 ? r : ended;
}

static int get(struct corral *corral)
{
	struct corral_cart *cart;
	int r = corral_get(corral, &key, &cart);

	if (r == 0)
		corral_cart_free(cart);
	return r;
}

static int copy(struct corral *corral)
{
	static __thread uint8_t buffer[65536];
	struct corral_view view;
	size_t size;

	return corral_read_copy(corral, &key, buffer, sizeof(buffer), &size, &view);
}

static int list(struct corral *corral)
{
	struct corral_entry entries[4];
	size_t count;

	return support_list(corral, NULL, entries, COUNT(entries), &count);
}

static int wait_a_little(struct corral *corral)
{
	uint64_t version;
	int r = corral_wait(corral, &key, 1ull << 40, 1, NULL, &version);

	return r == -ETIMEDOUT ? 0 : r;
}

static int (*const calls[])(struct corral *) = { add, look, get, copy, list, wait_a_little, drop };

/* From now on every call fails with -ESTALE. */
static void all_stale(struct corral *corral)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		for (int twice = 0; twice < 2; twice++)
			if (calls[i](corral) != -ESTALE)
				fail_msg("call %zu: %d", i, calls[i](corral));
}

static void replace(const struct yard *yard)
{
	const struct arena_settings small = { .arena_bytes = 8 << 20,
					      .max_carts = 64,
					      .ttl_ns = 1800000000000ull };

	assert_int_equal(renameat(yard->dir_fd, "arena", yard->dir_fd, "arena.old"), 0);
	assert_int_equal(arena_create(yard->dir_fd, &small, NULL), 0);
}

/* ------------------------------------------------------- replaced, removed */

static void a_change_notices_and_tells_all_attached_workers(void **state)
{
	(void)state;
	struct yard yard;

	yard_make(&yard, NULL);
	struct corral *changes = yard_open(&yard, 0);
	struct corral *reads = yard_open(&yard, CORRAL_OBSERVE);
	struct corral_view view;
	struct corral_head head;
	assert_int_equal(add(changes), 0);
	assert_int_equal(look(reads), 0);
	assert_int_equal(corral_read_begin(reads, &key, &view), 0);
	replace(&yard);
	/* it checks at most once a second; until then the change may reach the old file */
	assert_true(wait_until(add(changes) == -ESTALE, SUPPORT_WAIT_MS));
	all_stale(changes);
	/* an open view is unchanged, and can be ended */
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(corral_read_end(&view), 0);
	all_stale(reads);
	assert_int_equal(corral_leave_thread(reads), 0);
	assert_int_equal(corral_leave_thread(changes), 0);
	struct corral *fresh = yard_open(&yard, 0);
	assert_int_equal(look(fresh), -ENOENT);
	assert_int_equal(add(fresh), 0);
	corral_close(changes);
	corral_close(reads);
	corral_close(fresh);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

static void a_first_change_looks_at_once(void **state)
{
	(void)state;
	struct yard yard;

	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(unlinkat(yard.dir_fd, "arena", 0), 0);
	assert_int_equal(
		drop(corral),
		-ESTALE); /* there was no such cart, but a withdrawn arena cannot prove that */
	all_stale(corral);
	corral_close(corral);
	yard_remove(&yard);
}

static void a_withdrawn_arena_that_comes_back_is_refused_to_workers(void **state)
{
	(void)state;
	struct yard yard;

	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral), 0);
	replace(&yard);
	assert_true(wait_until(add(corral) == -ESTALE, SUPPORT_WAIT_MS));
	corral_close(corral);
	assert_int_equal(renameat(yard.dir_fd, "arena.old", yard.dir_fd, "arena"), 0);
	assert_int_equal(corral_open(yard.path, 0, &corral), -ESTALE);
	assert_true(strlen(corral_why()) > 15);
	yard_remove(&yard);
}

static void a_forked_child_does_not_attach_to_it(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral), 0);
	replace(&yard);
	assert_true(wait_until(add(corral) == -ESTALE, SUPPORT_WAIT_MS));
	pid_t child = fork();
	if (child == 0)
		_exit(add(corral) == -ESTALE && look(corral) == -ESTALE ? 0 : 1);
	assert_int_equal(child_wait(child), 0);
	corral_close(corral);
	yard_remove(&yard);
}

/* ------------------------------------------------------------------ chmod */

static int open_as_other_user(void *context)
{
	const struct yard *yard = context;
	struct corral *corral;

	if (geteuid() == 0 &&
	    (setresgid(54003, 54003, 54003) < 0 || setresuid(54003, 54003, 54003) < 0))
		return CHILD_SKIPS;
	must(corral_open(yard->path, 0, &corral) == -EACCES);
	must(strlen(corral_why()) > 15);
	return 0;
}

static void chmod_affects_only_workers_that_attach_later(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral), 0);
	assert_int_equal(fchmodat(yard.dir_fd, "arena", 0, 0), 0);
	assert_int_equal(fchmod(yard.dir_fd, 0), 0);
	assert_int_equal(corral_leave_thread(corral),
			 0); /* so that the next change checks at once */
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i](corral), 0);
	int code = child_wait(child_start(open_as_other_user, &yard));
	assert_true(code == 0 || code == CHILD_SKIPS);
	assert_int_equal(fchmod(yard.dir_fd, 0711), 0);
	code = child_wait(child_start(open_as_other_user, &yard));
	assert_true(code == 0 || code == CHILD_SKIPS);
	assert_int_equal(add(corral), 0);
	corral_close(corral);
	assert_int_equal(fchmod(yard.dir_fd, 0700), 0);
	yard_remove(&yard);
}

/* --------------------------------------------------------------- truncated */

struct victim {
	struct yard yard;
	unsigned flags;
	uint32_t calls_done;
	bool restored; /* the signal's former disposition was restored in the end */
};

static void *call_until_stale(void *context)
{
	struct corral *corral = ((void **)context)[0];
	struct victim *victim = ((void **)context)[1];

	for (uint32_t i = 0;; i++) {
		int r = calls[i % COUNT(calls)](corral);
		__atomic_add_fetch(&victim->calls_done, 1, __ATOMIC_RELAXED);
		if (r == -ESTALE)
			break;
		must(r == 0 || r == -ENOENT || r == -EUCLEAN || r == -EBUSY);
	}
	for (uint32_t i = 0; i < 2 * COUNT(calls); i++)
		must(calls[i % COUNT(calls)](corral) == -ESTALE);
	return NULL;
}

static int work_until_stale(void *context)
{
	struct victim *victim = context;
	pthread_t threads[THREADS];
	struct corral *corral;
	struct sigaction action;

	must(corral_open(victim->yard.path, victim->flags, &corral) == 0);
	must(corral_set_patience(corral, 50) == 0);
	void *shared[] = { corral, victim };
	for (size_t i = 0; i < COUNT(threads); i++)
		must(pthread_create(&threads[i], NULL, call_until_stale, shared) == 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		must(pthread_join(threads[i], NULL) == 0);
	corral_close(corral);
	must(sigaction(SIGBUS, NULL, &action) == 0);
	victim->restored = action.sa_handler == SIG_DFL;
	return 0;
}

static int truncate_file(const struct yard *yard, off_t size)
{
	int fd = openat(yard->dir_fd, "arena", O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? -1 : ftruncate(fd, size);

	close(fd);
	return r;
}

static int truncated_under(unsigned flags, off_t size)
{
	struct victim *victim = support_shared(sizeof(*victim));

	memset(victim, 0, sizeof(*victim));
	victim->flags = flags;
	yard_make(&victim->yard, NULL);
	pid_t child = child_start(work_until_stale, victim);
	assert_true(wait_until(__atomic_load_n(&victim->calls_done, __ATOMIC_RELAXED) > 1000,
			       SUPPORT_WAIT_MS));
	assert_int_equal(truncate_file(&victim->yard, size), 0);
	int code = child_wait(child);
	if (code == 0)
		assert_true(victim->restored);
	yard_remove(&victim->yard);
	return code;
}

static void a_worker_that_asked_for_it_survives_a_truncation(void **state)
{
	(void)state;
	const off_t sizes[] = { 0, 4096, 64 << 10, 512 << 10, (8 << 20) - PAGE_BYTES };

	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (int round = 0; round < 2; round++)
			assert_int_equal(truncated_under(CORRAL_CATCH_SIGBUS, sizes[i]), 0);
}

struct opener {
	struct yard yard;
	bool opened;
};

static int open_traced(void *context)
{
	struct opener *opener = context;
	struct corral *corral;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		return CHILD_SKIPS;
	raise(SIGSTOP);
	int r = corral_open(opener->yard.path, CORRAL_CATCH_SIGBUS, &corral);
	store_release(&opener->opened, true);
	if (r < 0)
		return 0;
	r = add(corral);
	must(r == 0 || r == -ESTALE);
	corral_close(corral);
	return 0;
}

/* Its stop at the next system call, or the end of one. False: it has ended, with *ret_code. */
static bool next_stop(pid_t pid, int *ret_code)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSTOPPED(status))
		return true;
	*ret_code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	return false;
}

/* Truncate at this stop of an open. True: it was open before. */
static bool truncated_at(uint32_t stop, int *ret_code)
{
	struct opener *opener = support_shared(sizeof(*opener));
	bool late = false;

	memset(opener, 0, sizeof(*opener));
	yard_make(&opener->yard, NULL);
	pid_t pid = child_start(open_traced, opener);
	for (uint32_t i = 0; next_stop(pid, ret_code); i++) {
		late |= load_acquire(&opener->opened);
		if (i == stop || late) {
			assert_int_equal(truncate_file(&opener->yard, 0), 0);
			assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
			*ret_code = child_wait(pid);
			break;
		}
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
	}
	yard_remove(&opener->yard);
	return late;
}

static void a_worker_that_asked_for_it_survives_a_truncation_while_it_opens(void **state)
{
	(void)state;
	bool late = false;
	uint32_t stop = 0;

	NEEDS_PROCESSES();
	for (int code = 0; !late; stop++) {
		late = truncated_at(stop, &code);
		if (code == CHILD_SKIPS)
			skip_because("ptrace(2) is not allowed here");
		if (code != 0)
			fail_msg("truncated at stop %u, it ends with %d", stop, code);
	}
	assert_true(stop > 20);
}

static void a_worker_that_did_not_ask_dies_of_a_truncation(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	assert_int_equal(truncated_under(0, 0), -SIGBUS);
}

struct loser {
	struct yard yard;
	uint32_t step;
	uint32_t process;
};

static int lose_and_stay(void *context)
{
	struct loser *loser = context;
	struct corral *corral;

	must(corral_open(loser->yard.path, CORRAL_CATCH_SIGBUS, &corral) == 0);
	must(add(corral) == 0);
	loser->process = corral->share->life.process;
	/* a child that loses the arena too must not release its parent's byte */
	pid_t child = fork();
	if (child == 0) {
		must(wait_until(load_acquire(&loser->step) == 2, SUPPORT_WAIT_MS));
		must(load_acquire((const uint8_t *)&corral->arena.slots[0]) == 0);
		_exit(0);
	}
	store_release(&loser->step, 1);
	must(child_wait(child) == 0);
	store_release(&loser->step, 3);
	must(wait_until(load_acquire(&loser->step) == 4, SUPPORT_WAIT_MS));
	must(look(corral) == -ESTALE);
	store_release(&loser->step, 5);
	must(wait_until(load_acquire(&loser->step) == 6, SUPPORT_WAIT_MS));
	corral_close(corral);
	return 0;
}

static void a_handle_that_lost_its_arena_gives_up_what_it_held(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct loser *loser = support_shared(sizeof(*loser));

	yard_make(&loser->yard, NULL);
	pid_t pid = child_start(lose_and_stay, loser);
	assert_true(wait_until(load_acquire(&loser->step) == 1, SUPPORT_WAIT_MS));
	int fd = openat(loser->yard.dir_fd, "lock", O_RDWR | O_CLOEXEC);
	assert_true(alive_test(fd, ALIVE_BYTE(loser->process)));
	assert_int_equal(truncate_file(&loser->yard, 0), 0);
	store_release(&loser->step, 2);
	assert_true(wait_until(load_acquire(&loser->step) == 3, SUPPORT_WAIT_MS));
	assert_true(alive_test(fd, ALIVE_BYTE(loser->process)));
	store_release(&loser->step, 4);
	assert_true(wait_until(load_acquire(&loser->step) == 5, SUPPORT_WAIT_MS));
	assert_false(alive_test(fd, ALIVE_BYTE(loser->process))); /* although the handle is open */
	store_release(&loser->step, 6);
	assert_int_equal(child_wait(pid), 0);
	close(fd);
	yard_remove(&loser->yard);
}

/* ------------------------------------------- all parts of a program share the signal */

static volatile uint32_t seen_by_former;
static void *foreign;

static void former_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (info->si_code > 0) {
		must(info->si_addr == foreign);
		must(mmap(foreign, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			  0) == foreign);
	}
	seen_by_former = seen_by_former + 1;
}

/* Map a file without bytes. */
static void *map_nothing(const struct yard *yard)
{
	int fd = openat(yard->dir_fd, "nothing", O_RDWR | O_CREAT, 0600);

	must(fd >= 0);
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	must(memory != MAP_FAILED);
	close(fd);
	return memory;
}

static int share_the_signal(void *context)
{
	const struct yard *yard = context;
	struct sigaction action = { .sa_sigaction = former_handler, .sa_flags = SA_SIGINFO };
	struct corral *one, *two;

	must(sigaction(SIGBUS, &action, NULL) == 0);
	must(corral_open(yard->path, CORRAL_CATCH_SIGBUS, &one) == 0);
	must(corral_open(yard->path, CORRAL_CATCH_SIGBUS, &two) == 0);
	must(add(one) == 0 && look(two) == 0);
	foreign = map_nothing(yard);
	must(*(volatile char *)foreign == 0 && seen_by_former == 1);
	must(raise(SIGBUS) == 0 && seen_by_former == 2);
	corral_close(one);
	foreign = map_nothing(yard);
	must(*(volatile char *)foreign == 0 && seen_by_former == 3);
	must(truncate_file(yard, 0) == 0);
	must(look(two) == -ESTALE && add(two) == -ESTALE && seen_by_former == 3);
	corral_close(two);
	must(sigaction(SIGBUS, NULL, &action) == 0);
	must(action.sa_sigaction == former_handler);
	return 0;
}

static struct sigaction before_chaining;
static volatile uint32_t seen_by_chaining;

static void chaining_handler(int number, siginfo_t *info, void *context)
{
	seen_by_chaining = seen_by_chaining + 1;
	must(seen_by_chaining < 10);
	before_chaining.sa_sigaction(number, info, context);
}

static int set_a_handler_later(void *context)
{
	const struct yard *yard = context;
	struct sigaction first = { .sa_sigaction = former_handler, .sa_flags = SA_SIGINFO };
	struct sigaction later = { .sa_sigaction = chaining_handler, .sa_flags = SA_SIGINFO };
	struct sigaction now;
	struct corral *one, *two;

	must(sigaction(SIGBUS, &first, NULL) == 0);
	must(corral_open(yard->path, CORRAL_CATCH_SIGBUS, &one) == 0);
	must(sigaction(SIGBUS, &later, &before_chaining) == 0);
	must(corral_open(yard->path, CORRAL_CATCH_SIGBUS, &two) == 0);
	/* the host's signals pass through all three handlers, each once */
	for (uint32_t i = 1; i <= 2; i++) {
		foreign = map_nothing(yard);
		must(*(volatile char *)foreign == 0);
		must(seen_by_chaining == i && seen_by_former == i);
	}
	/* our signals reach none of them */
	must(truncate_file(yard, 0) == 0);
	must(look(two) == -ESTALE && add(one) == -ESTALE && seen_by_chaining == 2);
	corral_close(one);
	corral_close(two);
	must(sigaction(SIGBUS, NULL, &now) == 0 && now.sa_sigaction == chaining_handler);
	foreign = map_nothing(yard);
	must(*(volatile char *)foreign == 0 && seen_by_chaining == 3 && seen_by_former == 3);
	return 0;
}

static void a_handler_that_is_set_later_may_stay(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	assert_int_equal(child_wait(child_start(set_a_handler_later, &yard)), 0);
	yard_remove(&yard);
}

static void a_thread_that_blocks_the_signal_is_told_at_once(void **state)
{
	(void)state;
	struct corral *corral;
	struct yard yard;
	sigset_t bus, before;

	yard_make(&yard, NULL);
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &bus, &before), 0);
	int r = corral_open(yard.path, CORRAL_CATCH_SIGBUS, &corral);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	assert_int_equal(r, -EINVAL);
	assert_non_null(strstr(corral_why(), "SIGBUS"));
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

static int die_as_ever(void *context)
{
	struct corral *corral;

	must(corral_open(((const struct yard *)context)->path, CORRAL_CATCH_SIGBUS, &corral) == 0);
	return *(volatile char *)map_nothing(context);
}

static void a_fault_elsewhere_still_reaches_the_hosts_handler(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	assert_int_equal(child_wait(child_start(die_as_ever, &yard)), -SIGBUS);
	assert_int_equal(child_wait(child_start(share_the_signal, &yard)), 0);
	yard_remove(&yard);
}

static int open_many(void *context)
{
	const struct yard *yard = context;
	struct corral *handles[200], *plain;
	struct sigaction action;

	must(corral_open(yard->path, 0, &plain) == 0);
	for (int round = 0; round < 2; round++) {
		must(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
		for (size_t i = 0; i < COUNT(handles); i++)
			must(corral_open(yard->path, CORRAL_CATCH_SIGBUS, &handles[i]) == 0);
		must(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler != SIG_DFL);
		for (size_t i = 0; i < COUNT(handles) - 1; i++)
			corral_close(handles[i]);
		must(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler != SIG_DFL);
		if (round == 0)
			corral_close(handles[COUNT(handles) - 1]);
	}
	must(truncate_file(yard, 0) == 0);
	must(look(plain) == -ESTALE); /* one handle is left that catches the signal */
	corral_close(plain);
	corral_close(handles[COUNT(handles) - 1]);
	must(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	return 0;
}

static void any_number_of_handles_of_one_arena_may_catch_it(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	yard_make(&yard, NULL);
	assert_int_equal(child_wait(child_start(open_many, &yard)), 0);
	yard_remove(&yard);
}

static bool is_told(const struct yard *yard, const char *text)
{
	struct corral *corral = NULL;

	assert_int_equal(corral_open(yard->path, 0, &corral), -ESTALE);
	return strstr(corral_why(), text) != NULL;
}

/*
 * The refusal quotes what corral-agent --resize wrote in the arena, as long as a process holds the
 * agent's byte.
 */
static void an_open_while_carts_are_carried_over_is_told_how_long(void **state)
{
	(void)state;
	struct arena arena;
	struct yard yard;
	struct life life;

	yard_make(&yard, NULL);
	assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
	assert_int_equal(alive_open(yard.dir_fd, false, &life, NULL), 0);
	arena_withdraw(&arena);
	assert_true(alive_take(&life, ALIVE_AGENT_BYTE));
	assert_true(is_told(&yard, "start corral-agent"));
	arena.header->carried_since_ms = arena_wall_ms() - 1000;
	arena.header->carried_of = 6000;
	assert_true(is_told(&yard, "0 of 6000 places are done; then open it again"));
	arena.header->carried = 10; /* 599 seconds from now, and what we take meanwhile */
	assert_true(is_told(&yard, "10 of 6000 places are done; about "));
	arena.header->carried = 6000;
	assert_true(is_told(&yard, "has carried its carts over, and writes the new arena"));
	arena.header->carried = UINT32_MAX; /* damage */
	arena.header->carried_since_ms = INT64_MIN;
	assert_true(is_told(&yard, "has carried its carts over, and writes the new arena"));
	alive_drop(&life, ALIVE_AGENT_BYTE); /* it died in the middle */
	assert_true(is_told(&yard, "start corral-agent"));
	alive_close(&life);
	arena_unmap(&arena);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_notices_and_tells_all_attached_workers),
		cmocka_unit_test(a_first_change_looks_at_once),
		cmocka_unit_test(a_withdrawn_arena_that_comes_back_is_refused_to_workers),
		cmocka_unit_test(an_open_while_carts_are_carried_over_is_told_how_long),
		cmocka_unit_test(a_forked_child_does_not_attach_to_it),
		cmocka_unit_test(chmod_affects_only_workers_that_attach_later),
		cmocka_unit_test(a_worker_that_asked_for_it_survives_a_truncation),
		cmocka_unit_test(a_worker_that_asked_for_it_survives_a_truncation_while_it_opens),
		cmocka_unit_test(a_worker_that_did_not_ask_dies_of_a_truncation),
		cmocka_unit_test(a_handle_that_lost_its_arena_gives_up_what_it_held),
		cmocka_unit_test(a_fault_elsewhere_still_reaches_the_hosts_handler),
		cmocka_unit_test(a_handler_that_is_set_later_may_stay),
		cmocka_unit_test(a_thread_that_blocks_the_signal_is_told_at_once),
		cmocka_unit_test(any_number_of_handles_of_one_arena_may_catch_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
