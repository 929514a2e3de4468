"""What a Conv computes: its windows, its groups, its weights as a matrix on windows with channels innermost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.sliding_windows import Windows, integers_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Convolution:
    """A convolution of images, or of sequences as images of height 1.

    Attributes:
        windows: over the image.
        channels: of the input.
        filters: channels of the output.
        group: how many times the channels are divided.
    """

    windows: Windows
    channels: int
    filters: int
    group: int

    @property
    def is_depthwise(self) -> bool:
        """True where each channel has one filter of its own."""
        return self.group == self.channels == self.filters and self.group > 1

    def matrix(self, weights: Array) -> Array:
        """The weights as the matrix (kh · kw · channels, filters) that Im2Col's windows are multiplied by.

        With groups it is block-diagonal: zero where a filter does not see a channel.

        Args:
            weights: (filters, channels / group, [kh,] kw).
        """
        per_group = self.channels // self.group
        taps = np.reshape(weights, (self.filters, per_group, self.windows.taps)).transpose(2, 1, 0)
        if self.group == 1:
            return np.ascontiguousarray(taps).reshape(-1, self.filters)
        result = np.zeros((self.windows.taps, self.channels, self.filters), dtype=weights.dtype)
        size = self.filters // self.group
        for index in range(self.group):
            inside = slice(index * size, (index + 1) * size)
            result[:, index * per_group : (index + 1) * per_group, inside] = taps[:, :, inside]
        return result.reshape(-1, self.filters)

    def depthwise_matrix(self, weights: Array) -> Array:
        """The weights (channels, 1, [kh,] kw) of a depthwise convolution as (kh · kw, channels)."""
        return np.ascontiguousarray(np.reshape(weights, (self.channels, self.windows.taps)).T)


def convolution_of(node: ir.Node) -> Convolution | None:
    """The convolution of a Conv node; None where shapes are not known or it has more than two spatial dimensions.

    Raises:
        ModelError: for attributes that are not as many integers as they should be.
    """
    source, weights = node.inputs[0], node.inputs[1]
    shape = get_shape(source) if source is not None else None
    kernel = get_shape(weights) if weights is not None else None
    if shape is None or kernel is None or len(shape) != len(kernel) or len(shape) not in (3, 4):
        return None
    spatial = len(shape) - 2
    strides = _two(integers_of(node, "strides", spatial, (1,) * spatial), 1)
    dilations = _two(integers_of(node, "dilations", spatial, (1,) * spatial), 1)
    taps = _two(kernel[2:], 1)
    given = integers_of(node, "pads", 2 * spatial, (0,) * 2 * spatial)
    before, after = _two(given[:spatial], 0), _two(given[spatial:], 0)
    auto_pad = str(attribute(node, "auto_pad", "NOTSET"))
    if auto_pad != "NOTSET":
        size = _two(shape[2:], 1)
        pairs = [_automatic(auto_pad, size[a], taps[a], strides[a], dilations[a]) for a in (0, 1)]
        before, after = (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])
    windows = Windows(taps, strides, (*before, *after), dilations)
    return Convolution(windows, shape[1], kernel[0], int(attribute(node, "group", 1)))


def with_zero(datatype: AnyDataType) -> AnyDataType:
    """The datatype, or the smallest one that has its range and zero."""
    if datatype.allowed(0):
        return datatype
    return DataType.smallest_for_range(min(0, int(datatype.min())), max(0, int(datatype.max())))


def _two(values: tuple[int, ...], missing: int) -> tuple[int, int]:
    """Numbers for height and width, of which a sequence has the second only."""
    return (missing, values[0]) if len(values) == 1 else (values[0], values[1])


def _automatic(mode: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after, as ONNX defines ``auto_pad``."""
    if mode == "VALID":
        return 0, 0
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    smaller = total // 2
    return (smaller, total - smaller) if mode == "SAME_UPPER" else (total - smaller, smaller)
