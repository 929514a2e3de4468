"""FactorOutMulSignMagnitude: signs apart from magnitudes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import get_datatype, set_datatype
from finnmake.transformation.affine import Affine, affine, datatype_like, either_sign, neighbours, set_constant
from finnmake.transformation.local_rewrite import LocalRewrite

_BIPOLAR = DataType["BIPOLAR"]


class FactorOutMulSignMagnitude(LocalRewrite[Affine]):
    """Splits every Mul by a number, or by one per channel, with negative ones, into a Mul by ±1 and one by |A|.

    The first can go into the weights before it (``Absorb1BitMulIntoMatMul``, ``Absorb1BitMulIntoConv``), the second
    into thresholds.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; every such Mul has constants without a negative one, or constants
    of ±1 only, annotated BIPOLAR. Ends as neither of the two is split again.
    """

    def match(self, node: ir.Node) -> Affine | None:
        """A Mul with negative constants along one axis that is not annotated BIPOLAR."""
        found = affine(node, "Mul")
        if found is None or not (found.array < 0).any() or get_datatype(found.constant) == _BIPOLAR:
            return None
        return found if sum(size > 1 for size in found.array.shape) <= 1 else None

    def replace(self, graph: ir.Graph, match: Affine) -> Iterable[ir.Node]:
        """Splits it, or annotates it where it is ±1."""
        signs = np.where(np.signbit(match.array), np.float32(-1), np.float32(1))
        name = f"{match.output.name} signs"
        constant = add_initialiser(graph, signs, name, _BIPOLAR)
        if _BIPOLAR.allowed_array(match.array):
            match.node.replace_input_with(1 - match.index, constant)
            return neighbours(match.node)
        first = ir.node("Mul", [match.source, constant])
        value = first.outputs[0]
        value.shape, value.type = match.source.shape, match.source.type
        set_datatype(value, either_sign(get_datatype(match.source)))
        graph.insert_before(match.node, first)
        match.node.replace_input_with(match.index, value)
        magnitudes = np.abs(match.array)
        set_constant(graph, match, magnitudes, datatype_like(magnitudes, get_datatype(match.constant)))
        return ()
