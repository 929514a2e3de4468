"""MoveScalarLinearPastInvariants: ops that move elements, or take means of them, do not mind a common scale or bias."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_datatype, get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import FLOAT32, Affine, Array
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp, scalar_for

_MOVES_ELEMENTS = frozenset(
    {
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)


class MoveScalarLinearPastInvariants(MoveAffinePastOp):
    """Moves a Mul by one number, or an Add of one, past an op f with f(x · a) = f(x) · a, or f(x + b) = f(x) + b.

    These are the ops that only move elements (Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Slice, Gather, Expand,
    Tile, DepthToSpace, SpaceToDepth, Identity) and the means (GlobalAveragePool; AveragePool, an Add only where
    padding is not counted).

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit, behind a mean to float32 rounding; no such Mul or Add has such an
    op as its only user.
    """

    op_types = ("Mul", "Add")

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """The same number."""
        shape = get_shape(past.outputs[0])
        if not is_standard(past) or past.inputs[0] is not operand.output or shape is None:
            return None
        invariant = past.op_type in _MOVES_ELEMENTS or _is_mean(past, operand.node.op_type)
        return scalar_for(operand, len(shape)) if invariant else None

    def datatype_between(self, operand: Affine, past: ir.Node) -> AnyDataType:
        """An op that moves elements makes no new values."""
        return get_datatype(operand.source) if past.op_type in _MOVES_ELEMENTS else FLOAT32


def _is_mean(node: ir.Node, op_type: str) -> bool:
    if node.op_type == "GlobalAveragePool":
        return True
    if node.op_type != "AveragePool":
        return False
    return op_type == "Mul" or not attribute(node, "count_include_pad", 0) or _is_unpadded(node)


def _is_unpadded(node: ir.Node) -> bool:
    return not any(attribute(node, "pads", ())) and str(attribute(node, "auto_pad", "NOTSET")) in ("NOTSET", "VALID")
