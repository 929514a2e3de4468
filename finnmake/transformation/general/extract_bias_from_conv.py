"""ExtractBiasFromConv: a convolution's bias is an Add behind it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.transformation.base import Rewrite


class ExtractBiasFromConv(Rewrite):
    """Adds the bias of Conv and ConvTranspose by a node of its own, per channel.

    Precondition: shapes are known.
    Postcondition: the same function, to float32 rounding; no Conv has a bias. A bias that is computed (behind its
    quantiser) is reshaped by a node.

    Raises:
        ModelError: where the shape of a convolution is not known.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        for node in [*model.get_nodes_by_op_type("Conv"), *model.get_nodes_by_op_type("ConvTranspose")]:
            bias = node.inputs[2] if len(node.inputs) > 2 else None
            if bias is None:
                continue
            output, shape = node.outputs[0], get_shape(node.outputs[0])
            if shape is None:
                raise ModelError("its shape is not known", where=describe(node), remedy="Apply InferShapes first.")
            add = ir.node("Add", [output, bias])
            output.replace_all_uses_with(add.outputs[0], replace_graph_outputs=True)
            add.replace_input_with(0, output)
            add.outputs[0].shape, add.outputs[0].type = ir.Shape(shape), output.type
            node.resize_inputs(2)
            graph.insert_after(node, add)
            add.replace_input_with(1, _per_channel(graph, add, bias, (1, -1) + (1,) * (len(shape) - 2)))


def _per_channel(graph: ir.Graph, add: ir.Node, bias: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    constant = get_constant(bias)
    if constant is not None:
        return add_initialiser(graph, constant.reshape(shape), f"{bias.name} per channel")
    reshape = ir.node("Reshape", [bias, add_initialiser(graph, np.array(shape, dtype=np.int64), f"{bias.name} shape")])
    length = get_shape(bias)
    if length is not None:
        reshape.outputs[0].shape = ir.Shape([length[0] if dim == -1 else dim for dim in shape])
    reshape.outputs[0].type = bias.type
    graph.insert_before(add, reshape)
    return reshape.outputs[0]
