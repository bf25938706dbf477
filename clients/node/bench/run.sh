#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compare the Node client with what else keeps carts, and a cluster with one whose carts are in Maps
# (make bench-node). Usage: run.sh BUILD [calls|cluster]
# The peers are installed into BUILD/node-bench as package-lock.json says; better-sqlite3 is
# compiled there with the headers of the node that runs.
set -euo pipefail
build=$(realpath -e "$1")
what=${2:-all}
cd "$(dirname "$0")"
export CORRAL_CLIENT=$build/node
if [[ $what != calls ]]; then
	../install.sh ../examples/voice-order "$build/node-example" "$CORRAL_CLIENT"
	node cluster.mjs "$build"
fi
[[ $what != cluster ]] || exit 0
work=$build/node-bench
mkdir -p "$work"
if ! cmp -s package-lock.json "$work/package-lock.json"; then
	cp package.json "$work/"
	cp package-lock.json "$work/npm-shrinkwrap.json"
	(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --silent)
	prefix=$(dirname "$(dirname "$(realpath "$(command -v node)")")")
	(cd "$work/node_modules/better-sqlite3" &&
		npm exec --yes -- node-gyp rebuild --release --nodedir="$prefix" \
			>"$work/sqlite.log" 2>&1) ||
		echo "better-sqlite3 cannot be built, see $work/sqlite.log: it is left out" >&2
	cp package-lock.json "$work/package-lock.json"
fi
cp ./*.cjs "$work/"
exec node "$work/bench.cjs"
