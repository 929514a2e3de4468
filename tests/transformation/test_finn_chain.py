"""The steps of FINN's Streamline by hand: an integer network, the same labels, hardware layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from finnmake import transformation
from finnmake.frontend import import_model
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.transformation import absorb, to_hls
from finnmake.transformation.base import Transformation
from tests.support.affine_graphs import assert_annotations_hold, assert_same, op_types, run, shaped
from tests.support.qonnx_models import GraphBuilder, mnist, shared_file

STREAMLINE = [
    "ConvertSubToAdd",
    "ConvertDivToMul",
    "BatchNormToAffine",
    "ConvertSignToThres",
    "MoveMulPastMaxPool",
    "MoveScalarLinearPastInvariants",
    "AbsorbSignBiasIntoMultiThreshold",
    "MoveAddPastMul",
    "MoveScalarAddPastMatMul",
    "MoveAddPastConv",
    "MoveScalarMulPastMatMul",
    "MoveScalarMulPastConv",
    "MoveAddPastMul",
    "CollapseRepeatedAdd",
    "CollapseRepeatedMul",
    "MoveMulPastMaxPool",
    "AbsorbAddIntoMultiThreshold",
    "FactorOutMulSignMagnitude",
    "AbsorbMulIntoMultiThreshold",
    "Absorb1BitMulIntoMatMul",
    "Absorb1BitMulIntoConv",
    "RoundAndClipThresholds",
]

TIDY = ("RemoveIdentityOps", "GiveUniqueNodeNames", "GiveReadableTensorNames", "InferDataTypes")

HARDWARE: list[type[Transformation]] = [
    transformation.ConvertBipolarMatMulToXnorPopcount,
    to_hls.InferBinaryStreamingFCLayer,
    to_hls.InferQuantizedStreamingFCLayer,
    to_hls.InferThresholdingLayer,
    to_hls.InferLabelSelectLayer,
]


def streamlined(model: ModelWrapper, between: Sequence[str] = ()) -> ModelWrapper:
    """FINN's steps; ``between`` them what FINN's own Streamline does behind each."""
    for name in STREAMLINE:
        for step in (name, *between):
            model = model.transform(getattr(transformation, step)())
    return model


@pytest.mark.parametrize("between", [(), TIDY])
@pytest.mark.parametrize("imported", [False, True])
def test_shared_network_of_finn(imported: bool, between: Sequence[str]) -> None:
    path = shared_file("models/tfc_w1a1.finn.onnx")
    images = np.load(shared_file("models/golden/tfc_w1a1_finn_input.npy"))
    labels = np.load(shared_file("models/golden/tfc_w1a1_finn_expected.npy"))
    model = import_model(path) if imported else ModelWrapper(path)
    integers = streamlined(model, between)
    layers = ["MatMul", "MultiThreshold"] * 3
    assert op_types(integers) == ["Reshape", "MultiThreshold", *layers, "MatMul", "Mul", "Add", "TopK"]
    for node in integers.nodes[1:8]:
        assert all(get_datatype(value).is_integer() for value in (*node.inputs, *node.outputs) if value is not None)
    result = integers.transform(absorb.AbsorbScalarMulAddIntoTopK())
    for kind in HARDWARE:
        result = result.transform(kind())
    assert op_types(result) == ["Reshape", "Thresholding", *["MatrixVectorActivation"] * 4, "LabelSelect"]
    assert np.array_equal(run(result, images)[0].ravel(), labels.ravel())
    pixels, _ = mnist(500)
    expected = run(model, pixels)[0].ravel()
    assert np.array_equal(run(integers, pixels)[0].ravel(), expected)
    assert np.array_equal(run(result, pixels)[0].ravel(), expected)
    assert_annotations_hold(integers, pixels[:50])


def mlp(seed: int, binary: bool) -> ModelWrapper:
    """FINN-ONNX: pixels / 255 · 2 - 1, then layers of MatMul, Mul, BatchNormalization, Sign or thresholds and bias."""
    random = np.random.default_rng(seed)
    builder = GraphBuilder([1, 1, 4, 4])
    x = builder.node("Div", [builder.input, builder.constant(np.float32(256))])
    x = builder.node("Flatten", [x])
    x = builder.node("Sub", [builder.node("Mul", [x, builder.constant(2.0)]), builder.constant(1.0)])
    sizes = [16, 8, 8, 5]
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        if binary:
            x = builder.node("Sign", [builder.node("Add", [x, builder.constant(0.001)])])
        else:
            table = builder.constant(np.sort(random.normal(0, 1, (1, 3)).astype(np.float32)))
            x = builder.node("MultiThreshold", [x, table], "finn.custom_op.general", out_dtype="UINT2")
            x = builder.node("Add", [x, builder.constant(-2.0)])
        weights = random.choice([-1.0, 1.0], (inputs, outputs)) if binary else random.integers(-2, 2, (inputs, outputs))
        x = builder.node("MatMul", [x, builder.constant(weights.astype(np.float32))])
        x = builder.node("Mul", [x, builder.constant(float(random.uniform(0.01, 0.3)))])
        if number < len(sizes) - 2:
            x = builder.batch_norm(
                x,
                random.choice([-1, 1], outputs) * random.uniform(0.5, 2, outputs),
                random.normal(0, 1, outputs),
                random.normal(0, 1, outputs),
                random.uniform(0.2, 2, outputs),
            )
    model = shaped(builder.model(x, [1, 5]))
    datatype = DataType["BIPOLAR" if binary else "INT3"]
    for node in model.get_nodes_by_op_type("MatMul"):
        assert node.inputs[1] is not None
        model.set_tensor_datatype(node.inputs[1], datatype)
        model.set_tensor_datatype(node.outputs[0], DataType["INT32"])  # as FINN-ONNX files have it
    model.set_tensor_datatype(model.graph.inputs[0], DataType["UINT8"])
    return model


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("between", [(), TIDY])
@pytest.mark.parametrize("seed", range(4))
def test_small_networks(seed: int, binary: bool, between: Sequence[str]) -> None:
    model = mlp(seed, binary)
    integers = streamlined(model, between)
    assert op_types(integers) == ["Flatten", *["MultiThreshold", "MatMul"] * 3, "Mul"]
    pixels = np.random.default_rng(seed).integers(0, 256, (400, 1, 4, 4))
    # Batch normalisation is rounded in another order: only sums that are no tie, as these, have the same levels.
    assert_same(model, integers, pixels, exact=False)
    assert_annotations_hold(integers, pixels)
    result = integers
    for kind in HARDWARE:
        result = result.transform(kind())
    layers = ["Flatten", "Thresholding", *["MatrixVectorActivation"] * 3]
    assert op_types(result)[:5] == layers
    assert_same(integers, result, pixels)


@pytest.mark.parametrize("between", [(), TIDY])
@pytest.mark.parametrize("seed", range(4))
def test_convolutions_with_pooling(seed: int, between: Sequence[str]) -> None:
    random = np.random.default_rng(seed)
    builder = GraphBuilder([1, 2, 6, 6])
    x = builder.node("Mul", [builder.input, builder.constant(np.float32(1 / 128))])
    x = builder.node("Sub", [x, builder.constant(1.0)])
    for channels, outputs in ((2, 3), (3, 4)):
        weights = random.integers(-2, 2, (outputs, channels, 2, 2)).astype(np.float32)
        x = builder.node("Conv", [x, builder.constant(weights)])
        x = builder.node("Mul", [x, builder.constant(random.choice([-0.5, 0.25, 1.0], (outputs, 1, 1)))])
        gamma, beta, mean = random.normal(0, 1, (3, outputs))
        x = builder.batch_norm(x, gamma, beta, mean, random.uniform(0.2, 2, outputs))
        table = builder.constant(np.sort(random.normal(0, 1, (1, 3)).astype(np.float32)))
        x = builder.node("MultiThreshold", [x, table], "finn.custom_op.general", out_dtype="UINT2", out_scale=0.5)
        x = builder.node("MaxPool", [x], kernel_shape=[2, 2])
    model = shaped(builder.model(x, [1, 4, 2, 2]))
    for node in model.get_nodes_by_op_type("Conv"):
        assert node.inputs[1] is not None
        model.set_tensor_datatype(node.inputs[1], DataType["INT3"])
    model.set_tensor_datatype(model.graph.inputs[0], DataType["UINT8"])
    integers = streamlined(model, between)
    assert op_types(integers) == ["Conv", "MultiThreshold", "MaxPool"] * 2
    accumulator = integers.get_nodes_by_op_type("Conv")[0].outputs[0]
    assert get_datatype(accumulator).is_integer()
    pixels = random.integers(0, 256, (300, 2, 6, 6))
    assert_same(model, integers, pixels)
    assert_annotations_hold(integers, pixels)
