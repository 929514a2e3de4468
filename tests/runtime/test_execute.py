"""Reference execution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps, TensorInfo
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime import execute
from finnmake.runtime.execute import Executor, execute_onnx
from finnmake.runtime.layer_ops import LayerOp
from tests.hls_library.random_layers import random_mvau, random_values
from tests.support.hardware_models import hardware_model
from tests.support.networks import Mlp
from tests.support.qonnx_models import GraphBuilder, mnist, shared_file


def test_batches_equal_single_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelWrapper(Mlp().model())
    images = np.random.default_rng(0).random((11, 1, 1, 16), dtype=np.float32)
    whole = execute_onnx(model, {"image": images})["logits"]
    single = [execute_onnx(model, {"image": images[i : i + 1]})["logits"] for i in range(11)]
    assert np.array_equal(whole, np.concatenate(single))
    monkeypatch.setattr(execute, "_CHUNK_BYTES", 4 * images[0].nbytes)
    assert np.array_equal(Executor(model).run({"image": images})["logits"], whole)


def test_full_context_has_every_tensor() -> None:
    model = ModelWrapper(Mlp().model())
    context = execute_onnx(model, {"image": np.zeros((1, 1, 1, 16))}, return_full_exec_context=True)
    assert set(context) == set(model.get_all_tensor_names())
    assert np.array_equal(context["quantised"], np.full((1, 16), -1))


def test_newer_ir_version_than_onnxruntime_knows() -> None:
    proto = Mlp().model()
    proto.ir_version = 99
    assert execute_onnx(ModelWrapper(proto), {"image": np.zeros((2, 1, 1, 16))})["logits"].shape == (2, 4)


def test_wrong_inputs_are_refused() -> None:
    model = ModelWrapper(Mlp().model())
    for inputs, message in (
        ({}, "no array is given"),
        ({"image": np.zeros((1, 1, 1, 16)), "extra": np.zeros(1)}, "no input 'extra'"),
        ({"image": np.zeros((1, 16))}, "has shape"),
        ({"image": np.zeros((1, 1, 1, 15))}, "has shape"),
    ):
        with pytest.raises(ModelError, match=message):
            execute_onnx(model, inputs)


def test_unknown_custom_op_is_named() -> None:
    with pytest.raises(ModelError, match="Quant"):
        execute_onnx(ModelWrapper(Mlp().model()), {"image": np.zeros((1, 1, 1, 16))}, custom_ops=CustomOps({}))


def test_constant_output_and_two_branches() -> None:
    builder = GraphBuilder([1, 4])
    left = builder.quant(builder.input, 0.5, 4)
    right = builder.node("Relu", [builder.input])
    model = ModelWrapper(builder.model(builder.node("Add", [left, right]), [1, 4]))
    x = np.array([[-1.2, 0.3, 2.0, 9.0]], dtype=np.float32)
    got = next(iter(execute_onnx(model, {"input": x}).values()))
    expected = np.clip(np.round(x / np.float32(0.5)), -8, 7) * np.float32(0.5) + np.maximum(x, 0)
    assert np.array_equal(got, expected)


def test_same_scores_as_qonnx() -> None:
    core = pytest.importorskip("qonnx.core.onnx_exec", reason="the qonnx package is not installed")
    wrapper = pytest.importorskip("qonnx.core.modelwrapper")
    infer_shapes = pytest.importorskip("qonnx.transformation.infer_shapes")
    path = shared_file("models/tfc_w2a2.qonnx.onnx")
    images = mnist(5)[0].astype(np.float32) / np.float32(255)
    reference = wrapper.ModelWrapper(str(path)).transform(infer_shapes.InferShapes())
    got = execute_onnx(ModelWrapper(path), {"0": images})["90"]
    for index in range(5):
        expected = core.execute_onnx(reference, {"0": images[index : index + 1]})["90"]
        np.testing.assert_allclose(got[index : index + 1], expected, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    pixels=st.sampled_from([(1, 1), (2, 3), (4, 1)]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 6)),
    types=st.tuples(st.sampled_from(["INT3", "BIPOLAR", "UINT4"]), st.sampled_from(["INT2", "BIPOLAR", "TERNARY"])),
    seed=st.integers(0, 99),
)
def test_matrix_layers_on_images(
    pixels: tuple[int, int], shape: tuple[int, int], types: tuple[str, str], seed: int
) -> None:
    layer = random_mvau(shape, (1, 1), types, (3, "UINT2"), vectors=pixels[0] * pixels[1], seed=seed)
    model = hardware_model([layer], [(1, *pixels, shape[0]), (1, *pixels, shape[1])])
    frames = random_values(DataType[types[0]], (5, *pixels, shape[0]), np.random.default_rng(seed))
    sums = frames @ layer.parameters["weights"]
    expected = (sums[..., None] >= layer.parameters["thresholds"]).sum(axis=-1)
    (output,) = execute_onnx(model, {"global_in": frames}).values()
    np.testing.assert_array_equal(output, expected)
    infos = [TensorInfo((1, *pixels, shape[0]), DataType[types[0]])]
    inferred = LayerOp().infer_shapes(model.nodes[0], infos)
    assert inferred == [(1, *pixels, shape[1])]
