"""InsertTopK: the label instead of the scores."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.absorb.absorb_scalar_mul_add_into_topk import order_preserving_source
from finnmake.transformation.base import Rewrite

NOTE_KEY = "finnmake.note"
"""Metadata of the model: what a transformation left undone, and why."""


class InsertTopK(Rewrite):
    """Puts a TopK behind the scores of a classifier; the model's output is then the index of the largest score.

    Args:
        k: how many indices; 0 for none, None for 1 where the output is (1, labels).
        only_exact: leave the model as it is, with a note in its metadata, where the scores differ from the integers
            they are computed from by more than a common scale and bias: the hardware could not order them.

    Precondition: the model has one output of shape (1, labels).
    Postcondition: the output is int64 indices of shape (1, k), the lowest index first among equal scores.

    Raises:
        ModelError: for more than one output or another shape.
    """

    def __init__(self, k: int | None = None, only_exact: bool = True) -> None:
        self._k = 1 if k is None else k
        self._optional = k is None
        self._only_exact = only_exact

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        if self._k == 0:
            return
        if self._optional and (len(graph.outputs) != 1 or len(get_shape(graph.outputs[0]) or ()) != 2):
            return
        if len(graph.outputs) != 1:
            raise ModelError(f"the model has {len(graph.outputs)} outputs", remedy="InsertTopK needs one.")
        scores = graph.outputs[0]
        producer, shape = scores.producer(), get_shape(scores)
        if producer is not None and producer.op_type in ("TopK", "ArgMax"):
            return
        if shape is None or len(shape) != 2 or shape[1] < self._k:
            raise ModelError(
                f"the output has shape {shape}, not (1, labels)",
                where=f"output {scores.name}",
                remedy="InsertTopK is for classifiers: leave it out for this model.",
            )
        if self._only_exact and order_preserving_source(model, scores) is None:
            model.set_metadata_prop(
                NOTE_KEY,
                "No label selection in hardware: the scores have a scale or bias per class. "
                "The host takes the largest.",
            )
            return
        opset = model.model.opset_imports.get("", 1)
        inputs: list[ir.Value | None] = [scores]
        attributes: dict[str, int] = {"axis": -1}
        if opset < 10:
            attributes["k"] = self._k
        else:
            inputs.append(add_initialiser(graph, np.array([self._k], dtype=np.int64), "k"))
        if opset >= 11:
            attributes |= {"largest": 1, "sorted": 1}
        node = ir.node("TopK", inputs, attributes, num_outputs=2)
        values, indices = node.outputs
        values.shape, values.type = ir.Shape([1, self._k]), ir.TensorType(ir.DataType.FLOAT)
        indices.shape, indices.type = ir.Shape([1, self._k]), ir.TensorType(ir.DataType.INT64)
        set_datatype(indices, DataType.smallest_for_range(0, max(1, shape[1] - 1)))
        graph.append(node)
        graph.outputs[0] = indices
        name_by_position(model)
