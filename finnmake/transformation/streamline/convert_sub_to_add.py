"""ConvertSubToAdd: a constant is added, never subtracted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import get_datatype, set_datatype
from finnmake.transformation.affine import Affine, affine, datatype_like, either_sign, set_constant
from finnmake.transformation.local_rewrite import LocalRewrite


class ConvertSubToAdd(LocalRewrite[Affine]):
    """Makes x - B an Add of -B, and B - x a Mul by -1 and an Add of B.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; no Sub has one constant operand. Ends as each rewrite takes a Sub
    away.
    """

    def match(self, node: ir.Node) -> Affine | None:
        """A Sub with a constant."""
        return affine(node, "Sub")

    def replace(self, graph: ir.Graph, match: Affine) -> Iterable[ir.Node]:
        """Rewrites it."""
        node = match.node
        if match.index == 0:
            annotated = get_datatype(match.constant)
            set_constant(graph, match, -match.array, datatype_like(-match.array, annotated))
        else:
            minus_one = add_initialiser(graph, np.float32(-1), f"{match.output.name} minus one")
            negated = ir.node("Mul", [match.source, minus_one])
            value = negated.outputs[0]
            value.shape, value.type = match.source.shape, match.source.type
            set_datatype(value, either_sign(get_datatype(match.source)))
            graph.insert_before(node, negated)
            node.replace_input_with(match.index, value)
        node.op_type = "Add"
        return ()
