/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filesystem.c: see filesystem.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "arena/filesystem.h"
#include "base/base.h"
#include "base/reason.h"

#ifndef FALLOC_FL_UNSHARE_RANGE
#define FALLOC_FL_UNSHARE_RANGE 0x40
#endif

#define FUSE_MAGIC 0x65735546u
#define BTRFS_MAGIC 0x9123683Eu

static const struct {
	uint32_t magic;
	const char *name;
} networks[] = {
	{ 0x00006969, "NFS" },    { 0x0000517b, "SMB" },    { 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB" },    { 0x00c36400, "Ceph" },   { 0x01021997, "9P" },
	{ 0x6b414653, "AFS" },    { 0x5346414f, "AFS" },    { 0x73757245, "Coda" },
	{ 0x0bd00bd0, "Lustre" }, { 0x7461636f, "OCFS2" },  { 0x01161970, "GFS2" },
	{ 0x786f4256, "vboxsf" }, { 0xbacbacbc, "VMware" }, { 0x7c7c6673, "Parallels" },
	{ 0x47504653, "GPFS" },   { 0x19830326, "BeeGFS" }, { 0x20030528, "OrangeFS" },
	{ 0xaad7aaea, "PanFS" },  { 0x013111a8, "IBRIX" },  { 0x0000564c, "NCP" },
	{ 0xbeefdead, "SNFS" },   { 0xa501fcf5, "VxFS" },   { 0x61636673, "ACFS" },
};

/* User-space file systems that serve remote data: no setting makes their memory shared. */
static const char *const remote_types[] = {
	"virtiofs",      "fuse.sshfs",       "fuse.glusterfs", "fuse.ceph",     "fuse.ceph-fuse",
	"fuse.s3fs",     "fuse.rclone",      "fuse.gcsfuse",   "fuse.goofys",   "fuse.mount-s3",
	"fuse.juicefs",  "fuse.davfs",       "fuse.curlftpfs", "fuse.mfs",      "fuse.moosefs",
	"fuse.lizardfs", "fuse.vmhgfs-fuse", "fuse.prl_fsd",   "fuse.blobfuse", "fuse.blobfuse2",
	"fuse.hdfs",     "fuse.fuse_dfs",    "fuse.smbnetfs",  "fuse.afpfs",    "fuse.seaweedfs",
	"fuse.orangefs", "fuse.gvfsd-fuse",  "fuse.quobyte",
};

static const char *const local_types[] = { "fuseblk", "fuse.fuse-overlayfs", "fuse.ntfs-3g" };

/* File systems that write every change to a new place. */
static const uint32_t copying[] = { 0x2fc12fc1u /* ZFS */, 0xca451a4eu /* bcachefs */,
				    0x00003434u /* NILFS2 */, 0xf2f52010u /* F2FS */ };

static bool is_listed(const char *type, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(type, list[i]) == 0)
			return true;
	return false;
}

int filesystem_judge(uint32_t magic, const char *type, bool allow_fuse, const char *path, char *why)
{
	const char *name = NULL;

	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (networks[i].magic == magic)
			name = networks[i].name;
	if (magic == FUSE_MAGIC &&
	    is_listed(type, remote_types, sizeof(remote_types) / sizeof(remote_types[0])))
		name = type;
	if (name != NULL)
		return reason_set(why, -EXDEV,
				  "%s is on a network file system (%s), where memory cannot be "
				  "shared: take a directory on a disk of this machine",
				  path, name);
	if (magic != FUSE_MAGIC || allow_fuse ||
	    is_listed(type, local_types, sizeof(local_types) / sizeof(local_types[0])))
		return 0;
	return reason_set(
		why, -EXDEV,
		"%s is on a file system in user space (%s), which other machines may see as "
		"well: take a directory elsewhere, or, if only this machine has it, "
		"set " FILESYSTEM_ALLOW_FUSE "=1 for the agent and all workers",
		path, type[0] != '\0' ? type : "FUSE");
}

