"""In which order a frame's elements come: what a chain of Transposes and Reshapes does to a flat frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.tensors import get_shape
from finnmake.graph.transposes import permutation_of, permuted

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
"""Ops that leave the elements in their order."""


@dataclass(frozen=True)
class Transposition:
    """A frame's elements, taken as an array of a shape, in the order of the array transposed.

    Attributes:
        shape: of a frame before, without dimensions of size 1.
        perm: which dimension of ``shape`` becomes the first, the second, …
    """

    shape: tuple[int, ...]
    perm: tuple[int, ...]

    @property
    def shape_after(self) -> tuple[int, ...]:
        """Of a frame behind it."""
        return tuple(self.shape[axis] for axis in self.perm)


ElementOrder = tuple[Transposition, ...]
"""What is done to a frame, one after the other; nothing where the elements stay in their order."""


def only_orders(node: ir.Node) -> bool:
    """True for an op that computes nothing: it gives its input's elements, in whatever order and shape."""
    return is_standard(node) and node.op_type in ("Transpose", *RESHAPES)


def element_order(nodes: Iterable[ir.Node]) -> ElementOrder:
    """What a chain of nodes for which `only_orders` is true does to the elements of a frame, batch size 1.

    Raises:
        ModelError: the shape of a Transpose's input is not known.
    """
    order: list[Transposition] = []
    for node in nodes:
        step = _transposition(node)
        if step is None:
            continue
        if order and order[-1].shape_after == step.shape:
            before = order.pop()
            step = Transposition(before.shape, tuple(before.perm[axis] for axis in step.perm))
        if step.perm != tuple(range(len(step.perm))):
            order.append(step)
    return tuple(order)


def reordered(frames: NDArray[Any], order: Sequence[Transposition]) -> NDArray[Any]:
    """Frames of shape (count, …) in another order of their elements, shape (count, elements)."""
    flat = frames.reshape(len(frames), math.prod(frames.shape[1:]))
    for step in order:
        turned = flat.reshape(len(flat), *step.shape).transpose(0, *(axis + 1 for axis in step.perm))
        flat = np.ascontiguousarray(turned).reshape(flat.shape)
    return flat


def parse_order(entries: Sequence[Mapping[str, Any]]) -> ElementOrder:
    """An order as it stands in a JSON document."""
    return tuple(Transposition(tuple(entry["shape"]), tuple(entry["perm"])) for entry in entries)


def _transposition(node: ir.Node) -> Transposition | None:
    """The transposition of a node, None for a reshape."""
    if node.op_type != "Transpose":
        return None
    permutation, source = permutation_of(node), node.inputs[0]
    shape = get_shape(source) if source is not None else None
    if permutation is None or shape is None:
        raise ModelError("the shape of its input is not known", where=describe(node))
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    places = {axis: place for place, axis in enumerate(kept)}
    return Transposition(permuted(shape, kept) or (), tuple(places[axis] for axis in permutation if axis in places))
