#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What tests/run.sh says of a full disk: no test, green or red, is what it comes to.
set -uo pipefail

place=$(mktemp -d "${TMPDIR:-/tmp}/corral-runner.XXXXXX") || exit 2
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/build/tests" "$place/disk"
passed=0 failed=0

# on_a_small_disk SCRIPT: runs 10_layout, which is that script here, with a disk of 2 MiB. Its
# output and exit code are in $said.
on_a_small_disk() {
	printf '#!/bin/sh\n%s\n' "$1" >"$place/build/tests/10_layout"
	chmod +x "$place/build/tests/10_layout"
	said=$(place=$place unshare --mount bash -c '
		mount -t tmpfs -o size=2M none "$place/disk" || exit 77
		[[ $1 != full ]] || head -c 3M /dev/zero 2>/dev/null >"$place/disk/file"
		TMPDIR=$place/disk tests/run.sh -k "^10_layout$" "$place/build"' bash "${2:-}" 2>&1)
	said+=" exit code $?"
}

claim() { # NAME PATTERN: what was said is as the pattern
	# shellcheck disable=SC2254 # it is a pattern
	case $said in
	$2) passed=$((passed + 1)) && echo "ok $1" ;;
	*) failed=$((failed + 1)) && echo "not ok $1: $said" ;;
	esac
}

if ! unshare --mount mount -t tmpfs none "$place/disk" 2>/dev/null; then
	echo "skipped: a small disk cannot be mounted here"
	exit 77
fi

green='echo "[       OK ] it"'
fill='head -c 3M /dev/zero >"$TMPDIR/file" 2>/dev/null'
on_a_small_disk "$green"
claim a_disk_with_room_is_not_mentioned '* 1 passed, 0 failed* exit code 0'
on_a_small_disk "$green" full
claim no_test_is_begun_on_a_full_disk "the disk is full: $place/disk/* exit code [12]"
on_a_small_disk "$fill; exit 1"
claim a_test_that_fails_on_a_full_disk_is_not_called_red \
	"the disk is full: $place/disk/*did not run to their end*0 passed, 1 failed exit code 1"
on_a_small_disk "$fill; exit 0"
claim a_test_that_says_nothing_on_a_full_disk_did_not_run_none \
	"the disk is full: $place/disk/*did not run to their end*0 passed, 1 failed exit code 1"
on_a_small_disk "$green; $fill"
claim a_result_that_cannot_be_written_is_the_disks_fault \
	"the disk is full: $place/disk/*did not run to their end*0 passed, 1 failed exit code 1"
on_a_small_disk 'exit 0'
claim with_room_a_test_that_says_nothing_ran_none '*(ran no test)*0 passed, 1 failed exit code 1'

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
