"""Pooling and resizing of images as nodes with channels innermost, and where they are worth turning."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.transposes import Permutation, permutation_of, to_channels_first, to_channels_last
from finnmake.transformation.base import Rewrite
from finnmake.transformation.reorder.move_transpose import (
    Turned,
    put_transpose_before,
    replace_by_turned,
    source_of,
)

FIRST, LAST = to_channels_first(4), to_channels_last(4)


class MakeChannelsLast(Rewrite):
    """Base: a node on images with a Transpose from channels last before it, or to channels last behind it, is turned.

    The Transpose moves to the other side of the node, or two that undo each other are gone.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        for node in list(graph):
            if not self.can_turn(node):
                continue
            found = source_of(node.inputs[0])
            users, output = list(node.outputs[0].consumers()), node.outputs[0]
            if found is None or found[1] != FIRST:
                if not users or output.is_graph_output() or any(permutation_of(user) != LAST for user in users):
                    continue
                put_transpose_before(graph, node, LAST)
                found = source_of(node.inputs[0])
            if found is not None:
                replace_by_turned(graph, node, self.turned(graph, node, found[0]), cancel=True)
        graph.opset_imports.setdefault(GENERAL_DOMAIN, 1)
        name_by_position(model)

    @abstractmethod
    def can_turn(self, node: ir.Node) -> bool:
        """True for a node that there is with channels last."""

    @abstractmethod
    def turned(self, graph: ir.Graph, node: ir.Node, source: ir.Value) -> Turned:
        """The node on an image with channels last."""


def is_nearest_resize(node: ir.Node) -> bool:
    """True for a Resize or Upsample of images to nearest neighbours, with constant scales or sizes for all dimensions.

    Other modes take the two outer dimensions for batch and channels.
    """
    if not is_standard(node) or node.op_type not in ("Resize", "Upsample") or len(node.inputs) < 2:
        return False
    if str(attribute(node, "mode", "nearest")) != "nearest" or attribute(node, "axes") is not None:
        return False
    arrays = [get_constant(value) for value in node.inputs[1:] if value is not None]
    image = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    return image is not None and len(image) == 4 and all(a is not None and a.size in (0, 4) for a in arrays)


def turned_resize(graph: ir.Graph, node: ir.Node, source: ir.Value, permutation: Permutation) -> Turned:
    """A nearest Resize of the tensor before its Transpose."""
    inputs: list[ir.Value | None] = [source]
    for value in list(node.inputs)[1:]:
        array = get_constant(value)
        if value is None or array is None or array.size == 0:
            inputs.append(value)
        else:
            numbers = array[np.argsort(permutation)]
            inputs.append(add_initialiser(graph, numbers, f"{value.name} turned"))
    return Turned(permutation, inputs)


def is_image_pool(node: ir.Node) -> bool:
    """True for a MaxPool of images that MaxPoolNHWC can do: explicit padding, no indices."""
    shape = get_shape(node.inputs[0]) if node.inputs and node.inputs[0] is not None else None
    return (
        is_standard(node)
        and node.op_type == "MaxPool"
        and shape is not None
        and len(shape) == 4
        and str(attribute(node, "auto_pad", "NOTSET")) in ("NOTSET", "VALID")
        and not any(value.uses() or value.is_graph_output() for value in node.outputs[1:])
    )


def turned_pool(node: ir.Node, source: ir.Value) -> Turned:
    """MaxPoolNHWC of the image with channels last."""
    attributes: dict[str, Any] = {
        "kernel_shape": list(attribute(node, "kernel_shape")),
        "strides": list(attribute(node, "strides", [1, 1])),
        "pads": list(attribute(node, "pads", [0] * 4)),
        "ceil_mode": int(attribute(node, "ceil_mode", 0)),
    }
    dilations = list(attribute(node, "dilations", [1, 1]))
    if dilations != [1, 1]:
        attributes["dilations"] = dilations
    return Turned(FIRST, [source], attributes, "MaxPoolNHWC", GENERAL_DOMAIN)
