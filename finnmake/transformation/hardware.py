"""What transformations know of hardware nodes: their domain, their folding attributes, how nodes are made.

The layers themselves are in ``finnmake.dataflow``, which builds on the transformations and not the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.general_ops import channel_axis
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape, set_datatype

HARDWARE_DOMAIN = "finnmake.dataflow"

MOST_BITS = 16
"""Of an input or a weight of a matrix layer."""

FOLDING: Mapping[str, Mapping[str, str]] = {
    "MatrixVectorActivation": {"PE": "MH", "SIMD": "MW"},
    "Thresholding": {"PE": "NumChannels"},
    "LabelSelect": {"PE": "Labels"},
    "ElementwiseAdd": {"PE": "NumChannels"},
    "ElementwiseSub": {"PE": "NumChannels"},
    "ElementwiseMul": {"PE": "NumChannels"},
    "Requant": {"PE": "NumChannels"},
    "ConvolutionInputGenerator": {"SIMD": "IFMChannels"},
    "FMPadding": {"SIMD": "NumChannels"},
    "VectorVectorActivation": {"PE": "Channels", "SIMD": "Kernel"},
    "Pool": {"PE": "Channels"},
    "GlobalAccPool": {"PE": "NumChannels"},
    "DuplicateStreams": {"PE": "NumChannels"},
    "StreamingConcat": {"SIMD": "ChannelsPerStream"},
    "StreamingSplit": {"SIMD": "ChannelsPerStream"},
    "UpsampleNearestNeighbour": {"SIMD": "NumChannels"},
    "DepthToSpace": {"SIMD": "NumChannels"},
    "Shuffle": {"SIMD": "in_shape"},
    "Crop": {"SIMD": "NumChannels"},
    "Lookup": {"PE": "EmbeddingDim"},
}
"""Folding attributes by op type, each with the attribute that says what it divides (``folding_size``)."""

CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "MatrixVectorActivation": {
        "resType": ("auto", "lut", "dsp"),
        "ram_style": ("auto", "distributed", "block"),
        "mem_mode": ("internal_embedded", "internal_decoupled", "external"),
    },
    "DepthToSpace": {"mode": ("DCR", "CRD")},
    **{
        op_type: {"rhs_style": ("input", "const"), "ram_style": ("auto", "distributed", "block")}
        for op_type in ("ElementwiseAdd", "ElementwiseSub")
    },
    "ElementwiseMul": {
        "rhs_style": ("input", "const"),
        "ram_style": ("auto", "distributed", "block"),
        "resType": ("auto", "lut", "dsp"),
    },
    "Requant": {
        "rounding": ("FLOOR", "HALF_UP", "HALF_EVEN"),
        "ram_style": ("auto", "distributed", "block"),
        "resType": ("auto", "lut", "dsp"),
    },
    "Lookup": {"ram_style": ("auto", "distributed", "block")},
    "ConvolutionInputGenerator": {"ram_style": ("auto", "distributed", "block", "ultra")},
    "Thresholding": {"ram_style": ("auto", "distributed", "block")},
    "VectorVectorActivation": {
        "resType": ("auto", "lut", "dsp"),
        "ram_style": ("auto", "distributed", "block"),
    },
}
"""Other attributes that a user may set, with their values."""

SWITCHES: Mapping[str, tuple[str, ...]] = {"ConvolutionInputGenerator": ("parallel_window",)}
"""Attributes that a user may set to 0 or 1."""


def is_hardware(node: ir.Node) -> bool:
    """True for hardware nodes."""
    return node.domain == HARDWARE_DOMAIN


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def folding_size(node: ir.Node, name: str) -> int:
    """The number that a folding attribute of a node divides.

    The attribute of ``FOLDING`` itself, or what of it lies side by side in a word: of several streams what divides the
    channels of all, of reordered elements those that stay neighbours, of several labels one, of a kernel's sizes the
    product.
    """
    if node.op_type == "LabelSelect" and int(attribute(node, "K", 1)) > 1:
        return 1
    size = attribute(node, FOLDING[node.op_type][name])
    if node.op_type in ("StreamingConcat", "StreamingSplit"):
        return math.gcd(*_numbers(str(size)))
    if node.op_type == "DepthToSpace":
        block = int(attribute(node, "blocksize")) ** 2
        return 1 if block > 1 and attribute(node, "mode", "DCR") == "CRD" else int(size) // block
    if node.op_type == "Shuffle":
        shape, order = _numbers(str(size)), _numbers(str(attribute(node, "perm")))
        return shape[-1] if order[-1] == len(order) - 1 else 1
    return math.prod(_numbers(str(size)))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def depthwise_windows(node: ir.Node) -> ir.Node | None:
    """The ConvolutionInputGenerator that gives a node windows in depthwise order: its SIMD must be the node's PE."""
    source = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if source is None or source.op_type != "ConvolutionInputGenerator" or not attribute(source, "depthwise", 0):
        return None
    return source


def align_depthwise_windows(graph: ir.Graph) -> None:
    """Gives depthwise windows the folding of the layers that take them, whose order of elements they have."""
    for node in graph:
        windows = depthwise_windows(node) if is_hardware(node) else None
        if windows is not None:
            windows.attributes.add(ir.AttrInt64("SIMD", int(attribute(node, "PE", 1))))


