"""The scale and bias behind the last integers of a graph: what the host does to the hardware's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.expression import ELEMENTWISE, Affine, Evaluator
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.scaled_integer_analysis import IntegerFunction, ScaledInteger, analyse_from
from finnmake.transformation.hardware import is_hardware

Array = NDArray[Any]

_MOST_NODES = 64


@dataclass(frozen=True)
class OutputScaling:
    """float = scale · integer + bias.

    Attributes:
        source: the integers.
        scale: one number, or one for each element of a frame, in the order of the tensor ``source``.
        bias: as many, or one.
    """

    source: ir.Value
    scale: Array
    bias: Array


def output_scaling_of(model: ModelWrapper, floats: ir.Value) -> OutputScaling | None:
    """What elementwise nodes compute a tensor from, and how; None where they compute something not linear."""
    source = _integer_source(floats)
    if source is None or source is floats:
        return None
    shape = get_shape(source) or ()
    form = _by_analysis(model, source, floats) if len(shape) <= 2 else _by_composition(source, floats)
    if form is None:
        return None
    return OutputScaling(source, _for_each_element(form.scale, shape), _for_each_element(form.bias, shape))


def _for_each_element(numbers: Array, shape: tuple[int, ...]) -> Array:
    if numbers.size == 1:
        return numbers.reshape(())
    return np.broadcast_to(numbers, (1, *shape[1:])).reshape(-1)


def _integer_source(value: ir.Value) -> ir.Value | None:
    """The hardware output that elementwise nodes compute a tensor from; else the first integers on the way back."""
    integers: ir.Value | None = None
    for _ in range(_MOST_NODES):
        producer = value.producer()
        if get_datatype(value).is_integer():
            integers = value
        if producer is None or is_hardware(producer):
            return value if producer is not None else integers
        inputs = [entry for entry in producer.inputs if entry is not None and entry.const_value is None]
        if producer.op_type not in ELEMENTWISE or len(inputs) != 1:
            return integers
        value = inputs[0]
    return None


def _by_analysis(model: ModelWrapper, source: ir.Value, floats: ir.Value) -> Affine | None:
    """For (1, elements)."""
    datatype = get_datatype(source)
    integers = ScaledInteger(source, datatype, int(datatype.min()), int(datatype.max()))
    function = analyse_from(model, integers).functions.get(floats)
    form = function.affine() if function is not None else None
    return form if function is not None and form is not None and _is_close(function, form, model) else None


def _is_close(function: IntegerFunction, form: Affine, model: ModelWrapper) -> bool:
    """Guards the linear form against the nodes themselves, to float32 precision."""
    points = np.linspace(function.source.minimum, function.source.maximum, 17).round()
    channels = max(np.size(form.scale), np.size(form.bias))
    grid = np.broadcast_to(points[:, None], (points.size, channels)).astype(np.float32)
    values = Evaluator(function.expression, model.model.opset_imports.get("", 1))(grid)
    return bool(np.allclose(values, grid * form.scale + form.bias, rtol=1e-4, atol=1e-4))


def _by_composition(source: ir.Value, floats: ir.Value) -> Affine | None:
    """For images, whatever their layout: constants are broadcast as the nodes broadcast them."""
    nodes: list[ir.Node] = []
    value: ir.Value = floats
    while value is not source:
        node = value.producer()
        if node is None:
            return None
        nodes.append(node)
        value = next(entry for entry in node.inputs if entry is not None and entry.const_value is None)
    scale, bias = np.asarray(1.0), np.asarray(0.0)
    for node in reversed(nodes):
        if node.op_type not in ("Add", "Sub", "Mul", "Div"):
            return None
        first, second = (get_constant(entry) for entry in node.inputs)
        constant = np.asarray(second if first is None else first, dtype=np.float64)
        if first is not None and node.op_type == "Div":
            return None
        if node.op_type == "Add":
            bias = bias + constant
        elif node.op_type == "Sub":
            scale, bias = (scale, bias - constant) if first is None else (-scale, constant - bias)
        elif node.op_type == "Mul":
            scale, bias = scale * constant, bias * constant
        else:
            scale, bias = scale / constant, bias / constant
    return Affine(scale, bias)
