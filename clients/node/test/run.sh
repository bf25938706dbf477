#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Test the Node client of a build (make node-test). Usage: BUILD=dir clients/node/test/run.sh REGEX
#
# What the tests need from npm is in lock files, and is installed into BUILD/node-*. With
# NODE_TEST=long the tests that repeat something do so as often as the nightly run does.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")" || exit 2
BUILD=$(realpath -e "../../../${BUILD:-build}" 2>/dev/null || realpath -e "$BUILD") || exit 2
pattern=${1:-.}
export CORRAL_CLIENT=$BUILD/node CORRAL_DEV=$BUILD/node-dev CORRAL_EXAMPLE=$BUILD/node-example
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/cn.XXXXXX") || exit 2
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

files=()
for file in *.test.cjs; do
	[[ $file =~ $pattern ]] && files+=("$PWD/$file")
done
[[ ${#files[@]} -gt 0 ]] || {
	echo "no test is called so: $pattern" >&2
	exit 2
}
has() { # NAME: is this test selected?
	[[ " ${files[*]} " == *"/$1.test.cjs "* ]]
}

# What the tests that were selected need from npm.
install() { # FROM TO
	../install.sh "$1" "$2" "$CORRAL_CLIENT" && return
	echo "npm cannot install what the tests need" >&2
	exit 1
}
if has types; then
	install .. "$CORRAL_DEV"
fi
if has example || has cluster || has live; then
	install ../examples/voice-order "$CORRAL_EXAMPLE"
fi
if has hosts && [[ ${NODE_TEST:-} == long ]]; then
	export CORRAL_HOSTS=$BUILD/node-hosts
	install hosts "$CORRAL_HOSTS"
	for kind in jest.cjs vitest.mjs; do
		cp "hosts/first.$kind" "$CORRAL_HOSTS/second.$kind"
	done
fi

# A sanitizer's runtime has to be in the process before the addon.
if [[ ${SANITIZE:-} == *address* ]]; then
	runtime=$(${CC:-gcc} -print-file-name=libasan.so)
	export CORRAL_PRELOAD=$runtime
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:handle_segv=0:handle_sigbus=0}
fi

LD_PRELOAD=${CORRAL_PRELOAD:-} node --test --test-reporter=tap "${files[@]}" >"$TMPDIR/tap"
code=$?
# (what passed is shown in one line, and what did not with all that it said)
grep -E '^ *(ok|not ok) ' "$TMPDIR/tap" | sed -E 's/ # time.*//'
[[ $code -eq 0 ]] ||
	grep -vE '^ *(ok|duration_ms|type:|---|\.\.\.|# (tests|suites|pass|fail))' "$TMPDIR/tap"
count() {
	sed -nE "s/^# $1 ([0-9]+)\$/\\1/p" "$TMPDIR/tap" | tail -n 1
}
failed=$(($(count fail) + $(count cancelled)))
[[ $code -eq 0 || $failed -gt 0 ]] || failed=1
echo "$(count pass) passed, $failed failed"
[[ $code -eq 0 ]]
