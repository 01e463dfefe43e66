# SPDX-License-Identifier: MIT
"""What the agent answers, as plain immutable records, and the strict reading of them."""

from __future__ import annotations

import dataclasses
import typing

from ._errors import Broken

Json = typing.Dict[str, typing.Any]


def field(record: Json, name: str, kind: type, required: bool = True) -> typing.Any:
    """A member of the wanted type. An optional one that is absent or null is None."""
    value = record.get(name)
    if value is None and not required:
        return None
    # bool is a subclass of int, and a uid is not a bool.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Broken(f"the agent's answer has no {name} of the promised type")
    return value


@dataclasses.dataclass(frozen=True)
class Principal:
    """Who somebody is here. ``role`` is the role in ``project``. Of kind "operator" it is somebody of the platform
    (``operator``), who looks in by a ``grant`` as a viewer."""

    user: str
    user_id: str
    uid: int
    kind: str
    tenant: str
    tenant_id: str
    project: typing.Optional[str] = None
    project_id: typing.Optional[str] = None
    role: typing.Optional[str] = None
    operator: typing.Optional[str] = None
    grant: typing.Optional[str] = None

    @property
    def is_operator(self) -> bool:
        return self.kind == "operator"

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @classmethod
    def read(cls, record: Json) -> "Principal":
        principal = cls(
            user=field(record, "user", str),
            user_id=field(record, "user_id", str),
            uid=field(record, "uid", int),
            kind=field(record, "kind", str),
            tenant=field(record, "tenant", str),
            tenant_id=field(record, "tenant_id", str),
            project=field(record, "project", str, False),
            project_id=field(record, "project_id", str, False),
            role=field(record, "role", str, False),
            operator=field(record, "operator", str, False),
            grant=field(record, "grant", str, False),
        )
        if principal.kind not in ("person", "service", "operator") or not 0 <= principal.uid < 2**32 - 1:
            raise Broken("the agent's answer names nobody")
        return principal


@dataclasses.dataclass(frozen=True)
class Answer:
    """A decision. True only when it is "allowed"; "broken" never gets here, since it raises `Broken`."""

    decision: str
    reason: str
    message: str
    principal: typing.Optional[Principal] = None
    key_id: typing.Optional[str] = None
    actions: typing.Tuple[str, ...] = ()
    warning: typing.Optional[str] = None

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"

    def __bool__(self) -> bool:
        return self.allowed

    @classmethod
    def read(cls, parameters: Json) -> "Answer":
        decision = field(parameters, "decision", dict)
        principal = field(parameters, "principal", dict, False)
        actions = field(parameters, "actions", list, False) or []
        if not all(isinstance(action, str) for action in actions):
            raise Broken("the agent's answer has actions that are no words")
        answer = cls(
            decision=field(decision, "decision", str),
            reason=field(decision, "reason", str),
            message=field(decision, "message", str),
            principal=Principal.read(principal) if principal is not None else None,
            key_id=field(parameters, "key_id", str, False),
            actions=tuple(actions),
            warning=field(parameters, "warning", str, False),
        )
        if answer.decision == "broken":
            raise Broken(f"the agent cannot decide: {answer.message}")
        if answer.decision not in ("allowed", "denied"):
            raise Broken("the agent's answer is no decision")
        if answer.allowed and answer.principal is None:
            raise Broken("the agent allowed nobody")
        return answer


@dataclasses.dataclass(frozen=True)
class Code:
    """A one-time sign-in code for ``user``, good for ``expires_in`` seconds and, with ``service``, there alone."""

    decision: str
    reason: str
    message: str
    code: str = dataclasses.field(default="", repr=False)
    user: str = ""
    expires_in: int = 0
    service: typing.Optional[str] = None

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"

    @classmethod
    def read(cls, parameters: Json) -> "Code":
        decision = field(parameters, "decision", dict)
        allowed = field(decision, "decision", str) == "allowed"
        code = cls(
            decision=field(decision, "decision", str),
            reason=field(decision, "reason", str),
            message=field(decision, "message", str),
            code=field(parameters, "code", str, allowed) or "",
            user=field(parameters, "user", str, allowed) or "",
            expires_in=field(parameters, "expires_in", int, allowed) or 0,
            service=field(parameters, "service", str, False),
        )
        if code.decision == "broken":
            raise Broken(f"the agent cannot decide: {code.message}")
        if code.decision not in ("allowed", "denied") or bool(code.code) != allowed:
            raise Broken("the agent's answer is no decision about a code")
        return code


