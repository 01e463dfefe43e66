#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what building and testing need, and nothing that is there already: Debian's packages, and for `check` npm's
# of tests/peers, into the build folder (BUILD, else build). Debian 12, as root.
#   tests/install-deps.sh [build|check|lint|bench|demo]...     default: build check
set -eu

build="build-essential gcc make pkg-config libc6-dev libsystemd-dev libjansson-dev libyaml-dev libssl-dev libpam0g-dev
libcurl4-openssl-dev libzstd-dev libjose-dev libpq-dev libmicrohttpd-dev libgnutls28-dev libcrypt-dev
libqrencode-dev"
packages="debhelper dh-nss dh-python dpkg-dev fakeroot python3 lintian"
hosts="mmdebstrap systemd-container iproute2 util-linux mount openssh-client python3 python3-pexpect python3-pytest python3-yaml
python3-cryptography"
browser="chromium chromium-driver python3-selenium"
check="postgresql rsyslog rsyslog-gnutls openssl clang libclang-rt-14-dev libcmocka-dev libsubid-dev uidmap man-db zbar-tools zstd systemd-journal-remote
golang-go golang-golang-x-mod-dev"
lint="clang clang-tidy clang-format cppcheck shellcheck"
bench="nscd strace python3 postgresql wrk"

wanted=
peers=
[ $# -gt 0 ] || set -- build check
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	check) wanted="$wanted $build $packages $hosts $browser $check" peers=yes ;;
	demo) wanted="$wanted $build $packages $hosts $browser" ;;
	lint) wanted="$wanted $build $lint" ;;
	bench) wanted="$wanted $build $packages $hosts $bench" ;;
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
# Not by package name: where they come from elsewhere, Debian's would not go with them.
if [ -n "$peers" ]; then
	command -v node >/dev/null || missing="$missing nodejs"
	command -v npm >/dev/null || missing="$missing npm"
fi

if [ -n "$missing" ] && [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	echo "run this as root, or: apt-get install$missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Three times, since what is fetched may not come at once.
attempts() {
	what=$1
	shift
	for attempt in 1 2 3; do
		if "$@" >"$log" 2>&1; then
			return
		fi
		[ "$attempt" = 3 ] || sleep $((attempt * 5))
	done
	tail -n 30 "$log" >&2
	echo "could not install: $what" >&2
	exit 1
}

# The lists of packages may be missing or old: they are fetched anew.
from_debian() {
	apt-get update -q &&
		apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@"
}

from_npm() {
	rm -rf "$1/node_modules" && mkdir -p "$1" && cp tests/peers/package.json tests/peers/package-lock.json "$1" &&
		(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund)
}

if [ -n "$missing" ]; then
	export DEBIAN_FRONTEND=noninteractive
	echo "   installing$missing"
	# shellcheck disable=SC2086
	attempts "$missing" from_debian $missing
fi

if [ -n "$peers" ]; then
	cd "$(dirname "$0")/.."
	folder=${BUILD:-build}/peers
	# npm writes the hidden file last.
	if ! [ -e "$folder/node_modules/.package-lock.json" ] ||
		! cmp -s tests/peers/package-lock.json "$folder/package-lock.json"; then
		echo "   installing the packages of tests/peers"
		attempts "the packages of tests/peers" from_npm "$folder"
	fi
fi
