"""Sliding windows over images with channels last: geometry, and views that copy nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe

Array = NDArray[Any]


@dataclass(frozen=True)
class Windows:
    """Windows that slide over the two spatial dimensions of an image.

    Attributes:
        kernel: height and width of a window, in taps.
        strides: pixels from one window to the next, down and to the right.
        pads: pixels added [top, left, bottom, right].
        dilations: pixels from one tap to the next, down and to the right.
        ceil_mode: a last window that lies partly outside of the padded image counts, if it starts inside of the image
            or of its top or left padding.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    @property
    def taps(self) -> int:
        """Pixels in a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def is_pointwise(self) -> bool:
        """True where every window is the pixel at its own place."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Windows in a column and in a row of an image, as ONNX defines it for convolution and pooling."""
        return self._count(height, 0), self._count(width, 1)

    def _count(self, size: int, axis: int) -> int:
        before, after = self.pads[axis], self.pads[axis + 2]
        extent = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        room, stride = size + before + after - extent, self.strides[axis]
        if not self.ceil_mode:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count - 1 if (count - 1) * stride >= size + before else count

    def padded(self, images: Array, value: float) -> Array:
        """Images (N, H, W, C) with their padding, and with what windows beyond it need; no copy where there is none."""
        height, width = images.shape[1:3]
        amounts = []
        for axis, (size, count) in enumerate(zip((height, width), self.output_size(height, width), strict=True)):
            reach = (count - 1) * self.strides[axis] + self.dilations[axis] * (self.kernel[axis] - 1) + 1
            before, after = self.pads[axis], self.pads[axis + 2]
            amounts.append((before, max(after, reach - size - before)))
        if not any(any(amount) for amount in amounts):
            return images
        return np.pad(images, ((0, 0), *amounts, (0, 0)), constant_values=value)

    def taps_of(self, images: Array, value: float) -> Iterator[Array]:
        """For each tap of the window, row by row, the pixels that all windows have there: views (N, OH, OW, C).

        Args:
            images: shape (N, H, W, C).
            value: of the padding.
        """
        rows, columns = self.output_size(*images.shape[1:3])
        padded = self.padded(images, value)
        for tap in range(self.taps):
            top = tap // self.kernel[1] * self.dilations[0]
            left = tap % self.kernel[1] * self.dilations[1]
            bottom = top + (rows - 1) * self.strides[0] + 1
            right = left + (columns - 1) * self.strides[1] + 1
            yield padded[:, top : bottom : self.strides[0], left : right : self.strides[1]]


def integers_of(node: ir.Node, name: str, count: int, default: Sequence[int] | None = None) -> tuple[int, ...]:
    """A node's attribute that is so many integers.

    Raises:
        ModelError: where it is missing without default, or is something else.
    """
    value = attribute(node, name, default)
    if value is None:
        raise ModelError(f"has no attribute {name}", where=describe(node), remedy=f"Give it {count} integers.")
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        raise ModelError(f"its {name} is {value!r}", where=describe(node), remedy=f"Give it {count} integers.")
    return tuple(int(entry) for entry in value)


def output_shape(node: ir.Node, windows: Windows, shape: Sequence[int], channels: int) -> tuple[int, ...]:
    """Shape (N, OH, OW, channels) of what a node makes of images (N, H, W, C).

    Raises:
        ModelError: for another rank, for windows larger than the padded image, and for sizes below 1.
    """
    where = describe(node)
    if len(shape) != 4:
        raise ModelError(f"its input has shape {list(shape)}", where=where, remedy="It takes (N, H, W, C).")
    if min(*windows.kernel, *windows.strides, *windows.dilations) < 1 or min(windows.pads) < 0:
        raise ModelError("its kernel, strides, dilations or pads are too small", where=where, remedy="Use 1 or more.")
    height, width = windows.output_size(shape[1], shape[2])
    if height < 1 or width < 1:
        raise ModelError(
            f"its window of {windows.kernel[0]} x {windows.kernel[1]} is larger than the padded image",
            where=where,
            remedy=f"The image is {shape[1]} x {shape[2]}, the padding {list(windows.pads)}.",
        )
    return (shape[0], height, width, channels)
