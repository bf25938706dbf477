#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run the fuzz targets (built with libFuzzer by `make fuzz`), each for a given time, and as many at
# once as there are processors, from the corpus in tests/fuzz/corpus and from the finds of earlier
# runs. The last line is `N passed, N failed`.
#
# Usage: tests/fuzz/fuzz.sh [-s SECONDS] [-k REGEX] BUILD
#
# BUILD/corpus/NAME       what was found so far; `fuzz.sh -m BUILD` merges it into tests/fuzz/corpus
# BUILD/NAME-crash-...    an input that failed: run it with BUILD/tests/fuzz/fuzz_NAME FILE
# BUILD/NAME.log          what libFuzzer says
# BUILD/mutate-SEED-ROUND a directory on which a program failed: see tests/fuzz/mutate.c, which is
#                         run last, for as many seconds of processor time
set -uo pipefail

seconds=60 pattern=. merge=false
while getopts s:k:m option; do
	case $option in
	s) seconds=$OPTARG ;;
	k) pattern=$OPTARG ;;
	m) merge=true ;;
	*)
		sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
		exit 2
		;;
	esac
done
shift $((OPTIND - 1))
BUILD=$(realpath -e "${1:?}") || exit 2
cd "$(dirname "$0")" || exit 2
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=16:detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

# Most bytes that an input may have: longer ones find little more.
declare -A longest=([arena]=480 [cart]=4096 [arguments]=1024 [control]=512 [snapshot]=4096
	[journal]=1024 [steps]=1024)

# Find the smallest set of inputs with the coverage of all, and keep those that once failed.
merge_corpus() {
	local name=$1 fresh
	fresh=$(mktemp -d) || return 1
	"$BUILD/tests/fuzz/fuzz_$name" -merge=1 -use_counters=0 -max_len="${longest[$name]}" \
		"$fresh" "corpus/$name" "$BUILD/corpus/$name" || return 1
	cp -p "corpus/$name"/regression-* "$fresh" 2>/dev/null
	rm -rf "corpus/$name" && mv "$fresh" "corpus/$name" && chmod 755 "corpus/$name"
}

run_target() { # NAME
	local name=$1
	local command=("$BUILD/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=25
		-len_control=0 -max_len="${longest[$name]}" -print_final_stats=1
		-artifact_prefix="$BUILD/$name-" "$BUILD/corpus/$name" "corpus/$name")
	mkdir -p "$BUILD/corpus/$name" "corpus/$name"
	! $merge || command=(merge_corpus "$name")
	if "${command[@]}" >"$BUILD/$name.log" 2>&1; then
		echo "ok   fuzz $name: $(grep -E '^#[0-9]+.*DONE|MERGE-OUTER: [0-9]+ new' \
			"$BUILD/$name.log" | tail -n 1)"
	else
		echo "RED  fuzz $name"
		tail -n 60 "$BUILD/$name.log" | sed 's/^/     | /'
		return 1
	fi
}

passed=0 failed=0 running=0
# shellcheck disable=SC2046 # the numbers are many words
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
end_one() { # of those that run
	wait -n && passed=$((passed + 1)) || failed=$((failed + 1))
	running=$((running - 1))
}

for target in fuzz_*.c; do
	name=${target#fuzz_} name=${name%.c}
	[[ $name =~ $pattern ]] || continue
	[[ $running -lt $(nproc) ]] || end_one
	run_target "$name" &
	running=$((running + 1))
done
while [[ $running -gt 0 ]]; do
	end_one
done

# Where nobody waits for a disk, if there is room.
mutate() {
	local place=/dev/shm
	[[ -w $place && $(df --output=avail -k "$place" | tail -n 1) -gt 500000 ]] ||
		place=${TMPDIR:-/tmp}
	TMPDIR=$place nice -n 10 "$BUILD/tests/fuzz/mutate" -s "$seconds" \
		${CORRAL_SEED:+-S "$CORRAL_SEED"} "$BUILD"
}
if [[ mutate =~ $pattern ]] && ! $merge; then
	if mutate >"$BUILD/mutate.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   fuzz $(tail -n 1 "$BUILD/mutate.log")"
	else
		failed=$((failed + 1))
		echo "RED  fuzz mutate"
		tail -n 60 "$BUILD/mutate.log" | sed 's/^/     | /'
	fi
fi
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
