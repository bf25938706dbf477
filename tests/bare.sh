#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Debian 12 that has nothing but git, gcc and make, made by debootstrap in a temporary directory,
# and the commit that is checked out cloned into it. As root, or where `sudo -n` works.
#
# Usage: tests/bare.sh demo|arm64 BUILD [REGEX]
#   demo     the README's two commands, make demo and make test
#   arm64    everything cross-built for arm64 with -Werror, and the C tests under qemu-user; with
#            REGEX those whose names match. In such a root, so that the machine itself keeps one
#            architecture
#
# All processes and mounts are in namespaces of their own, so that none outlives this script,
# however it ends. A directory that a killed run left is removed by the next one. The fresh root is
# kept in BUILD/bare for a day. The last line is `N passed, N failed`. Where no such root can be
# made, a line "skipped: ..." says why.
set -euo pipefail
release=bookworm
declare -A limits=([demo]=2400 [arm64]=2400) # seconds

usage() {
	sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
	exit 2
}

cannot() { # WHY
	echo "skipped: $1"
	echo "0 passed, 0 failed"
	exit 0
}

# ---------------------------------------------------------------- outside

# Where this machine gets its packages, if it is of that release; else Debian's own address.
mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null | awk -v release=$release \
		'$2 == release && $3 == "Debian" && $4 == "main" { print $1; exit }')
	echo "${uri:-http://deb.debian.org/debian}"
}

remove_left() { # directories of runs that are dead
	local left pid
	for left in "$place"/corral-bare.*; do
		pid=${left#*/corral-bare.}
		[[ -d $left ]] && ! kill -0 "${pid%%.*}" 2>/dev/null &&
			rm -rf --one-file-system "$left"
	done
	true
}

outside() {
	unshare --mount --pid --fork mount -t tmpfs none /mnt 2>/dev/null ||
		cannot "this machine allows no namespaces and mounts"
	place=$(realpath "${TMPDIR:-/var/tmp}")
	mkdir -p "$build/bare"
	remove_left
	work=$(mktemp -d "$place/corral-bare.$$.XXXXXX")
	trap 'rm -rf --one-file-system "$work"' EXIT
	# (unshare ignores it: after a second timeout kills that, and so all that is inside)
	trap 'kill "$inside" 2>/dev/null || :; wait "$inside" || :; exit 130' INT TERM HUP
	git clone -q --no-hardlinks . "$work/corral"
	[[ -z $(git status --porcelain --untracked-files=no) ]] ||
		echo "what is not committed is left out" >&2
	# setpriv: if this script is killed, so are they
	setpriv --pdeathsig TERM timeout -k 1 "${limits[$mode]}" \
		unshare --mount --pid --fork --kill-child "$BASH" tests/bare.sh inside \
		"$mode" "$pattern" "$build" "$work" "$(mirror)" </dev/null &
	inside=$!
	wait "$inside"
}

# ----------------------------------------------------------------- inside

bootstrap() { # FILE: the fresh root, as a tar file
	local file=$1 proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
	[[ -z $proxy ]] || export http_proxy=$proxy
	# the root is thrown away: dpkg need not wait for the disk
	mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	debootstrap --variant=minbase --include=ca-certificates,gcc,git,libc6-dev,make $release \
		"$root" "$mirror" >"$work/log" 2>&1 || { tail -n 20 "$work/log" && exit 1; }
	tar -C "$root" -cpf "$file.part" . || { rm -f "$file.part" && exit 1; }
	mv "$file.part" "$file"
}

make_root() {
	local kept=$build/bare/$release.tar
	mkdir "$root"
	(
		flock 9 # demo and arm64 share it
		if [[ -n $(find "$kept" -mmin -1440 2>/dev/null) ]]; then
			tar -C "$root" -xpf "$kept"
		else
			bootstrap "$kept"
		fi
	) 9>"$build/bare/lock"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# how this machine's apt reaches its mirror, and what it thinks of dates
	apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|Check|Retries)' \
		>"$root/etc/apt/apt.conf.d/00machine" || :
}

mount_devices() {
	local device name
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	# (loop: tests mount file systems of their own)
	for device in /dev/{null,zero,full,random,urandom,tty} /dev/loop*; do
		[[ -c $device || -b $device ]] || continue
		: >"$root$device"
		mount --bind "$device" "$root$device"
	done
	mkdir -m 1777 "$root/dev/shm"
	mkdir "$root/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	for name in 0:stdin 1:stdout 2:stderr; do
		ln -s "/proc/self/fd/${name%:*}" "$root/dev/${name#*:}"
	done
}

inside() {
	work=$1 mirror=$2 root=$work/root
	local start=$SECONDS
	make_root
	mv "$work/corral" "$root/corral"
	chown -R 0:0 "$root/corral"
	mkdir "$root/outside"
	mount --bind "$root" "$root"
	mount_devices
	echo "-- a bare Debian ($release): $((SECONDS - start)) s"
	# not chroot(2) alone: who is in one may make no user namespace, and tests do
	cd "$root"
	pivot_root . outside
	cd /
	umount -l /outside
	exec chroot . /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		TERM=dumb /bin/bash -c 'cd /corral && exec tests/bare.sh steps "$@"' \
		bash "$mode" "$pattern"
}

# ------------------------------------------------------------ in the root

passed=0 failed=0

# step COMMAND...: what it says is shown. A last line `N passed, N failed` is added up.
step() {
	local start=$SECONDS counts
	echo "== $*"
	if "$@" </dev/null 2>&1 | tee /tmp/step; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "RED  $*"
	fi
	echo "-- $*: $((SECONDS - start)) s"
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' /tmp/step | tail -n 1) || return 0
	passed=$((passed + ${counts%% *}))
	counts=${counts#*, }
	failed=$((failed + ${counts%% *}))
}

steps() {
	local cross=aarch64-linux-gnu
	if [[ $mode == demo ]]; then
		step make demo
		step make test
	else
		step tools/deps.sh arm64
		step make all tests CC=$cross-gcc AR=$cross-ar WERROR=1 DEPS=skip BUILD=build/arm64
		step tests/run.sh -c -s 4 -k "$pattern" -w qemu-aarch64 build/arm64
	fi
	echo "$passed passed, $failed failed"
	[[ $failed -eq 0 ]]
}

# -------------------------------------------------------------------- all

if [[ ${1:-} == inside ]]; then
	mode=$2 pattern=$3 build=$4
	inside "$5" "$6"
elif [[ ${1:-} == steps ]]; then
	mode=$2 pattern=$3
	steps
	exit
fi
[[ $# -ge 2 && $# -le 3 && -n ${limits[${1:-none}]:-} ]] || usage
mode=$1 pattern=${3:-.}
if [[ $EUID -ne 0 ]]; then
	sudo -n true 2>/dev/null || cannot "we are not root, and sudo -n is refused"
	exec sudo -n "$BASH" "$0" "$@"
fi
cd "$(dirname "$0")/.."
mkdir -p "$2"
build=$(realpath -e "$2")
outside
