# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# claim_kit.sh: sourced by scripts whose claims are commands. $tmp is a directory of their own,
# which goes at the end, after `at_the_end`, a function that the script may define.
# shellcheck disable=SC2317 # functions are called by name

tmp=$(mktemp -d "${TMPDIR:-/tmp}/corral-test.XXXXXX") || exit 2
at_the_end() { :; }
trap 'at_the_end; rm -rf "$tmp"' EXIT
passed=0 failed=0

# claim WORDS [COMMAND...]: the command succeeds (with none, the function of that name). If it does
# not, its output is shown, and that of the programs it ran, where the script keeps it in
# $tmp/out and $tmp/err.
claim() {
	local words=$1
	[[ $# -eq 1 ]] || shift
	if "$@" >"$tmp/claim" 2>&1; then
		passed=$((passed + 1))
		echo "ok $words"
	else
		failed=$((failed + 1))
		echo "not ok $words: $*"
		cat "$tmp/claim" "$tmp/out" "$tmp/err" 2>/dev/null | tail -n 100 | sed 's/^/     /'
	fi
}

# The last line of the script, and its exit code.
report_claims() {
	echo "$passed passed, $failed failed"
	[[ $failed -eq 0 ]]
}
