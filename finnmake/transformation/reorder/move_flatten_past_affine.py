"""MoveFlattenPastAffine: a Mul or an Add of elements works on any shape of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir

from finnmake.graph.editing import replace_value
from finnmake.graph.model_wrapper import get_datatype, get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, affine, neighbours, set_constant, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite


@dataclass(frozen=True)
class _Flattened:
    flatten: ir.Node
    source: ir.Value
    shape: tuple[int, ...]
    operand: Affine


class MoveFlattenPastAffine(LocalRewrite[_Flattened]):
    """Moves a Flatten (or a Reshape to two dimensions, the batch and the rest) past the Mul or Add behind it.

    The constant, one number or one per element, gets the shape that the tensor has before it is flattened.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; no such Flatten has a Mul or an Add of a constant as its only user.
    Ends as each rewrite brings a Flatten one node nearer to the outputs.
    """

    def match(self, node: ir.Node) -> _Flattened | None:
        """A Flatten with a Mul or Add behind it."""
        if node.op_type not in ("Flatten", "Reshape") or not is_standard(node) or node.inputs[0] is None:
            return None
        shape, flat = get_shape(node.inputs[0]), get_shape(node.outputs[0])
        if shape is None or flat is None or len(flat) != 2 or not shape or shape[0] != flat[0]:
            return None
        operand = affine(sole_user(node.outputs[0]), "Mul", "Add")
        if operand is None or operand.along(1) is None:
            return None
        return _Flattened(node, node.inputs[0], shape, operand)

    def replace(self, graph: ir.Graph, match: _Flattened) -> Iterable[ir.Node]:
        """Lets them change places."""
        flatten, operand = match.flatten, match.operand
        first, last = flatten.outputs[0], operand.output
        annotated, dtype = get_datatype(last), last.type
        array, shape = operand.array, match.shape
        if not operand.is_scalar:
            set_constant(graph, operand, array.reshape((1, *shape[1:])), get_datatype(operand.constant))
        elif array.ndim > len(shape):
            set_constant(graph, operand, array.reshape(()), get_datatype(operand.constant))
        replace_value(last, first)
        operand.node.replace_input_with(operand.index, match.source)
        flatten.replace_input_with(0, last)
        last.shape, last.type = ir.Shape(list(shape)), dtype
        first.type = dtype
        set_datatype(first, annotated)
        graph.insert_after(operand.node, flatten)
        return neighbours(operand.node, flatten)
