# SPDX-License-Identifier: MIT
"""A control group for each host. Where systemd runs, a scope does this (machine.py); elsewhere hosts that were started
from one shell would share theirs, and each systemd would wait for the other's processes."""
import os
import pathlib
import time

PREFIX = "tenantd-host-"


def _hierarchies():
    """(our own folder in it, whether a host cannot do without) for each hierarchy that is mounted."""
    where = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        kind, _, options = after.split()[:3]
        root, mount = before.split()[3:5]
        if kind == "cgroup2":
            where[""] = (mount, root)
        elif kind == "cgroup":
            for option in options.split(","):
                where[option] = (mount, root)
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in where:
                mount, root = where[name]
                relative = os.path.relpath(path, root) if path.startswith(root) else path.lstrip("/")
                yield pathlib.Path(mount) / relative, name in ("", "name=systemd")
                break


def make(name):
    """Folders that a process joins before it becomes the host's container."""
    made = []
    for folder, needed in _hierarchies():
        try:
            (folder / (PREFIX + name)).mkdir(exist_ok=True)
            made.append((folder / (PREFIX + name) / "cgroup.procs", needed))
        except OSError:
            if needed:
                raise
    return made


def join(made):
    """In the child, before exec."""
    for procs, needed in made:
        try:
            procs.write_text("0")
        except OSError:  # a controller that wants to be set up first, such as cpuset
            if needed:
                raise


def remove(name, patience=20):
    """What is left of a host that has ended; its last processes may need a moment."""
    for folder, _ in _hierarchies():
        top = folder / (PREFIX + name)
        for _ in range(patience):
            for path, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass
            if not top.exists():
                break
            time.sleep(0.05)


def names():
    """Of all hosts that have a group here, ended or not."""
    return {path.name.removeprefix(PREFIX) for folder, _ in _hierarchies() for path in folder.glob(PREFIX + "*")}
