#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make check: everything that must hold, from nothing to booted hosts, and the count at the end. Stops at the
# first step that fails and shows what that step printed; every step's output is in build/check.
#   tests/run-all.sh [STEP]...     only these steps (see the end of this file)
set -uo pipefail

cd "$(dirname "$0")/.." || exit
BUILD=$(realpath -m "${BUILD:-build}")
LOGS=$BUILD/check
PYTHON=/usr/bin/python3
export BUILD TENANTD_BUILD=$BUILD PYTHONDONTWRITEBYTECODE=1
unset MAKEFLAGS MAKELEVEL MFLAGS
JOBS=-j$(nproc)
started=$SECONDS
passed=0
failed=0
mkdir -p "$LOGS"

# Adds up what a regular expression's second group says in the log.
sum() {
	sed -nE "s/$1/\\2/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# What cmocka and pytest say at their ends.
count() {
	passed=$((passed + $(sum '(^\[  PASSED  \] )([0-9]+) test.*' "$1") + $(sum '(^|.*[ =])([0-9]+) passed.*' "$1")))
	failed=$((failed + $(sum '(^\[  FAILED  \] )([0-9]+) test.*' "$1") + $(sum '(^|.*[ =])([0-9]+) (failed|error).*' "$1")))
}

finish() {
	wait
	echo
	echo "$passed passed, $failed failed"
	exit "$1"
}

is_wanted() {
	[ ${#wanted[@]} = 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]
}

step() {
	local name=$1 text=$2 log=$LOGS/$1.log before=$SECONDS code
	shift 2
	is_wanted "$name" || return 0
	printf '== %-8s %s\n' "$name" "$text"
	"$@" >"$log" 2>&1
	code=$?
	count "$log"
	if [ $code != 0 ]; then
		[ "$failed" -gt 0 ] || failed=1
		echo "----- the end of $log"
		tail -n 80 "$log"
		echo "-----"
		echo "$name failed after $((SECONDS - before)) s (exit status $code); all of its output is in $log"
		finish 1
	fi
	printf '   %-8s done in %d s\n' "$name" $((SECONDS - before))
}

# shellcheck disable=SC2317 # called through step
has_python_tests() {
	[ -n "$(find tests/python -name 'test_*.py' -print -quit 2>/dev/null)" ]
}

# shellcheck disable=SC2317
python_tests() {
	PYTHONPATH=lib/python $PYTHON -m pytest -q -p no:cacheprovider tests/python
}

# In two halves at once, each with a PostgreSQL of its own: much of their time is spent waiting.
# shellcheck disable=SC2317
control_tests() {
	local half code=0 running=() files=(tests/control/test_*.py)
	for half in 0 1; do
		printf '%s\n' "${files[@]}" | awk -v half="$half" 'NR % 2 == half' |
			xargs "$PYTHON" -m pytest -q -p no:cacheprovider --durations=10 >"$LOGS/control-$half.log" 2>&1 &
		running+=($!)
	done
	for half in 0 1; do
		wait "${running[half]}" || code=1
		cat "$LOGS/control-$half.log"
	done
	return "$code"
}

wanted=("$@")
if [ "$(id -u)" != 0 ]; then
	echo "make check boots hosts in containers: run it as root" >&2
	exit 1
fi

step deps "what the tests need" tests/install-deps.sh build check
# What the hosts stand on is fetched beside the builds. What goes wrong there is said when the hosts want it.
if is_wanted hosts; then
	PYTHONPATH=tests/hosts $PYTHON -c 'from hostlib import rootfs; rootfs.base()' >"$LOGS/rootfs.log" 2>&1 &
fi
step gcc "build with gcc, warnings are errors" make "$JOBS" CC=gcc DEV=1 all
step clang "build with clang, warnings are errors" make "$JOBS" CC=clang DEV=1 all
step unit "unit tests" make "$JOBS" CC=gcc DEV=1 unit
step sanitize "unit tests under address and undefined-behaviour sanitizers" make "$JOBS" CC=gcc SANITIZE=address,undefined unit
step replay "every corpus file into its fuzz target, under the sanitizers" make "$JOBS" CC=gcc SANITIZE=address,undefined replay
if has_python_tests; then
	step python "the Python package" python_tests
fi
step control "the control plane, with a PostgreSQL of its own" control_tests
step deb "Debian packages" packaging/build-deb.sh
step hosts "booted hosts" tests/hosts/run.sh

echo
echo "all steps in $((SECONDS - started)) s"
finish 0
