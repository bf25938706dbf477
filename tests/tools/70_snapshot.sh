#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral snapshot and corral restore, from the outside: a restored cart is the same, other programs
# can read the file, a damaged file is refused before anything is changed, and an existing file
# stays until the new one is whole.
#
# Usage: [BUILD=dir] tests/tools/70_snapshot.sh [CLAIM...]   from the root; timeout: 120
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
source tests/kit/agent_kit.sh

# ------------------------------------------------------------- places

second() { # an agent for another arena; `dir` becomes that one's, `first` the former one's
	first=$dir
	dir=$place/second
	start "$@"
}

fill() { # carts of all kinds
	local n
	corral 0 add roma all --item p1 --name 'Mar"gherita é' --price 12.99 --quantity 2 \
		--modifier cheese=1.50 --modifier small=-2 --note "well done" --tax 8.25% \
		--op-id call-1
	corral 0 add roma all --item p2 --name Wine --price 99999999.99 --quantity 999999
	corral 0 attribute roma all phone 555-0100
	corral 0 attribute roma all table 7
	for ((n = 1; n <= 20; n++)); do
		corral 0 add roma many --item "i$n" --name "Item $n" --price "$n.05" --op-id "n$n"
	done
	corral 0 remove roma many 7
	corral 0 quantity roma many 9 40
	corral 0 tax napoli empty 100%
	add napoli cleared
	corral 0 clear napoli cleared
	add napoli out
	corral 0 ttl napoli out 2h
	corral 0 checkout napoli out --op-id out
}

