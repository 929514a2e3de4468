"""Pooling as QONNX has it beside the standard: MaxPoolNHWC, QuantAvgPool2d."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOp, TensorInfo, attribute, describe, required
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.sliding_windows import Windows, integers_of, output_shape

_MOST_BITS = 32
_LOWEST = float(np.finfo(np.float32).min)
"""What onnxruntime pads with."""


def max_pool_windows(node: ir.Node) -> Windows:
    """The windows of a MaxPoolNHWC, or of a standard MaxPool of images without ``auto_pad``.

    Raises:
        ModelError: where an attribute is missing or is not as many integers as it should be.
    """
    kernel, strides = integers_of(node, "kernel_shape", 2), integers_of(node, "strides", 2, (1, 1))
    top, left, bottom, right = integers_of(node, "pads", 4, (0, 0, 0, 0))
    dilations = integers_of(node, "dilations", 2, (1, 1))
    return Windows(
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (top, left, bottom, right),
        (dilations[0], dilations[1]),
        bool(attribute(node, "ceil_mode", 0)),
    )


class MaxPoolNHWC(CustomOp):
    """``MaxPoolNHWC(x)``: the standard MaxPool of images (N, H, W, C), with its attributes.

    ``kernel_shape``, ``strides``, ``pads`` [top, left, bottom, right], ``ceil_mode``, ``dilations``. Padding never is
    the largest.
    """

    inputs = (1, 1)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Any datatype; float32 in, float32 out."""
        (x,) = required(node, inputs, 1)
        windows = max_pool_windows(node)
        shape = output_shape(node, windows, x.shape, x.shape[-1])
        result = np.full(shape, _LOWEST, dtype=x.dtype)
        for pixels in windows.taps_of(x, _LOWEST):
            np.maximum(result, pixels, out=result)
        return [result]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """(N, OH, OW, C)."""
        return [output_shape(node, max_pool_windows(node), inputs[0].shape, inputs[0].shape[-1])]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The input's."""
        return [inputs[0].datatype]


class QuantAvgPool2d(CustomOp):
    """``QuantAvgPool2d(x)`` of integers: the sum of a window, its least significant bits dropped.

    Attributes, as qonnx has them: ``kernel`` and ``stride`` (one number for both dimensions), ``ibits`` and ``obits``
    (bits of the input and the output), ``signed``, ``data_layout`` (NCHW, or NHWC). As many bits are dropped as the
    largest unsigned sum of ``ibits`` has more than ``obits``.
    """

    inputs = (1, 1)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Integers in float32."""
        (x,) = required(node, inputs, 1)
        first = _channels_first(node)
        images = np.moveaxis(x, 1, -1) if first else x
        windows = average_pool_windows(node)
        sums = np.zeros(output_shape(node, windows, images.shape, images.shape[-1]), dtype=np.float64)
        for pixels in windows.taps_of(images, 0):
            sums += pixels
        result = np.right_shift(np.rint(sums).astype(np.int64), dropped_bits(node)).astype(np.float32)
        return [np.ascontiguousarray(np.moveaxis(result, -1, 1)) if first else result]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """Pooled in both spatial dimensions."""
        shape = inputs[0].shape
        if not _channels_first(node) or len(shape) != 4:
            return [output_shape(node, average_pool_windows(node), shape, shape[-1])]
        n, height, width, channels = output_shape(
            node, average_pool_windows(node), (shape[0], shape[2], shape[3], shape[1]), shape[1]
        )
        return [(n, channels, height, width)]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """``obits`` bits, 2 to 32, signed or not."""
        bits = _number(node, "obits")
        if not 2 <= bits <= _MOST_BITS:
            raise ModelError(f"its obits is {bits}", where=describe(node), remedy=f"Use 2 to {_MOST_BITS}.")
        return [DataType[f"{'INT' if attribute(node, 'signed', 0) else 'UINT'}{bits}"]]


def average_pool_windows(node: ir.Node) -> Windows:
    """The windows of a QuantAvgPool2d.

    Raises:
        ModelError: where an attribute is missing.
    """
    kernel, stride = _number(node, "kernel"), _number(node, "stride")
    return Windows((kernel, kernel), (stride, stride))


def _number(node: ir.Node, name: str) -> int:
    value = attribute(node, name)
    if not isinstance(value, int):
        raise ModelError(f"has no attribute {name}", where=describe(node), remedy="Give it one integer.")
    return value


def _channels_first(node: ir.Node) -> bool:
    layout = str(attribute(node, "data_layout", "NCHW"))
    if layout not in ("NCHW", "NHWC"):
        raise ModelError(f"its data_layout is {layout!r}", where=describe(node), remedy="Use NCHW or NHWC.")
    return layout == "NCHW"


def dropped_bits(node: ir.Node) -> int:
    """How many bits of a window's sum a QuantAvgPool2d drops.

    Raises:
        ModelError: where an attribute is missing.
    """
    largest = ((1 << _number(node, "ibits")) - 1) * _number(node, "kernel") ** 2
    return max(0, largest.bit_length() - _number(node, "obits"))
