/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 22_host_limits.c: the limits of the host process: locked memory, address space.
 */
#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct yard yard;

static int make(void **state)
{
	const struct arena_settings settings = { .arena_bytes = 64u << 20,
						 .max_carts = 64,
						 .ttl_ns = 1800000000000ull };

	(void)state;
	yard_make(&yard, &settings);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	yard_remove(&yard);
	return 0;
}

static uint64_t disk_bytes(void)
{
	struct stat st;

	must(fstatat(yard.dir_fd, ARENA_FILE, &st, 0) == 0);
	return (uint64_t)st.st_blocks * 512;
}

/* A line of /proc/self/status, in KiB. */
static uint64_t status_kib(const char *name)
{
	char line[256];
	uint64_t kib = UINT64_MAX;
	FILE *file = fopen("/proc/self/status", "re");

	must(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoull(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return kib;
}

static void drop_the_right_to_lock_memory(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data) == 0);
	data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
	must(syscall(SYS_capset, &header, data) == 0);
}

static int works_with_locked_memory(void *limited)
{
	const struct corral_key key = { { "r", 1 }, { "s", 1 } };
	const struct rlimit limit = { .rlim_cur = 8u << 20, .rlim_max = 8u << 20 };
	struct corral *corral;
	uint64_t before = disk_bytes();

	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		return CHILD_SKIPS;
	if (limited != NULL) {
		if (status_kib("VmLck:") << 10 > limit.rlim_cur)
			return CHILD_SKIPS; /* under qemu-user what is the emulator's counts, too */
		drop_the_right_to_lock_memory();
		if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || mlockall(MCL_FUTURE) != 0)
			return CHILD_SKIPS;
	}
	uint64_t locked = status_kib("VmLck:");
	if (corral_open(yard.path, 0, &corral) != 0 ||
	    corral_set_tax(corral, &key, 82500, NULL, NULL) != 0)
		return 1;
	if (status_kib("VmLck:") - locked >= 16384)
		return 2; /* of an arena of 64 MiB */
	if (disk_bytes() - before >= 16u << 20)
		return 3; /* unused memory takes no space */
	corral_close(corral);
	return 0;
}

static void locking_all_memory_to_come_does_not_lock_the_arena(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	int code = child_wait(child_start(works_with_locked_memory, NULL));
	if (code == CHILD_SKIPS)
		skip_because("memory cannot be locked here");
	assert_int_equal(code, 0);
}

static void a_limit_of_locked_memory_below_the_arenas_size_is_enough(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	int code = child_wait(child_start(works_with_locked_memory, &yard));
	if (code == CHILD_SKIPS)
		skip_because("memory cannot be locked here, or the limit is exceeded already");
	assert_int_equal(code, 0);
}

static int has_no_address_space(void *unused)
{
	struct corral *corral;
	struct rlimit limit = { 0 };

	(void)unused;
	limit.rlim_cur = limit.rlim_max = (status_kib("VmSize:") << 10) + (32u << 20);
	must(setrlimit(RLIMIT_AS, &limit) == 0);
	if (corral_open(yard.path, 0, &corral) != -ENOMEM)
		return 1;
	return strstr(corral_why(), "67108864 bytes") != NULL &&
			       strstr(corral_why(), "Cannot allocate memory") != NULL &&
			       strstr(corral_why(), "ulimit -v") != NULL ?
		       0 :
		       2;
}

static void a_lack_of_address_space_is_reported_as_such(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	if (!support_limits_address_space())
		skip_because("setrlimit(2) limits no address space here");
	assert_int_equal(child_wait(child_start(has_no_address_space, NULL)), 0);
}

/* -------------------------------------------------------------- what was refused, and why */

/* The sentence names what was refused, where, the system's error, and the remedy. */
static int opens_not(int error, const char *word, const char *advice)
{
	struct corral *corral;

	if (corral_open(yard.path, 0, &corral) != error)
		return 1;
	const char *why = corral_why();
	if (strstr(why, yard.path) != NULL && strstr(why, word) != NULL &&
	    strstr(why, advice) != NULL && strstr(why, "arena is full") == NULL)
		return 0;
	fprintf(stderr, "%s\n", why);
	return 2;
}

static int may_open_no_more_files(void *unused)
{
	const struct rlimit none = { 3, 3 };

	(void)unused;
	must(setrlimit(RLIMIT_NOFILE, &none) == 0);
	return opens_not(-EMFILE, "Too many open files", "ulimit -n");
}

static int has_no_rights(void *unused)
{
	(void)unused;
	if (geteuid() != 0 || setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
	    setresuid(65534, 65534, 65534) != 0)
		return CHILD_SKIPS;
	return opens_not(-EACCES, "Permission denied", "member of its group");
}

static int finds_it_mounted_read_only(void *unused)
{
	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(yard.path, yard.path, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, yard.path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return CHILD_SKIPS;
	return opens_not(-EROFS, "Read-only file system", "mount it so that it can be written");
}

static void a_refusal_by_the_system_is_reported_with_its_error(void **state)
{
	int (*const hosts[])(void *) = { may_open_no_more_files, has_no_rights,
					 finds_it_mounted_read_only };

	(void)state;
	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(hosts); i++) {
		int code = child_wait(child_start(hosts[i], NULL));
		if (code != 0 && code != CHILD_SKIPS)
			fail_msg("host %zu: %d", i, code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locking_all_memory_to_come_does_not_lock_the_arena),
		cmocka_unit_test(a_limit_of_locked_memory_below_the_arenas_size_is_enough),
		cmocka_unit_test(a_lack_of_address_space_is_reported_as_such),
		cmocka_unit_test(a_refusal_by_the_system_is_reported_with_its_error),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
