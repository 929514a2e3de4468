"""InsertFIFO: buffers in front of layers that take a frame in a burst and then pause, and where branches meet."""

from __future__ import annotations

from finnmake.dataflow.fifo_sizing import MINIMUM_DEPTH, join_depths
from finnmake.dataflow.nodes import hardware_node, splice
from finnmake.dataflow.stream_graph import from_host, stream_graph, stream_inputs
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite

_WITHOUT_PAUSE = frozenset({"StreamingDataWidthConverter", "StreamingFIFO"})


class InsertFIFO(Rewrite):
    """Puts a StreamingFIFO in front of every layer that pauses its input for longer than it takes.

    A matrix-vector layer with more than one neuron fold takes a vector in SF cycles and replays it for the rest of its
    interval. A FIFO that holds one vector lets the layer before it go on meanwhile, so that the chain runs at the
    interval of its slowest layer. The first layer needs none: what feeds the
    accelerator waits. Where branches meet, the shorter ones wait in FIFOs (``join_depths``).

    Needs: a graph of folded hardware layers with equal words at every edge. Leaves: same function, same order.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        number = 0
        graph = stream_graph(model)
        joins = join_depths(graph)
        streams = [
            ((position, port), layer, stream, value)
            for position, (node, layer) in enumerate(zip(graph.nodes, graph.layers, strict=True))
            for port, (stream, value) in enumerate(zip(layer.input_streams(), stream_inputs(node, layer), strict=True))
            if not from_host(graph.sources[position][port])
        ]
        for place, layer, stream, source in streams:
            pauses = layer.op_type not in _WITHOUT_PAUSE and layer.interval_cycles() > stream.words_per_frame
            if not pauses and place not in joins:
                continue
            vectors = int(layer.structure().get("numInputVectors", 1))
            fifo = hardware_node(
                "StreamingFIFO",
                source,
                {
                    "datatype": stream.datatype.name,
                    "elements_per_word": stream.elements_per_word,
                    "words_per_frame": stream.words_per_frame,
                    "depth": max(
                        MINIMUM_DEPTH, joins.get(place, 0), stream.words_per_frame // vectors if pauses else 0
                    ),
                    "ram_style": "auto",
                },
                f"StreamingFIFO_{number}",
            )
            number += 1
            splice(model, source, fifo)