/* "36 35 98:0 /root /mount rw,noatime master:1 - ext3 /dev/root rw" */
bool filesystem_type(const char *mountinfo, unsigned major, unsigned minor,
		     char ret_type[FILESYSTEM_TYPE_BYTES])
{
	for (const char *line = mountinfo; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *dash = memmem(line, (size_t)(end - line), " - ", 3);
		unsigned a, b;
		int at = 0;

		if (dash != NULL && sscanf(line, "%*u %*u %u:%u %n", &a, &b, &at) == 2 && at > 0 &&
		    a == major && b == minor) {
			size_t size = strcspn(dash + 3, " \n");
			if (size >= FILESYSTEM_TYPE_BYTES)
				size = FILESYSTEM_TYPE_BYTES - 1;
			memcpy(ret_type, dash + 3, size);
			ret_type[size] = '\0';
			return true;
		}
		line = *end != '\0' ? end + 1 : end;
	}
	return false;
}

/* The whole text; its length cannot be asked for in advance. NULL: it cannot be read. */
static char *read_mountinfo(void)
{
	size_t room = 16384, used = 0;
	char *text = malloc(room);
	ssize_t n = 0;

	int fd = descriptor_open(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0);
	while (fd >= 0 && text != NULL && (n = read(fd, text + used, room - 1 - used)) > 0) {
		used += (size_t)n;
		if (used < room - 1)
			continue;
		char *larger = realloc(text, room *= 2);
		if (larger == NULL)
			break;
		text = larger;
	}
	if (fd >= 0)
		close(fd);
	if (text != NULL)
		text[used] = '\0';
	return text;
}

int filesystem_check(int dir_fd, const char *path, char *why)
{
	char type[FILESYSTEM_TYPE_BYTES] = "";
	struct statfs fs;
	struct stat st;

	if (fstatfs(dir_fd, &fs) < 0 || fstat(dir_fd, &st) < 0)
		return reason_system(why, -errno, "%s: cannot tell which file system it is on",
				     path);
	if ((uint32_t)fs.f_type == FUSE_MAGIC) {
		char *mountinfo = read_mountinfo();
		if (mountinfo != NULL)
			(void)filesystem_type(mountinfo, major(st.st_dev), minor(st.st_dev), type);
		free(mountinfo);
	}
	const char *allow = getenv(FILESYSTEM_ALLOW_FUSE);
	return filesystem_judge((uint32_t)fs.f_type, type, allow != NULL && strcmp(allow, "1") == 0,
				path, why);
}

void filesystem_write_in_place(int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_NOCOW_FL;
	/* a refusal does not matter here: filesystem_copies() reports it */
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

bool filesystem_copies(int fd)
{
	struct statfs fs;
	int flags = 0;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(copying) / sizeof(copying[0]); i++)
		if (copying[i] == (uint32_t)fs.f_type)
			return true;
	return (uint32_t)fs.f_type == BTRFS_MAGIC &&
	       (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_NOCOW_FL) == 0);
}

/* Does the file share a part with another file? A file system without FIEMAP shares none. */
static bool has_shared_parts(int fd, uint64_t bytes)
{
	union {
		struct fiemap map;
		uint8_t room[sizeof(struct fiemap) + 32 * sizeof(struct fiemap_extent)];
	} ask;

	for (uint64_t at = 0; at < bytes;) {
		memset(&ask, 0, sizeof(ask));
		ask.map.fm_start = at;
		ask.map.fm_length = bytes - at;
		ask.map.fm_extent_count = 32;
		if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) < 0 || ask.map.fm_mapped_extents == 0)
			return false;
		for (uint32_t i = 0; i < ask.map.fm_mapped_extents; i++)
			if ((ask.map.fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED) != 0)
				return true;
		const struct fiemap_extent *last =
			&ask.map.fm_extents[ask.map.fm_mapped_extents - 1];
		if (last->fe_length == 0 || (last->fe_flags & FIEMAP_EXTENT_LAST) != 0)
			return false;
		at = last->fe_logical + last->fe_length;
	}
	return false;
}

int filesystem_unshare(int fd, uint64_t bytes)
{
	if (!has_shared_parts(fd, bytes))
		return 0;
	if (fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, (off_t)bytes) < 0)
		return -errno;
	return has_shared_parts(fd, bytes) ? -EOPNOTSUPP : 1;
}
