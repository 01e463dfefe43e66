# SPDX-License-Identifier: MIT
"""The calls."""

from __future__ import annotations

import os
import select
import threading
import types
import typing

from ._errors import Broken, Denied
from ._types import Answer, Code, Ended, Event, Identity, Json, Session, field
from ._wire import SOCKET_PATH, Connection, ErrorReply, Gone, Late, now

# An event that has begun to arrive is waited for this long: half of one cannot be given back.
_ARRIVAL_SECONDS = 2.0
_SESSIONS_MAX = 1 << 18
_END_WAIT_MAX = 600


def _drop_none(**members: typing.Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}


class Client:
    """A handle on the agent. It connects at the first call and reconnects by itself.

    Threads may share one; their calls then wait for one another, at most until their deadline. In a child
    after fork it makes its own connection. ``timeout`` is in seconds and bounds each call as a whole.
    Every call may raise `Broken` and `NotPermitted`, and ValueError for arguments that cannot be asked.
    """

    def __init__(self, socket_path: str = SOCKET_PATH, timeout: float = 2.0) -> None:
        if timeout <= 0:
            raise ValueError("a timeout must be above zero")
        self._path = socket_path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connection: typing.Optional[Connection] = None
        self._owner = 0

    def close(self) -> None:
        """Hangs up; a later call connects again."""
        with self._lock:
            self._drop()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: typing.Optional[typing.Type[BaseException]],
        error: typing.Optional[BaseException],
        trace: typing.Optional[types.TracebackType],
    ) -> None:
        self.close()

    def verify(
        self,
        credential: str,
        project: typing.Optional[str] = None,
        action: typing.Optional[str] = None,
        service: typing.Optional[str] = None,
        source: typing.Optional[str] = None,
    ) -> Answer:
        """Whose credential is this? With a project ("tenant/project" or an id) and an action the answer
        covers them. ``source`` is the client's address, for allowlists."""
        # Half a question would be answered with a yes to something else than was meant.
        if action and not project:
            raise ValueError("an action needs a project")
        parameters = _drop_none(
            credential=credential, project=project, action=action, service=service, source=source
        )
        return Answer.read(self._call("VerifyCredential", parameters))

    def check(
        self,
        project: str,
        action: str,
        user: typing.Optional[str] = None,
        uid: typing.Optional[int] = None,
    ) -> Answer:
        """May this person (by name or uid; without either, this process) do that, by role alone?"""
        if user is not None and uid is not None:
            raise ValueError("give a user or a uid")
        if not project or not action:
            raise ValueError("a project and an action are needed")
        return Answer.read(
            self._call("CheckAccess", _drop_none(user=user, uid=uid, project=project, action=action))
        )

    def require_project(
        self,
        credential: str,
        project: str,
        action: str,
        service: typing.Optional[str] = None,
        source: typing.Optional[str] = None,
    ) -> Answer:
        """The gate for a service's entry points: returns only when allowed, else raises `Denied` or `Broken`."""
        if not project or not action:
            raise ValueError("a project and an action are needed")
        answer = self.verify(credential, project, action, service, source)
        if not answer.allowed:
            raise Denied(answer.message, answer.reason, answer)
        return answer

    def whoami(self) -> Identity:
        """Who this process is, by its uid. Raises `NotFound` for somebody who is in no tenant."""
        return Identity.read(self._call("WhoAmI", {}))

    def sessions(
        self, user: typing.Optional[str] = None, project: typing.Optional[str] = None
    ) -> typing.List[Session]:
        """Sessions that this process may see: its own user's, those of projects where that user holds session.manage;
        for root and services that may, all. With a user or a project ("tenant/project" or an id) only theirs."""
        items: typing.List[Session] = []
        for parameters in self._call_list("Sessions", _drop_none(user=user, project=project, idle=True)):
            items += (Session.read(item) for item in field(parameters, "sessions", list))
            if len(items) > _SESSIONS_MAX:
                raise Broken("the agent's list of sessions has no end")
        return items

    def end_session(self, session: str, reason: typing.Optional[str] = None, wait: int = 0) -> Ended:
        """Ends a session with everything that runs in it: one's own, one of a project where one holds session.manage,
        or as root any. With ``wait`` (seconds, besides the client's timeout) it returns when nothing is left of it, or
        the time is over: see ``done``. Raises `NotFound` for one that there is not, or not for this caller."""
        return self._end("EndSession", wait, session=session, reason=reason)

    def end_sessions(
        self,
        user: typing.Optional[str] = None,
        project: typing.Optional[str] = None,
        reason: typing.Optional[str] = None,
        wait: int = 0,
    ) -> Ended:
        """The same for all that this process may end and that fit."""
        # Nothing said is a slip, and not everything.
        if user is None and project is None:
            raise ValueError("give a user or a project")
        return self._end("EndSessions", wait, user=user, project=project, reason=reason)

    def _end(self, method: str, wait: int, **parameters: typing.Optional[str]) -> Ended:
        if not 0 <= wait <= _END_WAIT_MAX:
            raise ValueError(f"one can wait {_END_WAIT_MAX} seconds at most")
        wishes = _drop_none(**parameters)
        if wait:
            wishes["wait"] = wait
        return Ended.read(self._exchange(method, wishes, True, False, wait)[0])

    def code(self, user: typing.Optional[str] = None, service: typing.Optional[str] = None) -> Code:
        """A code that signs somebody in once on this host: oneself, or for root and services that may, `user`. With a
        PAM service only there. Raises `Denied` when there is none to be had."""
        code = Code.read(self._call("Code", _drop_none(user=user, service=service), once=True))
        if not code.allowed:
            raise Denied(code.message, code.reason)
        return code

    def emit(
        self,
        action: str,
        success: bool = True,
        user: typing.Optional[str] = None,
        project: typing.Optional[str] = None,
        message: typing.Optional[str] = None,
        data: typing.Optional[Json] = None,
    ) -> None:
        """Writes an audit event of this service."""
        if data is not None and not isinstance(data, dict):
            raise ValueError("the data of an event must be a dict")
        parameters = _drop_none(user=user, project=project, message=message, data=data)
        parameters.update(action=action, outcome="success" if success else "failure")
        self._call("Emit", parameters, once=True)

    def subscribe(self) -> "Subscription":
        """Events from now on, over a connection of their own. When it returns, nothing is missed any more."""
        deadline = now() + self._timeout
        connection = Connection(self._path, deadline)
        try:
            connection.send("Subscribe", {}, deadline, more=True)
            parameters, continues = connection.receive("Subscribe", deadline)
            if not continues or Event.read(parameters).event != "ready":
                raise Broken("the agent's subscription does not begin as promised")
        except ErrorReply as reply:
            connection.close()
            raise reply.error from None
        except BaseException:
            connection.close()
            raise
        return Subscription(connection)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, deadline: float) -> Connection:
        self._drop()
        self._connection = Connection(self._path, deadline)
        self._owner = os.getpid()
        return self._connection

    def _call(self, method: str, parameters: Json, once: bool = False) -> Json:
        return self._exchange(method, parameters, once, False)[0]

    def _call_list(self, method: str, parameters: Json) -> typing.List[Json]:
        return self._exchange(method, parameters, False, True)

    def _exchange(
        self, method: str, parameters: Json, once: bool, more: bool, longer: int = 0
    ) -> typing.List[Json]:
        """A call goes out a second time only when repeating it changes nothing, and only when the first went
        over a connection of before, which an agent that was restarted has left behind."""
        deadline = now() + self._timeout + longer
        if not self._lock.acquire(timeout=self._timeout):
            raise Late("another call on this client did not end in time")
        try:
            connection = self._connection
            reused = connection is not None and self._owner == os.getpid() and connection.is_quiet()
            if connection is None or not reused:
                connection = self._connect(deadline)
            try:
                return self._attempt(connection, method, parameters, deadline, more)
            except Gone:
                if not reused or once:
                    raise
                return self._attempt(self._connect(deadline), method, parameters, deadline, more)
        except ErrorReply as reply:
            raise reply.error from None
        except BaseException:
            # A late reply must not be taken for the next call's.
            self._drop()
            raise
        finally:
            self._lock.release()

    @staticmethod
    def _attempt(
        connection: Connection, method: str, parameters: Json, deadline: float, more: bool
    ) -> typing.List[Json]:
        replies = []
        connection.send(method, parameters, deadline, more)
        while True:
            reply, continues = connection.receive(method, deadline)
            replies.append(reply)
            if not continues:
                return replies
            if not more:
                raise Broken("the agent answers once too often")


