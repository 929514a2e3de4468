"""What no network can be: one message with node or tensor, reason and remedy, before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

Spoiled = tuple[onnx.ModelProto, str]
CASES: dict[str, Callable[[], Spoiled]] = {}


def case(function: Callable[[], Spoiled]) -> Callable[[], Spoiled]:
    """A model and what is said of it."""
    CASES[function.__name__] = function
    return function


def simple(shape: tuple[int | str, ...] = (1, 6)) -> tuple[GraphBuilder, str]:
    """A network begun: its builder and its quantised input."""
    build = GraphBuilder(list(shape))
    return build, build.quant(build.input, 0.5, 4)


@case
def infinite_weights() -> Spoiled:
    build, x = simple()
    return build.model(
        build.node("Mul", [x, build.constant(np.full(6, np.inf))]), [1, 6]
    ), r"tensor c5.*6 of its 6 values"


@case
def not_a_number_in_a_constant_node() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("Mul", [x, "k"]), [1, 6])
    tensor = numpy_helper.from_array(np.array([np.nan], np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["k"], name="weights", value=tensor))
    return model, r"node weights \(Constant\).*NaN"


@case
def weights_that_are_computed() -> Spoiled:
    build, x = simple((1, 2, 4, 4))
    w = build.node("Reshape", [x, build.constant(np.array([2, 2, 2, 4]))])
    return build.model(
        build.node("Conv", [x, build.node("Transpose", [w], perm=[0, 1, 2, 3])]), [1, 2, 3, 1]
    ), "batch|not constant"


@case
def a_product_of_two_activations() -> Spoiled:
    build, x = simple((1, 4, 4))
    return build.model(build.node("MatMul", [x, build.node("Relu", [x])]), [1, 4, 4]), "not constant but depends"


@case
def a_scale_that_is_computed() -> Spoiled:
    build, x = simple()
    scale = build.node("ReduceMax", [x], axes=[1])
    inputs = [x, scale, build.constant(np.float32(0)), build.constant(np.float32(4))]
    return build.model(build.node("Quant", inputs, QONNX_DOMAIN), [1, 6]), r"\(Quant\).*not constant but depends"


@case
def an_annotation_that_does_not_hold_the_values() -> Spoiled:
    build, x = simple()
    w = build.constant(np.arange(12.0).reshape(6, 2))
    model = build.model(build.node("MatMul", [x, w]), [1, 2])
    model.graph.quantization_annotation.add(tensor_name=w).quant_parameter_tensor_names.add(
        key="finn_datatype", value="INT4"
    )
    return model, rf"tensor {w}: is annotated as INT4, but holds 0.0 … 11.0"


@case
def an_annotation_of_fractions() -> Spoiled:
    build, x = simple()
    w = build.constant(np.full((6, 2), 0.5))
    model = build.model(build.node("MatMul", [x, w]), [1, 2])
    model.graph.quantization_annotation.add(tensor_name=w).quant_parameter_tensor_names.add(
        key="finn_datatype", value="INT4"
    )
    return model, r"INT4.* and fractions"


@case
def an_annotation_that_is_none() -> Spoiled:
    build, x = simple()
    w = build.constant(np.ones((6, 2)))
    model = build.model(build.node("MatMul", [x, w]), [1, 2])
    model.graph.quantization_annotation.add(tensor_name=w).quant_parameter_tensor_names.add(
        key="finn_datatype", value="INT999"
    )
    return model, rf"tensor {w}: no datatype is called 'INT999'"


@case
def a_cycle() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("Relu", [build.node("Add", [x, x])]), [1, 6])
    model.graph.node[1].input[1] = model.graph.node[2].output[0]
    return model, r"node .*\((Add|Relu)\).*cycle"


@case
def an_expansion_without_end() -> Spoiled:
    build, x = simple()
    big = build.node("Expand", [build.constant(np.float32(1)), build.constant(np.array([1 << 20, 1 << 20]))])
    return build.model(build.node("Add", [x, big]), [1, 6]), r"\(Expand\).*takes 4.1e\+03 GiB"


@case
def a_constant_of_a_huge_shape() -> Spoiled:
    build, x = simple()
    big = build.node("ConstantOfShape", [build.constant(np.array([1 << 30, 6]))])
    return build.model(build.node("Add", [x, big]), [1, 6]), r"\(ConstantOfShape\).* GiB"


@case
def repetition_of_activations_without_end() -> Spoiled:
    build, x = simple()
    return build.model(build.node("Tile", [x, build.constant(np.array([1, 1 << 40]))]), [1, 6]), r"\(Tile\).* GiB"


@case
def an_input_of_texts() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("Relu", [x]), [1, 6])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    return model, "input input: is of the type STRING"


@case
def a_tensor_that_nobody_makes() -> Spoiled:
    build, x = simple()
    return build.model(build.node("Add", [x, "lost"]), [1, 6]), r"node .*\(Add\): nothing makes its input lost"


@case
def an_output_that_nobody_makes() -> Spoiled:
    build, x = simple()
    build.node("Relu", [x])
    return build.model("lost", [1, 6]), "graph: nothing makes its output lost"


@case
def an_output_of_another_shape() -> Spoiled:
    build, x = simple()
    return build.model(build.node("Relu", [x]), [1, 7]), r"output .*: is declared as \[1,7\].* \[1, 6\]"


@case
def an_output_of_another_rank_behind_a_name() -> Spoiled:
    build, x = simple()
    return build.model(build.node("Identity", [build.node("Relu", [x])]), ["N"]), r"output .*: is declared as \[N\]"


@case
def a_huge_tensor_without_data() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("Add", [x, build.constant(np.ones(6))]), [1, 6])
    model.graph.initializer[-1].dims[:] = [1 << 31, 1 << 31]
    return model, r"tensor c5: a tensor of shape \[2147483648, 2147483648\] takes"


@case
def dimensions_that_do_not_match_the_data() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("Add", [x, build.constant(np.ones(6))]), [1, 6])
    model.graph.initializer[-1].dims[:] = [7]
    return model, r"tensor c5: its data does not fit its type and shape"


@case
def a_huge_input() -> Spoiled:
    build, x = simple((1, 1 << 40))
    return build.model(x, [1, 6]), r"input input: a tensor of shape .* GiB"


@case
def a_batch_of_four() -> Spoiled:
    build, x = simple((4, 6))
    return build.model(x, [4, 6]), r"input input: its shape \[4,6\] is that of a batch of 4"


@case
def an_input_without_elements() -> Spoiled:
    build, x = simple((1, 0))
    return build.model(x, [1, 0]), r"input input: a tensor of shape \[1, 0\] has no elements"


@case
def weights_without_elements() -> Spoiled:
    build, x = simple()
    return build.model(
        build.node("MatMul", [x, build.constant(np.ones((6, 0)))]), [1, 0]
    ), r"tensor c5.* has no elements"


@case
def random_numbers() -> Spoiled:
    build, x = simple()
    return build.model(build.node("Add", [x, build.node("RandomNormalLike", [x])]), [1, 6]), "random numbers"


@case
def dropout_that_trains() -> Spoiled:
    build, x = simple()
    ratio = build.constant(np.float32(0.5))
    return build.model(
        build.node("Dropout", [x, ratio, build.constant(np.array(True))]), [1, 6]
    ), r"\(Dropout\).*training"


@case
def batch_normalisation_that_trains() -> Spoiled:
    build, x = simple()
    model = build.model(build.batch_norm(x, *(np.ones(6) for _ in range(4))), [1, 6])
    model.opset_import[0].version = 11
    model.graph.node[-1].output.extend(["mean", "variance", "saved_mean", "saved_variance"])
    model.graph.output.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, [6]))
    return model, r"\(BatchNormalization\).*training"


@case
def a_kernel_of_another_shape() -> Spoiled:
    build, x = simple((1, 2, 4, 4))
    w = build.constant(np.ones((3, 2, 3, 3)))
    return build.model(
        build.node("Conv", [x, w], kernel_shape=[1, 1]), [1, 3, 4, 4]
    ), r"\(Conv\): its kernel_shape is \[1, 1\]"


@case
def weights_of_other_channels() -> Spoiled:
    build, x = simple((1, 2, 4, 4))
    w = build.constant(np.ones((3, 4, 3, 3)))
    return build.model(build.node("Conv", [x, w]), [1, 3, 2, 2]), r"\(Conv\).*(groups|fit)"


@case
def a_scale_on_another_axis() -> Spoiled:
    build, x = simple()
    w = build.constant(np.ones((6, 2), np.int8))
    scale = [build.constant(np.ones(6)), build.constant(np.zeros(6, np.int8))]
    return build.model(
        build.node("MatMul", [x, build.node("DequantizeLinear", [w, *scale], axis=1)]), [1, 2]
    ), "on axis 1"


@case
def zero_points_of_another_shape() -> Spoiled:
    build, x = simple()
    w = build.constant(np.ones((6, 2), np.int8))
    scale = [build.constant(np.ones(2)), build.constant(np.zeros(6, np.int8))]
    return build.model(build.node("MatMul", [x, build.node("DequantizeLinear", [w, *scale])]), [1, 2]), "zero point"


@case
def bounds_the_wrong_way_round() -> Spoiled:
    build, x = simple()
    bounds = [build.constant(np.float32(3)), build.constant(np.float32(1))]
    return build.model(build.node("Clip", [x, *bounds]), [1, 6]), r"\(Clip\).*wrong way round: 3.0 … 1.0"


@case
def bounds_for_each_channel() -> Spoiled:
    build, x = simple()
    bounds = [build.constant(np.zeros(6)), build.constant(np.ones(6))]
    return build.model(build.node("Clip", [x, *bounds]), [1, 6]), r"\(Clip\).*one number each"


@case
def a_reshape_of_a_single_number() -> Spoiled:
    build, x = simple()
    total = build.node("ReduceSum", [x], keepdims=0)
    return build.model(build.node("Reshape", [total, build.constant(np.array([1, 1]))]), [1, 1]), "first dimension must"


@case
def an_order_of_dimensions_that_is_none() -> Spoiled:
    build, x = simple((1, 2, 4, 4))
    return build.model(build.node("Transpose", [x], perm=[0, 1, 1, 2]), [1, 2, 4, 4]), "Transpose"


@case
def an_attribute_of_another_kind() -> Spoiled:
    build, x = simple()
    return build.model(
        build.node("Flatten", [x], axis="one"), [1, 6]
    ), r"\(Flatten\): its attribute axis is of the kind STRING"


@case
def a_quantiser_with_an_attribute_of_another_kind() -> Spoiled:
    build, x = simple()
    model = build.model(x, [1, 6])
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "narrow":
            attribute.CopyFrom(helper.make_attribute("narrow", "yes"))
    return model, r"\(Quant\): its attribute narrow is of the kind STRING, not INT"


@case
def functions_that_call_each_other() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("f", [x], "local"), [1, 6])
    for name, other in (("f", "g"), ("g", "f")):
        node = helper.make_node(other, ["a"], ["b"], domain="local")
        opsets = [helper.make_opsetid("local", 1)]
        model.functions.append(helper.make_function("local", name, ["a"], ["b"], [node], opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model, "functions"


@case
def functions_for_a_million_million_nodes() -> Spoiled:
    build, x = simple()
    model = build.model(build.node("f40", [x], "local"), [1, 6])
    opsets = [helper.make_opsetid("local", 1), helper.make_opsetid("", 13)]
    for level in range(1, 41):
        inner, domain = (f"f{level - 1}", "local") if level > 1 else ("Relu", "")
        nodes = [helper.make_node(inner, [a], [b], domain=domain) for a, b in (("a", "b"), ("b", "c"))]
        model.functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], nodes, opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model, "more than 1048576 nodes"


@pytest.mark.parametrize("name", list(CASES))
def test_refused_with_place_and_remedy(name: str) -> None:
    model, message = CASES[name]()
    with pytest.raises(ModelError, match=message) as caught:
        import_model(model)
    problem = caught.value
    assert "\n" not in problem.what
    assert problem.where
    assert problem.remedy


@pytest.mark.parametrize("shape", [["N", 6], [64, 6], [1, "M"]])
def test_what_an_output_leaves_open_is_no_contradiction(shape: list[int | str]) -> None:
    # The batch may be any, as that of samples is.
    build, x = simple()
    assert import_model(build.model(build.node("Relu", [x]), shape)).nodes


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "missing.bin"}, "is missing"),
        ({"location": "../data.bin"}, "outside of the model's folder"),
        ({"location": "/etc/hostname"}, "outside of the model's folder"),
        ({"location": "x" * 5000}, "is missing"),
        ({"location": "data.bin", "offset": "8"}, "does not hold 24 bytes at offset 8"),
        ({"location": "data.bin", "length": "20"}, "does not hold 24 bytes"),
    ],
)
def test_external_data_that_does_not_fit(entries: dict[str, str], message: str, tmp_path: Path) -> None:
    build, x = simple()
    model = build.model(build.node("Add", [x, build.constant(np.ones(6))]), [1, 6])
    (tmp_path / "m").mkdir()
    for folder in (tmp_path, tmp_path / "m"):
        (folder / "data.bin").write_bytes(bytes(24))
    for where in ("initialiser", "attribute"):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        tensor = changed.graph.initializer[-1]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        if where == "attribute":
            changed.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
            changed.graph.initializer.remove(tensor)
        (tmp_path / "m" / "net.onnx").write_bytes(changed.SerializeToString())
        with pytest.raises(ModelError, match=message) as caught:
            import_model(tmp_path / "m" / "net.onnx")
        assert "tensor c5" in caught.value.where or where == "attribute"


def test_external_data_of_four_bits(tmp_path: Path) -> None:
    build, x = simple()
    weights = np.random.default_rng(0).integers(-8, 8, (6, 5))
    build.initialisers.append(helper.make_tensor("w", TensorProto.INT4, weights.shape, weights.ravel().tolist()))
    w = build.node("DequantizeLinear", ["w", build.constant(np.float32(0.5))])
    model = build.model(build.node("MatMul", [x, w]), [1, 5])
    model.opset_import[0].version = 21
    inline = import_model(model).to_proto().SerializeToString()
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    nibbles = weights.ravel() & 15
    packed = (nibbles[0::2] | (nibbles[1::2] << 4)).astype(np.uint8)
    tensor.ClearField("int32_data")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    (tmp_path / "w.bin").write_bytes(packed.tobytes())
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert import_model(tmp_path / "net.onnx").to_proto().SerializeToString() == inline
    (tmp_path / "w.bin").write_bytes(packed.tobytes()[:-1])
    with pytest.raises(ModelError, match="does not hold 15 bytes"):
        import_model(tmp_path / "net.onnx")
