# SPDX-License-Identifier: MIT
"""A network for test hosts: a switch in a namespace of its own, from which the tests reach in."""
import ctypes
import os
import socket
import threading

from . import namespaces

# Hosts are .2 and up on each, the tests .1. `INSIDE` is what allow_from lists in the tests name.
INSIDE = "10.77.0"
OUTSIDE = "192.0.2"
INSIDE6 = "fd77::"


def addresses(number):
    return f"{INSIDE}.{number}", f"{OUTSIDE}.{number}", f"{INSIDE6}{number}"


def _give_addresses(side, link, number):
    side.run("ip", "link", "set", "lo", "up")
    side.run("ip", "link", "set", link, "up")
    side.run("ip", "address", "add", f"{INSIDE}.{number}/24", "dev", link)
    side.run("ip", "address", "add", f"{OUTSIDE}.{number}/24", "dev", link)
    side.run("ip", "-6", "address", "add", f"{INSIDE6}{number}/64", "dev", link, "nodad")


class Network:
    def __init__(self, survive=False):
        self.survive = survive
        self.client = namespaces.NetworkNamespace(survive)
        self.client.run("ip", "link", "add", "switch", "type", "bridge")
        _give_addresses(self.client, "switch", 1)

    def plug_in(self, number):
        """A cable: the namespace that is a host's whole network."""
        cable = namespaces.NetworkNamespace(self.survive)
        port = f"port{number}"
        self.client.run("ip", "link", "add", port, "type", "veth", "peer", "name", "host0")
        self.client.run("ip", "link", "set", "host0", "netns", str(cable.pid))
        self.client.run("ip", "link", "set", port, "master", "switch", "up")
        _give_addresses(cable, "host0", number)
        return cable

    def cut(self, number, lost=True):
        """The cable of this host carries nothing, and neither end is told (lost=False: mends it)."""
        self.client.run("ip", "link", "set", f"port{number}", *(["nomaster"] if lost else ["master", "switch"]))

    def connect(self, address, port, timeout=10):
        """A TCP connection from the tests' side of the network."""
        result = []

        def enter_and_connect():
            namespace = os.open(self.client.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(namespace, namespaces.CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                result.append(socket.create_connection((address, port), timeout))
            except OSError as error:
                result.append(error)
            finally:
                os.close(namespace)

        # setns moves one thread; a thread of its own keeps the rest of us where we are.
        thread = threading.Thread(target=enter_and_connect)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def close(self):
        self.client.close()
