#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Readers make no system call, as strace sees it: between the two marks of 62_readers_quiet there
# are a million reads and no system call.
#
# Usage: [BUILD=dir] tests/agent/62_strace.sh   from the repository's root
set -uo pipefail

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
claim=a_million_reads_show_no_system_call_in_strace
log=$(mktemp "${TMPDIR:-/tmp}/corral-strace.XXXXXX") || exit 2
trap 'rm -f "$log"' EXIT

if ! strace -o /dev/null true 2>/dev/null; then
	echo "skipped: strace may not trace here"
	exit 77
fi
[[ -x $BUILD/tests/62_readers_quiet ]] || {
	echo "no $BUILD/tests/62_readers_quiet"
	exit 1
}

verdict() { # [SENTENCE]: print the result and exit; without SENTENCE the claim holds
	if [[ -z $1 ]]; then
		echo "ok $claim"
		echo "1 passed, 0 failed"
		exit 0
	fi
	echo "not ok $claim: $1"
	echo "0 passed, 1 failed"
	exit 1
}

code=0
timeout -k 5 60 strace -o "$log" "$BUILD/tests/62_readers_quiet" marks || code=$?
if [[ $code -eq 77 ]]; then
	echo "skipped: built with a sanitizer"
	exit 77
fi
[[ $code -eq 0 ]] || verdict "exit code $code"
[[ $(grep -c 'getppid()' "$log") -eq 2 ]] || verdict "the marks are not there"
between=$(sed -n '/getppid()/,/getppid()/p' "$log" | sed '1d;$d')
verdict "$(head -n 5 <<<"$between")"
