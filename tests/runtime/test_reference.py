"""The reference action: the exported model against the layers, float32 rounding of the model included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from finnmake.errors import ModelError, VerificationError
from finnmake.frontend import import_model
from finnmake.runtime import actions
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

Array = NDArray[Any]

SAMPLES = 500


def reference(
    folder: Path,
    model: onnx.ModelProto,
    *,
    wrong_weight: bool = False,
    labels: int | None = None,
    labelled: tuple[Array, Array] | None = None,
) -> dict[str, Any]:
    """Runs the action as a build does; ``wrong_weight`` changes one weight of the layers, ``labels`` are selected.

    Where there are any, the samples and labels of ``labelled`` are taken.
    """
    for name, array in zip(("samples", "labels"), labelled or (), strict=False):
        np.save(folder / f"{name}.npy", array)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    imported = layers = import_model(folder / "model.onnx")
    for name, arguments in AUTOMATIC_FLOW:
        chosen = {"k": labels} if name == "InsertTopK" else arguments
        layers = layers.transform(make_transformation(name, chosen))
    if wrong_weight:
        weights = layers.nodes[0].inputs[1]
        assert weights is not None
        array = np.array(layers.get_initializer(weights))
        array[0] = -array[0]
        layers.set_initializer(weights, array)
    for kind, wrapper in (("imported", imported), ("in", layers)):
        wrapper.save(folder / kind / "graph.onnx")
    (folder / "out").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(actions, "RANDOM_SAMPLES", SAMPLES)
        actions.reference()
    result: dict[str, Any] = json.loads((folder / "out" / "reference.json").read_text())
    return result


@pytest.mark.parametrize("count", [1, 3, 5])
def test_labels_in_hardware_are_the_best_of_the_scores(tmp_path: Path, count: int) -> None:
    # Equal scores are frequent: which label comes first is then a matter of order.
    result = reference(tmp_path, bipolar_network(0.7), labels=count)
    assert result["equal_scores"] > 0
    assert np.load(tmp_path / "out/expected.npy").shape == (SAMPLES, count)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, np.float32])
def test_labels_are_those_of_classes(tmp_path: Path, dtype: type) -> None:
    samples = np.arange(24).reshape(3, 8) % 8
    assert reference(tmp_path, dense_network([1, 8]), labelled=(samples, np.array([0, 4, 4], dtype)))["accuracy"] <= 1


@pytest.mark.parametrize("label", [5, -1, 1.5, np.nan, np.inf, np.uint64(2**64 - 1), 2**40])
def test_labels_that_no_class_has(tmp_path: Path, label: float) -> None:
    samples = np.arange(24).reshape(3, 8) % 8
    with pytest.raises(ModelError, match=r"labels: 1 of 3 .* 0 … 4.*sample 1"):
        reference(tmp_path, dense_network([1, 8]), labelled=(samples, np.array([0, label, 4], type(label))))


def test_labels_of_an_output_that_is_one_number(tmp_path: Path) -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.ones((8, 1))), 1, 3)
    sums = builder.node("MatMul", [builder.quant(builder.input, 1, 4), weights])
    model = builder.model(builder.node("BipolarQuant", [sums, builder.constant(1.0)], QONNX_DOMAIN), [1, 1])
    samples = np.repeat([[1], [-1]], 8, axis=1)
    assert reference(tmp_path, model, labels=0, labelled=(samples, np.array([1, 1])))["accuracy"] == 0.5


def bipolar_network(scale: float) -> onnx.ModelProto:
    """Two layers of -1 and +1: sums of 0, where the next sign hangs on rounding, and equal scores are frequent."""
    random = np.random.default_rng(0)
    builder = GraphBuilder([1, 12])
    x = builder.node("BipolarQuant", [builder.input, builder.constant(scale)], QONNX_DOMAIN)
    x = builder.node("MatMul", [x, builder.quant(builder.constant(random.normal(0, 1, (12, 6))), 0.13, 1)])
    x = builder.node("BipolarQuant", [x, builder.constant(scale)], QONNX_DOMAIN)
    x = builder.node("MatMul", [x, builder.quant(builder.constant(random.normal(0, 1, (6, 5))), 0.3, 3)])
    return builder.model(x, [1, 5])


@pytest.mark.parametrize("batch", ["N", 1, 0])
def test_the_batch_of_the_model_may_be_open(tmp_path: Path, batch: str | int) -> None:
    result = reference(tmp_path, dense_network([batch, 8]))
    assert (result["samples"], result["mismatches"]) == (SAMPLES, 0)


def dense_network(input_shape: Sequence[int | str]) -> onnx.ModelProto:
    """One dense layer of 8 inputs and 5 scores."""
    builder = GraphBuilder(input_shape)
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 5))), 0.5, 3)
    scores = builder.node("MatMul", [builder.quant(builder.input, 0.25, 4), weights])
    return builder.model(scores, [*input_shape[:-1], 5])


def test_samples_that_float32_rounding_decides_are_counted(tmp_path: Path) -> None:
    result = reference(tmp_path, bipolar_network(0.7))
    assert result["mismatches"] == 0
    assert 0 < len(result["rounding_ties"]) < SAMPLES
    assert max(result["rounding_ties"]) < SAMPLES


def test_scores_may_differ_by_rounding_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    builder = GraphBuilder([1, 12])
    x = builder.node("BipolarQuant", [builder.input, builder.constant(0.7)], QONNX_DOMAIN)
    x = builder.node("MatMul", [x, builder.quant(builder.constant(random.normal(0, 1, (12, 6))), 0.13, 1)])
    x = builder.node("BipolarQuant", [x, builder.constant(0.7)], QONNX_DOMAIN)
    x = builder.node("MatMul", [x, builder.quant(builder.constant(random.normal(0, 1, (6, 3))), 0.3, 3)])
    x = builder.node("Add", [x, builder.constant(np.array([0.1, 0.2, 0.3]))])
    assert reference(tmp_path, builder.model(x, [1, 3]))["rounding_ties"]


def test_exact_sums_leave_nothing_to_rounding(tmp_path: Path) -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3))), 0.5, 3)
    x = builder.node("MatMul", [builder.quant(builder.input, 0.25, 4), weights])
    assert reference(tmp_path, builder.model(x, [1, 3]))["rounding_ties"] == []


def test_wrong_layers_are_no_rounding(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="the layers' output differs"):
        reference(tmp_path, bipolar_network(0.7), wrong_weight=True)


def test_random_samples_are_integers_of_a_narrow_input(tmp_path: Path) -> None:
    builder = GraphBuilder([1, 8])
    x = builder.quant(builder.input, 0.5, 2, signed=0, narrow=1)
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3))), 0.5, 3)
    reference(tmp_path, builder.model(builder.node("MatMul", [x, weights]), [1, 3]))
    samples = np.load(tmp_path / "out" / "samples.npy")
    assert set(np.unique(samples)) == {0, 1, 2}


def test_a_model_that_ends_in_a_label(tmp_path: Path) -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 5))), 0.5, 3)
    scores = builder.node("MatMul", [builder.quant(builder.input, 0.25, 4), weights])
    model = builder.model(scores, [1, 5])
    count = builder.constant(np.array([1], dtype=np.int64))
    model.graph.initializer.append(builder.initialisers[-1])
    model.graph.node.append(helper.make_node("TopK", [scores, count], ["best", "label"], name="top"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [1, 1]))
    assert reference(tmp_path, model)["mismatches"] == 0
    labels = np.load(tmp_path / "out" / "expected.npy")
    assert len(np.unique(labels)) == 5
