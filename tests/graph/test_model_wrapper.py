"""ModelWrapper: FINN's questions, files named by content, and bad files."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from finnmake.errors import ModelError
from finnmake.graph.annotations import set_annotation
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from tests.support.networks import Mlp


@pytest.fixture
def model() -> ModelWrapper:
    return ModelWrapper(Mlp((64, 16, 4)).model())


def external_model(location: str, length: int = 8192) -> onnx.ModelProto:
    """A model with one external tensor of 2048 floats."""
    tensor = numpy_helper.from_array(np.ones((2, 1024), dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1024])],
        [tensor],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])


def test_producers_and_consumers(model: ModelWrapper) -> None:
    producer = model.find_producer("acc0")
    assert producer is not None
    assert producer.op_type == "MatMul"
    assert [node.op_type for node in model.find_consumers("acc0")] == ["BatchNormalization"]
    assert model.find_consumer("acc0") is model.find_consumers("acc0")[0]
    assert model.find_producer("w0") is None
    assert [node.op_type for node in model.find_direct_successors(producer)] == ["BatchNormalization"]
    assert model.get_tensor_shape("image") == [1, 1, 1, 64]
    with pytest.raises(ModelError, match="nobody"):
        model.find_producer("nobody")


def test_annotations_survive_saving_and_are_not_shared_with_copies(model: ModelWrapper, tmp_path: Path) -> None:
    model.set_tensor_datatype("acc0", DataType["INT11"])
    model.set_tensor_datatype("w0", DataType["INT4"])
    copy = model.copy()
    copy.set_tensor_datatype("acc0", DataType["INT5"])
    model.set_metadata_prop("key", "value")
    model.save(tmp_path / "graph.onnx")
    again = ModelWrapper(tmp_path / "graph.onnx")
    assert again.get_tensor_datatype("acc0") == DataType["INT11"]
    assert again.get_tensor_datatype("w0") == DataType["INT4"]
    assert again.get_tensor_datatype("acc1") == DataType["FLOAT32"]
    assert again.get_metadata_prop("key") == "value"
    assert copy.get_tensor_datatype("acc0") == DataType["INT5"]


def test_saving_leaves_the_model_as_it_is(model: ModelWrapper, tmp_path: Path) -> None:
    model.model.producer_name, model.model.doc_string = "somebody", "what they say"
    weights = model.value("w0").const_value
    model.save(tmp_path / "graph.onnx")
    assert model.value("w0").const_value is weights
    assert (model.model.producer_name, model.model.doc_string) == ("somebody", "what they say")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        model.save(tmp_path / "file" / "graph.onnx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "tensors").write_bytes(b"")
    with pytest.raises(OSError, match="tensors"):
        model.save(tmp_path / "full" / "graph.onnx")
    assert model.value("w0").const_value is weights
    saved = onnx.load(str(tmp_path / "graph.onnx"), load_external_data=False)
    assert (saved.producer_name, saved.doc_string) == ("finnmake", "")


def test_large_tensors_are_files_named_by_their_bytes(model: ModelWrapper, tmp_path: Path) -> None:
    model.save(tmp_path / "a" / "graph.onnx")
    again = ModelWrapper(tmp_path / "a" / "graph.onnx")
    again.save(tmp_path / "b" / "graph.onnx")
    for name in ("graph.onnx", *(f"tensors/{path.name}" for path in (tmp_path / "a" / "tensors").iterdir())):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(list((tmp_path / "b" / "tensors").iterdir())) == 1  # 64 x 16 floats; the others are small
    np.testing.assert_array_equal(again.get_initializer("w0"), model.get_initializer("w0"))
    onnx.load(str(tmp_path / "b" / "graph.onnx"))  # readable by others


@pytest.mark.parametrize("keep", [0, 1, 10, 200, 1000])
def test_truncated_files_are_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(Mlp().model().SerializeToString()[:keep])
    with pytest.raises(ModelError, match="truncated"):
        ModelWrapper(path)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("PK not a model at all")
    with pytest.raises(ModelError, match=r"model\.onnx.*not an ONNX model"):
        ModelWrapper(path)
    with pytest.raises(ModelError, match="cannot be read"):
        ModelWrapper(tmp_path / "absent.onnx")


def test_external_data(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "model.onnx"
    path.write_bytes(external_model("model.onnx.data").SerializeToString())
    with pytest.raises(ModelError, match=r"tensor w: .*model\.onnx\.data.*missing"):
        ModelWrapper(path)
    (folder / "model.onnx.data").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match="8192 bytes"):
        ModelWrapper(path)
    (folder / "model.onnx.data").write_bytes(np.arange(2048, dtype="<f4").tobytes())
    array = ModelWrapper(path).get_initializer("w")
    assert array is not None
    assert array[1, 1] == 1025


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret"])
def test_external_data_stays_in_the_models_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 8192)
    (folder / "model.onnx").write_bytes(external_model(location).SerializeToString())
    with pytest.raises(ModelError, match="outside"):
        ModelWrapper(folder / "model.onnx")


def branching() -> ModelWrapper:
    """x → Relu a → Add(a, constant) b, Mul(a, b) c, both used by the output d."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="relu"),
        helper.make_node("Add", ["a", "k"], ["b"], name="add"),
        helper.make_node("Mul", ["a", "b"], ["c"], name="mul"),
        helper.make_node("Quant", ["c", "k", "k", "k"], ["d"], name="quant", domain="qonnx.custom_op.general"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.asarray(4, np.float32), "k")],
    )
    return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))


