"""The folding of a whole graph that reaches a target with the least hardware, width converters counted.

What a graph takes is the sum of what its layers take, each by its own folding, and of the width converters, each by the
foldings at both ends of a stream: a sum that ``min_sum`` minimises. FIFOs are not counted: their depths follow from the
folding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.folding_choices import LayerChoices, Word
from finnmake.dataflow.min_sum import Costs, Problem, minimise
from finnmake.dataflow.resource_estimate import Resources, estimate_resources
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter

Totals = NDArray[np.float64]
"""One number for each field of ``Resources``: what is available, or a weight."""

KINDS = tuple(kind.name for kind in fields(Resources))

_ROUNDS = 6
"""How often weights are changed to make a design fit."""


@dataclass(frozen=True)
class Edge:
    """A stream from one layer to another.

    Attributes:
        source: the layer that gives it, and which of its outputs it is.
        sink: the layer that takes it, and which of its inputs it is.
        datatype: of its elements, by name.
        elements_per_frame: elements of one frame.
    """

    source: tuple[int, int]
    sink: tuple[int, int]
    datatype: str
    elements_per_frame: int


@dataclass(frozen=True)
class FoldedGraph:
    """A folding of a graph.

    Attributes:
        choices: per layer the number of its folding.
        resources: of all layers and width converters, as estimated.
        cycles: of the slowest layer.
        exact: no other folding that reaches the target has a smaller sum.
    """

    choices: tuple[int, ...]
    resources: Resources
    cycles: int
    exact: bool


def fits(resources: Resources, available: Totals) -> bool:
    """True where there is enough of each resource."""
    return bool((np.array(astuple(resources)) <= available).all())


@dataclass(frozen=True)
class _Place:
    """A side of a layer in the problem: a choice, and for each of its options which of the layer's words it means."""

    choice: int
    classes: NDArray[np.intp]


