"""Streams that are repeated until they have the shape of another one."""

from __future__ import annotations

import math
from itertools import groupby

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_datatype, get_shape
from finnmake.transformation.hardware import insert_hardware


def repeated(before: ir.Node, source: ir.Value, shape: tuple[int, ...]) -> ir.Value | None:
    """A stream broadcast to a shape, as ONNX does: the stream itself where it has the shape already.

    An UpsampleNearestNeighbour repeats rows and columns; dimensions that are repeated, or kept, together count as one.

    Args:
        before: where the node goes.
        source: the stream, (1, …), of as many dimensions as the shape or fewer.
        shape: (1, …).

    Returns:
        None where more than two groups of dimensions are repeated.
    """
    given = get_shape(source) or ()
    aligned = (*(1,) * (len(shape) - len(given)), *given)
    if aligned == shape:
        return source
    sizes = [(old != new, new) for old, new in zip(aligned, shape, strict=True) if new > 1]
    groups = [(is_repeated, [size for _, size in group]) for is_repeated, group in groupby(sizes, lambda size: size[0])]
    # Rows that are kept, how often each is repeated, columns that are kept, how often each is repeated, channels.
    numbers, place = [1] * 5, 0
    for is_repeated, group in groups:
        place += place % 2 != is_repeated
        if place >= len(numbers):
            return None
        numbers[place] = math.prod(group)
        place += 1
    rows, times_rows, columns, times_columns, channels = numbers
    structure: dict[str, int | str | bool] = {
        "HI": rows,
        "WI": columns,
        "HO": rows * times_rows,
        "WO": columns * times_columns,
        "NumChannels": channels,
        "SIMD": 1,
        "inputDataType": get_datatype(source).name,
    }
    return insert_hardware(before, "UpsampleNearestNeighbour", source, structure, get_datatype(source), shape)
