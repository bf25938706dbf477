#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each program in examples/ compiles against an installed Corral, runs, and prints what the comment
# at its head says.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -e "${BUILD:-build}") || exit 2
CC=${CC:-gcc}
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
root=$tmp/root prefix=/opt/corral
export CORRAL_DIR=$tmp/carts LD_LIBRARY_PATH=$root$prefix/lib

at_the_end() {
	"$BUILD/corral-agent" --stop >/dev/null 2>&1
}

compile() { # NAME
	local flags sanitize
	# the runtime of a sanitized library must come first: in the program
	sanitize=$(grep -oE -- '-fsanitize=[^ ]+' "$BUILD/flags" | head -n 1)
	flags=$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig pkg-config \
		--cflags --libs corral) || return
	# shellcheck disable=SC2086 # the flags are many words, and so may CC be
	$CC -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Wall -Wextra -Wpedantic \
		-Werror $sanitize -o "$tmp/$1" "examples/$1.c" $flags
}

# The indented lines behind the line of its head that ends with "the first time:".
promised() { # NAME
	sed -n '/the first time:$/,/^ \*\/$/ s/^ \*   //p' "examples/$1.c"
}

fails_without_a_store() { # NAME
	! CORRAL_DIR=$tmp/nowhere "$tmp/$1" >"$tmp/printed" 2>"$tmp/why" && [[ -s $tmp/why ]]
}

prints_what_it_promises() { # NAME
	[[ -n $(promised "$1") ]] && timeout 30 "$tmp/$1" >"$tmp/printed" &&
		diff <(promised "$1") "$tmp/printed"
}

claim "make install works" env -u MAKEFLAGS -u MFLAGS make -s install-files BUILD="$BUILD" \
	DESTDIR="$root" PREFIX=$prefix
claim "the agent starts" "$BUILD/corral-agent" --size 16M --max-carts 100 --daemon
for source in examples/*.c; do
	name=$(basename "$source" .c)
	claim "$name compiles with pkg-config's flags" compile "$name"
	claim "$name fails with a reason where there is no store" fails_without_a_store "$name"
	claim "$name prints what its head promises" prints_what_it_promises "$name"
done
claim "the store is sound afterwards" "$BUILD/corral" check

report_claims
