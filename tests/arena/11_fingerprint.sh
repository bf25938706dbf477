#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The layout's fingerprint changes when any struct of the arena grows: a program built with another
# layout.h is refused at attach. Checked on altered copies of the header.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

# fingerprint STRUCT BYTES: "SIZE FINGERPRINT" of a layout.h in which this struct has more bytes at
# its end
fingerprint() {
	# the asserts exist to prevent just this change
	awk -v name="$1" -v bytes="$2" '
		/^static_assert/ { skip = 1 }
		skip { if (/;[ \t]*$/) skip = 0; next }
		$0 ~ "^struct " name " \\{" { inside = 1 }
		inside && /^}/ { if (bytes > 0) print "\tuint8_t grown[" bytes "];"; inside = 0 }
		{ print }' shm/arena/layout.h >"$tmp/layout.h"
	cat >"$tmp/main.c" <<-END
		#include <stdio.h>
		#include "layout.h"
		int main(void)
		{
			printf("%zu %016llx\n", sizeof(struct $1),
			       (unsigned long long)LAYOUT_FINGERPRINT);
		}
	END
	"${CC:-gcc}" -std=gnu11 -I"$tmp" -Ishm -o "$tmp/main" "$tmp/main.c" && "$tmp/main"
}

while read -r name; do
	read -r size original <<<"$(fingerprint "$name" 0)"
	for bytes in 8 64; do
		read -r new_size changed <<<"$(fingerprint "$name" $bytes)"
		if [[ -n $changed && $new_size == "$size" ]]; then
			continue # the bytes went into padding: nothing moved
		elif [[ -n $changed && $changed != "$original" ]]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "struct $name of $new_size instead of $size bytes:" \
				"fingerprint '$changed' as before"
		fi
	done
done < <(sed -nE 's/^struct ([a-z_]+) \{.*/\1/p' shm/arena/layout.h)

echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
