"""What a tensor says about itself: shape, value, datatype. Each O(1), on onnx-ir's values."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.annotations import get_annotation, set_annotation
from finnmake.graph.datatype import AnyDataType, DataType

_DATATYPE_KEY = "finn_datatype"


def get_datatype(value: ir.Value) -> AnyDataType:
    """The annotated datatype of a tensor, FLOAT32 where there is none."""
    name = get_annotation(value, _DATATYPE_KEY)
    return DataType[name] if name else DataType["FLOAT32"]


def set_datatype(value: ir.Value, datatype: AnyDataType | None) -> None:
    """Annotates a tensor; None takes the annotation away."""
    set_annotation(value, _DATATYPE_KEY, None if datatype is None else datatype.name)


def get_shape(value: ir.Value) -> tuple[int, ...] | None:
    """A tensor's shape where it is known and static."""
    if value.const_value is not None:
        return tuple(int(dim) for dim in value.const_value.shape.numpy())
    if value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(dim) for dim in value.shape.numpy())


def get_constant(value: ir.Value | None) -> NDArray[Any] | None:
    """A tensor's value where it is an initialiser."""
    if value is None or value.const_value is None or value.producer() is not None:
        return None
    return value.const_value.numpy()
