#!/bin/bash
# SPDX-License-Identifier: MIT
#
# People who wait for their identity provider: memory of the agent, and how long a key login takes beside them.
# See sso_bench.py beside this file.
#   tests/bench/bench_sso.sh [WAITING]
cd "$(dirname "$0")/../.." || exit
exec "${PYTHON:-/usr/bin/python3}" tests/bench/sso_bench.py "$@"
