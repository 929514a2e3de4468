"""Makes a model's input integers.

A network is trained on floats; hardware takes integers. The imported model's input is the integers, followed by the
ops that make the floats of them, so that the model says itself what it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.frontend.input_quantisation import InputQuantisation, write_input_quantisation
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import integer_format
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard

DEFAULT_SCALE = "1/255"
DEFAULT_DATATYPE = "UINT8"

_EXACT = 1 << 24
"""Integers up to which float32 holds all of them."""


@dataclass(frozen=True)
class _Taken:
    """Quantisers on the input that the host takes over: what they do, and the tensors that are floats again."""

    quantisation: InputQuantisation
    scale: np.float32
    floats: tuple[ir.Value, ...]


def quantise_input(model: ModelWrapper, datatype: str | None, scale: str | float | None) -> InputQuantisation:
    """Makes the input of a normalised model integers, in place.

    In this order: what the caller says; integers that the model itself annotates; the integers of a Quant,
    BipolarQuant or QuantizeLinear on the input; indices of a table, where Gather takes it as that; UINT8 and 1/255 for
    an image (rank 4, 1 or 3 channels).

    Args:
        model: normalised.
        datatype: of the integers, for example ``UINT8``.
        scale: what one step is worth, a number or "1/255".

    Raises:
        ModelError: where none of these applies.
    """
    inputs = list(model.graph.inputs)
    if len(inputs) != 1:
        raise ModelError(
            f"the model has {len(inputs)} inputs, an accelerator has one",
            where=", ".join(str(value.name) for value in inputs) or "graph",
            remedy="Export the model with one input.",
        )
    source = inputs[0]
    annotated = get_datatype(source)
    if datatype is not None or scale is not None:
        found = _given(datatype or DEFAULT_DATATYPE, DEFAULT_SCALE if scale is None else scale)
    elif annotated.is_integer():
        found = _given(annotated.name, 1)
    elif (taken := _quantised(source)) is not None:
        _replace(model, source, taken)
        return taken.quantisation
    elif (rows := _rows_of_tables(source)) is not None:
        found = _given(DataType.smallest_for_range(0, max(1, rows - 1)).name, 1)
    elif _is_image(get_shape(source)):
        found = _given(DEFAULT_DATATYPE, DEFAULT_SCALE)
    else:
        raise ModelError(
            f"nothing says which integers the input of shape {list(get_shape(source) or ())} takes",
            where=f"input {source.name}",
            remedy="Give input_datatype and input_scale (for example UINT8 and 1/255), or quantise the input in the "
            "network (qnn.QuantIdentity as its first layer).",
        )
    _prepend_scale(model, source, found)
    _record(model, source, found)
    return found


def _given(datatype: str, scale: str | float) -> InputQuantisation:
    kind = DataType[datatype]
    if not kind.is_integer():
        raise ModelError(f"input_datatype {datatype} is not an integer type", remedy="For example UINT8 or INT8.")
    found = InputQuantisation(kind.name, str(scale), int(kind.min()), int(kind.max()))
    found.factors()
    return found


def _is_image(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[1] in (1, 3)


def _rows_of_tables(source: ir.Value) -> int | None:
    """The rows of the smallest table whose indices the input is, None where a node takes it as anything else."""
    rows = []
    for use in source.uses():
        data = use.node.inputs[0]
        shape = get_shape(data) if data is not None else None
        if use.node.op_type != "Gather" or use.idx != 1 or shape is None or int(attribute(use.node, "axis", 0)) != 0:
            return None
        rows.append(shape[0])
    return min(rows, default=None)


def _quantised(source: ir.Value) -> _Taken | None:
    """What all users of the input do alike: quantise it with one scale, one whole zero point, one range."""
    found: list[_Taken] = []
    for node in source.consumers():
        taken = _qonnx(node) if node.op_type in ("Quant", "BipolarQuant") else _qdq(node)
        if taken is None or (found and taken.quantisation != found[0].quantisation):
            return None
        found.append(taken)
    if not found or source.is_graph_output():
        return None
    floats = tuple(value for taken in found for value in taken.floats)
    return _Taken(found[0].quantisation, found[0].scale, floats)


def _number(value: ir.Value | None) -> Any:
    """The one number that a constant holds, None where it is none."""
    array = get_constant(value)
    return array.reshape(-1)[0] if array is not None and array.size == 1 else None


def _positive(scale: Any, node: ir.Node) -> np.float32:
    if not scale > 0:
        raise ModelError(
            "its scale is zero or negative",
            where=describe(node),
            remedy="The training diverged: train the model again.",
        )
    return np.float32(scale)


def _qonnx(node: ir.Node) -> _Taken | None:
    numbers = [_number(value) for value in node.inputs[1:]]
    if any(number is None for number in numbers):
        return None
    scale = _positive(numbers[0], node)
    if node.op_type == "BipolarQuant":
        found = InputQuantisation("BIPOLAR", repr(float(scale)), -1, 1)
    else:
        zero_point = float(numbers[1])
        integers = integer_format(node, np.asarray(numbers[2]))
        if not zero_point.is_integer() or integers.bits > 16 or abs(zero_point) > _EXACT >> 1:
            return None
        mode = str(attribute(node, "rounding_mode", "ROUND")).upper()
        low, high, name = integers.minimum, integers.maximum, integers.datatype().name
        found = InputQuantisation(name, repr(float(scale)), low, high, mode, int(zero_point))
    return _Taken(found, scale, (node.outputs[0],))


def _qdq(node: ir.Node) -> _Taken | None:
    """QuantizeLinear, perhaps Clip, and DequantizeLinear with the same scale and zero point."""
    if not is_standard(node) or node.op_type != "QuantizeLinear":
        return None
    read = _linear(node)
    dtype = node.outputs[0].dtype
    if read is None or dtype is None or not dtype.is_integer() or dtype.bitwidth > 16:
        return None
    scale, zero_point = read
    kind = DataType[dtype.name]
    low, high = int(kind.min()), int(kind.max())
    at = node.outputs[0]
    while len(at.consumers()) == 1 and at.consumers()[0].op_type == "Clip" and not at.is_graph_output():
        clip = at.consumers()[0]
        limits = [_number(value) for value in clip.inputs[1:] if value is not None]
        if clip.inputs[0] is not at or any(limit is None for limit in limits):
            return None
        for index, value in enumerate(clip.inputs[1:]):
            if value is not None:
                bound = int(_number(value))
                low, high = (max(low, bound), high) if index == 0 else (low, min(high, bound))
        at = clip.outputs[0]
    users = list(at.consumers())
    if not users or low >= high or at.is_graph_output():
        return None
    if any(user.op_type != "DequantizeLinear" or _linear(user) != read for user in users):
        return None
    narrowed = (low, high) != (int(kind.min()), int(kind.max()))
    name = DataType.smallest_for_range(low, high).name if narrowed else kind.name
    found = InputQuantisation(name, repr(float(scale)), low, high, "ROUND", zero_point, bool(zero_point))
    return _Taken(found, scale, tuple(user.outputs[0] for user in users))


def _linear(node: ir.Node) -> tuple[np.float32, int] | None:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear of one scale."""
    scale = _number(node.inputs[1]) if len(node.inputs) > 1 else None
    if scale is None:
        return None
    offset = node.inputs[2] if len(node.inputs) > 2 else None
    zero_point = 0 if offset is None else _number(offset)
    return None if zero_point is None else (_positive(scale, node), int(zero_point))


