"""What Absorb1BitMulIntoMatMul and Absorb1BitMulIntoConv have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import get_constant, get_datatype, set_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.accumulators import accumulator_datatype
from finnmake.transformation.affine import Affine, Array, affine, either_sign, neighbours, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite


@dataclass(frozen=True)
class Weighted:
    """A node with weights, the Mul behind it, and what both make of the node's constant inputs.

    Attributes:
        node: MatMul or Conv.
        operand: the Mul.
        constants: the new weights (and bias) by the index of the node's input.
    """

    node: ir.Node
    operand: Affine
    constants: dict[int, Array]


class Absorb1BitMul(LocalRewrite[Weighted]):
    """Base: multiplies weights by the signs (or the zeros and ones) behind them. Ends as each rewrite takes a Mul."""

    op_type: str

    @abstractmethod
    def weigh(self, node: ir.Node, operand: Affine) -> dict[int, Array] | None:
        """The node's constants, multiplied; None where the Mul is not one number per output channel."""

    def match(self, node: ir.Node) -> Weighted | None:
        """A node with constant weights and a Mul by 1-bit constants as its only user."""
        if node.op_type != self.op_type or not is_standard(node):
            return None
        operand = affine(sole_user(node.outputs[0]), "Mul")
        if operand is None or not _is_1bit(operand.array):
            return None
        constants = self.weigh(node, operand)
        if constants is None:
            return None
        fits = all(get_datatype(_input(node, index)).allowed_array(array) for index, array in constants.items())
        return Weighted(node, operand, constants) if fits else None

    def replace(self, graph: ir.Graph, match: Weighted) -> Iterable[ir.Node]:
        """Gives the node its new constants and removes the Mul."""
        node, operand = match.node, match.operand
        output = node.outputs[0]
        for index, array in match.constants.items():
            old = _input(node, index)
            name = f"{output.name} constant {index}"
            node.replace_input_with(index, add_initialiser(graph, array, name, get_datatype(old)))
        set_datatype(output, _result_datatype(node, operand))
        replace_value(operand.output, output)
        graph.remove(operand.node, safe=True)
        return neighbours(node)


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    if value is None:
        raise IndexError(f"{node.op_type} has no input {index}")
    return value


def _is_1bit(array: Array) -> bool:
    return DataType["BIPOLAR"].allowed_array(array) or DataType["BINARY"].allowed_array(array)


def _result_datatype(node: ir.Node, operand: Affine) -> AnyDataType:
    """Of the product: what the new weights can give, else as annotated, else what ±x or 0 can be."""
    sums = accumulator_datatype(node, get_datatype(_input(node, 0)))
    if sums.is_integer() or get_datatype(operand.output).is_integer():
        return sums if sums.is_integer() else get_datatype(operand.output)
    both = either_sign(get_datatype(node.outputs[0]))
    return both if not both.is_integer() or both.allowed(0) else DataType["TERNARY"]


def constant_weights(node: ir.Node, index: int, rank: int | None = None) -> Array | None:
    """A constant float32 input of a rank, None where it is none."""
    array = get_constant(node.inputs[index]) if index < len(node.inputs) else None
    if array is None or array.dtype != np.float32 or (rank is not None and array.ndim != rank):
        return None
    return array
