#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Everything about the sources that can be checked without running them. Prints each check's name and result, and
# every problem with its place; exit status 1 when there is one. A tool that is not installed is a problem too:
# tests/install-deps.sh lint brings them all.
#   tests/lint/run.sh O-DIR [CHECK]...     O-DIR: where `make all` put its output
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
if [ $# -lt 1 ] || [ ! -e "$1/tenantd" ]; then
	echo "usage: $0 O-DIR [CHECK]...    (make lint does it)" >&2
	exit 2
fi
O=$1
shift
BUILD=${BUILD:-build}
JOBS=$(nproc)
LOG=$BUILD/lint
unset MAKEFLAGS MAKELEVEL MFLAGS
mkdir -p "$LOG"
broken=()
wanted=("$@")

# Files of the project, by what it holds under version control; in an unpacked source package, all but the build.
files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@" | while read -r file; do [ -f "$file" ] && echo "$file"; done
	else
		local names=() pattern
		for pattern in "$@"; do
			names+=(-o -name "${pattern##*/}")
		done
		find . -path ./build -prune -o -type f \( "${names[@]:1}" \) -printf '%P\n'
	fi
}

scripts() {
	files '*.sh'
	# Without the suffix: maintainer scripts and the like.
	files 'packaging/debian/*' 'conf/*' 'packaging/hooks/*' |
		while read -r file; do
			if head -n 1 "$file" | grep -qE '^#!.*\b(ba|da)?sh\b'; then echo "$file"; fi
		done
}

check() {
	local name=$1 started=$SECONDS
	shift
	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then
		return
	fi
	"$@" >"$LOG/$name.log" 2>&1
	local code=$?
	if [ $code = 0 ]; then
		printf '%-14s ok (%d s)\n' "$name" $((SECONDS - started))
	else
		printf '%-14s PROBLEMS (%d s)\n' "$name" $((SECONDS - started))
		sed 's/^/    /' "$LOG/$name.log"
		broken+=("$name")
	fi
}

need() {
	command -v "$1" >/dev/null && return
	echo "$1 is not installed: tests/install-deps.sh lint"
	return 1
}

includes() {
	files '*.c' '*.h' | xargs /usr/bin/python3 tests/lint/includes.py .
}

builds() {
	local compiler code=0
	for compiler in gcc clang; do
		make -s -k -j"$JOBS" CC=$compiler DEV=1 BUILD="$BUILD" all programs 2>&1 |
			tee "$LOG/builds-$compiler.log" | grep -E '(error|warning): |undefined reference|\*\*\*.*Error' |
			sed "s/^/$compiler: /"
		[ "${PIPESTATUS[0]}" = 0 ] || code=1
	done
	return $code
}

formatting() {
	need clang-format || return
	files '*.c' '*.h' | xargs clang-format --dry-run -Werror 2>&1 |
		sed -nE 's/^([^:]+:[0-9]+):[0-9]+: error: .*/\1: not as clang-format writes it/p' | uniq >"$LOG/formatting.found"
	cat "$LOG/formatting.found"
	[ ! -s "$LOG/formatting.found" ]
}

# The findings only: clang-tidy also counts what it left out.
tidy() {
	need clang-tidy || return
	files '*.c' | xargs -P "$JOBS" -n 6 bash -c 'clang-tidy --quiet "$@" -- -std=gnu17 -Iinclude -Ilib -Iagent -I. '"$(pkg-config --cflags libpq)"' \
		-Itests/unit -I'"$O"'/generated -D_GNU_SOURCE -DTENANTD_VERSION="\"lint\"" 2>/dev/null' tidy |
		grep -E '(error|warning): ' | sed "s|^$PWD/||" | sort -u >"$LOG/tidy.found"
	cat "$LOG/tidy.found"
	[ ! -s "$LOG/tidy.found" ]
}

flaws() {
	need cppcheck || return
	files '*.c' | grep -v '^tests/' |
		xargs cppcheck --quiet -j "$JOBS" --std=c11 --language=c --enable=warning,performance,portability \
			--inline-suppr --error-exitcode=1 --suppressions-list=tests/lint/cppcheck.txt \
			--template='{file}:{line}: {message} [{id}]' \
			'-Djson_array_foreach(array,index,value)=while((value=json_array_get(array,(index=0))))' \
			'-Djson_object_foreach(object,key,value)=while((value=json_object_get(object,(key=""))))' \
			-Iinclude -Ilib -Iagent -I. -I"$O/generated" -D_GNU_SOURCE -D__x86_64__ -D__linux__ '-DTENANTD_VERSION="lint"'
}

shell() {
	need shellcheck || return
	scripts | sort -u | xargs shellcheck -f gcc
}

# All are compiled, and what is broken is told by the compiler itself.
python() {
	PYTHONPYCACHEPREFIX=$LOG/pycache files '*.py' | xargs env PYTHONPYCACHEPREFIX="$LOG/pycache" \
		/usr/bin/python3 -m py_compile
}

check includes includes
check exports tests/lint/binaries.sh "$O" exports
check needed tests/lint/binaries.sh "$O" needed
check calls tests/lint/binaries.sh "$O" calls
check formatting formatting
check shellcheck shell
check python python
check builds builds
check clang-tidy tidy
check cppcheck flaws

if [ ${#broken[@]} -gt 0 ]; then
	echo
	echo "problems in: ${broken[*]}"
	exit 1
fi
