"""The graph of the tasks of a build file: who needs whom. Pure; ``inspection`` makes it of loaded tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from finnmake.errors import BuildFileError


@dataclass(frozen=True)
class TaskGraph:
    """Tasks by name, as ``doit list --all`` names them.

    Attributes:
        needs: task -> tasks that it needs directly; without groups.
        groups: group -> its tasks.
        outputs: task -> paths of what it makes, relative to the current folder; of folders with a "/" at the end.
        unexpanded: tasks that have yet to be built for the tasks of their group to be known.
    """

    needs: Mapping[str, Sequence[str]]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unexpanded: Sequence[str] = ()

    @cached_property
    def needed_by(self) -> Mapping[str, Sequence[str]]:
        """Task -> tasks that need it directly."""
        found: dict[str, list[str]] = {name: [] for name in self.needs}
        for name in sorted(self.needs):
            for dependency in self.needs[name]:
                found.setdefault(dependency, []).append(name)
        return found

    @cached_property
    def order(self) -> Mapping[str, int]:
        """Place of each task in an order where everything comes after what it needs; the same for the same graph."""
        left = {name: len(set(dependencies)) for name, dependencies in self.needs.items()}
        ready = deque(sorted(name for name, count in left.items() if not count))
        placed: dict[str, int] = {}
        while ready:
            name = ready.popleft()
            placed[name] = len(placed)
            for after in dict.fromkeys(self.needed_by[name]):
                left[after] -= 1
                if not left[after]:
                    ready.append(after)
        return placed

    def members(self, name: str) -> tuple[str, ...]:
        """A task, or all tasks of a group.

        Raises:
            BuildFileError: there is neither of that name.
        """
        if name in self.needs:
            return (name,)
        if name in self.groups:
            return tuple(self.groups[name])
        near = get_close_matches(name, [*self.needs, *self.groups], n=3)
        remedies = [f"Near: {', '.join(near)}." if near else "`doit list --all` names them all."]
        remedies.extend(
            f"More tasks are known when {task} has been built." for task in self.unexpanded if _same_group(task, name)
        )
        raise BuildFileError(f"there is no task or target {name!r}", remedy=" ".join(remedies))

    def dependencies(self, name: str, depth: int | None = None) -> list[str]:
        """A task (or the tasks of a group) and what it needs, at most ``depth`` steps away; what is needed first."""
        return self._reached(self.members(name), self.needs, depth)

    def dependents(self, name: str, depth: int | None = None) -> list[str]:
        """A task (or the tasks of a group) and what needs it, at most ``depth`` steps away; what is needed first."""
        return self._reached(self.members(name), self.needed_by, depth)

    def path(self, name: str, needed: str) -> list[str]:
        """The shortest chain from a task to one that it needs; empty where it does not need it."""
        targets = set(self.members(needed))
        before: dict[str, str | None] = dict.fromkeys(self.members(name))
        waiting = deque(before)
        while waiting:
            task: str | None = waiting.popleft()
            if task in targets:
                chain = []
                while task is not None:
                    chain.append(task)
                    task = before[task]
                return chain[::-1]
            assert task is not None
            for dependency in sorted(self.needs.get(task, ())):
                if dependency not in before:
                    before[dependency] = task
                    waiting.append(dependency)
        return []

    def _reached(self, names: Iterable[str], edges: Mapping[str, Sequence[str]], depth: int | None) -> list[str]:
        distance = dict.fromkeys(names, 0)
        waiting = deque(distance)
        while waiting:
            task = waiting.popleft()
            if depth is not None and distance[task] >= depth:
                continue
            for other in edges.get(task, ()):
                if other not in distance:
                    distance[other] = distance[task] + 1
                    waiting.append(other)
        return sorted(distance, key=lambda task: (self.order.get(task, 0), task))


def _same_group(task: str, name: str) -> bool:
    return task.partition(":")[0] == name.partition(":")[0]
