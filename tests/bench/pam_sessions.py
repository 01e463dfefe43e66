# SPDX-License-Identifier: MIT
"""Sessions without a front end, on a booted host: each is a process that asks PAM as cron would. Run there by
sessions_bench.py.

    pam_sessions.py open SERVICE COUNT LOGIN...     opens so many, in turns for these people, and stays
    pam_sessions.py time COUNT LOGIN SERVICE...     opens and closes, in turns by each service: nanoseconds of
                                                    pam_open_session, a line a round
"""
import ctypes
import os
import signal
import sys
import time

pam = ctypes.CDLL("libpam.so.0")
SILENT = 0x8000


class Conversation(ctypes.Structure):
    _fields_ = [("talk", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)),
                ("data", ctypes.c_void_p)]


# Nothing is asked where nobody shows a credential.
CONVERSATION = Conversation(Conversation._fields_[0][1](lambda *_: 19), None)


def must(what, code):
    if code != 0:
        sys.exit(f"{what}: PAM error {code}")


def begin(service, login):
    handle = ctypes.c_void_p()
    must("pam_start", pam.pam_start(service.encode(), login.encode(), ctypes.byref(CONVERSATION), ctypes.byref(handle)))
    must(f"{login} by {service}, account", pam.pam_acct_mgmt(handle, SILENT))
    return handle


def timed(service, login):
    """In a process of its own, which is the session's leader."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        handle = begin(service, login)
        before = time.perf_counter_ns()
        code = pam.pam_open_session(handle, SILENT)
        took = time.perf_counter_ns() - before
        must("pam_open_session", code)
        os.write(writer, str(took).encode())
        pam.pam_close_session(handle, SILENT)
        pam.pam_end(handle, 0)
        os._exit(0)
    os.close(writer)
    text = os.read(reader, 32)
    os.close(reader)
    if os.wait()[1] != 0 or not text:
        sys.exit(f"{login} by {service}: no session")
    return int(text)


def stay(service, login, ready):
    if os.fork() == 0:
        os.setsid()
        must("pam_open_session", pam.pam_open_session(begin(service, login), SILENT))
        os.write(ready, b".")
        while True:
            signal.pause()


def main(what, *words):
    if what == "time":
        count, login, *services = words
        for _ in range(int(count)):
            print(*(timed(service, login) for service in services))
        return
    service, count, *logins = words
    reader, ready = os.pipe()
    for number in range(int(count)):
        stay(service, logins[number % len(logins)], ready)
        if os.read(reader, 1) != b".":
            sys.exit("a session did not open")
    print("open", flush=True)
    signal.pause()


main(*sys.argv[1:])
