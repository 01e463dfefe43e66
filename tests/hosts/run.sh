#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tests on booted hosts, some files at once: hosts mostly wait. Each file has hosts, networks and folders of its own;
# what they share (the Debian under them, the packages) is made under a lock or only read.
#   tests/hosts/run.sh [FILE]...     HOSTS_AT_ONCE: how many files; 1: one after the other
# All output comes at the end, file by file, what failed last. A file whose run did not end by itself has failed.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
BUILD=$(realpath -m "${BUILD:-build}")
export TENANTD_BUILD=$BUILD PYTHONDONTWRITEBYTECODE=1 LOGS=$BUILD/check/hosts
# The longest ones, which are not to begin when all others have ended.
LONG="test_fleet_faults test_audit_spool test_session_fleet test_session_ test_matrix test_sso_ test_jupyterhub test_trouble test_packages"

files=("$@")
[ ${#files[@]} -gt 0 ] || files=(tests/hosts/test_*.py)
rm -rf "$LOGS"
mkdir -p "$LOGS"

in_order() {
	local word
	for word in $LONG; do
		printf '%s\n' "${files[@]}" | grep "/$word"
	done
	printf '%s\n' "${files[@]}"
}

# shellcheck disable=SC2317 # called by xargs
run_file() {
	local name
	name=$(basename "$1" .py)
	/usr/bin/python3 -m pytest -v -p no:cacheprovider --durations=10 "$1" >"$LOGS/$name.log" 2>&1
	echo $? >"$LOGS/$name.code"
}
export -f run_file

# shellcheck disable=SC2016
in_order | awk '!seen[$0]++' | xargs -P "${HOSTS_AT_ONCE:-3}" -I '{}' bash -c 'run_file "$1"' run_file '{}'

code=0
failed=()
for file in "${files[@]}"; do
	name=$(basename "$file" .py)
	if [ "$(cat "$LOGS/$name.code" 2>/dev/null)" = 0 ]; then
		cat "$LOGS/$name.log"
	else
		failed+=("$name")
		code=1
	fi
done
for name in "${failed[@]}"; do
	[ ! -e "$LOGS/$name.log" ] || cat "$LOGS/$name.log"
	# For whoever counts.
	grep -qE '^=.* (passed|failed|error)' "$LOGS/$name.log" || printf '\n%s did not end by itself: 1 failed\n' "$name"
done
# Once more, close together.
for name in "${failed[@]}"; do
	grep -hE '^(FAILED|ERROR) ' "$LOGS/$name.log" || echo "FAILED tests/hosts/$name.py: see above"
done
exit "$code"
