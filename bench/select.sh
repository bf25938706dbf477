#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What `make bench` does: a selection of the benchmarks, some five minutes, and a report of them in OUT (report.html, report.md).
#
# Usage: bench/select.sh BUILD OUT
set -uo pipefail
BUILD=$(realpath -e "${1:?}") || exit 2
mkdir -p "${2:?}" || exit 2
out=$(realpath -e "$2") || exit 2
rm -f "$out"/*.json

run() { # NAME BENCHMARK ARGUMENT...: what fails is said, and left out of the report
	local name=$1
	shift
	echo "==== corral-bench $*"
	"$BUILD/corral-bench" "$@" --json "$out/$name.json" || {
		failed+=("$*")
		rm -f "$out/$name.json"
	}
}

failed=()
run 1-get get --seconds 4
run 1-get-zipf get --zipf --seconds 4
run 1-get-million get --carts 1000000 --bytes 1024 --seconds 4
run 2-add add --seconds 4
run 3-peers peers --carts 10000 --seconds 4
run 4-scale-one scale --carts 1 --workers 50 --seconds 10
run 4-scale-two scale --carts 10000 --workers 2 --seconds 10
run 4-scale-zipf scale --carts 10000 --workers 50 --zipf --seconds 10
run 5-contend contend
run 6-rate rate --seconds 20
run 7-idle idle --carts 100
"$BUILD/corral-bench" report "$out"/*.json --html "$out/report.html" --markdown "$out/report.md" || failed+=(report)
cat "$out/report.md"
echo "written: $out/report.html, $out/report.md"
[[ ${#failed[@]} -eq 0 ]] || {
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
}
