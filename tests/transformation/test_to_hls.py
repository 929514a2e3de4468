"""From an imported model to folded hardware layers: same labels, legal foldings, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from finnmake.dataflow.elementwise_binary import ElementwiseAdd
from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.set_folding import SetFolding
from finnmake.errors import BuildFileError, FoldingError, ModelError
from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.apply_config import ApplyConfig
from finnmake.transformation.apply_folding import NOTE_KEY, ApplyFolding, folding_of
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import OUTPUT_KEY
from tests.support.hardware_models import hardware_model
from tests.support.networks import Mlp
from tests.support.qonnx_models import GraphBuilder, mnist, shared_file


def hardware(model: ModelWrapper, *, leave_out: str = "") -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        if name != leave_out:
            model = model.transform(make_transformation(name, arguments))
    return model


def names(model: ModelWrapper) -> list[str]:
    return [str(node.name) for node in model.nodes]


def test_mlp_becomes_layers_with_the_same_labels() -> None:
    model = import_model(Mlp().model())
    result = hardware(model)
    assert names(result) == [
        "Thresholding_0",
        "MatrixVectorActivation_0",
        "MatrixVectorActivation_1",
        "MatrixVectorActivation_2",
        "LabelSelect_0",
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (300, 1, 1, 16))
    scores = execute_onnx(model, {"global_in": pixels})["global_out"]
    labels = execute_onnx(result, {"global_in": pixels})["global_out"]
    assert np.array_equal(labels.ravel(), scores.argmax(axis=1))
    node = result.nodes[1]
    assert [attribute(node, key) for key in ("MW", "MH", "SIMD", "PE", "numSteps", "ActVal")] == [16, 8, 1, 1, 2, -1]
    assert attribute(node, "accDataType") == "INT6"  # 16 products of -1 … 1


def test_without_label_selection_the_scale_goes_to_the_host() -> None:
    model = import_model(Mlp().model())
    result = hardware(model, leave_out="InsertTopK")
    scaling = json.loads(result.get_metadata_prop(OUTPUT_KEY) or "")
    assert scaling == {"scale": 0.25, "bias": 0.0}
    pixels = np.random.default_rng(0).integers(0, 256, (50, 1, 1, 16))
    integers = execute_onnx(result, {"global_in": pixels})["global_out"]
    assert np.array_equal(integers * 0.25, execute_onnx(model, {"global_in": pixels})["global_out"])


def test_scores_with_a_bias_per_class_are_not_ordered_in_hardware() -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3))), 0.5, 3)
    x = builder.node("MatMul", [builder.quant(builder.input, 0.5, 4), weights])
    x = builder.node("Add", [x, builder.constant(np.array([0.1, -2.0, 3.0]))])
    model = import_model(builder.model(x, [1, 3]))
    result = hardware(model)
    assert names(result) == ["MatrixVectorActivation_0"]
    assert "per class" in (result.get_metadata_prop("finnmake.note") or "")
    scaling = json.loads(result.get_metadata_prop(OUTPUT_KEY) or "")
    integers = np.random.default_rng(1).integers(-8, 8, (60, 8))
    counts = execute_onnx(result, {"global_in": integers})["global_out"]
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    np.testing.assert_allclose(counts * scaling["scale"] + np.array(scaling["bias"]), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["tfc_w1a1", "tfc_w2a2"])
def test_shared_mnist_networks_with_finns_folding(name: str) -> None:
    model = import_model(shared_file(f"models/{name}.qonnx.onnx"))
    folding = shared_file(f"reference/finn_folding/{name.replace('_', '-')}_folding_config.json")
    result = hardware(model).transform(ApplyFolding(file=str(folding)))
    assert "Reshape_rtl_0" in (result.get_metadata_prop(NOTE_KEY) or "")
    assert max(layer_from_node(node).interval_cycles() for node in result.nodes) == 64
    pixels, _ = mnist(500)
    expected = execute_onnx(model, {"global_in": pixels})["global_out"].argmax(axis=1)
    assert np.array_equal(execute_onnx(result, {"global_in": pixels})["global_out"].ravel(), expected)
    binary = [attribute(node, "binaryXnorMode") for node in result.get_nodes_by_op_type("MatrixVectorActivation")]
    assert binary == [int(name == "tfc_w1a1")] * 4


def test_shared_keyword_spotting_network() -> None:
    model = import_model(shared_file("models/kws_mlp_w3a3.qonnx.onnx"))
    result = hardware(model)
    assert names(result) == [*(f"MatrixVectorActivation_{i}" for i in range(4)), "LabelSelect_0"]
    integers = np.random.default_rng(0).integers(-127, 128, (200, 1, 10, 49))
    scores = execute_onnx(model, {"global_in": integers})["global_out"]
    labels = execute_onnx(result, {"global_in": integers})["global_out"].ravel().astype(int)
    # Scales that are no powers of two round differently in another order of the sum: only equal scores may swap.
    best = scores.max(axis=1)
    assert (best - np.take_along_axis(scores, labels[:, None], axis=1).ravel() <= 1e-4 * np.abs(best)).all()


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        ({"MVAU_hls_0": {"PE": 3}}, r"layer MatrixVectorActivation_0: PE = 3 does not divide MH = 8\n.*1, 2, 4, 8"),
        ({"MatrixVectorActivation_1": {"SIMD": 0}}, "SIMD = 0"),
        ({"MatrixVectorActivation_1": {"SIMD": "8"}}, "'8'"),
        (
            {"MVAU_hls_9": {"PE": 1}},
            r"'MVAU_hls_9'\n.*There are 3 MatrixVectorActivation: \w+_0, \w+_1",
        ),
        (
            {"Crop_0": {"SIMD": 1}},
            r"no layer is called 'Crop_0'\n.*The layers: Thresholding_0, ",
        ),
        ({"LabelSelect_0": {"SIMD": 2}}, "no attribute 'SIMD'"),
        ({"MatrixVectorActivation_0": {"resType": "magic"}}, "auto, lut, dsp"),
        ({"MatrixVectorActivation_0": 3}, r"not a table of attributes\n  Say"),
        (
            {"LabelSelect_0": {"ram_style": "blok"}},
            r"layer LabelSelect_0: ram_style = 'blok'\n.*auto, distributed",
        ),
        ({"Defaults": {"PEE": 2}}, "Defaults: no layer has an attribute 'PEE'\n.*PE, SIMD"),
        ({"Defaults": {"rhs_style": "const"}}, "no layer has an attribute 'rhs_style'"),
        ({"Defaults": {"mem_mode": ["extern", ["MVAU_9"]]}}, "Defaults: mem_mode = 'extern'"),
        ({"Defaults": {"ram_style": ["block", ["MatrixVectorActivaton"]]}}, "op type MatrixVectorActivaton\n.* MVAU,"),
        ({"Defaults": {"ram_style": ["block", [3]]}}, r"\[3\] are no op types"),
        ({"Defaults": {"ram_style": ["block"]}}, r"Defaults: ram_style = \['block'\]"),
        ({"Defaults": {"ram_style": []}}, r"Defaults: ram_style = \[\]"),
        ({"Defaults": {"PE": [3, "all"]}}, "PE = 3 does not divide"),
    ],
)
def test_illegal_foldings_are_refused(folding: dict[str, dict[str, object]], message: str) -> None:
    layers = hardware(import_model(Mlp().model()))
    with pytest.raises(FoldingError, match=message):
        layers.transform(ApplyFolding(folding))


def test_all_that_is_wrong_with_a_folding_is_said_at_once() -> None:
    layers = hardware(import_model(Mlp().model()))
    folding = {"MVAU_0": {"PE": 3, "SIMD": 5}, "MVAU_9": {"PE": 1}, "LabelSelect_0": {"PE": 1}}
    with pytest.raises(FoldingError, match="3 entries cannot be applied") as caught:
        layers.transform(ApplyFolding(folding))
    lines = caught.value.text.splitlines()[1:]
    assert [line.partition(": ")[2].partition(" ")[0] for line in lines] == ["PE", "SIMD", "no"]
    assert all("Legal values: 1, 2, " in line for line in lines[:2])


def test_what_a_layer_computes_is_no_folding() -> None:
    constant = {"rhs": np.ones(1, np.int64)}
    layers = hardware_model([ElementwiseAdd(4, 1, "INT8", "INT8", "INT9", "const", parameters=constant)])
    with pytest.raises(FoldingError, match="no attribute 'rhs_style'"):
        layers.transform(ApplyFolding({"ElementwiseAdd_0": {"rhs_style": "input"}}))


@pytest.mark.parametrize("chosen", [SetFolding(40), SetFolding()])
def test_a_folding_that_is_written_edited_and_read(tmp_path: Path, chosen: SetFolding) -> None:
    layers = hardware(import_model(Mlp((32, 16, 8, 4)).model()))
    folded = layers.transform(chosen)
    path = tmp_path / "fold.json"
    path.write_text(json.dumps(folding_of(folded.graph)))
    again = layers.transform(ApplyFolding(file=str(path)))
    assert folding_of(again.graph) == folding_of(folded.graph)
    assert [node.attributes for node in again.nodes] == [node.attributes for node in folded.nodes]
    edited = json.loads(path.read_text())
    edited["MatrixVectorActivation_1"] |= {"PE": 1, "ram_style": "block"}
    path.write_text(json.dumps(edited))
    changed = folding_of(layers.transform(ApplyFolding(file=str(path))).graph)
    assert changed == edited


def test_defaults_and_changes_of_one_layer() -> None:
    layers = hardware(import_model(Mlp().model()))
    folded = layers.transform(ApplyFolding({"Defaults": {"ram_style": "block", "PE": 2}, "MVAU_1": {"PE": 4}}))
    assert [attribute(node, "PE") for node in folded.nodes] == [2, 2, 4, 2, 2]
    assert [attribute(node, "ram_style") for node in folded.nodes[1:4]] == ["block"] * 3
    assert attribute(layers.nodes[1], "PE") == 1


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (["block", "all"], ["block", "block", "block"]),
        (["block", ["all"]], ["block", "block", "block"]),
        (["block", ["MVAU"]], [None, "block", "block"]),
        (["block", ["MVAU_hls", "Thresholding_rtl"]], ["block", "block", "block"]),
        (["block", "Thresholding"], ["block", "auto", "auto"]),
        (["block", ["MVAU_rtl"], "distributed", ["VVAU", "Thresholding_hls"]], ["distributed", "block", "block"]),
        (["block", ["VVAU", "StreamingFIFO_rtl"]], [None, "auto", "auto"]),
    ],
)
def test_defaults_as_finn_writes_them(default: list[object], expected: list[str | None]) -> None:
    layers = hardware(import_model(Mlp().model()))
    folded = layers.transform(ApplyFolding({"Defaults": {"ram_style": default}}))
    assert [attribute(node, "ram_style") for node in folded.nodes[:3]] == expected


def test_finns_attributes_without_meaning_here_are_noted() -> None:
    layers = hardware(import_model(Mlp().model()))
    folding: dict[str, dict[str, object]] = {
        "Defaults": {"impl_style": ["rtl", "all"]},
        "MVAU_0": {"inFIFODepths": [2]},
    }
    note = layers.transform(ApplyFolding(folding)).get_metadata_prop(NOTE_KEY)
    assert note is not None
    assert "Defaults.impl_style, MVAU_0.inFIFODepths" in note
    vanished: dict[str, dict[str, object]] = {f"StreamingFIFO_rtl_{number}": {} for number in range(100, 130)}
    note = layers.transform(ApplyFolding(vanished)).get_metadata_prop(NOTE_KEY)
    assert note is not None
    assert note.endswith("StreamingFIFO_rtl_119, and 10 more")


def test_finns_name_of_it_takes_a_file_or_a_mapping(tmp_path: Path) -> None:
    layers = hardware(import_model(Mlp().model()))
    folding = {"Defaults": {}, "MVAU_hls_1": {"PE": 4, "SIMD": 2}}
    (tmp_path / "folding.json").write_text(json.dumps(folding))
    for config in (folding, str(tmp_path / "folding.json"), tmp_path / "folding.json"):
        node = layers.transform(ApplyConfig(config)).nodes[2]
        assert (attribute(node, "PE"), attribute(node, "SIMD")) == (4, 2)
    with pytest.raises(FoldingError, match="no layer is called 'MVAU_9'"):
        layers.transform(ApplyConfig({"MVAU_9": {"PE": 1}}))


def test_folding_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FoldingError, match="cannot be read"):
        ApplyFolding(file=str(tmp_path / "absent.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(FoldingError, match="not JSON"):
        ApplyFolding(file=str(tmp_path / "bad.json"))


def sine_model() -> ModelWrapper:
    builder = GraphBuilder([1, 8])
    x = builder.quant(builder.input, 0.5, 4)
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3))), 0.5, 3)
    x = builder.node("Sin", [builder.node("MatMul", [x, weights])])
    return import_model(builder.model(builder.quant(x, 0.25, 3), [1, 3]))


def test_ops_without_a_layer_are_listed_with_reason_and_remedy() -> None:
    with pytest.raises(ModelError) as caught:
        hardware(sine_model())
    assert "node Sin_0 (Sin): Sin has no layer" in caught.value.text
    assert "Leave it out" in caught.value.text
    # The nodes around it are left because of it: they must not hide it.
    assert caught.value.text.count("node ") == 1


def scores(input_bits: int, weight_bits: int) -> tuple[GraphBuilder, str]:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3))), 0.5, weight_bits)
    return builder, builder.node("MatMul", [builder.quant(builder.input, 0.5, input_bits), weights])


def test_weights_too_wide_are_refused() -> None:
    builder, output = scores(4, 17)
    with pytest.raises(ModelError, match="its weights are INT17, and a layer takes at most 16 bits"):
        hardware(import_model(builder.model(output, [1, 3])))


def test_inputs_too_wide_are_refused() -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.eye(8, 3)), 0.5, 4)
    model = builder.model(builder.node("MatMul", [builder.input, weights]), [1, 3])
    with pytest.raises(ModelError, match="its input is INT17, and a layer takes at most 16 bits"):
        hardware(import_model(model, input_datatype="INT17", input_scale=1))


def test_more_levels_than_thresholds_are_a_requant() -> None:
    builder, output = scores(4, 4)
    layers = hardware(import_model(builder.model(builder.quant(output, 0.5, 9), [1, 3])))
    assert [node.op_type for node in layers.nodes][-2:] == ["Requant", "LabelSelect"]


@pytest.mark.parametrize("bits", [17, 32])
def test_more_levels_than_a_requant_gives_are_refused(bits: int) -> None:
    builder, output = scores(4, 4)
    model = import_model(builder.model(builder.quant(output, 0.5, bits), [1, 3]))
    with pytest.raises(ModelError, match=f"it has {1 << bits} levels"):
        hardware(model)


def test_inputs_that_float32_does_not_hold_are_refused() -> None:
    builder = GraphBuilder([1, 8])
    model = builder.model(builder.quant(builder.input, 2.0**20, 4), [1, 8])
    with pytest.raises(ModelError, match="its input is INT32"):
        hardware(import_model(model, input_datatype="INT32", input_scale=1))


def test_a_weight_scale_of_zero_is_refused() -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.quant(builder.constant(np.ones((8, 3))), 0.0, 4)
    model = import_model(builder.model(builder.node("MatMul", [builder.quant(builder.input), weights]), [1, 3]))
    with pytest.raises(ModelError, match="its scale is zero"):
        hardware(model)


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_second_output_is_refused(inner_first: bool) -> None:
    builder, inner = scores(4, 4)
    inner = builder.quant(inner, 0.5, 4)
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (3, 2))), 0.5, 4)
    model = builder.model(builder.node("MatMul", [inner, weights]), [1, 2])
    model.graph.output.append(helper.make_tensor_value_info(inner, TensorProto.FLOAT, [1, 3]))
    if inner_first:
        first = model.graph.output.pop(0)
        model.graph.output.append(first)
    with pytest.raises(ModelError, match="2 outputs"):
        hardware(import_model(model))


def test_weights_that_are_not_quantised_are_refused() -> None:
    builder = GraphBuilder([1, 8])
    weights = builder.constant(np.random.default_rng(0).normal(0, 2, (8, 3)))
    model = builder.model(builder.node("MatMul", [builder.quant(builder.input, 0.5, 4), weights]), [1, 3])
    with pytest.raises(ModelError, match=r"MatMul_0.*weights are not quantised"):
        hardware(import_model(model))


def test_transformations_by_name() -> None:
    assert isinstance(make_transformation("ApplyFolding", {"folding": {}}), ApplyFolding)
    assert isinstance(make_transformation("finnmake.dataflow.set_folding:SetFolding", {"target_cycles": 5}), SetFolding)
    with pytest.raises(BuildFileError, match="no transformation"):
        make_transformation("Nonsense", {})
    with pytest.raises(BuildFileError, match="wrong arguments"):
        make_transformation("ApplyFolding", {"cycles": 5})
