"""AbsorbScalarMulAddIntoTopK: a common scale and bias do not change which score is the largest."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.expression import ELEMENTWISE, Evaluator, is_per_tensor
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.scaled_integer_analysis import IntegerFunction, ScaledInteger, analyse, analyse_from
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite

_MOST_POINTS = 1 << 22


class AbsorbScalarMulAddIntoTopK(Rewrite):
    """Lets TopK, and ArgMax, look at the integers that its scores are computed from.

    Precondition: none.
    Postcondition: same indices. Done where the scores are one strictly rising function of the integers, the same for
    all classes, also after float32 rounding (evaluated on the whole range); otherwise the nodes stay.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in [*model.get_nodes_by_op_type("TopK"), *model.get_nodes_by_op_type("ArgMax")]:
            scores = node.inputs[0]
            # The values would lose their scale: only the indices may be in use.
            values = node.outputs[:-1]
            if scores is None or any(value.uses() or value.is_graph_output() for value in values):
                continue
            source = order_preserving_source(model, scores)
            if source is not None and source is not scores:
                node.replace_input_with(0, source)
        remove_unused_nodes(model)
        name_by_position(model)


def order_preserving_source(model: ModelWrapper, scores: ir.Value) -> ir.Value | None:
    """The integer tensor whose order is that of the scores, equal where they are equal; None where there is none."""
    function = _function(model, scores)
    if function is None or function.source.channels != 1 or not is_per_tensor(function.expression):
        return None
    source = function.source
    if source.maximum - source.minimum >= _MOST_POINTS:
        return None
    # The model's nodes take the integers themselves: scale and bias are nodes of their own by now.
    points = np.arange(source.minimum, source.maximum + 1, dtype=np.float32)[:, None]
    values = Evaluator(function.expression, model.model.opset_imports.get("", 1))(points)
    return source.value if bool((np.diff(values, axis=0) > 0).all()) else None


def _function(model: ModelWrapper, scores: ir.Value) -> IntegerFunction | None:
    """The scores as a function of integers.

    The analysis of a model has no rules for images with channels last: behind them it starts anew, from annotated
    integers.
    """
    function, integers = analyse(model).functions.get(scores), _integers_behind(scores)
    if function is not None or integers is None:
        return function
    datatype = get_datatype(integers)
    start = ScaledInteger(integers, datatype, int(datatype.min()), int(datatype.max()))
    return analyse_from(model, start).functions.get(scores)


def _integers_behind(scores: ir.Value) -> ir.Value | None:
    """The first tensor of integers of the elementwise ops that end in the scores."""
    found, value = None, scores
    while True:
        if get_datatype(value).is_integer():
            found = value
        node = value.producer()
        if node is None or not is_standard(node) or node.op_type not in ELEMENTWISE:
            return found
        moving = [entry for entry in node.inputs if entry is not None and get_constant(entry) is None]
        if len(moving) != 1:
            return found
        value = moving[0]
