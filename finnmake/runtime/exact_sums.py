"""The model with exact sums: what its matrix products are before float32 rounds every addition.

Where the scales of weights or activations are no powers of two, float32 sums of scaled integers depend on the order of
the additions: two scores that are equal, or a value at a rounding tie of the next quantiser, may come out either way.
Hardware adds integers. Here every other op runs as in the model, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.dataflow.layer import IntegerArray
from finnmake.errors import VerificationError
from finnmake.graph.custom_op import CustomOp, describe, required
from finnmake.graph.expression import Affine
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.scaled_integer_analysis import ConstantIntegers, ScaledInteger, analyse, constant_integers
from finnmake.graph.tensors import get_shape
from finnmake.runtime.execute import Executor

Array = NDArray[Any]

_DOMAIN = "finnmake.exact"
_ROUNDING = 16 * 2.0**-24
"""Relative error of a product of two scaled integers in float32: a few roundings, whatever the length of the sum."""


@dataclass(frozen=True)
class _Product:
    """What the analysis knows of one matrix product."""

    source: Affine
    weights: ConstantIntegers
    sums: ScaledInteger


class _ExactMatMul(CustomOp):
    """MatMul of scaled integers: the integers are added, and scaled once."""

    def __init__(self, products: dict[ir.Node, _Product]) -> None:
        self._products = products

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """(N, K) · (K, M), float32.

        Raises:
            VerificationError: the operands' own product differs by more than their rounding.
        """
        x, w = (array.astype(np.float64) for array in required(node, inputs, 2))
        product = self._products[node]
        scale, bias = product.source.scale, product.source.bias
        integers = np.rint((x - bias) / scale)
        sums = (integers @ product.weights.integers.astype(np.float64)) * product.sums.scale + product.sums.bias
        magnitude = (np.abs(integers * scale) + np.abs(bias)) @ np.abs(w)
        if (np.abs(sums - x @ w) > _ROUNDING * magnitude).any():
            raise VerificationError("its sums are not those of the integers behind its operands", where=describe(node))
        return [sums.astype(np.float32)]


def run_with_exact_sums(imported: ModelWrapper, frames: IntegerArray) -> Array:
    """The only output of an imported model, its matrix products of scaled integers added as integers.

    Args:
        imported: the model; its input takes integers.
        frames: shape (samples, elements).

    Raises:
        VerificationError: a matrix product is something else than the analysis says, by more than float32 rounding.
    """
    model = imported.copy()
    analysis = analyse(model)
    products: dict[ir.Node, _Product] = {}
    for node in model.get_nodes_by_op_type("MatMul"):
        function = analysis.functions.get(node.outputs[0])
        source = analysis.functions.get(node.inputs[0]) if node.inputs[0] is not None else None
        form = source.affine() if source is not None else None
        weights = constant_integers(node.inputs[1], analysis)
        if function is not None and form is not None and weights is not None:
            products[node] = _Product(form, weights, function.source)
    for node in products:
        node.domain = _DOMAIN
    ops = GENERAL_OPS.extended({(_DOMAIN, "MatMul"): _ExactMatMul(products)})
    source_tensor = model.graph.inputs[0]
    shape = get_shape(source_tensor) or ()
    inputs = frames.reshape(len(frames), *shape[1:]).astype(np.float32)
    outputs = Executor(model, custom_ops=ops).run({str(source_tensor.name): inputs})
    return outputs[str(model.graph.outputs[0].name)]
