#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run the whole crash matrix: every state of every operation, the operations in parallel on all
# CPUs.
# Usage: tests/crash.sh BUILD    (make crash)
# The last line adds up the results; the exit code is 0 when every cell passes.
set -uo pipefail
[[ $# -eq 1 ]] || exit 2
program=$(realpath -e "$1")/tests/80_crash_matrix || exit 2
logs=$(mktemp -d "${TMPDIR:-/tmp}/corral-crash.XXXXXX") || exit 2
trap 'rm -rf "$logs"' EXIT
start=$(date +%s%N)

# shellcheck disable=SC2317 # xargs calls it
one() { # operation NUMBER
	CORRAL_CRASH=all CORRAL_CRASH_ONLY=$1 "$program" >"$logs/$1" 2>&1
	local code=$?
	sed -nE 's/^crash matrix: [0-9]+ operations, /    /p; /instructions, .* states$/p' \
		"$logs/$1"
	[[ $code -eq 0 ]] && return
	cat "$logs/$1"
	return 1
}
export -f one
export program logs

# the longest first
operations=$(CORRAL_CRASH_ONLY=count "$program")
seq $((operations - 1)) -1 0 |
	xargs --process-slot-var=CORRAL_CRASH_CPU -P "$(nproc)" -I{} bash -c 'one {}'
code=$?
cat "$logs"/* | awk -v seconds=$((($(date +%s%N) - start) / 1000000)) '
	/^crash matrix: / {
		operations += $3
		instructions += $5
		states += $7
		second += substr($9, 2)
		cells += $14
	}
	END {
		printf "crash matrix: %d operations, %d instructions, ", operations, instructions
		printf "%d states (%d of them second deaths), ", states, second
		printf "%d cells, %.1f seconds\n", cells, seconds / 1000
	}'
exit $((code != 0))
