#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Sessions: what one more costs, what a thousand idle ones cost, and how soon one that must end is gone. See
# sessions_bench.py beside this file.
#   tests/bench/bench_sessions.sh [ROUNDS [LIVE [IDLE]]]
# The packages are those in build/deb (make deb), which `make bench` makes anew.
cd "$(dirname "$0")/../.." || exit
TENANTD_BUILD=$(realpath -m "${BUILD:-build}")
export TENANTD_BUILD PYTHONDONTWRITEBYTECODE=1
if ! compgen -G "$TENANTD_BUILD/deb/tenantd_*.deb" >/dev/null; then
	packaging/build-deb.sh >&2 || exit
fi
exec "${PYTHON:-/usr/bin/python3}" tests/bench/sessions_bench.py "$@"
