#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-agent from the outside: starting, stopping, a second one, SIGKILL and restart, what it refuses, full
# disks, file modes. Each claim is a function with a directory of its own. Every command has a time limit.
#
# Usage: [BUILD=dir] tests/60_agent.sh [CLAIM...]   from the repository's root; timeout: 180
set -uo pipefail
shopt -s inherit_errexit

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
[[ -x $BUILD/corral && -x $BUILD/corral-agent && -x $BUILD/tests/60_agent_socket ]] || {
	echo "no corral, corral-agent and tests in $BUILD"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/corral-agent.XXXXXX") || exit 2
chmod 755 "$work"
unset CORRAL_DIR NOTIFY_SOCKET NO_COLOR

clean_up() {
	local pid
	while read -r pid; do
		kill -CONT "$pid" 2>/dev/null
		kill -9 "$pid" 2>/dev/null
	done < <(cat "$work"/*/pids 2>/dev/null)
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

gone() { # PID: wait until it is
	local n
	for ((n = 0; n < 300; n++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	fail "pid $1 does not end"
}

add() { # R S
	corral 0 add "$1" "$2" --item i --name Item --price 1.00
}

sound() { # nobody is attached: no fault
	corral 0 check
}

# ------------------------------------------------------------------------- claims

it_starts_and_stops_and_the_carts_stay() {
	start
	add r s
	agent 0 --stop
	gone "$pid"
	[[ ! -e $dir/agent.sock ]] || fail "the socket is left"
	corral 0 show r s
	has Item
	start
	corral 0 show r s
	has Item
	agent 0 --stop
	sound
}

it_stops_on_sigterm_and_sigint_and_not_on_sighup() {
	local signal
	for signal in TERM INT; do
		start
		kill -HUP "$pid"
		corral 0 status
		kill -$signal "$pid"
		gone "$pid"
	done
	sound
}

it_serves_in_the_foreground_and_logs_to_standard_error() {
	"$BUILD/corral-agent" --dir "$dir" --size 16M 2>"$place/err" &
	pid=$!
	echo "$pid" >>"$place/pids"
	for ((i = 0; i < 200; i++)); do
		grep -q ready "$place/err" && break
		sleep 0.05
	done
	out=$(<"$place/err")
	has "made an arena" ready
	add r s
	kill "$pid"
	wait "$pid" || fail "exit code $?"
}

stop_without_an_agent_exits_4() {
	agent 4 --stop
	start
	agent 0 --stop
	agent 4 --stop
}

a_second_agent_is_told_the_pid_of_the_first_and_exits_1() {
	start
	agent 1
	has "pid $pid"
	agent 1 --daemon
	has "pid $pid"
	kill -STOP "$pid" # a stopped owner is not replaced
	agent 1
	has "pid $pid"
	kill -CONT "$pid"
	corral 0 status
}

of_many_started_at_once_one_serves() {
	local i codes= started=()
	for ((i = 0; i < 20; i++)); do
		timeout -k 5 30 "$BUILD/corral-agent" --dir "$dir" --size 16M --daemon 2>/dev/null &
		started+=($!)
	done
	for i in "${started[@]}"; do
		wait "$i"
		codes+=" $?"
	done
	agent_pid >>"$place/pids"
	[[ $(tr -d ' 1' <<<"$codes") == 0 ]] || fail "exit codes:$codes"
	add r s
}

killed_and_restarted_it_keeps_all_carts() {
	local i
	start
	for ((i = 0; i < 5; i++)); do
		add r "s$i"
		kill -9 "$pid"
		gone "$pid"
		start
	done
	for ((i = 0; i < 5; i++)); do
		corral 0 show r "s$i"
		has Item
	done
	agent 0 --stop
	sound
}

workers_go_on_without_an_agent() {
	start
	add r s
	kill -9 "$pid"
	gone "$pid"
	add r s
	add r t
	corral 0 drop r t
	corral 0 show r s
	has "2"
	corral 0 ls
}

workers_go_on_while_the_agent_is_stopped() {
	start
	kill -STOP "$pid"
	for ((i = 0; i < 20; i++)); do
		add r s
		add r "s$i"
		corral 0 drop r "s$i"
	done
	kill -CONT "$pid"
	agent 0 --stop
	sound
}

twenty_thousand_carts_do_not_delay_a_start() {
	local i ready
	agent 0 --daemon --size 256M --max-carts 30000
	agent_pid >>"$place/pids"
	"$BUILD/tests/60_agent_socket" fill "$dir" 20000 >"$place/fill" || fail "cannot fill: $(<"$place/fill")"
	kill -9 "$(agent_pid)"
	gone "$(agent_pid)"
	ready=$(date +%s%N)
	agent 0 --daemon
	agent_pid >>"$place/pids"
	ready=$((($(date +%s%N) - ready) / 1000))
	corral 0 status
	has 20000
	echo "started over 20,000 carts in $ready us" >&3
}

it_serves_in_a_directory_of_any_length() {
	local length name
	for length in 60 88 89 90 91 92 93 94 95 96 97 98 99 100 107 108 109 200; do
		name=$(printf '%*s' $((length - ${#place} - 1)) '' | tr ' ' d)
		[[ -n $name ]] || continue
		dir=$place/$name
		start
		add r s
		agent 0 --stop
	done
	dir=$place/a/b/c
	start
}

wrong_options_exit_2() {
	local arguments
	for arguments in --nonsense "--size 1" "--size 3M" "--size 300G" "--size 10Q" "--size" "--ttl 1ms" \
		"--ttl nonsense" "--max-carts 0" "--max-carts 99999999999" "--log-level loud" "--daemon --stop" extra; do
		# shellcheck disable=SC2086
		agent 2 $arguments
		[[ -n $out ]] || fail "$arguments: nothing said"
	done
	[[ ! -e $dir ]] || fail "a directory was made"
	dir=redis://host agent 2
}

# spoil: $dir/arena is not what it was; the agent refuses it and changes no byte
refuses_unchanged() { # WHAT
	cp "$dir/arena" "$place/before"
	agent 3
	has "$dir"
	cmp -s "$dir/arena" "$place/before" || fail "$1: the file was changed"
	[[ $(find "$dir" -name 'arena*' | wc -l) -eq 1 ]] || fail "$1: more files than before"
}

foreign_newer_and_truncated_arenas_are_refused_and_not_touched() {
	start
	add r s
	agent 0 --stop
	cp "$dir/arena" "$place/good"
	head -c 100000 /dev/urandom >"$dir/arena"
	refuses_unchanged "a foreign file"
	: >"$dir/arena"
	refuses_unchanged "an empty file"
	head -c 100000 "$place/good" >"$dir/arena"
	refuses_unchanged "a truncated arena"
	cp "$place/good" "$dir/arena"
	printf '\x63' | dd of="$dir/arena" bs=1 seek=8 conv=notrunc status=none # layout_version
	refuses_unchanged "a newer arena"
	cp "$place/good" "$dir/arena"
	ln "$dir/arena" "$place/link"
	refuses_unchanged "an arena of two names"
	rm "$place/link"
	mv "$dir/arena" "$place/elsewhere"
	ln -s "$place/elsewhere" "$dir/arena"
	agent 3
	rm "$dir/arena"
	mkfifo "$dir/arena"
	agent 3
	rm "$dir/arena"
	cp "$place/good" "$dir/arena"
	start
	corral 0 show r s
}

a_directory_without_permission_is_refused() {
	local as=()
	mkdir -m 755 "$dir"
	if [[ $EUID -eq 0 ]]; then
		command -v setpriv >/dev/null || skip "no setpriv"
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
		"${as[@]}" test -x "$BUILD/corral-agent" || skip "nobody cannot reach $BUILD"
	else
		chmod 555 "$dir"
	fi
	local code=0
	out=$(timeout -k 5 30 "${as[@]}" "$BUILD/corral-agent" --dir "$dir" 2>&1) || code=$?
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
	has "$dir"
	[[ -z $(ls "$dir") ]] || fail "something was left: $(ls "$dir")"
	code=0
	out=$(timeout -k 5 30 "${as[@]}" "$BUILD/corral-agent" --dir "$dir/deeper" 2>&1) || code=$?
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
}

modes_do_not_depend_on_the_umask() {
	local mask file
	for mask in 000 022 077 177; do
		dir=$place/umask$mask
		(umask "$mask" && agent 0 --daemon --size 16M) || exit 1
		agent_pid >>"$place/pids"
		[[ $(stat -c %a "$dir") == 770 ]] || fail "umask $mask: directory $(stat -c %a "$dir")"
		for file in arena lock agent.sock agent.log; do
			[[ $(stat -c %a "$dir/$file") == 660 ]] || fail "umask $mask: $file $(stat -c %a "$dir/$file")"
		done
	done
}

small_disk() { # SIZE
	[[ $EUID -eq 0 ]] || skip "only root can mount"
	mkdir -p "$place/disk"
	mount -t tmpfs -o "size=$1" none "$place/disk" 2>/dev/null || skip "cannot mount a tmpfs"
	dir=$place/disk/dir
}

a_full_disk_refuses_the_creation_and_leaves_nothing() {
	small_disk 1M
	agent 3 --size 64M --max-carts 60000
	has "disk is full"
	[[ -z $(find "$dir" -name 'arena*') ]] || fail "left: $(ls "$dir")"
	mount -o remount,size=64M "$place/disk"
	agent 0 --daemon --size 64M # and recovers when the trouble ends
	agent_pid >>"$place/pids"
	add r s
	agent 0 --stop
	umount "$place/disk"
}

a_disk_that_runs_full_refuses_adds_and_the_carts_stay_readable() {
	small_disk 12M
	agent 0 --daemon --size 64M
	agent_pid >>"$place/pids"
	add r first
	head -c 100M /dev/zero >"$place/disk/ballast" 2>/dev/null
	"$BUILD/tests/60_agent_socket" fill "$dir" 20000 >"$place/fill" 2>&1 && fail "20,000 carts fitted: $(<"$place/fill")"
	out=$(<"$place/fill")
	has "disk is full"
	corral 0 show r first
	has Item
	corral 0 drop r first
	rm "$place/disk/ballast"
	add r second
	agent 0 --stop
	sound
	umount "$place/disk"
}

carts_outlive_kill_9_of_everything() {
	start
	add r s
	"$BUILD/tests/60_agent_socket" fill "$dir" 2000 >"$place/fill" 2>&1 &
	local worker=$!
	sleep 0.02
	kill -9 "$worker" "$pid" 2>/dev/null
	wait "$worker" 2>/dev/null
	gone "$pid"
	corral 0 show r s
	has Item
	start
	add r s
	agent 0 --stop
	sound
}

it_ends_idle_carts_and_frees_their_memory() {
	start --ttl 300ms
	for ((i = 0; i < 10; i++)); do
		add r "s$i"
	done
	for ((i = 0; i < 100; i++)); do
		corral 0 status
		[[ $out =~ expired_by_this_agent\ +10 ]] && break
		sleep 0.1
	done
	has "0 open, 0 checked out, 0 ending"
	corral 0 ls
	[[ $out != *s1* ]] || fail "still there: $out"
	agent 0 --stop
	sound
}

# ------------------------------------------------------------------------- main

claims=("$@")
[[ $# -gt 0 ]] || mapfile -t claims < <(sed -n '/^# -* claims$/,/^# -* main$/s/^\([a-z][a-z0-9_]*\)() {$/\1/p' "$0" |
	grep -v -e '^refuses_unchanged$' -e '^small_disk$')
passed=0 failed=0 skipped=0
exec 3>&1
for claim in "${claims[@]}"; do
	number=$((passed + failed + skipped))
	code=0
	text=$(
		place=$work/$number
		dir=$place/dir
		mkdir "$place"
		"$claim"
	) || code=$?
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
