#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Carts on one Redis server: the contract of all calls, and the tool.
#
# Usage: [BUILD=dir] tests/redis/86_redis.sh [CLAIM...]   from the root; timeout: 120
# shellcheck disable=SC2317,SC2154,SC2030,SC2031,SC2119 # claims are called by name, in subshells
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/redis_kit.sh
. tests/kit/redis_kit.sh

# ------------------------------------------------------------------------- claims

the_contract_holds_on_one_server() {
	one_server
	contract_holds_at "$location"
}

the_tool_takes_a_location() {
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	at 0 add r s --item burger --name Burger --price 8.99 --op once
	at 0 add r s --item burger --name Burger --price 8.99 --op once
	has "already applied"
	at 0 show r s
	has "17.98"
	at 0 ls
	has "17.98"
	out=$(CORRAL_DIR=$location "$BUILD/corral" ls 2>&1)
	has "17.98"
	at 0 checkout r s
	at 1 add r s --item tea --name Tea --price 1
	at 0 drop r s
	at 1 show r s
	at 0 ls
	[[ $out != *17.98* ]] || fail "a cart that ended is listed: $out"
}

what_is_no_cart_is_no_answer() {
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	ask one SET 'corral:{r/s}' nonsense >/dev/null
	at 3 show r s
	ask one SET 'corral:{r/s}' "C2$(printf '0%.0s' {1..40})" >/dev/null
	at 3 show r s
	has "version"
	ask one LPUSH 'corral:{r/t}' list >/dev/null
	at 3 show r t
	at 0 ls
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