def named(nodes: Sequence[ir.Node]) -> list[str]:
    return [str(node.name) for node in nodes]


def test_questions_about_the_graph() -> None:
    model = branching()
    relu, add, mul, quant = model.nodes
    assert [model.is_fork_node(node) for node in model.nodes] == [True, False, False, False]
    assert [model.is_join_node(node) for node in model.nodes] == [False, False, True, False]
    assert model.get_tensor_fanout("a") == 2
    assert model.find_consumer("a") is add
    assert model.find_consumer("d") is None
    assert named(model.find_direct_predecessors(mul)) == ["relu", "add"]
    assert named(model.find_upstream("d", lambda node: node.op_type == "Relu")) == ["quant", "mul", "relu"]
    assert model.find_upstream("d", lambda node: False) == []
    assert named(model.find_upstream("b", lambda node: False, keep_if_not_found=True)) == ["add", "relu"]
    assert named(model.get_finn_nodes()) == ["quant"]
    assert named(model.get_non_finn_nodes()) == ["relu", "add", "mul"]
    assert model.get_node_from_name("mul") is mul
    assert model.get_node_from_name("nobody") is None
    assert model.get_node_index(mul) == 2
    model.graph.remove(quant)
    assert model.get_node_index(quant) is None
    assert model.get_node_from_name("quant") is None
    relu.name = "other"
    assert model.get_node_from_name("other") is relu
    assert (model.get_first_global_in(), model.get_first_global_out()) == ("x", "d")
    assert model.get_opset_imports() == {"": 13}
    assert model.get_all_tensor_names() == ["x", "k", "a", "b", "c"]
    assert model.analysis(lambda wrapper: {"nodes": len(wrapper.nodes)}) == {"nodes": 3}


def test_shapes_are_lists_or_unknown() -> None:
    model = branching()
    assert model.get_tensor_shape("a") is None
    assert not model.check_all_tensor_shapes_specified()
    with pytest.raises(ModelError, match="tensor a: has no static shape"):
        model.make_empty_exec_context()
    for name in "abc":
        model.set_tensor_shape(name, [1, 3])
    assert model.check_all_tensor_shapes_specified()
    assert model.get_tensor_shape("a") == [1, 3]
    context = model.make_empty_exec_context()
    assert context[""] is None
    assert context["k"] == 4
    np.testing.assert_array_equal(context["b"], np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="constant of shape"):
        model.set_tensor_shape("k", [2])


def test_constants_come_change_and_go() -> None:
    model = branching()
    assert model.get_initializer("nobody") is None
    value, dtype = model.get_initializer("k", return_dtype=True)
    assert value == 4
    assert dtype == TensorProto.FLOAT
    assert model.get_initializer("a", return_dtype=True) == (None, None)
    model.set_initializer("k", np.arange(3, dtype=np.int64))
    assert model.get_initializer("k", return_dtype=True)[1] == TensorProto.INT64
    assert model.get_tensor_shape("k") == [3]
    with pytest.raises(ModelError, match="used by 2 nodes"):
        model.del_initializer("k")
    model.set_initializer("new", np.zeros(2))
    model.del_initializer("new")
    assert model.get_initializer("new") is None
    with pytest.raises(ModelError, match=r"tensor a: is an output of node relu \(Relu\)"):
        model.set_initializer("a", np.zeros(2))


def test_names_stay_right_under_renaming() -> None:
    model = branching()
    model.rename_tensor("a", "first")
    model.rename_tensor("k", "four")
    assert model.find_producer("first") is model.nodes[0]
    assert model.get_initializer("four") == 4
    for old in ("a", "k"):
        with pytest.raises(ModelError, match="no tensor"):
            model.value(old)
    with pytest.raises(ModelError, match="another tensor"):
        model.rename_tensor("b", "first")
    model.graph.inputs[0].name = "image"
    assert model.value("image") is model.graph.inputs[0]
    model.rename_tensor("b", "x")  # free since the input has another name
    assert model.to_proto().graph.node[1].output == ["x"]


