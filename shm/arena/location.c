/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * location.c: where and when the arena is: location strings, the directory, the boot, the time
 * namespace, the clocks. Declared in arena.h.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/arena.h"
#include "arena/descriptor.h"
#include "arena/filesystem.h"
#include "base/reason.h"

#define DIR_SCHEME "dir:"

static int absolute(const char *name, char path[PATH_MAX], char *why)
{
	char here[PATH_MAX];
	int n;

	if (name[0] == '\0')
		return reason_set(why, -EINVAL, "the directory's name is empty");
	if (name[0] == '/') {
		n = snprintf(path, PATH_MAX, "%s", name);
	} else {
		if (getcwd(here, sizeof(here)) == NULL)
			return reason_system(why, -errno, "cannot tell the current directory");
		n = snprintf(path, PATH_MAX, "%s/%s", here, name);
	}
	/* without slashes at the end it names the directory itself, not what a link leads to */
	while (n > 1 && n < PATH_MAX && path[n - 1] == '/')
		path[--n] = '\0';
	/* room for the names of the files in it */
	return n >= PATH_MAX - 32 ?
		       reason_set(why, -ENAMETOOLONG, "the directory's name is too long") :
		       0;
}

int arena_directory(const char *location, char path[PATH_MAX], char *why)
{
	char buffer[PATH_MAX];
	const char *state;

	if (location == NULL)
		location = getenv("CORRAL_DIR");
	if (location != NULL && location[0] != '\0') {
		if (strncmp(location, DIR_SCHEME, sizeof(DIR_SCHEME) - 1) == 0)
			return absolute(location + sizeof(DIR_SCHEME) - 1, path, why);
		/* what follows the scheme may have a password in it */
		const char *rest = strstr(location, "://");
		if (rest != NULL)
			return reason_set(why, -EPROTONOSUPPORT,
					  "a location that begins with %.*s:// cannot be used "
					  "here: give a directory",
					  rest - location < 32 ? (int)(rest - location) : 32,
					  location);
		return absolute(location, path, why);
	}
	if (location != NULL)
		return reason_set(why, -EINVAL, "the location is empty");
	if (geteuid() == 0)
		return absolute("/var/lib/corral", path, why);
	state = getenv("XDG_STATE_HOME");
	if (state != NULL && state[0] == '/')
		snprintf(buffer, sizeof(buffer), "%s/corral", state);
	else if (getenv("HOME") != NULL)
		snprintf(buffer, sizeof(buffer), "%s/.local/state/corral", getenv("HOME"));
	else
		return reason_set(why, -EINVAL,
				  "neither $CORRAL_DIR nor $HOME is set: say which directory");
	return absolute(buffer, path, why);
}

int arena_open_directory_of(const char *path, gid_t also, int *ret_fd, char *why)
{
	struct stat st;

	int fd = descriptor_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	int error = errno;
	if (fd < 0 && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return reason_set(why, -ELOOP,
				  "%s is a symbolic link: give the directory that it leads to",
				  path);
	if (fd < 0 && error == ENOENT)
		return reason_set(
			why, -ENOENT,
			"%s: there is no such directory: start corral-agent, which makes it", path);
	if (fd < 0)
		return reason_system(why, -error, "%s: cannot open the directory", path);
	int r = filesystem_check(fd, path, why);
	if (r == 0)
		r = access_directory(fd, path, why);
	if (r == 0)
		r = access_path(path, fd, also, why);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int arena_open_directory(const char *path, int *ret_fd, char *why)
{
	return arena_open_directory_of(path, (gid_t)-1, ret_fd, why);
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool arena_boot_id(uint8_t ret_id[16])
{
	char text[64];
	unsigned digits = 0;

	int fd = descriptor_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	memset(ret_id, 0, 16);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			continue;
		ret_id[digits / 2] = (uint8_t)(ret_id[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == 32;
}

uint64_t arena_time_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/time", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

bool arena_other_time(const struct arena_header *h)
{
	uint64_t ours = arena_time_namespace();

	return h->time_ns_inode != 0 && ours != 0 && ours != h->time_ns_inode;
}

int (*arena_clock)(clockid_t clock, struct timespec *ret_now) = clock_gettime;

/*
 * Use the vDSO's own function: the C library reaches it through two more jumps, a tenth of the cost
 * of a read. (vdso(7) gives its name for x86-64 and for arm64.) This is done when the library is
 * loaded, because later another thread may hold the loader's lock.
 */
static __attribute__((constructor)) void find_clock(void)
{
	/* never unloaded */
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	void *found = NULL;

	if (arena_clock != clock_gettime)
		return; /* a test has set it */
	for (size_t i = 0; vdso != NULL && found == NULL && i < 2; i++)
		found = dlsym(vdso, i == 0 ? "__vdso_clock_gettime" : "__kernel_clock_gettime");
	if (found != NULL)
		memcpy(&arena_clock, &found, sizeof(found)); /* C has no cast for this */
}

int64_t arena_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}
