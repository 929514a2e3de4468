"""Requant of integers as the layer of the same name."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.transformation.affine import along
from finnmake.transformation.hardware import integer_frame, replace_by_hardware, vectors_per_frame
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal

_MOST_BITS = 31
"""Of an input."""


class InferRequantLayer(InferLayer):
    """Makes every Requant a layer: for each channel multiply, add, round and clip in fixed point.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; PE is 1.
    """

    op_types = ("Requant",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Requant."""
        source, graph = node.inputs[0], node.graph
        shape = integer_frame(source)
        if source is None or shape is None or not isinstance(graph, ir.Graph):
            return None
        datatype = get_datatype(source)
        if datatype.bitwidth() > _MOST_BITS:
            return Refusal(f"its input is {datatype}", f"Quantise it to {_MOST_BITS} bits or fewer.")
        vectors = []
        for value in node.inputs[1:]:
            array = get_constant(value)
            vector = along(np.asarray(array), len(shape), -1) if array is not None else None
            if vector is None:
                return Refusal("its constants differ along another axis than the innermost", "Quantise by channel.")
            vectors.append(vector.astype(np.int64))
        multipliers, biases = (
            add_initialiser(graph, vector, f"{node.name} {name}", _signed(vector))
            for name, vector in zip(("multipliers", "biases"), vectors, strict=True)
        )
        output = DataType[str(attribute(node, "out_dtype"))]
        structure: dict[str, int | str | bool] = {
            "NumChannels": shape[-1],
            "PE": 1,
            "inputDataType": datatype.name,
            "multiplierDataType": get_datatype(multipliers).name,
            "biasDataType": get_datatype(biases).name,
            "outputDataType": output.name,
            "shift": int(attribute(node, "shift")),
            "rounding": str(attribute(node, "rounding", "HALF_EVEN")),
            "numInputVectors": vectors_per_frame(shape),
            "ram_style": "auto",
        }
        replace_by_hardware([node], "Requant", [source, multipliers, biases], structure, output)
        return None


def _signed(numbers: NDArray[np.int64]) -> AnyDataType:
    """The smallest INT type of numbers."""
    return DataType.smallest_for_range(min(-1, int(numbers.min())), int(numbers.max()))
