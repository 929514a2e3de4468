"""Tasks whose outputs decide which further tasks there are: which of them are looked at, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from doit.control import TaskControl


def closure(control: TaskControl, names: Iterable[str]) -> set[str]:
    """Tasks and all that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            task = control.tasks[name]
            waiting.extend((*task.task_dep, *task.setup_tasks, *task.calc_dep))
    return found


def with_expanding(control: TaskControl, expanding: Sequence[str], needed: set[str]) -> set[str]:
    """Also expanding tasks that a needed task of their group comes after: it may be another when they are done."""
    result = set(needed)
    for name in expanding:
        group = f"{name.partition(':')[0]}:"
        before = closure(control, [name])
        if any(other.startswith(group) and other not in before for other in needed):
            result |= before
    return result


def next_to_expand(control: TaskControl, expanding: Sequence[str], needed: set[str], expanded: set[str]) -> list[str]:
    """The expanding tasks whose turn it is, in the order of ``expanding``; none where all have had it.

    One that comes after another may be another task when that one has run: it waits for it.

    Args:
        control: of all tasks.
        expanding: all of them.
        needed: tasks to look at.
        expanded: those that have had their turn.
    """
    waiting = [name for name in expanding if name in needed and name not in expanded]
    return [name for name in waiting if not (closure(control, [name]) - {name}).intersection(waiting)]


def beside(control: TaskControl, expanding: Collection[str], needed: set[str], engine: Collection[str]) -> list[str]:
    """Needed tasks that are what they are, whatever expanding tasks bring forth: they need not wait for them.

    Only engine tasks that need nothing but engine tasks: what others do is not known.

    Args:
        control: of all tasks.
        expanding: the expanding tasks that have not had their turn, or have it now.
        needed: tasks to look at.
        engine: the engine tasks.

    Returns:
        In the order of the build file.
    """
    readers: dict[str, list[str]] = {}
    for name in needed:
        task = control.tasks[name]
        for other in (*task.task_dep, *task.setup_tasks, *task.calc_dep):
            readers.setdefault(other, []).append(name)
    left_out: set[str] = set()
    waiting = [*expanding, *(name for name in needed if name not in engine)]
    while waiting:
        name = waiting.pop()
        if name not in left_out:
            left_out.add(name)
            waiting.extend(readers.get(name, ()))
    return [name for name in control.tasks if name in needed and name not in left_out]
