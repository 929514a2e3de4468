"""The trace: why each action of the last build ran, from the ingredients that the state keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from finnmake.build.state import State, TaskRecord
from finnmake.errors import FinnmakeError

if TYPE_CHECKING:
    from finnmake.build.action import Action
    from finnmake.build.rebuilder import Rebuilder

_HEX = re.compile(r"[0-9a-f]{64}")


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One line for each ingredient that is not the same; digests are shortened."""
    lines = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if old is None:
            lines.append(f"{name}: new")
        elif new is None:
            lines.append(f"{name}: no longer there")
        else:
            lines.append(f"{name}: {_short(old)} -> {_short(new)}")
    return lines


def _short(value: str) -> str:
    return _HEX.sub(lambda match: match.group()[:12], value)


def explain(state: State, names: Sequence[str] = ()) -> Iterator[str]:
    """Lines that say why tasks ran.

    Args:
        state: of the workspace.
        names: tasks or groups; empty for every action of the last build.
    """
    build, up_to_date = state.last_build()
    for record in sorted(state.tasks.values(), key=lambda record: record.name):
        group = record.name.partition(":")[0]
        if names and record.name not in names and group not in names:
            continue
        if record.build == build:
            yield from _executed(state, record, "")
        elif record.name in up_to_date or names:
            yield f"{record.name}: up to date"
            if record.name in names:
                yield from (f"  {line}" for line in _executed(state, record, "last "))
    for name in names:
        if name not in state.tasks and not any(known.startswith(f"{name}:") for known in state.tasks):
            yield f"{name}: never built"


def explain_now(rebuilder: Rebuilder, name: str, action: Action) -> list[str]:
    """Lines that say why a task would be executed if it were built now; none where it is up to date.

    Args:
        rebuilder: of the task's workspace.
        name: of the task.
        action: of the task.
    """
    try:
        status = rebuilder.status(name, action, may_run=True)
        if status.up_to_date:
            return []
        before, _ = rebuilder.state.ingredients(name)
        lines = changes(before, rebuilder.resolved(action).ingredients()) if before is not None else []
    except FinnmakeError as error:
        return [f"{name}: cannot be built yet", *(f"  {line}" for line in error.text.splitlines())]
    return [f"{name}: out of date", *(f"  {line}" for line in lines or [status.reason])]


def _executed(state: State, record: TaskRecord, prefix: str) -> Iterator[str]:
    how = {"run": "run", "remote": "taken from the remote cache"}.get(record.outcome, "taken from the store")
    now, before = state.ingredients(record.name)
    yield f"{prefix}{record.name}: {how}, {record.seconds:.2f} s" if not prefix else f"{prefix}{how}:"
    if before is None:
        yield "  first build"
        return
    lines = changes(before, now or {})
    yield from (f"  {line}" for line in lines or [record.reason or "asked for again"])
