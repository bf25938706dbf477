/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine_load.c: see engine_load.h.
 *
 * The module is looked for where the location says (module=PATH), where $CORRAL_REDIS_MODULE says,
 * beside the object that has this library in it, and where the system looks for libraries. It stays
 * loaded until the process ends: its libraries may have registered what runs at the end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/engine_load.h"
#include "base/reason.h"

#define MODULE "libcorral-redis.so.0"
#define OPTION "module="

bool engine_is_location(const char *location)
{
	static const char *const schemes[] = { "redis://", "redis+unix://", "redis+cluster://",
					       "rediss://", "rediss+cluster://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(location, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

/* The module's path as the location or the environment gives it. False: neither does. */
static bool path_given(const char *location, char path[PATH_MAX])
{
	const char *from = strchr(location, '?');
	const char *set = secure_getenv("CORRAL_REDIS_MODULE");

	while (from != NULL && strncmp(from + 1, OPTION, strlen(OPTION)) != 0)
		from = strchr(from + 1, '&');
	if (from != NULL) {
		from += 1 + strlen(OPTION);
		(void)snprintf(path, PATH_MAX, "%.*s", (int)strcspn(from, "&"), from);
	} else if (set != NULL) {
		(void)snprintf(path, PATH_MAX, "%s", set);
	}
	return from != NULL || set != NULL;
}

/* The path beside this library, or beside the program or addon that it was linked into. */
static bool path_beside(char path[PATH_MAX])
{
	static const char here;
	char program[PATH_MAX];
	Dl_info us;

	const char *name = dladdr(&here, &us) != 0 ? us.dli_fname : NULL;
	if (name != NULL && strchr(name, '/') == NULL) {
		/* a program that the shell found through $PATH was given its bare name */
		ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
		program[size < 0 ? 0 : size] = 0;
		name = program;
	}
	const char *slash = name != NULL ? strrchr(name, '/') : NULL;
	if (slash == NULL || slash - name > PATH_MAX - 32)
		return false;
	(void)snprintf(path, PATH_MAX, "%.*s/" MODULE, (int)(slash - name), name);
	return true;
}

int engine_load(const char *location, const struct engine **ret_engine, char *why)
{
	const int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
	char path[PATH_MAX];
	void *module = NULL;

	if (path_given(location, path)) {
		module = dlopen(path, flags);
	} else {
		if (path_beside(path))
			module = dlopen(path, flags);
		if (module == NULL)
			module = dlopen(MODULE, flags);
	}
	if (module == NULL) {
		const char *said = dlerror();
		return reason_set(why, -ELIBACC, "the module for this location is missing: %.300s",
				  said != NULL ? said : MODULE);
	}
	const struct engine *engine = dlsym(module, ENGINE_SYMBOL);
	if (engine == NULL || engine->abi != ENGINE_ABI)
		return reason_set(why, -ELIBACC,
				  "the module " MODULE " is not of this version of Corral: install "
				  "both of one version");
	*ret_engine = engine;
	return 0;
}
