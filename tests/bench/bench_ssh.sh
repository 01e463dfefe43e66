#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What tenantd adds to `ssh host true`, on booted hosts with and without our packages. See ssh_bench.py beside this file.
#   tests/bench/bench_ssh.sh [ROUNDS]
# The packages are those in build/deb (make deb), which `make bench` makes anew.
cd "$(dirname "$0")/../.." || exit
TENANTD_BUILD=$(realpath -m "${BUILD:-build}")
export TENANTD_BUILD PYTHONDONTWRITEBYTECODE=1
if ! compgen -G "$TENANTD_BUILD/deb/tenantd_*.deb" >/dev/null; then
	packaging/build-deb.sh >&2 || exit
fi
exec "${PYTHON:-/usr/bin/python3}" tests/bench/ssh_bench.py "$@"
