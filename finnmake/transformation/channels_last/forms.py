"""The two forms of a tensor: channels first, as the model has it, and channels last, as the new nodes make it.

An image (N, C, H, W) has the form (N, H, W, C); a sequence (N, C, W) the form (N, 1, W, C), an image of height 1. What
a Flatten makes of an image, (N, C · H · W), has the form (N, H · W · C): the same elements in the other order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.data_layout import NHWC, set_layout
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import get_datatype, get_shape, set_datatype
from finnmake.graph.transposes import to_channels_first, to_channels_last, transpose_node
from finnmake.transformation.channels_last.images import image_shape

Array = NDArray[Any]


@dataclass(frozen=True)
class Form:
    """A tensor with channels last.

    Attributes:
        value: the tensor.
        image: shape of the image with channels first: (N, C, H, W) or (N, C, W).
        flat: the image's elements in one dimension.
    """

    value: ir.Value
    image: tuple[int, ...]
    flat: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        batch, channels, *spatial = self.image
        if self.flat:
            return (batch, math.prod(self.image[1:]))
        return (batch, *([1] * (2 - len(spatial))), *spatial, channels)

    def same_kind(self, other: Form) -> bool:
        """True where elements that belong together are at the same place, or are broadcast as with channels first."""
        if self.flat or other.flat:
            return self == Form(self.value, other.image, other.flat)
        return len(self.image) == len(other.image)

    def constant(self, array: Array) -> Array | None:
        """A constant that is broadcast against the tensor, in this form; None where it cannot be."""
        if array.size == 1:
            return array.reshape(())
        if self.flat:
            if array.shape[-1] != self.shape[1]:
                return None
            moved = np.moveaxis(array.reshape(*array.shape[:-1], *self.image[1:]), array.ndim - 1, -1)
            return np.ascontiguousarray(moved).reshape(array.shape)
        rank = len(self.image)
        if array.ndim > rank:
            return None
        aligned = array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(to_channels_last(rank))
        return np.ascontiguousarray(aligned if rank == 4 else aligned[:, None])

    def axis(self, axis: int) -> int:
        """The dimension of the tensor that is dimension ``axis`` of the image with channels first."""
        axis %= len(self.image)
        return {0: 0, 1: 3}.get(axis, axis - 1 + 4 - len(self.image))


class Forms:
    """The forms of a graph's tensors, and the nodes that make them.

    Args:
        graph: changed in place.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._forms: dict[ir.Value, Form] = {}

    # -- forms ---------------------------------------------------------------------------------------------------------
    def find(self, value: ir.Value | None) -> Form | None:
        """The form of a tensor where there is one already."""
        return self._forms.get(value) if value is not None else None

    def of(self, value: ir.Value, before: ir.Node) -> Form:
        """The form of an image; made by a Transpose where there is none yet."""
        if value not in self._forms:
            shape = image_shape(value) or ()
            node = transpose_node(value, to_channels_last(len(shape)))
            self._graph.insert_before(before, node)
            form = Form(node.outputs[0], shape)
            if len(shape) == 3:
                form = Form(self.reshape(before, form.value, form.shape), shape)
            set_layout(form.value, NHWC)
            self._forms[value] = form
        return self._forms[value]

    def set(self, value: ir.Value, form: Form) -> None:
        """Says what the form of a tensor is."""
        if not form.flat:
            set_layout(form.value, NHWC)
        self._forms[value] = form

    def replace(self, node: ir.Node) -> None:
        """Removes a node whose outputs have forms; what still uses an output gets it with channels first."""
        for output in node.outputs:
            if output.uses() or output.is_graph_output():
                replace_value(output, self._channels_first(self._forms[output]))
        self._graph.remove(node, safe=True)

    def _channels_first(self, form: Form) -> ir.Value:
        value = form.value
        if form.flat:
            batch, channels, *spatial = form.image
            value = self._after(value, self._reshape_node(value, (batch, *spatial, channels)))
        value = self._after(value, transpose_node(value, to_channels_first(len(get_shape(value) or ()))))
        if form.flat:
            return self._after(value, self._reshape_node(value, form.shape))
        if len(form.image) == 3:
            return self._after(value, self._reshape_node(value, form.image))
        return value

    # -- nodes ---------------------------------------------------------------------------------------------------------
    def emit(
        self,
        before: ir.Node,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any],
        shape: Sequence[int],
        datatype: AnyDataType,
        domain: str = "",
        like: ir.Node | None = None,
    ) -> ir.Value:
        """The only output of a new node in front of another one; ``like`` has the metadata it gets."""
        metadata = dict(like.metadata_props) if like is not None else None
        node = ir.node(op_type, inputs, attributes, domain=domain, metadata_props=metadata)
        self.insert(before, node)
        if len(shape) == len(NHWC):
            set_layout(node.outputs[0], NHWC)
        return describe_output(node.outputs[0], shape, datatype)

    def insert(self, before: ir.Node, node: ir.Node) -> None:
        """Puts a new node in front of another one."""
        self._graph.insert_before(before, node)

    def reshape(self, before: ir.Node, source: ir.Value, shape: Sequence[int]) -> ir.Value:
        """A tensor in another shape, the batch as it is."""
        node = self._reshape_node(source, shape)
        self._graph.insert_before(before, node)
        return node.outputs[0]

    def constant(self, before: ir.Node, array: Array, what: str, datatype: AnyDataType | None = None) -> ir.Value:
        """A new initialiser, named after the node it is for."""
        return add_initialiser(self._graph, array, f"{before.name} {what}", datatype)

    def _reshape_node(self, source: ir.Value, shape: Sequence[int]) -> ir.Node:
        target = np.array([0, *shape[1:]], dtype=np.int64)
        node = ir.node("Reshape", [source, add_initialiser(self._graph, target, f"shape of {source.name}")])
        describe_output(node.outputs[0], shape, get_datatype(source))
        return node

    def _after(self, source: ir.Value, node: ir.Node) -> ir.Value:
        producer = source.producer()
        if producer is None:
            self._graph.insert_before(next(iter(self._graph)), node)
        else:
            self._graph.insert_after(producer, node)
        return node.outputs[0]


def describe_output(value: ir.Value, shape: Sequence[int], datatype: AnyDataType) -> ir.Value:
    """Gives a new tensor its shape, float32 as container, and its datatype."""
    value.shape, value.type = ir.Shape(list(shape)), ir.TensorType(ir.DataType.FLOAT)
    if datatype.name != "FLOAT32":
        set_datatype(value, datatype)
    return value
