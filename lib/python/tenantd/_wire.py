# SPDX-License-Identifier: MIT
"""One connection that speaks Varlink: JSON objects, each ended by one NUL, over a UNIX socket."""

from __future__ import annotations

import json
import socket
import time
import typing

from ._errors import Broken, NotFound, NotPermitted, TenantError
from ._types import Json

SOCKET_PATH = "/run/tenantd/agent.sock"
INTERFACE = "io.tenantd.Agent"
MESSAGE_MAX = 64 * 1024
_BACKLOG_PAUSE = 0.005
# Time goes on during suspend, and never jumps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    return time.clock_gettime(_CLOCK)


def _no_duplicates(pairs: typing.List[typing.Tuple[str, typing.Any]]) -> Json:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a member is there twice")
    return record


def _no_constant(text: str) -> typing.NoReturn:
    raise ValueError(f"{text} is no JSON")


class Gone(Broken):
    """The connection ended before a reply came. Whether the call was carried out is not known."""


class Late(Broken):
    """No (whole) answer came by the deadline."""


class Connection:
    """Not thread-safe. After any exception but those of an error reply it must be closed."""

    def __init__(self, path: str, deadline: float) -> None:
        self.path = path
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect(deadline)
        except socket.timeout as error:
            self._socket.close()
            raise Late(f"the agent at {path} does not take connections") from error
        except OSError as error:
            self._socket.close()
            raise Broken(f"no agent listens at {path}: {error.strerror}") from error
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, deadline: float) -> None:
        while True:
            self._limit(deadline)
            try:
                self._socket.connect(self.path)
                return
            except BlockingIOError:
                # The agent's backlog is full, which a socket with a timeout does not wait for.
                time.sleep(_BACKLOG_PAUSE)

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def is_quiet(self) -> bool:
        """Neither hung up nor anything in it that nobody asked for."""
        if self._received:
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False

    def send(self, method: str, parameters: Json, deadline: float, more: bool = False) -> None:
        call: Json = {"method": f"{INTERFACE}.{method}", "parameters": parameters}
        if more:
            call["more"] = True
        # A surrogate would not be UTF-8: the caller's mistake, not the agent's.
        data = json.dumps(call, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        if len(data) > MESSAGE_MAX:
            raise ValueError("the arguments are too long")
        try:
            self._limit(deadline)
            self._socket.sendall(data + b"\0")
        except socket.timeout as error:
            raise Late(f"the agent did not take {method} in time") from error
        except OSError as error:
            raise Gone(f"the agent went away during {method}") from error

    def has_frame(self) -> bool:
        return 0 in self._received

    def receive(self, method: str, deadline: float) -> typing.Tuple[Json, bool]:
        """The parameters of one reply, and whether more follow."""
        scanned = 0
        while True:
            end = self._received.find(0, scanned)
            if end > MESSAGE_MAX or (end < 0 and len(self._received) > MESSAGE_MAX):
                raise Broken("what answers at the agent's socket does not end its message")
            if end >= 0:
                frame = bytes(self._received[:end])
                del self._received[: end + 1]
                return self._reply(frame)
            scanned = len(self._received)
            try:
                self._limit(deadline)
                data = self._socket.recv(65536)
            except socket.timeout as error:
                raise Late(f"the agent did not answer {method} in time") from error
            except OSError as error:
                raise Gone(f"the agent went away during {method}") from error
            if not data:
                raise Gone(f"the agent went away during {method}")
            self._received += data

    def _limit(self, deadline: float) -> None:
        left = deadline - now()
        if left <= 0:
            raise socket.timeout()
        self._socket.settimeout(left)

    @staticmethod
    def _reply(frame: bytes) -> typing.Tuple[Json, bool]:
        try:
            reply = json.loads(
                frame.decode("utf-8", "strict"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
            )
        except (ValueError, RecursionError) as error:
            raise Broken("what answers at the agent's socket does not speak its protocol") from error
        if not isinstance(reply, dict):
            raise Broken("what answers at the agent's socket does not speak its protocol")
        parameters = reply.get("parameters")
        if parameters is None:
            parameters = {}
        continues = reply.get("continues", False)
        if not isinstance(parameters, dict) or not isinstance(continues, bool):
            raise Broken("what answers at the agent's socket does not speak its protocol")
        if reply.get("error") is not None:
            raise error_of(reply["error"], parameters)
        return parameters, continues


class ErrorReply(Exception):
    """Carries the exception for an error reply: the connection is still good."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def error_of(name: typing.Any, parameters: Json) -> Exception:
    detail = ""
    for member in ("problem", "what", "limit", "parameter", "method"):
        value = parameters.get(member)
        if isinstance(value, str) and value:
            detail = f": {value}"
            break
    error: typing.Union[TenantError, ValueError]
    if name == "org.varlink.service.PermissionDenied":
        error = NotPermitted("the agent does not let this process ask that")
    elif name == "org.varlink.service.InvalidParameter":
        error = ValueError(f"the agent does not accept a parameter{detail}")
    elif name == f"{INTERFACE}.NotFound":
        error = NotFound(f"there is no such record{detail}")
    elif name == f"{INTERFACE}.Broken":
        error = Broken(f"the agent cannot decide{detail}")
    elif name == f"{INTERFACE}.TooMany":
        error = Broken(f"this process asks the agent for too much at once{detail}")
    else:
        error = Broken(f"the agent does not know this call, or answers it with {name}")
    return ErrorReply(error)
