#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How many events of hosts a second the central audit log takes, sequences and proves, beside PostgreSQL alone; and what
# a proof takes in a log of ten million entries. See audit_bench.py.
#   tests/bench/bench_audit_central.sh [EVENTS]
cd "$(dirname "$0")/../.." || exit
export CONTROL_PROGRAM="${CONTROL_PROGRAM:-${BUILD:-build}/gcc/tenant-control}"
exec "${PYTHON:-/usr/bin/python3}" tests/bench/audit_bench.py "$@"
