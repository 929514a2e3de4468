"""MoveAffinePastOp: what the moves of a Mul or an Add past another node have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_datatype
from finnmake.transformation.accumulators import accumulator_datatype
from finnmake.transformation.affine import Affine, Array, affine, move_past, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite


@dataclass(frozen=True)
class Move:
    """One Mul or Add, and the node that it moves past.

    Attributes:
        operand: the Mul or Add.
        past: its only user.
        constant: that the Mul or Add has afterwards; the same array where it keeps its own.
    """

    operand: Affine
    past: ir.Node
    constant: Array


class MoveAffinePastOp(LocalRewrite[Move]):
    """Base: moves a Mul or an Add of a constant past its only user, one with one output in use.

    A move whose new constant is no finite float32 number is not made. Ends as each rewrite brings a Mul or an Add one
    node nearer to the outputs, and none ever goes back. A chain of layers separated by thresholds, which stop
    every move, takes a number of rewrites that is proportional to its length.
    """

    op_types: tuple[str, ...]
    exact = False
    """True where moving changes which elements are computed, but not how."""

    @abstractmethod
    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """The constant behind the other node, None where the two cannot change places."""

    def datatype_between(self, operand: Affine, past: ir.Node) -> AnyDataType:
        """Of the other node's output from now on; FLOAT32 leaves it to ``InferDataTypes``."""
        return accumulator_datatype(past, get_datatype(operand.source))

    def match(self, node: ir.Node) -> Move | None:
        """A Mul or Add whose only user it can move past."""
        operand = affine(node, *self.op_types)
        past = sole_user(operand.output) if operand is not None else None
        if operand is None or past is None or any(value.uses() for value in past.outputs[1:]):
            return None
        if any(value.is_graph_output() for value in past.outputs[1:]) or not np.isfinite(operand.array).all():
            return None
        constant = self.moved_constant(operand, past)
        if constant is None or not np.isfinite(constant).all():
            return None
        return Move(operand, past, constant)

    def replace(self, graph: ir.Graph, match: Move) -> Iterable[ir.Node]:
        """Moves it."""
        between = self.datatype_between(match.operand, match.past)
        return move_past(graph, match.operand, match.past, match.constant, between, exact=self.exact)


def scalar_for(operand: Affine, rank: int) -> Array | None:
    """The constant of a Mul or Add where it is one number, for a tensor of another rank."""
    if not operand.is_scalar:
        return None
    return operand.array if operand.array.ndim <= rank else operand.array.reshape(())
