"""ConvertDivToMul: a constant multiplies, never divides."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from finnmake.transformation.affine import Affine, affine, set_constant
from finnmake.transformation.local_rewrite import LocalRewrite


class ConvertDivToMul(LocalRewrite[Affine]):
    """Makes x / A a Mul by 1 / A.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where A is a power of two, else to float32 rounding; no Div has a
    constant divisor, except where 1 / A is no finite float32 number (A = 0). Ends as each rewrite takes a Div away.
    """

    def match(self, node: ir.Node) -> Affine | None:
        """A Div by a constant."""
        found = affine(node, "Div")
        if found is None or found.index != 0:
            return None
        return found if bool(np.isfinite(_inverse(found)).all()) else None

    def replace(self, graph: ir.Graph, match: Affine) -> Iterable[ir.Node]:
        """Rewrites it."""
        set_constant(graph, match, _inverse(match))
        match.node.op_type = "Mul"
        return ()


def _inverse(operand: Affine) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.float32(1) / operand.array, dtype=np.float32)
