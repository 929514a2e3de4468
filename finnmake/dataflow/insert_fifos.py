"""InsertFIFO: buffers in front of layers that take a frame in a burst and then pause."""

from __future__ import annotations

from finnmake.dataflow.nodes import hardware_node, splice
from finnmake.dataflow.stream_graph import INPUT, stream_graph, stream_inputs
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite

_WITHOUT_PAUSE = frozenset({"StreamingDataWidthConverter", "StreamingFIFO"})


class InsertFIFO(Rewrite):
    """Puts a StreamingFIFO in front of every layer that pauses its input for longer than it takes.

    A matrix-vector layer with more than one neuron fold takes a vector in SF cycles and replays it for the rest of its
    interval. A FIFO that holds one vector lets the layer before it go on meanwhile, so that the chain runs at the
    interval of its slowest layer. The first layer needs none: what feeds the accelerator waits.

    Needs: a graph of folded hardware layers with equal words at every edge. Leaves: same function, same order.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        number = 0
        graph = stream_graph(model)
        streams = [
            (node, layer, stream, value)
            for node, layer, sources in zip(graph.nodes, graph.layers, graph.sources, strict=True)
            for stream, value, place in zip(layer.input_streams(), stream_inputs(node, layer), sources, strict=True)
            if place != INPUT
        ]
        for node, layer, stream, source in streams:
            if node.op_type in _WITHOUT_PAUSE or layer.interval_cycles() <= stream.words_per_frame:
                continue
            vectors = int(layer.structure().get("numInputVectors", 1))
            fifo = hardware_node(
                "StreamingFIFO",
                source,
                {
                    "datatype": stream.datatype.name,
                    "elements_per_word": stream.elements_per_word,
                    "words_per_frame": stream.words_per_frame,
                    "depth": max(2, stream.words_per_frame // vectors),
                    "ram_style": "auto",
                },
                f"StreamingFIFO_{number}",
            )
            number += 1
            splice(model, source, fifo)
