# SPDX-License-Identifier: MIT
"""What keeps a run from leaving anything behind: mounts live in a mount namespace of the test process
and network interfaces in namespaces held by its children, so the kernel takes both away with the last
process, even after SIGKILL."""
import ctypes
import os
import signal
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def private_mounts():
    """From now on this process's mounts are seen by itself and its children only."""
    _check(_libc.unshare(CLONE_NEWNS))
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def die_with_parent():
    """In a child before exec: be killed when the parent ends, however it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(1)


class NetworkNamespace:
    """A network namespace for as long as the process that holds it lives."""

    def __init__(self, survive=False):
        def enter():
            if not survive:
                die_with_parent()
            _check(_libc.unshare(CLONE_NEWNET))

        self._process = subprocess.Popen(
            ["sleep", "infinity"], preexec_fn=enter, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid
        self.path = f"/proc/{self.pid}/ns/net"

    def command(self, *argv):
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def run(self, *argv):
        subprocess.run(self.command(*argv), check=True, stdin=subprocess.DEVNULL)

    def close(self):
        self._process.kill()
        self._process.wait()


def end(pid):
    """Ends the holder of a namespace that was left for others to find."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
