"""InsertFIFO: buffers in front of layers that take a frame in a burst and then pause, and where branches meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finnmake.dataflow.fifo_sizing import check_memories, estimated_depths, named_depths
from finnmake.dataflow.nodes import hardware_node, splice
from finnmake.dataflow.stream_graph import from_host, layer_names, stream_graph, stream_inputs
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite
from finnmake.transformation.layer_table import read_layer_table


class InsertFIFO(Rewrite):
    """Puts a StreamingFIFO into every stream that needs one, so that the graph runs at its slowest layer's interval.

    Args:
        depths: ``{layer: {"inFIFODepths": [one for each input]}}``, words; 0 is no FIFO. Layers are named by op type
            and number in stream order. What it leaves out is estimated (``estimated_depths``).
        file: path of a JSON file that holds such a table, instead of ``depths``.

    Needs: a graph of folded hardware layers with equal words at every edge. Leaves: same function, same order.

    Raises:
        FoldingError: a name that is no layer, no list of depths, or a FIFO too large to be synthesised.
    """

    def __init__(self, depths: Mapping[str, Any] | None = None, *, file: str | None = None) -> None:
        self._depths: Mapping[str, Any] = read_layer_table(file) if file is not None else depths or {}

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = stream_graph(model, with_parameters=False)
        depths = {**estimated_depths(graph), **named_depths(graph, self._depths)}
        streams = [
            ((position, port), stream, value)
            for position, (node, layer) in enumerate(zip(graph.nodes, graph.layers, strict=True))
            for port, (stream, value) in enumerate(zip(layer.input_streams(), stream_inputs(node, layer), strict=True))
            if not from_host(graph.sources[position][port])
        ]
        widths = {edge: stream.width for edge, stream, _ in streams}
        check_memories(layer_names(graph), {edge: depths.get(edge, 0) for edge in widths}, widths.__getitem__)
        number = 0
        for edge, stream, source in streams:
            if not depths.get(edge, 0):
                continue
            fifo = hardware_node(
                "StreamingFIFO",
                source,
                {
                    "datatype": stream.datatype.name,
                    "elements_per_word": stream.elements_per_word,
                    "words_per_frame": stream.words_per_frame,
                    "depth": depths[edge],
                    "ram_style": "auto",
                },
                f"StreamingFIFO_{number}",
            )
            number += 1
            splice(model, source, fifo)
