"""getCustomOp, get_nodeattr, set_nodeattr, and the shapes of streams."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from finnmake.dataflow import getCustomOp
from finnmake.dataflow.hardware_node import HardwareNode
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.registry import LAYER_CLASSES
from finnmake.dataflow.stream_shapes import (
    get_instream_width_padded,
    get_normal_input_shape,
    get_outstream_width_padded,
)
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.node_attributes import GENERAL_ATTRIBUTES
from tests.hls_library.random_layers import random_mvau
from tests.support.hardware_models import hardware_model

DOMAIN = "qonnx.custom_op.general"


def hardware_node(layer: Layer) -> HardwareNode:
    node = getCustomOp(hardware_model([layer]).nodes[0])
    assert isinstance(node, HardwareNode)
    return node


def mvau(vectors: int = 1) -> HardwareNode:
    return hardware_node(random_mvau((784, 64), (16, 4), ("BIPOLAR", "INT2"), (3, "UINT2"), vectors=vectors))


def test_attributes_of_a_layer() -> None:
    node = mvau()
    assert node.get_nodeattr("SIMD") == 16
    assert node.get_nodeattr("inputDataType") == "BIPOLAR"
    assert node.get_nodeattr("exec_mode") == "python"
    node.set_nodeattr("SIMD", 49)
    node.set_nodeattr("ram_style", "block")
    node.set_nodeattr("exec_mode", "rtlsim")
    assert node.layer().structure()["SIMD"] == 49
    assert node.get_nodeattr("ram_style") == "block"


@pytest.mark.parametrize(
    ("name", "value", "kind", "words"),
    [
        ("PE", 7, FoldingError, ["PE = 7 does not divide MH = 64", "1, 2, 4, 8, 16, 32, 64"]),
        ("SIMD", 0, FoldingError, ["SIMD = 0", "784"]),
        ("PE", 2.0, ModelError, ["PE = 2.0", "int"]),
        ("PE", "4", ModelError, ["'4'", "int"]),
        ("ram_style", "ultra", ModelError, ["ultra", "auto, distributed, block"]),
        ("exec_mode", "hls", ModelError, ["python, cppsim, rtlsim"]),
        ("noActivation", 2, ModelError, ["0, 1"]),
        ("weightDataType", "INT99", ModelError, ["weightDataType", "INT99"]),
        ("mem_mode", "decoupled", ModelError, ["internal_embedded, internal_decoupled, external"]),
        ("impl_style", "rtl", ModelError, ["no attribute 'impl_style'", "PE", "SIMD", "ram_style"]),
    ],
)
def test_wrong_values_leave_the_node_as_it_is(name: str, value: Any, kind: type[Exception], words: list[str]) -> None:
    node = mvau()
    before = node.layer().structure_text()
    with pytest.raises(kind) as caught:
        node.set_nodeattr(name, value)
    for word in ["MatrixVectorActivation_0", *words]:
        assert word in str(caught.value)
    assert node.layer().structure_text() == before


def test_shapes_and_widths() -> None:
    node = mvau()
    assert (node.get_normal_input_shape(), node.get_folded_input_shape()) == ((1, 784), (1, 49, 16))
    assert (node.get_normal_output_shape(), node.get_folded_output_shape()) == ((1, 64), (1, 16, 4))
    assert (node.get_instream_width(), node.get_outstream_width()) == (16, 8)
    assert (node.get_number_output_values(), node.get_exp_cycles()) == (16, 49 * 16)
    assert (node.get_input_datatype().name, node.get_output_datatype().name) == ("BIPOLAR", "UINT2")
    many = mvau(vectors=6)
    assert (many.get_normal_input_shape(), many.get_folded_input_shape()) == ((1, 6, 784), (1, 6, 49, 16))
    layer = random_mvau((9, 3), (3, 3), ("INT3", "INT2"), (3, "UINT2"))
    assert (get_normal_input_shape(layer), get_instream_width_padded(layer), get_outstream_width_padded(layer)) == (
        (1, 9),
        16,
        8,
    )


def general(op_type: str, **attributes: Any) -> ir.Node:
    return ir.node(op_type, [ir.Value(name="x")], attributes, domain=DOMAIN)


def test_attributes_of_general_ops() -> None:
    node = general("MultiThreshold", out_dtype="UINT2", out_scale=2.0)
    custom = getCustomOp(node)
    assert (custom.get_nodeattr("out_scale"), custom.get_nodeattr("out_bias")) == (2.0, 0.0)
    custom.set_nodeattr("out_bias", -1)
    assert custom.get_nodeattr("out_bias") == -1.0
    assert node.attributes["out_bias"].type == ir.AttributeType.FLOAT
    with pytest.raises(ModelError, match="out_dtype: no datatype is called 'INT0'"):
        custom.set_nodeattr("out_dtype", "INT0")
    im2col = getCustomOp(general("Im2Col", stride=[1, 1]))
    assert im2col.get_nodeattr("stride") == (1, 1)
    with pytest.raises(ModelError, match="has no attribute kernel_size"):
        im2col.get_nodeattr("kernel_size")
    im2col.set_nodeattr("kernel_size", [3, 3])
    assert im2col.get_nodeattr("kernel_size") == (3, 3)
    with pytest.raises(ModelError, match="integers"):
        im2col.set_nodeattr("kernel_size", [3, "3"])


def test_every_op_has_a_list_of_attributes() -> None:
    assert {name for domain, name in GENERAL_OPS.names() if domain == DOMAIN} == set(GENERAL_ATTRIBUTES)
    for op_type in LAYER_CLASSES:
        HardwareNode(ir.Node("finnmake.dataflow", op_type, []))


def test_ops_of_users_and_of_the_standard() -> None:
    custom = getCustomOp(ir.node("Mine", [], {"gain": 3, "names": "a"}, domain="my.package"))
    custom.set_nodeattr("gain", 4)
    assert custom.get_nodeattr("gain") == 4
    with pytest.raises(ModelError, match=r"no attribute 'loss'(.|\n)*gain, names"):
        custom.get_nodeattr("loss")
    with pytest.raises(ModelError, match="ONNX standard"):
        getCustomOp(ir.node("Relu", [ir.Value(name="x")]))
