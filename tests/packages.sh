#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages' life on a Debian of their own, whose first process is systemd (tests/bare.sh
# packages): a lower version is installed and used, upgraded while a worker goes on, removed, and
# purged; so is one of the former layout. /packages/new has the packages, /packages/lower/VERSION
# those of a lower version (0.1.9, and 0.1.8 with the former layout), /corral has the sources.
# shellcheck disable=SC2317 # claims are functions that are called by name
set -uo pipefail
cd /corral || exit 2
export DEBIAN_FRONTEND=noninteractive HOME=/root
place=/var/lib/corral
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
chmod 755 "$tmp"
exec 3>&1 # the transcript, also while a claim is tried

# ------------------------------------------------------------------ what is said

show() { # COMMAND...: as in a terminal
	echo "# $*"
	"$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}

new_version() {
	sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog
}

apt() { # of what it says, that which is of our packages; all of it if it fails
	echo "# apt-get $*" >&3
	if ! apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >"$tmp/apt" 2>&1; then
		cat "$tmp/apt"
		return 1
	fi
	sed -n '/corral/s/^/    /p' "$tmp/apt" >&3
}

wait_until() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[[ $SECONDS -lt $end ]] || return 1
		sleep 0.05
	done
}

# ------------------------------------------------------------------ what must hold

served() { # VERSION
	wait_until 20 systemctl -q is-active corral-agent &&
		[[ $(corral --version) == "corral $1" ]] &&
		[[ $(corral-agent --version) == "corral-agent $1" ]]
}

agent_pid() {
	systemctl show -P MainPID corral-agent
}

running_agent_is_the_installed_one() {
	[[ /proc/$(agent_pid)/exe -ef /usr/bin/corral-agent ]]
}

as() { # USER COMMAND...: in the groups that the user has, without rights
	setpriv --reuid "$1" --regid "$1" --init-groups env CORRAL_DIR=$place HOME=/ "${@:2}"
}

build_pulse() {
	# shellcheck disable=SC2046 # words
	gcc -o "$tmp/pulse" debian/tests/pulse.c $(pkg-config --cflags --libs corral)
}

add_carts() {
	local n
	for n in {1..20}; do
		as worker corral add luigi "many-$n" --item burger --name "Burger $n" \
			--price 8.99 --quantity "$n" || return
	done
}

start_worker() { # sets worker; it adds until end_worker
	setpriv --reuid worker --regid worker --init-groups env CORRAL_DIR=$place HOME=/ \
		"$tmp/pulse" >"$tmp/pulse.out" &
	worker=$!
}

end_worker() {
	kill "$worker"
	wait "$worker"
	echo "    the worker: $(cat "$tmp/pulse.out")"
}

more_than() { # COUNT: are there more in the worker's line?
	[[ $(quantity) -gt $1 ]]
}

quantity() { # of the worker's line; by a copy of the tool that no package removes
	as worker "$tmp/corral" show luigi pulse --json 2>/dev/null |
		sed -n 's/.*"item_count":\([0-9]*\).*/\1/p'
}

added() { # what the worker says
	sed -n 's/ added.*//p' "$1"
}

directory_is_the_groups() {
	[[ $(stat -c '%U:%G %a' $place) == "corral:corral 2770" ]]
}

agent_has_no_rights() {
	grep -E '^Uid:\s+0\s' "/proc/$(agent_pid)/status" && return 1
	grep -E '^CapEff:\s+0+$' "/proc/$(agent_pid)/status" &&
		grep -E '^NoNewPrivs:\s+1$' "/proc/$(agent_pid)/status"
}

readme_example_prints() { # TEXT
	[[ $(as worker "$tmp/example") == "$1" ]]
}

