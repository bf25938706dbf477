/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 20_arena_filesystem.c: file systems that other machines may also mount are refused before
 * anything is made there. This program defines fstatfs(), so it can place a directory on any file
 * system.
 */
#include <sys/vfs.h>
#include <unistd.h>

#include "support.h"

#include "arena/filesystem.h"

#define FUSE 0x65735546u

static uint32_t said_magic; /* 0: the true one */

int fstatfs(int fd, struct statfs *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int r = statfs(path, ret);
	if (r == 0 && said_magic != 0)
		ret->f_type = (__fsword_t)said_magic;
	return r;
}

static const struct {
	uint32_t magic;
	const char *name;
} networks[] = { { 0x6969, "NFS" },       { 0xff534d42, "CIFS" },   { 0xfe534d42, "SMB" },
		 { 0x00c36400, "Ceph" },  { 0x01021997, "9P" },     { 0x0bd00bd0, "Lustre" },
		 { 0x7461636f, "OCFS2" }, { 0x01161970, "GFS2" },   { 0x786f4256, "vboxsf" },
		 { 0x47504653, "GPFS" },  { 0x19830326, "BeeGFS" }, { 0x6b414653, "AFS" },
		 { 0xbacbacbc, "VMware" } };

static void a_directory_on_a_network_file_system_is_refused_by_its_name(void **state)
{
	char why[REASON_BYTES];
	struct yard yard;
	int fd;

	(void)state;
	yard_make_empty(&yard);
	assert_int_equal(setenv(FILESYSTEM_ALLOW_FUSE, "1", 1), 0);
	for (size_t i = 0; i < COUNT(networks); i++) {
		said_magic = networks[i].magic;
		if (arena_open_directory(yard.path, &fd, why) != -EXDEV ||
		    strstr(why, networks[i].name) == NULL || strstr(why, yard.path) == NULL)
			fail_msg("%s: %s", networks[i].name, why);
	}
	said_magic = 0;
	assert_int_equal(unsetenv(FILESYSTEM_ALLOW_FUSE), 0);
	yard_remove(&yard);
}

static void a_file_system_in_user_space_is_refused_unless_it_is_allowed(void **state)
{
	struct corral *corral;
	struct yard yard;

	(void)state;
	yard_make(&yard, NULL);
	said_magic = FUSE;
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), -EXDEV);
	assert_int_equal(corral_open(yard.path, 0, &corral), -EXDEV);
	assert_non_null(strstr(corral_why(), FILESYSTEM_ALLOW_FUSE "=1"));
	assert_int_equal(setenv(FILESYSTEM_ALLOW_FUSE, "0", 1), 0);
	assert_int_equal(corral_open(yard.path, 0, &corral), -EXDEV);
	assert_int_equal(setenv(FILESYSTEM_ALLOW_FUSE, "1", 1), 0);
	assert_int_equal(corral_open(yard.path, 0, &corral), 0);
	corral_close(corral);
	assert_int_equal(unsetenv(FILESYSTEM_ALLOW_FUSE), 0);
	said_magic = 0;
	yard_remove(&yard);
}

static void a_file_system_that_serves_other_machines_is_never_allowed(void **state)
{
	static const char *const remote[] = { "fuse.sshfs", "fuse.glusterfs", "virtiofs",
					      "fuse.s3fs", "fuse.rclone" };
	char why[REASON_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(remote); i++) {
		assert_int_equal(filesystem_judge(FUSE, remote[i], true, "/d", why), -EXDEV);
		assert_non_null(strstr(why, remote[i]));
	}
	assert_int_equal(filesystem_judge(FUSE, "fuseblk", false, "/d", why), 0);
	assert_int_equal(filesystem_judge(FUSE, "fuse.fuse-overlayfs", false, "/d", why), 0);
	assert_int_equal(filesystem_judge(FUSE, "fuse.something", false, "/d", why), -EXDEV);
	assert_non_null(strstr(why, "fuse.something"));
	assert_int_equal(filesystem_judge(FUSE, "", false, "/d", why), -EXDEV);
	assert_int_equal(filesystem_judge(0xef53, "ext4", false, "/d", why), 0);
	assert_int_equal(filesystem_judge(0x01021994, "tmpfs", false, "/d", why), 0);
}

static void the_type_of_a_mount_is_read_from_mountinfo(void **state)
{
	static const char text[] =
		"22 27 0:20 / /proc rw,nosuid - proc proc rw\n"
		"36 35 98:0 /a\\040-\\040b /mnt rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
		"a line that is none\n"
		"40 27 0:51 / /home/x/far rw - fuse.sshfs host:/far rw,user_id=1000";
	char type[FILESYSTEM_TYPE_BYTES];

	(void)state;
	assert_true(filesystem_type(text, 98, 0, type));
	assert_string_equal(type, "ext3");
	assert_true(filesystem_type(text, 0, 51, type));
	assert_string_equal(type, "fuse.sshfs");
	assert_true(filesystem_type(text, 0, 20, type));
	assert_string_equal(type, "proc");
	assert_false(filesystem_type(text, 1, 1, type));
	assert_false(filesystem_type("", 1, 1, type));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_on_a_network_file_system_is_refused_by_its_name),
		cmocka_unit_test(a_file_system_in_user_space_is_refused_unless_it_is_allowed),
		cmocka_unit_test(a_file_system_that_serves_other_machines_is_never_allowed),
		cmocka_unit_test(the_type_of_a_mount_is_read_from_mountinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
