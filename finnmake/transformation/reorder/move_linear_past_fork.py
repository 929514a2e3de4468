"""MoveLinearPastFork: a Mul, or an Add, for every user."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_datatype, set_datatype
from finnmake.transformation.affine import Affine, affine, neighbours
from finnmake.transformation.local_rewrite import LocalRewrite


class MoveLinearPastFork(LocalRewrite[Affine]):
    """Gives every user of a Mul or an Add with a constant a Mul or an Add of its own, to be moved on separately.

    An output of the model counts as a user.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; the output of no such Mul or Add is used twice. Ends as each rewrite
    makes one such output less: the copies have one user each.
    """

    op_types: tuple[str, ...] = ("Mul", "Add")

    def match(self, node: ir.Node) -> Affine | None:
        """A Mul or Add that is used more than once."""
        found = affine(node, *self.op_types)
        if found is None or len(found.output.uses()) + found.output.is_graph_output() < 2:
            return None
        return found

    def replace(self, graph: ir.Graph, match: Affine) -> Iterable[ir.Node]:
        """Copies it; the first user, or the model's output, keeps the node itself."""
        output = match.output
        uses = list(output.uses())
        copies = []
        for use in uses if output.is_graph_output() else uses[1:]:
            copy = ir.node(match.node.op_type, list(match.node.inputs))
            value = copy.outputs[0]
            value.shape, value.type = output.shape, output.type
            set_datatype(value, get_datatype(output))
            use.node.replace_input_with(use.idx, value)
            copies.append(copy)
        graph.insert_after(match.node, copies)
        return neighbours(match.node, *copies)
