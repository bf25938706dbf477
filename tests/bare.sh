#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Debian 12 that has nothing but git, gcc and make, made by debootstrap in a temporary directory,
# and the commit that is checked out cloned into it. As root, or where `sudo -n` works.
#
# Usage: tests/bare.sh demo|node|python|deb|packages|arm64 BUILD [REGEX]
#   demo     the README's two commands, make demo and make test
#   node     the Node client's tests with Debian's own Node; with REGEX those that match
#   python   the Python client's, likewise
#   deb      the Debian packages and what lintian says of them, the npm package and the wheel,
#            made and tried with Debian's Node and Python; the packages come into BUILD/deb
#   packages what is in BUILD/deb: a second build has the same bytes, and a second such root, with
#            systemd as its first process, has them installed, upgraded, removed and purged
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
# seconds
declare -A limits=([demo]=2400 [node]=2400 [python]=2400 [deb]=2400 [packages]=2400 [arm64]=2400)

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
	local code=0
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
	wait "$inside" || code=$?
	echo "-- in all: $SECONDS s" >&2
	[[ $code -eq 0 ]] || exit "$code"
	if [[ $mode == deb ]]; then
		rm -rf "$build/deb"
		cp -r "$work/root/packages" "$build/deb"
	fi
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

make_root() { # DIRECTORY
	local kept=$build/bare/$release.tar root=$1
	mkdir "$root"
	(
		flock 9 # all modes share it
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
	# whom this machine's npm trusts besides
	[[ ! -f ${NODE_EXTRA_CA_CERTS:-} ]] || cp "$NODE_EXTRA_CA_CERTS" "$root/etc/ssl/npm.pem"
}

mount_devices() { # DIRECTORY
	local device name root=$1
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
	make_root "$root"
	mv "$work/corral" "$root/corral"
	chown -R 0:0 "$root/corral"
	if [[ $mode == packages ]]; then
		make_root "$root/machine"
		cp -r "$build/deb" "$root/packages"
	fi
	mkdir "$root/outside"
	mount --bind "$root" "$root"
	mount_devices "$root"
	echo "-- a bare Debian ($release): $((SECONDS - start)) s"
	# not chroot(2) alone: a process in one may make no user namespace, and tests do
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

# -------------------------------------------------------------- packages

quietly() { # COMMAND...: what it says is shown if it fails
	"$@" >/tmp/said 2>&1 || { tail -n 50 /tmp/said && return 1; }
}

apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends)

apt_install() { # PACKAGE...
	quietly "${apt[@]}" install "$@"
}

# What debian/control says, and nothing else.
build_deps() {
	quietly "${apt[@]}" update
	quietly "${apt[@]}" build-dep ./
}

# Of what a build says: when each of its steps began, and how many files are compiled.
show_progress() {
	local line start=$SECONDS shown=-1 compiled=0
	while read -r line; do
		[[ $line != *' -c -o '* ]] || line="$((++compiled)) files compiled"
		case $line in
		dh_* | dpkg-* | *0' files compiled')
			[[ $SECONDS -eq $shown ]] || echo "   $((SECONDS - start)) s: $line"
			shown=$SECONDS
			;;
		esac
	done
}

