"""InsertDWC: width converters between layers whose streams have words of different sizes."""

from __future__ import annotations

from finnmake.dataflow.nodes import hardware_node, splice
from finnmake.dataflow.stream_graph import from_host, stream_graph
from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class InsertDWC(Rewrite):
    """Puts a StreamingDataWidthConverter wherever producer and consumer differ in elements a word.

    Needs: a graph of folded hardware layers. Leaves: every producer's words are its consumer's words; same function.

    Raises:
        ModelError: where producer and consumer differ in more than the size of words.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        number = 0
        graph = stream_graph(model, with_parameters=False)
        edges = [
            (position, port, place)
            for position, sources in enumerate(graph.sources)
            for port, place in enumerate(sources)
            if not from_host(place)
        ]
        for position, port, (before, output) in edges:
            producer, consumer = graph.nodes[before], graph.nodes[position]
            source = graph.layers[before].output_streams()[output]
            sink = graph.layers[position].input_streams()[port]
            if source.datatype.bitwidth() != sink.datatype.bitwidth() or (
                source.elements_per_frame != sink.elements_per_frame
            ):
                raise ModelError(
                    f"gives {source.elements_per_frame} x {source.datatype}, but {describe(consumer)} takes "
                    f"{sink.elements_per_frame} x {sink.datatype}",
                    where=describe(producer),
                )
            if source.elements_per_word == sink.elements_per_word:
                continue
            node = hardware_node(
                "StreamingDataWidthConverter",
                producer.outputs[output],
                {
                    "datatype": sink.datatype.name,
                    "elements_in": source.elements_per_word,
                    "elements_out": sink.elements_per_word,
                    "elements_per_frame": sink.elements_per_frame,
                },
                f"StreamingDataWidthConverter_{number}",
            )
            number += 1
            splice(model, producer.outputs[output], node)
