"""Weights that come to a design as streams: of layers whose weights are external and constant.

The host, or the simulation, sends a layer's words, those that its memory would hold, again for each vector: on a port
of the design of its own, ``weights_0``, ``weights_1``, … in the order of the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.model_wrapper import get_constant

WEIGHT_PORT = 1
"""The input of a layer that takes its weights."""

WEIGHTS_FILE = "streamed_weights.npy"
"""In the folder of a layer with external weights: the words of a vector."""


@dataclass(frozen=True)
class StreamedWeights:
    """The weights of one layer.

    Attributes:
        stream: how a frame of them crosses the port.
        words: shape (words of a vector, elements a word), int64: sent once for each vector of a frame.
    """

    stream: Stream
    words: IntegerArray = field(repr=False)

    def frames(self, count: int) -> IntegerArray:
        """What goes with so many frames of the input, shape (count, elements per frame)."""
        vectors = self.stream.words_per_frame // len(self.words)
        return np.tile(self.words.reshape(1, -1), (count, vectors))


def takes_weights(layer: Layer, port: int) -> bool:
    """True for the input of a layer on which its weights come."""
    return isinstance(layer, MatrixVectorActivation) and not layer.weights_are_parameters and port == WEIGHT_PORT


def streamed_weights(node: ir.Node, layer: Layer) -> StreamedWeights | None:
    """The constant weights that a node takes on a stream; None where it has none, or another layer gives them.

    Args:
        node: of the hardware domain.
        layer: that of the node.

    Raises:
        ModelError: weights that the layer cannot have.
    """
    value = node.inputs[WEIGHT_PORT] if len(node.inputs) > WEIGHT_PORT else None
    matrix = get_constant(value) if value is not None else None
    if not isinstance(layer, MatrixVectorActivation) or matrix is None or not takes_weights(layer, WEIGHT_PORT):
        return None
    weights = np.rint(np.asarray(matrix, dtype=np.float64)).astype(np.int64)
    if not np.array_equal(weights, matrix):
        raise ModelError("its weights are not all integers", where=describe(node))
    try:
        embedded = replace(layer, mem_mode="internal_embedded", parameters={**layer.parameters, "weights": weights})
    except ModelError as problem:
        raise ModelError(problem.what, where=describe(node), remedy=problem.remedy) from None
    return StreamedWeights(layer.weight_stream(), embedded.memory_images()["weights"].words)
