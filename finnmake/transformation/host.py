"""What is the host's in a model of hardware layers: orders of elements, and the scale of the output."""

from __future__ import annotations

import json

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.element_order import only_orders
from finnmake.graph.model_wrapper import ModelWrapper

OUTPUT_KEY = "finnmake.output_scaling"
"""Metadata of the model: JSON with ``scale`` and ``bias``, one number or one for each element of a frame of the graph's
output: float = scale · integer + bias."""


def output_scaling(layers: ModelWrapper) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Scale and bias, one number or one an element; None where the integers are the output, as with labels."""
    text = layers.get_metadata_prop(OUTPUT_KEY)
    if text is None:
        return None
    scaling = json.loads(text)
    return np.asarray(scaling["scale"], dtype=np.float64), np.asarray(scaling["bias"], dtype=np.float64)


def host_nodes(graph: ir.Graph) -> set[ir.Node]:
    """The nodes between the graph's inputs, or its outputs, and its first and last op that computes something.

    They put elements into another order or shape, which the host does.
    """
    inputs = [node for value in graph.inputs for node in input_nodes(value)]
    outputs = [node for value in graph.outputs for node in output_nodes(value)]
    return {*inputs, *outputs}


def input_nodes(value: ir.Value) -> list[ir.Node]:
    """The nodes behind an input that only put its elements into another order or shape, in the order of the data."""
    found: list[ir.Node] = []
    users = list(value.consumers())
    while len(users) == 1 and only_orders(users[0]) and not users[0].outputs[0].is_graph_output():
        found.append(users[0])
        users = list(users[0].outputs[0].consumers())
    return found


def output_nodes(value: ir.Value) -> list[ir.Node]:
    """The nodes before an output that only put elements into another order or shape, in the order of the data."""
    found: list[ir.Node] = []
    node = value.producer()
    while node is not None and only_orders(node) and len(node.outputs[0].consumers()) <= 1:
        found.append(node)
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    return found[::-1]
