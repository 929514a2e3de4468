"""GemmToMatMul: a dense layer as MatMul and Add."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.shape_inference import infer_node
from finnmake.transformation.base import Rewrite


class GemmToMatMul(Rewrite):
    """Makes each Gemm a MatMul, with Transpose, Mul and Add as far as its attributes ask for them.

    Precondition: shapes are known.
    Postcondition: the same function, to float32 rounding; no Gemm is left; shapes are known.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        opset = model.model.opset_imports.get("", 1)
        for node in model.get_nodes_by_op_type("Gemm"):
            for fresh in gemm_as_matmul(node, opset):
                infer_node(fresh, opset, REGISTERED_OPS)


def gemm_as_matmul(node: ir.Node, opset: int) -> list[ir.Node]:
    """Y = alpha·A'·B' + beta·C as MatMul, Mul where alpha is not 1, and Add."""
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return [node]
    fresh: list[ir.Node] = []

    def make(op_type: str, inputs: list[ir.Value | None], attributes: dict[str, object] | None = None) -> ir.Value:
        made = ir.node(op_type, inputs, attributes or {})  # type: ignore[arg-type]
        graph.insert_before(node, made)
        fresh.append(made)
        return made.outputs[0]

    def factor(value: ir.Value, name: str) -> ir.Value:
        number = float(attribute(node, name, 1.0))
        return value if number == 1.0 else make("Mul", [value, add_initialiser(graph, np.float32(number), name)])

    a, b = (
        make("Transpose", [value], {"perm": [1, 0]}) if attribute(node, flag, 0) else value
        for value, flag in zip(node.inputs[:2], ("transA", "transB"), strict=True)
    )
    result = factor(make("MatMul", [a, b]), "alpha")
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        result = make("Add", [result, factor(bias, "beta")])
    node.outputs[0].replace_all_uses_with(result, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return fresh
