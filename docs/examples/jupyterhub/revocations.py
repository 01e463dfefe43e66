# SPDX-License-Identifier: MIT
"""A JupyterHub service that stops the servers of people who lost their right to be here.

It listens to the agent's events and looks anew at everybody after each change and after each interruption,
so that nothing is missed while it was away. Needs ``may: [check, subscribe]`` in agent.yaml for the account
that runs the hub (root needs nothing).
"""

import json
import os
import sys
import time
import urllib.request

import tenantd

PROJECT = os.environ.get("TENANT_PROJECT_REQUIRED", "")
EVENTS = {"directory-changed", "key-revoked", "user-suspended", "role-changed"}


def hub(method, path):
    request = urllib.request.Request(
        os.environ["JUPYTERHUB_API_URL"] + path,
        method=method,
        headers={"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
    return json.loads(body) if body else None


def look(client):
    """Stops what may not run. A breakage of the agent stops nothing: it is not a denial."""
    for user in hub("GET", "/users?state=active"):
        try:
            allowed = client.check(PROJECT, "host.login", user=user["name"])
        except tenantd.NotFound:
            allowed = False
        except tenantd.Broken as broken:
            print(f"revocations: cannot decide about {user['name']}: {broken}", file=sys.stderr)
            continue
        if not allowed:
            print(f"revocations: stopping the server of {user['name']}", file=sys.stderr)
            hub("DELETE", f"/users/{user['name']}/server")


def main():
    if not PROJECT:
        sys.exit("revocations: set TENANT_PROJECT_REQUIRED to the hub's project, as tenant/project")
    client = tenantd.Client()
    while True:
        try:
            with client.subscribe() as events:
                look(client)
                for event in events:
                    if event.event in EVENTS:
                        look(client)
        except (tenantd.TenantError, OSError) as error:
            print(f"revocations: {error}", file=sys.stderr)
            time.sleep(5)


if __name__ == "__main__":
    main()
