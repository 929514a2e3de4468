"""The windows of convolutions and poolings written out: their padding as numbers, whatever the exporter said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from finnmake.graph.custom_op import attribute


def explicit_pads(node: ir.Node, shape: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """The padding of a Conv or a pooling, whatever its ``auto_pad`` says: all begins, then all ends.

    Args:
        node: the op.
        shape: of its input, (N, C, …).
        kernel: size of its window, one number per spatial axis.
    """
    mode = str(attribute(node, "auto_pad", "NOTSET")) or "NOTSET"
    count = len(kernel)
    if mode == "NOTSET":
        return tuple(int(pad) for pad in attribute(node, "pads", (0,) * (2 * count)))
    if mode == "VALID":
        return (0,) * (2 * count)
    strides = attribute(node, "strides", (1,) * count)
    dilations = attribute(node, "dilations", (1,) * count)
    begins, ends = [], []
    for size, window, stride, dilation in zip(shape[2:], kernel, strides, dilations, strict=True):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + (window - 1) * dilation + 1 - size, 0)
        smaller = total // 2
        begins.append(int(smaller if mode == "SAME_UPPER" else total - smaller))
        ends.append(int(total - begins[-1]))
    return (*begins, *ends)


def window_attributes(node: ir.Node, kernel: Sequence[int], group: int, pads: Sequence[int]) -> dict[str, Any]:
    """Attributes of a Conv whose windows are those of a Conv or a pooling, everything written out."""
    ones = (1,) * len(kernel)
    return {
        "dilations": [int(size) for size in attribute(node, "dilations", ones)],
        "group": group,
        "kernel_shape": [int(size) for size in kernel],
        "pads": [int(size) for size in pads],
        "strides": [int(size) for size in attribute(node, "strides", ones)],
    }
