# SPDX-License-Identifier: MIT
# For JupyterHub: sign-in by PAM, which asks tenantd.
import os
import pwd
import subprocess

from jupyterhub.spawner import LocalProcessSpawner

c = get_config()  # noqa: F821 (JupyterHub gives it)

PROJECT = "acme/vision"  # whose people this hub is for


class MembersSpawner(LocalProcessSpawner):
    """Servers with all groups of their people. JupyterHub's own looks through the list of all groups there are, in
    which the directory's are only where agent.yaml says `enumerate: true`."""

    def make_preexec_fn(self, name):
        person = pwd.getpwnam(name)
        groups = os.getgrouplist(name, person.pw_gid)

        def become():
            os.setgroups(groups)
            os.setgid(person.pw_gid)
            os.setuid(person.pw_uid)
            os.umask(0o077)
            os.chdir(person.pw_dir)

        return become


def make_home(spawner):
    """What pam_mkhomedir does where a session is opened."""
    subprocess.run(["/usr/sbin/mkhomedir_helper", spawner.user.name, "0077"], check=True)


c.JupyterHub.authenticator_class = "jupyterhub.auth.PAMAuthenticator"
# A service of its own, so that host rules and key scopes can name it. The default, "login", is that of the console.
c.PAMAuthenticator.service = "jupyterhub"
# The account stage decides about role, source and hours; without it any valid key would do.
c.PAMAuthenticator.check_account = True
# Sessions would be opened by the hub's own process; see README.md.
c.PAMAuthenticator.open_sessions = False
# tenantd has decided already who may come. (JupyterHub 5 and later want to be told so.)
c.Authenticator.allow_all = True
# Accounts come from NSS. The hub must not make any.
c.LocalAuthenticator.create_system_users = False
c.JupyterHub.spawner_class = MembersSpawner
c.Spawner.pre_spawn_hook = make_home

c.JupyterHub.load_roles = [
    {"name": "revocations", "services": ["revocations"], "scopes": ["servers", "read:users", "list:users"]}
]
c.JupyterHub.services = [
    {
        "name": "revocations",
        "command": ["/usr/bin/python3", "/etc/jupyterhub/revocations.py"],
        "environment": {"TENANT_PROJECT_REQUIRED": PROJECT},
    },
]
