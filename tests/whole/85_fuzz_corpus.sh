#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run every input of each fuzz target's corpus once, without libFuzzer, so that no fixed fault
# returns. A failing input is the last one named in the log. `make fuzz` searches for new ones.
set -uo pipefail

: "${BUILD:?}"
passed=0 failed=0
for corpus in tests/fuzz/corpus/*/; do
	name=$(basename "$corpus")
	if timeout -k 5 60 "$BUILD/tests/fuzz/replay_$name" "$corpus" 2>"$TMPDIR/replay"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "fuzz_$name fails:"
		tail -n 60 "$TMPDIR/replay"
	fi
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
