#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run the tests in the order of their numbers, which is the order of the layers: the first red
# line is the lowest broken layer.
#
# Usage: tests/run.sh [-k REGEX] [-c] [-w WRAPPER] [-s FACTOR] [-j JOBS] BUILD
#   -k REGEX    only the tests whose names match
#   -c          only the C programs (BUILD/tests/NN_name), not the scripts (tests/LAYER/NN_name.sh)
#   -w WRAPPER  a command that each C program is run under, such as "valgrind -q"
#   -s FACTOR   multiply the time limits
#   -j JOBS     run so many at once (default: one for each processor, at most 4); they are shown
#               in order all the same
#
# A test has 120 s, or what a line "timeout: N" near its head says. A program that crashes, exits
# with an error, runs out of time or runs no test counts as a failure, and so does one that calls a
# command that is not there: what tests need is installed (tools/deps.sh). Exit code 77 is
# "skipped"; why, a line "skipped..." says: what the machine cannot do.
# On a full disk tests fail for want of room, and logs are cut off: the run says so, and ends there.
# The last line is `N passed, N failed`; the exit code is 0 if nothing failed.
set -uo pipefail

usage() {
	sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
	exit 2
}

pattern=. c_only=false wrapper=() factor=1 jobs=$(nproc)
[[ $jobs -le 4 ]] || jobs=4
while getopts k:cw:s:j: option; do
	case $option in
	k) pattern=$OPTARG ;;
	c) c_only=true ;;
	w) read -ra wrapper <<<"$OPTARG" ;;
	s) factor=$OPTARG ;;
	j) jobs=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[[ $# -eq 1 ]] || usage
BUILD=$(realpath -e "$1") || exit 2
export BUILD
cd "$(dirname "$0")/.." || exit 2
ulimit -c 0
export LC_ALL=C.UTF-8
logs=$BUILD/tests/log
mkdir -p "$logs"
# short: a socket's path has 107 bytes at most
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/c.XXXXXX") || exit 2
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0 second_deadlock_stack=1}

# Says which of the places that tests write to is full; fails if none is. (What df says is no
# answer: file systems keep some blocks back.)
full_disk() {
	local place file said
	for place in "$TMPDIR" "$logs"; do
		file=$place/room.$BASHPID
		said=$({ head -c 1M /dev/zero >"$file"; } 2>&1)
		rm -f "$file"
		[[ $said =~ 'No space left'|'quota exceeded' ]] || continue
		echo "the disk is full: $place"
		return 0
	done
	return 1
}
! full_disk || exit 2

# names, in order: "NN_name<TAB>source"
list_tests() {
	local file name
	for file in tests/*/[0-9][0-9]_*.c tests/*/[0-9][0-9]_*.sh; do
		[[ -e $file ]] || continue
		[[ $file == *.sh ]] && $c_only && continue
		name=${file##*/} name=${name%.*}
		[[ $name =~ $pattern ]] && printf '%s\t%s\n' "$name" "$file"
	done | LC_ALL=C sort
}

count() { # how many lines of the log match
	grep -cE "$1" "$log"
}

sum_of() { # WORD: of the log's lines "[ WORD ] N test(s)", one for each group
	sed -nE "s/^\[ +$1 +\] ([0-9]+) test\(s\).*/\1/p" "$log" |
		awk '{ n += $1 } END { print n + 0 }'
}

# Read the counts from the log of a cmocka program, or of a script.
read_counts() {
	if [[ $source == *.c ]]; then
		passed=$(count '^\[ +OK \] ')
		failed=$(sum_of FAILED)
		skipped=$(sum_of SKIPPED)
	else
		local line
		line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" |
			tail -n 1)
		read -r passed _ failed _ skipped _ <<<"$line"
		passed=${passed:-0} failed=${failed:-0} skipped=${skipped:-0}
	fi
}

# Under qemu the C tests run, and the programs that some of them start do not.
"$BUILD/corral-agent" --version >/dev/null 2>&1
[[ $? -ne 126 ]] && runs_programs=true || runs_programs=false

# Run one, and leave what it came to in its results: exit code and milliseconds. Returns NO_ROOM if
# it did not end well, or its result cannot be written, while a disk is full; that it says itself.
NO_ROOM=28
run_one() { # NAME SOURCE
	local name=$1 source=$2 log=$logs/${2##*/}.log result=$TMPDIR/${2##*/}.result
	local limit start took command child code
	limit=$(sed -nE '1,30s/.*timeout: ([0-9]+).*/\1/p' "$source" | head -n 1)
	limit=$((${limit:-120} * factor))
	if [[ $source == *.c ]]; then
		command=("${wrapper[@]}" "$BUILD/tests/$name")
	else
		command=(bash "$source")
	fi
	if ! $runs_programs && grep -qE 'corral-agent"|agent_path' "$source"; then
		command=(sh -c 'echo "skipped: an agent of this build cannot be executed"; exit 77')
	fi
	start=$(date +%s%N)
	{
		timeout -k 5 "$limit" "${command[@]}" </dev/null >"$log" 2>&1 &
		child=$!
		trap 'kill "$child"' TERM
		wait "$child"
		code=$?
	} 2>/dev/null # bash would tell of a signal; so do we
	if [[ $code -ne 0 || ! -s $log ]] && full_disk; then
		return $NO_ROOM
	fi
	took=$((($(date +%s%N) - start) / 1000000))
	{ echo "$code $took $limit" >"$result.part" && mv "$result.part" "$result"; } 2>/dev/null ||
		{ full_disk && return $NO_ROOM; }
}

total_passed=0 total_failed=0 red=() grey=()

show() { # NAME SOURCE: how it went
	local name=$1 source=$2 log=$logs/${2##*/}.log code took limit why="" state="ok  "
	local passed failed skipped
	read -r code took limit <"$TMPDIR/${source##*/}.result"
	read_counts
	if [[ $code -eq 77 ]]; then
		skipped=$((skipped + (passed + failed + skipped == 0)))
	elif [[ $code -eq 124 || $code -eq 137 ]]; then
		why=" (out of time or killed: limit $limit s)"
		failed=$((failed + 1))
	elif [[ $code -gt 128 ]]; then
		why=" (died by signal $((code - 128)))"
		failed=$((failed + 1))
	elif [[ $code -ne 0 && $failed -eq 0 ]]; then
		why=" (exit code $code)"
		failed=1
	elif [[ $((passed + failed + skipped)) -eq 0 ]]; then
		why=" (ran no test)"
		failed=1
	fi

	if [[ $(count ': command not found$') -gt 0 ]]; then
		why+=" (a command is not there: is it in tools/deps.sh?)"
		failed=$((failed + 1))
	fi

	[[ $skipped -gt 0 ]] && grey+=("$name") && [[ $passed -eq 0 ]] && state=skip
	[[ $failed -gt 0 ]] && state="RED " && red+=("$name")
	[[ $skipped -eq 0 ]] || why=", $skipped skipped$why"
	printf '%s %-28s %4d passed, %d failed%s  %d.%03d s\n' \
		"$state" "$name" "$passed" "$failed" "$why" $((took / 1000)) $((took % 1000))
	[[ $skipped -eq 0 ]] || grep -E '^skipped( [a-z0-9_]+)?: ' "$log" | LC_ALL=C sort |
		uniq -c | sed -E 's/^ *([0-9]+) /     \1 /'
	if [[ $failed -gt 0 ]]; then
		sed -nE 's/^\[  FAILED  \] ([^0-9].*)/     failed: \1/p' "$log" | sort -u
		tail -n 200 "$log" | sed 's/^/     | /'
	fi
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
}

names=() sources=() shown=0
while IFS=$'\t' read -r name source; do
	names+=("$name") sources+=("$source")
done < <(list_tests)

show_finished() { # in their order
	while [[ $shown -lt ${#names[@]} && -e $TMPDIR/${sources[shown]##*/}.result ]]; do
		show "${names[shown]}" "${sources[shown]}"
		shown=$((shown + 1))
	done
}

finish() {
	[[ ${#grey[@]} -eq 0 ]] || echo "skipped, or in part: ${grey[*]}"
	[[ ${#red[@]} -eq 0 ]] || echo "red: ${red[*]} (logs in $logs)"
	if [[ $((total_passed + total_failed)) -eq 0 && ${#grey[@]} -eq 0 ]]; then
		echo "no test ran"
		total_failed=1
	fi
	echo "$total_passed passed, $total_failed failed"
	[[ $total_failed -eq 0 ]]
	exit
}

# Wait for one to end. On a full disk the run ends: what comes then says nothing about the program.
wait_for_one() {
	local code
	wait -n
	code=$?
	show_finished
	[[ $code -eq $NO_ROOM ]] || return $code
	# shellcheck disable=SC2046 # the numbers are many words
	kill $(jobs -p) 2>/dev/null
	wait
	echo "of ${#names[@]} tests, $((${#names[@]} - shown)) did not run to their end"
	total_failed=$((total_failed + 1))
	finish
}

for i in "${!names[@]}"; do
	[[ $i -lt $jobs ]] || wait_for_one
	run_one "${names[i]}" "${sources[i]}" &
done
while [[ $shown -lt ${#names[@]} ]] && { wait_for_one || [[ -n $(jobs -p) ]]; }; do
	:
done
for source in "${sources[@]:shown}"; do # it was killed, with the shell that ran it
	[[ -e $TMPDIR/${source##*/}.result ]] || echo "1 0 0" >"$TMPDIR/${source##*/}.result"
done
show_finished
finish
