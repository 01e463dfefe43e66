# SPDX-License-Identifier: MIT
"""What can go wrong. `Denied` is a decision; `Broken` is the lack of one; they share no class but the root."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from ._types import Answer


class TenantError(Exception):
    """Any of the below."""


class Denied(TenantError):
    """Somebody decided no. ``reason`` is a word, the text a sentence for the person."""

    def __init__(self, message: str, reason: str, answer: "typing.Optional[Answer]" = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.answer = answer


class Broken(TenantError):
    """Nobody could decide: no agent, no answer in time, an answer that makes no sense, an agent without data."""


class NotPermitted(TenantError):
    """The agent does not let this process ask that (see `services` in agent.yaml)."""


class NotFound(TenantError):
    """There is no such user, session or project."""
