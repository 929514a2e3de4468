"""Transposes between channels first and channels last, and permutations of dimensions in general."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.data_layout import get_layout, set_layout
from finnmake.graph.model_wrapper import get_datatype, get_shape, set_datatype

Permutation = tuple[int, ...]


def to_channels_last(rank: int) -> Permutation:
    """(N, C, …) to (N, …, C)."""
    return (0, *range(2, rank), 1)


def to_channels_first(rank: int) -> Permutation:
    """(N, …, C) to (N, C, …)."""
    return (0, rank - 1, *range(1, rank - 1))


def inverse(permutation: Sequence[int]) -> Permutation:
    """The permutation that undoes another."""
    result = [0] * len(permutation)
    for place, axis in enumerate(permutation):
        result[axis] = place
    return tuple(result)


def permutation_of(node: ir.Node | None) -> Permutation | None:
    """The permutation of a Transpose node, None for other nodes and where the rank is not known."""
    if node is None or node.op_type != "Transpose" or node.domain not in ("", "ai.onnx"):
        return None
    given = attribute(node, "perm")
    if given is not None:
        return tuple(int(axis) for axis in given)
    shape = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    return None if shape is None else tuple(reversed(range(len(shape))))


def moves_nothing(node: ir.Node) -> bool:
    """True for a Transpose that leaves the elements in their order: it moves only dimensions of size 1."""
    permutation = permutation_of(node)
    shape = get_shape(node.inputs[0]) if permutation is not None and node.inputs[0] is not None else None
    if permutation is None or shape is None:
        return False
    large = [axis for axis in permutation if shape[axis] != 1]
    return large == sorted(large)


def transpose_node(source: ir.Value, permutation: Sequence[int]) -> ir.Node:
    """A Transpose of a tensor; its output has the tensor's shape, datatype and layout, permuted."""
    node = ir.node("Transpose", [source], {"perm": list(permutation)})
    like(node.outputs[0], source, permuted(get_shape(source), permutation))
    layout = get_layout(source)
    if layout is not None and len(layout) == len(permutation):
        set_layout(node.outputs[0], [layout[axis] for axis in permutation])
    return node


def permuted(shape: Sequence[int] | None, permutation: Sequence[int]) -> tuple[int, ...] | None:
    """A shape, transposed."""
    return None if shape is None else tuple(shape[axis] for axis in permutation)


def like(value: ir.Value, other: ir.Value, shape: Sequence[int] | None) -> ir.Value:
    """Gives a new tensor the element type and the datatype of another one, and a shape."""
    value.shape = None if shape is None else ir.Shape(list(shape))
    value.type = ir.TensorType(other.dtype or ir.DataType.FLOAT)
    datatype = get_datatype(other)
    if datatype.name != "FLOAT32":
        set_datatype(value, datatype)
    return value
