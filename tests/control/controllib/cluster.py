# SPDX-License-Identifier: MIT
"""A PostgreSQL cluster in a temporary directory, reached by UNIX socket only. It runs as the unix user postgres, since
PostgreSQL refuses root. Whoever wants to look into it has psql()."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time


def _program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    if not found:
        raise RuntimeError(f"there is no {name}: apt-get install postgresql")
    return found[-1]


class Cluster:
    SETTINGS = {"max_connections": "100", "shared_buffers": "32MB", "fsync": "on"}

    def __init__(self, name="main", **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tenant-control-{name}-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.settings = {**self.SETTINGS, **settings}
        self.server = None
        self._as = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def _run(self, program, *arguments):
        done = subprocess.run(
            [_program(program), *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **self._as
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self):
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.server = subprocess.Popen(
                [_program("postgres"), "-D", "data", "-k", str(self.folder), "-c", "listen_addresses=", *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as,
            )
        # The server says when it is ready in a line of its own file.
        status = self.folder / "data" / "postmaster.pid"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.server.poll() is not None:
                break
            try:
                lines = status.read_text().splitlines()
                if int(lines[0]) == self.server.pid and lines[7].strip() == "ready":
                    return self
            except (OSError, IndexError, ValueError):
                pass
            time.sleep(0.01)
        raise RuntimeError("PostgreSQL does not start:\n" + (self.folder / "log").read_text(errors="replace")[-4000:])

    def stop(self, how=signal.SIGINT):
        """SIGINT: in order. SIGQUIT: as in a crash. SIGKILL of the parent leaves children for a moment: use SIGQUIT."""
        if self.server:
            self.server.send_signal(how)
            self.server.wait()
            self.server = None

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, user="tenant-control", database="control"):
        return f"host={self.folder} user={user} dbname={database}"

    @property
    def admin_dsn(self):
        return self.dsn("postgres", "postgres")

    def psql(self, sql, user="postgres", database="control", check=True):
        """What psql prints for it, unaligned and without headings. Several statements are one transaction."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(user, database), "-f", "-"],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if check and done.returncode != 0:
            raise AssertionError(f"psql as {user}: {sql}\n{done.stderr}")
        return done.stdout.strip() if check else done
