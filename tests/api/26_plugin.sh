#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The library in programs that load it late: it takes little of the small rest of static
# thread-local memory, and nothing of it remains in use when a plugin that contains libcorral.a is
# unloaded.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -e "${BUILD:-build}") || exit 2
CC=${CC:-gcc}
TLS_MOST=64
if grep -q -- -fsanitize "$BUILD/flags"; then
	echo "a sanitizer's runtime has to be loaded first"
	exit 77
fi
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
dir=$tmp/dir

at_the_end() {
	"$BUILD/corral-agent" --dir "$dir" --stop >/dev/null 2>&1
}

# ------------------------------------------------------------- thread-local memory

the_library_takes_at_most_64_bytes_of_static_thread_local_memory() {
	local bytes
	bytes=$(readelf -lW "$BUILD/libcorral.so.0" | awk '$1 == "TLS" { print $6 }')
	echo "it takes $((bytes)) bytes"
	[[ -n $bytes && $((bytes)) -le $TLS_MOST ]]
}

# Load copies of a library with as much static thread-local memory until no more fit; with one less,
# libcorral fits.
it_loads_where_a_library_of_64_bytes_does() {
	local n
	cat >"$tmp/hungry.c" <<-END
		__thread char room[$TLS_MOST]
			__attribute__((tls_model("initial-exec"), aligned(8)));
		char *hungry_room(void);
		char *hungry_room(void) { return room; }
	END
	cat >"$tmp/host.c" <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		int main(int argc, char **argv)
		{
			char path[4096];
			int n = 0, most = argc > 3 ? atoi(argv[3]) : 128;
			do
				snprintf(path, sizeof(path), "%s/hungry.%d", argv[1], n);
			while (n < most && dlopen(path, RTLD_NOW) != NULL && ++n);
			printf("%d\n", n);
			if (argc > 3 && dlopen(argv[2], RTLD_NOW) == NULL) {
				puts(dlerror());
				return 1;
			}
			return 0;
		}
	END
	"$CC" -shared -fPIC -O2 "$tmp/hungry.c" -o "$tmp/hungry.0" &&
		"$CC" "$tmp/host.c" -o "$tmp/host" -ldl || return 1
	for n in {1..127}; do
		cp "$tmp/hungry.0" "$tmp/hungry.$n"
	done
	n=$("$tmp/host" "$tmp" "$BUILD/libcorral.so.0")
	echo "$n of 128 libraries fit"
	[[ $n -gt 1 && $n -lt 128 ]] && "$tmp/host" "$tmp" "$BUILD/libcorral.so.0" $((n - 1))
}

# ------------------------------------------------------------- a plugin that comes and goes

threads_end_well_after_a_plugin_with_the_library_in_it_was_closed() {
	cat >"$tmp/plugin.c" <<-'END'
		#include <corral.h>
		int use(const char *directory);
		int use(const char *directory)
		{
			struct corral_key key = { corral_text("r"), corral_text("s") };
			struct corral *corral;
			struct corral_view view;
			if (corral_open(directory, 0, &corral) != 0)
				return 1;
			int r = corral_read_begin(corral, &key, &view);
			if (r == 0)
				corral_read_end(&view);
			corral_close(corral);
			return r != 0 && r != -2; /* ENOENT */
		}
	END
	cat >"$tmp/loop.c" <<-'END'
		#include <dlfcn.h>
		#include <pthread.h>
		#include <stdio.h>
		static int (*use)(const char *);
		static const char *directory;
		static pthread_barrier_t used, closed;
		static void *body(void *unused)
		{
			long r = use(directory);
			pthread_barrier_wait(&used);
			pthread_barrier_wait(&closed);
			return unused == NULL ? (void *)r : unused;
		}
		int main(int argc, char **argv)
		{
			pthread_barrier_init(&used, NULL, 5);
			pthread_barrier_init(&closed, NULL, 5);
			directory = argv[2];
			for (int i = 0; i < 30 && argc == 3; i++) {
				pthread_t threads[4];
				void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *result;
				if (plugin != NULL)
					use = (int (*)(const char *))dlsym(plugin, "use");
				if (plugin == NULL || use == NULL) {
					puts(dlerror());
					return 1;
				}
				for (int t = 0; t < 4; t++)
					pthread_create(&threads[t], NULL, body, NULL);
				pthread_barrier_wait(&used);
				dlclose(plugin);
				pthread_barrier_wait(&closed);
				for (int t = 0; t < 4; t++)
					if (pthread_join(threads[t], &result) != 0 ||
					    result != NULL)
						return 2;
			}
			return 0;
		}
	END
	"$CC" -shared -fPIC -O2 -I shm "$tmp/plugin.c" -o "$tmp/plugin.so" "$BUILD/libcorral.a" \
		-lmsgpackc -pthread &&
		"$CC" -O2 "$tmp/loop.c" -o "$tmp/loop" -pthread -ldl &&
		"$BUILD/corral-agent" --dir "$dir" --size 16M --journal off --daemon &&
		timeout 60 "$tmp/loop" "$tmp/plugin.so" "$dir"
}

claim the_library_takes_at_most_64_bytes_of_static_thread_local_memory
claim it_loads_where_a_library_of_64_bytes_does
claim threads_end_well_after_a_plugin_with_the_library_in_it_was_closed
report_claims
