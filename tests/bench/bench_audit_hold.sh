#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What it costs a caller that its answer waits for the disk. See audit_hold_bench.py beside this file.
#   tests/bench/bench_audit_hold.sh [SECONDS]
cd "$(dirname "$0")/../.." || exit
exec "${PYTHON:-/usr/bin/python3}" tests/bench/audit_hold_bench.py "$@"