@dataclasses.dataclass(frozen=True)
class Membership:
    """A role; without a project it is tenant-wide."""

    tenant: str
    role: str
    project: typing.Optional[str] = None
    project_id: typing.Optional[str] = None

    @classmethod
    def read(cls, record: typing.Any) -> "Membership":
        if not isinstance(record, dict):
            raise Broken("the agent's answer has a membership that is no record")
        return cls(
            tenant=field(record, "tenant", str),
            role=field(record, "role", str),
            project=field(record, "project", str, False),
            project_id=field(record, "project_id", str, False),
        )


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who this process is."""

    principal: Principal
    memberships: typing.Tuple[Membership, ...]

    @classmethod
    def read(cls, parameters: Json) -> "Identity":
        return cls(
            principal=Principal.read(field(parameters, "principal", dict)),
            memberships=tuple(Membership.read(item) for item in field(parameters, "memberships", list)),
        )


@dataclasses.dataclass(frozen=True)
class Session:
    """A session on this host. ``state`` is "open", "left-behind" (its leader is gone, something that it started is not)
    or "ending", for the word in ``cause``. ``opened`` is in seconds since the epoch, ``idle`` in seconds without a key
    pressed at ``tty``; ``leader`` is 0 when it is gone. ``operator``, ``grant`` and ``grant_reason``: somebody of
    the platform looks in."""

    session: str
    state: str
    user: str
    user_id: str
    uid: int
    tenant: str
    service: str
    leader: int
    opened: int
    cause: typing.Optional[str] = None
    tenant_id: typing.Optional[str] = None
    project: typing.Optional[str] = None
    project_id: typing.Optional[str] = None
    role: typing.Optional[str] = None
    source: typing.Optional[str] = None
    terminal: typing.Optional[str] = None
    credential: typing.Optional[str] = None
    provider: typing.Optional[str] = None
    operator: typing.Optional[str] = None
    grant: typing.Optional[str] = None
    grant_reason: typing.Optional[str] = None
    scope: typing.Optional[str] = None
    tty: typing.Optional[str] = None
    idle: typing.Optional[int] = None

    @classmethod
    def read(cls, record: typing.Any) -> "Session":
        if not isinstance(record, dict):
            raise Broken("the agent's answer has a session that is no record")
        return cls(
            session=field(record, "session", str),
            state=field(record, "state", str),
            user=field(record, "user", str),
            user_id=field(record, "user_id", str),
            uid=field(record, "uid", int),
            tenant=field(record, "tenant", str),
            service=field(record, "service", str),
            leader=field(record, "leader", int),
            opened=field(record, "opened", int),
            cause=field(record, "cause", str, False),
            tenant_id=field(record, "tenant_id", str, False),
            project=field(record, "project", str, False),
            project_id=field(record, "project_id", str, False),
            role=field(record, "role", str, False),
            source=field(record, "source", str, False),
            terminal=field(record, "terminal", str, False),
            credential=field(record, "credential", str, False),
            provider=field(record, "provider", str, False),
            operator=field(record, "operator", str, False),
            grant=field(record, "grant", str, False),
            grant_reason=field(record, "grant_reason", str, False),
            scope=field(record, "scope", str, False),
            tty=field(record, "tty", str, False),
            idle=field(record, "idle", int, False),
        )


@dataclasses.dataclass(frozen=True)
class Ended:
    """What came of a wish to end sessions: so many were ``asked`` to end, so many of them are ``gone``; ``problem`` is
    what hinders the rest, while the agent goes on."""

    asked: int
    gone: int
    problem: typing.Optional[str] = None

    @property
    def done(self) -> bool:
        return self.gone == self.asked

    @classmethod
    def read(cls, parameters: Json) -> "Ended":
        ended = cls(
            asked=field(parameters, "asked", int),
            gone=field(parameters, "gone", int),
            problem=field(parameters, "problem", str, False),
        )
        if not 0 <= ended.gone <= ended.asked:
            raise Broken("the agent's answer counts more sessions gone than there were")
        return ended


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened: "key-revoked", "user-suspended", "role-changed", "directory-changed" …"""

    event: str
    user: typing.Optional[str] = None
    user_id: typing.Optional[str] = None
    key_id: typing.Optional[str] = None
    project: typing.Optional[str] = None
    session: typing.Optional[str] = None
    generation: typing.Optional[int] = None
    cause: typing.Optional[str] = None

    @classmethod
    def read(cls, parameters: Json) -> "Event":
        return cls(
            event=field(parameters, "event", str),
            user=field(parameters, "user", str, False),
            user_id=field(parameters, "user_id", str, False),
            key_id=field(parameters, "key_id", str, False),
            project=field(parameters, "project", str, False),
            session=field(parameters, "session", str, False),
            generation=field(parameters, "generation", int, False),
            cause=field(parameters, "cause", str, False),
        )
