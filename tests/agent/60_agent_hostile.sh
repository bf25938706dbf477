#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Input that members of the group give the agent: names that would forge lines of its log, damage
# without end, clients that stay silent; and what other users can read of it: its log after a
# rotation, its core dump.
#
# Usage: [BUILD=dir] tests/agent/60_agent_hostile.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

logged() { # TEXT: wait until the log has it
	local n
	for ((n = 0; n < 200; n++)); do
		! grep -qF -- "$1" "$dir/agent.log" || return 0
		sleep 0.05
	done
	fail "no '$1' in: $(cat -v "$dir/agent.log")"
}

# Kill a worker of that name while it has the arena open.
dies() { # NAME
	local worker n
	rm -f "$place/watched"
	cp "$BUILD/corral" "$place/$1"
	"$place/$1" --dir "$dir" watch r s >"$place/watched" 2>&1 &
	worker=$!
	for ((n = 0; n < 200; n++)); do
		[[ ! -s $place/watched ]] || break
		sleep 0.05
	done
	kill -9 "$worker"
	wait "$worker" 2>/dev/null
}

# ------------------------------------------------------------- claims

names_of_programs_forge_no_lines_of_the_log() {
	start
	add r s
	dies $'x\n2026 forged\e[2J'
	logged 'x\n2026 forged'
	! grep -q '^2026 forged' "$dir/agent.log" || fail "forged: $(cat -v "$dir/agent.log")"
	! grep -q $'\e' "$dir/agent.log" || fail "raw: $(cat -v "$dir/agent.log")"
}

names_of_files_forge_no_lines_of_a_salvage() {
	start
	agent 0 --stop
	mkdir "$dir"/$'journal.damaged.1\nforged\e[2J'
	agent 0 --salvage
	[[ $out == *'journal.damaged.1\nforged\x1b[2J'* ]] || fail "not named: $out"
	[[ $out != *$'\e'* && $out != *$'\nforged'* ]] || fail "raw: $(cat -v <<<"$out")"
}

lines_of_one_kind_are_limited_and_counted() {
	start
	local n lines
	add r s
	for ((n = 0; n < 40; n++)); do
		dies "worker$n"
	done
	lines=$(grep -c 'is gone without detaching' "$dir/agent.log")
	[[ $lines -ge 1 && $lines -le 10 ]] || fail "$lines lines"
	agent 0 --stop
	grep -q 'more lines like this one were held back: pid .*worker' "$dir/agent.log" ||
		fail "$(<"$dir/agent.log")"
}

a_log_that_was_moved_is_made_anew() {
	start
	add r s
	mv "$dir/agent.log" "$dir/agent.log.1"
	kill -HUP "$pid"
	local n
	for ((n = 0; n < 200; n++)); do
		[[ ! -e $dir/agent.log ]] || break
		sleep 0.05
	done
	dies worker
	logged worker
	! grep -q worker "$dir/agent.log.1" || fail "it writes into the old file"
	[[ $(stat -c %a "$dir/agent.log") == 660 ]] || fail "mode $(stat -c %a "$dir/agent.log")"
	kill -0 "$pid" || fail "it has ended"
}

# The contents of a core dump: all private memory that is not excluded from it ("dd" in smaps). Each
# area is judged by its own flags: AddressSanitizer's 14 TiB of shadow are left out of a dump.
dumped() { # PID
	local from to
	awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1; private = $2 ~ /^rw.p$/ }
		/^VmFlags:/ && private && !/ dd/ { print range }' "/proc/$1/smaps" |
		while IFS=- read -r from to; do
			dd if="/proc/$1/mem" bs=4096 skip=$((0x$from / 4096)) \
				count=$(((0x$to - 0x$from) / 4096)) status=none 2>/dev/null
		done
}

its_core_dump_has_no_texts_of_carts() {
	start --journal 10ms
	local n
	for ((n = 0; n < 20; n++)); do
		corral 0 add r "s$n" --item "SECRETOFACUSTOMER$n" --name Item --price 1.00 --sync
	done
	dumped "$pid" >"$place/core"
	grep -qa 'corral-agent' "$place/core" || skip "its memory cannot be read here"
	! grep -qa SECRETOFACUSTOMER "$place/core" ||
		fail "$(grep -ca SECRETOFACUSTOMER "$place/core") parts have it"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