class Subscription:
    """Events as they happen. Iterate over it, or call `next` with a time. Not thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._owner = os.getpid()

    def fileno(self) -> int:
        """For select: when readable, call ``next(0)`` until it gives None."""
        return self._connection.fileno()

    def next(self, timeout: typing.Optional[float] = None) -> typing.Optional[Event]:
        """The next event; None when the time (seconds; None: for ever) ends. `Broken`: the subscription
        is over; subscribe again and look anew."""
        if self._owner != os.getpid():
            raise Broken("a subscription stays with the process that made it")
        if not self._connection.has_frame() and not self._wait(timeout):
            return None
        try:
            parameters, continues = self._connection.receive("Subscribe", now() + _ARRIVAL_SECONDS)
            if not continues:
                raise Broken("the agent ended the subscription")
            return Event.read(parameters)
        except ErrorReply as reply:
            self.close()
            raise Broken(str(reply.error)) from None
        except Broken:
            self.close()
            raise

    def _wait(self, timeout: typing.Optional[float]) -> bool:
        poll = select.poll()
        try:
            poll.register(self._connection.fileno(), select.POLLIN)
        except ValueError as error:
            raise Broken("the subscription is over") from error
        return bool(poll.poll(None if timeout is None else max(0.0, timeout * 1000)))

    def close(self) -> None:
        self._connection.close()

    def __iter__(self) -> typing.Iterator[Event]:
        while True:
            event = self.next()
            if event is not None:
                yield event

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self,
        kind: typing.Optional[typing.Type[BaseException]],
        error: typing.Optional[BaseException],
        trace: typing.Optional[types.TracebackType],
    ) -> None:
        self.close()
