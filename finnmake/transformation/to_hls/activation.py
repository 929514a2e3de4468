"""The thresholds behind a product, which become part of its layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.transformation.hardware import has_channels_innermost, integer_thresholds


@dataclass(frozen=True)
class Activation:
    """A MultiThreshold that a layer takes in.

    Attributes:
        node: the MultiThreshold.
        thresholds: integers, shape (channels or 1, steps).
    """

    node: ir.Node
    thresholds: NDArray[Any]

    @property
    def datatype(self) -> AnyDataType:
        """Of its output."""
        return get_datatype(self.node.outputs[0])

    def structure(self) -> dict[str, int | str | bool]:
        """What the layer's attributes say of it."""
        return {
            "outputDataType": self.datatype.name,
            "numSteps": int(self.thresholds.shape[1]),
            "ActVal": int(attribute(self.node, "out_bias", 0.0)),
        }

    def values(self, model: ModelWrapper, channels: int, accumulator: AnyDataType) -> ir.Value:
        """Its thresholds, of shape (channels, steps), as an input of the layer.

        Args:
            model: gets them as an initialiser, where they are shared by all channels.
            channels: of the layer's output.
            accumulator: of the layer.
        """
        held = self.node.inputs[1]
        if held is not None and self.thresholds.shape[0] == channels:
            return held
        per_channel = np.broadcast_to(self.thresholds, (channels, self.thresholds.shape[1]))
        return add_initialiser(model.graph, per_channel, "thresholds", accumulator)


def activation_behind(output: ir.Value, rank: int) -> Activation | None:
    """The MultiThreshold that alone uses a product, where its channels are innermost and its thresholds integers.

    Args:
        output: of the product.
        rank: of the product's input.
    """
    users = output.consumers()
    if len(users) != 1 or output.is_graph_output() or not has_channels_innermost(users[0], rank):
        return None
    thresholds = integer_thresholds(users[0])
    return None if thresholds is None else Activation(users[0], thresholds)
