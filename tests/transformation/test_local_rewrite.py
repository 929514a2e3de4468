"""The worklist: work that grows as the graph does, counted in nodes looked at and rewritten, not in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import CollapseRepeatedMul, absorb, reorder
from finnmake.transformation.local_rewrite import LocalRewrite
from tests.support.affine_graphs import op_types, shaped
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder


def chain(layers: int) -> ModelWrapper:
    """Layers of Mul, Mul, Add, MatMul, Mul, Add, MultiThreshold."""
    builder = GraphBuilder([1, 2])
    x = builder.input
    for _ in range(layers):
        for op_type, constant in (("Mul", 0.5), ("Mul", 2.0), ("Add", 1.0)):
            x = builder.node(op_type, [x, builder.constant(constant)])
        x = builder.node("MatMul", [x, builder.constant(np.eye(2, dtype=np.float32))])
        x = builder.node("Mul", [x, builder.constant(np.array([4.0, 0.5]))])
        x = builder.node("Add", [x, builder.constant(np.array([4.0, 0.5]))])
        x = builder.node("MultiThreshold", [x, builder.constant(np.array([[0.0, 1, 2]]))], QONNX_DOMAIN)
    return shaped(builder.model(x, [1, 2]))


def counted(kind: type[LocalRewrite[Any]], model: ModelWrapper) -> Counter[str]:
    """How often a transformation looks at a node, and how often it rewrites."""
    counts: Counter[str] = Counter()

    class Counting(kind):  # type: ignore[valid-type,misc]
        def match(self, node: ir.Node) -> Any:
            counts["match"] += 1
            return super().match(node)

        def replace(self, graph: ir.Graph, match: Any) -> Iterable[ir.Node]:
            counts["replace"] += 1
            return list(super().replace(graph, match))

    model.transform(Counting())
    return counts


@pytest.mark.parametrize(
    "kind",
    [
        CollapseRepeatedMul,
        absorb.AbsorbAddIntoMultiThreshold,
        reorder.MoveAddPastMul,
        reorder.MoveScalarAddPastMatMul,
        reorder.MoveScalarMulPastMatMul,
    ],
)
def test_work_is_linear_in_the_layers(kind: type[LocalRewrite[Any]]) -> None:
    few, many = (counted(kind, chain(layers)) for layers in (20, 200))
    assert few["replace"] in (0, 20)
    assert many["replace"] == 10 * few["replace"]
    assert many["match"] <= 10 * few["match"] + 10
    assert many["match"] <= 4 * len(chain(200).nodes)


class _RemoveRelu(LocalRewrite[ir.Node]):
    def match(self, node: ir.Node) -> ir.Node | None:
        """A Relu."""
        return node if node.op_type == "Relu" else None

    def replace(self, graph: ir.Graph, match: ir.Node) -> Iterable[ir.Node]:
        """Removes it, and asks for it and its neighbours."""
        around = [*match.predecessors(), match, *match.successors()]
        match.outputs[0].replace_all_uses_with(match.inputs[0], replace_graph_outputs=True)  # type: ignore[arg-type]
        graph.remove(match, safe=True)
        return around


def test_a_removed_node_is_not_looked_at_again() -> None:
    builder = GraphBuilder([1, 2])
    x = builder.node("Neg", [builder.input])
    for _ in range(3):
        x = builder.node("Relu", [x])
    model = shaped(builder.model(builder.node("Neg", [x]), [1, 2]))
    assert op_types(model.transform(_RemoveRelu())) == ["Neg", "Neg"]
    assert op_types(model) == ["Neg", "Relu", "Relu", "Relu", "Neg"]
