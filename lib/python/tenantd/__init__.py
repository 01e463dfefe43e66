# SPDX-License-Identifier: MIT
"""Ask the local tenantd agent whose credential this is and what they may do.

    import tenantd

    client = tenantd.Client()
    answer = client.verify(token, project="acme/vision", action="dataset.write")
    if answer:
        print(answer.principal.user, answer.principal.role)

A denial and a breakage never look alike: ``verify`` and ``check`` return an `Answer` that is true only
when the agent allowed it, ``require_project`` raises `Denied`, and everything that kept the agent from
deciding raises `Broken`. Treat `Broken` as "no", and tell the operator.

Only the standard library is used. See `Client` for threads, forks and deadlines.
"""

from ._client import Client, Subscription
from ._errors import Broken, Denied, NotFound, NotPermitted, TenantError
from ._require import bearer_token, require
from ._types import Answer, Code, Ended, Event, Identity, Membership, Principal, Session
from ._wire import SOCKET_PATH

__all__ = [
    "SOCKET_PATH",
    "Answer",
    "Broken",
    "Client",
    "Code",
    "Denied",
    "Ended",
    "Event",
    "Identity",
    "Membership",
    "NotFound",
    "NotPermitted",
    "Principal",
    "Session",
    "Subscription",
    "TenantError",
    "bearer_token",
    "require",
]