javascript_worker_prints() { # TEXT
	[[ $(as worker node -e "
		const cart = require('corral-client').open().cart('luigi', 'call-19')
		const item = { menuItemId: 'coke', name: 'Coke', unitPriceCents: 250 }
		const { itemCount, totalCents } = cart.add(item, { opId: 'javascript' })
		console.log(itemCount + ' items, ' + totalCents + ' cents')") == "$1" ]]
}

python_worker_prints() { # TEXT
	[[ $(as worker python3 -c "
import corral
cart = corral.open().cart('luigi', 'call-20')
answer = cart.add(corral.Item('coke', 250), op_id='python')
print(f'{answer.item_count} items, {answer.total_cents} cents')") == "$1" ]]
}

stranger_is_refused() {
	local code=0
	as stranger corral show luigi call-17 || code=$?
	[[ $code -eq 3 ]]
}

unit_is_sound() { # NAME
	[[ -z $(systemd-analyze --man=no verify "$1.service" 2>&1 | tee /dev/stderr) ]]
}

web_is_off() {
	! systemctl -q is-active corral-web && ! systemctl -q is-enabled corral-web
}

web_is_gone() {
	! systemctl -q is-active corral-web && ! web_serves .
}

web_serves() { # TEXT: is it in the metrics?
	{ exec 4<>/dev/tcp/127.0.0.1/8347; } 2>/dev/null || return
	printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
	grep -E "$1" <&4
}

web_is_the_installed_one() {
	[[ /proc/$(systemctl show -P MainPID corral-web)/exe -ef /usr/bin/corral-web ]]
}

agent_is_gone() {
	! systemctl is-active corral-agent && [[ ! -S $place/agent.sock ]]
}

other_agent() { # PID: is the agent up, and not this one?
	[[ $(agent_pid) != "$1" && $(agent_pid) != 0 ]] && corral status >/dev/null 2>&1
}

restarts_after_a_kill() {
	local pid
	pid=$(agent_pid)
	[[ $pid -gt 0 ]] && kill -9 "$pid"
	wait_until 20 other_agent "$pid"
}

all_is_sound() {
	corral --dir $place check
}

carts() { # what does not depend on the version
	local n
	for n in {1..20}; do
		as worker corral show luigi "many-$n" --json |
			grep -oE '"(version|item_count|total_cents|name)":[^,}]*'
	done
}

other_layout() { # is the arena of one that the new version does not read?
	local code=0
	corral --dir $place ls || code=$?
	[[ $code -eq 3 ]]
}

worker_adds() {
	local before
	before=$(quantity)
	start_worker
	wait_until 20 more_than "$before"
	end_worker
	[[ $(quantity) -gt $before ]]
}

purge() {
	apt purge '*corral*'
}

find_former() {
	[[ -e $(echo $place/arena.layout*) ]]
}

left() { # what has our name on this machine
	find / -xdev \( -path /packages -o -path /corral -o -path "$tmp" \
		-o -path /var/cache/apt \) -prune -o -name '*corral*' -print
}

nothing_but_configuration() { # and what systemd and dpkg remember
	! left | grep -vE "^(/etc|/var/lib/systemd|/var/lib/dpkg/info)/|^$place$"
}

nothing_is_left() {
	! left | grep . && ! dpkg -l '*corral*' | grep -E '^[a-z]+ '
}

autopkgtests_pass() {
	autopkgtest --no-built-binaries /packages/new/*.deb /corral -- null
}

# ------------------------------------------------------------------ measured

# How long nobody answered: a line of milliseconds for each outage of the agent.
watch_agent() {
	local start=0 now
	while [[ ! -e $tmp/watched ]]; do
		now=$(date +%s%3N)
		if corral --dir $place status >/dev/null 2>&1; then
			[[ $start -eq 0 ]] || echo $((now - start))
			start=0
		elif [[ $start -eq 0 ]]; then
			start=$now
		fi
		sleep 0.01
	done
}

start_watch() {
	rm -f "$tmp/watched"
	watch_agent >"$tmp/outages" &
	watcher=$!
}

end_watch() {
	touch "$tmp/watched"
	wait "$watcher"
	echo "    no agent answered for: $(tr '\n' ' ' <"$tmp/outages")ms"
}

# ------------------------------------------------------------------ the life

echo "== a lower version is installed and used"
useradd --system --no-create-home worker
useradd --system --no-create-home stranger
claim "the lower version can be installed" apt install /packages/lower/0.1.9/*.deb
cp /usr/bin/corral "$tmp/corral"
claim "the agent serves, of version 0.1.9" served 0.1.9
claim "it is started with the machine" systemctl is-enabled corral-agent
claim "it has neither root's user nor a capability" agent_has_no_rights
claim "the carts' directory is of user and group corral, 2770" directory_is_the_groups
claim "systemd finds nothing to say of the unit" unit_is_sound corral-agent
show systemd-analyze --no-pager security corral-agent.service | tail -n 1
claim "its exposure is at most 1.5" \
	systemd-analyze --no-pager security --threshold=15 corral-agent.service
show usermod -a -G corral worker
claim "a worker without rights, in the group, adds by the README's lines" as worker corral add \
	luigi call-17 --item burger --name Burger --price 8.99 --quantity 2 --modifier bacon=1.50
claim "and shows" as worker corral show luigi call-17
claim "a stranger is refused" stranger_is_refused
claim "a compiler and pkg-config can be installed" apt install gcc libc6-dev pkg-config
sed -n '/^```c$/,/^```$/{/^```/!p}' README.md >"$tmp/example.c"
# shellcheck disable=SC2046 # words
claim "the README's worker is built with the packages" \
	gcc -o "$tmp/example" "$tmp/example.c" $(pkg-config --cflags --libs corral)
claim "and counts" readme_example_prints "3 items, 2048 cents"
claim "and so does one in JavaScript" javascript_worker_prints "1 items, 250 cents"
claim "and one in Python" python_worker_prints "1 items, 250 cents"
claim "corral-web is not started by itself" web_is_off
claim "systemd finds nothing to say of its unit" unit_is_sound corral-web
show systemd-analyze --no-pager security corral-web.service | tail -n 1
claim "its exposure is at most 2" \
	systemd-analyze --no-pager security --threshold=20 corral-web.service
claim "it can be started" systemctl start corral-web
claim "and shows how many carts there are" wait_until 20 web_serves '^corral_carts.*open.* 4$'
claim "an agent that is killed is started again" restarts_after_a_kill
claim "with the carts" readme_example_prints "6 items, 4096 cents"

echo "== upgraded while a worker adds"
claim "a worker that adds without end is built" build_pulse
as worker corral show luigi call-18 --json | sed 's/,"expires_at.*//' >"$tmp/before"
start_worker
start_watch
claim "it adds" wait_until 20 more_than 0
former=$(agent_pid)
start=$(date +%s%3N)
claim "the new version can be installed over it" apt install /packages/new/*.deb
echo "    the upgrade took $(($(date +%s%3N) - start)) ms"
claim "another agent runs" wait_until 20 other_agent "$former"
claim "it serves, of the new version" served "$(new_version)"
claim "it is the program that is installed" running_agent_is_the_installed_one
claim "so is corral-web" wait_until 20 web_is_the_installed_one
claim "which shows the cart of the worker, too" wait_until 20 web_serves '^corral_carts.*open.* 5$'
claim "the worker goes on with the library that it had" wait_until 20 more_than "$(quantity)"
end_worker
end_watch
claim "what it added is there, once" test "$(quantity)" = "$(added "$tmp/pulse.out")"
as worker corral show luigi call-18 --json | sed 's/,"expires_at.*//' >"$tmp/after"
claim "a cart of before has the same bytes" cmp "$tmp/before" "$tmp/after"
claim "the README's worker of the lower version counts on" \
	readme_example_prints "9 items, 6144 cents"
claim "all is sound" all_is_sound

echo "== removed, with a worker at it"
before=$(quantity)
start_worker
claim "it adds" wait_until 20 more_than "$before"
claim "agent and tool can be removed" apt remove corral corral-agent corral-web \
	corral-bench
claim "no agent runs" agent_is_gone
claim "no corral-web runs" web_is_gone
claim "the carts are left, and the worker goes on" wait_until 20 more_than "$(quantity)"
end_worker
before=$(quantity)
claim "the library can be removed" apt remove libcorral0 libcorral-redis0 libcorral-dev
claim "no program, page or unit is left" nothing_but_configuration

echo "== installed again"
claim "the packages can be installed again" apt install /packages/new/*.deb
claim "the agent serves" wait_until 20 corral status
claim "with the carts" test "$(quantity)" = "$before"

echo "== purged"
claim "the packages can be purged" purge
claim "the carts are gone" test ! -e $place
claim "nothing else is left" nothing_is_left
claim "but the user" getent passwd corral

echo "== a version with the former layout is upgraded while a worker adds"
claim "it can be installed" apt install /packages/lower/0.1.8/*.deb
cp /usr/bin/corral "$tmp/corral"
claim "the agent serves, of version 0.1.8" served 0.1.8
claim "a worker is built with it" build_pulse
claim "it adds twenty carts" add_carts
carts >"$tmp/before"
start_worker
start_watch
claim "another worker adds" wait_until 20 more_than 0
claim "the new version can be installed over it" apt install /packages/new/*.deb
claim "the worker goes on with the arena that it has" wait_until 20 more_than "$(quantity)"
claim "which the new version leaves alone" other_layout
end_worker
start=$(date +%s%3N)
claim "the agent serves, once the worker has ended" wait_until 20 corral status
echo "    $(($(date +%s%3N) - start)) ms after its end"
end_watch
cp /usr/bin/corral "$tmp/corral"
claim "it is of the new version" served "$(new_version)"
claim "what the worker added is there, once" test "$(quantity)" = "$(added "$tmp/pulse.out")"
carts >"$tmp/after"
claim "and so are all carts" cmp "$tmp/before" "$tmp/after"
claim "a worker that is built now" build_pulse
claim "adds, too" worker_adds
claim "the former file is kept" find_former
claim "all is sound" all_is_sound
claim "all can be purged" purge
claim "the carts of both layouts are gone" test ! -e $place

echo "== autopkgtest"
claim "autopkgtest can be installed" apt install autopkgtest build-essential
# a server outside may have its port
systemctl -q mask redis-server 2>/dev/null
claim "all tests of debian/tests pass" autopkgtests_pass
sed -n '/@ summary$/,/ Binaries: /{/autopkgtest \[/!s/^/    /p}' "$tmp/claim"

rm -rf "$tmp"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