def test_a_node_as_onnx_describes_it_is_inserted_as_finn_users_do() -> None:
    model = branching()
    relu, add = model.nodes[:2]
    output, factor = model.make_new_valueinfo_name(), model.make_new_valueinfo_name()
    assert len({output, factor, *model.get_all_tensor_names()}) == 8
    model.set_tensor_shape(output, [1, 3])
    model.set_tensor_datatype(output, DataType["INT5"])
    model.set_initializer(factor, np.float32(2))
    node = model.insert_node(helper.make_node("Mul", ["a", factor], [output], name="double"), after=relu)
    add.replace_input_with(0, model.value(output))
    assert named(model.nodes) == ["relu", "double", "add", "mul", "quant"]
    assert model.find_producer(output) is node
    assert model.get_tensor_shape(output) == [1, 3]
    again = ModelWrapper(model.to_proto())
    assert again.get_tensor_datatype(output) == DataType["INT5"]
    with pytest.raises(ModelError, match="in the graph already"):
        model.insert_node(helper.make_node("Relu", ["x"], ["a"]))
    with pytest.raises(ModelError, match="no tensor is called 'nobody'"):
        model.insert_node(helper.make_node("Relu", ["nobody"], ["y"]))
    with pytest.raises(ModelError, match="still used"):
        model.remove_node(relu)


def test_layout_sparsity_and_datatype_survive_a_file_and_can_be_taken_away() -> None:
    model = branching()
    model.set_tensor_layout("a", ["N", "C"])
    model.set_tensor_sparsity("k", {"dw": {"kernel_shape": [3, 3]}})
    model.set_tensor_datatype("k", DataType["UINT3"])
    again = ModelWrapper(model.to_proto().SerializeToString())
    assert list(again.get_tensor_layout("a") or ()) == ["N", "C"]
    assert again.get_tensor_sparsity("k") == {"dw": {"kernel_shape": [3, 3]}}
    assert again.get_tensor_sparsity("a") is None
    again.set_tensor_datatype("k", None)
    assert again.get_tensor_datatype("k").name == "FLOAT32"
    assert again.get_tensor_sparsity("k") is not None
    set_annotation(again.value("k"), "tensor_sparsity", "__import__('os').getcwd()")
    with pytest.raises(ModelError, match="no dictionary"):
        again.get_tensor_sparsity("k")


class Grow:
    """Adds a Relu behind the input, in place where it may."""

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        result = model.copy()
        self.rewrite(result)
        return result

    def rewrite(self, model: ModelWrapper) -> None:
        model.insert_node(ir.node("Relu", [model.graph.inputs[0]]))


def test_transform_copies_and_tidies_unless_told_not_to() -> None:
    model = branching()
    assert len(model.transform(Grow()).nodes) == 5
    assert len(model.nodes) == 4
    assert len(model.transform(Grow()).graph.initializers) == 4  # each use of k has its own
    assert len(model.transform(Grow(), cleanup=False).graph.initializers) == 1
    assert model.transform(Grow(), make_deepcopy=False) is model
    assert len(model.nodes) == 5


def test_metadata_where_either_generation_of_qonnx_keeps_it() -> None:
    model = branching()
    model.graph.metadata_props["graph_key"] = "1"
    model.set_metadata_prop("model_key", "2")
    assert model.get_metadata_prop("graph_key") == "1"
    assert ModelWrapper(model.to_proto()).get_metadata_prop("model_key") == "2"
    assert model.get_metadata_prop("none") is None


def test_cycles_are_refused_with_a_node_of_the_cycle() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"], name="outside"),
        helper.make_node("Add", ["x", "b"], ["a"], name="one"),
        helper.make_node("Relu", ["a"], ["b"], name="two"),
        helper.make_node("Relu", ["b"], ["c"], name="behind"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    with pytest.raises(ModelError, match=r"node (one|two) .*cycle"):
        ModelWrapper(helper.make_model(graph))


def test_nodes_in_any_order_are_put_into_one_that_runs() -> None:
    proto = branching().to_proto()
    nodes = list(proto.graph.node)[::-1]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    model = ModelWrapper(proto)
    assert named(model.nodes) == ["relu", "add", "mul", "quant"]
    model.graph.remove(quant := model.nodes[-1])
    model.graph.insert_before(model.nodes[0], quant)
    assert named(copy.deepcopy(model).nodes) == ["relu", "add", "mul", "quant"]


def test_a_file_too_large_for_protobuf_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 31)  # sparse: takes no room
    with pytest.raises(ModelError, match="less than 2 GiB"):
        ModelWrapper(path)
