#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who may include whom, and a few rules for every source file.

Reads the #include lines of all C files and headers and holds them against the table below, so that a
dependency in the wrong direction is found when it is written and not when somebody wants to use a part by
itself. Prints file:line: text for each problem; exit status 1 when there was one.

    includes.py ROOT FILE...
"""

import os
import re
import sys

LINES_MAX = 700

# Headers that are not libc's, by the library they belong to.
LIBRARIES = {
    "jansson": r"jansson\.h|jansson_config\.h",
    "openssl": r"openssl/",
    "yaml": r"yaml\.h",
    "systemd": r"systemd/",
    "pam": r"security/",
    "cmocka": r"cmocka\.h",
    "subid": r"shadow/subid\.h",
    "jose": r"jose/",
    "zstd": r"zstd(_errors)?\.h",
    "curl": r"curl/",
    "pq": r"libpq-fe\.h",
    "microhttpd": r"microhttpd\.h",
    "gnutls": r"gnutls/",
    "crypt": r"crypt\.h",
    "qrencode": r"qrencode\.h",
}

# Folder: (folders it may include beside itself, libraries it may use). The longest matching folder counts.
RULES = {
    "include/tenant": ((), ()),
    "lib/base": ((), ()),
    "lib/json": (("lib/base",), ("jansson",)),
    "lib/yaml": (("lib/base", "lib/crypto"), ("yaml",)),
    "lib/crypto": (("lib/base",), ("openssl",)),
    "lib/jose": (("lib/base", "lib/json", "lib/crypto"), ("jansson", "jose", "openssl")),
    "lib/records": (("lib/base", "lib/json", "lib/crypto", "lib/jose"), ("jansson",)),
    "lib/feed": (("lib/base", "lib/json", "lib/crypto", "lib/records"), ("jansson", "zstd")),
    "lib/http": (("lib/base",), ("curl",)),
    "lib/tlog": (("lib/base", "lib/crypto"), ()),
    "lib/trail": (("lib/base", "lib/json", "lib/crypto", "lib/tlog"), ("jansson",)),
    "lib/ship": (("lib/base", "lib/json", "lib/crypto", "lib/http", "lib/yaml"), ("jansson", "openssl")),
    "lib/oidc": (
        ("lib/base", "lib/json", "lib/crypto", "lib/jose", "lib/records", "lib/http"),
        ("jansson", "openssl"),
    ),
    "lib/varlink": (("lib/base", "lib/json"), ("jansson",)),
    "lib/client": (("lib/base", "lib/json", "lib/varlink", "include/tenant"), ("jansson",)),
    "nss_module": (("include/tenant/nss_map.h",), ("subid",)),
    "pam_module": (("include/tenant",), ("pam",)),
    "agent": (("agent", "lib", "include/tenant"), ("jansson", "yaml", "systemd")),
    "agent/directory": (("agent", "lib"), ("jansson", "yaml", "systemd")),
    # These decide. They know neither sockets nor files, so that each decision can be tested by itself.
    "agent/policy": (("agent/directory", "lib/base", "lib/records"), ()),
    "agent/credential": (
        ("agent/directory", "agent/policy", "lib/base", "lib/crypto", "lib/jose", "lib/oidc", "lib/records"),
        ("jansson",),
    ),
    "agent/login": (
        (
            "agent/directory",
            "agent/policy",
            "agent/credential",
            "agent/audit",
            "agent/session/place.h",
            "lib/base",
            "lib/crypto",
            "lib/jose",
            "lib/oidc",
            "lib/records",
        ),
        ("qrencode",),
    ),
    "agent/session": (("lib/base", "lib/json", "lib/crypto"), ("jansson", "systemd")),
    # Writes and reads files; knows nothing of events but their form.
    "agent/spool": (("lib/base", "lib/crypto", "lib/tlog", "lib/trail", "agent/thread"), ("jansson", "systemd")),
    "agent/reaper": (
        (
            "agent/directory",
            "agent/policy",
            "agent/login",
            "agent/session",
            "agent/audit",
            "agent/helper_client.h",
            "agent/helper/request.h",
            "lib/base",
            "lib/records",
        ),
        ("systemd",),
    ),
    # Root's program: nothing that parses, and no library.
    "agent/helper": (
        (
            "agent/session/process.h",
            "agent/accounts.h",
            "lib/base",
            "lib/records/records.h",
            "lib/records/session_rules.h",
            "nss_module/subid_blocks.h",  # whose a subordinate id is: arithmetic alone
        ),
        (),
    ),
    "control_plane": (
        (
            "control_plane",
            "include",
            "lib/base",
            "lib/json",
            "lib/yaml",
            "lib/crypto",
            "lib/jose",
            "lib/records",
            "lib/feed",
            "lib/http",
            "lib/oidc",
            "lib/tlog",
            "lib/trail",
            "lib/ship",
        ),
        ("jansson", "systemd"),
    ),
    "control_plane/http": (
        ("control_plane", "lib/base", "lib/json", "lib/crypto", "lib/records"),
        ("jansson", "microhttpd", "gnutls"),
    ),
    "control_plane/db": (("lib/base", "lib/json", "lib/crypto"), ("pq",)),
    "control_plane/cli": (("control_plane", "lib"), ("jansson", "systemd", "openssl")),
    "control_plane/auth": (
        ("control_plane", "lib/base", "lib/json", "lib/crypto", "lib/jose", "lib/records"),
        ("jansson", "crypt", "openssl"),
    ),
    "docs": (("include/tenant",), ("pam",)),
    "tests": (("agent", "control_plane", "docs", "lib", "include", "pam_module", "nss_module", "tests"), tuple(LIBRARIES)),
}

SOCKETS = r"sys/socket\.h|sys/un\.h|sys/epoll\.h|netinet/tcp\.h|netdb\.h"
FILES = r"fcntl\.h|dirent\.h|sys/stat\.h|sys/file\.h|sys/mman\.h|base/file\.h"
FORBIDDEN = {
    "agent/policy": f"{SOCKETS}|{FILES}",
    "agent/credential": f"{SOCKETS}|{FILES}",
    "agent/login": f"{SOCKETS}|{FILES}",
    "agent/session": SOCKETS,
    "agent/reaper": SOCKETS,
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SEARCH = ("include", "lib", "agent", "")
GENERATED = ("agent_interface.h", "event_catalog.h", "openapi_text.h", "migrations.h")


def folder_rule(path, table):
    """The key of `table` that covers the file, by its longest folder."""
    folder = os.path.dirname(path)
    while folder and folder not in table:
        folder = os.path.dirname(folder)
    return folder or None


def resolve(root, path, name):
    """The project's file that an include means, or None when it is not the project's."""
    for base in (os.path.dirname(path), *SEARCH):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def within(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def check_include(root, path, name, quoted):
    """What is wrong with one include, or None."""
    key = folder_rule(path, RULES)
    if key is None:
        return "in a folder that tests/lint/includes.py does not know"
    folders, libraries = RULES[key]
    forbidden = FORBIDDEN.get(folder_rule(path, FORBIDDEN) or "")
    if forbidden and re.match(forbidden, name):
        return f"{key} must not know {name}"
    target = resolve(root, path, name)
    if target:
        own = folder_rule(target, RULES) == key and key != "agent"
        if own or within(target, folders):
            return None
        return f"{key} must not include {target}"
    for library, pattern in LIBRARIES.items():
        if re.match(pattern, name):
            return None if library in libraries else f"{key} must not use {library} ({name})"
    if quoted and name not in GENERATED:
        return f"{name} is nowhere in the project"
    return None


def check_file(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    if "SPDX-License-Identifier: MIT" not in "\n".join(lines[:3]):
        yield 1, "no SPDX line at the top"
    if len(lines) > LINES_MAX + 1:
        yield LINES_MAX + 1, f"longer than {LINES_MAX} lines"
    # Public headers are read by compilers that we do not choose: they may have the old kind of guard.
    guards = ("#pragma once", "#ifndef TENANT_") if path.startswith("include/") else ("#pragma once",)
    if path.endswith(".h") and not any(line.startswith(guards) for line in lines):
        yield 1, f"no {guards[0]}"
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            problem = check_include(root, path, match[1] or match[2], bool(match[1]))
            if problem:
                yield number, problem


def main():
    root, problems = sys.argv[1], 0
    for path in sys.argv[2:]:
        for number, text in check_file(root, path):
            print(f"{path}:{number}: {text}")
            problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
