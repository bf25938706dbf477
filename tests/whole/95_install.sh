#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where `make install` puts the files; the names that the library exports, needs and documents.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-$PWD/build}
CC=${CC:-gcc}
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
root=$tmp/root prefix=/usr
lib=$root$prefix/lib/libcorral.so.0

install_make() { # install_make TARGET
	env -u MAKEFLAGS -u MFLAGS make -s "$1" BUILD="$BUILD" DESTDIR="$root" PREFIX=$prefix
}

public_names() {
	"$CC" -fpreprocessed -E -P shm/corral.h | grep -oE '\bcorral_[a-z0-9_]+\(' | tr -d '(' |
		sort -u
}

exports_are_those_of_the_header() {
	diff <(public_names) \
		<(nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		sort -u)
}

exports_are_versioned() {
	[[ -f $lib ]] &&
		! nm -D --defined-only "$lib" | awk '$2 != "A" { print $3 }' | grep -v '@@CORRAL_0$'
}

# Each name that is not its own comes from libc, or is msgpack's; or is weak and may be missing.
needs_libc_only() {
	[[ -f $lib ]] &&
		! nm -D --undefined-only "$lib" | awk '$1 == "U" { print $2 }' |
		grep -vE '@(GLIBC|GCC)_' &&
		! readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
			grep -vE '^(libc\.so\.6|libpthread.*|ld-linux.*|libgcc_s\.so\.1)$'
}

documented_in_manual() {
	local name bad=0
	while read -r name; do
		grep -qE "^\.Nm $name( ,)?$" shm/corral.3 || { echo "$name is not under NAME" &&
			bad=1; }
		grep -qE "^\.F[no] $name( |$)" shm/corral.3 || { echo "$name has no synopsis" &&
			bad=1; }
		grep -qE "^\.(It Fn|Fn) .*\b$name\b|^\.It Fn .*, Fn $name\b" shm/corral.3 ||
			{ echo "$name is not described" && bad=1; }
	done < <(public_names)
	return $bad
}

errors_documented_in_manuals() {
	local name page bad=0
	while read -r name; do
		for page in shm/corral.3 shm/corral.7; do
			grep -q "Er $name\b" $page || { echo "$name is not in $page" && bad=1; }
		done
	done < <(sed -nE 's/^ \*   -(E[A-Z0-9]+)  .*/\1/p' shm/corral.h)
	return $bad
}

installed() { # installed PATH...: below the prefix
	local path bad=0
	for path; do
		[[ -e $root$prefix/$path ]] || { echo "$path is missing" && bad=1; }
	done
	return $bad
}

version() {
	sed -nE 's/^#define CORRAL_VERSION "(.*)"/\1/p' shm/corral.h
}

manuals_installed() {
	local page bad=0
	for page in {shm,redis,agent,tools,web}/*.[1-8]; do
		sed "s/^\.Os$/.Os Corral $(version)/" "$page" |
			cmp - "$root$prefix/share/man/man${page##*.}/${page##*/}" || bad=1
	done
	return $bad
}

no_benchmark() {
	! find "$root" -name '*bench*' | grep .
}

links_lead_to_the_library() {
	[[ $(readlink "$root$prefix/lib/libcorral.so") == libcorral.so.0.* ]] &&
		[[ $(readlink "$lib") == libcorral.so.0.* && -f $lib ]]
}

soname() {
	readelf -d "$lib" | grep -F 'Library soname: [libcorral.so.0]'
}

units_start_what_is_installed() {
	local name
	for name in agent web; do
		grep -E "^ExecStart=$prefix/bin/corral-$name " \
			"$root$prefix/lib/systemd/system/corral-$name.service" || return
	done
}

pkg_config_version() {
	[[ $(PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig pkg-config --modversion corral) == \
		"$(version)" ]] &&
		[[ $(readlink "$lib") == "libcorral.so.$(version)" ]]
}

header_compiles_alone() { # header_compiles_alone LANGUAGE STANDARD
	echo '#include <corral.h>' |
		"$CC" -x "$1" -std="$2" -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
		-I"$root$prefix/include" -
}

static_library_links() {
	echo '#include <corral.h>
int main(void) { return corral_version()[0] == 48 ? 0 : 1; }' >"$tmp/main.c"
	"$CC" -I"$root$prefix/include" -o "$tmp/main" "$tmp/main.c" "$root$prefix/lib/libcorral.a" \
		-lmsgpackc -pthread &&
		"$tmp/main"
}

# Each file that is installed is in a package, and each package's file is installed.
packages_take_what_is_installed() {
	local list files=$tmp/packages taken lines
	env -u MAKEFLAGS -u MFLAGS make -s install-files BUILD="$BUILD" DESTDIR="$files" \
		PREFIX=/usr LIBDIR=/usr/lib/any UNITDIR=/lib/systemd/system \
		ZSHDIR=/usr/share/zsh/vendor-completions || return
	# but the clients' packages, which are made beside it
	mapfile -t lines < <(grep -hv '^build/' debian/{lib,}corral*.install)
	taken=$(cd "$files" && for list in "${lines[@]}"; do
		# shellcheck disable=SC2086 # patterns
		find $list ! -type d || exit
	done) || { echo "$taken" && return 1; }
	diff --label installed --label debian -u \
		<(cd "$files" && find . ! -type d -printf '%P\n' | sort) <(sort <<<"$taken")
}

nothing_left() {
	! find "$root" ! -type d | grep .
}

claim "make install works" install_make install-files
claim "programs are installed" installed bin/corral bin/corral-agent bin/corral-web
claim "alert rules and dashboard are installed" installed share/corral/alerts.yml \
	share/corral/dashboard.json
claim "the benchmark is not" no_benchmark
claim "library, header and pkg-config file are installed" installed lib/libcorral.so \
	lib/libcorral.so.0 lib/libcorral.a include/corral.h lib/pkgconfig/corral.pc
claim "every manual page is installed, and says the version" manuals_installed
claim "completions of three shells are installed" installed \
	share/{bash-completion/completions/,zsh/site-functions/_}corral{,-agent,-web} \
	share/fish/vendor_completions.d/corral{,-agent,-web}.fish
claim "the systemd units start the installed programs" units_start_what_is_installed
claim "the agent's user and directory are described" \
	installed lib/sysusers.d/corral.conf lib/tmpfiles.d/corral.conf
claim "the library's links lead to it" links_lead_to_the_library
claim "its soname is libcorral.so.0" soname
claim "header, pkg-config file and library have one version" pkg_config_version
claim "corral.h compiles alone, as C99" header_compiles_alone c c99
if echo '#include <cstdint>' | "$CC" -x c++ -fsyntax-only - 2>/dev/null; then
	claim "corral.h compiles alone, as C++" header_compiles_alone c++ c++11
fi
claim "every public name is in corral(3)" documented_in_manual
claim "every error of corral.h is in corral(3) and corral(7)" errors_documented_in_manuals
if ! grep -q -- -fsanitize "$BUILD/flags"; then # with a sanitizer its names come too
	claim "the library exports the public names and nothing else" \
		exports_are_those_of_the_header
	claim "its names carry the version CORRAL_0" exports_are_versioned
	claim "it needs nothing but libc" needs_libc_only
	claim "the static library links" static_library_links
fi
claim "the Debian packages have what make install installs" packages_take_what_is_installed
claim "make uninstall works" install_make uninstall
claim "it leaves no file behind" nothing_left

report_claims
