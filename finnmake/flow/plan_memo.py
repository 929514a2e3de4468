"""Remembers plans of layers: a build plans again behind each step that decides which further tasks there are."""

from __future__ import annotations

from collections.abc import Callable

from finnmake.flow.layer_context import LayerContext
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import PlannedTask

LayerPlan = Callable[[LayerEntry, LayerContext], list[PlannedTask]]
"""A pure function from a layer to some of its tasks."""


class PlanMemo:
    """What functions have planned for layers of one target. Equal layers have the same tasks, not only equal ones."""

    def __init__(self) -> None:
        # A context cannot be hashed; there are as many as ways to plan a layer: few.
        self._known: list[tuple[LayerContext, dict[tuple[LayerPlan, LayerEntry], list[PlannedTask]]]] = []

    def plan(self, function: LayerPlan, layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
        """What the function returns; it is called once for each layer and context. The list is not to be changed."""
        plans = self._plans(context)
        known = plans.get((function, layer))
        if known is None:
            known = plans[function, layer] = function(layer, context)
        return known

    def _plans(self, context: LayerContext) -> dict[tuple[LayerPlan, LayerEntry], list[PlannedTask]]:
        for known, plans in self._known:
            if known is context or known == context:
                return plans
        self._known.append((context, {}))
        return self._known[-1][1]
