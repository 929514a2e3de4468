"""Gather of a table's rows as Lookup."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.transformation.hardware import integer_frame, replace_by_hardware
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal

_MOST_BITS = 31
"""Of an index."""


class InferLookupLayer(InferLayer):
    """Makes every Gather of rows of a constant matrix of integers, an embedding, a Lookup.

    Precondition: datatypes are annotated: that of the indices, too.
    Postcondition: same outputs for indices that the matrix has; PE is 1.
    """

    op_types = ("Gather",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Gather of a constant."""
        table, indices = node.inputs[0], node.inputs[1]
        rows, shape = get_constant(table) if table is not None else None, integer_frame(indices)
        if table is None or indices is None or rows is None or shape is None:
            return None
        datatype = _datatype(get_datatype(table), get_datatype(node.outputs[0]))
        if datatype is None or not datatype.allowed_array(rows):
            return None
        if rows.ndim != 2 or int(attribute(node, "axis", 0)) % rows.ndim != 0:
            return Refusal("takes other parts than rows of a matrix", "Gather along axis 0 of a matrix.")
        index = get_datatype(indices)
        if index.signed() or index.bitwidth() > _MOST_BITS:
            return Refusal(
                f"its indices are {index}", f"Annotate indices that count from 0, of up to {_MOST_BITS} bits."
            )
        structure: dict[str, int | str | bool] = {
            "NumEmbeddings": rows.shape[0],
            "EmbeddingDim": rows.shape[1],
            "PE": 1,
            "InputType": index.name,
            "EmbeddingType": datatype.name,
            "NumIndices": math.prod(shape[1:]),
            "ram_style": "auto",
        }
        replace_by_hardware([node], "Lookup", [indices, table], structure, datatype)
        return None


def _datatype(table: AnyDataType, output: AnyDataType) -> AnyDataType | None:
    """That of the table, or of the output where the table has none; None where neither is integers."""
    return next((datatype for datatype in (table, output) if datatype.is_integer()), None)
