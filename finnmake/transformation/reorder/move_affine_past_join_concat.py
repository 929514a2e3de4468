"""MoveAffinePastJoinConcat: one Mul, or Add, behind a Concat of branches."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.transformation.affine import Affine, Array, across
from finnmake.transformation.reorder.move_past_join import MoveIdenticalOpPastJoinOp


class MoveAffinePastJoinConcat(MoveIdenticalOpPastJoinOp):
    """Moves the Muls, or the Adds, of all branches past the Concat that joins them, as one.

    Their constants are one number per branch, or one per element of the axis that is concatenated: behind the Concat
    they are concatenated, or one number where all are equal.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; no such set of branches is left.
    """

    op_types: tuple[str, ...] = ("Mul", "Add")
    join = "Concat"

    def joined_constant(self, node: ir.Node, operands: tuple[Affine, ...]) -> Array | None:
        """The constants, concatenated."""
        axis = int(attribute(node, "axis", 1))
        vectors = [operand.along(axis) for operand in operands]
        known = [vector for vector in vectors if vector is not None]
        if len(known) != len(operands):
            return None
        first = known[0].reshape(-1)[:1]
        if all((vector == first).all() for vector in known):
            return first.reshape(())
        sizes = [operand.shape[axis] for operand in operands]
        whole_axis = [np.broadcast_to(vector, (size,)) for vector, size in zip(known, sizes, strict=True)]
        return across(np.concatenate(whole_axis), len(operands[0].shape), axis)
