# SPDX-License-Identifier: MIT
"""A decorator that puts the gate before a service's entry points."""

from __future__ import annotations

import functools
import inspect
import json
import threading
import typing

from ._client import Client
from ._errors import Broken, Denied, NotFound, NotPermitted
from ._types import Answer

F = typing.TypeVar("F", bound=typing.Callable[..., typing.Any])
Environ = typing.Dict[str, typing.Any]
Project = typing.Union[str, typing.Callable[..., str]]

_default_lock = threading.Lock()
_default: typing.Optional[Client] = None


def _default_client() -> Client:
    global _default
    with _default_lock:
        if _default is None:
            _default = Client()
        return _default


def bearer_token(environ: Environ) -> typing.Optional[str]:
    """The credential of a WSGI request: ``Authorization: Bearer …`` (RFC 6750), or None."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token else None


def require(
    action: str,
    *,
    project: Project,
    credential: str = "token",
    client: typing.Optional[Client] = None,
    service: typing.Optional[str] = None,
    wsgi: typing.Optional[bool] = None,
) -> typing.Callable[[F], F]:
    """Lets only those through whose credential allows ``action`` in ``project``.

    On a function, the credential is its argument ``token`` (or the one named by ``credential``):

        @tenantd.require("dataset.write", project="acme/vision")
        def upload(token, path): ...

    `Denied` and `Broken` go to the caller. On a WSGI application (first arguments ``environ`` and
    ``start_response``, or ``wsgi=True``) the credential is the request's bearer token, and the answers are
    401, 403 and 503 with RFC 9457 bodies. The client's address is checked against allowlists:

        @tenantd.require("dataset.write", project=lambda environ: environ["app.project"])
        def application(environ, start_response): ...

    ``project`` may be a function of the same arguments. A function that has an argument ``answer`` gets
    the `Answer`; a WSGI application finds it in ``environ["tenantd.answer"]``.
    """
    if not action or not project:
        raise ValueError("an action and a project are needed")

    def decorate(function: F) -> F:
        names = list(inspect.signature(function).parameters)
        is_wsgi = names[:2] == ["environ", "start_response"] if wsgi is None else wsgi
        gate = _gate_wsgi if is_wsgi else _gate_function
        if not is_wsgi and credential not in names:
            raise TypeError(f"{function.__name__} has no argument {credential!r} for the credential")
        return typing.cast(F, gate(function, action, project, credential, client, service))

    return decorate


def _gate_function(
    function: typing.Callable[..., typing.Any],
    action: str,
    project: Project,
    credential: str,
    client: typing.Optional[Client],
    service: typing.Optional[str],
) -> typing.Callable[..., typing.Any]:
    signature = inspect.signature(function)
    wants_answer = "answer" in signature.parameters

    def gate(args: typing.Tuple[typing.Any, ...], kwargs: typing.Dict[str, typing.Any]) -> None:
        bound = signature.bind_partial(*args, **kwargs)
        if wants_answer and "answer" in bound.arguments:
            raise TypeError("the argument answer is the gate's to give")
        token = bound.arguments.get(credential)
        if not isinstance(token, str) or not token:
            raise Denied("A credential is needed.", "credential-missing")
        where = project(*args, **kwargs) if callable(project) else project
        answer = (client or _default_client()).require_project(token, where, action, service)
        if wants_answer:
            kwargs["answer"] = answer

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def gated_coroutine(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
            import asyncio

            await asyncio.get_running_loop().run_in_executor(None, gate, args, kwargs)
            return await function(*args, **kwargs)

        return gated_coroutine

    @functools.wraps(function)
    def gated(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        gate(args, kwargs)
        return function(*args, **kwargs)

    return gated


def _gate_wsgi(
    application: typing.Callable[..., typing.Any],
    action: str,
    project: Project,
    credential: str,
    client: typing.Optional[Client],
    service: typing.Optional[str],
) -> typing.Callable[..., typing.Any]:
    @functools.wraps(application)
    def gated(environ: Environ, start_response: typing.Callable[..., typing.Any]) -> typing.Any:
        # A header cannot make this name (WSGI writes them as HTTP_…); a middleware before us could.
        environ.pop("tenantd.answer", None)
        token = bearer_token(environ)
        if token is None:
            return _problem(
                start_response, "401 Unauthorized", "A bearer token is needed.", "credential-missing"
            )
        where = project(environ) if callable(project) else project
        try:
            answer: Answer = (client or _default_client()).require_project(
                token, where, action, service, environ.get("REMOTE_ADDR") or None
            )
        except Denied as denied:
            return _problem(start_response, "403 Forbidden", str(denied), denied.reason)
        except (NotFound, ValueError):
            return _problem(start_response, "403 Forbidden", "That is not a credential for this.", "not-found")
        except (Broken, NotPermitted) as broken:
            stream = environ.get("wsgi.errors")
            if stream is not None:
                stream.write(f"tenantd: {broken}\n")
            return _problem(
                start_response,
                "503 Service Unavailable",
                "You were not denied: the host cannot decide at the moment.",
                "broken",
            )
        environ["tenantd.answer"] = answer
        return application(environ, start_response)

    return gated


def _problem(
    start_response: typing.Callable[..., typing.Any], status: str, detail: str, reason: str
) -> typing.List[bytes]:
    code, _, title = status.partition(" ")
    body = json.dumps(
        {"type": "about:blank", "title": title, "status": int(code), "detail": detail, "reason": reason}
    ).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if code == "401":
        headers.append(("WWW-Authenticate", "Bearer"))
    start_response(status, headers)
    return [body]
