#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Make a sample of one version of Corral before its layout changes: an arena and what is in it, or a
# full arena.
#
# Usage: tests/samples/make.sh arena|full NAME BUILD   BUILD: the build directory of that version
set -euo pipefail
kind=$1 name=$2 BUILD=$(realpath -e "$3")
here=$(realpath "$(dirname "$0")")
dir=$(mktemp -d)/dir
trap '"$BUILD/corral-agent" --dir "$dir" --stop 2>/dev/null || :; rm -rf "${dir%/dir}"' EXIT
corral() { "$BUILD/corral" --dir "$dir" "$@" >/dev/null; }
begin() {
	"$BUILD/corral-agent" --dir "$dir" --size 4M --max-carts "$1" --ttl 45m --daemon 2>/dev/null
}
end() {
	"$BUILD/corral-agent" --dir "$dir" --stop
	# line 3 begins with the id of the boot: of none, so that time stands still in it
	dd if=/dev/zero of="$dir/arena" bs=16 seek=12 count=1 conv=notrunc status=none
	xz -9e <"$dir/arena" >"$here/$name.xz"
}

if [[ $kind == full ]]; then
	begin 175
	note=$(head -c 100 /dev/zero | tr '\0' x)
	sizes=(16 32 48 64) # lines of a cart, and operations that it remembers
	for ((n = 0; n < 175; n++)); do
		for ((line = 0; line < sizes[n % 4]; line++)); do
			corral add full "$n" --item "$line" --name Item --price 1 --note "$note" \
				--op-id "$line" 2>/dev/null || break 2
		done
	done
	end
	exit
fi

begin 100
corral add roma all --item p1 --name 'Mar"gherita é' --price 12.99 --quantity 2 \
	--modifier cheese=1.50 --modifier small=-2 --note "well done" --tax 8.25% --op-id call-1
corral add roma all --item p2 --name Wine --price 99999999.99 --quantity 999999
corral attribute roma all phone 555-0100
corral attribute roma all table 7
for n in {1..20}; do
	corral add roma many --item "i$n" --name "Item $n" --price "$n.05" --op-id "n$n"
done
corral remove roma many 7
corral quantity roma many 9 40
corral tax napoli empty 100%
corral add napoli cleared --item i --name Item --price 1
corral clear napoli cleared
corral add napoli out --item i --name Item --price 2 --tax 19% --note 'no onions'
corral checkout napoli out
corral add napoli long --item i --name Item --price 3
corral ttl napoli long 8000h
for n in {1..9}; do
	corral add roma gone --item i --name Item --price 4
done
corral add roma behind --item i --name Item --price 5
corral drop roma gone
corral show roma all --json # a touch

while read -r restaurant session; do
	line=$("$BUILD/corral" --dir "$dir" show "$restaurant" "$session" --json)
	echo "${line%,\"expires_at\"*}"
done >"$here/$name.json" < <("$BUILD/corral" --dir "$dir" ls --json | tr '{' '\n' |
	sed -n 's/^"restaurant_id":"\([^"]*\)","session_id":"\([^"]*\)".*/\1 \2/p' | LC_ALL=C sort)
end
