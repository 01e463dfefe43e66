# SPDX-License-Identifier: MIT
"""One host: a container with its own systemd, journal, logind and sshd, and one network cable to us."""
import itertools
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time

from . import cgroups, namespaces, networks, rootfs

BOOT_SECONDS = 60
COMMAND_SECONDS = 60
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "TERM": "dumb", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}

_numbers = itertools.count()


class CommandFailed(AssertionError):
    pass


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __repr__(self):
        return f"{' '.join(self.argv)}: exit status {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def sweep():
    """Removes the folders of earlier runs whose process is gone (it was killed; the kernel took the rest)."""
    for folder in (rootfs.HOSTS / "run").glob("*"):
        try:
            pid, start = (folder / "owner").read_text().split()
            if _start_time(int(pid)) == start:
                continue
        except (OSError, ValueError):
            # One that a run beside this one is just making says by its name alone whose it is.
            if _start_time(folder.name.split("-")[0]):
                continue
        _kill_stray(folder)
        cgroups.remove(folder.name)
        shutil.rmtree(folder, ignore_errors=True)
    for name in cgroups.names():
        if not (rootfs.HOSTS / "run" / name).exists() and not _start_time(int(name.split("-")[0])):
            cgroups.remove(name, patience=1)


def _start_time(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def _kill_stray(folder):
    """A container that outlived its run (kept, or not yet dead): ended by the ids it was started with."""
    for name in ("container", "leader"):
        try:
            pid, start = (folder / name).read_text().split()
        except (OSError, ValueError):
            continue
        if _start_time(int(pid)) == start:
            _kill(int(pid), start)


def _kill(pid, start):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    for _ in range(50):
        if _start_time(pid) != start:
            break
        time.sleep(0.1)


def end_kept(folder, holders):
    """Ends a host that was left running, and the holders of its network."""
    _kill_stray(folder)
    for pid in holders:
        namespaces.end(pid)
    cgroups.remove(folder.name)
    shutil.rmtree(folder, ignore_errors=True)


class Machine:
    def __init__(self, name="worker-1", survive=False, network=None, number=2, layers=(), unified=False):
        """`survive`: the host goes on when this process ends (make demo KEEP=1). `network`: one that it shares with
        others, as their host `number`; else it has one of its own. `layers`: what it has over the base (rootfs.layer).
        `unified`: it has nothing but cgroups of the second version, whatever this machine mounts beside them."""
        self.name = name
        self.survive = survive
        self.unified = unified
        self.folder = rootfs.HOSTS / "run" / f"{os.getpid()}-{next(_numbers)}-{name}"
        self.folder.mkdir(parents=True)
        (self.folder / "owner").write_text(f"{os.getpid()} {_start_time(os.getpid())}")
        self.root = self.folder / "root"
        rootfs.overlay([*layers, rootfs.base()], self.folder / "upper", self.folder / "work", self.root)
        (self.root / "etc/hostname").write_text(name + "\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")
        self._process = None
        self._keeper = None
        self.leader = None
        self._leader_start = None
        self._own_network = None if network else networks.Network(survive)
        self.network = network or self._own_network
        self.client = self.network.client
        self.number = number
        self.cable = self.network.plug_in(number)
        self.address, self.outside, self.address6 = networks.addresses(number)

    # --- life

    def boot(self):
        self.start()
        return self.wait_until_up()

    def start(self):
        """From the main thread only: what dies with its parent dies with the thread that started it."""
        argv = ["systemd-nspawn", "--quiet", "-D", str(self.root), "--boot", "--register=no", "--keep-unit",
                f"--network-namespace-path={self.cable.path}", f"--hostname={self.name}", "--link-journal=no",
                "--resolv-conf=off", "--timezone=off", "--console=pipe", "--kill-signal=SIGRTMIN+3"]
        groups = []
        if os.path.isdir("/run/systemd/system"):
            argv = ["systemd-run", "--scope", "--quiet", "-p", "Delegate=yes", "--", *argv]
        else:
            groups = cgroups.make(self.folder.name)

        def prepare():
            cgroups.join(groups)
            if not self.survive:
                namespaces.die_with_parent()

        self._log = open(self.folder / "console.log", "ab")
        more = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if self.unified else {}
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
            preexec_fn=prepare, env={**os.environ, **more})
        (self.folder / "container").write_text(f"{self._process.pid} {_start_time(self._process.pid)}")

    def wait_until_up(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            self.leader = self.leader or self._watch_leader()
            if self.leader:
                state = self.run("systemctl", "is-system-running", check=False).out.strip()
                if state in ("running", "degraded"):
                    return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"{self.name} did not boot:\n" + (self.folder / "console.log").read_text()[-4000:])
            time.sleep(0.1)

    def _watch_leader(self):
        """The host's init. It does not die with systemd-nspawn, so something has to see to that: a process that waits
        for the end of ours, which closes the pipe however it comes."""
        leader = self._find_leader()
        if not leader:
            return None
        self._leader_start = _start_time(leader)
        (self.folder / "leader").write_text(f"{leader} {self._leader_start}")
        if not self.survive:
            self._keeper = subprocess.Popen(["sh", "-c", f"read -r _; kill -KILL {leader} 2>/dev/null"],
                                            stdin=subprocess.PIPE, start_new_session=True)
        return leader

    def _forget_leader(self):
        """It has ended, or is to end now."""
        if self.leader:
            if self._keeper:
                self._keeper.kill()
                self._keeper.wait()
                self._keeper.stdin.close()
                self._keeper = None
            # Whether systemd-nspawn still lives or not; the start time tells it from a later process of this number.
            if _start_time(self.leader) == self._leader_start:
                _kill(self.leader, self._leader_start)
        self.leader = None

    def _find_leader(self):
        try:
            children = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        except OSError:
            return None
        for child in children:
            try:
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
            except OSError:
                pass
        return None

    def power_off(self):
        """Shuts the host down in an orderly way; boot() starts it again from the same disk."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._forget_leader()

    def reboot(self):
        self.power_off()
        return self.boot()

    def close(self):
        self._forget_leader()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.cable.close()
        if self._own_network:
            self._own_network.close()
        for _ in range(20):
            if subprocess.run(["umount", str(self.root)], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        cgroups.remove(self.folder.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- commands

    def command(self, *argv):
        """What to run here so that `argv` runs there, as root."""
        assert self.leader, "the host is not running"
        pairs = [f"{k}={v}" for k, v in ENVIRONMENT.items()]
        return ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                "--root", "--wd", "--", "env", "-i", *pairs, *argv]

    def run(self, *argv, check=True, input=None, timeout=COMMAND_SECONDS):
        try:
            done = subprocess.run(self.command(*argv), input=input, capture_output=True, text=True, errors="replace",
                                  timeout=timeout, **({} if input is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired as late:
            raise CommandFailed(f"{' '.join(argv)}: still running after {timeout} s\n{late.stdout}\n{late.stderr}")
        result = Result(argv, done.returncode, done.stdout, done.stderr)
        if check and result.code != 0:
            raise CommandFailed(repr(result))
        return result

    def sh(self, script, **kwargs):
        return self.run("sh", "-c", script, **kwargs)

    def inside(self, *argv, **kwargs):
        """Runs it as a unit of the host's own systemd, in a cgroup of the host: for what opens sessions."""
        return self.run("systemd-run", "--quiet", "--pipe", "--wait", "--collect",
                        *(f"--setenv={k}={v}" for k, v in ENVIRONMENT.items()), "--", *argv, **kwargs)

    def write(self, path, text, mode=0o644, owner=None):
        target = self.root / path.lstrip("/")
        if self.leader:
            self.run("sh", "-c", f"mkdir -p {shlex.quote(os.path.dirname(path))} && umask 077 && "
                     f"cat > {shlex.quote(path)}.new && chmod {mode:o} {shlex.quote(path)}.new && "
                     + (f"chown {owner} {shlex.quote(path)}.new && " if owner else "")
                     + f"mv -f {shlex.quote(path)}.new {shlex.quote(path)}", input=text)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path):
        return self.run("cat", path).out

    # --- the packages under test

    def install(self, debs=None):
        """What a host of the fleet gets: everything but the control plane."""
        debs = debs or rootfs.packages()
        where = "/var/cache/debs"
        (self.root / where[1:]).mkdir(parents=True, exist_ok=True)
        self.sh(f"rm -f {where}/*")
        for deb in debs:
            with open(deb, "rb") as stream:
                done = subprocess.run(self.command("sh", "-c", f"cat > {where}/{deb.name}"), stdin=stream)
                assert done.returncode == 0
        return self.sh(f"apt-get install -y --no-install-recommends --reinstall --allow-downgrades "
                       f"-o Dpkg::Use-Pty=0 {where}/*.deb 2>&1", timeout=180)

    # --- the journal

    def cursor(self):
        """A mark in the journal: journal(after=mark) gives what came later."""
        self.run("journalctl", "--sync")
        out = self.run("journalctl", "-n", "0", "--show-cursor", "-q").out
        return out.split("-- cursor: ", 1)[1].strip()

    def journal(self, after=None, **fields):
        """Entries as dictionaries: those with these fields. (Not by journalctl's own matches: together with
        --after-cursor systemd 252 loses the first one.)"""
        self.run("journalctl", "--sync")
        argv = ["journalctl", "-q", "-o", "json", "--all", *(["--after-cursor", after] if after else [])]
        entries = [json.loads(line) for line in self.run(*argv).out.splitlines()]
        return [e for e in entries if all(e.get(name) == value for name, value in fields.items())]

    def journal_text(self, after=None):
        self.run("journalctl", "--sync")
        argv = ["journalctl", "-q", "--no-pager", "-o", "short-precise"]
        return self.run(*argv, *(["--after-cursor", after] if after else [])).out

    def wait_until(self, what, seconds=10.0):
        """Waits until what() is true; its last answer is returned."""
        deadline = time.monotonic() + seconds
        while True:
            answer = what()
            if answer or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)
