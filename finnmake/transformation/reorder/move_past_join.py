"""MoveIdenticalOpPastJoinOp: what the moves past a node that joins branches have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import get_datatype, set_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import FLOAT32, Affine, Array, affine, neighbours, sole_user, whole
from finnmake.transformation.local_rewrite import LocalRewrite


@dataclass(frozen=True)
class Join:
    """A node that joins branches, each of which ends in the same op.

    Attributes:
        node: the join.
        operands: the ops, one per input.
        constant: of the one op behind the join.
    """

    node: ir.Node
    operands: tuple[Affine, ...]
    constant: Array


class MoveIdenticalOpPastJoinOp(LocalRewrite[Join]):
    """Base: makes one op behind a join of the same op at the end of each branch.

    Ends as each rewrite takes at least one node away, or brings one nearer to the outputs (a join of one branch).
    """

    op_types: tuple[str, ...]
    """Of the branches."""
    join: str
    """Op type of the join."""

    @abstractmethod
    def joined_constant(self, node: ir.Node, operands: tuple[Affine, ...]) -> Array | None:
        """The constant behind the join, None where there is none that does the same."""

    def match(self, node: ir.Node) -> Join | None:
        """The join of branches that end in one op type and lead nowhere else."""
        if node.op_type != self.join or not is_standard(node) or len(node.outputs) != 1 or not node.inputs:
            return None
        found = [affine(value.producer(), *self.op_types) if value is not None else None for value in node.inputs]
        operands = tuple(operand for operand in found if operand is not None)
        if len(operands) != len(found) or len({operand.node.op_type for operand in operands}) != 1:
            return None
        if any(sole_user(operand.output) is not node for operand in operands):
            return None
        constant = self.joined_constant(node, operands)
        if constant is None or not np.isfinite(constant).all():
            return None
        return Join(node, operands, constant)

    def replace(self, graph: ir.Graph, match: Join) -> Iterable[ir.Node]:
        """Joins first."""
        node, output = match.node, match.node.outputs[0]
        name = f"{output.name} {match.operands[0].node.op_type}"
        constant = add_initialiser(graph, match.constant.astype(np.float32), name)
        moved = ir.node(match.operands[0].node.op_type, [output, constant])
        result = moved.outputs[0]
        result.shape, result.type = output.shape, output.type
        exact = all(whole(operand.array) for operand in match.operands)
        set_datatype(result, get_datatype(output) if exact else FLOAT32)
        graph.insert_after(node, moved)
        replace_value(output, result)
        moved.replace_input_with(0, output)
        set_datatype(output, FLOAT32)
        for index, operand in enumerate(match.operands):
            node.replace_input_with(index, operand.source)
        graph.remove([operand.node for operand in match.operands], safe=True)
        return neighbours(node, moved)
