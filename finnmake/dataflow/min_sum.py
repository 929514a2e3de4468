"""The least sum of costs, each of one or two choices, by eliminating one choice after the other.

Dynamic programming on a graph: what a choice and those it is connected to cost is a table; the least over the choice,
for each combination of its neighbours, is a table of the neighbours alone (Bertele and Brioschi, Nonserial Dynamic
Programming, 1972). A chain, or one with branches that part and join again, as residual networks have, never needs a
table of more than two or three choices, and the result is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]

MOST_ENTRIES = 1 << 22
"""Of a table. Where a graph would need a larger one, choices are fixed beforehand, and improved afterwards."""


@dataclass(frozen=True)
class Problem:
    """Choices and what they cost.

    Attributes:
        single: per choice, the costs of its options; ``inf`` for what is not possible.
        pairs: (choice, other choice) -> costs of their options, shape (options, options of the other).
    """

    single: Sequence[Costs]
    pairs: Mapping[tuple[int, int], Costs]

    def cost(self, options: Sequence[int]) -> float:
        """The sum for one option of each choice."""
        single = sum(float(costs[option]) for costs, option in zip(self.single, options, strict=True))
        return single + sum(float(costs[options[a], options[b]]) for (a, b), costs in self.pairs.items())


@dataclass(frozen=True)
class Solution:
    """One option of each choice.

    Attributes:
        options: per choice.
        cost: their sum, ``inf`` where there is no possible combination.
        exact: no other combination has a smaller one.
    """

    options: tuple[int, ...]
    cost: float
    exact: bool


@dataclass(frozen=True)
class _Table:
    """Costs of several choices: one axis each, in the order of ``choices``."""

    choices: tuple[int, ...]
    costs: Costs

    def over(self, choices: Sequence[int]) -> Costs:
        """Its costs with one axis for each of ``choices``, of one entry for those that it does not know."""
        order = [self.choices.index(choice) for choice in choices if choice in self.choices]
        shape = [self.costs.shape[self.choices.index(c)] if c in self.choices else 1 for c in choices]
        return self.costs.transpose(order).reshape(shape)

    def at(self, choice: int, option: int) -> _Table:
        """Without a choice that is fixed."""
        axis = self.choices.index(choice)
        return _Table(self.choices[:axis] + self.choices[axis + 1 :], np.asarray(self.costs.take(option, axis)))


def minimise(problem: Problem, most_entries: int = MOST_ENTRIES) -> Solution:
    """The combination of options with the least sum.

    Ties go to the options that come first. Where no table of ``most_entries`` suffices, the most connected choices are
    fixed, and every choice is then improved for itself until nothing gets better: the result need not be the best.
    """
    elimination = _Elimination(problem, most_entries)
    elimination.run()
    options = elimination.options()
    if elimination.fixed:
        options = _improved(problem, options)
    return Solution(tuple(options), problem.cost(options), not elimination.fixed)


class _Elimination:
    """Tables by the choices that they speak of; the smallest step first."""

    def __init__(self, problem: Problem, most_entries: int) -> None:
        self._sizes = [len(costs) for costs in problem.single]
        self._most = most_entries
        self._tables: list[list[_Table]] = [[] for _ in self._sizes]
        for choice, costs in enumerate(problem.single):
            self._tables[choice].append(_Table((choice,), costs))
        for (a, b), costs in problem.pairs.items():
            self._add(_Table((a, b), costs))
        self._steps: list[tuple[int, tuple[int, ...], NDArray[np.intp]]] = []
        self.fixed: dict[int, int] = {}

    def _add(self, table: _Table) -> None:
        for choice in table.choices:
            self._tables[choice].append(table)

    def _neighbours(self, choice: int) -> tuple[int, ...]:
        found = {other for table in self._tables[choice] for other in table.choices}
        return tuple(sorted(found - {choice}))

    def _entries(self, choices: Iterable[int]) -> int:
        return reduce(lambda product, choice: product * self._sizes[choice], choices, 1)

    def run(self) -> None:
        left = {choice: self._neighbours(choice) for choice in range(len(self._sizes))}
        entries = {choice: self._entries((choice, *around)) for choice, around in left.items()}
        while left:
            choice = min(entries, key=lambda c: (entries[c], c))
            touched = left[choice]
            if entries[choice] > self._most:
                choice = max(left, key=lambda c: (len(left[c]), -c))
                touched = left[choice]
                self._fix(choice)
            else:
                self._eliminate(choice, touched)
            del left[choice], entries[choice]
            for other in touched:
                left[other] = self._neighbours(other)
                entries[other] = self._entries((other, *left[other]))

    def _take(self, choice: int) -> list[_Table]:
        taken = self._tables[choice]
        self._tables[choice] = []
        for table in taken:
            for other in table.choices:
                if other != choice:
                    self._tables[other] = [kept for kept in self._tables[other] if kept is not table]
        return taken

    def _eliminate(self, choice: int, around: tuple[int, ...]) -> None:
        axes = (*around, choice)
        total = reduce(np.add, (table.over(axes) for table in self._take(choice)))
        best = total.argmin(axis=-1)
        self._steps.append((choice, around, best))
        if around:
            self._add(_Table(around, total.min(axis=-1)))

    def _fix(self, choice: int) -> None:
        """On the option that is best if its neighbours may take theirs."""
        taken = self._take(choice)
        ideal = np.zeros(self._sizes[choice])
        for table in taken:
            others = tuple(axis for axis, c in enumerate(table.choices) if c != choice)
            ideal = ideal + table.costs.min(axis=others)
        self.fixed[choice] = option = int(ideal.argmin())
        for table in taken:
            if len(table.choices) > 1:
                self._add(table.at(choice, option))

    def options(self) -> list[int]:
        """Per choice, from the last that was eliminated to the first."""
        chosen = dict(self.fixed)
        for choice, around, best in reversed(self._steps):
            chosen[choice] = int(best[tuple(chosen[other] for other in around)])
        return [chosen[choice] for choice in range(len(self._sizes))]


def _improved(problem: Problem, options: Sequence[int]) -> list[int]:
    """Every choice on its best option for what the others are, until none has a better one."""
    current = list(options)
    views: list[list[tuple[int, Costs]]] = [[] for _ in current]
    for (a, b), costs in problem.pairs.items():
        views[a].append((b, costs))
        views[b].append((a, costs.T))
    changed = True
    while changed:
        changed = False
        for choice, around in enumerate(views):
            costs = reduce(np.add, (table[:, current[other]] for other, table in around), problem.single[choice])
            best = int(costs.argmin())
            if costs[best] < costs[current[choice]]:
                current[choice], changed = best, True
    return current
