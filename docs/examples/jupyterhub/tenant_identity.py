# SPDX-License-Identifier: MIT
"""Jupyter Server: who is asking (by API key), and may they do that in this server's project?"""

import tenantd
from jupyter_server.auth import Authorizer, IdentityProvider, User
from tornado.web import HTTPError
from traitlets import Bool, Unicode

# What a request needs, by what it does to the server.
ACTIONS = {"read": "project.view", "write": "experiment.run", "execute": "experiment.run"}


def ask(provider_project, handler, action):
    """The agent's answer for this request; raises what the person should see."""
    if not provider_project:
        handler.log.error("tenantd: c.TenantIdentityProvider.project is not set")
        raise HTTPError(503, "You were not denied: this server is not set up.")
    token = tenantd.bearer_token({"HTTP_AUTHORIZATION": handler.request.headers.get("Authorization", "")})
    if token is None:
        return None
    try:
        return handler.settings.setdefault("tenantd_client", tenantd.Client()).verify(
            token, provider_project, action, service="jupyter", source=handler.request.remote_ip
        )
    except (tenantd.Broken, tenantd.NotPermitted) as broken:
        handler.log.error("tenantd: %s", broken)
        raise HTTPError(503, "You were not denied: this host cannot decide at the moment.") from broken
    except ValueError:
        return None


class TenantIdentityProvider(IdentityProvider):
    """Takes tenantd API keys as bearer tokens, and nothing else: no form, no cookie, no token in the address."""

    project = Unicode(help="The project that this server belongs to, as tenant/project").tag(config=True)
    need_token = Bool(False)
    login_available = False

    def get_user(self, handler):
        answer = ask(self.project, handler, ACTIONS["read"])
        if not answer:
            return None
        # An explicit token, so a browser on another site cannot have sent it: no XSRF check is needed.
        handler._token_authenticated = True
        return User(username=answer.principal.user)

    def process_login_form(self, handler):
        return None


class TenantAuthorizer(Authorizer):
    """Asks for each request, so that a revoked key or a lowered role counts from the next one on."""

    def is_authorized(self, handler, user, action, resource):
        return bool(ask(self.identity_provider.project, handler, ACTIONS.get(action, "experiment.run")))
