#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An arena of an earlier boot: workers are refused until an agent has verified it. A sound one is
# kept, with the same time left for its carts; a damaged one is set aside. All without a journal,
# which would take precedence: 67_journal.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build}
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
dir=

stop_agent() { "$build/corral-agent" --dir "$dir" --stop >/dev/null 2>&1; }
at_the_end() { stop_agent; }

cart() { "$build/corral" --dir "$dir" "$@"; }
start_agent() {
	"$build/corral-agent" --dir "$dir" --size 16M --max-carts 64 --journal off \
		--daemon 2>"$tmp/err"
}

# The header's boot_id is at 192, clock_offset_ns at 208: set them as after a reboot, when the clock
# restarts.
pretend_another_boot() {
	printf '\x01%.0s' {1..16} | dd of="$dir/arena" bs=1 seek=192 conv=notrunc status=none
}

fresh() {
	stop_agent
	dir=$tmp/$1
	start_agent && cart add r s --item burger --name Burger --price 8.99 >/dev/null &&
		stop_agent
}

a_worker_is_refused() {
	cart show r s >/dev/null 2>"$tmp/err"
	[[ $? -eq 3 ]] && grep -q 'last boot' "$tmp/err"
}

an_agent_carries_on() {
	start_agent && cart show r s --json >"$tmp/after" &&
		grep -q '"total_cents":899' "$tmp/after" &&
		[[ $(ls "$dir") != *damaged* ]]
}

the_time_left_is_kept() {
	local left
	left=$(cart ls | awk '$1 == "r" { print $NF }')
	[[ $left == 30m* || $left == 29m* ]]
}

carts_can_be_changed() { cart add r s --item coke --name Coke --price 1.00 >/dev/null; }

# One byte in the middle of the only cart's words.
damage_the_cart() {
	local at
	at=$(grep -abo burger "$dir/arena" | tail -n 1 | cut -d: -f1)
	[[ -n $at ]] && printf 'X' | dd of="$dir/arena" bs=1 seek="$at" conv=notrunc status=none
}

a_damaged_one_is_rebuilt() {
	start_agent && compgen -G "$dir/arena.damaged.*" >/dev/null &&
		grep -q 'rebuilt: 0 carts kept' "$tmp/err" &&
		[[ $(cart ls | wc -l) -eq 1 ]] && carts_can_be_changed
}

what_was_set_aside_can_be_checked() {
	"$build/corral" check "$dir"/arena.damaged.* >"$tmp/out"
	[[ $? -eq 1 ]]
}

claim 'a cart is made and its agent stopped' fresh sound
pretend_another_boot
claim 'after a reboot a worker is refused, and told why' a_worker_is_refused
claim 'an agent verifies the arena and carries on with it' an_agent_carries_on
claim 'the time that a cart has left is what it was' the_time_left_is_kept
claim 'its carts can be changed' carts_can_be_changed
claim 'another arena is made' fresh damaged
claim 'one byte of its cart is damaged' damage_the_cart
pretend_another_boot
claim 'a damaged arena of an earlier boot is rebuilt and kept, and the agent starts' \
	a_damaged_one_is_rebuilt
claim 'what was set aside can still be looked at' what_was_set_aside_can_be_checked
report_claims
