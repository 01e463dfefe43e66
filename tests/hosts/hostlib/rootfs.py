# SPDX-License-Identifier: MIT
"""Root file systems in layers: Debian (made once by mmdebstrap), the packages under test, one host.

A layer is a folder below build/hosts whose name carries a hash of what went into it, so a change
makes a new one and an unchanged one is used again. Layers are made aside and renamed into place:
a killed run leaves no half of one.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("TENANTD_BUILD", SOURCE / "build")).resolve()
HOSTS = BUILD / "hosts"
DEBS = BUILD / "deb"
SUITE = "bookworm"

# Everything that our packages depend on and that the tests use: a host has no network but ours.
PACKAGES = """
    systemd systemd-sysv dbus libpam-systemd libnss-systemd systemd-userdbd openssh-server openssh-client sudo cron
    login passwd bsdutils libpam-runtime libpam-modules libsubid4 uidmap iproute2 procps adduser ucf python3
    libjansson4 libyaml-0-2 libssl3 libsystemd0 libcurl4 libjose0 libzstd1 libpq5 libmicrohttpd12 libcrypt1 libqrencode4
    strace
    postgresql openssl ca-certificates
""".split()

# Units that only cost time in a container, and the database, which a control plane's host starts by itself.
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service
    console-getty.service getty@.service getty-static.service systemd-firstboot.service
    systemd-hwdb-update.service postgresql.service postgresql@.service
""".split()


def say(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def run(*argv, **kwargs):
    """Runs a command; its output is shown only when it fails."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def _locked(name):
    HOSTS.mkdir(parents=True, exist_ok=True)
    lock = open(HOSTS / f".{name}.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _discard(path):
    if path.exists():
        shutil.rmtree(path)


def base():
    """The Debian under everything; about 20 seconds the first time."""
    recipe = "\n".join([SUITE, *sorted(PACKAGES), *MASKED, "3"])
    name = "rootfs-" + hashlib.sha256(recipe.encode()).hexdigest()[:12]
    final = HOSTS / name
    with _locked("rootfs"):
        if final.exists():
            return final
        started = time.monotonic()
        say(f"making a minimal Debian {SUITE} (once)")
        for old in HOSTS.glob("rootfs-*"):
            _discard(old)
        part = HOSTS / f".{name}.part"
        _discard(part)
        for attempt in range(3):
            try:
                run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--include=" + ",".join(PACKAGES),
                    "--dpkgopt=path-exclude=/usr/share/locale/*", "--aptopt=Acquire::Retries=3", SUITE, str(part))
                break
            except RuntimeError:
                _discard(part)
                if attempt == 2:
                    raise
                time.sleep(5)
        for unit in MASKED:
            link = part / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        (part / "etc/hostname").write_text("host\n")
        (part / "etc/machine-id").write_text(hashlib.sha256(name.encode()).hexdigest()[:32] + "\n")
        (part / "etc/resolv.conf").write_text("")
        (part / "var/log/journal").mkdir(exist_ok=True)
        part.rename(final)
        say(f"made in {time.monotonic() - started:.0f} s")
    return final


def _mirror(root):
    """Where the base came from."""
    for line in (root / "etc/apt/sources.list").read_text().splitlines():
        words = line.split()
        if len(words) >= 4 and words[0] == "deb" and words[2] == SUITE:
            return words[1]
    raise RuntimeError(f"{root}/etc/apt/sources.list names no place where {SUITE} is")


def layer(name, wanted, masked=(), archive=None):
    """Further Debian packages as a layer over the base, for the few hosts that want them; made once. What
    `masked` names does not start by itself. `archive`: they come from that suite (bookworm-backports)."""
    under = base()
    recipe = "\n".join([under.name, *sorted(wanted), *masked, *([archive] if archive else []), "1"])
    final = HOSTS / f"layer-{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with _locked(f"layer-{name}"):
        if final.exists():
            return final
        started = time.monotonic()
        say(f"adding {name} to it (once)")
        for old in HOSTS.glob(f"layer-{name}-*"):
            _discard(old)
        part = HOSTS / f".layer-{name}.part"
        _discard(part)
        merged = part / "root"
        overlay([under], part / "upper", part / "work", merged)
        try:
            if archive:
                (merged / "etc/apt/sources.list.d/more.list").write_text(f"deb {_mirror(merged)} {archive} main\n")
            install = ("apt-get update -q && apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "
                       f"{'-t ' + archive if archive else ''} {' '.join(wanted)} && apt-get clean && "
                       "rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d /etc/apt/sources.list.d/more.list")
            (merged / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
            (merged / "usr/sbin/policy-rc.d").chmod(0o755)
            for attempt in range(3):
                try:
                    run("systemd-nspawn", "--quiet", "-D", str(merged), "--register=no", "--keep-unit", "--pipe",
                        "--link-journal=no", "--timezone=off", "--resolv-conf=replace-host",
                        "--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-c", install)
                    break
                except RuntimeError:
                    if attempt == 2:
                        raise
                    time.sleep(5)
            for unit in masked:
                link = merged / "etc/systemd/system" / unit
                link.unlink(missing_ok=True)
                link.symlink_to("/dev/null")
            (merged / "etc/resolv.conf").write_text("")
        finally:
            run("umount", str(merged))
        (part / "upper").rename(final)
        _discard(part)
        say(f"made in {time.monotonic() - started:.0f} s")
    return final


def packages(control_plane=False):
    """The .deb files under test: what a host of the fleet gets, or the control plane's."""
    found = sorted(p for p in DEBS.glob("*.deb") if "-dbgsym_" not in p.name
                   and p.name.startswith("tenant-control_") == control_plane)
    if not found:
        raise RuntimeError(f"no packages in {DEBS}: run `make deb` first")
    return found


def overlay(lower, upper, work, merged):
    for path in (upper, work, merged):
        path.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={':'.join(str(p) for p in lower)},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(merged))
