# SPDX-License-Identifier: MIT
"""How something that a person starts outlives their session: each route leaves a `sleep` of a number of its own."""
import shlex

from . import client, machine, rootfs, shells

PACKAGES = ("tmux", "at", "podman", "crun", "busybox-static", "dbus-user-session")
MASKED = ("podman.service", "podman.socket", "podman-restart.service", "podman-auto-update.service",
          "podman-auto-update.timer")
IMAGE = "/var/lib/busybox.tar"
# In a container of our own runtime there is no keyring, no sysctl to write, and no controller for a limit.
CONTAINERS = "[containers]\nkeyring = false\ndefault_sysctls = []\npids_limit = 0\n"

NOHUP = "nohup sleep {n} >/dev/null 2>&1 </dev/null &"
STUBBORN = """setsid -f sh -c 'trap "" HUP TERM INT QUIT; while :; do sleep {n}; done' >/dev/null 2>&1 </dev/null"""
UNIT = ("mkdir -p ~/.config/systemd/user && printf '%s\\n' '[Service]' 'ExecStart=/bin/sleep {n}' Restart=always "
        "RestartSec=0 '[Install]' WantedBy=default.target > ~/.config/systemd/user/stays-{n}.service && "
        "systemctl --user daemon-reload && systemctl --user -q enable --now stays-{n}.service")
# As somebody within the container, so with a subordinate id.
SUBORDINATE = ("unset XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS; "
               "podman unshare setpriv --reuid=7 --regid=7 --clear-groups sleep {n}")
# A program that belongs to such an id, and gives it to whoever starts it, in no container any more.
LEFT_CONTAINER = ("podman unshare sh -c 'cp /usr/bin/python3 /var/tmp/as-{n} && chown 7:7 /var/tmp/as-{n} && "
                  "chmod 4755 /var/tmp/as-{n}' && echo " + shlex.quote(
                      "/var/tmp/as-{n} -c 'import os; i = os.geteuid(); os.setresuid(i, i, i); "
                      "os.execlp(\"sleep\", \"sleep\", \"{n}\")'") + " | at now 2>/dev/null")
PODMAN = "podman run -d -q --network=none --user 7:7 busybox /bin/busybox sleep {n} >/dev/null"

# What is in the session's scope, and ends with the session.
INSIDE = {
    "nohup": NOHUP,
    "setsid": "setsid -f sleep {n} >/dev/null 2>&1 </dev/null",
    "a loop that ignores signals": STUBBORN,
    "tmux": "tmux -L r{n} new-session -d 'sleep {n}'",
}
# What is elsewhere, and ends with the person's last right.
OUTSIDE = {
    "at": "echo 'sleep {n}' | at now 2>/dev/null",
    "at, and ignoring signals": "echo " + shlex.quote(STUBBORN) + " | at now 2>/dev/null",
    "systemd-run --user": "systemd-run --user -q sleep {n}",
    "systemd-run --user --scope": "setsid -f systemd-run --user --scope -q sleep {n} >/dev/null 2>&1 </dev/null",
    "a lingering service": UNIT,
    "a rootless container": PODMAN,
    "a subordinate id in no container": LEFT_CONTAINER,
    "a subordinate id by at": "echo " + shlex.quote(SUBORDINATE) + " | at now 2>/dev/null",
}
CRON = "(crontab -l 2>/dev/null; echo '@reboot sleep {n}') | crontab -"


def layer():
    return rootfs.layer("routes", PACKAGES, masked=MASKED)


def machine_with(name="worker-1", **kwargs):
    return machine.Machine(name, layers=[layer()], **kwargs)


def prepare(host):
    """People have subordinate ids, and an image for their containers. After the installation."""
    host.write("/etc/tenantd/agent.yaml.d/60-subids.yaml", "subids: true\n")
    host.write("/etc/containers/storage.conf", '[storage]\ndriver = "vfs"\n')
    host.write("/etc/containers/containers.conf", CONTAINERS)
    host.sh(f"echo 'subid: tenant' >> /etc/nsswitch.conf && tar -c -C / -f {IMAGE} bin/busybox && "
            "systemctl restart tenantd.service")
    return host


def start_cron_again(host):
    """What crontabs want done at boot is done now."""
    host.sh("rm -f /run/crond.reboot && systemctl restart cron.service")


def take_all(host, person, *more):
    """All routes at once, then logs out: {route: number}. `more`: further shell commands in the same session."""
    taken = {route: shells.number() for route in (*INSIDE, *OUTSIDE, "cron")}
    script = [f"podman import -q {IMAGE} busybox >/dev/null"]
    script += [command.replace("{n}", str(taken[route])) for route, command in {**INSIDE, **OUTSIDE, "cron": CRON}.items()]
    host.run("loginctl", "enable-linger", person.login)
    # Given to a shell as its input: with all the commands as an argument each would have all numbers in its name.
    host.write(f"/tmp/routes-{person.login}", "\n".join([*script, *more]) + "\n")
    done = client.command_as(host, person.login, f"sh /tmp/routes-{person.login}; echo all-taken", key=person.ssh_key,
                             timeout=60)
    assert "all-taken" in done.text, done
    start_cron_again(host)
    numbers = set(taken.values())
    assert host.wait_until(lambda: shells.sleeping(host, *numbers) == numbers), (
        done, [route for route, n in taken.items() if n not in shells.sleeping(host, n)], shells.of_person(host, person))
    return taken


def still_there(host, taken):
    running = shells.sleeping(host, *taken.values())
    return sorted(route for route, n in taken.items() if n in running)
