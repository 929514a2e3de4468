"""CollapseRepeatedOp: what CollapseRepeatedMul and CollapseRepeatedAdd have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_datatype
from finnmake.transformation.affine import Affine, Array, affine, bypass, datatype_like, set_constant, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite

Pair = tuple[Affine, Affine]


class CollapseRepeatedOp(LocalRewrite[Pair]):
    """Base: makes two ops of one type with constants, the second the only user of the first, one op.

    A pair stays where the new constant would overflow, or vanish, in float32. Ends as each rewrite takes a node away.
    """

    op_type: str

    @abstractmethod
    def combine(self, first: Array, second: Array) -> Array:
        """The constant of the one op, in float64 as its arguments are."""

    def match(self, node: ir.Node) -> Pair | None:
        """Two in a row, by the first."""
        first = affine(node, self.op_type)
        second = affine(sole_user(first.output), self.op_type) if first is not None else None
        if first is None or second is None:
            return None
        with np.errstate(over="ignore", under="ignore"):
            exact = self._combined((first, second))
            rounded = exact.astype(np.float32)
        return (first, second) if np.isfinite(rounded).all() and ((rounded == 0) == (exact == 0)).all() else None

    def replace(self, graph: ir.Graph, match: Pair) -> Iterable[ir.Node]:
        """Leaves the second with both constants."""
        first, second = match
        combined = self._combined(match).astype(np.float32)
        # Integers stay integers only where both are.
        annotated = next((each for each in map(_annotation, match) if not each.is_integer()), _annotation(first))
        bypass(graph, first)
        set_constant(graph, second, combined, datatype_like(combined, annotated))
        return [*second.node.predecessors(), second.node]

    def _combined(self, pair: Pair) -> Array:
        first, second = pair
        return self.combine(first.array.astype(np.float64), second.array.astype(np.float64))


def _annotation(operand: Affine) -> AnyDataType:
    return get_datatype(operand.constant)
