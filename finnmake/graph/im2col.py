"""Im2Col and DepthwiseMatMul: a convolution of images with channels last as windows and a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOp, TensorInfo, as_float32, attribute, describe, required
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.sliding_windows import Windows, integers_of, output_shape


def im2col_windows(node: ir.Node) -> Windows:
    """The windows of an Im2Col node.

    Raises:
        ModelError: where an attribute is missing or is not as many integers as it should be.
    """
    kernel, strides = integers_of(node, "kernel_size", 2), integers_of(node, "stride", 2)
    top, left, bottom, right = integers_of(node, "pad_amount", 4, (0, 0, 0, 0))
    dilations = integers_of(node, "dilations", 2, (1, 1))
    return Windows(
        (kernel[0], kernel[1]), (strides[0], strides[1]), (top, left, bottom, right), (dilations[0], dilations[1])
    )


def im2col_attributes(windows: Windows, image: Sequence[int], depthwise: bool) -> dict[str, Any]:
    """The attributes of an Im2Col node for windows over images (N, H, W, C)."""
    return {
        "kernel_size": list(windows.kernel),
        "stride": list(windows.strides),
        "pad_amount": list(windows.pads),
        "pad_value": 0,
        "dilations": list(windows.dilations),
        "depthwise": int(depthwise),
        "input_shape": f"(1,{image[1]},{image[2]},{image[3]})",
    }


class Im2Col(CustomOp):
    """``Im2Col(x)``: (N, H, W, C) to (N, OH, OW, kh · kw · C), each window's pixels row by row, channels innermost.

    Attributes of a node, as qonnx has them: ``kernel_size`` and ``stride`` [height, width], ``pad_amount`` [top, left,
    bottom, right], ``pad_value``, ``dilations`` [height, width], ``depthwise`` (what follows treats each channel by
    itself; the result is the same), ``input_shape`` (text, for other tools: the tensor's own shape counts).
    """

    inputs = (1, 1)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Any datatype."""
        (x,) = required(node, inputs, 1)
        windows = im2col_windows(node)
        shape = output_shape(node, windows, x.shape, x.shape[-1])
        result = np.empty((*shape[:3], windows.taps, shape[3]), dtype=x.dtype)
        for tap, pixels in enumerate(windows.taps_of(x, float(attribute(node, "pad_value", 0)))):
            result[:, :, :, tap] = pixels
        return [result.reshape(*shape[:3], -1)]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """(N, OH, OW, kh · kw · C)."""
        windows = im2col_windows(node)
        return [output_shape(node, windows, inputs[0].shape, windows.taps * inputs[0].shape[-1])]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The input's, which must hold the padding."""
        datatype, value = inputs[0].datatype, float(attribute(node, "pad_value", 0))
        if any(im2col_windows(node).pads) and not datatype.allowed(value):
            raise ModelError(
                f"its input is {datatype.name}, which does not hold the padding value {value:g}",
                where=describe(node),
                remedy="Pad with a value of the input's datatype, or do not pad.",
            )
        return [datatype]


class DepthwiseMatMul(CustomOp):
    """``DepthwiseMatMul(x, w)``: each channel of windows by its own weights.

    ``x`` is what an Im2Col makes, (N, OH, OW, K · C) with channels innermost; ``w`` is (K, C). The result is (N, OH,
    OW, C): y[…, c] = Σ over k of x[…, k · C + c] · w[k, c]. It is the product with the block-diagonal matrix of a
    depthwise convolution without its zeros, of which there are C - 1 for each weight.
    """

    inputs = (2, 2)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Float32."""
        x, w = (as_float32(array) for array in required(node, inputs, 2))
        taps, channels = w.shape
        windows = x.reshape(*x.shape[:-1], taps, channels)
        result = windows[..., 0, :] * w[0]
        for tap in range(1, taps):
            result += windows[..., tap, :] * w[tap]
        return [result]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """(N, OH, OW, C)."""
        x, w = inputs[0].shape, inputs[1].shape
        if len(w) != 2 or x[-1] != w[0] * w[1]:
            raise ModelError(
                f"its weights have shape {list(w)}, its windows {list(x)}",
                where=describe(node),
                remedy="Weights are (taps, channels), windows (…, taps · channels).",
            )
        return [(*x[:-1], w[1])]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The smallest type that holds every sum; FLOAT32 where an operand is no integer."""
        x, w = inputs[0].datatype, inputs[1].datatype
        if not (x.is_integer() and w.is_integer()):
            return [DataType["FLOAT32"]]
        taps = inputs[1].shape[0]
        products = [int(a * b) * taps for a in (x.min(), x.max()) for b in (w.min(), w.max())]
        return [DataType.smallest_for_range(min(products), max(products))]
