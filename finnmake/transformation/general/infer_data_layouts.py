"""InferDataLayouts: which dimension of every tensor means what."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.data_layout import NC, NCHW, NCW, NHWC, NWC, UNKNOWN, Layout, get_layout, set_layout
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.transposes import permutation_of
from finnmake.transformation.base import Rewrite
from finnmake.transformation.channels_last.images import find_images, is_elementwise

_FIRST: Mapping[int, Layout] = {2: NC, 3: NCW, 4: NCHW}
_LAST: Mapping[int, Layout] = {2: NC, 3: NWC, 4: NHWC}

_CHANNELS_FIRST = frozenset(
    """Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool DepthToSpace SpaceToDepth
    BatchNormalization""".split()  # noqa: SIM905
)
_CHANNELS_LAST = frozenset(["Im2Col", "DepthwiseMatMul", "MaxPoolNHWC"])
_AS_INPUT = frozenset(
    ["Concat", "Pad", "Slice", "Split", "Resize", "Upsample", "MatMul", "XnorPopcountMatMul", "Trunc"]
)


class InferDataLayouts(Rewrite):
    """Annotates inputs and node outputs with their layout: NCHW, NHWC, NCW, NWC, NC; nothing where it is not known.

    An input that is annotated keeps its layout. One that is not has its channels on axis 1 where a convolution or
    pooling takes it so; else four dimensions are NCHW, three NWC and two NC, as qonnx assumes. What a node makes has
    the layout that its op type or its ``data_layout`` says, else that of its first input with as many dimensions.

    Precondition: shapes are known, the nodes are in an order in which they can run.
    Postcondition: same graph, annotated.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        images = find_images(model.graph)
        for value in model.graph.inputs:
            rank = len(get_shape(value) or ())
            if not get_layout(value):
                set_layout(value, (_FIRST if value in images or rank == 4 else _LAST).get(rank, UNKNOWN))
        for node in model.graph:
            for output in node.outputs:
                set_layout(output, _layout(node, output))


def _layout(node: ir.Node, output: ir.Value) -> Layout:
    rank = len(get_shape(output) or ())
    source = node.inputs[0] if node.inputs else None
    before = get_layout(source) or UNKNOWN if source is not None else UNKNOWN
    permutation = permutation_of(node)
    if permutation is not None:
        return tuple(before[axis] for axis in permutation) if len(before) == len(permutation) else UNKNOWN
    if rank == 2:
        return NC
    if not is_standard(node):
        return _of_custom_op(node, rank)
    if node.op_type in _CHANNELS_FIRST:
        return _FIRST.get(rank, UNKNOWN)
    if node.op_type.startswith("Reduce"):
        return _reduced(node, before, rank)
    if node.op_type in _AS_INPUT or is_elementwise(node):
        return _of_operands(node, rank)
    return UNKNOWN


def _of_custom_op(node: ir.Node, rank: int) -> Layout:
    said = attribute(node, "data_layout")
    if said is not None:
        layout = tuple(str(said))
        return layout if len(layout) == rank else UNKNOWN
    if node.op_type in _CHANNELS_LAST:
        return NHWC
    if node.op_type in ("MultiThreshold", "QuantAvgPool2d"):
        return _FIRST.get(rank, UNKNOWN)
    return _of_operands(node, rank) or _LAST.get(rank, UNKNOWN)


def _of_operands(node: ir.Node, rank: int) -> Layout:
    for value in node.inputs:
        layout = get_layout(value) if value is not None and get_constant(value) is None else None
        if layout is not None and len(layout) == rank:
            return layout
    return UNKNOWN


def _reduced(node: ir.Node, before: Layout, rank: int) -> Layout:
    if len(before) == rank:
        return before
    given = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
    gone = {int(axis) % len(before) for axis in given} if given is not None and before else set()
    kept = tuple(name for axis, name in enumerate(before) if axis not in gone)
    return kept if len(kept) == rank else UNKNOWN
