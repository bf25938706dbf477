#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compare the Python client with a dict, copy.deepcopy and Redis (make bench-python).
# Usage: PYTHON=python3 clients/python/bench/run.sh BUILD
set -euo pipefail
build=$(realpath -e "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/bench-python.XXXXXX")
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$work"' EXIT
redis-server --port 0 --unixsocket "$work/redis" --save '' --appendonly no --maxmemory 64mb \
	--dir "$work" >"$work/log" &
server=$!
for _ in {1..100}; do
	[[ ! -S $work/redis ]] || break
	sleep 0.1
done
PYTHONPATH=$build/python TMPDIR=$work "${PYTHON:-python3}" "$(dirname "$0")/bench.py" "$work/redis"