# The decoder knows Corral only by corral-snapshot(5), and perl is in every Debian.
read_by_others() { # FILE: a line for each cart
	perl - "$1" <<'END'
use strict;
use warnings;
open my $file, '<:raw', $ARGV[0] or die;
my $bytes = do { local $/; <$file> };
my $at = 0;
sub take {
	my $n = shift;
	die "cut off" if $at + $n > length $bytes;
	$at += $n;
	substr $bytes, $at - $n, $n
}
sub uint { my $n = shift; my $v = 0; $v = $v << 8 | $_ for unpack 'C*', take($n); $v }
sub sint {
	my $n = shift;
	my $v = uint($n);
	$n < 8 && $v >> (8 * $n - 1) ? $v - (1 << 8 * $n) : unpack 'q', pack 'Q', $v
}
sub map_of {
	my ($n, %m) = shift;
	for (1 .. $n) {
		my $k = object();
		die "twice: $k" if exists $m{$k};
		$m{$k} = object();
	}
	\%m
}
sub object {
	my $t = uint(1);
	return $t if $t < 0x80;
	return $t - 256 if $t >= 0xe0;
	return map_of($t & 15) if $t < 0x90;
	return [map { object() } 1 .. $t & 15] if $t < 0xa0;
	return take($t & 31) if $t < 0xc0;
	return undef if $t == 0xc0;
	return $t - 0xc2 if $t == 0xc2 || $t == 0xc3;
	return take(uint(1 << $t - 0xc4)) if $t >= 0xc4 && $t <= 0xc6;
	return uint(1 << $t - 0xcc) if $t >= 0xcc && $t <= 0xcf;
	return sint(1 << $t - 0xd0) if $t >= 0xd0 && $t <= 0xd3;
	return take(uint(1 << $t - 0xd9)) if $t >= 0xd9 && $t <= 0xdb;
	return [map { object() } 1 .. uint(2 << $t - 0xdc)] if $t == 0xdc || $t == 0xdd;
	return map_of(uint(2 << $t - 0xde)) if $t == 0xde || $t == 0xdf;
	die sprintf 'no such tag: %02x', $t;
}
my $header = object();
die 'header' if $header->{corral_snapshot} != 1 || length $header->{hash_seed} != 8 ||
	!$header->{taken_ms};
my ($carts, $before) = (0, 0);
while (1) {
	$before = $at;
	my $cart = object();
	if ($cart->{end}) {
		die 'trailer' if $cart->{carts} != $carts || length $cart->{sum} != 8 ||
			$at != length $bytes;
		printf "sum %s of %d bytes\n", unpack('H*', $cart->{sum}), $before;
		last;
	}
	$carts++;
	my ($subtotal, $items) = (0, 0);
	for my $line (@{$cart->{lines}}) {
		my $modifiers = 0;
		$modifiers += $_->[1] for @{$line->{words}{modifiers}};
		die 'modifiers' if $modifiers != $line->{modifiers_cents} ||
			$line->{line} >= $cart->{next_line};
		$subtotal += $line->{quantity} * ($line->{unit_price_cents} + $modifiers);
		$items += $line->{quantity};
	}
	die 'totals' if $subtotal != $cart->{subtotal_cents} || $items != $cart->{item_count} ||
		$cart->{subtotal_cents} + $cart->{tax_cents} != $cart->{total_cents};
	length $_->{id} == 16 && $_->{version} <= $cart->{version} or die 'ops' for @{$cart->{ops}};
	my @names = map { $_->{words}{name} } @{$cart->{lines}};
	my @pairs = map { "$_=$cart->{attributes}{$_}" } sort keys %{$cart->{attributes}};
	print join('|', @$cart{qw(restaurant_id session_id version status total_cents ttl_ms)},
		scalar @{$cart->{ops}}, @names[0 .. ($#names > 1 ? 1 : $#names)], @pairs), "\n";
}
END
}

# ------------------------------------------------------------- claims

carts_of_all_kinds_come_back_as_they_were() {
	local before
	start
	fill
	before=$(carts) || fail "$before"
	corral 0 snapshot "$place/file"
	has "5 carts, "
	[[ $(stat -c %a "$place/file") == 600 ]] || fail "its mode is $(stat -c %a "$place/file")"
	second
	corral 0 restore "$place/file"
	has "5 carts restored" "operation ids forgotten"
	diff <(echo "$before") <(carts) || fail "other carts"
	corral 0 check
	add roma all # as in a cart that was made here
	dir=$first
	corral 0 restore "$place/file" --merge
	has "0 carts restored" "5 there as new" "operation ids kept"
}

the_time_to_live_goes_on_as_it_was() {
	local before after
	start
	add roma s
	corral 0 ttl roma s 1h
	corral 0 snapshot "$place/file"
	second --ttl 2h
	corral 0 restore "$place/file"
	corral 0 show roma s --json
	after=${out##*\"expires_at\":\"}
	after=$(date -d "${after%%\"*}" +%s)
	before=$(($(date +%s) + 3600))
	# an hour and its grain (28.1 s, so 29 in whole seconds), of which little has passed:
	# neither two hours nor none
	[[ $after -ge $((before - 300)) && $after -le $((before + 29)) ]] ||
		fail "it ends at $after, not by $before"
}

operation_ids_count_in_the_arena_they_were_given_in() {
	start
	fill
	corral 0 snapshot "$place/file"
	corral 0 drop roma all
	corral 0 restore "$place/file" --merge
	has "1 cart restored" "operation ids kept"
	corral 0 add roma all --item p1 --name 'Mar"gherita é' --price 12.99 --quantity 2 \
		--modifier cheese=1.50 --modifier small=-2 --note "well done" --tax 8.25% \
		--op-id call-1 --json
	has '"applied":false'
	corral 1 add roma all --item p1 --name 'Mar"gherita é' --price 12.99 --quantity 3 \
		--modifier cheese=1.50 --modifier small=-2 --note "well done" --tax 8.25% \
		--op-id call-1
	has "the operation id was given to another change"
}

an_arena_with_carts_is_filled_only_if_asked() {
	start
	add roma s
	corral 0 snapshot "$place/file"
	corral 1 restore "$place/file"
	has "has carts already" "--merge"
	add roma s
	add roma later
	corral 0 restore "$place/file" --merge --json
	[[ $out == \
		'{"restored":0,"as_new":1,"ended":0,"refused":0,"operation_ids_kept":true,'* ]] ||
		fail "$out"
	corral 0 show roma s --json
	has '"version":2'
}

another_program_reads_it() {
	local sum size
	start
	fill
	corral 0 snapshot "$place/file"
	read_by_others "$place/file" >"$place/read" || fail "it does not"
	LC_ALL=C sort -o "$place/read" "$place/read"
	diff - <(grep -v ^sum "$place/read") <<'END' || fail "it reads something else"
napoli|cleared|2|open|0|0|0
napoli|empty|1|open|0|0|0
napoli|out|3|checked_out|100|7200000|1|Item
roma|all|4|open|10824989173920205|0|1|Mar"gherita é|Wine|phone=555-0100|table=7
roma|many|22|open|55690|0|20|Item 1|Item 2
END
	read -r _ sum _ size _ < <(grep ^sum "$place/read")
	[[ $(head -c "$size" "$place/file" | xxhsum -H3 - | grep -oE '[0-9a-f]{16}') == "$sum" ]] ||
		fail "another sum than $sum"
}

each_cart_is_whole_while_others_write() {
	local n writers=()
	start
	for n in 1 2 3; do
		(while [[ ! -e $place/stop ]]; do
			"$BUILD/corral" --dir "$dir" add roma "$n" --item "i$RANDOM" --name I \
			--price 0.99 --quantity 3 --tax 7% ||
				exit
			"$BUILD/corral" --dir "$dir" quantity roma "$n" 1 "$((RANDOM + 1))"
			"$BUILD/corral" --dir "$dir" clear roma "$n"
			"$BUILD/corral" --dir "$dir" drop roma "$n"
		done) >/dev/null 2>&1 &
		writers+=($!)
	done
	add roma still
	for n in {1..8}; do
		corral 0 snapshot "$place/$n"
		read_by_others "$place/$n" >"$place/read" || { touch "$place/stop" &&
			fail "cart in snapshot $n"; }
		grep -q '^roma|still|1|' "$place/read" ||
			fail "a cart that was there all the while is not in snapshot $n"
	done
	touch "$place/stop"
	wait "${writers[@]}"
	second
	corral 0 restore "$place/8"
	corral 0 check
}

an_incomplete_snapshot_changes_nothing() { # FILE
	corral 1 restore "$1"
	corral 0 ls --json
	[[ $out == '['*']' && $out != *restaurant_id* ]] || fail "there are carts now: $out"
}

a_file_cut_off_anywhere_is_refused() {
	local size cut
	start
	fill
	corral 0 snapshot "$place/file"
	second
	size=$(stat -c %s "$place/file")
	for ((cut = 0; cut < size; cut += cut < size - 12 ? 293 : 1)); do
		head -c "$cut" "$place/file" >"$place/cut"
		an_incomplete_snapshot_changes_nothing "$place/cut"
	done
	cat "$place/file" "$place/file" >"$place/cut"
	an_incomplete_snapshot_changes_nothing "$place/cut"
	corral 0 restore "$place/file"
}

one_changed_byte_anywhere_is_found() {
	local size at byte
	start
	fill
	corral 0 snapshot "$place/file"
	second
	size=$(stat -c %s "$place/file")
	for ((at = 0; at < size; at += RANDOM % 500 + 1)); do
		cp "$place/file" "$place/flipped"
		byte=$(od -An -tu1 -j "$at" -N 1 "$place/file")
		# shellcheck disable=SC2059 # the byte is a format
		printf "\\x$(printf %x $((byte ^ 1 << RANDOM % 8)))" |
			dd of="$place/flipped" bs=1 seek="$at" conv=notrunc status=none
		an_incomplete_snapshot_changes_nothing "$place/flipped" || fail "byte $at"
	done
}

what_is_no_plain_file_is_refused() {
	start
	add roma s
	mkdir "$place/directory"
	echo kept >"$place/target"
	ln -s target "$place/link"
	mkfifo "$place/fifo"
	for name in directory link fifo; do
		corral 2 snapshot "$place/$name"
	done
	[[ $(<"$place/target") == kept ]] || fail "the link's target was written"
	corral 1 restore "$place/fifo"
	corral 1 restore "$place/directory"
	corral 1 restore "$place/nothing"
	corral 5 snapshot "$place/nowhere/file"
	corral 2 snapshot
}

standard_output_is_a_file_too() {
	start
	add roma s
	"$BUILD/corral" --dir "$dir" snapshot - >"$place/file" 2>"$place/said" ||
		fail "$(<"$place/said")"
	grep -q '^1 cart, ' "$place/said" || fail "it says: $(<"$place/said")"
	out=$("$BUILD/corral" --dir "$dir" snapshot - 2>&1 >/dev/full) &&
		fail "a full device went unnoticed"
	has "cannot be written"
	second
	corral 0 restore "$place/file"
}

on_a_full_disk_the_former_file_stays() {
	start
	add roma s
	mkdir "$place/disk"
	mount -t tmpfs -o size=64k none "$place/disk" 2>/dev/null || skip "mounting is not allowed"
	corral 0 snapshot "$place/disk/file"
	sum=$(md5sum <"$place/disk/file")
	head -c 60k /dev/zero >"$place/disk/fill" 2>/dev/null
	corral 5 snapshot "$place/disk/file"
	has "No space left"
	[[ $(md5sum <"$place/disk/file") == "$sum" ]] || fail "it is another"
	[[ $(ls "$place/disk") == "file"$'\n'"fill" ]] ||
		fail "something is left: $(ls "$place/disk")"
	rm "$place/disk/fill"
	add roma s2
	corral 0 snapshot "$place/disk/file"
	has "2 carts"
	umount "$place/disk"
}

a_damaged_cart_is_named_and_left_out() {
	local at
	start
	add roma good
	corral 0 add roma bad --item i --name UniqueWordsOfThisCart --price 1
	at=$(grep -abo -m1 UniqueWords "$dir/arena" | head -n 1 | cut -d: -f1)
	printf X | dd of="$dir/arena" bs=1 seek="$at" conv=notrunc status=none
	corral 1 snapshot "$place/file"
	has "left out" "roma bad" "1 cart, "
	second
	corral 0 restore "$place/file"
	corral 0 show roma good
}

carts_whose_time_is_up_here_are_counted() {
	start
	add roma s
	sleep 0.3
	corral 0 snapshot "$place/file"
	second --ttl 100ms
	corral 0 restore "$place/file"
	has "0 carts restored" "1 ended"
}

without_an_arena_nothing_can_be_done() {
	start
	add roma s
	corral 0 snapshot "$place/file"
	dir=$place/none
	corral 3 snapshot "$place/other"
	[[ ! -e $place/other ]] || fail "a file was made"
	corral 3 restore "$place/file"
	has corral-agent
}

# All later versions must read a snapshot of today.
format_1_is_readable() {
	start
	corral 0 restore tests/samples/snapshot-1
	has "5 carts restored of 2026-"
	diff tests/samples/snapshot-1.json <(carts) || fail "other carts"
	corral 0 check
}

# ------------------------------------------------------------- run

mapfile -t all < <(claims_of "$0" | grep -v ^what_is_no_whole)
run_claims "${@:-${all[@]}}"
