#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Check the models with spin, over all their states. Each model must hold as it is; each mutant (one
# barrier or check removed by -DMUTANT_...) must be rejected in the expected way: a claim fails, or
# a process is stuck.
# Usage: tests/model/run.sh [DIRECTORY [PATTERN]]   where to build; which (`make model K=pattern`)
# CORRAL_MODEL=all: also larger configurations (minutes).
# Prints a line for each run: result, states, seconds; the last line is `N passed, N failed`.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) || exit 2
directory=${1:-$here/../../build/model}
mkdir -p "$directory" && directory=$(cd "$directory" && pwd) && cd "$here" || exit 2
pattern=${2:-.}
export directory

# EXPECTED MODEL FLAGS...: holds (all states, no error), claim (an assertion fails), stuck (an
# invalid end state)
table() {
	local mutant
	if [[ ${CORRAL_MODEL:-} == all ]]; then
		echo 'holds grace -DREADERS=1 -DROUNDS=2'
		echo 'holds grace -DREADERS=2 -DROUNDS=0'
		echo 'holds feed'
		echo 'holds feed -DDEATHS=0'
		echo 'holds feed -DCHANGES=3 -DDEATHS=0'
		echo 'holds lease -DREADERS=2 -DREADS=1'
		echo 'holds lease -DREADERS=1 -DREADS=3'
		echo 'holds grace -DREADERS=2 -DROUNDS=1 -DUPDATES=1 -DSECTIONS=1 -DDEATHS=0'
	fi
	echo 'holds grace -DREADERS=1 -DROUNDS=1'
	echo 'holds grace -DREADERS=1 -DROUNDS=2 -DUPDATES=1'
	echo 'holds grace -DREADERS=2 -DROUNDS=0 -DUPDATES=1'
	echo 'holds grace -DREADERS=1 -DROUNDS=1 -DUPDATES=1 -DSECTIONS=3 -DDEATHS=2'
	echo 'holds grace -DREADERS=1 -DROUNDS=1 -DUPDATES=1 -DFULL_FENCES'
	echo 'holds grace -DREADERS=2 -DROUNDS=0 -DUPDATES=1 -DUNREGISTERED'
	echo 'holds grace -DREADERS=1 -DROUNDS=1 -DWITHOUT'
	echo 'holds grace -DREADERS=1 -DROUNDS=1 -DUPDATES=1 -DSECTIONS=3 -DWITHOUT'
	echo 'holds grace -DREADERS=2 -DROUNDS=0 -DUPDATES=1 -DWITHOUT'
	echo 'claim grace -DREADERS=1 -DROUNDS=1 -DWITHOUT -DMUTANT_SETTLED_AT_ONCE'
	echo 'claim grace -DREADERS=1 -DROUNDS=0 -DUPDATES=1 -DSECTIONS=3 -DDEATHS=0 -DWITHOUT' \
		'-DNO_TIME -DMUTANT_TAKEN_BACK_EARLY'
	echo 'stuck grace -DREADERS=1 -DROUNDS=1 -DWITHOUT -DNO_TIME'
	for mutant in G1_READER G1_HEAVY G1_DRIVER LOOK_FIRST UNREGISTERED G2_LEAVE G3_UPDATER \
		G4_DRIVER G4_POLL G6_READER G6_DRIVER LIGHT_BELOW NO_FLIP COOKIE_OLD FENCED_EARLY \
		FENCED_BY_FLIPPER NO_SCAN NO_RECHECK OWNER_FIRST GUESS; do
		echo "claim grace -DREADERS=1 -DROUNDS=1 -DMUTANT_$mutant"
	done
	echo 'claim grace -DREADERS=1 -DROUNDS=1 -DUPDATES=3 -DDEATHS=0 -DMUTANT_FLIP_STORED'
	echo 'stuck grace -DREADERS=1 -DROUNDS=1 -DMUTANT_NEVER_ASKS'
	echo 'holds grace -DREADERS=2 -DROUNDS=0 -DDEATHS=0 -DONE_BIT'
	echo 'holds grace -DREADERS=2 -DROUNDS=0 -DDEATHS=0 -DONE_BIT -DTWO_FLIPS'
	echo 'claim grace -DREADERS=2 -DROUNDS=0 -DDEATHS=0 -DONE_BIT -DMUTANT_ONE_FLIP'
	echo 'holds lock -DSEATS=2 -DDEATHS=2'
	echo 'holds lock -DSEATS=2 -DPROCESSES=3 -DDEATHS=2'
	echo 'holds lock -DSEATS=3 -DDEATHS=1'
	echo 'holds lock -DSEATS=3 -DDEATHS=2 -DNO_HEIRS'
	echo 'holds lock -DSEATS=3 -DDEATHS=0'
	for mutant in L1_DROP L1_TAKE OWNER_FIRST NO_RECHECK BYTE_EARLY GUESS RELEASE_UNASKED \
		UNFINISHED NOTED_LATE OLD_LATE HAND_AFTER_DROP; do
		echo "claim lock -DSEATS=2 -DPROCESSES=3 -DDEATHS=2 -DMUTANT_$mutant"
	done
	echo 'stuck lock -DSEATS=2 -DDEATHS=1 -DNO_HEIRS -DMUTANT_NEVER_ASKS'
	echo 'holds feed -DLANE=2 -DDEATHS=0'
	echo 'holds feed -DCHANGES=1 -DDEATHS=2'
	echo 'holds feed -DCHANGES=1 -DCARTS=2 -DVIEWS=1'
	for mutant in ONE_PASS STAMP_OF_LANE F2_READER F2_WRITER; do
		echo "claim feed -DDEATHS=0 -DMUTANT_$mutant"
	done
	for mutant in TOLD_EARLY NOT_COMPLETED TOLD_TWICE UNLOCKED_FIRST NOT_FINISHED; do
		echo "claim feed -DCHANGES=1 -DMUTANT_$mutant"
	done
	echo 'claim feed -DCHANGES=1 -DCARTS=2 -DVIEWS=1 -DMUTANT_EQUAL_WAITS'
	echo 'claim feed -DCHANGES=3 -DDEATHS=0 -DMUTANT_LAPPED_IS_NONE'
	echo 'holds mark'
	for mutant in J1_WORKER J1_JOURNAL DRAINED_LATE; do
		echo "claim mark -DMUTANT_$mutant"
	done
	echo 'holds publish'
	for mutant in S1_WRITER S1_READER S2_WRITER S2_READER; do
		echo "claim publish -DMUTANT_$mutant"
	done
	echo 'holds lease -DREADERS=1 -DREADS=2'
	for mutant in S3_WRITER S3_READER NO_RECHECK TOLD_FIRST SETTLE_OVER LEASE_FIRST \
		RENEW_BLIND LONG_LATE PUBLISH_RENEWS REPAIR_RENEWS; do
		echo "claim lease -DMUTANT_$mutant"
	done
	echo 'stuck publish -DMUTANT_S4_WRITER'
	echo 'stuck publish -DMUTANT_S4_WAITER'
}

