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
from finnmake.dataflow.resource_estimate import DEFAULT_FLOW, Resources, estimate_resources
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter

Totals = NDArray[np.float64]
"""One number for each field of ``Resources``: what is available, or a weight."""

KINDS = tuple(kind.name for kind in fields(Resources))

_ROUNDS, _REFINEMENTS = 10, 4
"""How often weights are changed to make a design fit, and to take less when it does."""

_STEP = 4.0
"""What the weight of a resource that is short is multiplied by first."""


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
    return bool(_enough(resources, available).all())


def _enough(resources: Resources, available: Totals) -> NDArray[np.bool_]:
    enough: NDArray[np.bool_] = np.array(astuple(resources)) <= available
    return enough


def _sum(folded: FoldedGraph, weights: Totals) -> float:
    return float(np.array(astuple(folded.resources)) @ weights)


def _mostly(kind: int) -> Totals:
    """Weights by which what takes little of a resource comes first."""
    weights = np.full(len(KINDS), 1e-6)
    weights[kind] = 1
    return weights


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
        flow: what synthesises it.
    """

    layers: Sequence[LayerChoices]
    edges: Sequence[Edge]
    flow: str = DEFAULT_FLOW
    _converters: dict[object, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    @property
    def slowest(self) -> int:
        """The layer whose fastest folding takes the most cycles."""
        return max(range(len(self.layers)), key=lambda i: (self.layers[i].fewest_cycles, -i))

    @property
    def most_cycles(self) -> int:
        """Enough for every folding."""
        return max(int(layer.cycles.max()) for layer in self.layers)

    def fewest_cycles(self) -> int:
        """The smallest target that there is a folding for."""
        equal = np.ones(len(KINDS))
        return self.first_cycles(lambda target: self.least(target, equal) is not None)

    def first_cycles(self, reached: Callable[[int], bool]) -> int:
        """The first number of cycles that layers can have from which on a condition holds; the last if it does not."""
        least = max(layer.fewest_cycles for layer in self.layers)
        cycles = np.unique(np.concatenate([layer.cycles for layer in self.layers]))
        candidates = [int(number) for number in cycles if number >= least]
        low, high = 0, len(candidates) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(candidates[middle]) else (middle + 1, high)
        return candidates[low]

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
        least = []
        for kind in range(len(KINDS)):
            found = self.least(self.most_cycles, _mostly(kind))
            least.append(0 if found is None else astuple(found.resources)[kind])
        return np.array(least, np.float64)

    def least_that_fits(self, target: int, weights: Totals, available: Totals) -> FoldedGraph | None:
        """The least weighted sum whose layers take ``target`` cycles or fewer and for which there is room.

        Where the least of all takes too much of a resource, that one is weighed more until it does not (Lagrangian
        relaxation): what is found then may not be the least. None where nothing is found.
        """
        found = self.least(target, weights)
        if found is None or fits(found.resources, available):
            return found
        if not self._each_fits(target, ~_enough(found.resources, available), available):
            return None
        return self._weighed_until_it_fits(target, found, weights, available)

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
    def _each_fits(self, target: int, kinds: NDArray[np.bool_], available: Totals) -> bool:
        """False where a resource alone, whatever is taken of the others, is not enough for the target."""
        for kind in np.flatnonzero(kinds):
            found = self.least(target, _mostly(int(kind)))
            if found is None or astuple(found.resources)[kind] > available[kind]:
                return False
        return True

    def _weighed_until_it_fits(
        self, target: int, found: FoldedGraph, weights: Totals, available: Totals
    ) -> FoldedGraph | None:
        """See ``least_that_fits``. The step shrinks when another resource becomes short, as both weights are near then.

        Args:
            target: cycles that the target allows.
            found: a folding that does not fit.
            weights: that it is the least with.
            available: of each resource.
        """
        step, last = _STEP, np.zeros(len(KINDS), np.bool_)
        unfit = fit = weights
        best: FoldedGraph | None = None
        for _ in range(_ROUNDS):
            short = ~_enough(found.resources, available)
            best = self._better(target, best, found, weights, available)
            if not short.any():
                break
            step = step if not last.any() or (short == last).all() else step**0.5
            last, unfit = short, fit
            fit = fit * np.where(short, step, 1)
            found = self.least(target, fit) or found
        # Weights nearer to the given ones may fit, too.
        for _ in range(_REFINEMENTS if best is not None else 0):
            between = (unfit * fit) ** 0.5
            found = self.least(target, between) or found
            best = self._better(target, best, found, weights, available)
            if fits(found.resources, available):
                fit = between
            else:
                unfit = between
        return best

    def _better(
        self, target: int, best: FoldedGraph | None, found: FoldedGraph, weights: Totals, available: Totals
    ) -> FoldedGraph | None:
        """The best until now, or one that was found, made better layer by layer, if it fits and its sum is smaller."""
        found = self._layer_by_layer(target, found, weights, available)
        if not fits(found.resources, available):
            return best
        return found if best is None or _sum(found, weights) < _sum(best, weights) else best

    def _layer_by_layer(self, target: int, found: FoldedGraph, weights: Totals, available: Totals) -> FoldedGraph:
        """What each layer can have instead, with equal words: less of what is short, then a smaller sum.

        Weights give all layers that are alike the same, though there may be room for some of them.
        """
        chosen, total = list(found.choices), np.array(astuple(found.resources), np.float64)
        for position, layer in enumerate(self.layers):
            now = chosen[position]
            possible = layer.cycles <= target
            possible &= layer.input_class == layer.input_class[now]
            possible &= layer.output_class == layer.output_class[now]
            totals = total - layer.resources[now] + layer.resources
            excess = np.maximum(totals - available, 0) @ (1 / np.maximum(available, 0.5))
            excess[~possible] = np.inf
            costs = np.where(excess == excess.min(), layer.resources @ weights, np.inf)
            best = int(costs.argmin())
            if costs[best] < costs[now]:
                chosen[position], total = best, totals[best]
        return FoldedGraph(tuple(chosen), self.resources(chosen), self._cycles(chosen), exact=False)

    def _cycles(self, choices: Sequence[int]) -> int:
        return max(int(layer.cycles[choice]) for layer, choice in zip(self.layers, choices, strict=True))

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
            rows = [[_converter_row(source, sink, edge, self.flow) for sink in inputs] for source in outputs]
            self._converters[key] = np.array(rows, np.float64)
        return self._converters[key]


def _option_costs(layer: LayerChoices, target: int, weights: Totals) -> Costs:
    costs: Costs = np.where(layer.cycles <= target, layer.resources @ weights, np.inf)
    return costs


def _converter_row(source: Word, sink: Word, edge: Edge, flow: str) -> Sequence[float]:
    (elements_in, lanes_in), (elements_out, lanes_out) = source, sink
    if lanes_in != lanes_out or elements_in == elements_out:
        return [np.inf if lanes_in != lanes_out else 0.0] * len(KINDS)
    converter = StreamingDataWidthConverter(edge.datatype, elements_in, elements_out, edge.elements_per_frame)
    return astuple(estimate_resources(converter, flow))
