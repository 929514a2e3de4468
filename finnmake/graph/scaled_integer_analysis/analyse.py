"""One pass through the graph, with a rule for each op that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import DataType
from finnmake.graph.expression import ELEMENTWISE, SOURCE
from finnmake.graph.general_ops import QUANTISER_DOMAINS
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.scaled_integer_analysis import (
    branches,
    elementwise,
    gathering,
    linear,
    movement,
    pooling,
    quantisers,
)
from finnmake.graph.scaled_integer_analysis.tensors import (
    Analysis,
    IntegerFunction,
    Movement,
    ScaledInteger,
    first_input,
)
from finnmake.graph.standard_ops import is_standard

_Rule = Callable[[ir.Node, Analysis], None]


def analyse(model: ModelWrapper) -> Analysis:
    """Analyses a model in one pass.

    Precondition: normalised (``import_model``), the nodes are in an order in which they can run.

    Raises:
        ModelError: for a quantiser whose parameters are not constant or make no sense, for branches whose scales have
            nothing to do with each other, for sums that are wider than 24 bits.
    """
    result = Analysis()
    for value in model.graph.inputs:
        datatype = get_datatype(value)
        if datatype.is_integer():
            integers = ScaledInteger(value, datatype, int(datatype.min()), int(datatype.max()))
            result.functions[value] = IntegerFunction(integers)
    return _propagate(model, result)


def analyse_from(model: ModelWrapper, integers: ScaledInteger) -> Analysis:
    """Analyses what is computed from one integer tensor, whatever made it."""
    result = Analysis()
    result.functions[integers.value] = IntegerFunction(integers)
    return _propagate(model, result)


def _propagate(model: ModelWrapper, result: Analysis) -> Analysis:
    for node in model.graph:
        rule = _rule_of(node)
        if rule is None:
            continue
        try:
            rule(node, result)
        except ModelError as problem:
            if problem.where:
                raise
            raise ModelError(
                problem.what, where=describe(node), remedy=problem.remedy or "Check the ranges and scales around it."
            ) from None
    return result


def _rule_of(node: ir.Node) -> _Rule | None:
    if node.domain in QUANTISER_DOMAINS:
        return _GENERAL.get(node.op_type)
    return _STANDARD.get(node.op_type) if is_standard(node) else None


def _xnor_popcount(node: ir.Node, result: Analysis) -> None:
    function = result.functions.get(first_input(node))
    inner = (get_shape(first_input(node)) or (0,))[-1]
    counts = ScaledInteger(node.outputs[0], DataType.smallest_for_range(0, inner), 0, inner)
    if function is None:
        result.functions[node.outputs[0]] = IntegerFunction(counts)
    else:
        result.decide(node, Movement(function.source), counts)


def _requant(node: ir.Node, result: Analysis) -> None:
    function = result.functions.get(first_input(node))
    if function is not None and function.expression is SOURCE and function.source.scale.size == 1:
        datatype = DataType[str(attribute(node, "out_dtype"))]
        integers = ScaledInteger(node.outputs[0], datatype, int(datatype.min()), int(datatype.max()))
        result.decide(node, Movement(function.source), integers)


_GENERAL: Mapping[str, _Rule] = {
    "BipolarQuant": quantisers.quantiser,
    "MultiThreshold": quantisers.quantiser,
    "Quant": quantisers.quantiser,
    "Requant": _requant,
    "Trunc": quantisers.trunc,
    "XnorPopcountMatMul": _xnor_popcount,
}

_STANDARD: Mapping[str, _Rule] = {
    **dict.fromkeys(ELEMENTWISE, elementwise.elementwise),
    "Add": branches.add,
    "AveragePool": pooling.average_pool,
    "Concat": branches.concat,
    "Conv": linear.conv,
    "DepthToSpace": movement.regrouping,
    "DequantizeLinear": quantisers.dequantize_linear,
    "Gather": gathering.gather,
    "GlobalAveragePool": pooling.reduction,
    "GlobalMaxPool": movement.max_pool,
    "MatMul": linear.matmul,
    "MaxPool": movement.max_pool,
    "Mul": branches.multiply,
    "Pad": movement.pad,
    "QuantizeLinear": quantisers.quantize_linear,
    "ReduceMean": pooling.reduction,
    "ReduceSum": pooling.reduction,
    "Reshape": movement.reshape,
    "Resize": movement.resize,
    "Slice": movement.slice_,
    "SpaceToDepth": movement.regrouping,
    "Split": movement.split,
    "Sub": branches.add,
    "Transpose": movement.transpose,
    "Upsample": movement.resize,
}
