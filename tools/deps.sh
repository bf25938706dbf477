#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Is there what we need? If not, install it (Debian and its relatives), as root or through
# `sudo -n`; if that cannot be, print the one line to run and exit 1.
# Usage: tools/deps.sh SET...   sets: build (the default), test, lint, fuzz, model, bench,
#                               node, python (the clients), python-long, bench-python,
#                               browser, check (all that .ci/run uses), bare
#                               (what makes a bare root), arm64 (in it: what cross-builds)
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # for mkfs, when these are not on the PATH

# command:package, and header:package[:further header needed before it]
build_commands=(gcc:gcc make:make pkg-config:pkg-config)
build_headers=(stdlib.h:libc6-dev urcu/arch.h:liburcu-dev msgpack.h:libmsgpack-dev
	xxhash.h:libxxhash-dev jansson.h:libjansson-dev hiredis/hiredis.h:libhiredis-dev
	openssl/ssl.h:libssl-dev ncurses.h:libncurses-dev
	microhttpd.h:libmicrohttpd-dev)
test_commands=(xxhsum:xxhash xz:xz-utils strace:strace pgrep:procps setpriv:util-linux
	unshare:util-linux mount:mount script:bsdutils readelf:binutils xmllint:libxml2-utils
	mkfs.btrfs:btrfs-progs mkfs.xfs:xfsprogs lsattr:e2fsprogs redis-server:redis-server
	openssl:openssl ip:iproute2 tmux:tmux curl:curl)
test_headers=(cmocka.h:libcmocka-dev gmp.h:libgmp-dev)
lint_commands=(clang-format:clang-format clang-tidy:clang-tidy mandoc:mandoc
	shellcheck:shellcheck)
fuzz_commands=(clang:clang)
fuzz_headers=(fuzzer/FuzzedDataProvider.h:libclang-rt-14-dev) # this package also has libFuzzer
model_commands=(spin:spin gcc:gcc)
bench_commands=(redis-server:redis-server memcached:memcached)
bench_headers=(libmemcached/memcached.h:libmemcached-dev
	lmdb.h:liblmdb-dev sqlite3.h:libsqlite3-dev)
node_commands=(node:nodejs npm:npm redis-server:redis-server)
node_headers=(node/node_api.h:libnode-dev)
python_commands=(python3:python3 pip3:python3-pip mypy:mypy redis-server:redis-server)
python_headers=(python3/Python.h:python3-dev)
python_long_commands=(gunicorn:gunicorn uvicorn:uvicorn)
browser_commands=(chromium:chromium python3:python3)
bench_python_headers=(redis.py:python3-redis) # no header: there is none to be found without it
check_commands=(valgrind:valgrind)
bare_commands=(debootstrap:debootstrap unshare:util-linux git:git)
arm64_commands=(make:make pkg-config:pkg-config aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
	qemu-aarch64:qemu-user)

commands=()
headers=()
add_set() {
	local set
	case $1 in
	build) commands+=("${build_commands[@]}") headers+=("${build_headers[@]}") ;;
	test)
		add_set build
		commands+=("${test_commands[@]}") headers+=("${test_headers[@]}")
		;;
	lint) add_set test && commands+=("${lint_commands[@]}") ;;
	fuzz)
		add_set test
		commands+=("${fuzz_commands[@]}") headers+=("${fuzz_headers[@]}")
		;;
	model) commands+=("${model_commands[@]}") headers+=(stdlib.h:libc6-dev) ;;
	bench)
		add_set build
		commands+=("${bench_commands[@]}") headers+=("${bench_headers[@]}")
		;;
	node)
		add_set build
		commands+=("${node_commands[@]}")
		# a node that is not Debian's may have its headers beside it
		node=$(realpath "$(command -v node)" 2>/dev/null) || node=
		[[ -e ${node%/*}/../include/node/node_api.h ]] || headers+=("${node_headers[@]}")
		;;
	python)
		add_set build
		commands+=("${python_commands[@]}") headers+=("${python_headers[@]}")
		;;
	python-long) # with PYTHON_TEST=long
		add_set python
		commands+=("${python_long_commands[@]}")
		;;
	bench-python)
		add_set python
		headers+=("${bench_python_headers[@]}")
		;;
	browser) # what pages are tested with
		add_set test
		commands+=("${browser_commands[@]}")
		;;
	check)
		for set in lint fuzz model bench node python bare; do
			add_set $set
		done
		commands+=("${check_commands[@]}")
		;;
	bare) commands+=("${bare_commands[@]}") ;;
	arm64)
		commands+=("${arm64_commands[@]}")
		headers+=("${build_headers[@]/%/:arm64}" "${test_headers[@]/%/:arm64}")
		CC=aarch64-linux-gnu-gcc
		if command -v dpkg >/dev/null; then # it is a root of its own
			dpkg --add-architecture arm64
		fi
		;;
	*)
		echo "deps.sh: no set of packages is called '$1' (build, test, lint, fuzz, model," \
			"bench, node, python, python-long, bench-python, browser," \
			"check, bare, arm64)" >&2
		exit 2
		;;
	esac
}
for name in "${@:-build}"; do
	add_set "$name"
done
# CC=clang needs clang instead of gcc.
case ${CC:-gcc} in
gcc | cc | aarch64-linux-gnu-gcc) ;;
clang) commands=("${commands[@]/gcc:gcc/clang:clang}") ;;
*) commands=("${commands[@]/gcc:gcc/${CC%% *}:gcc}") ;;
esac

# Sets `missing`. One call of dpkg queries all packages; a header without a package may have been
# installed by hand, so the compiler decides.
find_missing() {
	missing=()
	local entry installed=$'\n'
	for entry in "${commands[@]}"; do
		command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
	done
	if command -v dpkg-query >/dev/null; then
		installed+=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${headers[@]#*:}" \
			2>/dev/null || :)$'\n'
	fi
	for entry in "${headers[@]}"; do
		[[ $installed == *$'\n'"ii ${entry#*:}"$'\n'* ]] && continue
		echo "#include <${entry%%:*}>" |
			${CC:-gcc} -E -include stdarg.h -include stddef.h -include stdint.h \
				-include setjmp.h - >/dev/null 2>&1 || missing+=("${entry#*:}")
	done
}

find_missing
[[ ${#missing[@]} -gt 0 ]] || exit 0

root=()
[[ $(id -u) -eq 0 ]] || root=(sudo -n)
install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300
	--no-install-recommends install "${missing[@]}")
update=("${root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if command -v apt-get >/dev/null; then
	echo "deps.sh: installing ${missing[*]}" >&2
	if "${install[@]}" </dev/null >"$log" 2>&1 ||
		{ "${update[@]}" </dev/null >"$log" 2>&1 &&
			"${install[@]}" </dev/null >>"$log" 2>&1; }; then
		wanted="${missing[*]}"
		find_missing
		[[ ${#missing[@]} -gt 0 ]] || exit 0
		echo "deps.sh: installed $wanted, but still missing: ${missing[*]}" >&2
		exit 1
	fi
	tail -n 5 "$log" >&2
fi
echo "deps.sh: these are missing and could not be installed. Run this, then try again:" >&2
echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
exit 1
