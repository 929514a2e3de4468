"""A stream in a wider datatype."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import get_datatype, get_shape
from finnmake.transformation.hardware import insert_hardware, vectors_per_frame

MOST_BITS = 31
"""Of an operand of an elementwise layer."""


def converted(before: ir.Node, source: ir.Value, datatype: AnyDataType) -> ir.Value:
    """The stream in another datatype, which holds its own: an ElementwiseMul by 1, where they differ.

    Args:
        before: where it goes.
        source: the stream, (1, …).
        datatype: wanted.
    """
    given, shape = get_datatype(source), get_shape(source)
    if given == datatype or shape is None or not isinstance(before.graph, ir.Graph):
        return source
    structure: dict[str, int | str | bool] = {
        "NumChannels": shape[-1],
        "PE": 1,
        "lhs_dtype": given.name,
        "rhs_dtype": "BINARY",
        "out_dtype": datatype.name,
        "rhs_style": "const",
        "numInputVectors": vectors_per_frame(shape),
        "ram_style": "auto",
    }
    one = add_initialiser(before.graph, np.ones(1, dtype=np.float32), "one", DataType["BINARY"])
    return insert_hardware(before, "ElementwiseMul", source, structure, datatype, shape, [one])
