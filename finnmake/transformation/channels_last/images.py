"""Which tensors are images: (N, C, H, W) or (N, C, W), found from the ops that treat their dimensions differently."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import CustomOps, attribute
from finnmake.graph.data_layout import UNKNOWN, get_layout, is_channels_last
from finnmake.graph.expression import ELEMENTWISE
from finnmake.graph.general_ops import GENERAL_OPS, channel_axis
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard

_SPATIAL = frozenset(
    """Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool Resize Upsample DepthToSpace
    SpaceToDepth""".split()  # noqa: SIM905
)
"""Standard ops whose first input and output have channels on axis 1."""

ELEMENTWISE_STANDARD = (ELEMENTWISE - {"BatchNormalization"}) | {"Cast", "Identity", "Not"}
"""Standard ops that broadcast their inputs and do the same to every element."""

_ANY_LAYOUT = ELEMENTWISE | ELEMENTWISE_STANDARD | {"Concat", "Pad", "Slice", "Split"}


def is_elementwise(node: ir.Node, ops: CustomOps = GENERAL_OPS) -> bool:
    """True for standard and custom ops that do the same to every element of a tensor."""
    op = ops.find(node)
    if op is not None:
        return op.elementwise
    return is_standard(node) and node.op_type in ELEMENTWISE_STANDARD


def image_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape of a tensor that may be an image, None for others."""
    shape = get_shape(value) if value is not None else None
    return shape if shape is not None and len(shape) in (3, 4) else None


def is_channels_first(node: ir.Node) -> bool:
    """False for a node that says that its channels are innermost."""
    if node.op_type == "MultiThreshold":
        shape = get_shape(node.outputs[0])
        return shape is None or channel_axis(node, len(shape)) == 1
    return str(attribute(node, "data_layout", "")) not in ("NHWC", "NWC")


def find_images(graph: ir.Graph) -> set[ir.Value]:
    """The image tensors of a graph with channels on axis 1.

    What a convolution or pooling takes or gives is an image, and so is what ops that do not care for the order of
    dimensions make of images, or make images of. A tensor whose layout is annotated with channels last is none.
    """
    groups = _Groups()
    for node in graph:
        tensors = [v for v in (*node.inputs, *node.outputs) if _is_image_like(v)]
        if not tensors or not is_channels_first(node):
            continue
        if _is_spatial(node):
            groups.mark(node.inputs[0])
            groups.mark(node.outputs[0])
        elif is_elementwise(node) or (is_standard(node) and node.op_type in _ANY_LAYOUT):
            first = tensors[0]
            for value in tensors[1:]:
                if len(image_shape(value) or ()) == len(image_shape(first) or ()):
                    groups.join(first, value)
    return groups.marked()


def _is_image_like(value: ir.Value | None) -> bool:
    if value is None or value.const_value is not None or image_shape(value) is None:
        return False
    return not is_channels_last(get_layout(value) or UNKNOWN)


def _is_spatial(node: ir.Node) -> bool:
    return node.op_type == "QuantAvgPool2d" or (is_standard(node) and node.op_type in _SPATIAL)


class _Groups:
    """Sets of tensors that have one order of dimensions (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[ir.Value, ir.Value] = {}
        self._marks: list[ir.Value] = []

    def mark(self, value: ir.Value | None) -> None:
        if _is_image_like(value) and value is not None:
            self._marks.append(value)
            self._root(value)

    def join(self, one: ir.Value | None, other: ir.Value | None) -> None:
        if one is not None and other is not None:
            self._parent[self._root(one)] = self._root(other)

    def marked(self) -> set[ir.Value]:
        roots = {self._root(value) for value in self._marks}
        return {value for value in list(self._parent) if self._root(value) in roots}

    def _root(self, value: ir.Value) -> ir.Value:
        self._parent.setdefault(value, value)
        while self._parent[value] is not value:
            self._parent[value] = self._parent[self._parent[value]]
            value = self._parent[value]
        return value
