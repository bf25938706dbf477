#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Install what a folder's package-lock.json says into another one, unless that was done before, and
# copy its files there; the client of a build is linked beside. Usage: install.sh FROM TO CLIENT
set -euo pipefail
from=$1 to=$2 client=$3
mkdir -p "$to"
if ! cmp -s "$from/package-lock.json" "$to/installed"; then
	cp "$from/package.json" "$from/package-lock.json" "$to/"
	npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --silent
	cp "$from/package-lock.json" "$to/installed"
fi
find "$from" -maxdepth 1 -type f -exec cp {} "$to/" \;
ln -sfn "$client" "$to/node_modules/corral-client"
