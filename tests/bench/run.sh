#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs every bench in tests/bench (bench_*.sh, then the built bench_*), one after the other, and puts the
# Markdown that they print into build/bench.md. What they say on stderr, tab-separated lines for machines,
# goes to build/bench.tsv.
#   tests/bench/run.sh OBJECTS [NAME]...      e.g. tests/bench/run.sh build/gcc nss map
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
if [ $# = 0 ]; then
	echo "usage: $0 OBJECTS [NAME]..." >&2
	exit 2
fi
objects=$1
shift
BUILD=${BUILD:-build}
mkdir -p "$BUILD"
table=$BUILD/bench.md
numbers=$BUILD/bench.tsv
: >"$numbers"

processor=$(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
{
	echo "# Measured"
	echo
	echo "$(date -u +%Y-%m-%d), ${processor:-unknown processor}, $(nproc) processors, Linux $(uname -r)," \
		"load before the start $(cut -d ' ' -f 1 /proc/loadavg)."
} >"$table"

failed=0
for bench in tests/bench/bench_*.sh "$objects"/tests/bench/bench_*; do
	name=$(basename "$bench" .sh)
	name=${name#bench_}
	case $bench in
	*.o | *.d) continue ;;
	esac
	[ -x "$bench" ] || continue
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
		continue
	fi
	echo "== $name" >&2
	printf '\n## %s\n\n' "$name" >>"$table"
	lines=$BUILD/bench-$name.txt
	"$bench" 2> >(tee -a "$numbers" >&2) | tee "$lines"
	ended=${PIPESTATUS[0]}
	# What is no Markdown table stands as it is.
	case $(head -c 1 "$lines") in
	'|') cat "$lines" ;;
	*) echo "~~~" && cat "$lines" && echo "~~~" ;;
	esac >>"$table"
	if [ "$ended" != 0 ]; then
		echo "bench $name failed" >&2
		printf '\n(failed)\n' >>"$table"
		failed=1
	fi
done
wait
echo "The table is in $table, numbers for machines in $numbers." >&2
exit $failed