def _replace(model: ModelWrapper, source: ir.Value, taken: _Taken) -> None:
    """(integer - zero point) · scale in place of the quantisers, as they compute it."""
    first = source.consumers()[0]
    floats = source
    for op_type, number in (("Sub", np.float32(taken.quantisation.zero_point)), ("Mul", taken.scale)):
        if op_type == "Sub" and number == 0:
            continue
        made = ir.node(op_type, [floats, add_initialiser(model.graph, number, f"input {op_type}")])
        made.outputs[0].shape, made.outputs[0].type = source.shape, source.type
        model.graph.insert_before(first, made)
        floats = made.outputs[0]
    for value in taken.floats:
        value.replace_all_uses_with(floats, replace_graph_outputs=True)
    _remove(model, [value.producer() for value in taken.floats])
    _record(model, source, taken.quantisation)


def _remove(model: ModelWrapper, nodes: Sequence[ir.Node | None]) -> None:
    """Removes nodes that nobody uses, and what was there for them only."""
    pending = [node for node in nodes if node is not None]
    while pending:
        node = pending.pop()
        if node.graph is None or any(value.uses() or value.is_graph_output() for value in node.outputs):
            continue
        before = [value.producer() for value in node.inputs if value is not None]
        model.graph.remove(node, safe=True)
        pending += [producer for producer in before if producer is not None]


def _prepend_scale(model: ModelWrapper, source: ir.Value, found: InputQuantisation) -> None:
    multiplier, divisor = found.factors()
    if multiplier == 1 and divisor == 1:
        return
    uses = list(source.uses())
    op_type, number = ("Div", divisor) if divisor != 1 else ("Mul", multiplier)
    made = ir.node(op_type, [source, add_initialiser(model.graph, number, "input_scale")])
    made.outputs[0].shape, made.outputs[0].type = source.shape, source.type
    for node, index in uses:
        node.replace_input_with(index, made.outputs[0])
    first = next(iter(model.graph), None)
    if first is None:
        raise ModelError("the graph has no nodes", remedy="Export the model again.")
    model.graph.insert_before(first, made)


def _record(model: ModelWrapper, source: ir.Value, found: InputQuantisation) -> None:
    set_datatype(source, DataType[found.datatype])
    write_input_quantisation(model, found)
