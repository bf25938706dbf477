#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What `make bench` does: a selection of the benchmarks, some five minutes, and a report of them in
# OUT (report.html, report.md).
#
# Usage: bench/select.sh BUILD OUT
set -uo pipefail
BUILD=$(realpath -e "${1:?}") || exit 2
mkdir -p "${2:?}" || exit 2
out=$(realpath -e "$2") || exit 2
rm -f "$out"/*.json

run() { # BENCHMARK ARGUMENT...: what fails is said, and left out of the report
	local file
	runs=$((runs + 1))
	file=$out/$(printf '%02d' $runs)-$1.json
	echo "==== corral-bench $*"
	"$BUILD/corral-bench" "$@" --json "$file" || {
		failed+=("$*")
		rm -f "$file"
	}
}

failed=() runs=0
run get --seconds 1.5
run get --zipf --seconds 0.7
run get --bytes 512 --carts 1000,10000 --seconds 0.7
run get --bytes 51200 --carts 1000,10000 --seconds 0.7
run get --carts 1000000 --bytes 1024 --seconds 1
run add --seconds 2
run peers --carts 10000 --seconds 1 --rounds 3
run peers --carts 10000 --seconds 1 --rounds 3 --no-pin \
	--peers corral,memcached,redis_watch,redis_lua
run scale --carts 1 --workers 50 --seconds 5
run scale --carts 10000 --workers 2 --seconds 3
run scale --carts 10000 --workers 4 --seconds 0.7
run scale --carts 10000 --workers 64 --seconds 0.7
run scale --carts 10000 --workers 50 --zipf --bare --seconds 4
run scale --threads --carts 1,10000 --workers 50 --seconds 2
run scale --threads --carts 10000 --workers 4 --seconds 1
run contend
run grace
run feed --carts 100 --seconds 1
run rate --seconds 6
run idle --carts 100
"$BUILD/corral-bench" report "$out"/*.json --html "$out/report.html" \
	--markdown "$out/report.md" || failed+=(report)
cat "$out/report.md"
echo "written: $out/report.html, $out/report.md"
[[ ${#failed[@]} -eq 0 ]] || {
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
}