build_packages() { # DIRECTORY RESULTS [ARGUMENT...]: of dpkg-buildpackage
	local directory=$1 results=$2 log=/tmp/build.log
	shift 2
	[[ -d $directory ]] || { mkdir -p "${directory%/*}" && cp -r . "$directory"; }
	(cd "$directory" && dpkg-buildpackage -us -uc "$@" 2>&1) | tee $log | show_progress ||
		{ tail -n 50 $log && return 1; }
	mkdir -p "$results"
	find "${directory%/*}" -maxdepth 1 -type f -exec mv {} "$results" \;
	(cd "$results" && ls -l ./*.deb)
}

# A file that has a warning is compiled again by each of the build's calls of make.
no_warnings() {
	! grep -E -A 3 '^[^ ]+\.[ch]:[0-9]+:[0-9]+: warning: ' /tmp/build.log
}

lint_packages() {
	lintian --display-info --pedantic --show-overrides --allow-root --fail-on none \
		/packages/*.changes >/tmp/lintian || { cat /tmp/lintian && return 1; }
	cat /tmp/lintian
	# (its own --fail-on counts what is overridden, too)
	! grep -E '^[EWIP]: ' /tmp/lintian >/dev/null &&
		echo "lintian $(dpkg-query -W -f '${Version}' lintian): nothing but overrides"
}

# Made of what was compiled for the Debian packages.
make_client() { # TARGET...
	local flags
	cd /build/corral &&
		flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh) &&
		eval "$flags" && make DEPS=skip "$@"
}

# The npm package, which is installed without scripts in an empty folder, and used there. (What lies
# in build/node and build/python is linked with the packaged library.)
npm_package() {
	rm -r /build/corral/build/node &&
		(make_client node-test K=package) &&
		cp /build/corral/build/corral-client-*.tgz /packages/ &&
		tar -tzvf /packages/corral-client-*.tgz
}

# The wheel, which is installed without a network in an empty environment, and used there.
wheel() {
	rm -r /build/corral/build/python &&
		(make_client python-test K=test_package) &&
		cp /build/corral/build/corral_client-*.whl /packages/ &&
		python3 -m zipfile -l /packages/corral_client-*.whl
}

# Built from the source package, at another place and time, with other settings of the user.
same_bytes() {
	local one bad=0
	mkdir -p /again/quite
	(
		umask 027
		export TZ=Pacific/Kiritimati LC_ALL=C HOME=/nonexistent DEB_BUILD_OPTIONS=parallel=3
		quietly dpkg-source -x /packages/*.dsc /again/quite/elsewhere
		build_packages /again/quite/elsewhere /packages.again -b
	)
	for one in /packages/*.deb; do
		cmp "$one" "/packages.again/${one##*/}" || bad=1
	done
	(cd /packages.again && sha256sum ./*.deb)
	return $bad
}

layout_of() { # COMMIT
	git show "$1:shm/arena/layout.h" | sed -n 's/^#define LAYOUT_VERSION \([0-9]*\)u.*/\1/p'
}

# The last commit whose arenas have the former layout.
former_layout() {
	local commit now last=
	now=$(layout_of HEAD)
	while read -r commit; do
		[[ $(layout_of "$commit") == "$now" ]] || break
		last=$commit^
	done < <(git log --format=%H -- shm/arena/layout.h)
	[[ $(layout_of "$last") == $((now - 1)) ]] && git rev-parse "$last"
}

# The tree of a commit, as a lower version.
build_lower() { # VERSION COMMIT
	local source=/lower/$1/corral
	mkdir -p "$source"
	git archive "$2" | tar -C "$source" -x
	sed -i "s/^\(#define CORRAL_VERSION\) .*/\1 \"$1\"/" "$source/shm/corral.h"
	sed -i "1s/(.*)/($1)/" "$source/debian/changelog"
	DEB_BUILD_OPTIONS='noautodbgsym noopt' build_packages "$source" "/packages.lower/$1" -b
}

build_former_layout() {
	local commit
	commit=$(former_layout) && git log -1 --format='%h %s' "$commit" &&
		build_lower 0.1.8 "$commit"
}

# The second root has systemd as its first process, and in it tests/packages.sh.
life() {
	mkdir -p /machine/packages
	mv /packages.lower /machine/packages/lower
	cp -r /packages /machine/packages/new
	cp -r . /machine/corral
	quietly chroot /machine "${apt[@]}" update
	quietly chroot /machine "${apt[@]}" install systemd
	touch /machine/transcript
	unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --propagation private \
		bash tests/bare.sh machine &
	tail -f -n +1 --pid=$! /machine/transcript
	wait $!
	grep -q '^[1-9][0-9]* passed, 0 failed$' /machine/transcript
}

# In namespaces of its own: becomes systemd.
machine() {
	local root=/machine
	mount --bind $root $root
	mount -t proc proc $root/proc
	mount -t sysfs -o ro sysfs $root/sys
	mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
	mount_devices $root
	mount -t tmpfs run $root/run
	cat >$root/etc/systemd/system/packages.service <<-'end'
		[Unit]
		SuccessAction=exit
		FailureAction=exit
		[Service]
		Type=oneshot
		ExecStart=/bin/bash /corral/tests/packages.sh
		StandardOutput=file:/transcript
		StandardError=inherit
	end
	cd $root
	mkdir outside
	pivot_root . outside
	cd /
	umount -l /outside
	exec env -i container=corral PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		/lib/systemd/systemd --system --unit=packages.service --log-target=null
}

steps() {
	local cross=aarch64-linux-gnu
	case $mode in
	demo)
		step make demo
		step make test
		;;
	node)
		[[ ! -f /etc/ssl/npm.pem ]] || export NODE_EXTRA_CA_CERTS=/etc/ssl/npm.pem
		step make node-test "K=$pattern"
		step node --version
		;;
	python)
		step make python-test "K=$pattern"
		step python3 --version
		;;
	deb)
		step build_deps
		step build_packages /build/corral /packages
		step no_warnings
		step apt_install lintian npm python3-pip redis-server openssl
		step lint_packages
		step npm_package
		step wheel
		;;
	packages)
		step build_deps
		step same_bytes
		step build_lower 0.1.9 HEAD
		step build_former_layout
		step life
		;;
	arm64)
		step tools/deps.sh arm64
		step make all tests CC=$cross-gcc AR=$cross-ar WERROR=1 DEPS=skip BUILD=build/arm64
		step tests/run.sh -c -s 4 -k "$pattern" -w qemu-aarch64 build/arm64
		;;
	esac
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
elif [[ ${1:-} == machine ]]; then
	machine
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
