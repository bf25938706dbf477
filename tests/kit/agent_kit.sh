# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# agent_kit.sh: sourced by the scripts that test corral-agent from the outside. A claim is a
# function whose name says what holds; run_claims runs each in a subshell with its own directory:
# $place, and $dir in it for the arena (not made yet). Every command has a time limit; a claim's
# agents are killed at its end.
# shellcheck disable=SC2034 # dir, pid and out are the claims'
# shellcheck disable=SC2119,SC2120 # start() may have arguments

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
[[ -x $BUILD/corral && -x $BUILD/corral-agent && -x $BUILD/tests/60_agent_socket ]] || {
	echo "no corral, corral-agent and tests in $BUILD"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/corral-agent.XXXXXX") || exit 2
chmod 755 "$work"
unset CORRAL_DIR NOTIFY_SOCKET NO_COLOR

end_processes() { # FILE...: whose pids are in these
	local pid
	while read -r pid; do
		kill -CONT "$pid" 2>/dev/null
		kill -9 "$pid" 2>/dev/null
	done < <(cat "$@" 2>/dev/null)
}

clean_up() {
	end_processes "$work"/*/pids
	find "$work" -maxdepth 2 -name disk -exec umount -l {} \; 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ------------------------------------------------------------------------- saying what must hold

fail() {
	echo "$*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# agent CODE ARGUMENT...: run corral-agent on $dir to its end; sets out (both streams)
agent() {
	local want=$1 code=0
	shift
	out=$(timeout -k 5 30 "$BUILD/corral-agent" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "corral-agent $*: exit code $code, not $want: $out"
}

corral() { # CODE ARGUMENT...
	local want=$1 code=0
	shift
	out=$(timeout -k 5 60 "$BUILD/corral" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "corral $*: exit code $code, not $want: $out"
}

has() { # TEXT...
	local text
	for text; do
		[[ $out == *"$text"* ]] || fail "no '$text' in: $out"
	done
}

start() { # ARGUMENT...: an agent in the background, ready; sets pid
	agent 0 --daemon --size 16M "$@"
	pid=$(agent_pid)
	[[ $pid -gt 1 ]] || fail "no pid in the lock file"
	echo "$pid" >>"$place/pids"
}

agent_pid() {
	head -c 10 "$dir/lock" | tr -d ' \n'
}

gone() { # PID: wait until it has ended, even if it is still an unreaped zombie
	local n state
	for ((n = 0; n < 300; n++)); do
		state=
		read -r _ _ state _ 2>/dev/null <"/proc/$1/stat"
		[[ -n $state && $state != Z ]] || return 0
		sleep 0.05
	done
	fail "pid $1 does not end"
}

add() { # R S
	corral 0 add "$1" "$2" --item i --name Item --price 1.00
}

sound() { # with no process attached, the arena has no fault
	corral 0 check
}

carts() { # each cart on a line, ordered, without the time when it ends
	local restaurant session
	corral 0 ls --json
	while read -r restaurant session; do
		corral 0 show "$restaurant" "$session" --json
		echo "${out%,\"expires_at\"*}"
	done < <(tr '{' '\n' <<<"$out" | sed \
		-n 's/^"restaurant_id":"\([^"]*\)","session_id":"\([^"]*\)".*/\1 \2/p' |
		LC_ALL=C sort)
}

# ------------------------------------------------------------------------- running claims

run_claims() { # CLAIM...: run them, say how it went, and exit
	local claim text code number passed=0 failed=0 skipped=0
	exec 3>&1
	for claim; do
		number=$((passed + failed + skipped))
		code=0
		text=$(
			place=$work/$number
			dir=$place/dir
			mkdir "$place"
			"$claim"
		) || code=$?
		end_processes "$work/$number/pids" # not so many that the next claim is slow
		rm -f "$work/$number/pids"
		case $code in
		0)
			echo "ok $claim"
			passed=$((passed + 1))
			;;
		77)
			echo "skipped $claim: $text"
			skipped=$((skipped + 1))
			;;
		*)
			echo "not ok $claim: $text"
			failed=$((failed + 1))
			;;
		esac
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	[[ $failed -eq 0 ]]
	exit
}

# Print the functions at the start of a line in the calling script, after its line "# ... claims".
claims_of() { # SCRIPT
	sed -n '/^# -* claims$/,$s/^\([a-z][a-z0-9_]*\)() {$/\1/p' "$1"
}
