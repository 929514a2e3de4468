"""The integers that enter the accelerator, and what they stand for.

A network is trained on floats; hardware takes integers. The imported model's input is the integers, followed by the
op that makes the floats of them, so that the model says itself what it computes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import integer_format
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape, set_datatype

METADATA_KEY = "finnmake.input_quantisation"
DEFAULT_SCALE = "1/255"
DEFAULT_DATATYPE = "UINT8"


@dataclass(frozen=True)
class InputQuantisation:
    """How floats and the accelerator's input integers belong together.

    Attributes:
        datatype: of the integers.
        scale: what one step is worth; "a/b" or a decimal number.
        minimum: smallest integer that occurs.
        maximum: largest integer that occurs.
        rounding_mode: of ``quantise``.
    """

    datatype: str
    scale: str
    minimum: int
    maximum: int
    rounding_mode: str = "ROUND"

    def factors(self) -> tuple[np.float32, np.float32]:
        """(multiplier, divisor), one of which is 1: float = float32(integer) · multiplier / divisor."""
        return _factors(self.scale)

    def to_floats(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """The floats that integers stand for, as the network was trained on them; any shape."""
        multiplier, divisor = self.factors()
        values = np.asarray(integers, dtype=np.float32)
        return values / divisor if divisor != 1 else values * multiplier

    def to_integers(self, floats: NDArray[Any]) -> NDArray[np.int64]:
        """The integers nearest to floats, clipped; any shape."""
        multiplier, divisor = self.factors()
        values = np.asarray(floats, dtype=np.float32)
        scaled = values * divisor if divisor != 1 else values / multiplier
        return np.clip(np.round(scaled), self.minimum, self.maximum).astype(np.int64)


def read_input_quantisation(model: ModelWrapper) -> InputQuantisation:
    """What ``import_model`` recorded in a model.

    Raises:
        ModelError: where the model was not imported by finnmake.
    """
    text = model.get_metadata_prop(METADATA_KEY)
    if text is None:
        raise ModelError("the model does not say how its input is quantised", remedy="Import it with import_model.")
    return InputQuantisation(**json.loads(text))


def quantise_input(model: ModelWrapper, datatype: str | None, scale: str | float | None) -> InputQuantisation:
    """Makes the input of a normalised model integers, in place.

    In this order: what the caller says; integers that the model itself annotates; the integers of a Quant on the
    input; UINT8 and 1/255 for an image (rank 4, 1 or 3 channels).

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
    quantiser = _quantiser_on(source)
    annotated = get_datatype(source)
    if datatype is not None or scale is not None:
        found = _given(datatype or DEFAULT_DATATYPE, DEFAULT_SCALE if scale is None else scale)
    elif annotated.is_integer():
        found = _given(annotated.name, 1)
    elif quantiser is not None:
        return _take_quantiser(model, source, quantiser)
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
    kind = _datatype(datatype)
    if not kind.is_integer():
        raise ModelError(f"input_datatype {datatype} is not an integer type", remedy="For example UINT8 or INT8.")
    _factors(str(scale))
    return InputQuantisation(kind.name, str(scale), int(kind.min()), int(kind.max()))


def _datatype(name: str) -> AnyDataType:
    return DataType[name]


def _factors(scale: str) -> tuple[np.float32, np.float32]:
    try:
        exact = Fraction(scale)
        if exact <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise ModelError(
            f"input_scale {scale!r} is not a positive number", remedy='For example "1/255" or 0.125.'
        ) from None
    # A camera's byte is divided by 255, not multiplied by a rounded 1/255: the difference decides ties.
    whole = round(1 / exact)
    if exact < 1 and abs(float(exact) * whole - 1) < 1e-9:
        return np.float32(1), np.float32(whole)
    return np.float32(float(exact)), np.float32(1)


def _is_image(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[1] in (1, 3)


def _quantiser_on(source: ir.Value) -> ir.Node | None:
    """The Quant that is the input's only user and has one scale, zero point 0 and a fixed bit width."""
    consumers = source.consumers()
    if len(consumers) != 1 or consumers[0].op_type not in ("Quant", "BipolarQuant"):
        return None
    constants = [get_constant(value) for value in consumers[0].inputs[1:]]
    if any(constant is None or constant.size != 1 for constant in constants):
        return None
    if consumers[0].op_type == "Quant" and float(constants[1].ravel()[0]) != 0:  # type: ignore[union-attr]
        return None
    return consumers[0]


def _take_quantiser(model: ModelWrapper, source: ir.Value, node: ir.Node) -> InputQuantisation:
    constants: Mapping[int, Any] = {index: get_constant(value) for index, value in enumerate(node.inputs)}
    scale = np.float32(constants[1].ravel()[0])
    if scale <= 0:
        raise ModelError(
            "its scale is zero or negative",
            where=describe(node),
            remedy="The training diverged: train the model again.",
        )
    mode = "ROUND"
    if node.op_type == "Quant":
        integers = integer_format(node, constants[3])
        mode = str(attribute(node, "rounding_mode", "ROUND")).upper()
        datatype, low, high = integers.datatype().name, integers.minimum, integers.maximum
    else:
        datatype, low, high = "BIPOLAR", -1, 1
    found = InputQuantisation(datatype, repr(float(scale)), low, high, mode)
    output = node.outputs[0]
    factor = add_initialiser(model.graph, scale, "input_scale")
    made = ir.node("Mul", [source, factor])
    made.outputs[0].shape, made.outputs[0].type = output.shape, output.type
    model.graph.insert_before(node, made)
    output.replace_all_uses_with(made.outputs[0], replace_graph_outputs=True)
    model.graph.remove(node, safe=True)
    _record(model, source, found)
    return found


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
        raise ModelError("the graph has no nodes")
    model.graph.insert_before(first, made)


def _record(model: ModelWrapper, source: ir.Value, found: InputQuantisation) -> None:
    set_datatype(source, DataType[found.datatype])
    model.set_metadata_prop(METADATA_KEY, json.dumps(asdict(found), sort_keys=True))
