#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copy-on-write file systems: reserved space stays reserved on btrfs, and on xfs after the arena was
# copied by reflink; where that is impossible, the agent and the status say so. On loop-mounted
# images.
#
# Usage: [BUILD=dir] tests/agent/60_agent_disks.sh [CLAIM...]   from the root; timeout: 240
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

disk() { # TYPE SIZE MKFS...: mount an image of that size
	local type=$1 size=$2
	shift 2
	[[ $EUID -eq 0 ]] || skip "only root can mount"
	grep -qw "$type" /proc/filesystems || modprobe "$type" 2>/dev/null ||
		skip "the kernel has no $type"
	truncate -s "$size" "$place/image"
	"$@" "$place/image" >"$place/mkfs" 2>&1 || fail "$(<"$place/mkfs")"
	mkdir "$place/disk"
	mount -o loop "$place/image" "$place/disk" || skip "cannot mount an image"
	dir=$place/disk/dir
}

fill() { # leave not a byte free
	dd if=/dev/zero of="$place/disk/full" bs=64K status=none 2>/dev/null
	dd if=/dev/zero of="$place/disk/full" bs=4K oflag=append conv=notrunc status=none \
		2>/dev/null
	sync -f "$place/disk"
}

# Change an existing cart while the disk is full: each change is done or refused; no process dies.
changes() { # COUNT
	local code
	for ((i = 0; i < $1; i++)); do
		code=0
		out=$(timeout -k 5 30 "$BUILD/corral" --dir "$dir" attribute r s note "$i" 2>&1) ||
			code=$?
		[[ $code -eq 0 || $code -eq 3 ]] || fail "change $i: exit code $code: $out"
		[[ $out != *SIGBUS* ]] || fail "change $i: $out"
	done
}

# ------------------------------------------------------------- claims

on_btrfs_what_is_reserved_stays_reserved() {
	disk btrfs 256M mkfs.btrfs -q
	start --journal off
	[[ $(lsattr "$dir/arena") == *C*" $dir/arena" ]] ||
		fail "writes are not in place: $(lsattr "$dir/arena")"
	add r s
	sync -f "$place/disk"
	fill
	changes 30
	corral 0 status
	[[ $out != *"copies on write"* ]] || fail "$out"
	kill -0 "$pid" || fail "the agent is gone: $(tail -n 3 "$dir/agent.log")"
	kill -9 "$pid"
	gone "$pid"
	rm "$place/disk/full"
	start --journal off
	corral 0 show r s
	agent 0 --stop
	gone "$pid" # it lets go of the disk last
	umount "$place/disk"
}

on_btrfs_with_copies_for_sure_the_agent_and_the_status_say_so() {
	disk btrfs 256M mkfs.btrfs -q
	start --journal off
	agent 0 --stop
	cp --reflink=never "$dir/arena" "$dir/copy" # a file without the flag
	cat "$dir/copy" >"$dir/arena.new"
	chmod 660 "$dir/arena.new"
	mv "$dir/arena.new" "$dir/arena"
	rm "$dir/copy"
	start --journal off
	has "copy on write"
	corral 0 status
	has "copies on write"
	corral 0 status --metrics
	has "corral_copy_on_write 1"
	agent 0 --stop
	gone "$pid" # it lets go of the disk last
	umount "$place/disk"
}

on_xfs_an_agent_makes_an_arena_its_own_that_was_copied_by_reflink() {
	disk xfs 320M mkfs.xfs -q -m reflink=1
	start --journal off
	add r s
	agent 0 --stop
	cp --reflink=always "$dir/arena" "$place/disk/copy"
	start --journal off
	has "they are its own now"
	fill
	changes 30
	kill -0 "$pid" || fail "the agent is gone: $(tail -n 3 "$dir/agent.log")"
	corral 0 show r s
	agent 0 --stop
	gone "$pid" # it lets go of the disk last
	umount "$place/disk"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
