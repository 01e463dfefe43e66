# SPDX-License-Identifier: MIT
"""Throwaway hosts: a minimal Debian, booted in a container with its own systemd, reached by real ssh.

rootfs.py   builds the root file systems (cached below build/hosts)
machine.py  boots one, runs commands in it, ends it
client.py   signs in from outside: ssh with pexpect, each prompt recorded
world.py    the two tenants that the tests sign in as
"""
