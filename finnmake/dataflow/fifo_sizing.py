"""FIFO depths: estimates from the layers' stated cycles, and the file in which depths are kept and can be edited.

Measured depths, the fewest that suffice, are the business of ``finnmake.runtime.fifo_depths``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.stream_graph import INPUT, Source, StreamGraph, from_host, layer_names
from finnmake.dataflow.streaming_concat import StreamingConcat
from finnmake.errors import FoldingError

MINIMUM_DEPTH = 2
"""Words of the smallest FIFO that passes a word in every cycle."""

MAXIMUM_DEPTH = 1 << 24
"""More words are a mistake."""

MEMORY_BITS = 1 << 30
"""A FIFO has fewer: Yosys has no memory of more."""

DEPTHS_ATTRIBUTE = "inFIFODepths"
"""FINN's name for the depths in front of a node's inputs."""

_WITHOUT_PAUSE = frozenset({"StreamingDataWidthConverter", "StreamingFIFO"})

Edge = tuple[int, int]
"""A stream by its consumer: the layer's position, and which of its inputs."""


def estimated_depths(graph: StreamGraph) -> Mapping[Edge, int]:
    """Depths of the FIFOs of a graph, by the streams that need one; no simulation is needed for them.

    A layer that takes a frame in bursts and pauses in between has one vector in front of it, so that the layer before
    goes on meanwhile. A matrix-vector layer with more than one neuron fold takes a vector in SF cycles and replays it
    for the rest of its interval. Where branches meet, the shorter ones wait (``join_depths``). What the host
    sends needs no FIFO: it waits.
    """
    depths = dict(join_depths(graph))
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        for port, (stream, source) in enumerate(zip(layer.input_streams(), sources, strict=True)):
            pauses = layer.op_type not in _WITHOUT_PAUSE and layer.interval_cycles() > stream.words_per_frame
            if pauses:
                vectors = int(layer.structure().get("numInputVectors", 1))
                vector = stream.words_per_frame // vectors
                depths[position, port] = max(MINIMUM_DEPTH, vector, depths.get((position, port), 0))
            if from_host(source):
                depths.pop((position, port), None)
    return depths


def join_depths(graph: StreamGraph) -> Mapping[Edge, int]:
    """Depths of FIFOs in front of layers with several inputs, by the layer's position and its input.

    An upper bound from the layers' stated cycles. At the interval of the slowest layer, a layer's first output comes at
    the latest its latency, stretched by that interval over its own, after its first input; a sliding window counts from
    its first whole window, as what takes windows gives nothing before. A stream that comes earlier than the last one
    to the same layer waits for the difference, at its average rate; one vector more, as words may come in a burst, and
    as a concatenation takes the vectors of its inputs one after the other. Inputs that need no FIFO are left out.
    """
    slowest = max(layer.interval_cycles() for layer in graph.layers)
    arrival: dict[Source, int] = {INPUT: 0}
    depths: dict[Edge, int] = {}
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        begin = max(arrival[source] for source in sources if source in arrival)
        for port, (source, stream) in enumerate(zip(sources, layer.input_streams(), strict=True)):
            if source not in arrival:
                continue  # weights: the host waits
            waits = begin - arrival[source]
            if waits or isinstance(layer, StreamingConcat):
                vectors = int(layer.structure().get("numInputVectors", 1))
                words = -(-waits * stream.words_per_frame // slowest) + stream.words_per_frame // vectors
                depths[position, port] = max(MINIMUM_DEPTH, words)
        latency = -(-layer.first_output_latency() * slowest // layer.interval_cycles())
        if isinstance(layer, ConvolutionInputGenerator):
            latency += -(-layer.schedule().words_before_first_window * slowest // layer.schedule().words_in)
        for port in range(len(layer.output_streams())):
            arrival[position, port] = begin + latency
    return depths


def named_depths(graph: StreamGraph, table: Mapping[str, Any]) -> dict[Edge, int]:
    """The depths that a table names, by the streams: see `depths_of`."""
    inputs = {name: len(layer.input_streams()) for name, layer in zip(layer_names(graph), graph.layers, strict=True)}
    return depths_of(list(inputs), list(inputs.values()), table)


def depths_of(names: list[str], inputs: list[int], table: Mapping[str, Any]) -> dict[Edge, int]:
    """The depths that a table names, by the streams; 0 is no FIFO.

    Args:
        names: of the layers.
        inputs: how many inputs each has.
        table: ``{layer: {"inFIFODepths": [one for each input]}}``; layers may be left out.

    Raises:
        FoldingError: a name that is no layer, or no list of depths.
    """
    positions = {name: position for position, name in enumerate(names)}
    depths: dict[Edge, int] = {}
    for name, values in table.items():
        if name not in positions:
            raise FoldingError(
                f"no layer is called {name!r}", where="FIFO depths", remedy=f"Layers: {', '.join(names)}."
            )
        position = positions[name]
        wanted = values.get(DEPTHS_ATTRIBUTE) if isinstance(values, Mapping) and len(values) == 1 else None
        if not isinstance(wanted, list | tuple) or len(wanted) != inputs[position] or not all(map(_is_depth, wanted)):
            raise FoldingError(
                f"its FIFO depths are {values!r}",
                where=f"layer {name}",
                remedy=f'Say {{"{DEPTHS_ATTRIBUTE}": [...]}} with {inputs[position]} depths of 0 to {MAXIMUM_DEPTH} '
                "words, one for each input; 0 is no FIFO.",
            )
        depths.update({(position, port): int(depth) for port, depth in enumerate(wanted)})
    return depths


def check_memories(names: Sequence[str], depths: Mapping[Edge, int], widths: Callable[[Edge], int]) -> None:
    """Refuses FIFOs that cannot be synthesised.

    Args:
        names: of the layers.
        depths: by the streams.
        widths: bits of the words of a stream.

    Raises:
        FoldingError: for a FIFO of ``MEMORY_BITS`` or more, with the largest that there can be in its place.
    """
    for edge, depth in depths.items():
        width = widths(edge)
        if depth * width >= MEMORY_BITS:
            largest = min(MAXIMUM_DEPTH, (MEMORY_BITS - 1) // width)
            raise FoldingError(
                f"a FIFO of {depth} words of {width} bits in front of input {edge[1]} is too large to be synthesised",
                where=f"layer {names[edge[0]]}",
                remedy=f"The largest depth there is {largest}: give it ({DEPTHS_ATTRIBUTE}), or fold the layers closer "
                "to each other's pace.",
            )


def _is_depth(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAXIMUM_DEPTH


def depths_text(names: list[str], inputs: list[int], depths: Mapping[Edge, int]) -> str:
    """The file of some depths: all layers, all their inputs."""
    table = {
        name: {DEPTHS_ATTRIBUTE: [depths.get((position, port), 0) for port in range(count)]}
        for position, (name, count) in enumerate(zip(names, inputs, strict=True))
    }
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in table.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
