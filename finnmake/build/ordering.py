"""The order in which tasks are begun when several run at once: the longest way to the end first.

As ninja does it, with the time that each action took when it last ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from doit.control import TaskControl


def longest_way_first(control: TaskControl, names: Iterable[str], seconds: Mapping[str, float]) -> list[str]:
    """Tasks and all that they need, each behind what it needs; those first behind which most time lies.

    Args:
        control: of all tasks.
        names: tasks that are to be done, in the order in which they would be begun.
        seconds: that actions took; for those that are not there none.

    Returns:
        Where no time is known, the order in which doit would begin them.
    """
    order = _depth_first(control, names)
    way = dict.fromkeys(order, 0.0)
    for name in reversed(order):
        way[name] += seconds.get(name, 0.0)
        for other in control.tasks[name].task_dep:
            way[other] = max(way[other], way[name])
    return sorted(order, key=lambda name: -way[name])


def _depth_first(control: TaskControl, names: Iterable[str]) -> list[str]:
    """Tasks and all that they need, each behind what it needs."""
    order: dict[str, None] = {}
    seen: set[str] = set()
    for first in names:
        waiting = [(first, False)]
        while waiting:
            name, is_entered = waiting.pop()
            if is_entered:
                order[name] = None
            elif name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting.extend((other, False) for other in reversed(control.tasks[name].task_dep))
    return list(order)
