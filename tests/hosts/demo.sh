#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make demo: a throwaway fleet on this machine: a control plane, two hosts, real sign-ins, one of them approved in a
# headless browser (pictures in build/demo), a live session that is ended by API, a sign-in's proof of inclusion in the audit
# log, a revocation.
# make demo-host: one host with two tenants and no control plane. Nothing of this machine changes but the packages
# that building needs, and build/. As root.
#   tests/hosts/demo.sh fleet|host           shows everything and cleans up
#   tests/hosts/demo.sh fleet|host --keep    leaves the hosts running and says how to try them
#   tests/hosts/demo.sh --ssh USER[@HOST], --root [HOST], --stop      for hosts that were left running
set -eu

cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
	echo "the demo boots a container: run it as root" >&2
	exit 1
fi
export TENANTD_BUILD="${BUILD:-$PWD/build}"
case ${1:-} in
fleet | host)
	echo "== what building and booting need"
	tests/install-deps.sh demo
	newest=$(find "$TENANTD_BUILD/deb" -name '*.changes' 2>/dev/null | head -n 1)
	if [ -z "$newest" ] || [ -n "$(find Makefile agent conf control_plane docs include lib nss_module packaging pam_module \
		-newer "$newest" -type f -print -quit)" ]; then
		packaging/build-deb.sh
	else
		echo "== the packages are there already"
	fi
	;;
esac
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/hosts/demo.py "$@"
