#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the programs that are named, as many at once as there are cores, since much of their time is spent waiting. What
# each printed comes in one piece, those that failed last. A program that was killed counts as one that failed, and so
# does one that takes longer than five minutes: it hangs.
#   tests/unit/run.sh PROGRAM...
set -uo pipefail

if [ $# = 0 ]; then
	echo "usage: $0 PROGRAM...    (make unit does it)" >&2
	exit 2
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# shellcheck disable=SC2016 # the inner shell's own
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c '
	log=$1/$(basename "$2")
	started=$SECONDS
	timeout -k 10 300 "$2" >"$log" 2>&1
	code=$?
	echo "$code" >"$log.code"
	echo "   $((SECONDS - started)) s" >>"$log"
' run "$logs" {}

failed=()
for program in "$@"; do
	log=$logs/$(basename "$program")
	if [ "$(cat "$log.code" 2>/dev/null)" = 0 ]; then
		echo "== $program"
		cat "$log"
	else
		failed+=("$program")
	fi
done
for program in "${failed[@]}"; do
	log=$logs/$(basename "$program")
	echo "== $program"
	cat "$log"
	# One that died did not count its own failures.
	grep -q '^\[  FAILED  \]' "$log" || echo "[  FAILED  ] 1 test(s), the program ended with $(cat "$log.code" 2>/dev/null || echo nothing)"
done
[ ${#failed[@]} = 0 ]
