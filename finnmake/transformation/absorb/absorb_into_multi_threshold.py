"""What AbsorbAddIntoMultiThreshold and AbsorbMulIntoMultiThreshold have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import channel_axis
from finnmake.graph.model_wrapper import get_constant, get_datatype
from finnmake.transformation.affine import Affine, Array, affine, bypass, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite
from finnmake.transformation.threshold_search import (
    integer_thresholds_like,
    is_multi_threshold,
    smallest_reaching,
    threshold_datatype,
)


@dataclass(frozen=True)
class Absorbed:
    """An op and the MultiThreshold behind it.

    Attributes:
        operand: the op.
        node: the MultiThreshold.
        constants: of the op, one number or one per channel, as a column.
        thresholds: (channels or 1, steps), float32.
    """

    operand: Affine
    node: ir.Node
    constants: Array
    thresholds: Array


class AbsorbIntoMultiThreshold(LocalRewrite[Absorbed]):
    """Base: moves an elementwise op with one constant per channel into the thresholds behind it.

    The new threshold is the smallest float32 number that the op takes to the old threshold or beyond, so that the
    levels stay the same with the rounding of the op itself. Ends as each rewrite takes a node away.
    """

    op_type: str

    @abstractmethod
    def forward(self, values: Array, constants: Array) -> Array:
        """The op, float32."""

    @abstractmethod
    def backward(self, thresholds: Array, constants: Array) -> Array:
        """The thresholds by the formula, float64, not rounded; anything where there are none."""

    def accepts(self, operand: Affine) -> bool:
        """False for constants that turn the order of values round."""
        return bool(np.isfinite(operand.array).all())

    def match(self, node: ir.Node) -> Absorbed | None:
        """The op in front of a MultiThreshold that is its only user."""
        operand = affine(node, self.op_type)
        if operand is None or not self.accepts(operand):
            return None
        user, rank = sole_user(operand.output), len(operand.shape)
        thresholds = get_constant(user.inputs[1]) if user is not None and is_multi_threshold(user) else None
        if user is None or thresholds is None or thresholds.ndim != 2 or rank < 2:
            return None
        constants = operand.along(channel_axis(user, rank))
        if constants is None:
            return None
        return Absorbed(operand, user, constants[:, None], thresholds.astype(np.float32))

    def replace(self, graph: ir.Graph, match: Absorbed) -> Iterable[ir.Node]:
        """Gives the MultiThreshold new thresholds and what the op takes."""
        constants, source = match.constants, get_datatype(match.operand.source)
        rows = max(len(constants), len(match.thresholds))
        levels = np.broadcast_to(match.thresholds, (rows, match.thresholds.shape[1]))
        thresholds = smallest_reaching(lambda x: self.forward(x, constants), levels)
        if source.is_integer():
            with np.errstate(all="ignore"):
                simple = self.backward(levels.astype(np.float64), constants.astype(np.float64))
            thresholds = integer_thresholds_like(thresholds, simple.astype(np.float32), source)
        datatype = threshold_datatype(thresholds, source)
        fresh = add_initialiser(graph, thresholds, f"{match.node.outputs[0].name} thresholds", datatype)
        match.node.replace_input_with(1, fresh)
        bypass(graph, match.operand)
        return list(match.node.predecessors())
