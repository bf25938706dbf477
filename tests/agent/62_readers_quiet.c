/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 62_readers_quiet.c: a reader makes no system call: a million reads between two marks, observed by
 * the kernel.
 *
 * As a test it forbids itself with seccomp every system call except the marks: any other would kill
 * it. 62_strace.sh runs it with the argument "marks" under strace, which observes it from outside.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "orders_support.h"

#define READS 1000000u
#define CARTS 16u

struct reader {
	struct yard yard;
	bool no_membarrier;
	void (*quietly)(struct reader *reader, struct corral *corral);
	uint64_t sum;
};

static char buffer[65536];

static struct corral_key key_of(uint32_t number)
{
	static const char *const names[CARTS] = { "0", "1", "2", "3", "4", "5", "6", "7",
						  "8", "9", "a", "b", "c", "d", "e", "f" };

	return orders_key("restaurant", names[number % CARTS]);
}

/* ------------------------------------------------------------ what is read */

/* Read in every way; the carts' short time to live makes some reads touch them. */
static void read_views(struct reader *reader, struct corral *corral)
{
	for (uint32_t i = 0; i < READS; i++) {
		struct corral_key key = key_of(i);
		struct corral_view view;
		struct corral_line line;
		struct corral_head head;
		if (corral_read_begin(corral, &key, &view) != 0)
			_exit(2);
		if (corral_view_head(&view, &head) != 0 || corral_view_line(&view, 0, &line) != 0)
			_exit(3);
		reader->sum += (uint64_t)(head.total_cents + line.total_cents) +
			       (uint64_t)(corral_view_expires_ms(&view) > 0);
		if (corral_read_end(&view) != 0)
			_exit(4);
	}
}

static void read_copies_and_absent_carts(struct reader *reader, struct corral *corral)
{
	struct corral_key absent = orders_key("restaurant", "absent");

	for (uint32_t i = 0; i < READS / 4; i++) {
		struct corral_key key = key_of(i);
		struct corral_view view;
		size_t size;
		if (corral_read_copy(corral, &key, buffer, sizeof(buffer), &size, &view) != 0)
			_exit(2);
		if (corral_read_begin(corral, &absent, &view) != -ENOENT)
			_exit(3);
		reader->sum += size;
	}
}

static void list_all(struct reader *reader, struct corral *corral)
{
	static struct corral_entry entries[CARTS];

	for (uint32_t i = 0; i < READS / 100; i++) {
		size_t count;
		if (support_list(corral, NULL, entries, CARTS, &count) != 0 || count != CARTS)
			_exit(2);
		reader->sum += count;
	}
}

/* ------------------------------------------------------------- how it is seen */

static struct corral *prepare(struct reader *reader)
{
	struct corral *corral = orders_come(&reader->yard, NULL);
	struct corral_head head;

	for (uint32_t i = 0; i < CARTS; i++) {
		struct corral_key key = key_of(i);
		must(orders_add(corral, &key, "burger", 899, 1, NULL, NULL) == 0);
		must(orders_head(corral, &key, &head) == 0); /* the thread is registered now */
	}
	return corral;
}

/* From now on only getppid and exit_group are allowed; any other call is death by SIGSYS. */
static bool forbid_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int read_forbidden(void *context)
{
	struct reader *reader = context;

	if (reader->no_membarrier && !support_filter_membarrier(EPERM))
		_exit(77);
	struct corral *corral = prepare(reader);
	if (!forbid_system_calls())
		_exit(77);
	reader->quietly(reader, corral);
	_exit(0);
}

static int break_the_rule(void *context)
{
	(void)context;
	if (!forbid_system_calls())
		_exit(77);
	(void)syscall(SYS_gettid);
	_exit(0);
}

static void assert_quiet(void (*quietly)(struct reader *, struct corral *), bool no_membarrier)
{
	struct reader *reader = support_shared(sizeof(*reader));

	NEEDS_PROCESSES();
	reader->quietly = quietly;
	reader->no_membarrier = no_membarrier;
	orders_yard(&reader->yard, 8u << 20, 100, 30 * 60 * 1000);
	int code = child_wait(child_start(read_forbidden, reader));
	yard_remove(&reader->yard);
	if (code == 77)
		skip_because("seccomp(2) is not allowed here");
	assert_int_equal(code, 0);
}

static void a_system_call_would_be_noticed(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	int code = child_wait(child_start(break_the_rule, NULL));
	if (code == 77)
		skip_because("seccomp(2) is not allowed here");
	assert_int_equal(code, -SIGSYS);
}

static void a_million_reads_make_no_system_call(void **state)
{
	(void)state;
	assert_quiet(read_views, false);
}

static void a_million_reads_with_full_fences_make_no_system_call(void **state)
{
	(void)state;
	assert_quiet(read_views, true);
}

static void copies_and_reads_of_absent_carts_make_no_system_call(void **state)
{
	(void)state;
	assert_quiet(read_copies_and_absent_carts, false);
}

static void lists_make_no_system_call(void **state)
{
	(void)state;
	assert_quiet(list_all, false);
}

/* For strace: the reads happen between two calls of getppid(). */
static int read_between_marks(void)
{
	struct reader reader = { 0 };

	orders_yard(&reader.yard, 8u << 20, 100, 30 * 60 * 1000);
	struct corral *corral = prepare(&reader);
	(void)syscall(SYS_getppid);
	read_views(&reader, corral);
	(void)syscall(SYS_getppid);
	corral_close(corral);
	yard_remove(&reader.yard);
	return reader.sum == 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_system_call_would_be_noticed),
		cmocka_unit_test(a_million_reads_make_no_system_call),
		cmocka_unit_test(a_million_reads_with_full_fences_make_no_system_call),
		cmocka_unit_test(copies_and_reads_of_absent_carts_make_no_system_call),
		cmocka_unit_test(lists_make_no_system_call),
	};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	_exit(77); /* a sanitizer's runtime makes its own system calls */
#endif
	if (argc == 2 && strcmp(argv[1], "marks") == 0)
		return read_between_marks();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
