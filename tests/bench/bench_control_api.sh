#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the control plane's API answers in a second, beside PostgreSQL alone and HTTP alone. See api_bench.py.
#   tests/bench/bench_control_api.sh [TENANTS]...
cd "$(dirname "$0")/../.." || exit
export CONTROL_PROGRAM="${CONTROL_PROGRAM:-${BUILD:-build}/gcc/tenant-control}"
exec "${PYTHON:-/usr/bin/python3}" tests/bench/api_bench.py "$@"