def insert_hardware(
    before: ir.Node,
    op_type: str,
    source: ir.Value,
    structure: Mapping[str, int | str | bool],
    datatype: AnyDataType,
    shape: Sequence[int],
    parameters: Sequence[ir.Value] = (),
) -> ir.Value:
    """Puts a hardware node with one input stream before another node, and gives its output.

    Args:
        before: the other node.
        op_type: of the new node.
        source: its input.
        structure: its attributes.
        datatype: of its output.
        shape: of its output.
        parameters: its inputs behind the stream.
    """
    return insert_layer(before, op_type, [source, *parameters], structure, [(shape, datatype)])[0]


def insert_layer(
    before: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value],
    structure: Mapping[str, int | str | bool],
    outputs: Sequence[tuple[Sequence[int], AnyDataType]],
) -> Sequence[ir.Value]:
    """Puts a hardware node before another node, and gives its outputs.

    Args:
        before: the other node.
        op_type: of the new node.
        inputs: of the new node, streams first.
        structure: its attributes.
        outputs: shape and datatype of each.
    """
    attributes = [
        ir.AttrString(key, value) if isinstance(value, str) else ir.AttrInt64(key, int(value))
        for key, value in structure.items()
    ]
    node = ir.Node(HARDWARE_DOMAIN, op_type, inputs, attributes, num_outputs=len(outputs))
    for output, (shape, datatype) in zip(node.outputs, outputs, strict=True):
        output.shape, output.type = ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
        set_datatype(output, datatype)
    graph = before.graph
    if isinstance(graph, ir.Graph):
        graph.insert_before(before, node)
        graph.opset_imports[HARDWARE_DOMAIN] = 1
    return node.outputs


def replace_by_hardware(
    old: Sequence[ir.Node],
    op_type: str,
    inputs: Sequence[ir.Value],
    structure: Mapping[str, int | str | bool],
    output_datatype: AnyDataType,
) -> None:
    """Puts a hardware node in the place of the last of ``old`` and removes them all.

    Args:
        old: in graph order; only the last one's first output is used elsewhere.
        op_type: of the new node.
        inputs: of the new node.
        structure: its attributes.
        output_datatype: of its output.
    """
    last = old[-1]
    output = last.outputs[-1] if last.op_type == "TopK" else last.outputs[0]
    shape = get_shape(output)
    if shape is not None:
        replace_by_value(old, insert_layer(last, op_type, inputs, structure, [(shape, output_datatype)])[0])


def replace_by_value(old: Sequence[ir.Node], fresh: ir.Value) -> None:
    """Lets a tensor take the place of what nodes make, and removes them.

    A node between an input and an output of the graph stays: they cannot be one tensor.

    Args:
        old: in graph order; only the last one's first output, of a TopK its last, is used elsewhere.
        fresh: the tensor.
    """
    last = old[-1]
    output = last.outputs[-1] if last.op_type == "TopK" else last.outputs[0]
    if output.is_graph_output() and fresh.producer() is None:
        return
    output.replace_all_uses_with(fresh, replace_graph_outputs=True)
    if isinstance(last.graph, ir.Graph):
        last.graph.remove(list(reversed(old)), safe=True)


def integer_frame(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape (1, …) of a tensor of integers that a stream can carry; None for constants and other tensors."""
    shape = get_shape(value) if value is not None else None
    if value is None or not shape or len(shape) < 2 or shape[0] != 1 or 0 in shape:
        return None
    return shape if get_datatype(value).is_integer() and get_constant(value) is None else None


def vectors_per_frame(shape: Sequence[int]) -> int:
    """Vectors of the innermost dimension in a frame of shape (1, …, elements)."""
    return math.prod(shape[1:-1])


def has_channels_innermost(node: ir.Node, rank: int) -> bool:
    """True for a MultiThreshold whose thresholds go with the innermost dimension of a tensor of this rank."""
    if node.op_type != "MultiThreshold" or node.inputs[1] is None:
        return False
    thresholds = get_shape(node.inputs[1])
    return rank == 2 or channel_axis(node, rank) > 1 or (thresholds is not None and thresholds[0] == 1)


def integer_thresholds(node: ir.Node) -> NDArray[Any] | None:
    """Thresholds of a MultiThreshold that hardware can do: integers, step 1 (BIPOLAR: 2); None for others."""
    if node.op_type != "MultiThreshold" or node.inputs[0] is None or not get_datatype(node.inputs[0]).is_integer():
        return None
    thresholds = get_constant(node.inputs[1])
    if thresholds is None or (thresholds != np.rint(thresholds)).any() or (np.diff(thresholds, axis=1) < 0).any():
        return None
    scale, bias = float(attribute(node, "out_scale", 1.0)), float(attribute(node, "out_bias", 0.0))
    output = get_datatype(node.outputs[0])
    if output.name == "BIPOLAR":
        return thresholds if (scale, bias, thresholds.shape[1]) == (2.0, -1.0, 1) else None
    return thresholds if output.is_integer() and scale == 1.0 and bias.is_integer() else None
