"""How many words must wait where branches of different lengths meet."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.stream_graph import INPUT, Source, StreamGraph
from finnmake.dataflow.streaming_concat import StreamingConcat

MINIMUM_DEPTH = 2
"""Words of the smallest FIFO that passes a word in every cycle."""


def join_depths(graph: StreamGraph) -> Mapping[tuple[int, int], int]:
    """Depths of FIFOs in front of layers with several inputs, by the layer's position and its input.

    An upper bound from the layers' stated cycles. At the interval of the slowest layer, a layer's first output comes at
    the latest its latency, stretched by that interval over its own, after its first input; a sliding window counts from
    its first whole window, as what takes windows gives nothing before. A stream that comes earlier than the last one
    to the same layer waits for the difference, at its average rate; one vector more, as words may come in a burst, and
    as a concatenation takes the vectors of its inputs one after the other. Inputs that need no FIFO are left out.
    """
    slowest = max(layer.interval_cycles() for layer in graph.layers)
    arrival: dict[Source, int] = {INPUT: 0}
    depths: dict[tuple[int, int], int] = {}
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
