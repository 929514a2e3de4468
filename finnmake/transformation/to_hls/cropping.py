"""Parts of a frame: Crop along its dimensions, and windows of one pixel where only every second, third, … is taken."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_datatype, get_shape
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.hardware import insert_hardware
from finnmake.transformation.to_hls.sliding_windows import insert_windows


@dataclass(frozen=True)
class Part:
    """What is taken of one dimension.

    Attributes:
        start: the first index.
        stop: behind the last index.
        step: from one index to the next.
    """

    start: int
    stop: int
    step: int = 1


def part_of(indices: Sequence[int]) -> Part | None:
    """Ascending indices at equal distances as a Part; None for others, and where there are none."""
    steps = {after - before for before, after in itertools.pairwise(indices)}
    if not indices or len(steps) > 1 or min(steps, default=1) < 1:
        return None
    return Part(int(indices[0]), int(indices[-1]) + 1, int(min(steps, default=1)))


def insert_part(before: ir.Node, source: ir.Value, parts: Mapping[int, Part]) -> ir.Value:
    """Takes a part of a frame.

    Args:
        before: where the nodes go.
        source: the frame, (1, …).
        parts: by dimension, which is not the batch; with steps only for rows and columns of an image (1, H, W, C).
    """
    shape = get_shape(source) or ()
    left = [axis for axis in sorted(parts) if (parts[axis].start, parts[axis].stop) != (0, shape[axis])]
    while left:
        together = len(left) > 1 and left[1] == left[0] + 1 and math.prod(shape[1 : left[0]]) == 1
        axes, left = (left[:2], left[2:]) if together else (left[:1], left[1:])
        source = _crop(before, source, axes, parts)
    strides = [parts[axis].step if axis in parts else 1 for axis in (1, 2)]
    shape = get_shape(source) or ()
    if len(shape) != 4 or strides == [1, 1]:
        return source
    return insert_windows(
        before, source, Windows((1, 1), (strides[0], strides[1])), (shape[1], shape[2], shape[3]), depthwise=False
    )


def _crop(before: ir.Node, source: ir.Value, axes: Sequence[int], parts: Mapping[int, Part]) -> ir.Value:
    """A Crop of one dimension, which are its columns, or of the first one and the next."""
    shape, column = get_shape(source) or (), axes[-1]
    rows = axes[0] if len(axes) > 1 else None
    across = parts[column]
    structure: dict[str, int | str | bool] = {
        "Height": math.prod(shape[1:column]),
        "Width": shape[column],
        "NumChannels": math.prod(shape[column + 1 :]),
        "SIMD": 1,
        "inputDataType": get_datatype(source).name,
        "CropNorth": parts[rows].start if rows is not None else 0,
        "CropEast": shape[column] - across.stop,
        "CropSouth": shape[rows] - parts[rows].stop if rows is not None else 0,
        "CropWest": across.start,
    }
    after = list(shape)
    for axis in axes:
        after[axis] = parts[axis].stop - parts[axis].start
    return insert_hardware(before, "Crop", source, structure, get_datatype(source), after)
