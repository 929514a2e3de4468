"""What the rebuilder says of a task: whether it has to be executed, what that took, which phase it is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finnmake.errors import FinnmakeError

Mark = Callable[[str], None]
"""Told at which moment an action begins with which phase (those of ``chrome_trace.CATEGORIES``)."""


def unmarked(phase: str) -> None:
    """Nobody records phases."""


@dataclass(frozen=True)
class Status:
    """Whether a task has to be executed, and why.

    Attributes:
        up_to_date: nothing is to be done.
        reason: one line; "" when up to date.
        changed_outputs: workspace paths that are missing or have other bytes than the task produced.
    """

    up_to_date: bool
    reason: str = ""
    changed_outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What bringing a task up to date took.

    Attributes:
        how: ``run``, ``store`` or ``remote``.
    """

    how: str
    seconds: float


class NotStoredError(FinnmakeError):
    """The result of an action that must not run is in no store."""
