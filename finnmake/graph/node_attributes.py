"""Attributes of custom nodes by name, checked: ``get_nodeattr`` and ``set_nodeattr`` as FINN users know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import DataType
from finnmake.graph.fixed_point import ROUNDINGS
from finnmake.graph.quantisation import ROUNDING_MODES

AttributeValue = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class AttributeSpec:
    """What an attribute may be.

    Attributes:
        kind: ``int``, ``float``, ``str``, or ``tuple`` for integers.
        default: where a node does not say; None where every node must.
        legal: the values there are; any of the kind where empty.
        is_datatype: the text names a datatype.
    """

    kind: type
    default: AttributeValue | None = None
    legal: tuple[AttributeValue, ...] = ()
    is_datatype: bool = False

    def checked(self, value: object, what: str, where: str) -> AttributeValue:
        """A value as the attribute's kind.

        Args:
            value: to check; booleans are integers, lists are tuples.
            what: name of the attribute, for the error.
            where: names the node, for the error.

        Raises:
            ModelError: for a value of another kind, or one that is not legal.
        """
        result = self._converted(value)
        if result is None:
            wanted = "integers" if self.kind is tuple else self.kind.__name__
            raise ModelError(f"{what} = {value!r}", where=where, remedy=f"It must be {wanted}.")
        if self.legal and result not in self.legal:
            legal = ", ".join(str(entry) for entry in self.legal)
            raise ModelError(f"{what} = {value!r}", where=where, remedy=f"Legal values: {legal}.")
        if self.is_datatype:
            try:
                return DataType[str(result)].name
            except ModelError as problem:
                raise ModelError(f"{what}: {problem.what}", where=where, remedy=problem.remedy) from None
        return result

    def _converted(self, value: Any) -> AttributeValue | None:
        if self.kind is tuple:
            whole = isinstance(value, Sequence) and not isinstance(value, str) and all(_is_whole(v) for v in value)
            return tuple(int(entry) for entry in value) if whole else None
        if self.kind is str:
            return value if isinstance(value, str) else None
        if self.kind is int:
            return int(value) if _is_whole(value) else None
        return float(value) if _is_whole(value) or isinstance(value, float) else None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) or (hasattr(value, "__index__") and not isinstance(value, Sequence))


_LAYOUT = AttributeSpec(str, "NCHW", ("NCHW", "NHWC", "NC", "NWC", "NCW"))
_FLAG = AttributeSpec(int, 0, (0, 1))
_SIGNED = AttributeSpec(int, 1, (0, 1))
_INTEGERS = AttributeSpec(tuple)
_MODES = tuple(ROUNDING_MODES)
_QUANT = {"signed": _SIGNED, "narrow": _FLAG, "rounding_mode": AttributeSpec(str, "ROUND", _MODES)}

GENERAL_ATTRIBUTES: Mapping[str, Mapping[str, AttributeSpec]] = {
    "Quant": _QUANT,
    "IntQuant": _QUANT,
    "BipolarQuant": {},
    "Trunc": {"rounding_mode": AttributeSpec(str, "FLOOR", _MODES), "signed": _SIGNED, "narrow": _FLAG},
    "MultiThreshold": {
        "out_dtype": AttributeSpec(str, "FLOAT32", is_datatype=True),
        "out_scale": AttributeSpec(float, 1.0),
        "out_bias": AttributeSpec(float, 0.0),
        "data_layout": _LAYOUT,
    },
    "XnorPopcountMatMul": {},
    "DepthwiseMatMul": {},
    "Im2Col": {
        "kernel_size": _INTEGERS,
        "stride": _INTEGERS,
        "pad_amount": AttributeSpec(tuple, (0, 0, 0, 0)),
        "pad_value": AttributeSpec(float, 0.0),
        "dilations": AttributeSpec(tuple, (1, 1)),
        "depthwise": _FLAG,
        "input_shape": AttributeSpec(str, ""),
    },
    "MaxPoolNHWC": {
        "kernel_shape": _INTEGERS,
        "strides": AttributeSpec(tuple, (1, 1)),
        "pads": AttributeSpec(tuple, (0, 0, 0, 0)),
        "dilations": AttributeSpec(tuple, (1, 1)),
        "ceil_mode": _FLAG,
    },
    "QuantAvgPool2d": {
        "kernel": AttributeSpec(int),
        "stride": AttributeSpec(int),
        "ibits": AttributeSpec(int),
        "obits": AttributeSpec(int),
        "signed": _FLAG,
        "data_layout": _LAYOUT,
    },
    "Requant": {
        "shift": AttributeSpec(int),
        "rounding": AttributeSpec(str, "HALF_EVEN", ROUNDINGS),
        "out_dtype": AttributeSpec(str, is_datatype=True),
    },
    "DebugMarker": {"export_debug_name": AttributeSpec(str, "")},
}
"""The attributes of QONNX' ops, by op type."""


class NodeAttributes:
    """A node's attributes by name.

    ``set_nodeattr`` changes the node in place: use it on a model of your own, or in ``Rewrite.rewrite``.

    Args:
        node: a node of a custom op.
        specs: its attributes; None for those that the node has, of whatever kind they are.
    """

    def __init__(self, node: ir.Node, specs: Mapping[str, AttributeSpec] | None = None) -> None:
        self.node = node
        self._specs = specs if specs is not None else {name: _observed(node, name) for name in node.attributes}

    def get_nodeattr_types(self) -> Mapping[str, AttributeSpec]:
        """All attributes that the node may have."""
        return self._specs

    def get_nodeattr(self, name: str) -> AttributeValue:
        """The value of an attribute, its default where the node does not say.

        Raises:
            ModelError: for an attribute that the op does not have, or that every node must have and this one has not.
        """
        spec = self._spec(name)
        value = attribute(self.node, name)
        if value is None:
            if spec.default is None:
                raise ModelError(f"has no attribute {name}", where=describe(self.node), remedy="Set it.")
            return spec.default
        return spec.checked(value, name, describe(self.node))

    def set_nodeattr(self, name: str, value: object) -> None:
        """Sets an attribute.

        Raises:
            ModelError: for an attribute that the op does not have, or a value that is not legal.
            FoldingError: for a PE or SIMD that is not legal.
        """
        checked = self._spec(name).checked(value, name, describe(self.node))
        self.check(name, checked)
        self.node.attributes.add(_onnx_attribute(name, checked))

    def check(self, name: str, value: AttributeValue) -> None:
        """Checks a value against the node's other attributes.

        Raises:
            FinnmakeError: where it does not go with them.
        """

    def _spec(self, name: str) -> AttributeSpec:
        if name not in self._specs:
            known = ", ".join(sorted(self._specs)) or "none"
            raise ModelError(
                f"has no attribute {name!r}", where=describe(self.node), remedy=f"Its attributes: {known}."
            )
        return self._specs[name]


def _observed(node: ir.Node, name: str) -> AttributeSpec:
    value = attribute(node, name)
    kind = next((kind for kind in (int, float, str) if isinstance(value, kind)), tuple)
    return AttributeSpec(kind)


def _onnx_attribute(name: str, value: AttributeValue) -> ir.Attr:
    if isinstance(value, str):
        return ir.AttrString(name, value)
    if isinstance(value, tuple):
        return ir.AttrInt64s(name, value)
    return ir.AttrInt64(name, value) if isinstance(value, int) else ir.AttrFloat32(name, value)
