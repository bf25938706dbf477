#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The contract suite (tests/contract/contract.c) holds in an arena, whatever its agent does about
# the disk, and with no agent. Another engine is judged by BUILD/tests/contract/contract LOCATION.
#
# Usage: [BUILD=dir] tests/contract/59_contract.sh [CLAIM...]   from the root; timeout: 240
# shellcheck disable=SC2317,SC2154,SC2030,SC2031,SC2119 # claims are called by name, in subshells
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

contract_holds() {
	local log=$place/contract.log code=0
	timeout 200 "$BUILD/tests/contract/contract" "dir:$dir" >"$log" 2>&1 || code=$?
	[[ $code -eq 0 ]] || fail "exit code $code: $(grep -vE '^\[ +(RUN|OK) ' "$log")"
	grep -qE '^\[ +OK ' "$log" || fail "no case was run"
}

# ------------------------------------------------------------------------- claims

the_contract_holds_in_an_arena_without_a_journal() {
	start --journal off
	contract_holds
	sound
}

the_contract_holds_where_changes_wait_for_the_disk() {
	start --journal sync
	contract_holds
	sound
}

the_contract_holds_while_no_agent_runs() {
	start --journal 20ms
	agent 0 --stop
	gone "$pid"
	contract_holds
	sound
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
