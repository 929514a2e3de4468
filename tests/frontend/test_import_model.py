"""Import: one result whatever the spelling, the same function, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import external_data_helper

from finnmake.errors import ModelError
from finnmake.frontend import canonicalise, canonicalise_file, import_model
from finnmake.frontend.canonical import external_files
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from tests.support.networks import Mlp
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder, mnist, shared_file


def imported_bytes(model: onnx.ModelProto, folder: Path) -> bytes:
    import_model(model).save(folder / "graph.onnx")
    return (folder / "graph.onnx").read_bytes()


def test_spelling_changes_no_byte(tmp_path: Path) -> None:
    plain, renamed = Mlp(seed=3).model(), Mlp(seed=3, prefix="net/layer.").model()
    renamed.doc_string, renamed.producer_name, renamed.producer_version = "remark", "someone", "7"
    renamed.metadata_props.add(key="author", value="me")
    renamed.graph.node[0].doc_string = "line 3 of model.py"
    assert imported_bytes(plain, tmp_path / "a") == imported_bytes(renamed, tmp_path / "b")
    assert canonicalise(plain.SerializeToString()) == canonicalise(renamed.SerializeToString())
    other = Mlp(seed=4).model()
    assert canonicalise(plain.SerializeToString()) != canonicalise(other.SerializeToString())


def test_canonical_model_is_the_same_model(tmp_path: Path) -> None:
    plain = Mlp(seed=3).model()
    canonical = onnx.ModelProto.FromString(canonicalise(plain.SerializeToString()))
    assert imported_bytes(plain, tmp_path / "a") == imported_bytes(canonical, tmp_path / "b")
    assert canonicalise(canonical.SerializeToString()) == canonical.SerializeToString(deterministic=True)


def test_canonical_file_holds_external_data(tmp_path: Path) -> None:
    plain = Mlp((64, 16, 4)).model()
    inline = canonicalise(plain.SerializeToString())
    external_data_helper.convert_model_to_external_data(plain, location="model.data", size_threshold=100)
    onnx.save(plain, str(tmp_path / "model.onnx"))
    assert canonicalise_file(str(tmp_path / "model.onnx")) == inline


def test_the_files_of_a_model_are_known_without_them(tmp_path: Path) -> None:
    model = Mlp((64, 16, 4)).model()
    path = str(tmp_path / "model.onnx")
    onnx.save(model, path)
    assert external_files(path) == b""
    weights = [tensor.name for tensor in model.graph.initializer][:2]
    external_data_helper.convert_model_to_external_data(model, location="model.data", size_threshold=0)
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.external_data[0].value = "other/part.bin"
    constant = onnx.helper.make_node("Constant", [], ["k"], value=model.graph.initializer[0])
    constant.attribute[0].t.external_data[0].value = "third.bin"
    model.graph.node.insert(0, constant)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert external_files(path).split() == [b"model.data", b"other/part.bin", b"third.bin"]
    with pytest.raises(ModelError, match=r"part\.bin' is missing.*\n.*beside the model file"):
        canonicalise_file(path)
    model.graph.initializer[0].external_data[0].value = "two\nlines"
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"'two\\nlines'"):
        external_files(path)


def test_names_are_positions() -> None:
    model = import_model(Mlp().model())
    assert [value.name for value in model.graph.inputs] == ["global_in"]
    assert [value.name for value in model.graph.outputs] == ["global_out"]
    assert model.nodes[0].name == "Div_0"
    assert all(model.get_tensor_shape(name) is not None for name in model.get_all_tensor_names())


def test_import_keeps_the_function_on_whole_batches() -> None:
    source = Mlp().model()
    pixels = np.random.default_rng(0).integers(0, 256, (37, 1, 1, 16))
    model = import_model(source)
    quantisation = read_input_quantisation(model)
    assert (quantisation.datatype, quantisation.scale) == ("UINT8", "1/255")
    floats = quantisation.to_floats(pixels)
    assert np.array_equal(floats, pixels.astype(np.float32) / np.float32(255))
    assert np.array_equal(quantisation.to_integers(floats), pixels)
    expected = execute_onnx(ModelWrapper(source), {"image": floats})["logits"]
    got = execute_onnx(model, {"global_in": pixels})["global_out"]
    assert got.shape == (37, 4)
    assert np.array_equal(got, expected)


def gemm_model(trans: int) -> onnx.ModelProto:
    builder = GraphBuilder([1, 6], opset=17)
    weights = np.random.default_rng(0).normal(0, 2, (4, 6) if trans else (6, 4))
    x = builder.quant(builder.input, 0.5, 4)
    w = builder.quant(builder.constant(weights), 1.0, 3, narrow=1)
    return builder.model(builder.node("Gemm", [x, w, builder.constant(np.ones(4))], transB=trans, alpha=0.5), [1, 4])


@pytest.mark.parametrize("trans", [0, 1])
def test_gemm_becomes_matmul_and_add(trans: int) -> None:
    source = gemm_model(trans)
    model = import_model(source)
    assert not model.get_nodes_by_op_type("Gemm")
    integers = np.random.default_rng(1).integers(-8, 8, (5, 6))
    expected = execute_onnx(ModelWrapper(source), {"input": integers * 0.5})
    got = execute_onnx(model, {"global_in": integers})["global_out"]
    np.testing.assert_array_equal(got, next(iter(expected.values())))
    assert read_input_quantisation(model).datatype == "INT4"


def test_integer_input_can_be_given() -> None:
    builder = GraphBuilder([1, 6])
    output = builder.quant(builder.node("Relu", [builder.input]))
    source = builder.model(output, [1, 6])
    with pytest.raises(ModelError, match="input_datatype"):
        import_model(source)
    model = import_model(source, input_datatype="INT6", input_scale=0.25)
    assert model.get_tensor_datatype("global_in").name == "INT6"
    assert read_input_quantisation(model).to_floats(np.array([3]))[0] == 0.75
    with pytest.raises(ModelError, match="positive"):
        import_model(source, input_scale="1/0")
    with pytest.raises(ModelError, match="integer type"):
        import_model(source, input_datatype="FLOAT32")


def test_open_batch_dimension_is_a_batch() -> None:
    builder = GraphBuilder(["batch", 6])
    model = import_model(builder.model(builder.quant(builder.input), [1, 6]))
    assert model.get_tensor_shape("global_in") == [1, 6]


def bad_models() -> dict[str, tuple[onnx.ModelProto, str]]:
    dynamic = GraphBuilder([1, "width"])
    dynamic_model = dynamic.model(dynamic.quant(dynamic.input), [1, 6])
    unknown = GraphBuilder([1, 6])
    unknown_model = unknown.model(unknown.node("Wobble", [unknown.input], "my.ops"), [1, 6])
    missing = GraphBuilder([1, 6])
    missing_model = missing.model(missing.node("NoSuchOp", [missing.input]), [1, 6])
    nan = GraphBuilder([1, 6])
    weights = nan.quant(nan.constant(np.array([[np.nan] * 2] * 6)))
    nan_model = nan.model(nan.node("MatMul", [nan.quant(nan.input), weights]), [1, 2])
    misfit = GraphBuilder([1, 6])
    misfit_model = misfit.model(
        misfit.node("MatMul", [misfit.quant(misfit.input), misfit.constant(np.ones((5, 2)))]), [1, 2]
    )
    attribute = GraphBuilder([1, 6])
    attribute_model = attribute.model(attribute.node("Relu", [attribute.input], colour=1), [1, 6])
    damaged = GraphBuilder([1, 6])
    damaged_model = damaged.model(damaged.node("Add", [damaged.input, damaged.constant(np.ones(6))]), [1, 6])
    damaged_model.graph.initializer[0].raw_data = b"123"
    moved = GraphBuilder([1, 6])
    moved_model = moved.model(moved.node("Reshape", [moved.input, moved.constant(np.array([6, 1]))]), [6, 1])
    inputs = GraphBuilder([1, 6])
    inputs_model = inputs.model(inputs.node("Quant", [inputs.input], QONNX_DOMAIN), [1, 6])
    product = GraphBuilder([1, 6])
    product_model = product.model(product.node("MatMul", [product.quant(product.input)]), [1, 6])
    outputs = Mlp().model()
    next(node for node in outputs.graph.node if node.op_type == "Quant").output.append("another")
    channels = GraphBuilder([1, 6])
    rows = channels.constant(np.zeros((5, 3)))
    channels_model = channels.model(
        channels.node("MultiThreshold", [channels.quant(channels.input), rows], QONNX_DOMAIN, out_dtype="UINT2"), [1, 6]
    )
    row = GraphBuilder([1, 6])
    levels = row.constant(np.zeros(3))
    row_model = row.model(row.node("MultiThreshold", [row.quant(row.input), levels], QONNX_DOMAIN), [1, 6])
    scales = GraphBuilder([1, 6])
    scales_model = scales.model(scales.quant(scales.input, np.ones(5)), [1, 6])
    zero = GraphBuilder([1, 6])
    zero_model = zero.model(zero.quant(zero.input, 0.0), [1, 6])
    old = Mlp().model()
    old.opset_import[0].version = 5
    return {
        "dynamic shape": (dynamic_model, r"input input: its shape .* is dynamic"),
        "unknown domain": (unknown_model, "Wobble"),
        "unknown op": (missing_model, "NoSuchOp"),
        "NaN weights": (nan_model, r"tensor c1, used by node .* \(Quant\): 12 of its 12 values are NaN"),
        "shapes that do not fit": (misfit_model, "do not fit"),
        "unknown attribute": (attribute_model, "colour"),
        "damaged tensor": (damaged_model, "does not fit its type and shape"),
        "batch moved": (moved_model, "first dimension must stay the batch"),
        "quantiser without scale": (inputs_model, "has 1 inputs, Quant has at least 4"),
        "product of one": (product_model, "has 1 inputs, MatMul has at least 2"),
        "outputs too many": (outputs, "has 2 outputs, Quant has at most 1"),
        "thresholds of other channels": (channels_model, r"thresholds have shape \[5, 3\]"),
        "thresholds of one dimension": (row_model, r"thresholds have shape \[3\]"),
        "scales of other channels": (scales_model, r"shape \[5\] does not fit"),
        "input scale of zero": (zero_model, "scale is zero"),
        "old opset": (old, "opset 5"),
    }


def test_damaged_names_are_refused() -> None:
    builder = GraphBuilder([1, 6])
    model = builder.model(builder.quant(builder.input), [1, 6])
    with pytest.raises(ModelError, match="empty or no text"):
        canonicalise(model.SerializeToString().replace(b"narrow", b"\xff" * 6))
    model.graph.initializer[0].name = model.graph.node[0].input[1] = ""
    with pytest.raises(ModelError, match="empty or no text"):
        canonicalise(model.SerializeToString())


@pytest.mark.parametrize("name", list(bad_models()))
def test_bad_models_are_refused_with_place_and_remedy(name: str) -> None:
    model, message = bad_models()[name]
    with pytest.raises(ModelError, match=message) as caught:
        import_model(model)
    assert caught.value.remedy or "do not fit" in caught.value.text


@pytest.mark.parametrize(("name", "right"), [("tfc_w1a1", 461), ("tfc_w2a2", 488)])
def test_shared_mnist_networks(name: str, right: int) -> None:
    path = shared_file(f"models/{name}.qonnx.onnx")
    pixels, labels = mnist(500)
    source, model = ModelWrapper(path), import_model(path)
    floats = read_input_quantisation(model).to_floats(pixels)
    expected = next(iter(execute_onnx(source, {"0": floats}).values()))
    got = execute_onnx(model, {"global_in": pixels})["global_out"]
    assert np.array_equal(got, expected)
    assert int((got.argmax(axis=1) == labels).sum()) == right


def test_shared_keyword_spotting_network() -> None:
    model = import_model(shared_file("models/kws_mlp_w3a3.qonnx.onnx"))
    quantisation = read_input_quantisation(model)
    assert (quantisation.datatype, quantisation.minimum, quantisation.maximum) == ("INT8", -127, 127)
    integers = quantisation.to_integers(np.load(shared_file("models/golden/kws_input.npy")))
    scores = execute_onnx(model, {"global_in": integers})["global_out"]
    assert scores.argmax() == np.load(shared_file("models/golden/kws_expected_class.npy"))[0]


def test_shared_finn_network() -> None:
    # FINN-ONNX: MultiThreshold, weights and input annotated, the division by 255 and TopK in the graph.
    path = shared_file("models/tfc_w1a1.finn.onnx")
    images = np.load(shared_file("models/golden/tfc_w1a1_finn_input.npy"))
    expected = np.load(shared_file("models/golden/tfc_w1a1_finn_expected.npy"))
    model = import_model(path)
    quantisation = read_input_quantisation(model)
    assert (quantisation.datatype, quantisation.scale) == ("UINT8", "1")
    labels = execute_onnx(model, {"global_in": quantisation.to_integers(images)})["global_out"]
    assert np.array_equal(labels.ravel(), expected.ravel())
