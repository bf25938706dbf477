#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line of each benchmark of corral-bench: --help lists all of its options, and a wrong
# argument is refused before anything is measured, made or printed.
#
# Usage: [BUILD=dir] tests/bench/66_options.sh [CLAIM...]   from the repository's root
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

mapfile -t benchmarks < <("$BUILD/corral-bench" list | awk '{ print $1 }')
too_much=99999999999999999999999

help_of() { # BENCHMARK
	"$BUILD/corral-bench" "$1" --help
}

# The options that have a value of this kind: --help says "--carts N[,N...]", "--json FILE".
options_of() { # BENCHMARK REGEX
	help_of "$1" | sed -nE "s/^  (--[a-z-]+) ($2) .*/\1/p"
}

refused() { # BENCHMARK ARGUMENT...: sets out
	local code=0 said
	said=$(TMPDIR=$place/tmp timeout -k 5 20 "$BUILD/corral-bench" "$@" 2>"$place/err") ||
		code=$?
	out=$(<"$place/err")
	[[ $code -eq 2 ]] || fail "$*: exit code $code, not 2: $said $out"
	[[ -z $said ]] || fail "$*: it says something: $said"
	[[ $out == "corral-bench: "* ]] || fail "$*: its complaint is: $out"
	[[ -z $(ls "$place/tmp") ]] || fail "$*: it made $(ls "$place/tmp")"
}

# The benchmark's other required arguments, so that only one thing is wrong.
operands_of() { # BENCHMARK
	case $1 in
	replay) echo "bench/replay/orders.tsv" ;;
	report) echo "$place/none" ;;
	esac
}

# ------------------------------------------------------------- claims

each_benchmark_explains_itself() {
	local name
	[[ ${#benchmarks[@]} -gt 10 ]] || fail "few benchmarks: ${benchmarks[*]}"
	for name in "${benchmarks[@]}"; do
		out=$(help_of "$name") || fail "$name --help: exit code $?"
		has "Usage: corral-bench $name " "[OPTION]..." "--help "
		[[ $(grep -c '^  --' <<<"$out") -ge 2 ]] || fail "$name has no options: $out"
	done
}

help_shows_the_defaults_beside_any_other_option() {
	out=$("$BUILD/corral-bench" get --carts 5,6 --bytes 600 --help)
	has "--carts N[,N...]      numbers of carts (default 100,10000,200000)" "(default 5120)"
}

unknown_options_are_refused() {
	local name
	mkdir "$place/tmp"
	for name in "${benchmarks[@]}"; do
		# shellcheck disable=SC2046 # none or one
		refused "$name" $(operands_of "$name") --no-such-option
		has "no such option: --no-such-option: see corral-bench $name --help"
	done
	refused get --workers 2 # other benchmarks have it
	refused get --threads
	refused contend --zipf
}

numbers_out_of_range_are_refused() {
	local name option count=0
	mkdir "$place/tmp"
	for name in "${benchmarks[@]}"; do
		for option in $(options_of "$name" '(N|MS|S|K|N\[,N\.\.\.\])'); do
			# shellcheck disable=SC2046
			refused "$name" $(operands_of "$name") "$option" "$too_much"
			# shellcheck disable=SC2046
			refused "$name" $(operands_of "$name") "$option" -1
			# shellcheck disable=SC2046
			refused "$name" $(operands_of "$name") "$option" 5x
			if [[ $option == --seconds && $out == *"such as 2 or 0.25"* ]]; then
				has "--seconds '5x': not a number of seconds"
			else
				has "$option '5x': not a whole number"
			fi
			# shellcheck disable=SC2046
			refused "$name" $(operands_of "$name") "$option"
			count=$((count + 1))
		done
	done
	[[ $count -gt 30 ]] || fail "only $count options have numbers"
	refused scale --workers 0
	refused scale --workers 65
	has "--workers '65': too large a number (1 to 64)"
	refused get --bytes 511
}

seconds_are_whole_or_have_three_decimals() {
	local text
	mkdir "$place/tmp"
	for text in '' . .5 1. 1.2345 1e3 0x1 ' 1' 1,5 +1 -1; do
		refused get --seconds "$text"
		has "--seconds '$text': not a number of seconds" "such as 2 or 0.25 (0.001 to 60)"
	done
	for text in 0 0.000 60.001 61 18446744073709551616; do
		refused get --seconds "$text"
		has "--seconds '$text': too " " a time (0.001 to 60)"
	done
	refused rate --seconds 0.25 --interval 500
	has "--seconds 0.25 is less than one interval of 500 ms"
}

lists_have_no_bad_numbers() {
	local name option
	mkdir "$place/tmp"
	for name in "${benchmarks[@]}"; do
		for option in $(options_of "$name" 'N\[,N\.\.\.\]'); do
			refused "$name" "$option" 1,0
			refused "$name" "$option" 1,,2
			refused "$name" "$option" ''
			refused "$name" "$option" 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17
			has "$option '" "more than 16 numbers"
		done
	done
}

unexpected_arguments_are_refused() {
	local name
	mkdir "$place/tmp"
	for name in "${benchmarks[@]}"; do
		[[ $name != report ]] || continue
		# shellcheck disable=SC2046
		refused "$name" $(operands_of "$name") --dir "$place/none" more
		has "one word too many: more: see corral-bench $name --help"
	done
	refused replay
	refused report
	has "something is missing: FILE"
	refused recovery # it has no directory option
	refused replay bench/replay/orders.tsv --keep
	refused replay bench/replay/orders.tsv --restaurant ''
	refused peers --peers corral,nobody
	has "no peer 'nobody'"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