@dataclass(frozen=True)
class FoldingSearch:
    """The foldings of a graph.

    Attributes:
        layers: their foldings; equal layers may share one object.
        edges: between them.
    """

    layers: Sequence[LayerChoices]
    edges: Sequence[Edge]
    _converters: dict[object, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    @property
    def slowest(self) -> int:
        """The layer whose fastest folding takes the most cycles."""
        return max(range(len(self.layers)), key=lambda i: (self.layers[i].fewest_cycles, -i))

    def fewest_cycles(self) -> int:
        """The smallest target that there is a folding for."""
        equal = np.ones(len(KINDS))
        return self._first(lambda target: self.least(target, equal) is not None)

    def least(self, target: int, weights: Totals) -> FoldedGraph | None:
        """The least weighted sum whose layers take ``target`` cycles or fewer; None if there is none."""
        if any(layer.fewest_cycles > target for layer in self.layers):
            return None
        single: list[Costs] = []
        pairs: dict[tuple[int, int], Costs] = {}
        places = [self._place(layer, target, weights, single, pairs) for layer in self.layers]
        for edge in self.edges:
            source, sink = places[edge.source[0]][1], places[edge.sink[0]][0]
            costs = (self._converter(edge) @ weights)[np.ix_(source.classes, sink.classes)]
            pair = (source.choice, sink.choice)
            pairs[pair] = pairs[pair] + costs if pair in pairs else costs
        found = minimise(Problem(single, pairs))
        if not found.cost < np.inf:
            return None
        chosen = []
        for layer, (before, behind) in zip(self.layers, places, strict=True):
            input_class = before.classes[found.options[before.choice]]
            output_class = behind.classes[found.options[behind.choice]]
            costs = _option_costs(layer, target, weights)
            meant = (layer.input_class == input_class) & (layer.output_class == output_class)
            chosen.append(int(np.where(meant, costs, np.inf).argmin()))
        return FoldedGraph(tuple(chosen), self.resources(chosen), self._cycles(chosen), found.exact)

    def least_of_each(self) -> Totals:
        """Of every resource the least that a folding takes, whatever it takes of the others and however long.

        Nearly: where foldings take equally little, the one that is least of the others, too.
        """
        slowest = max(int(layer.cycles.max()) for layer in self.layers)
        least = []
        for kind in range(len(KINDS)):
            weights = np.full(len(KINDS), 1e-6)
            weights[kind] = 1
            found = self.least(slowest, weights)
            least.append(0 if found is None else astuple(found.resources)[kind])
        return np.array(least, np.float64)

    def least_that_fits(self, target: int, weights: Totals, available: Totals) -> FoldedGraph | None:
        """As `least`; where that takes too much of one resource, that one is weighed more.

        If no weights make it fit, the first folding stays.
        """
        first = found = self.least(target, weights)
        for _ in range(_ROUNDS):
            if found is None or fits(found.resources, available):
                return found
            # Half a unit of what there is none of: a design may have none of it, too.
            weights = weights * np.maximum(1, np.array(astuple(found.resources)) / np.maximum(available, 0.5)) ** 2
            found = self.least(target, weights)
        return found if found is not None and fits(found.resources, available) else first

    def fastest_that_fits(self, weights: Totals, available: Totals) -> FoldedGraph | None:
        """The folding with the fewest cycles that there is room for, or a slowest one; None where none is legal."""

        def has_room(target: int) -> bool:
            found = self.least_that_fits(target, weights, available)
            return found is not None and fits(found.resources, available)

        return self.least_that_fits(self._first(has_room), weights, available)

    def resources(self, choices: Sequence[int]) -> Resources:
        """What the layers and the width converters between them take, as estimated."""
        rows = [layer.resources[choice] for layer, choice in zip(self.layers, choices, strict=True)]
        for edge in self.edges:
            source, sink = edge.source[0], edge.sink[0]
            output_class = self.layers[source].output_class[choices[source]]
            input_class = self.layers[sink].input_class[choices[sink]]
            rows.append(self._converter(edge)[output_class, input_class])
        return Resources(*(int(number) for number in np.sum(rows, axis=0)))

    # -- parts -------------------------------------------------------------------------------------------------------
    def _cycles(self, choices: Sequence[int]) -> int:
        return max(int(layer.cycles[choice]) for layer, choice in zip(self.layers, choices, strict=True))

    def _first(self, reached: Callable[[int], bool]) -> int:
        """The first number of cycles that layers can have from which on a condition holds; the last if it does not."""
        least = max(layer.fewest_cycles for layer in self.layers)
        cycles = np.unique(np.concatenate([layer.cycles for layer in self.layers]))
        candidates = [int(number) for number in cycles if number >= least]
        low, high = 0, len(candidates) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(candidates[middle]) else (middle + 1, high)
        return candidates[low]

    @staticmethod
    def _place(
        layer: LayerChoices, target: int, weights: Totals, single: list[Costs], pairs: dict[tuple[int, int], Costs]
    ) -> tuple[_Place, _Place]:
        """Adds a layer to the problem: its input and its output side."""
        shape = (len(layer.inputs), len(layer.outputs))
        costs = np.full(shape, np.inf)
        np.minimum.at(costs, (layer.input_class, layer.output_class), _option_costs(layer, target, weights))
        known = np.argwhere(costs < np.inf)
        first = len(single)
        if len(known) <= max(shape):  # one side follows from the other
            single.append(costs[known[:, 0], known[:, 1]])
            return _Place(first, known[:, 0]), _Place(first, known[:, 1])
        single += [np.zeros(size) for size in shape]
        pairs[first, first + 1] = costs
        return _Place(first, np.arange(shape[0])), _Place(first + 1, np.arange(shape[1]))

    def _converter(self, edge: Edge) -> NDArray[np.float64]:
        """What a width converter takes: shape (words of the source, words of the sink, kinds of ``Resources``).

        Nothing where the words are equal; ``inf`` where channels lie in another order.
        """
        outputs = tuple(words[edge.source[1]] for words in self.layers[edge.source[0]].outputs)
        inputs = tuple(words[edge.sink[1]] for words in self.layers[edge.sink[0]].inputs)
        key = (outputs, inputs, edge.datatype)
        if key not in self._converters:
            rows = [[_converter_row(source, sink, edge) for sink in inputs] for source in outputs]
            self._converters[key] = np.array(rows, np.float64)
        return self._converters[key]


def _option_costs(layer: LayerChoices, target: int, weights: Totals) -> Costs:
    costs: Costs = np.where(layer.cycles <= target, layer.resources @ weights, np.inf)
    return costs


def _converter_row(source: Word, sink: Word, edge: Edge) -> Sequence[float]:
    (elements_in, lanes_in), (elements_out, lanes_out) = source, sink
    if lanes_in != lanes_out or elements_in == elements_out:
        return [np.inf if lanes_in != lanes_out else 0.0] * len(KINDS)
    converter = StreamingDataWidthConverter(edge.datatype, elements_in, elements_out, edge.elements_per_frame)
    return astuple(estimate_resources(converter))
