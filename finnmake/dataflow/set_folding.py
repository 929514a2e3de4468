"""SetFolding: the least hardware that reaches a throughput, or the highest throughput that a board has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from functools import cache

import numpy as np
import onnx_ir as ir

from finnmake.dataflow.fabric import fabric_of
from finnmake.dataflow.folding_choices import WIDEST_STREAM, LayerChoices, layer_choices
from finnmake.dataflow.folding_search import KINDS, Edge, FoldedGraph, FoldingSearch, Totals, fits
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.resource_estimate import DEFAULT_FLOW
from finnmake.errors import FoldingError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import FOLDING, SWITCHES, depthwise_windows, divisors, folding_size

DEFAULT_RESOURCES: Mapping[str, int] = {"LUT": 83640, "BRAM": 208, "DSP": 156, "URAM": 0}
"""What resources are weighed by where no board is named: those of an LFE5U-85F."""

ROOM = 0.7
"""Share of each resource that automatic folding fills: what there is is counted, what a layer takes is estimated."""


_SLACK = 1.1
"""How much more than the least of a resource a folding may take where the least is too much."""

_DSP = KINDS.index("DSP")

_SPARE = 1e-3
"""Weight of a multiplier as a part of its own, where LUTs can take its place: what there is of them is used first."""

_BOARD_NAMES = {"BRAM_18K": "BRAM"}

_Found = tuple[Sequence[LayerChoices], FoldedGraph]
"""The foldings of all layers, and one of each."""


class SetFolding(Rewrite):
    """Chooses PE and SIMD of every layer, and ``resType`` where there are too few multipliers.

    With a target: the smallest sum of resources, each as a share of what there is of it, with which every layer takes
    at most that many cycles a frame; width converters are counted, FIFOs are not. Chains and residual networks are
    solved exactly, see ``min_sum``. Where that takes more than ``ROOM`` of a resource, another one is looked for that
    does not, then one that takes no more than there is; if none is found, the first stays. Without a target: the fewest
    cycles for which there is room.

    Args:
        target_cycles: clock cycles per frame.
        target_fps: frames per second, in place of ``target_cycles``; with ``clock_mhz``.
        clock_mhz: clock of the accelerator.
        resources: how many LUT, BRAM (of 18 kbit), DSP and URAM there are; an LFE5U-85F's by default.
        flow: what synthesises the cores: ``ecp5``, ``xc7`` or ``xcup``. It decides what a layer takes.

    Precondition: hardware layers, no width converters yet.
    Postcondition: same outputs. Stream words have at most 1024 bits, those of windows in parallel 4096, where a layer
    can have such.

    Raises:
        FoldingError: a target that is no target, or that a layer cannot reach: says which, and what it can reach;
            no target, and no folding that fits: says what is short.
        BoardError: an unknown flow.
    """

    def __init__(
        self,
        target_cycles: int | None = None,
        *,
        target_fps: float | None = None,
        clock_mhz: float | None = None,
        resources: Mapping[str, int] | None = None,
        flow: str = DEFAULT_FLOW,
    ) -> None:
        if target_cycles is not None and target_fps is not None:
            raise FoldingError("target_cycles and target_fps", remedy="Name one of them.")
        if target_fps is not None:
            if clock_mhz is None or not target_fps > 0:
                raise FoldingError(
                    f"target_fps is {target_fps}, clock_mhz is {clock_mhz}", remedy="Say how many cycles a second has."
                )
            target_cycles = int(clock_mhz * 1e6 // target_fps)
        elif target_cycles is not None and target_cycles < 1:
            raise FoldingError(f"target_cycles is {target_cycles}", remedy="A frame takes one cycle or more.")
        self._target, self._target_fps = target_cycles, target_fps
        self._clock_mhz = clock_mhz
        fabric_of(flow)
        self._flow = flow
        there = {**DEFAULT_RESOURCES, **(resources or {})}
        self._there: Totals = np.array([there[_BOARD_NAMES.get(kind, kind)] for kind in KINDS], np.float64)

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        nodes = [node for node in model.graph if is_hardware(node)]
        if not nodes:
            return
        layers, found = self._find(nodes)
        for node, layer, choice in zip(nodes, layers, found.choices, strict=True):
            for name, value in layer.foldings[choice].items():
                text = isinstance(value, str)
                node.attributes.add(ir.AttrString(name, str(value)) if text else ir.AttrInt64(name, int(value)))

    def _find(self, nodes: list[ir.Node]) -> _Found:
        search = folding_search(nodes, self._flow)
        weights = self._weights()
        least = None
        if self._target is not None:
            least = search.least(self._target, weights)
            if least is None:
                raise self._out_of_reach(search, nodes)
            if fits(least.resources, ROOM * self._there):
                return search.layers, least
        mixed = cache(lambda: folding_search(nodes, self._flow, products_of_luts=True))
        # Where the least is nearly all that there is, all of it may be taken.
        raised = np.minimum(_SLACK * search.least_of_each(), self._there)
        for available in (np.maximum(ROOM * self._there, raised), self._there):
            found = self._that_fits(search, mixed, available)
            if found is not None:
                return found
        if least is not None:
            return search.layers, least  # what was asked for, to be simulated, or for a larger device
        raise self._no_room(search, weights)

    def _that_fits(self, search: FoldingSearch, mixed: Callable[[], FoldingSearch], available: Totals) -> _Found | None:
        """A folding that reaches the target and fits; without a target the fastest that fits.

        Where there are not enough multipliers, ``mixed`` has foldings with LUTs in place of some.
        """
        weights = self._weights()
        spare = np.where(np.arange(len(KINDS)) == _DSP, _SPARE * weights, weights)
        has_multipliers = any(layer.resources[:, _DSP].any() for layer in search.layers)

        def at(target: int) -> _Found | None:
            found = search.least_that_fits(target, weights, available)
            if found is not None:
                return search.layers, found
            found = mixed().least_that_fits(target, spare, available) if has_multipliers else None
            return None if found is None else (mixed().layers, found)

        if self._target is not None:
            return at(self._target)
        return at(search.first_cycles(lambda target: at(target) is not None))

    def _weights(self) -> Totals:
        """A resource as a share of what there is; what there is none of has a weight, too."""
        weights: Totals = 1 / np.maximum(self._there, 0.5)
        return weights

    def _out_of_reach(self, search: FoldingSearch, nodes: list[ir.Node]) -> FoldingError:
        slowest, reachable = search.slowest, search.fewest_cycles()
        target = f"{self._target} cycles a frame"
        if self._target == 0:
            target = f"less than a cycle a frame, as {self._target_fps:g} frames per second would need"
        return FoldingError(
            f"cannot take {target}: the fewest are {search.layers[slowest].fewest_cycles}, "
            f"with stream words of at most {WIDEST_STREAM} bits",
            where=f"layer {nodes[slowest].name}",
            remedy=f"The nearest target that all layers reach is {reachable} cycles{self._rate(reachable)}.",
        )

    def _no_room(self, search: FoldingSearch, weights: Totals) -> FoldingError:
        """Says what a folding takes, however slow it is."""
        wanted = search.least(search.most_cycles, weights)
        taken = astuple(wanted.resources) if wanted is not None else (0,) * len(KINDS)
        short = [
            f"{_BOARD_NAMES.get(kind, kind)} {number} of {there:.0f}"
            for kind, number, there in zip(KINDS, taken, self._there, strict=True)
            if number > there
        ]
        return FoldingError(
            f"found no folding that fits: even a slow one takes an estimated {', '.join(short)}",
            remedy="Name a larger board, or a folding file.",
        )

    def _rate(self, cycles: int) -> str:
        return "" if self._clock_mhz is None else f", {self._clock_mhz * 1e6 / cycles:.6g} frames per second"


def folding_search(nodes: list[ir.Node], flow: str = DEFAULT_FLOW, *, products_of_luts: bool = False) -> FoldingSearch:
    """The foldings of hardware nodes and the streams between them.

    Args:
        nodes: all that are folded.
        flow: what synthesises them.
        products_of_luts: layers whose ``resType`` is ``auto`` may have ``lut``, too.

    Raises:
        ModelError, FoldingError: a node whose attributes are not legal.
    """
    layers = [layer_from_node(node, with_parameters=False) for node in nodes]
    windows = {node: depthwise_windows(node) for node in nodes}
    depthwise = {source for source in windows.values() if source is not None}
    known: dict[tuple[object, ...], LayerChoices] = {}
    choices = []
    for node, layer in zip(nodes, layers, strict=True):
        values: dict[str, Sequence[int | str]] = {
            name: divisors(folding_size(node, name)) for name in FOLDING.get(node.op_type, {})
        }
        values |= dict.fromkeys(SWITCHES.get(node.op_type, ()), (False, True))
        if products_of_luts and layer.structure().get("resType") == "auto" and layer.multipliers:
            values["resType"] = ("auto", "lut")
        lanes = ("PE" if windows[node] is not None else "", "SIMD" if node in depthwise else "")
        same = replace(layer, **{name: numbers[0] for name, numbers in values.items()})  # type: ignore[arg-type]
        key = (same.structure_text(), lanes)
        if key not in known:
            known[key] = layer_choices(layer, values, *lanes, flow=flow)
        choices.append(known[key])
    return FoldingSearch(choices, _edges(nodes, layers), flow)


def _edges(nodes: list[ir.Node], layers: list[Layer]) -> list[Edge]:
    position = {node: index for index, node in enumerate(nodes)}
    edges = []
    for sink, (node, layer) in enumerate(zip(nodes, layers, strict=True)):
        for port, (value, stream) in enumerate(zip(node.inputs, layer.input_streams(), strict=False)):
            producer = value.producer() if value is not None else None
            if value is None or producer not in position:
                continue
            source = (position[producer], list(producer.outputs).index(value))
            edges.append(Edge(source, (sink, port), stream.datatype.name, stream.elements_per_frame))
    return edges
