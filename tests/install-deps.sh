#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what building and testing need, and nothing that is there already. Debian 12, as root.
#   tests/install-deps.sh [build|check|lint|bench|demo]...     default: build check
set -eu

build="build-essential gcc make pkg-config libc6-dev libsystemd-dev libjansson-dev libyaml-dev libssl-dev libpam0g-dev
libcurl4-openssl-dev libzstd-dev libjose-dev libpq-dev libmicrohttpd-dev libgnutls28-dev libcrypt-dev
libqrencode-dev"
packages="debhelper dh-nss dh-python dpkg-dev fakeroot python3 lintian"
hosts="mmdebstrap systemd-container iproute2 util-linux mount openssh-client python3 python3-pexpect python3-pytest python3-yaml"
check="postgresql openssl clang libclang-rt-14-dev libcmocka-dev libsubid-dev uidmap man-db"
lint="clang clang-tidy clang-format cppcheck shellcheck"
bench="nscd strace python3 postgresql wrk"

wanted=
[ $# -gt 0 ] || set -- build check
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	check) wanted="$wanted $build $packages $hosts $check" ;;
	demo) wanted="$wanted $build $packages $hosts" ;;
	lint) wanted="$wanted $build $lint" ;;
	bench) wanted="$wanted $build $bench" ;;
	*)
		echo "usage: $0 [build|check|lint|bench|demo]..." >&2
		exit 2
		;;
	esac
done

missing=
for package in $wanted; do
	case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	echo "run this as root, or: apt-get install$missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
echo "   installing$missing"
for attempt in 1 2 3; do
	# The lists of packages may be missing or old: they are fetched anew.
	# shellcheck disable=SC2086
	if apt-get update -q >"$log" 2>&1 &&
		apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 $missing >>"$log" 2>&1; then
		exit 0
	fi
	[ "$attempt" = 3 ] || sleep $((attempt * 5))
done
tail -n 30 "$log" >&2
echo "could not install:$missing" >&2
exit 1
