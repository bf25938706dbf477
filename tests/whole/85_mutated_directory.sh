#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A sample of the mutator (tests/fuzz/mutate.c), with a seed that stays: directories with an arena
# and a journal are damaged, and all programs have to cope. `make fuzz K=mutate` does more of it.
# timeout: 300
set -uo pipefail

: "${BUILD:?}"
ROUNDS=60
if "$BUILD/tests/fuzz/mutate" -n "$ROUNDS" -S "${CORRAL_SEED:-1}" "$BUILD"; then
	echo "1 passed, 0 failed"
else
	echo "0 passed, 1 failed"
	exit 1
fi
