#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Looks at what was built: what the libraries export and need, and which functions the parts call. Prints a line
# for each problem; exit status 1 when there was one.
#   tests/lint/binaries.sh O-DIR exports|needed|calls
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
O=$1
problems=0

problem() {
	echo "$*"
	problems=$((problems + 1))
}

# Names a version script lists as global.
listed() {
	sed -n '/global:/,/local:/s/^[[:space:]]*\([a-z_*0-9]*\);$/\1/p' "$1" | grep -v '^\*$' | sort
}

# What the built file exports, less the names of version nodes.
exported() {
	nm -D --defined-only --format=posix "$1" | awk '$2 != "A" { sub(/@.*/, "", $1); print $1 }' | sort -u
}

same_names() {
	local file=$1 script=$2 name
	while read -r name; do
		problem "$script: $file does not export $name (is its definition public?)"
	done < <(comm -13 <(exported "$O/$file") <(listed "$script"))
	while read -r name; do
		problem "$script: $file exports $name, which is not listed"
	done < <(comm -23 <(exported "$O/$file") <(listed "$script"))
}

check_exports() {
	local name
	same_names libtenant.so.1 lib/client/libtenant.sym
	same_names pam_tenant.so pam_module/pam_tenant.sym
	same_names libsubid_tenant.so nss_module/libsubid_tenant.sym
	if [ "$(exported "$O/pam_tenant.so" | tr '\n' ' ')" != "pam_sm_acct_mgmt pam_sm_authenticate pam_sm_chauthtok \
pam_sm_close_session pam_sm_open_session pam_sm_setcred " ]; then
		problem "pam_module/pam_tenant.sym: pam_tenant.so exports other than the six stages"
	fi
	while read -r name; do
		case $name in
		shadow_subid_*) ;;
		*) problem "nss_module/libsubid_tenant.sym: libsubid_tenant.so exports $name" ;;
		esac
	done < <(exported "$O/libsubid_tenant.so")
	while read -r name; do
		case $name in
		_nss_tenant_*) ;;
		*) problem "nss_module/libnss_tenant.sym: libnss_tenant.so.2 exports $name" ;;
		esac
	done < <(exported "$O/libnss_tenant.so.2")
	# A name that glibc looks for in vain is silently no service.
	for name in getpwnam_r getpwuid_r setpwent getpwent_r endpwent getgrnam_r getgrgid_r setgrent getgrent_r endgrent \
		initgroups_dyn; do
		exported "$O/libnss_tenant.so.2" | grep -qx "_nss_tenant_$name" ||
			problem "nss_module/libnss_tenant.sym: libnss_tenant.so.2 has no _nss_tenant_$name"
	done
	# The public headers and the version script tell the same.
	while read -r name; do
		grep -qw "$name" include/tenant/*.h || problem "lib/client/libtenant.sym: $name is in no public header"
	done < <(listed lib/client/libtenant.sym)
	while read -r name; do
		listed lib/client/libtenant.sym | grep -qx "$name" ||
			problem "include/tenant: $name() is declared and not exported by lib/client/libtenant.sym"
	done < <(sed -nE 's/^[a-z].*[ *](tenant_[a-z_0-9]+)\(.*/\1/p' include/tenant/*.h | sort -u)
}

needs_only() {
	local file=$1 library
	shift
	[ -e "$O/$file" ] || problem "$O/$file is not there"
	while read -r library; do
		[[ " $* " == *" $library "* ]] || problem "$file needs $library; allowed: $*"
	done < <(objdump -p "$O/$file" | awk '$1 == "NEEDED" { print $2 }')
}

check_needed() {
	needs_only libnss_tenant.so.2 libc.so.6
	needs_only libsubid_tenant.so libc.so.6
	needs_only pam_tenant.so libtenant.so.1 libpam.so.0 libc.so.6
	# Its thread-local variables bring the loader, which is there anyway.
	needs_only libtenant.so.1 libjansson.so.4 libc.so.6 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1
	# Started twice for each sign-in by SSH key: every library is the person's time.
	needs_only tenantd-ssh-keys libjansson.so.4 libc.so.6
	# Root's program: what is not loaded has no faults.
	needs_only tenantd-helper libc.so.6
	needs_only tenantctl libjansson.so.4 libsystemd.so.0 libyaml-0.so.2 libcrypto.so.3 libcurl.so.4 libjose.so.0 \
		libzstd.so.1 libqrencode.so.4 libc.so.6
	needs_only tenantd libjansson.so.4 libsystemd.so.0 libyaml-0.so.2 libcrypto.so.3 libssl.so.3 libcurl.so.4 libjose.so.0 \
		libzstd.so.1 libqrencode.so.4 libc.so.6
	needs_only tenant-control libjansson.so.4 libsystemd.so.0 libyaml-0.so.2 libcrypto.so.3 libssl.so.3 libcurl.so.4 \
		libjose.so.0 libzstd.so.1 libpq.so.5 libmicrohttpd.so.12 libgnutls.so.30 libcrypt.so.1 libc.so.6
}

# Objects in these folders (but those in the folder that is named first) call none of the functions that the pattern names.
calls_none() {
	local what=$1 pattern=$2 but=$3 object seen=0
	shift 3
	while read -r object; do
		seen=$((seen + 1))
		[[ $object == */lib/base/log.o ]] && continue # stderr of programs is its subject
		while read -r name; do
			problem "$(sed "s|^$O/||; s|\.o$|.c|" <<<"$object"): calls $name ($what)"
		done < <(nm -u --format=posix "$object" | awk '{ print $1 }' | sed -E 's/^__//; s/_chk$//; s/^isoc99_//' |
			grep -xE "$pattern")
	done < <(for folder in "$@"; do find "$O/$folder" -name '*.o' ! -path "*/$but/*" | sort; done)
	[ $seen -gt 0 ] || problem "no objects in $O for: $*"
}

check_calls() {
	calls_none "no shell, no locale, no weak random numbers, no unsafe names" \
		'system|popen|wordexp|setlocale|newlocale|uselocale|strtok|s?rand|s?random|tmpnam|tempnam|mktemp|gets|alloca' \
		none lib agent pam_module nss_module control_plane
	calls_none "the agent must not ask NSS, which may ask it back" \
		'getpw(nam|uid|ent)(_r)?|getgr(nam|gid|ent)(_r)?|getsp(nam|ent)(_r)?|initgroups|getgrouplist|getaddrinfo|getnameinfo|gethostby.*' \
		agent/ctl lib agent
	calls_none "libraries never print, exit, assert or touch signals and the environment" \
		'v?f?printf|f?puts|f?putc|putchar|perror|std(out|err)|_?exit|quick_exit|abort|assert_fail|signal|sigaction|sigprocmask|pthread_sigmask|setenv|putenv|unsetenv|getenv' \
		none lib nss_module
	calls_none "a PAM module never prints or ends its host, and leaves signals alone" \
		'v?printf|puts|putchar|perror|std(out|err)|_?exit|quick_exit|abort|assert_fail|signal|sigaction|setenv|putenv|unsetenv|getenv|getpw(nam|uid)|getgr(nam|gid)' \
		none pam_module
}

"check_$2"
[ $problems = 0 ]
