#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two builds measured against each other: the revision BASE, built aside, and the programs in
# BUILD. Both run in turns, A B A B, so that what the machine does besides meets both. For each
# figure: the median of BASE and of this one, the median of the ratios of the pairs (this one /
# BASE), and the interval that the ratio is in with a confidence of at least 95 % (by the sign
# test: no distribution is assumed). A star: the interval leaves out 1. What is the same in all
# runs is not shown.
#
# Usage: bench/compare.sh [-n PAIRS] BUILD BASE BENCHMARK [ARGUMENT...]
#        (make compare BASE=REV ARGS="get --carts 100")

set -euo pipefail
usage() {
	sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
	exit 2
}

pairs=10
while getopts n: option; do
	case $option in
	n) pairs=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[[ $# -ge 3 && $pairs =~ ^[0-9]+$ ]] || usage
fail() {
	echo "compare.sh: $1" >&2
	exit 2
}
[[ $pairs -ge 10 ]] || fail "$pairs pairs are too few for an interval: at least 10"
BUILD=$(realpath -e "$1") base=$2
shift 2
cd "$(dirname "$0")/.."
commit=$(git rev-parse --verify --quiet "$base^{commit}") || fail "there is no revision '$base'"
aside=$BUILD/compare/$commit

# The other revision, as it was committed; kept, for the next comparison with it.
if [[ ! -e $aside/built ]]; then
	echo "building ${commit:0:12} in $aside" >&2
	rm -rf "$aside"
	mkdir -p "$aside"
	git archive "$commit" | tar -x -C "$aside"
	env -u MAKEFLAGS -u MFLAGS make -s -C "$aside" -j"$(nproc)" all BUILD=build DEPS=skip \
		>"$aside/log" 2>&1 || { tail -n 20 "$aside/log" >&2 && exit 1; }
	touch "$aside/built"
fi

# This one: copied, so that building goes on meanwhile.
runs=$(mktemp -d "$BUILD/compare/runs.XXXXXX")
trap 'rm -rf "$runs"' EXIT
mkdir "$runs/this"
cp "$BUILD"/corral "$BUILD"/corral-agent "$BUILD"/corral-bench "$runs/this"

measure() { # PROGRAM ARGUMENT...: what it says is shown if it fails
	"$@" >"$runs/log" 2>&1 || { cat "$runs/log" >&2 && return 1; }
}

# "FIGURE VALUE UNIT" on each line; out of the JSON where there is one: it is more exact.
run() { # PROGRAMS FILE ARGUMENT...
	local programs=$1 file=$2
	shift 2
	if "$programs/corral-bench" "$1" --help | grep -q -- --json; then
		measure "$programs/corral-bench" "$@" --json "$runs/json" || return 1
		awk -F'"' '/"name":/ { name = $4 }
			/"value":/ { value = $3; gsub(/[:, ]/, "", value) }
			/"unit":/ { print name, value, $4 }' "$runs/json" >"$file"
	else
		measure "$programs/corral-bench" "$@" || return 1
		awk 'NF >= 2 && $1 ~ /^[a-z0-9_]+\./ && $2 ~ /^-?[0-9.]+$/ { print $1, $2, $3 }' \
			"$runs/log" >"$file"
	fi
}

for ((pair = 1; pair <= pairs; pair++)); do
	echo "pair $pair of $pairs" >&2
	run "$aside/build" "$runs/base.$pair" "$@"
	run "$runs/this" "$runs/this.$pair" "$@"
done

awk -v pairs="$pairs" -v base="${commit:0:12}" '
	function sort(a, n,    i, j, x) {
		for (i = 2; i <= n; i++) {
			x = a[i]
			for (j = i - 1; j >= 1 && a[j] > x; j--)
				a[j + 1] = a[j]
			a[j + 1] = x
		}
	}
	function median(a, n) {
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	# The greatest k with P(fewer than k of n ratios lie on one side of the true median) at
	# most 2.5 %: the median is between the k-th ratio from below and the k-th from above.
	function rank(n,    k, p, sum) {
		p = 0.5 ^ n
		for (k = 0; sum + p <= 0.025; k++) {
			sum += p
			p = p * (n - k) / (k + 1)
		}
		return k
	}
	FNR == 1 {
		side = FILENAME ~ /\/base\.[0-9]+$/ ? "base" : "this"
		pair = FILENAME
		sub(/.*\./, "", pair)
	}
	{
		value[side, pair, $1] = $2
		if (!($1 in unit)) {
			name[++names] = $1
			unit[$1] = $3
		}
	}
	END {
		printf "%-52s %14s %14s  %-6s %6s  %s\n", "figure", base, "this", "unit", "ratio", \
			"95 % interval"
		for (i = 1; i <= names; i++) {
			f = name[i]
			n = same = 0
			for (pair = 1; pair <= pairs; pair++) {
				if (!(("base", pair, f) in value) || !(("this", pair, f) in value))
					continue
				a = value["base", pair, f]
				b = value["this", pair, f]
				same += a == b
				if (a <= 0)
					continue
				n++
				x[n] = a
				y[n] = b
				r[n] = b / a
			}
			if (n < 10 || same == pairs)
				continue
			sort(x, n)
			sort(y, n)
			sort(r, n)
			k = rank(n)
			low = r[k]
			high = r[n + 1 - k]
			printf "%-52s %14.6g %14.6g  ", f, median(x, n), median(y, n)
			printf "%-6s %6.3f  %.3f to %.3f%s\n", unit[f], median(r, n), low, high, \
				(low > 1 || high < 1 ? " *" : "")
		}
	}' "$runs"/base.* "$runs"/this.*
