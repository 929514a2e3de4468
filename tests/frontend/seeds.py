"""The networks that fuzzing starts from: every spelling that the front ends read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import onnx
from onnx import helper

from tests.support.networks import Mlp
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder


def convolutional(opset: int = 13) -> onnx.ModelProto:
    """Two convolutions, a residual addition, pooling, a dense layer."""
    rng = np.random.default_rng(0)
    build = GraphBuilder([1, 3, 8, 8], opset=opset)
    x = build.input
    for channels, outputs in ((3, 4), (4, 4)):
        w = build.quant(build.constant(rng.normal(0, 1, (outputs, channels, 3, 3))), 0.25, 4, narrow=1)
        y = build.node("Conv", [x, w], kernel_shape=[3, 3], pads=[1] * 4)
        y = build.batch_norm(y, *(rng.uniform(0.5, 1, outputs) for _ in range(4)))
        y = build.quant(build.node("Relu", [y]), 0.25, 4, signed=0)
        x = y if channels == 3 else build.quant(build.node("Add", [x, y]), 0.5, 4, signed=0)
    x = build.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = build.node("Flatten", [build.node("GlobalAveragePool", [x])])
    w = build.quant(build.constant(rng.normal(0, 1, (4, 3))), 0.25, 4, narrow=1)
    return build.model(build.node("MatMul", [x, w]), [1, 3])


def gemm() -> onnx.ModelProto:
    """As Brevitas' newer exporter: Gemm with a transposed weight, opset 20."""
    rng = np.random.default_rng(0)
    build = GraphBuilder([1, 6], opset=20)
    x = build.quant(build.input, 0.5, 4)
    w = build.quant(build.constant(rng.normal(0, 2, (4, 6))), 1.0, 3, narrow=1)
    x = build.node("Gemm", [x, w, build.constant(np.ones(4))], transB=1)
    return build.model(build.quant(build.node("Relu", [x]), 0.25, 3, signed=0), [1, 4])


def qdq() -> onnx.ModelProto:
    """QuantizeLinear, Clip, DequantizeLinear, a convolution with integer weights per channel."""
    rng = np.random.default_rng(0)
    build = GraphBuilder([1, 2, 6, 6])
    parameters = [build.constant(np.float32(0.1)), build.constant(np.uint8(7))]
    x = build.node("DequantizeLinear", [build.node("QuantizeLinear", [build.input, *parameters]), *parameters])
    weights = build.constant(rng.integers(-8, 8, (4, 2, 3, 3)).astype(np.int8))
    scales = [build.constant(rng.uniform(0.1, 1, 4)), build.constant(np.zeros(4, np.int8))]
    x = build.node("Conv", [x, build.node("DequantizeLinear", [weights, *scales], axis=0)], kernel_shape=[3, 3])
    parameters = [build.constant(np.float32(0.25)), build.constant(np.uint8(0))]
    x = build.node("QuantizeLinear", [build.node("Relu", [x]), *parameters])
    x = build.node("Clip", [x, build.constant(np.uint8(0)), build.constant(np.uint8(15))])
    return build.model(build.node("DequantizeLinear", [x, *parameters]), [1, 4, 4, 4])


def finn() -> onnx.ModelProto:
    """MultiThreshold and annotations, opset 11, TopK."""
    rng = np.random.default_rng(0)
    build = GraphBuilder([1, 6], opset=11)
    steps = build.constant(np.sort(rng.integers(-9, 9, (1, 3)).astype(np.float32)))
    x = build.node("MultiThreshold", [build.input, steps], QONNX_DOMAIN, out_dtype="UINT2")
    weights = build.constant(rng.integers(-2, 2, (6, 4)).astype(np.float32))
    x = build.node("Add", [build.node("MatMul", [x, weights]), build.constant(np.float32(0.5))])
    model = build.model(x, [1, 4])
    for name, datatype in ((build.input, "INT4"), (weights, "INT2")):
        annotation = model.graph.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
    return model


def functions() -> onnx.ModelProto:
    """A model-local function, constants as nodes, arithmetic on shapes."""
    build = GraphBuilder([1, 2, 3])
    shape = build.node("Concat", [build.node("Slice", [build.node("Shape", [build.input]), *map(
        build.constant, ([0], [1]))]), build.constant(np.array([-1]))], axis=0)  # fmt: skip
    x = build.node("Reshape", [build.quant(build.input, 0.5, 4), shape])
    big = build.node("Expand", [build.constant(np.float32(0.5)), build.constant(np.array([6, 2]))])
    x = build.node("MatMul", [x, build.quant(big, 0.5, 3)])
    model = build.model(build.node("twice", [x], "local"), [1, 2])
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("local", "twice", ["a"], ["c"], body, opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model


@cache
def seeds() -> Mapping[str, bytes]:
    """The networks' bytes by name."""
    models = {
        "mlp": Mlp((16, 8, 4)).model(),
        "convolutional": convolutional(),
        "convolutional 18": convolutional(18),
        "gemm": gemm(),
        "qdq": qdq(),
        "finn": finn(),
        "functions": functions(),
    }
    return {name: model.SerializeToString() for name, model in models.items()}
