"""Graphs of hardware layers in a row, made from layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import PARAMETER_INPUTS
from finnmake.dataflow.registry import HARDWARE_DOMAIN
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, set_datatype


def hardware_model(layers: Sequence[Layer], shapes: Sequence[tuple[int, ...]] | None = None) -> ModelWrapper:
    """A chain of hardware nodes.

    Args:
        layers: in stream order.
        shapes: of the graph's input and of each node's output, batch 1 first; flat frames where not given.
    """
    if shapes is None:
        shapes = [(1, layers[0].input_stream().elements_per_frame)]
        shapes += [(1, layer.output_stream().elements_per_frame) for layer in layers]
    value = ir.Value(name="global_in", shape=ir.Shape(shapes[0]), type=ir.TensorType(ir.DataType.FLOAT))
    set_datatype(value, layers[0].input_stream().datatype)
    graph = ir.Graph([value], [], nodes=[], opset_imports={"": 13, HARDWARE_DOMAIN: 1}, name="graph")
    for index, (layer, shape) in enumerate(zip(layers, shapes[1:], strict=True)):
        attributes = [
            ir.AttrString(key, entry) if isinstance(entry, str) else ir.AttrInt64(key, int(entry))
            for key, entry in layer.structure().items()
        ]
        inputs = [value]
        for name in PARAMETER_INPUTS.get(layer.op_type, ()):
            if name in layer.parameters:
                inputs.append(add_initialiser(graph, layer.parameters[name].astype(np.float32), f"{name}_{index}"))
        node = ir.Node(HARDWARE_DOMAIN, layer.op_type, inputs, attributes, name=f"{layer.op_type}_{index}")
        graph.append(node)
        value = node.outputs[0]
        value.name, value.shape, value.type = f"out_{index}", ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
        set_datatype(value, layer.output_stream().datatype)
    graph.outputs.append(value)
    return ModelWrapper(ir.Model(graph, ir_version=8))
