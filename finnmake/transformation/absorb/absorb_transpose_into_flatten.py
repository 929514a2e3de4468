"""AbsorbTransposeIntoFlatten: the order of dimensions before all are one."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.transposes import like, moves_nothing
from finnmake.transformation.base import Rewrite
from finnmake.transformation.reorder.move_transpose import source_of


class AbsorbTransposeIntoFlatten(Rewrite):
    """Removes a Transpose before a Flatten, or a Reshape to (batch, elements).

    Done where the Transpose moves only dimensions of size 1, and where the only user is a MatMul by constants, whose
    rows are then put into the order of the tensor before the Transpose.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit, apart from the order of float32 additions in the MatMul.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in list(model.graph):
            found = source_of(node.inputs[0]) if _flattens(node) else None
            if found is None:
                continue
            source, permutation = found
            transpose, shape = node.inputs[0].producer(), get_shape(source)  # type: ignore[union-attr]
            if transpose is None or shape is None or permutation[0] != 0:
                continue
            if not moves_nothing(transpose) and not _turn_rows(model.graph, node, shape, permutation):
                continue
            _flatten(model.graph, node, source)
            model.graph.remove(transpose, safe=True)
        name_by_position(model)


def _flattens(node: ir.Node) -> bool:
    if not is_standard(node) or node.op_type not in ("Flatten", "Reshape") or node.inputs[0] is None:
        return False
    before, after = get_shape(node.inputs[0]), get_shape(node.outputs[0])
    return before is not None and len(before) > 2 and after == (before[0], math.prod(before[1:]))


def _turn_rows(graph: ir.Graph, node: ir.Node, shape: tuple[int, ...], permutation: tuple[int, ...]) -> bool:
    """Turns the matrix of the only user; False where there is no such user."""
    output = node.outputs[0]
    users = list(output.consumers())
    if len(users) != 1 or output.is_graph_output() or users[0].op_type != "MatMul" or users[0].inputs[0] is not output:
        return False
    held, weights = users[0].inputs[1], get_constant(users[0].inputs[1])
    if held is None or weights is None or weights.ndim != 2:
        return False
    # places[i]: which element of the turned tensor the i-th element of the tensor itself is.
    turned = np.arange(len(weights)).reshape([shape[axis] for axis in permutation[1:]])
    places = turned.transpose(np.argsort(np.array(permutation[1:]))).reshape(-1)
    users[0].replace_input_with(1, add_initialiser(graph, weights[places], f"{held.name} turned", get_datatype(held)))
    return True


def _flatten(graph: ir.Graph, node: ir.Node, source: ir.Value) -> None:
    shape = get_shape(node.outputs[0]) or ()
    target = add_initialiser(graph, np.array([0, *shape[1:]], dtype=np.int64), f"{node.name} shape")
    fresh = ir.node("Reshape", [source, target])
    like(fresh.outputs[0], node.outputs[0], shape)
    graph.insert_before(node, fresh)
    replace_value(node.outputs[0], fresh.outputs[0])
    graph.remove(node, safe=True)
