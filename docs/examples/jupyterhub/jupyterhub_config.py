# SPDX-License-Identifier: MIT
# For JupyterHub: sign-in by PAM, which asks tenantd.
c = get_config()  # noqa: F821 (JupyterHub gives it)

c.JupyterHub.authenticator_class = "jupyterhub.auth.PAMAuthenticator"
# A service of its own, so that host rules and key scopes can name it.
c.PAMAuthenticator.service = "jupyterhub"
# The account stage decides about role, source and hours; without it any valid key would do.
c.PAMAuthenticator.check_account = True
# Sessions would be opened by the hub's own process; see README.md.
c.PAMAuthenticator.open_sessions = False
# tenantd has decided already who may come.
c.Authenticator.allow_all = True
# Accounts come from NSS. The hub must not make any.
c.LocalAuthenticator.create_system_users = False

c.JupyterHub.load_roles = [
    {"name": "revocations", "services": ["revocations"], "scopes": ["servers", "read:users", "list:users"]}
]
c.JupyterHub.services = [
    {"name": "revocations", "command": ["/usr/bin/python3", "/etc/jupyterhub/revocations.py"]},
]
