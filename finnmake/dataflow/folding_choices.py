"""The foldings that a layer may have, with what each takes: cycles, resources, words of its streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.layer import Layer, Stream
from finnmake.dataflow.resource_estimate import DEFAULT_FLOW, estimate_resources
from finnmake.errors import FoldingError

WIDEST_STREAM = 1024
"""Bits of a stream word that automatic folding asks for."""

WIDEST_WINDOW = 4096
"""The same of a word that holds a whole window: the widest AXI4-Stream of Xilinx' tools."""

Word = tuple[int, int]
"""Of a stream: its elements, and in depthwise order the channels that lie side by side in it, else 0."""

Folding = Mapping[str, int | str]
"""Values of folding attributes by name."""

FoldingValues = Mapping[str, Sequence[int | str]]
"""What folding attributes may be, each for itself, ascending."""


@dataclass(frozen=True, eq=False)
class LayerChoices:
    """The foldings of a layer, the least parallel first.

    Attributes:
        foldings: each with a value for every folding attribute.
        cycles: between frames, per folding.
        resources: shape (foldings, kinds of ``Resources``).
        inputs: the different words of all input streams, one entry a stream.
        outputs: the same of all output streams.
        input_class: per folding which of ``inputs`` it has.
        output_class: per folding which of ``outputs`` it has.
    """

    foldings: tuple[Folding, ...]
    cycles: NDArray[np.int64]
    resources: NDArray[np.int64]
    inputs: tuple[tuple[Word, ...], ...]
    outputs: tuple[tuple[Word, ...], ...]
    input_class: NDArray[np.intp]
    output_class: NDArray[np.intp]

    @property
    def fewest_cycles(self) -> int:
        """Of the fastest folding."""
        return int(self.cycles.min())


def layer_choices(
    layer: Layer, values: FoldingValues, input_lanes: str = "", output_lanes: str = "", *, flow: str = DEFAULT_FLOW
) -> LayerChoices:
    """All legal foldings of a layer within streams of ``WIDEST_STREAM`` bits, or the narrowest one.

    Args:
        layer: with any folding; its parameters are not looked at.
        values: of its folding attributes.
        input_lanes: the attribute that says how many channels lie side by side in the words that it takes, where these
            are in depthwise order.
        output_lanes: the same of the words that it gives.
        flow: what synthesises it.
    """
    layers = _legal(layer, values)
    layers = [folded for folded in layers if _width(folded) <= 1] or [min(layers, key=_width)]
    inputs = [_words(folded.input_streams(), _number(folded, input_lanes)) for folded in layers]
    outputs = [_words(folded.output_streams(), _number(folded, output_lanes)) for folded in layers]
    different_inputs, different_outputs = tuple(dict.fromkeys(inputs)), tuple(dict.fromkeys(outputs))
    return LayerChoices(
        foldings=tuple({name: _value(folded, name) for name in values} for folded in layers),
        cycles=np.array([folded.interval_cycles() for folded in layers], np.int64),
        resources=np.array([astuple(estimate_resources(folded, flow)) for folded in layers], np.int64),
        inputs=different_inputs,
        outputs=different_outputs,
        input_class=np.array([different_inputs.index(words) for words in inputs], np.intp),
        output_class=np.array([different_outputs.index(words) for words in outputs], np.intp),
    )


def _legal(layer: Layer, values: FoldingValues) -> list[Layer]:
    found = []
    for numbers in sorted(product(*values.values()), key=_parallelism):
        try:
            found.append(replace(layer, **dict(zip(values, numbers, strict=True))))  # type: ignore[arg-type]
        except FoldingError:
            continue  # each attribute is legal for itself, but not together with the others
    return found or [layer]


def _parallelism(numbers: Sequence[int | str]) -> tuple[int, Sequence[int | str]]:
    return prod(number for number in numbers if isinstance(number, int)), numbers


def _value(layer: Layer, name: str) -> int | str:
    value: int | str = getattr(layer, name)
    return value if isinstance(value, str) else int(value)


def _words(streams: Sequence[Stream], lanes: int) -> tuple[Word, ...]:
    return tuple((stream.elements_per_word, lanes) for stream in streams)


def _number(layer: Layer, name: str) -> int:
    return int(getattr(layer, name)) if name else 0


def _width(layer: Layer) -> float:
    """Bits of the widest word as a share of what they may be."""
    widest = max(stream.width for stream in (*layer.input_streams(), *layer.output_streams()))
    return widest / (WIDEST_WINDOW if getattr(layer, "parallel_window", False) else WIDEST_STREAM)
