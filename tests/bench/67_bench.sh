#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench journal, sync and snapshot: their figures have the form that the manual describes,
# each acknowledged change is in the carts, and they leave nothing behind. No test judges how long
# anything takes.
# timeout: 120
# shellcheck disable=SC2317 # functions are called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -e "${BUILD:-build}") || exit 2
bench=$BUILD/corral-bench
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
mkdir "$tmp/disk"

bench() {
	timeout -k 5 60 "$bench" "$@" >"$tmp/out" 2>"$tmp/err"
}

exits() { # exits CODE COMMAND...
	local wanted=$1
	shift
	"$@"
	local code=$?
	[[ $code -eq $wanted ]] || { echo "exit code $code" && return 1; }
}

figure() { # NAME
	sed -n "s/^$1 \(-\?[0-9.]*\) [^ ]*$/\1/p" "$tmp/out"
}

is_there() { # NAME...: each once
	local name
	for name; do
		[[ $(figure "$name" | wc -l) -eq 1 ]] || { echo "$name: $(figure "$name")" &&
			return 1; }
	done
}

is() { # NAME NUMBER
	[[ $(figure "$1") == "$2" ]] || { echo "$1 is $(figure "$1"), not $2" && return 1; }
}

at_least() { # NAME NUMBER
	local there
	there=$(figure "$1")
	[[ -n $there && ${there%.*} -ge $2 ]] || { echo "$1 is $there" && return 1; }
}

# A machine, a place, and then only figures.
has_the_form() { # NAME
	! grep -vE -e '^machine: .+, [0-9]+ cores, kernel .+$' -e '^directory: /.+ on .+$' \
		-e "^$1\.[a-z0-9_.]+ -?[0-9]+(\.[0-9]+)? [a-zA-Z%/1]+$" "$tmp/out" | grep . &&
		[[ $(head -n 1 "$tmp/out") == machine:* ]]
}

# All acknowledged changes are there, and there are some.
counts_agree() { # PREFIX
	at_least "$1changes" 1 && is "$1new_versions" "$(figure "$1changes")"
}

nothing_is_left() {
	! find "$tmp/disk" -mindepth 1 | grep .
}

small=(--bytes 1024 --dir "$tmp/disk")

claim "journal exits with 0" \
	exits 0 bench journal --carts 20 --workers 1,2 --rounds 2 --interval 50 "${small[@]}"
claim "its output has the form" has_the_form journal
for one in carts_20.workers_1 carts_20.workers_2; do
	claim "$one has each figure" is_there \
		"journal.$one."{off,on}_{adds_per_second,p50_ns,p99_ns,p99.9_ns} \
		"journal.$one."{off,on}_{add_cpu_ns,agent_cpu} \
		"journal.$one."{loss,cpu_loss,cpu_loss_with_agent,p99.9_ratio}
	claim "$one has as many rounds as it was told" is "journal.$one.rounds" 2
	claim "$one: the journal was written meanwhile" at_least "journal.$one.disk_syncs" 2
	claim "$one: what was acknowledged without a journal is there" counts_agree \
		"journal.$one.off_"
	claim "$one: what was acknowledged with one is there" counts_agree "journal.$one.on_"
done
claim "its directories are gone" nothing_is_left

claim "sync exits with 0" exits 0 bench sync --workers 1,4 --seconds 1 --carts 20 "${small[@]}"
claim "its output has the form" has_the_form sync
for one in 1 4; do
	claim "$one has each figure" is_there \
		"sync.workers_$one."{per_disk_sync,per_second,p50_us,p99_us,p99.9_us,max_us}
	claim "$one: syncs were acknowledged" at_least "sync.workers_$one.acknowledged" 1
	claim "$one: after syncs of the disk" at_least "sync.workers_$one.disk_syncs" 1
	claim "$one: what was acknowledged is there" counts_agree "sync.workers_$one."
done
claim "its directory is gone" nothing_is_left

claim "snapshot exits with 0" exits 0 bench snapshot --carts 20 --workers 2 --rounds 2 "${small[@]}"
claim "its output has the form" has_the_form snapshot
claim "it has each figure" is_there \
	snapshot.carts_20.{quiet,snapshot}_{add,nothing}_{p50,p99.9,p99.99,max,window_max}_us \
	snapshot.carts_20.{delay_p99.99_us,delay_window_max_us,delay_max_us,snapshot_p50_ms}
claim "it has as many rounds as it was told" is snapshot.carts_20.rounds 2
claim "there were snapshots in each" at_least snapshot.carts_20.snapshots 2
claim "what was acknowledged is there" counts_agree snapshot.carts_20.
claim "its directory is gone" nothing_is_left

for one in journal sync snapshot; do
	claim "$one explains itself" exits 0 bench "$one" --help
	claim "$one: a file is no argument" exits 2 bench "$one" orders.tsv
	claim "$one: no carts are refused" exits 2 bench "$one" --carts 0
	claim "$one: a directory that is not there is an error" exits 3 bench "$one" \
		--dir "$tmp/none"
done

report_claims
