"""MultiThresholds of many levels as multiplications and additions in fixed point."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import add_initialiser, remove_unused_nodes, replace_value
from finnmake.graph.general_ops import GENERAL_DOMAIN, channel_axis
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.affine import across
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import integer_thresholds
from finnmake.transformation.streamline.fixed_point_search import NoFixedPointError, fixed_point
from finnmake.transformation.streamline.threshold_extraction import Thresholds


class ConvertThresholdsToRequant(Rewrite):
    """Makes a MultiThreshold a Requant where fixed point gives its integers for every input that its datatype allows.

    A Requant takes a multiplier and two constants for each channel, however many levels it gives; thresholds take a
    memory for each level. Where no multiplier, bias and shift give the integers, the MultiThreshold stays.

    Args:
        least_thresholds: MultiThresholds of fewer stay.

    Precondition: thresholds are integers (``RoundAndClipThresholds``), the layers have not been inferred.
    Postcondition: same outputs.
    """

    def __init__(self, least_thresholds: int = 64) -> None:
        self._least = least_thresholds

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("MultiThreshold"):
            thresholds = integer_thresholds(node)
            if thresholds is not None and thresholds.shape[1] >= self._least:
                _convert(model.graph, node, thresholds.astype(np.int64))
        remove_unused_nodes(model)
        name_by_position(model)


def _convert(graph: ir.Graph, node: ir.Node, values: NDArray[np.int64]) -> None:
    source, output, shape = node.inputs[0], node.outputs[0], get_shape(node.outputs[0])
    datatype = get_datatype(output)
    if source is None or shape is None or datatype.name in ("BIPOLAR", "TERNARY"):
        return
    low, high = int(get_datatype(source).min()), int(get_datatype(source).max())
    rows = len(values)
    thresholds = Thresholds(values, np.zeros(rows, dtype=bool), np.zeros(values.shape, dtype=bool))
    try:
        form = fixed_point(thresholds, low, high, int(attribute(node, "out_bias", 0.0)), datatype)
    except NoFixedPointError:
        return
    axis = channel_axis(node, len(shape))
    constants = [
        add_initialiser(graph, across(numbers, len(shape), axis), f"{node.name} {name}")
        for name, numbers in (("multipliers", form.multipliers), ("biases", form.biases))
    ]
    attributes = [
        ir.AttrInt64("shift", form.shift),
        ir.AttrString("rounding", form.rounding),
        ir.AttrString("out_dtype", datatype.name),
    ]
    fresh = ir.Node(GENERAL_DOMAIN, "Requant", [source, *constants], attributes)
    fresh.outputs[0].shape, fresh.outputs[0].type = output.shape, output.type
    set_datatype(fresh.outputs[0], datatype)
    graph.insert_before(node, fresh)
    replace_value(output, fresh.outputs[0])
