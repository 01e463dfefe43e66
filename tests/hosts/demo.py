# SPDX-License-Identifier: MIT
"""make demo and make demo-host; see demo.sh. The demos themselves are in demos/."""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from demos import fleet, one_host, stage  # noqa: E402
from hostlib import machine, namespaces, rootfs  # noqa: E402


def main():
    parser = argparse.ArgumentParser(prog="demo.sh")
    parser.add_argument("which", nargs="?", choices=("fleet", "host"), default="fleet")
    parser.add_argument("--keep", action="store_true", help="leave the hosts running")
    parser.add_argument("--ssh", metavar="USER[@HOST]", help="sign in on a host that was left running")
    parser.add_argument("--root", metavar="HOST", nargs="?", const="", help="a root shell on it")
    parser.add_argument("--stop", action="store_true", help="end them")
    options = parser.parse_args()
    if options.ssh:
        stage.kept_ssh(options.ssh)
    if options.root is not None:
        stage.kept_root(options.root)
    if options.stop:
        return stage.kept_stop()

    started = time.monotonic()
    machine.sweep()
    if options.keep and list((rootfs.HOSTS / "run").glob("*/kept.json")):
        raise SystemExit("hosts are running already: tests/hosts/demo.sh --stop")
    namespaces.private_mounts()
    stage.headline("booting")
    rootfs.base()
    demo = (fleet.Fleet if options.which == "fleet" else one_host.OneHost)(options.keep)
    done = False
    try:
        demo.run()
        done = True
    finally:
        if options.keep and done and not stage.failures:
            demo.write_down()
            demo.say_how_to_try()
        else:
            for host in demo.hosts if not done else ():
                stage.show("\n".join(host.journal_text().splitlines()[-40:]) if host.leader else "", f"   {host.name}: ")
            demo.keep = False
            demo.close()
    print(f"\n{f'{len(stage.failures)} not as expected' if stage.failures else 'all of it as expected'}, "
          f"in {time.monotonic() - started:.0f} s")
    return 1 if stage.failures else 0


sys.exit(main())
