#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds every fuzz target with clang, libFuzzer and the sanitizers, and runs each for SECONDS (default 60),
# starting from its corpus. What the fuzzer finds new goes to build/fuzz/NAME/corpus, what breaks a target to
# build/fuzz/NAME/; the committed corpus stays as it is.
#   tests/fuzz/run.sh [SECONDS] [TARGET]...     e.g. tests/fuzz/run.sh 30 json varlink
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build}
seconds=${1:-60}
[ $# = 0 ] || shift
case $seconds in
'' | *[!0-9]*)
	echo "usage: $0 [SECONDS] [TARGET]..." >&2
	exit 2
	;;
esac

sanitize=address,undefined,fuzzer-no-link
mkdir -p "$BUILD/fuzz"
if ! make -j"$(nproc)" CC=clang SANITIZE=$sanitize HARDENING=0 BUILD="$BUILD" fuzzers >"$BUILD/fuzz/build.log" 2>&1; then
	tail -n 20 "$BUILD/fuzz/build.log" >&2
	echo "the fuzz targets do not build (clang and libclang-rt-14-dev are needed: tests/install-deps.sh check)" >&2
	exit 1
fi

failed=0
ran=0
for source in tests/fuzz/fuzz_*.c tests/fuzz/control/fuzz_*.c; do
	program=$(basename "$source" .c)
	name=${program#fuzz_}
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
		continue
	fi
	work=$BUILD/fuzz/$name
	mkdir -p "$work/corpus"
	corpora=("$work/corpus")
	if [ -d "tests/fuzz/corpus/$name" ]; then
		corpora+=("tests/fuzz/corpus/$name")
	else
		echo "$name: no corpus in tests/fuzz/corpus/$name"
		failed=1
	fi
	dictionary=()
	if [ -e "tests/fuzz/$name.dict" ]; then
		dictionary=("-dict=tests/fuzz/$name.dict")
	fi
	if "$BUILD/clang-${sanitize//,/-}/fuzzers/$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-max_len=16384 -print_final_stats=1 -artifact_prefix="$work/" "${dictionary[@]}" "${corpora[@]}" \
		>"$work/log" 2>&1; then
		printf '%-14s %s runs, %s new inputs\n' "$name" \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")" \
			"$(sed -n 's/^stat::new_units_added: *//p' "$work/log")"
	else
		printf '%-14s FAILED: the end of %s\n' "$name" "$work/log"
		tail -n 40 "$work/log"
		failed=1
	fi
	ran=$((ran + 1))
done
if [ $ran = 0 ]; then
	echo "no fuzz target was run" >&2
	exit 1
fi
exit $failed