# True if pan's report has the expected result. A search that ended early (depth, memory, time)
# proves nothing.
as_expected() { # EXPECTED REPORT
	case $1 in
	holds)
		grep -q 'errors: 0$' "$2" &&
			! grep -qE 'Search not completed|search depth too small|out of memory' "$2"
		;;
	claim)
		grep -q '^pan:1: assertion violated' "$2" && ! grep -q 'invalid array index' "$2"
		;;
	stuck) grep -q '^pan:1: invalid end state' "$2" ;;
	esac
}

run_one() { # NUMBER EXPECTED MODEL FLAGS...
	local work=$directory/$1 expected=$2 model=$3 ignore=() state=RED start took states
	shift 3
	start=$(date +%s%N)
	rm -rf "$work" && mkdir -p "$work" && cp "$model.pml" "$work" && cd "$work" || return
	# where a claim should fail, an invalid end state does not count
	[[ $expected != claim ]] || ignore=(-E)
	# -O0: compiling takes longer than searching
	if spin -a "$@" "$model.pml" >report 2>&1 &&
		gcc -w -O0 -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c >>report 2>&1; then
		timeout 600 ./pan -m1000000 "${ignore[@]}" >>report 2>&1
		as_expected "$expected" report && state='ok '
	fi
	took=$((($(date +%s%N) - start) / 100000000))
	states=$(awk '/ states, stored/ { print $1; exit }' report)
	[[ $expected == holds ]] && expected=verified || expected="rejected ($expected)"
	printf '%s %-17s %-8s %10s states %3d.%d s  %s\n' "$state" "$expected" "$model" \
		"${states:-no}" $((took / 10)) $((took % 10)) "$*"
	[[ $state == RED ]] && grep -v '^Depth' report | tail -n 20 | sed 's/^/     | /'
	[[ $state == RED ]] || rm -rf "$work"
}
export -f run_one as_expected

# the large runs first: at the end they would leave CPUs idle
table | grep -E -e "$pattern" | awk '{ print NR, $0 }' |
	xargs -P "$(nproc)" -L 1 bash -c 'run_one "$@"' run_one | tee "$directory/lines"
passed=$(grep -c '^ok ' "$directory/lines")
failed=$(grep -c '^RED ' "$directory/lines")
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
