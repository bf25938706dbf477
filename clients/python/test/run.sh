#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Test the Python client of a build (make python-test). Usage: BUILD=dir clients/python/test/run.sh
# REGEX, of the names of test files and tests.
#
# With PYTHON_TEST=long the tests that repeat something do so as often as the nightly run does. The
# last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")" || exit 2
BUILD=$(realpath -e "../../../${BUILD:-build}" 2>/dev/null || realpath -e "$BUILD") || exit 2
pattern=${1:-.}
export CORRAL_BUILD=$BUILD PYTHONPATH=$BUILD/python PYTHONDONTWRITEBYTECODE=1
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/cp.XXXXXX") || exit 2
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

preload=
if [[ ${SANITIZE:-} == *address* ]]; then
	# A sanitizer's runtime has to be in the process before the extension, and sees only what
	# malloc() gives.
	preload=$(${CC:-gcc} -print-file-name=libasan.so)
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} PYTHONMALLOC=malloc
fi
LD_PRELOAD=$preload "${PYTHON:-python3}" run.py "$pattern"
