#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the Debian packages into build/deb from a copy of the tree, which stays as it is, and lets
# lintian look at them. Needs what tests/install-deps.sh installs.
set -eu

cd "$(dirname "$0")/.."
build=$(realpath -m "${BUILD:-build}")
out=$build/deb
src=$out/src

rm -rf "$out"
mkdir -p "$src"
tar -c --exclude=./.git --exclude=./build --exclude='*.o' --exclude=__pycache__ . | tar -x -C "$src"
mv "$src/packaging/debian" "$src/debian"

echo "== building the packages"
if ! (cd "$src" && DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	dpkg-buildpackage --no-sign --build=binary) >"$out/build.log" 2>&1; then
	tail -n 60 "$out/build.log"
	echo "dpkg-buildpackage failed; all of its output is in $out/build.log" >&2
	exit 1
fi
# What debhelper and dpkg were worried about, if anything.
grep -E '^(dpkg-[a-z]+|dh_[a-z]+): warning' "$out/build.log" || true
rm -rf "$src"

echo "== lintian"
lintian --allow-root --tag-display-limit 0 --fail-on error,warning "$out"/*.changes
echo "== packages"
(cd "$out" && ls -1s --block-size=1K ./*.deb)
