#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The control plane's feed with 10 000 hosts on loopback: see fleet_bench.py beside this file.
#   tests/bench/bench_fleet.sh [HOSTS [ROUNDS]]
cd "$(dirname "$0")/../.." || exit
build=${BUILD:-build}
for objects in "$build"/gcc "$build"/gcc-dev; do
	if [ -x "$objects/tenant-control" ] && [ -x "$objects/tests/bench/swarm/feed_swarm" ]; then
		exec "${PYTHON:-/usr/bin/python3}" tests/bench/fleet_bench.py "$objects" "$@"
	fi
done
echo "bench_fleet: build first (make all bench-programs)" >&2
exit 1
