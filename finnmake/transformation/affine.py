"""Elementwise ops with one constant operand (x · A, x + B): finding them, their parameters, moving them.

Constants are never changed in place, as other nodes may share them: a rewrite gives its node a constant of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard

Array = NDArray[Any]

FLOAT32 = DataType["FLOAT32"]


@dataclass(frozen=True)
class Affine:
    """A node of two operands, one of them constant and broadcast to the other.

    Attributes:
        node: Mul, Add, Sub or Div.
        source: the operand that is not constant.
        index: its place among the node's inputs.
        constant: the other operand.
        array: its value, float32.
        shape: of ``source`` and of the output.
    """

    node: ir.Node
    source: ir.Value
    index: int
    constant: ir.Value
    array: Array
    shape: tuple[int, ...]

    @property
    def output(self) -> ir.Value:
        """The result."""
        return self.node.outputs[0]

    @property
    def is_scalar(self) -> bool:
        """True where the constant is one number."""
        return self.array.size == 1

    def along(self, axis: int) -> Array | None:
        """The constant as a vector of 1 or C elements where it differs along one axis only, else None."""
        return along(self.array, len(self.shape), axis)


def affine(node: ir.Node | None, *op_types: str) -> Affine | None:
    """A node as elementwise op with a constant operand, None where it is none.

    Args:
        node: any node.
        op_types: the standard ops wanted.
    """
    if node is None or node.op_type not in op_types or not is_standard(node) or len(node.inputs) != 2:
        return None
    arrays = [get_constant(value) for value in node.inputs]
    index = 0 if arrays[0] is None else 1
    source, constant, array = node.inputs[index], node.inputs[1 - index], arrays[1 - index]
    if source is None or constant is None or array is None or arrays[index] is not None or array.dtype != np.float32:
        return None
    shape = get_shape(source)
    if shape is None or not _fits(array.shape, shape):
        return None
    return Affine(node, source, index, constant, array, shape)


def _fits(constant: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """True where a constant is broadcast to a shape that stays as it is."""
    if len(constant) > len(shape):
        return False
    return all(size in (1, dim) for size, dim in zip(reversed(constant), reversed(shape), strict=False))


def along(array: Array, rank: int, axis: int) -> Array | None:
    """An array, broadcast to ``rank`` dimensions, as the vector of one axis; None where it differs along others."""
    if array.size == 1:
        return array.reshape(1)
    padded = (1,) * (rank - array.ndim) + array.shape
    return array.reshape(-1) if -rank <= axis < rank and padded[axis] == array.size else None


def across(vector: Array, rank: int, axis: int) -> Array:
    """A vector in the shape (1, …, C, …, 1) that is broadcast along all axes but one; a number for one element."""
    if vector.size == 1:
        return vector.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def whole(array: Array) -> bool:
    """True where all elements are integers: products and sums of them are exact."""
    return bool((array == np.rint(array)).all())


def datatype_like(array: Array, model: AnyDataType) -> AnyDataType:
    """A datatype for a constant made of one of type ``model``: integers stay annotated as integers that fit."""
    if not model.is_integer() or not whole(array):
        return FLOAT32
    if model.allowed_array(array):
        return model
    return DataType.smallest_for_range(int(array.min()), int(array.max()))


def either_sign(datatype: AnyDataType) -> AnyDataType:
    """The integer type of x and -x; FLOAT32 for a float."""
    if not datatype.is_integer():
        return FLOAT32
    if datatype.allowed(-datatype.min()) and datatype.allowed(-datatype.max()):
        return datatype
    reach = max(-int(datatype.min()), int(datatype.max()))
    return DataType["BIPOLAR"] if datatype.name == "BIPOLAR" else DataType.smallest_for_range(-reach, reach)


def sole_user(value: ir.Value) -> ir.Node | None:
    """The node that uses a tensor where it is the only one, uses it once, and the tensor is no output."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    user = next(iter(uses)).node
    producer = value.producer()
    return user if producer is None or user.graph is producer.graph else None


def index_of(node: ir.Node, value: ir.Value) -> int:
    """The place of a tensor among a node's inputs."""
    return next(index for index, each in enumerate(node.inputs) if each is value)


def neighbours(*nodes: ir.Node) -> list[ir.Node]:
    """Nodes with the ones before and behind them."""
    found: list[ir.Node] = []
    for node in nodes:
        found += [*node.predecessors(), node, *node.successors()]
    return found


def set_constant(graph: ir.Graph, operand: Affine, array: Array, datatype: AnyDataType = FLOAT32) -> None:
    """Gives a node another constant; the old one stays for whoever else uses it."""
    fresh = add_initialiser(graph, array.astype(np.float32), f"{operand.output.name} constant", datatype)
    operand.node.replace_input_with(1 - operand.index, fresh)


def bypass(graph: ir.Graph, operand: Affine) -> None:
    """Removes a node: its users take what it takes."""
    replace_value(operand.output, operand.source)
    graph.remove(operand.node, safe=True)


def move_past(
    graph: ir.Graph, moved: Affine, past: ir.Node, array: Array, between: AnyDataType = FLOAT32, *, exact: bool = False
) -> list[ir.Node]:
    """Makes x → moved → past → y into x → past → moved → y.

    Annotations: the tensor between the two has new values and gets a new type. The last one has the values it had;
    it stays annotated as integers where no rounding can have come in.

    Args:
        graph: of both nodes.
        moved: its output is used by ``past`` only.
        past: any node of one output.
        array: the constant that ``moved`` gets; the same array for the same constant.
        between: datatype of the output of ``past`` from now on.
        exact: true where no element is computed differently than before.

    Returns:
        The nodes whose neighbours have changed.
    """
    first, last = moved.output, past.outputs[0]
    place = index_of(past, first)
    result = get_datatype(last) if exact or whole(array) else FLOAT32
    replace_value(last, first)
    past.replace_input_with(place, moved.source)
    moved.node.replace_input_with(moved.index, last)
    first.shape, first.type = last.shape, last.type
    set_datatype(first, result)
    set_datatype(last, between)
    graph.insert_after(past, moved.node)
    if array is not moved.array:
        set_constant(graph, moved, array, datatype_like(array, get_datatype(moved.constant)))
    return neighbours(past, moved.node)
