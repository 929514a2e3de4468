"""InsertDWC: width converters between layers whose streams have words of different sizes."""

from __future__ import annotations

import itertools

from finnmake.dataflow.nodes import chain, hardware_node, layer_from_node, splice
from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class InsertDWC(Rewrite):
    """Puts a StreamingDataWidthConverter wherever producer and consumer differ in elements a word.

    Needs: a chain of folded hardware layers. Leaves: every producer's words are its consumer's words; same function.

    Raises:
        ModelError: where producer and consumer differ in more than the size of words.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        number = 0
        for producer, consumer in itertools.pairwise(chain(model)):
            source = layer_from_node(producer).output_stream()
            sink = layer_from_node(consumer).input_stream()
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
                producer.outputs[0],
                {
                    "datatype": sink.datatype.name,
                    "elements_in": source.elements_per_word,
                    "elements_out": sink.elements_per_word,
                    "elements_per_frame": sink.elements_per_frame,
                },
                f"StreamingDataWidthConverter_{number}",
            )
            number += 1
            splice(model, producer.outputs[0], node)
