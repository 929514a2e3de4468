"""``getCustomOp``: a node as FINN users handle it, hardware layers among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache

import onnx_ir as ir

from finnmake.dataflow import stream_shapes
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.registry import layer_class
from finnmake.dataflow.set_exec_mode import EXEC_MODE, EXEC_MODES
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.general_ops import QUANTISER_DOMAINS
from finnmake.graph.node_attributes import GENERAL_ATTRIBUTES, AttributeSpec, AttributeValue, NodeAttributes
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.hardware import CHOICES, FOLDING, divisors, folding_size

_KINDS: Mapping[object, type] = {"int": int, "bool": int, "str": str}


class HardwareNode(NodeAttributes):
    """A hardware layer's node: its attributes, and what the layer says of its streams.

    Args:
        node: of the hardware domain.
    """

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node, _layer_attributes(node.op_type))

    def check(self, name: str, value: AttributeValue) -> None:
        """Checks a folding against the size that it must divide.

        Raises:
            FoldingError: it does not; lists the legal values.
        """
        size_name = FOLDING.get(self.node.op_type, {}).get(name)
        known = size_name is not None and size_name in self.node.attributes
        size = folding_size(self.node, name) if known else 0
        if size and isinstance(value, int) and (value < 1 or size % value):
            legal = ", ".join(str(divisor) for divisor in divisors(size))
            raise FoldingError(
                f"{name} = {value} does not divide {size_name} = {size}",
                where=describe(self.node),
                remedy=f"Legal values: {legal}.",
            )

    def layer(self) -> Layer:
        """The layer that the node is now.

        Raises:
            ModelError, FoldingError: where its attributes and parameters do not make one.
        """
        return layer_from_node(self.node)

    def get_input_datatype(self) -> AnyDataType:
        """Of the input stream's elements."""
        return self.layer().input_stream().datatype

    def get_output_datatype(self) -> AnyDataType:
        """Of the output stream's elements."""
        return self.layer().output_stream().datatype

    def get_normal_input_shape(self) -> tuple[int, ...]:
        """See ``stream_shapes``."""
        return stream_shapes.get_normal_input_shape(self.layer())

    def get_normal_output_shape(self) -> tuple[int, ...]:
        """See ``stream_shapes``."""
        return stream_shapes.get_normal_output_shape(self.layer())

    def get_folded_input_shape(self) -> tuple[int, ...]:
        """See ``stream_shapes``."""
        return stream_shapes.get_folded_input_shape(self.layer())

    def get_folded_output_shape(self) -> tuple[int, ...]:
        """See ``stream_shapes``."""
        return stream_shapes.get_folded_output_shape(self.layer())

    def get_instream_width(self) -> int:
        """Bits of an input word."""
        return stream_shapes.get_instream_width(self.layer())

    def get_outstream_width(self) -> int:
        """Bits of an output word."""
        return stream_shapes.get_outstream_width(self.layer())

    def get_number_output_values(self) -> int:
        """Output words of a frame."""
        return stream_shapes.get_number_output_values(self.layer())

    def get_exp_cycles(self) -> int:
        """Clock cycles between frames."""
        return stream_shapes.get_exp_cycles(self.layer())


def getCustomOp(node: ir.Node) -> NodeAttributes:  # noqa: N802 - FINN's name
    """A node's attributes, checked: ``getCustomOp(node).set_nodeattr("PE", 4)``.

    Args:
        node: a hardware layer (gives a ``HardwareNode``), an op of QONNX, or an op of your own, whose attributes are
            those that the node has.

    Raises:
        ModelError: for a node of the ONNX standard.
    """
    if is_hardware(node):
        return HardwareNode(node)
    if is_standard(node):
        raise ModelError("is an op of the ONNX standard, no custom op", where=describe(node))
    known = GENERAL_ATTRIBUTES.get(node.op_type) if node.domain in QUANTISER_DOMAINS else None
    return NodeAttributes(node, known)


@cache
def _layer_attributes(op_type: str) -> Mapping[str, AttributeSpec]:
    specs = {}
    for entry in fields(layer_class(op_type)):
        if entry.name == "parameters":
            continue
        default = None if entry.default is MISSING else entry.default
        legal: tuple[AttributeValue, ...] = CHOICES.get(op_type, {}).get(entry.name, ())
        if entry.type in ("bool", bool):
            legal, default = (0, 1), None if default is None else int(default)
        datatype = entry.name == "datatype" or entry.name.endswith("DataType")
        specs[entry.name] = AttributeSpec(_KINDS[entry.type], default, legal, datatype)
    specs[EXEC_MODE] = AttributeSpec(str, EXEC_MODES[0], EXEC_MODES)
    specs["cycles_estimate"] = AttributeSpec(int, 0)
    specs["res_estimate"] = AttributeSpec(str, "")
    return specs
